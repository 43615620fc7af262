"""Which runners of this machine are alive: what a dead one held is free at once, not when its lease ends.

A runner holds a lock on a file of its own for as long as its process lives; the kernel lets go of it
however that ends. A lease names the file (`entries.claim`). Of holders on other machines there is no file
here: their leases end by time.
"""

import fcntl
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import IO

from appliance.queue import entries

_FOLDER = "runners"


class Holder:
    """This process's name as a holder of leases; close it at the end."""

    def __init__(self, run_dir: Path) -> None:
        self._folder = run_dir / _FOLDER
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.name = secrets.token_hex(8)
        # Locked before it has its name, so that nobody finds it unlocked.
        beside = self._folder / f".{self.name}"
        self._file: IO[bytes] = beside.open("xb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        beside.rename(self._folder / self.name)

    def close(self) -> None:
        """Stop being one."""
        (self._folder / self.name).unlink(missing_ok=True)
        self._file.close()

    def free_dead(self, before: Callable[[], object]) -> int:
        """Free what dead runners of this machine held; returns how many entries that were.

        before: called before anything of a dead one is freed.
        """
        names = [entry.name for entry in os.scandir(self._folder) if not entry.name.startswith(".")]
        return sum(self._free_if_dead(name, before) for name in sorted(names) if name != self.name)

    def _free_if_dead(self, name: str, before: Callable[[], object]) -> int:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                before()
                freed = entries.free(name)
                path.unlink(missing_ok=True)
                return freed
        except (BlockingIOError, FileNotFoundError):
            return 0
