"""A first-come, first-served gate in front of a scarce thing.

Ordinary semaphores let a newcomer pass while a waiter is being woken, so that under load some wait
for seconds. Here the one who leaves hands the place over to the longest waiter.
"""

from collections import deque

from appliance.db.waiting import Signal, native_rlock


class FifoGate:
    """At most `places` inside; usable from greenlets and threads alike."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: deque[Signal] = deque()
        # Held for a few instructions, never while waiting. Reentrant, because the garbage collector may
        # finish a forgotten greenlet, which then leaves, in the middle of them.
        self._mutex = native_rlock()

    def enter(self, timeout_s: float) -> bool:
        """Wait for a place; False when none came free in time."""
        signal = self._stand_in_line()
        if signal is None:
            return True
        try:
            came = signal.wait(timeout_s)
        except BaseException:  # a killed greenlet must not take its place in the queue, or a place, along
            if not self._withdraw(signal):
                self.leave()
            raise
        return came or not self._withdraw(signal)

    def leave(self) -> None:
        """Give the place to the one who has waited longest."""
        with self._mutex:
            if not self._waiting:
                self._free += 1
                return
            signal = self._waiting.popleft()
        signal.set()

    def _stand_in_line(self) -> Signal | None:
        """Return what to wait for, or None when there was a free place."""
        with self._mutex:
            if self._free:
                self._free -= 1
                return None
            signal = Signal()
            self._waiting.append(signal)
            return signal

    def _withdraw(self, signal: Signal) -> bool:
        """Leave the queue; False when a place was handed over in the meantime."""
        with self._mutex:
            try:
                self._waiting.remove(signal)
            except ValueError:
                return False
            return True
