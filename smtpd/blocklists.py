# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""DNS block lists: which of them name a client, and which cannot be used.

A list answers with an address in 127.0.0.0/8 for a client it names. 127.255.255.0/24 says that the list
does not answer us (too many questions, a public resolver): never a listing, or a refusal of all mail.
Every list is tried once with the address that each must name (127.0.0.2) and the one none may (127.0.0.1).

Source: RFC 5782 2.1 (IPv4), 2.4 (IPv6), 5 (test entries).
"""

import logging
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv4Network, ip_address

import gevent

from appliance import logs
from appliance.mailauth.lookups import Lookup, LookupFailed
from smtpd import counters

TEST_LISTED, TEST_NOT_LISTED = "127.0.0.2", "127.0.0.1"
TEST_AGAIN_S = 3_600.0
LISTINGS = IPv4Network("127.0.0.0/16")
UNUSABLE = IPv4Network("127.255.255.0/24")
ASK_S = 5.0

logger = logging.getLogger("appliance.smtp")


class ListUnusable(Exception):
    """The list gave an answer that is none."""


class Blocklists:
    """The configured lists."""

    def __init__(
        self, zones: Sequence[str], lookup: Lookup, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._zones = tuple(zones)
        self._lookup = lookup
        self._monotonic = monotonic
        self._tested_at: float | None = None
        self._usable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self._zones)

    def listings(self, ip: str) -> tuple[str, ...]:
        """Return the lists that name a client, in the configured order; raises nothing. Blocks."""
        if not self._zones:
            return ()
        self._test_when_due()
        asked = [(zone, gevent.spawn(self._is_listed, zone, ip)) for zone in self._usable]
        gevent.joinall([task for _, task in asked], timeout=ASK_S)
        gevent.killall([task for _, task in asked], block=False)
        return tuple(zone for zone, task in asked if task.successful() and task.value is True)

    def test(self) -> tuple[str, ...]:
        """Try every list and return those that work; the others are logged and not asked for an hour."""
        usable = [zone for zone in self._zones if self._works(zone)]
        self._usable, self._tested_at = tuple(usable), self._monotonic()
        return self._usable

    def _test_when_due(self) -> None:
        if self._tested_at is None or self._monotonic() - self._tested_at > TEST_AGAIN_S:
            self.test()

    def _works(self, zone: str) -> bool:
        try:
            works = self._ask(zone, TEST_LISTED) and not self._ask(zone, TEST_NOT_LISTED)
            reason = "test entries are wrong"
        except (ListUnusable, LookupFailed) as error:
            works, reason = False, str(error)
        if not works:
            self._count(zone, "unusable", reason)
        return works

    def _is_listed(self, zone: str, ip: str) -> bool:
        try:
            is_listed = self._ask(zone, ip)
        except LookupFailed:
            counters.BLOCKLISTS.labels(zone, "no_answer").inc()
            return False
        except ListUnusable as error:
            self._count(zone, "unusable", str(error))
            return False
        counters.BLOCKLISTS.labels(zone, "listed" if is_listed else "not_listed").inc()
        return is_listed

    def _ask(self, zone: str, ip: str) -> bool:
        """Say whether the list names the address. Raises ListUnusable, LookupFailed."""
        answers = [IPv4Address(text) for text in self._lookup(f"{_reversed(ip)}.{zone}", "A")]
        if any(answer in UNUSABLE for answer in answers):
            raise ListUnusable("the list refuses to answer us")
        if any(answer not in LISTINGS for answer in answers):
            raise ListUnusable("the answer is no listing")  # a domain that was sold, a helpful resolver
        return bool(answers)

    def _count(self, zone: str, outcome: str, reason: str) -> None:
        counters.BLOCKLISTS.labels(zone, outcome).inc()
        logs.event(logger, "blocklist_unusable", level=logging.WARNING, zone=zone, reason=reason)


def _reversed(ip: str) -> str:
    """Return the labels that stand for an address. Source: RFC 5782 2.1, 2.4."""
    pointer = ip_address(ip).reverse_pointer
    return pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")
