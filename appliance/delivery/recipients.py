"""Who gets which copy of a message: routes in, copies out, whatever lies between.

Groups are opened, accounts are asked for their wishes (`filing`), what they send on is routed again, until
nothing new comes. Everybody gets one copy, by the first way that led to them. It ends, because an account
and a group are taken once, an account sends nothing on that names it in Delivered-To, and rounds are
counted.

What the sender wants to hear was said of a forward path as it was typed, so every copy knows for which of
them it answers (`named`). An account that only sends on, to one address here, gives them on with the message;
one that keeps a copy, sends to several or away answers itself, and so does a group: whom these lead to is
`behind` the path, of which failures may be told and arrivals are not.

Reads only; what comes out is written by `inbound` and `submission` in one transaction.

Source: RFC 3461 5.2.7 (lists, aliases of one and of several addresses, confidential forwarding).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from appliance import logs
from appliance.accounts import addresses, forwards, rules, sender_lists
from appliance.delivery import editions, expansion, filing, posting, reports
from appliance.delivery.dsn import ReportedRecipient
from appliance.delivery.editions import AS_IT_CAME, Edition
from appliance.delivery.filing import PLAIN, Facts, Filing
from appliance.delivery.posting import Sender
from appliance.delivery.routing import Route, RouteKind
from appliance.items.account import Account
from appliance.items.group import Group, Senders
from appliance.mime.headers import Headers, header_block, parse_headers

ROUNDS_MAX = 8

log = logging.getLogger("appliance.mail")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be delivered, as far as it decides who gets it."""

    sender: Sender
    raw: bytes
    has_attachments: bool
    is_junk: bool = False
    is_disowned: bool = False


@dataclass(frozen=True, slots=True)
class LocalCopy:
    """A copy for an account here. is_reported: its sender hears when it cannot be taken.

    named: the forward paths it answers for. behind: the one it came from when it answers for none.
    """

    account: Account
    edition: Edition = AS_IT_CAME
    filing: Filing = PLAIN
    is_reported: bool = True
    named: tuple[str, ...] = ()
    behind: str = ""


@dataclass(frozen=True, slots=True)
class RemoteCopy:
    """A copy for another server. sent_on_from: our domain that a foreign reverse-path is wrapped into.

    named, behind: as in LocalCopy; neither when what comes back goes to a group and not to the sender.
    """

    route: Route
    edition: Edition
    reverse_path: str
    sent_on_from: str = ""
    named: tuple[str, ...] = ()
    behind: str = ""


@dataclass(slots=True)
class Copies:
    """What becomes of a message: copies here and elsewhere, who gets none, and what groups were named."""

    local: list[LocalCopy] = field(default_factory=list)
    remote: list[RemoteCopy] = field(default_factory=list)
    failed: list[ReportedRecipient] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Say whether nobody gets anything."""
        return not self.local and not self.remote


@dataclass(frozen=True, slots=True)
class _Way:
    """How a message came to a route: under which reverse-path it goes on, and what stands in front of it.

    named, behind: as in LocalCopy.
    """

    reverse_path: str
    edition: Edition = AS_IT_CAME
    sent_on_from: str = ""
    is_reported: bool = True
    may_leave: bool = False
    named: tuple[str, ...] = ()
    behind: str = ""


class _Spreading:
    """One message on its way to everybody."""

    def __init__(self, letter: Letter) -> None:
        self.copies = Copies()
        self._letter = letter
        self._names: dict[object, list[str]] = {}  # of everybody who was reached
        self._groups: set[int] = set()
        self._sent_to: dict[int, set[object]] = {}
        self._headers_of: dict[Edition, Headers] = {}

    @cached_property
    def _headers(self) -> Headers:
        return parse_headers(self._letter.raw)  # most mail goes to an Inbox, and nobody needs to know

    @cached_property
    def _places(self) -> frozenset[str]:
        return editions.been_at(self._headers)

    def spread(self, routes: Mapping[str, Route]) -> Copies:
        sender = self._letter.sender
        way = _Way(sender.reverse_path, may_leave=sender.account is not None)
        ways = [(route, replace(way, named=(path,))) for path, route in routes.items()]
        for _ in range(ROUNDS_MAX):
            ways = self._round(ways)
            if not ways:
                break
        else:
            logs.event(log, "forwarded_too_often", level=logging.WARNING, left=len(ways))
        self._keep_what_went_in_circles()
        self._name()
        return self.copies

    def _name(self) -> None:
        """Tell every copy whom it answers for, now that nobody comes any more."""
        names, copies = self._names, self.copies
        copies.local = [replace(copy, named=tuple(names[copy.account.id])) for copy in copies.local]
        copies.remote = [
            replace(copy, named=tuple(names[expansion.identity(copy.route)]))
            if self._is_senders(copy)
            else copy
            for copy in copies.remote
        ]

    def _is_senders(self, way: _Way | RemoteCopy) -> bool:
        """Say whether what comes back goes to who sent the message, and not to a group's owner."""
        return way.reverse_path == self._letter.sender.reverse_path

    def _keep_what_went_in_circles(self) -> None:
        """Let accounts that keep nothing keep it after all, unless whom they sent it to has it in the end."""
        has_it: set[object] = {expansion.identity(copy.route) for copy in self.copies.remote}
        has_it |= {copy.account.id for copy in self.copies.local if copy.filing.is_kept}
        for place in reversed(range(len(self.copies.local))):  # the last of a chain is where it ended
            copy = self.copies.local[place]
            if copy.filing.is_kept or not copy.filing.sends:
                continue
            self._follow(has_it)
            if copy.account.id not in has_it:
                kept = replace(copy.filing, is_kept=True)
                self.copies.local[place] = replace(copy, filing=kept)
                has_it.add(copy.account.id)

    def _follow(self, has_it: set[object]) -> None:
        """Add the accounts from which a message came to somebody who has it."""
        while more := {
            account_id
            for account_id, goals in self._sent_to.items()
            if account_id not in has_it and not has_it.isdisjoint(goals)
        }:
            has_it |= more

    def _round(self, ways: Sequence[tuple[Route, _Way]]) -> list[tuple[Route, _Way]]:
        """Take everybody these routes lead to, and return where they want it sent on."""
        ways = [*(each for each in ways if each[0].group is None), *self._opened(ways)]
        here: list[tuple[Route, _Way]] = []
        for route, way in ways:
            if route.kind is RouteKind.LOCAL:
                if self._is_new(expansion.identity(route), way):
                    here.append((route, way))
            elif way.may_leave and self._letter.is_junk:
                logs.event(log, "junk_withheld", domain=route.domain)
            elif self._leaves(route, way):
                if self._is_new(expansion.identity(route), way):
                    behind = way.behind if self._is_senders(way) else ""
                    self.copies.remote.append(
                        RemoteCopy(route, way.edition, way.reverse_path, way.sent_on_from, behind=behind)
                    )
            else:
                self._fails(reports.refusal_of_route(route), way)
        return self._delivered(here)

    def _leaves(self, route: Route, way: _Way) -> bool:
        if route.kind is RouteKind.RETURN:
            return not self._letter.is_junk
        return route.kind is RouteKind.REMOTE and way.may_leave

    def _opened(self, ways: Iterable[tuple[Route, _Way]]) -> list[tuple[Route, _Way]]:
        """Return the people behind the groups among these routes."""
        groups: list[Group] = []
        ways_to: dict[int, _Way] = {}
        for route, way in ways:
            if route.group is None:
                continue
            if route.group.id in self._groups:
                self._also_named(ways_to, route.group, way)
                continue
            self._groups.add(route.group.id)
            if editions.is_loop(self._places, route.group):
                self._fails(
                    ReportedRecipient(route.address, "5.4.6", "The message has been at the group before."),
                    way,
                )
                logs.event(log, "group_loop", group=route.group.address)
            else:
                groups.append(route.group)
                ways_to[route.group.id] = way
        if not groups:
            return []
        reached = expansion.expand(groups)
        for group in groups:
            if not any(each.group.id == group.id for each in reached) and not self._is_covered(group, groups):
                nobody = ReportedRecipient(group.address, "5.1.1", "The group has no members.")
                self._fails(nobody, ways_to[group.id])
            else:
                self.copies.opened += ways_to[group.id].named
        return [(each.route, _through(each.group, ways_to[each.group.id])) for each in reached]

    def _also_named(self, ways_to: dict[int, _Way], group: Group, way: _Way) -> None:
        """Note that a group that is taken already was named once more."""
        first = ways_to.get(group.id)
        if first is not None:
            ways_to[group.id] = replace(first, named=(*first.named, *way.named))
        else:
            self.copies.opened += way.named

    def _fails(self, why: ReportedRecipient, way: _Way) -> None:
        """Note who gets nothing, as the sender named them."""
        self.copies.failed += [replace(why, address=name, named=name) for name in way.named] or [
            replace(why, named=way.behind)
        ]

    def _is_covered(self, group: Group, groups: Sequence[Group]) -> bool:
        """Say whether a group led to nobody only because others led to the same people."""
        return len(groups) > 1 and bool(expansion.expand([group]))

    def _delivered(self, here: Sequence[tuple[Route, _Way]]) -> list[tuple[Route, _Way]]:
        filings = self._filings(here)
        onward: list[tuple[Route, _Way]] = []
        for route, way in here:
            account = route.account
            assert account is not None
            wishes = filings.get(account.id, PLAIN)
            if wishes.sends:
                sent = self._sent_on(account, way, wishes)
                onward += sent
                if not sent and not wishes.is_kept:
                    wishes = replace(wishes, is_kept=True)  # nowhere to go: better here than lost
            self.copies.local.append(
                LocalCopy(account, way.edition, wishes, way.is_reported, behind=way.behind)
            )
        return onward

    def _sent_on(self, account: Account, way: _Way, wishes: Filing) -> list[tuple[Route, _Way]]:
        if editions.has_been(self._places, account.address):
            logs.event(log, "forward_loop", account=account.id)
            return []
        onward = replace(
            way,
            edition=editions.for_forward(way.edition, account.address),
            sent_on_from=addresses.domain_of(account.address),
            may_leave=True,
            named=(),
        )
        names = tuple(self._names[account.id])
        found = []
        for route in posting.judge_all(wishes.sends, Sender(way.reverse_path, account)):
            if route.kind in (RouteKind.LOCAL, RouteKind.GROUP, RouteKind.REMOTE):
                found.append((route, onward))
                self._sent_to.setdefault(account.id, set()).update(_people(route))
            else:
                reason = route.kind.name.lower()
                logs.event(log, "forward_broken", level=logging.WARNING, account=account.id, reason=reason)
        if not names:
            return found
        if wishes.is_kept or len(found) != 1 or found[0][0].kind is RouteKind.REMOTE:
            return [(route, replace(way, behind=names[0])) for route, way in found]
        self._names[account.id].clear()  # whoever has it then answers for them
        return [(route, replace(way, named=names)) for route, way in found]

    def _filings(self, here: Sequence[tuple[Route, _Way]]) -> dict[int, Filing]:
        """Return what accounts make of the message, for those that are not content with their Inbox."""
        came = {route.account.id: (route.detail, way) for route, way in here if route.account is not None}
        ids = list(came) if self._letter.is_junk else forwards.with_wishes(came)
        if not ids:
            return {}
        of_rules, of_forwards = rules.of_accounts(ids), forwards.of_accounts(ids)
        said = sender_lists.blocked(ids, sender_lists.writer(self._headers))
        return {
            account_id: filing.judge(
                self._facts(*came[account_id]),
                of_rules.get(account_id, ()),
                is_junk=self._letter.is_junk,
                is_disowned=self._letter.is_disowned,
                is_blocked=said.get(account_id),
                forward=of_forwards.get(account_id),
            )
            for account_id in ids
        }

    def _facts(self, detail: str, way: _Way) -> Facts:
        """Return what an account's rules see: the copy it gets, with the fields of a list for instance."""
        headers = self._headers_of.get(way.edition)
        if headers is None:
            raw = self._letter.raw
            head = raw[: header_block(raw, 0, len(raw)).body_start]
            headers = parse_headers(editions.bytes_of(way.edition, head))
            self._headers_of[way.edition] = headers
        return Facts(headers, len(self._letter.raw), self._letter.has_attachments, detail)

    def _is_new(self, identity: object, way: _Way) -> bool:
        is_new = identity not in self._names
        self._names.setdefault(identity, []).extend(way.named)
        return is_new


def copies_of(letter: Letter, forward_paths: Iterable[str]) -> Copies:
    """Return everybody's copy of a message. Needs `db.connection()`. Raises TooLarge.

    forward_paths: as the sender typed them.
    """
    paths = list(dict.fromkeys(forward_paths))
    routes = posting.judge_all(paths, letter.sender)
    return _Spreading(letter).spread(dict(zip(paths, routes, strict=True)))


def _people(route: Route) -> set[object]:
    """Return who a route leads to."""
    if route.group is None:
        return {expansion.identity(route)}
    return {expansion.identity(each.route) for each in expansion.expand([route.group])}


def _through(group: Group, way: _Way) -> _Way:
    return _Way(
        group.bounce_address,
        edition=editions.for_group(group, way.edition),
        is_reported=group.senders is not Senders.ANYONE,
        may_leave=True,
        behind=way.named[0] if way.named else way.behind,
    )
