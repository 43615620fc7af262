"""Whether an address takes mail from this sender: what groups and returning mail ask beyond `routing`.

The envelope's sender proves nothing: who is internal is who is signed in. An outside member of a group for
members only is believed by its address, as lists do; nobody can pass for one of our own that way.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from appliance.accounts import accounts, addresses, groups
from appliance.delivery import expansion
from appliance.delivery.routing import Route, RouteKind, route, route_all, to_owner
from appliance.errors import InvalidInput
from appliance.items.account import Account
from appliance.items.group import Group, Senders


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends: `account` when signed in; `reverse_path` is "" for the null one."""

    reverse_path: str
    account: Account | None = None


def judge(forward_path: str, sender: Sender) -> Route:
    """Return where mail of this sender for an address goes. Needs `db.connection()`."""
    return _admitted(route(forward_path), sender)


def judge_all(forward_paths: Iterable[str], sender: Sender) -> list[Route]:
    """Return what `judge` says of each path, with few reads. Needs `db.connection()`."""
    return [_admitted(each, sender) for each in route_all(forward_paths)]


def may_send_as(account: Account, address: str) -> bool:
    """Say whether an account may write under an address: its own, or a group's that lets it.

    Needs `db.connection()`.
    """
    if accounts.owns(account, address):
        return True
    try:
        group = groups.find(accounts.in_real_domain(addresses.normalise(address)))
    except InvalidInput:
        return False
    return group is not None and groups.may_send_as(account, group)


def _admitted(found: Route, sender: Sender) -> Route:
    match found.kind:
        case RouteKind.GROUP:
            assert found.group is not None
            if not sender.reverse_path and sender.account is None:
                return to_owner(found.group, found.address)  # a report: members have nothing to do with it
            return found if _may_post(found.group, sender) else _refused(found)
        case RouteKind.RETURN:
            return _returned(found) if not sender.reverse_path and sender.account is None else _refused(found)
        case _:
            return found


def _returned(found: Route) -> Route:
    """Return the way back to the sender of what we sent on; one that leads to us twice leads nowhere."""
    back = route(found.original)
    if back.kind is RouteKind.LOCAL:
        return back
    if back.kind is RouteKind.REMOTE:
        return replace(found, address=back.address, domain=back.domain)
    return Route(RouteKind.UNKNOWN, found.address)


def _may_post(group: Group, sender: Sender) -> bool:
    match group.senders:
        case Senders.ANYONE:
            return True
        case Senders.INTERNAL:
            return sender.account is not None
        case Senders.MEMBERS:
            return _is_member(group, sender)


def _is_member(group: Group, sender: Sender) -> bool:
    people = [reached.route for reached in expansion.expand([group])]
    if sender.account is not None:
        return any(each.account is not None and each.account.id == sender.account.id for each in people)
    try:
        claimed = addresses.normalise(sender.reverse_path)
    except InvalidInput:
        return False
    if accounts.is_local_domain(addresses.domain_of(claimed)):
        return False
    return any(each.account is None and addresses.normalise(each.address) == claimed for each in people)


def _refused(found: Route) -> Route:
    return Route(RouteKind.NOT_ALLOWED, found.address)
