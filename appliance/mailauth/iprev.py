"""Does the client's address have a name that leads back to it? Source: RFC 8601 3 (iprev)."""

import ipaddress
from dataclasses import dataclass

from appliance.mailauth.domains import normal
from appliance.mailauth.lookups import Lookup, LookupFailed

NAMES_MAX = 3  # tried of those the address has; real servers have one


@dataclass(frozen=True, slots=True)
class IprevResult:
    """pass with the confirmed name; fail (no name, or none that leads back); temperror."""

    result: str
    name: str = ""


def check(client_ip: str, lookup: Lookup) -> IprevResult:
    """Return whether a name of the address is confirmed; raises nothing. Blocks as `lookup` does."""
    address = ipaddress.ip_address(client_ip)
    has_trouble = False
    try:
        names = [name for name in map(normal, lookup(address.reverse_pointer, "PTR")) if name]
    except LookupFailed:
        return IprevResult("temperror")
    for name in sorted(names)[:NAMES_MAX]:
        try:
            found = lookup(name, "AAAA" if address.version == 6 else "A")
        except LookupFailed:
            has_trouble = True
            continue
        if any(_is_same(text, address) for text in found):
            return IprevResult("pass", name)
    return IprevResult("temperror" if has_trouble else "fail")


def _is_same(text: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return ipaddress.ip_address(text) == address
    except ValueError:
        return False
