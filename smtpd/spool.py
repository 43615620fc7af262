"""Where a message lies while it comes in: memory first, then an unnamed file, and a ceiling over all.

Owns the octets between 354 and the final dot. Leaves durability to whoever accepts the message: what is
here is gone with the process, and nobody was promised anything yet.
"""

import tempfile
from io import FileIO
from pathlib import Path

MEMORY_BYTES_MAX = 1_048_576


class NoSpace(Exception):
    """All connections together hold as much as they may; try again later."""


class SpoolBudget:
    """The octets in flight over all connections of the process."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes_used = 0

    def has_room(self, size_bytes: int) -> bool:
        """Say whether a message of this size could be taken now."""
        return self.bytes_used + size_bytes <= self.bytes_max

    def take(self, size_bytes: int) -> None:
        """Reserve; raises NoSpace."""
        if not self.has_room(size_bytes):
            raise NoSpace
        self.bytes_used += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Return what was reserved."""
        self.bytes_used -= size_bytes


class Spool:
    """One message on its way in; close it whatever happens."""

    def __init__(self, budget: SpoolBudget, directory: Path | None = None) -> None:
        """directory: for the unnamed file of a large message; None is the system's."""
        self.size_bytes = 0
        self._budget = budget
        self._directory = directory
        self._memory = bytearray()
        self._file: FileIO | None = None

    def write(self, data: bytes) -> None:
        """Add octets. Raises NoSpace, OSError (disk full)."""
        self._budget.take(len(data))
        self.size_bytes += len(data)
        if self._file is None and self.size_bytes > MEMORY_BYTES_MAX:
            # Unbuffered, so that a full disk is met here and not in read() or close().
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115
            _write_all(self._file, self._memory)
            self._memory = bytearray()
        if self._file is None:
            self._memory += data
        else:
            _write_all(self._file, data)

    def read(self) -> bytes:
        """Return the whole message. Raises OSError."""
        if self._file is None:
            return bytes(self._memory)
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Let go of memory, file and share of the budget; closing twice is harmless."""
        self._budget.give_back(self.size_bytes)
        self.size_bytes = 0
        self._memory = bytearray()
        if self._file is not None:
            self._file.close()
            self._file = None


def _write_all(file: FileIO, data: bytes | bytearray) -> None:
    """Write all of it: a disk that fills up takes the first part and refuses the next."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
