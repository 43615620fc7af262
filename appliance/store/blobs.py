"""Message bytes by their SHA-256: stored once for all recipients, durable before any row names them.

Small blobs ride in the database (group commit makes them nearly free); larger ones are files, because
a large row is written twice, to the write-ahead log and to the database. `INLINE_BYTES_MAX` is where
the two cost the same; decision 0005 has the measurement.

A blob file is written beside its final name, flushed, renamed, and its directory flushed, before the
transaction that refers to it begins. A crash in between leaves a file nobody names; `collect` removes
such files a day later.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from appliance import db, offload
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Blob, Content, Item, QueueEntry
from appliance.errors import NotFound, TemporaryFailure
from appliance.items.message import BlobRef

INLINE_BYTES_MAX = 131_072
ORPHAN_AGE_S = 86_400

_root: Path | None = None


def configure(data_dir: Path) -> None:
    """Keep large blobs below `data_dir`/blobs; called by each process before its first blob."""
    global _root  # one data directory per process, like the database
    _root = data_dir / "blobs"
    (_root / "new").mkdir(parents=True, exist_ok=True)


def put(raw: bytes) -> BlobRef:
    """Make bytes durable or ready to be, and return their reference; call before the transaction.

    Bytes up to INLINE_BYTES_MAX travel in the reference and become durable with the row.
    Raises TemporaryFailure when the disk refuses.
    """
    digest = hashlib.sha256(raw).digest()
    if len(raw) <= INLINE_BYTES_MAX:
        return BlobRef(digest, len(raw), raw)
    try:
        offload.run(_write_file, digest, raw, pool="disk")
    except OSError as error:
        raise TemporaryFailure(f"the message could not be written: {error.strerror}") from error
    return BlobRef(digest, len(raw), None)


def link(blob: BlobRef) -> None:
    """Write the row that names the blob, unless it is there already. Needs a transaction."""
    Blob.insert(
        digest=blob.digest, size=blob.size, data=blob.data, created_at=SYSTEM_CLOCK.now()
    ).on_conflict_ignore().execute()


def read(digest: bytes) -> bytes:
    """Return the bytes of a blob; raises NotFound when no row names it or its file is gone."""
    row = Blob.select(Blob.data).where(Blob.digest == digest).tuples().first()
    if row is None:
        raise NotFound("no such blob")
    if row[0] is not None:
        return bytes(row[0])
    try:
        return _path(digest).read_bytes()
    except FileNotFoundError as error:
        raise NotFound("the blob's file is missing") from error


def unlink_unused(digests: set[bytes]) -> None:
    """Remove rows of blobs that nothing refers to any more. Needs a transaction.

    Their files follow at the next `collect`.
    """
    for digest in digests:
        used = (
            Item.select().where(Item.blob == digest).exists()
            or QueueEntry.select().where(QueueEntry.blob == digest).exists()
        )
        if not used:
            Content.delete().where(Content.digest == digest).execute()
            Blob.delete().where(Blob.digest == digest).execute()


def collect(older_than_s: float = ORPHAN_AGE_S) -> int:
    """Delete blob files that no row names and nobody touched lately; return how many.

    The lock keeps `put` from reusing a file between the check and the removal.
    """
    removed = 0
    limit = time.time() - older_than_s
    with _lock(fcntl.LOCK_EX):
        for path in _require_root().glob("*/*"):
            if path.parent.name != "new" and _is_named(bytes.fromhex(path.name)):
                continue
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < limit:
                    path.unlink()
                    removed += 1
    return removed


def _is_named(digest: bytes) -> bool:
    with db.connection():
        return bool(Blob.select().where(Blob.digest == digest).exists())


def _write_file(digest: bytes, raw: bytes) -> None:
    target = _path(digest)
    with _lock(fcntl.LOCK_SH):
        with suppress(FileNotFoundError):
            os.utime(target)  # tells `collect` that it is wanted again
            return
        with NamedTemporaryFile(dir=_require_root() / "new", delete=False) as file:
            try:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
                target.parent.mkdir(exist_ok=True)
                Path(file.name).rename(target)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        for directory in (target.parent, _require_root()):
            _sync_directory(directory)


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
