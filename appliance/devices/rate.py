"""How often a device may ask: a token bucket each, in the memory of one process.

Generous, because phones ask in bursts; it is for the one that has lost its mind, not for justice. Every
process counts for itself, so several workers allow that much more.
"""

import math
from collections import OrderedDict
from collections.abc import Callable

from appliance.metrics import counter

THROTTLED = counter("appliance_device_throttled_total", "Requests refused because a device asks too often.")
DEVICES_MAX = 20_000  # the longest unheard of is forgotten: its bucket was full anyway


class Rate:
    """Buckets of `burst` requests that fill with `per_minute`; 0 a minute: no limit."""

    def __init__(self, per_minute: int, burst: int, monotonic: Callable[[], float]) -> None:
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._monotonic = monotonic
        self._buckets: OrderedDict[int, tuple[float, float]] = OrderedDict()  # device → (tokens, at)

    def wait_s(self, device: int) -> int:
        """Count a request; return 0, or after how many seconds the device may try again."""
        if not self._per_second:
            return 0
        now = self._monotonic()
        tokens, at = self._buckets.pop(device, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        is_free = tokens >= 1
        self._buckets[device] = (tokens - is_free, now)
        if len(self._buckets) > DEVICES_MAX:
            self._buckets.popitem(last=False)
        if is_free:
            return 0
        THROTTLED.inc()
        return math.ceil((1 - tokens) / self._per_second)
