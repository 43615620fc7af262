"""The files that processes share their counts through, safe against a full disk.

The client library maps files with holes into memory. Where the disk has no room for the page that is touched
next the kernel kills the process (SIGBUS), so here the room is taken before it is mapped, and a process
that gets none counts in its own memory: its counts are missing on the page until it starts anew.
"""

import errno
import mmap
import os
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from prometheus_client import mmap_dict

FILE_BYTES: Final = 65_536  # a process has one for each kind of metric; doubled when full
ENTRY_BYTES: Final = 40  # a value's length, padding and two doubles, beside its key
NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_MmapedDict: Any = mmap_dict.MmapedDict  # carries no annotations


class SharedCounts(_MmapedDict):  # type: ignore[misc]
    """The library's dictionary on a file whose room is taken."""

    _f: IO[bytes]
    _m: mmap.mmap

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        super().__init__(filename if read_mode or _has_room(filename) else _in_memory(), read_mode)

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + ENTRY_BYTES > self._capacity:
            try:
                _take(self._f.fileno(), 2 * self._capacity)
            except OSError:
                self._move_into_memory()
        super()._init_value(key)

    def _move_into_memory(self) -> None:
        file = Path(_in_memory()).open("a+b")  # noqa: SIM115 - closed with the dictionary
        file.truncate(self._capacity)
        mapped = mmap.mmap(file.fileno(), self._capacity)
        mapped[: self._used] = self._m[: self._used]
        self._f.close()
        self._f, self._m = file, mapped


def _has_room(filename: str) -> bool:
    """Make the file, or say that the disk has no room for it and leave none behind."""
    try:
        with Path(filename).open("ab") as file:
            _take(file.fileno(), FILE_BYTES)
    except OSError:
        with suppress(OSError):
            Path(filename).unlink()
        return False
    return True


def _take(descriptor: int, size_bytes: int) -> None:
    """Take room; raises OSError when the file system has none, one that cannot promise is trusted."""
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError as error:
        if error.errno in NO_ROOM:
            raise


def _in_memory() -> str:
    """Return the path of a file that is nowhere else; its descriptor stays open with the process."""
    return f"/proc/self/fd/{os.memfd_create('metrics')}"
