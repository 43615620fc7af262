"""Where time comes from: everything that needs "now" is handed a Clock, so that tests own time."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """A source of wall-clock and monotonic time."""

    def now(self) -> datetime:
        """Return the current moment as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never jumps; only differences mean anything."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


SYSTEM_CLOCK = SystemClock()
