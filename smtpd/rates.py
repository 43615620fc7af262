"""How much one network may do in a while: a bucket that fills again evenly, one for each kind of thing.

Kept in memory: a restart forgives. What does not fit is forgotten oldest first, which forgives, too.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network

BUCKETS_MAX = 50_000


@dataclass(frozen=True)
class Allowance:
    """So many in a period, and as many at once."""

    count: int
    period_s: float


class Rates:
    """The buckets of all networks."""

    def __init__(
        self, allowances: dict[str, Allowance], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """allowances: by kind."""
        self._allowances = allowances
        self._monotonic = monotonic
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, kind: str, network: str) -> bool:
        """Count one; returns whether it was still within the allowance."""
        allowance, now = self._allowances[kind], self._monotonic()
        left = self._left(kind, network, now)
        is_within = left >= 1
        self._buckets[kind, network] = (left - 1 if is_within else left, now)
        self._buckets.move_to_end((kind, network))
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        return is_within and allowance.count > 0

    def is_spent(self, kind: str, network: str) -> bool:
        """Say whether nothing is left, without counting."""
        return self._left(kind, network, self._monotonic()) < 1

    def _left(self, kind: str, network: str, now: float) -> float:
        allowance = self._allowances[kind]
        left, since = self._buckets.get((kind, network), (float(allowance.count), now))
        return min(allowance.count, left + (now - since) * allowance.count / allowance.period_s)


def network_of(ip: str) -> str:
    """Return the network that counts as one sender: /24 of IPv4, /64 of IPv6."""
    return str(ip_network((ip, 64 if ":" in ip else 24), strict=False))
