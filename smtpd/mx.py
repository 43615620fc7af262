"""Which servers take mail for a domain, in which order, at which addresses.

Source: RFC 5321 5.1 Locating the Target Host, RFC 7505 Null MX. Leaves connecting to `relay`.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from appliance.net.resolver import AuthenticResolver, LookupUnavailable, NameNotFound, NoRecords, Resolver
from appliance.smtp.reply import Reply

HOSTS_MAX = 10
ADDRESSES_PER_HOST_MAX = 6
NULL_MX = "."


class NoRoute(Exception):
    """There is no server to try; `reply` says whether that is for now (4yz) or for good (5yz)."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


@dataclass(frozen=True, slots=True)
class MailHost:
    """A server that takes mail; the lowest preference is tried first."""

    name: str
    preference: int


@dataclass(frozen=True, slots=True)
class MailRoute:
    """The servers of a domain, best first. is_secure: DNSSEC vouches for their names."""

    hosts: list[MailHost]
    is_secure: bool


def mail_route(resolver: AuthenticResolver, domain: str, own_name: str, random: Random) -> MailRoute:
    """Return the servers for a domain, best first, equal ones shuffled. Raises NoRoute. Blocks.

    When this host (`own_name`) is among them, it and all that are not better are left out, or mail would
    go round in circles.
    """
    if domain.startswith("["):
        raise NoRoute(Reply(550, "5.1.2", "Mail to address literals is not relayed"))
    route = _listed(resolver, domain)
    hosts = route.hosts
    own = min((host.preference for host in hosts if _same(host.name, own_name)), default=None)
    if own is not None:
        hosts = [host for host in hosts if host.preference < own]
        if not hosts:
            raise NoRoute(Reply(554, "5.4.6", f"Mail for {domain} loops back to this server"))
    random.shuffle(hosts)
    return MailRoute(sorted(hosts, key=lambda host: host.preference)[:HOSTS_MAX], route.is_secure)


def _listed(resolver: AuthenticResolver, domain: str) -> MailRoute:
    try:
        answer = resolver.lookup(domain, "MX")
    except NameNotFound:
        raise NoRoute(Reply(550, "5.1.2", f"The domain {domain} does not exist")) from None
    except NoRecords:
        # The implicit MX: the domain itself, if it has an address. Its name is the recipient's own, so
        # nothing has to vouch for it.
        return MailRoute([MailHost(domain, 0)], is_secure=True)
    except LookupUnavailable as error:
        raise NoRoute(Reply(451, "4.4.3", f"Name look-up failed: {error}")) from error
    hosts = [_host(record) for record in answer.records]
    if all(host.name == NULL_MX for host in hosts):
        raise NoRoute(Reply(556, "5.1.10", f"The domain {domain} accepts no mail"))
    return MailRoute([host for host in hosts if host.name != NULL_MX], answer.is_authentic)


def _host(record: str) -> MailHost:
    preference, _, name = record.partition(" ")
    return MailHost(name, int(preference))


def host_addresses(resolver: Resolver, host: str) -> Sequence[str]:
    """Return the IP addresses of a server, IPv4 first; none when it has none. Blocks.

    IPv4 first because a small office's IPv6 address seldom has the reverse name that large receivers ask
    for. Raises LookupUnavailable when nothing was found and something could not be asked.
    """
    found: list[str] = []
    trouble: LookupUnavailable | None = None
    for record_type in ("A", "AAAA"):
        try:
            found += resolver.resolve(host, record_type)
        except (NameNotFound, NoRecords):
            continue
        except LookupUnavailable as error:
            trouble = error
    if not found and trouble is not None:
        raise trouble
    return [address for address in found if _is_address(address)][:ADDRESSES_PER_HOST_MAX]


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_unspecified
    except ValueError:
        return False


def _same(name: str, other: str) -> bool:
    return name.rstrip(".").lower() == other.rstrip(".").lower()
