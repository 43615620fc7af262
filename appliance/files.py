"""Small files that are replaced whole and survive a crash: keys, certificates, the instance's id.

Owns the dance of writing beside, flushing, renaming and flushing the directory. Large message files
are `store.blobs`, log lines are `logs`.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile


def replace(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Make `path` hold exactly data; a reader sees the old or the new bytes, durable on return.

    mode: the file's permissions, in force before the first byte is written. Raises OSError.
    """
    beside = _write_beside(path, data, mode)
    try:
        beside.rename(path)
    finally:
        beside.unlink(missing_ok=True)
    _sync_directory(path.parent)


def create_once(path: Path, data: bytes, *, mode: int = 0o600) -> bytes:
    """Return what `path` holds, after putting data there if it did not exist.

    Several processes may call this at once: all of them get the bytes of the one that was first.
    """
    with suppress(FileNotFoundError):
        return path.read_bytes()
    beside = _write_beside(path, data, mode)
    try:
        with suppress(FileExistsError):
            os.link(beside, path)
    finally:
        beside.unlink()
    _sync_directory(path.parent)
    return path.read_bytes()


def private_directory(path: Path) -> Path:
    """Return the directory after making it, readable by the owner only."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _write_beside(path: Path, data: bytes, mode: int) -> Path:
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        beside = Path(file.name)
        try:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    return beside


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
