"""DNS look-ups with a deadline and typed failures.

Owns the `Resolver` protocol, which is all that look-up users (relay, sender checks, DNS advice) know, and
`DnsResolver` behind it. Records come back as plain text, so nobody else needs the DNS library. Leaves the
meaning of records to their users.

The three failures are different facts: the name does not exist, it has no such record, we could not find
out. Only the first two may ever become a permanent answer to somebody.
"""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Protocol

import dns.exception
import dns.flags
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from appliance.errors import InvalidInput

CACHE_ANSWERS_MAX = 5_000


class LookupFailure(Exception):
    """Base of the three ways to find nothing; the message names what was asked."""


class NameNotFound(LookupFailure):
    """The name does not exist (NXDOMAIN), or is no name that could."""


class NoRecords(LookupFailure):
    """The name exists but has no record of this type (NODATA)."""


class LookupUnavailable(LookupFailure):
    """No usable answer in time (time-out, SERVFAIL, no server): ask again later."""


class Resolver(Protocol):
    """Answers questions about names."""

    def resolve(self, name: str, record_type: str) -> tuple[str, ...]:
        """Return the records as text, in no particular order; never an empty tuple.

        MX: `10 mx.example.com`; names without the final dot, except the root itself: `.`.
        TXT: the strings of a record joined. Raises NameNotFound, NoRecords, LookupUnavailable. Blocks.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """Records, and whether DNSSEC vouches for them."""

    records: tuple[str, ...]
    is_authentic: bool


class AuthenticResolver(Resolver, Protocol):
    """Also says whether an answer is authentic."""

    def lookup(self, name: str, record_type: str) -> Answer:
        """Return the records as `resolve` does, with what is known of them. Raises what it raises."""
        ...


class DnsResolver:
    """Asks the configured server, or the system's, and keeps answers for as long as they say."""

    def __init__(self, nameserver: str = "", port: int = 53, lifetime_s: float = 5.0) -> None:
        """nameserver: an IP address; "" takes the system's. lifetime_s: for a look-up with its retries.

        Answers count as authentic only from a nameserver named here that is on this machine: anybody on
        the way to another could set the bit that says so (RFC 7672 2.2, RFC 6840 5.8).
        """
        try:
            self._resolver = dns.resolver.Resolver(configure=not nameserver)
        except dns.resolver.NoResolverConfiguration as error:
            raise InvalidInput("the system has no DNS resolver; name one in [dns] resolver") from error
        if nameserver:
            self._resolver.nameservers = [nameserver]
        self._resolver.port = port
        self._resolver.lifetime = lifetime_s
        self._resolver.timeout = min(2.0, lifetime_s)
        self._is_trusted = bool(nameserver) and ip_address(nameserver).is_loopback
        if self._is_trusted:
            self._resolver.use_edns(0, dns.flags.DO, 1232)
            self._resolver.flags = dns.flags.RD | dns.flags.AD
        self._resolver.cache = dns.resolver.LRUCache(CACHE_ANSWERS_MAX)

    def resolve(self, name: str, record_type: str) -> tuple[str, ...]:
        """Return the records as text. See `Resolver`."""
        return self.lookup(name, record_type).records

    def lookup(self, name: str, record_type: str) -> Answer:
        """Return the records and whether they are authentic. See `AuthenticResolver`."""
        question = f"{name} {record_type}"
        try:
            absolute = dns.name.from_text(name)
            answer = self._resolver.resolve(absolute, record_type, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.YXDOMAIN) as error:
            raise NameNotFound(f"{question}: no such name") from error
        except dns.resolver.NoAnswer as error:
            raise NoRecords(f"{question}: no such record") from error
        except dns.resolver.NoNameservers as error:
            raise LookupUnavailable(f"{question}: no server gave an answer") from error
        except dns.exception.Timeout as error:
            raise LookupUnavailable(f"{question}: time-out") from error
        except (dns.exception.DNSException, UnicodeError) as error:
            raise NameNotFound(f"{question}: not a domain name") from error
        except OSError as error:
            raise LookupUnavailable(f"{question}: {error}") from error
        is_authentic = self._is_trusted and bool(answer.response.flags & dns.flags.AD)
        return Answer(tuple(_text(record) for record in answer), is_authentic)


def _text(record: object) -> str:
    if isinstance(record, MX):
        return f"{record.preference} {_name(str(record.exchange))}"
    if isinstance(record, TXT):
        return b"".join(record.strings).decode("utf-8", "surrogateescape")
    return _name(str(record))


def _name(text: str) -> str:
    return text if text == "." else text.removesuffix(".")
