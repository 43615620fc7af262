"""Where a forward path leads: the one answer for RCPT, for submission and for delivery."""

from dataclasses import dataclass
from enum import Enum, auto

from appliance.accounts import accounts, addresses
from appliance.errors import InvalidInput
from appliance.items.account import Account

POSTMASTER = "postmaster"


class RouteKind(Enum):
    """What becomes of mail for an address."""

    LOCAL = auto()  # an account here
    REMOTE = auto()  # another server's domain
    UNKNOWN = auto()  # our domain, nobody of that name
    DISABLED = auto()  # our domain, an account that takes no mail now
    INVALID = auto()  # not an address


@dataclass(frozen=True, slots=True)
class Route:
    """The route of one forward path; `account` is set for LOCAL, `domain` (A-labels) for REMOTE."""

    kind: RouteKind
    address: str
    account: Account | None = None
    domain: str = ""


def route(forward_path: str) -> Route:
    """Return where mail for an address goes; never raises for any text. Needs `db.connection()`."""
    if forward_path.lower() == POSTMASTER:  # RFC 5321 4.1.1.3: the only one that needs no domain
        return _to_postmaster(POSTMASTER)
    try:
        address = addresses.normalise(forward_path)
    except InvalidInput:
        return Route(RouteKind.INVALID, forward_path)
    domain = address.rpartition("@")[2]
    if not accounts.is_local_domain(domain):
        return Route(RouteKind.REMOTE, forward_path, domain=domain)
    account = accounts.by_address(address)
    if account is None:
        return _to_postmaster(address)
    if not account.is_enabled:
        return Route(RouteKind.DISABLED, address)
    return Route(RouteKind.LOCAL, address, account=account)


def _to_postmaster(address: str) -> Route:
    """Return the route of an address nobody has: postmaster's mail goes to the first administrator.

    Source: RFC 5321 4.5.1 (every domain takes mail for postmaster).
    """
    if address.partition("@")[0] == POSTMASTER:
        administrators = [a for a in accounts.list_accounts() if a.is_admin and a.is_enabled]
        if administrators:
            return Route(RouteKind.LOCAL, address, account=min(administrators, key=lambda a: a.id))
    return Route(RouteKind.UNKNOWN, address)
