"""Message bytes by their SHA-256: stored once for all recipients, durable before any row names them.

Small blobs ride in the database (group commit makes them nearly free); larger ones are files, because
a large row is written twice, to the write-ahead log and to the database, while others wait.

A blob file is written beside its final name, flushed, renamed, and its directory flushed, before the
transaction that refers to it begins. A crash in between leaves a file nobody names; `collect` removes
such files a day later.

Rows that refer to a blob come and go in concurrent transactions on PostgreSQL. `link` locks the blob's
row against removal until its transaction has written who refers to it; `unlink_unused` locks it against
`link` before it looks whether anybody does.
"""

import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import batched
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import peewee

from appliance import db, offload
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Blob, Content, DeletedItem, Item, QueueEntry, to_microseconds
from appliance.errors import DiskFull, NotFound, TemporaryFailure
from appliance.items.message import BlobRef
from appliance.store.statement import Statement

INLINE_BYTES_MAX = 131_072
"""Up to here a row is 2.5 to 10 times as fast as a file and keeps nobody else waiting (decision 0005)."""

ORPHAN_AGE_S = 86_400
AT_ONCE = 500  # digests in one query, files removed under one lock
LINK_ATTEMPTS = 5
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

REFERRERS: tuple[Any, ...] = (Item, QueueEntry, DeletedItem)
"""Tables whose column `blob` keeps a blob from being removed."""

_NEW = "new"  # the folder of files that are still being written
_NAME = re.compile(r"[0-9a-f]{64}")
_INSERT = Statement(
    "INSERT INTO blob (digest, size, data, created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_KEEP = Statement("SELECT 1 FROM blob WHERE digest = ? FOR KEY SHARE")
_LOCK = Statement("SELECT 1 FROM blob WHERE digest = ? FOR UPDATE")
_DATA = Statement("SELECT data FROM blob WHERE digest = ?")
_IS_USED = Statement(
    " UNION ALL ".join(f"SELECT 1 FROM {table._meta.table_name} WHERE digest = ?" for table in REFERRERS)
    + " LIMIT 1"
)
_DELETE_CONTENT = Statement("DELETE FROM content WHERE digest = ?")
_DELETE = Statement("DELETE FROM blob WHERE digest = ?")

_root: Path | None = None
_flushed: set[Path] = set()
"""Folders whose own names this process has made durable."""


def configure(data_dir: Path) -> None:
    """Keep large blobs below `data_dir`/blobs; called by each process before its first blob."""
    global _root  # one data directory per process, like the database
    _root = data_dir / "blobs"
    (_root / _NEW).mkdir(mode=0o700, parents=True, exist_ok=True)
    _root.chmod(0o700)
    _flushed.clear()
    _sync_directory(data_dir)


def put(raw: bytes) -> BlobRef:
    """Make bytes durable or ready to be, and return their reference; call before the transaction.

    Bytes up to INLINE_BYTES_MAX travel in the reference and become durable with the row.
    Raises TemporaryFailure when the disk refuses, DiskFull when it is for want of room.
    """
    if len(raw) <= INLINE_BYTES_MAX:
        return BlobRef(hashlib.sha256(raw).digest(), len(raw), raw)
    try:
        digest = offload.run(_write_file, raw, pool="disk")
    except OSError as error:
        kind = DiskFull if error.errno in NO_ROOM else TemporaryFailure
        raise kind(f"the message could not be written: {error.strerror}") from error
    return BlobRef(digest, len(raw), None)


def link(blob: BlobRef) -> None:
    """Write the row that names the blob, unless it is there already. Needs a transaction.

    Until the transaction ends nobody can remove the row. Raises TemporaryFailure.
    """
    if blob.data is None and not _path(blob.digest).exists():
        raise TemporaryFailure("the message's file is gone")  # never promise what is not there
    for _ in range(LINK_ATTEMPTS):
        if _INSERT.run(blob.digest, blob.size, blob.data, to_microseconds(SYSTEM_CLOCK.now())):
            return
        if db.is_sqlite() or _KEEP.rows(blob.digest):
            return
        # It was removed between the two statements.
    raise TemporaryFailure("the message's row comes and goes")


def read(digest: bytes) -> bytes:
    """Return the bytes of a blob; raises NotFound when no row names it or its file is gone."""
    rows = _DATA.rows(digest)
    if not rows:
        raise NotFound("no such blob")
    if rows[0][0] is not None:
        return bytes(rows[0][0])
    try:
        return offload.run(_path(digest).read_bytes, pool="read")
    except FileNotFoundError as error:
        raise NotFound("the blob's file is missing") from error


def pieces(digest: bytes, size: int = 65_536) -> Iterator[bytes]:
    """Yield the bytes of a blob, `size` at a time, so that a large one is never in memory as a whole.

    Takes and gives back its own connection before the first piece. Raises NotFound.
    """
    with db.connection():
        rows = _DATA.rows(digest)
    if not rows:
        raise NotFound("no such blob")
    if rows[0][0] is not None:
        content = bytes(rows[0][0])
        yield from (content[start : start + size] for start in range(0, len(content), size))
        return
    try:
        file = _path(digest).open("rb", buffering=0)
    except FileNotFoundError as error:
        raise NotFound("the blob's file is missing") from error
    with file:
        while piece := offload.run(file.read, size, pool="read"):
            yield piece


def unlink_unused(digests: Iterable[bytes]) -> None:
    """Remove rows of blobs that nothing refers to any more. Needs a transaction.

    Their files follow at the next `collect`.
    """
    distinct = sorted(set(digests))
    if len(distinct) == 1:
        _unlink_one_unused(distinct[0])
        return
    for some in batched(distinct, AT_ONCE):  # sorted: two removals never wait for each other
        if not db.is_sqlite():
            is_one = Blob.digest.in_(some)
            list(db.for_update(Blob.select(Blob.digest).where(is_one).order_by(Blob.digest)).tuples())
        gone = _unused(some)
        if gone:
            Content.delete().where(Content.digest.in_(gone)).execute()
            Blob.delete().where(Blob.digest.in_(gone)).execute()


def _unlink_one_unused(digest: bytes) -> None:
    """Do the same for one, which is what happens with every message."""
    if not db.is_sqlite():
        _LOCK.rows(digest)
    if not _IS_USED.rows(*[digest] * len(REFERRERS)):
        _DELETE_CONTENT.run(digest)
        _DELETE.run(digest)


def unlink_steps() -> Iterator[int]:
    """Look at every blob, some at a time, and remove those nothing refers to; yields how many each time.

    Whoever removes the last reference removes the row: there is something to do only after a fault.
    """
    last = b""
    while page := _page_after(last):
        last = page[-1]
        with db.connection():
            unused = _unused(page)
        if unused:
            _unlink(unused)
        yield len(unused)


def collect(older_than_s: float = ORPHAN_AGE_S) -> int:
    """Delete blob files that no row names and nobody touched lately; return how many."""
    return sum(collect_steps(older_than_s))


def collect_steps(older_than_s: float = ORPHAN_AGE_S) -> Iterator[int]:
    """Do what `collect` does folder by folder; yields how many files went each time.

    Files are told by their names and age; anything else that lies in the folders stays.
    """
    limit = time.time() - older_than_s
    for folder in sorted(_require_root().iterdir()):
        if folder.name != _NEW and not (folder.is_dir() and len(folder.name) == 2):
            continue
        for some in batched(offload.run(_old_files, folder, limit, pool="disk"), AT_ONCE):
            named = set() if folder.name == _NEW else _named(some)
            unnamed = [folder / name for name in some if name not in named]
            yield offload.run(_remove_old, unnamed, limit, pool="disk")


# --- rows -----------------------------------------------------------------------------------------


def _unused(digests: Sequence[bytes]) -> list[bytes]:
    """Return those of the blobs with rows that no row of another table refers to."""
    query = Blob.select(Blob.digest).where(Blob.digest.in_(digests))
    for table in REFERRERS:
        query = query.where(~peewee.fn.EXISTS(table.select().where(table.blob == Blob.digest)))
    return [bytes(row[0]) for row in query.tuples()]


@db.transaction
def _unlink(digests: Sequence[bytes]) -> None:
    unlink_unused(digests)


def _page_after(last: bytes) -> list[bytes]:
    query = Blob.select(Blob.digest).where(Blob.digest > last).order_by(Blob.digest).limit(AT_ONCE)
    with db.connection():
        return [bytes(row[0]) for row in query.tuples()]


def _named(names: Sequence[str]) -> set[str]:
    """Return those of the file names that a row relies on."""
    digests = [bytes.fromhex(name) for name in names]
    with db.connection():
        rows = Blob.select(Blob.digest).where(Blob.digest.in_(digests) & Blob.data.is_null())
        return {bytes(row[0]).hex() for row in rows.tuples()}


# --- files ----------------------------------------------------------------------------------------


def _write_file(raw: bytes) -> bytes:
    """Store bytes as a file and return their digest; durable on return. Raises OSError."""
    digest = hashlib.sha256(raw).digest()
    target = _path(digest)
    _make_folder(target.parent)
    # While the lock is held `collect` cannot remove the file between our looking and our touching it.
    with _lock(fcntl.LOCK_SH):
        if not _is_there(target, len(raw)):
            _write_beside(raw, target)
    # Also when the file was there: who wrote it may not have come to this yet, or may have died before.
    _sync_directory(target.parent)
    return digest


def _make_folder(folder: Path) -> None:
    """Make a folder whose name is durable, whoever made it first; once for each process."""
    if folder not in _flushed:
        folder.mkdir(mode=0o700, exist_ok=True)
        _sync_directory(folder.parent)
        _flushed.add(folder)


def _is_there(target: Path, size: int) -> bool:
    """Tell whether a file has been stored before, and make it young again for `collect`."""
    try:
        os.utime(target)
        return target.stat().st_size == size
    except FileNotFoundError:
        return False


def _write_beside(raw: bytes, target: Path) -> None:
    with NamedTemporaryFile(dir=_require_root() / _NEW, delete=False) as file:
        beside = Path(file.name)
        try:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
            beside.rename(target)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise


def _old_files(folder: Path, limit: float) -> list[str]:
    """Return the names of our files in a folder that were touched last before `limit`."""
    names = []
    with os.scandir(folder) as found:
        for entry in found:
            if folder.name != _NEW and not _NAME.fullmatch(entry.name):
                continue
            with suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False) and entry.stat().st_mtime < limit:
                    names.append(entry.name)
    return names


def _remove_old(paths: Sequence[Path], limit: float) -> int:
    """Remove files unless they were touched meanwhile; return how many."""
    removed = 0
    with _lock(fcntl.LOCK_EX):
        for path in paths:
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()
                    removed += 1
    return removed


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _lock(mode: int) -> Iterator[None]:
    with (_require_root() / "lock").open("a") as file:
        fcntl.flock(file, mode)
        yield


def _path(digest: bytes) -> Path:
    name = digest.hex()
    return _require_root() / name[:2] / name


def _require_root() -> Path:
    assert _root is not None, "blobs.configure() was not called in this process"
    return _root
