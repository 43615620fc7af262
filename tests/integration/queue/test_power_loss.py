"""The power goes while mail waits to leave: whatever was promised to a sender is still in the queue.

The model of the disk is that of `tests/integration/store/test_power_loss.py`.
"""

import os
import random
import shutil
from dataclasses import dataclass

import pytest

from appliance import db
from appliance.queue import entries
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.integration.store.test_power_loss import Disk
from tests.unit.store import mailbox
from tests.unit.store.mailbox import NOW, OUTSIDE, mail

STEPS, CUTS = 24, 20


@dataclass(frozen=True)
class Promise:
    """The moment after something was committed: the log's length, the files on disk, who is waited for."""

    log_bytes: int
    files: dict[os.PathLike[str], bytes]
    waiting: dict[str, bytes]


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
    """Queue, deliver and put off; return what was promised when."""
    log = place.data_dir / "appliance.db-wal"
    waiting: dict[str, bytes] = {}
    promises = []
    for number in range(STEPS):
        raw = mail(f"Message {number}", size=200_000 if number % 3 == 0 else 0)
        path = f"user{number}@example.org"
        entries.add(
            blobs.put(raw),
            account_id=None,
            reverse_path=OUTSIDE,
            recipients=[(path, "example.org")],
            now=NOW,
        )
        waiting[path] = raw
        promises.append(Promise(log.stat().st_size, dict(disk.survivors()), dict(waiting)))
        if number % 2:
            (entry,) = entries.claim(NOW, limit=1, lease_s=60)
            if number % 4 == 1:
                entries.remove(entry)
                del waiting[entry.forward_path]
            else:
                entries.defer(entry, NOW, "421 later", now=NOW)
            promises.append(Promise(log.stat().st_size, dict(disk.survivors()), dict(waiting)))
    return promises


def test_whatever_is_cut_off_what_was_queued_is_there(
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
        cut = dice.randint(promises[0].log_bytes, len(log))
        last = max(index for index, promise in enumerate(promises) if promise.log_bytes <= cut)
        copy = Place("sqlite", tmp_path_factory.mktemp(f"cut{number}"))
        (copy.data_dir / "appliance.db").write_bytes(database)
        rubbish = dice.randbytes(5_000) if number % 2 else b""
        (copy.data_dir / "appliance.db-wal").write_bytes(log[:cut] + rubbish)
        for path, content in promises[last].files.items():
            target = copy.data_dir / os.path.relpath(path, sqlite_place.data_dir)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        check(copy, promises[last], promises[min(last + 1, len(promises) - 1)])
        shutil.rmtree(copy.data_dir)


def check(place: Place, promise: Promise, following: Promise) -> None:
    """Open a copy: it holds what was promised, give or take what was under way, with its bytes."""
    place.open()
    try:
        blobs.configure(place.data_dir)
        with db.connection():
            found = {e.forward_path: blobs.read(e.digest) for e in entries.list_entries()}
        certain = {path: raw for path, raw in promise.waiting.items() if path in following.waiting}
        assert certain.items() <= found.items()
        assert found.keys() <= promise.waiting.keys() | following.waiting.keys()
        assert len(entries.claim(NOW + mailbox.MINUTE * 2, limit=100, lease_s=60)) == len(found)
    finally:
        db.close()
