"""What one input may cost: seconds of processor time, and address space of the whole process.

Owns the process's interval timer while an input runs. Time is the processor's, not the wall's, so that a busy
machine accuses nobody.
"""

import mmap
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY_BYTES_MAX = 3 * 1024**3


class TooSlow(BaseException):
    """An input took more processor time than its target allows. Not an Exception: nobody may catch it."""


def limit_memory(size_bytes: int = MEMORY_BYTES_MAX) -> None:
    """Let allocations beyond a size fail with MemoryError, for the rest of the process's life."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size_bytes, hard))


@contextmanager
def deadline(cpu_s: float) -> Iterator[None]:
    """Raise TooSlow when the block takes longer; inside C code only once that returns."""
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, cpu_s)
    try:
        yield
        taken = time.process_time() - began
        if taken > cpu_s:
            raise TooSlow(f"{taken:.1f} s of processor time")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


@contextmanager
def alarms() -> Iterator[None]:
    """Turn the timer's signal into TooSlow while the block runs; main thread only."""

    def ring(_signal: int, _frame: object) -> None:
        raise TooSlow("out of processor time")

    before = signal.signal(signal.SIGPROF, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


class LastInput:
    """Keeps the input under way in a file, for the case that it kills the interpreter; costs a memcpy."""

    def __init__(self, path: Path, bytes_max: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        with path.open("wb") as file:
            file.truncate(bytes_max + 8)
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)

    def remember(self, data: bytes) -> None:
        """Write down an input that is about to run."""
        self._map[:8] = len(data).to_bytes(8, "little")
        self._map[8 : 8 + len(data)] = data

    def close(self) -> None:
        """Forget it: nothing happened."""
        self._map.close()
        self.path.unlink(missing_ok=True)

    @staticmethod
    def left_in(path: Path) -> bytes | None:
        """Return the input a run that died has left behind, or None."""
        if not path.exists():
            return None
        octets = path.read_bytes()
        return octets[8 : 8 + int.from_bytes(octets[:8], "little")]
