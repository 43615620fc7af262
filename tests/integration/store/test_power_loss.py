"""The power goes: what the disk had been made to keep is all there is, and all that was promised is in it.

What is simulated. Blob files: a model of the disk follows every `os.fsync` of this process and keeps a
file's bytes only as of the fsync of that file, a name only as of the fsync of its directory; whatever was
written and not flushed is lost, the worst a file system may do. Database: SQLite's write-ahead log is cut
at any byte from where it ended when a delivery was acknowledged, as if the rest had never reached the
disk, with or without rubbish behind it; the database file is the one that lay beside the log.

What is not: that SQLite flushes the log before COMMIT returns (`synchronous=FULL`, tested with the
database layer) and that the disk does not lie about flushing.
"""

import os
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.delivery import inbound
from appliance.store import blobs, messages
from tests.fixtures.database import Place
from tests.unit.store import mailbox
from tests.unit.store.mailbox import DOMAIN, HOSTNAME, envelope, listing, mail, raw_of

MESSAGES = 24
CUTS = 20


@dataclass
class Disk:
    """What a disk holds for good of one folder: bytes by inode, names by directory."""

    root: Path
    bytes_of: dict[int, bytes] = field(default_factory=dict)
    names_in: dict[Path, dict[str, int]] = field(default_factory=dict)

    def fsync(self, descriptor: int) -> None:
        """Follow one fsync."""
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_dir():
            self.names_in[path] = {entry.name: entry.stat().st_ino for entry in path.iterdir()}
        else:
            self.bytes_of[os.fstat(descriptor).st_ino] = path.read_bytes()

    def survivors(self) -> dict[Path, bytes]:
        """Return the files of blobs that would be found after a power cut, with their bytes."""
        found = {}
        for folder in self._folders():
            for name, inode in self.names_in.get(folder, {}).items():
                if not (folder / name).is_dir():
                    found[folder / name] = self.bytes_of.get(inode, b"")
        return found

    def _folders(self) -> list[Path]:
        if "blobs" not in self.names_in.get(self.root, {}):
            return []
        return [self.root / "blobs" / name for name in self.names_in.get(self.root / "blobs", {})]


@dataclass(frozen=True)
class Promise:
    """The moment after a delivery was acknowledged."""

    log_bytes: int
    files: dict[Path, bytes]
    held: tuple[bytes, ...]


@pytest.fixture
def disk(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(sqlite_place.data_dir)
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        disk.fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return disk


def work(place: Place, disk: Disk) -> list[Promise]:
    """Deliver and delete; return what was promised when."""
    log = place.data_dir / "appliance.db-wal"
    held: list[bytes] = []
    promises = []
    anna = mailbox.account("anna")
    for number in range(MESSAGES):
        raw = mail(f"Message {number}", size=200_000 if number % 3 == 0 else 0)
        inbound.deliver(envelope("anna"), raw, hostname=HOSTNAME)
        held.append(raw)
        if number % 6 == 5:
            oldest = listing(anna.id)[-1]
            held.remove(raw_of(anna.id, oldest.id).partition(b"\r\n")[2])
            messages.delete(anna.id, oldest.id)
        promises.append(Promise(log.stat().st_size, disk.survivors(), tuple(held)))
    return promises


def test_whatever_is_cut_off_what_was_promised_is_there(
    sqlite_place: Place, disk: Disk, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sqlite_place.open()
    with mailbox.configured(sqlite_place.data_dir):
        promises = work(sqlite_place, disk)
        database = (sqlite_place.data_dir / "appliance.db").read_bytes()
        log = (sqlite_place.data_dir / "appliance.db-wal").read_bytes()
    db.close()
    assert promises[-1].log_bytes == len(log)  # the log was never begun anew: it can be cut anywhere
    dice = random.Random(365)
    for number in range(CUTS):
        index = dice.randrange(len(promises))
        promise = promises[index]
        cut = dice.randint(promise.log_bytes, max(promise.log_bytes, len(log)))
        upper = next((i for i, other in enumerate(promises) if other.log_bytes > cut), len(promises))
        copy = Place("sqlite", tmp_path_factory.mktemp(f"cut{number}"))
        rubbish = dice.randbytes(5_000) if number % 2 else b""
        _write(copy.data_dir, database, log[:cut] + rubbish, promises[upper - 1].files, sqlite_place.data_dir)
        _check(copy, promises[upper - 1].held, promises[min(upper, len(promises) - 1)].held)
        shutil.rmtree(copy.data_dir)


def _write(place: Path, database: bytes, log: bytes, files: dict[Path, bytes], original: Path) -> None:
    (place / "appliance.db").write_bytes(database)
    (place / "appliance.db-wal").write_bytes(log)
    for path, content in files.items():
        target = place / path.relative_to(original)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def _check(place: Place, promised: tuple[bytes, ...], next_promised: tuple[bytes, ...]) -> None:
    """Open a copy: it holds what was promised, give or take what was under way."""
    place.open()
    try:
        blobs.configure(place.data_dir)
        mailbox.check_invariants()
        with db.connection():
            anna = accounts.require(f"anna@{DOMAIN}").id
        found = {raw_of(anna, each.id).partition(b"\r\n")[2] for each in listing(anna)}
        assert set(promised) & set(next_promised) <= found
        assert found <= set(promised) | set(next_promised)
        inbound.deliver(envelope("anna"), mail(), hostname=HOSTNAME)  # and goes on working
    finally:
        db.close()


def test_the_model_of_the_disk_loses_what_is_not_flushed(tmp_path: Path) -> None:
    """A model that forgave a missing fsync would prove nothing."""
    disk = Disk(tmp_path)
    folder = tmp_path / "blobs" / "ab"
    folder.mkdir(parents=True)
    path = folder / "file"
    path.write_bytes(b"content")

    def flush(what: Path) -> None:
        descriptor = os.open(what, os.O_RDONLY)
        disk.fsync(descriptor)
        os.close(descriptor)

    for upper in (tmp_path, tmp_path / "blobs"):
        flush(upper)
    assert disk.survivors() == {}
    flush(folder)
    assert disk.survivors() == {path: b""}
    flush(path)
    assert disk.survivors() == {path: b"content"}
    path.rename(folder / "renamed")
    assert disk.survivors() == {path: b"content"}
    flush(folder)
    assert disk.survivors() == {folder / "renamed": b"content"}
