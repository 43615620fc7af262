"""Where a forward path leads: the one answer for RCPT, for submission and for delivery.

The order in which a local part is understood: somebody's exact address, a group's, what came back for
somebody outside (SRS), the first two without what follows a plus sign, what came back from a group, a name
every domain has, and at last whoever gets what nobody has. A disabled account ends the search: its mail is
nobody else's.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from appliance.accounts import accounts, addresses
from appliance.accounts.domains import HostedDomain
from appliance.clock import SYSTEM_CLOCK
from appliance.delivery import return_paths, srs
from appliance.delivery.known import STORED, Fetched, Known
from appliance.domains.records import DMARC_REPORTS, TLS_REPORTS
from appliance.errors import InvalidInput
from appliance.items.account import Account
from appliance.items.group import BOUNCES_SUFFIX, Group
from appliance.smtp.grammar import SmtpSyntaxError, parse_address

POSTMASTER = "postmaster"
ROLES = frozenset({POSTMASTER, "abuse", "hostmaster", "webmaster", DMARC_REPORTS, TLS_REPORTS})
"""Names every domain has (RFC 5321 4.5.1, RFC 2142 4, 5, 7), and where others report; the first administrator
is who does not mind."""


class RouteKind(Enum):
    """What becomes of mail for an address."""

    LOCAL = auto()  # an account here
    GROUP = auto()  # several addresses, see `delivery.expansion`
    RETURN = auto()  # what comes back for a sender outside whose mail we sent on
    REMOTE = auto()  # another server's domain
    UNKNOWN = auto()  # our domain, nobody of that name
    DISABLED = auto()  # our domain, an account that takes no mail now
    INVALID = auto()  # not an address
    NOT_ALLOWED = auto()  # ours, but not for this sender (`delivery.posting`)


@dataclass(frozen=True, slots=True)
class Route:
    """The route of one forward path.

    `account` is set for LOCAL, `group` for GROUP, `domain` (A-labels) for REMOTE. detail: what followed the
    plus sign of a LOCAL address. original: whose mail it is, for RETURN.
    """

    kind: RouteKind
    address: str
    account: Account | None = None
    domain: str = ""
    group: Group | None = None
    detail: str = ""
    original: str = ""


def route(forward_path: str, known: Known = STORED) -> Route:
    """Return where mail for an address goes; never raises for any text. Needs `db.connection()`."""
    if forward_path.lower() == POSTMASTER:  # RFC 5321 4.1.1.3: the only one that needs no domain
        return _to_administrator(POSTMASTER)
    try:
        address = addresses.normalise(forward_path)
    except InvalidInput:
        return Route(RouteKind.INVALID, forward_path)
    local_part, _, domain = address.rpartition("@")
    hosted = known.domain(domain)
    if hosted is None:
        return Route(RouteKind.REMOTE, forward_path, domain=domain)
    if hosted.alias_of:
        hosted = known.domain(hosted.alias_of)
        if hosted is None:
            return Route(RouteKind.UNKNOWN, address)
        address = f"{local_part}@{hosted.name}"
    if srs.is_wrapped(local_part) and known.account(address) is None:
        return _returning(forward_path)
    return _in_domain(address, hosted, known)


def route_all(forward_paths: Iterable[str]) -> list[Route]:
    """Return what `route` says of each path, with a few reads for all. Needs `db.connection()`."""
    paths = list(forward_paths)
    known: Known = Fetched(paths) if len(paths) > 1 else STORED
    return [route(path, known) for path in paths]


def _returning(forward_path: str) -> Route:
    """Return the route of what comes back to a reverse-path that we made; forged ones are nobody's."""
    try:
        local_part = parse_address(forward_path.strip(" ")).local_part  # as it came: folding loses letters
        original = return_paths.original(local_part, SYSTEM_CLOCK.now())
    except (InvalidInput, SmtpSyntaxError):
        return Route(RouteKind.UNKNOWN, forward_path)
    return Route(RouteKind.RETURN, forward_path, original=original)


def _in_domain(address: str, hosted: HostedDomain, known: Known) -> Route:
    found = _named(address, known)
    if found is not None:
        return found
    local_part = address.removesuffix(f"@{hosted.name}")
    base = addresses.base_address(address)
    if base != address:
        found = _named(base, known)
        if found is not None:
            detail = local_part.partition(addresses.SUBADDRESS_SEPARATOR)[2]
            return replace(found, address=address, detail=detail)
    found = _bounce_of_group(address, local_part, hosted, known)
    if found is not None:
        return found
    if local_part in ROLES:
        return _to_administrator(address)
    if hosted.catch_all:
        found = _named(hosted.catch_all, known)
        if found is not None:
            return replace(found, address=address)
    return Route(RouteKind.UNKNOWN, address)


def _named(address: str, known: Known) -> Route | None:
    """Return the route to who has exactly this address, None when nobody has."""
    account = known.account(address)
    if account is not None:
        if not account.is_enabled:
            return Route(RouteKind.DISABLED, address)
        return Route(RouteKind.LOCAL, address, account=account)
    group = known.group(address)
    return None if group is None else Route(RouteKind.GROUP, address, group=group)


def _bounce_of_group(address: str, local_part: str, hosted: HostedDomain, known: Known) -> Route | None:
    """Return the route of what comes back from a group's members: its owner's, never the members'."""
    if not local_part.endswith(BOUNCES_SUFFIX):
        return None
    group = known.group(f"{local_part.removesuffix(BOUNCES_SUFFIX)}@{hosted.name}")
    return None if group is None else to_owner(group, address)


def to_owner(group: Group, address: str) -> Route:
    """Return the route to who reads what a group's members send back."""
    owner = None if group.owner_id is None else accounts.get(group.owner_id)
    if owner is None or not owner.is_enabled:
        return _to_administrator(address)
    return Route(RouteKind.LOCAL, address, account=owner)


def _to_administrator(address: str) -> Route:
    administrator = accounts.first_administrator()
    if administrator is None:
        return Route(RouteKind.UNKNOWN, address)
    return Route(RouteKind.LOCAL, address, account=administrator)
