"""Where a forward path leads: the one answer for RCPT, for submission and for delivery."""

from dataclasses import dataclass
from enum import Enum, auto

from appliance.accounts import accounts, addresses
from appliance.errors import InvalidInput
from appliance.items.account import Account


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
    """Return where mail for an address goes; never raises for any text."""
    try:
        address = addresses.normalise(forward_path)
    except InvalidInput:
        return Route(RouteKind.INVALID, forward_path)
    domain = address.rpartition("@")[2]
    if not accounts.is_local_domain(domain):
        return Route(RouteKind.REMOTE, forward_path, domain=domain)
    account = accounts.by_address(address)
    if account is None:
        return Route(RouteKind.UNKNOWN, address)
    if not account.is_enabled:
        return Route(RouteKind.DISABLED, address)
    return Route(RouteKind.LOCAL, address, account=account)
