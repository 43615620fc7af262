"""Take turns between processes that write the same SQLite file.

SQLite's own waiting is sleep and retry: beside one busy process another got two writes a second. The
turnstile is two lock files: stand in line (`queue`), take the pen (`write`), leave the line. Whoever has
just written must stand in line again, so nobody is passed twice. The kernel drops both locks when a
process dies, however it dies.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType


class Turnstile:
    """A context manager: inside it no other process that uses the same folder writes.

    Entering blocks the native thread (in the kernel, without the GIL): never enter it on a hub. To be
    made after a fork, since a forked copy shares the lock instead of competing for it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._queue = _open(folder / "db-queue.lock")
        self._write = _open(folder / "db-write.lock")

    def __enter__(self) -> None:
        fcntl.flock(self._queue, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._write, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.flock(self._write, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the files; drops the locks unless a forked child still has them open."""
        os.close(self._queue)
        os.close(self._write)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
