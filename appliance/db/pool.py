"""A bounded pool of raw connections behind a first-come, first-served gate.

Owns who may hold a connection and for how long one waits. Leaves to the two databases how a connection
is made and what makes it unfit. peewee's own pools connect while holding the pool's lock and do not
serve waiters in order; here nothing is locked while connecting.
"""

from collections import deque
from typing import Any, Final, Protocol

from appliance import metrics
from appliance.db.gate import FifoGate
from appliance.errors import TemporaryFailure

WAIT_S: Final = 10.0
"""How long a caller waits for a connection. Longer only piles up requests whose clients have given up."""

HELD = metrics.gauge("appliance_db_held_connections", "Read connections in use at this moment.")


class Maker(Protocol):
    """How connections of one kind are made and judged; only `make` raises."""

    def make(self) -> Any:
        """Open a connection; may wait for the network."""

    def is_fit(self, connection: Any, /) -> bool:
        """Tell whether a pooled connection still works; must not cost a round trip."""

    def clean(self, connection: Any) -> bool:
        """Bring a returned connection back to its initial state; False when that cannot be done."""

    def dispose(self, connection: Any) -> None:
        """Close a connection."""


class Pool:
    """Idle connections are reused last in, first out: few stay warm, the others age and cost nothing."""

    def __init__(self, maker: Maker, size: int, wait_s: float = WAIT_S) -> None:
        self._maker = maker
        self._gate = FifoGate(size)
        self._size = size
        self._wait_s = wait_s
        self._idle: deque[Any] = deque()
        self._is_closed = False
        self.held = 0

    def take(self) -> Any:
        """Return a connection for the caller alone; raises TemporaryFailure when none comes free."""
        if not self._gate.enter(self._wait_s):
            raise TemporaryFailure(f"no database connection came free within {self._wait_s:g} s")
        try:
            connection = self._fit_or_new()
        except BaseException:
            self._gate.leave()
            raise
        self._count(+1)
        return connection

    def give_back(self, connection: Any) -> None:
        """Take back a connection in any state."""
        if not self._is_closed and self._maker.clean(connection):
            self._idle.append(connection)
        else:
            self._maker.dispose(connection)
        self._count(-1)
        self._gate.leave()

    def prewarm(self, count: int) -> None:
        """Open connections ahead of the first requests."""
        warm = [self.take() for _ in range(min(count, self._size))]
        for connection in warm:
            self.give_back(connection)

    def close(self) -> None:
        """Close what is idle now and the rest when it comes back."""
        self._is_closed = True
        while self._idle:
            self._maker.dispose(self._idle.pop())

    def _fit_or_new(self) -> Any:
        while self._idle:
            connection = self._idle.pop()
            if self._maker.is_fit(connection):
                return connection
            self._maker.dispose(connection)
        return self._maker.make()

    def _count(self, change: int) -> None:
        self.held += change
        HELD.inc(change)
