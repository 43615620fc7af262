"""Bytes by their digest: where they lie, when they go, and what a failing disk leaves behind."""

import errno
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance import db
from appliance.db.tables import Blob
from appliance.errors import DiskFull, NotFound, TemporaryFailure
from appliance.items.account import Account
from appliance.items.message import BlobRef
from appliance.store import blobs, messages
from tests.fixtures.database import Place
from tests.unit.store.mailbox import blob_count, file, mail, raw_of

LARGE = 300_000
DAY_S = 86_400


def files(place: Place) -> list[Path]:
    return [path for path in (place.data_dir / "blobs").rglob("*") if path.is_file() and path.name != "lock"]


def age(path: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(path, (then, then))


def large(fill: bytes = b"x") -> bytes:
    return mail() + fill * LARGE


@db.transaction
def forget(digest: bytes) -> None:
    """Remove a row as if nobody had ever referred to it."""
    Blob.delete().where(Blob.digest == digest).execute()


def test_small_ones_travel_in_the_reference(store: Place) -> None:
    raw = bytes(blobs.INLINE_BYTES_MAX)
    reference = blobs.put(raw)
    assert reference == BlobRef(hashlib.sha256(raw).digest(), len(raw), raw)
    assert files(store) == []


def test_large_ones_become_a_file_that_only_we_read(store: Place, anna: Account) -> None:
    raw = large()
    item_id = file(anna.id, raw=raw)
    (path,) = files(store)
    assert path.read_bytes() == raw
    assert path.stat().st_mode & 0o077 == path.parent.stat().st_mode & 0o077 == 0
    assert raw_of(anna.id, item_id) == raw


def test_the_same_bytes_are_one_file(store: Place, anna: Account, ben: Account) -> None:
    raw = large()
    first, second = file(anna.id, raw=raw), file(ben.id, raw=raw)
    messages.delete(anna.id, first)
    assert raw_of(ben.id, second) == raw
    messages.delete(ben.id, second)
    assert len(files(store)) == 1
    assert blob_count() == 0
    age(files(store)[0], 2 * DAY_S)
    assert blobs.collect() == 1
    assert files(store) == []


def test_a_file_left_by_a_deleted_message_serves_the_next(store: Place, anna: Account) -> None:
    raw = large()
    messages.delete(anna.id, file(anna.id, raw=raw))
    age(files(store)[0], 2 * DAY_S)
    item_id = file(anna.id, raw=raw)
    assert blobs.collect() == 0  # it was touched, and is named again
    assert raw_of(anna.id, item_id) == raw


def test_young_files_are_left_alone(store: Place) -> None:
    blobs.put(large())
    assert blobs.collect() == 0
    assert len(files(store)) == 1
    age(files(store)[0], DAY_S - 60)
    assert blobs.collect() == 0
    assert blobs.collect(older_than_s=60) == 1


def test_named_files_are_never_collected(store: Place, anna: Account) -> None:
    item_id = file(anna.id, raw=large())
    for path in files(store):
        age(path, 1000 * DAY_S)
    assert blobs.collect() == 0
    assert raw_of(anna.id, item_id)


def test_collecting_leaves_what_it_does_not_know(store: Place) -> None:
    foreign = [store.data_dir / "blobs" / name for name in ("ab/notes.txt", "ab/.nfs0001", "README")]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("not ours")
        age(path, 9 * DAY_S)
    (store.data_dir / "blobs" / "lost+found").mkdir()
    half = store.data_dir / "blobs" / "new" / "tmpabcdef"
    half.write_text("half a mess")
    age(half, 9 * DAY_S)
    assert blobs.collect() == 1
    assert all(path.exists() for path in foreign)
    assert not half.exists()


def test_a_file_is_collected_when_the_row_holds_the_bytes(
    store: Place, anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = mail(size=5_000)
    item_id = file(anna.id, raw=raw)
    monkeypatch.setattr(blobs, "INLINE_BYTES_MAX", 1_000)  # the border of another release
    again = file(anna.id, raw=raw)
    age(files(store)[0], 2 * DAY_S)
    assert blobs.collect() == 1
    assert raw_of(anna.id, item_id) == raw_of(anna.id, again) == raw


def test_the_row_says_where_the_bytes_are(
    store: Place, anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = mail(size=5_000)
    monkeypatch.setattr(blobs, "INLINE_BYTES_MAX", 1_000)
    item_id = file(anna.id, raw=raw)
    monkeypatch.setattr(blobs, "INLINE_BYTES_MAX", 100_000)
    again = file(anna.id, raw=raw)
    assert raw_of(anna.id, item_id) == raw_of(anna.id, again) == raw
    assert len(files(store)) == 1


def test_nothing_is_promised_that_is_not_there(store: Place, anna: Account) -> None:
    reference = blobs.put(large())
    files(store)[0].unlink()
    with pytest.raises(TemporaryFailure):
        db.transaction(blobs.link)(reference)
    assert blob_count() == 0


def test_a_missing_file_is_said_to_be_missing(store: Place, anna: Account) -> None:
    raw = large()
    item_id = file(anna.id, raw=raw)
    files(store)[0].unlink()
    with pytest.raises(NotFound):
        raw_of(anna.id, item_id)
    file(anna.id, raw=raw)  # and is mended by the next copy that arrives
    assert raw_of(anna.id, item_id) == raw


def test_a_torn_file_is_written_again(store: Place, anna: Account) -> None:
    raw = large()
    blobs.put(raw)
    files(store)[0].write_bytes(raw[:1000])
    item_id = file(anna.id, raw=raw)
    assert raw_of(anna.id, item_id) == raw


def test_unknown_digests_are_not_found(store: Place) -> None:
    with db.connection(), pytest.raises(NotFound):
        blobs.read(b"\0" * 32)


def test_a_reference_is_good_after_its_row_was_removed(store: Place, anna: Account) -> None:
    reference = blobs.put(large())
    db.transaction(blobs.link)(reference)
    forget(reference.digest)
    db.transaction(blobs.link)(reference)
    with db.connection():
        assert len(blobs.read(reference.digest)) == reference.size
    forget(reference.digest)


def test_only_unused_rows_go(store: Place, anna: Account) -> None:
    used = blobs.put(raw := mail())
    file(anna.id, raw=raw)
    unused = blobs.put(mail())
    db.transaction(blobs.link)(unused)
    db.transaction(blobs.unlink_unused)([used.digest, unused.digest, b"\1" * 32])
    with db.connection():
        assert blobs.read(used.digest)
        with pytest.raises(NotFound):
            blobs.read(unused.digest)


# --- durability -----------------------------------------------------------------------------------


def test_a_file_is_flushed_before_its_name_and_its_name_before_the_row(
    store: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    root = store.data_dir / "blobs"
    real_fsync, real_rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(root)
        seen.append(f"fsync {path.parts[0] if path.parts[:1] == ('new',) else path}")
        real_fsync(descriptor)

    def rename(self: Path, target: Path) -> Path:
        seen.append("rename")
        return real_rename(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", rename)
    raw = large()
    digest = blobs.put(raw).digest.hex()
    assert seen == ["fsync .", "fsync new", "rename", f"fsync {digest[:2]}"]


def test_a_file_that_was_there_has_its_name_flushed_again(
    store: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever wrote it may have been killed before the directory was flushed: nobody knows."""
    raw = large()
    blobs.put(raw)
    flushed: list[Path] = []
    monkeypatch.setattr(blobs, "_sync_directory", flushed.append)
    digest = blobs.put(raw).digest.hex()
    assert flushed == [store.data_dir / "blobs" / digest[:2]]


def test_a_folder_that_another_process_made_is_flushed_too(
    store: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = large()
    folder = store.data_dir / "blobs" / hashlib.sha256(raw).hexdigest()[:2]
    folder.mkdir()
    flushed: list[Path] = []
    monkeypatch.setattr(blobs, "_sync_directory", flushed.append)
    blobs.put(raw)
    assert flushed == [folder.parent, folder]
    blobs.put(raw)
    assert flushed == [folder.parent, folder, folder]  # its name is known to be durable by now


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("what", ["fsync", "rename", "directory"])
def test_a_disk_that_refuses_leaves_nothing_half(
    store: Place, anna: Account, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    owner, name = {
        "fsync": (os, "fsync"),
        "rename": (Path, "rename"),
        "directory": (blobs, "_sync_directory"),
    }[what]
    raw = large()
    with monkeypatch.context() as broken:
        broken.setattr(owner, name, no_space)
        with pytest.raises(DiskFull, match="No space left"):
            file(anna.id, raw=raw)
    assert blob_count() == 0
    assert [path for path in files(store) if path.parent.name == "new"] == []
    item_id = file(anna.id, raw=raw)  # and works again without a restart
    assert raw_of(anna.id, item_id) == raw


def test_a_lock_is_not_held_while_folders_are_read(store: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting a million files must not keep deliveries waiting."""
    blobs.put(large())
    real: Callable[[Path, float], list[str]] = blobs._old_files
    stored: list[BlobRef] = []

    def looking(folder: Path, limit: float) -> list[str]:
        if not stored:
            stored.append(blobs.put(large(b"y")))  # would never return if the lock were held
        return real(folder, limit)

    monkeypatch.setattr(blobs, "_old_files", looking)
    assert blobs.collect() == 0
    assert stored
