"""The disk fills up: deliveries are refused for now, nothing is half stored, and room makes it go on.

What a failing write to a blob file leaves behind is tested everywhere, in `tests/unit/store/test_blobs`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import db
from appliance.delivery import inbound
from appliance.errors import DiskFull
from appliance.store import blobs, messages
from tests.fixtures.database import Place
from tests.fixtures.small_disk import small_disk
from tests.unit.store import mailbox
from tests.unit.store.mailbox import HOSTNAME, envelope, listing, mail, raw_of

SIZE_BYTES = 24 * 1_048_576
BALLAST_BYTES = 4_000_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, SIZE_BYTES) as folder:
        yield folder


@pytest.mark.parametrize("size", [2_000, 60_000, 400_000])
def test_full_and_free_again(disk: Path, size: int) -> None:
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(BALLAST_BYTES))
    place = Place("sqlite", disk)
    place.open()
    try:
        with mailbox.configured(disk):
            anna = mailbox.account("anna")
            acknowledged = _fill(size)
            assert _stored(anna.id) == acknowledged
            ballast.unlink()
            raw = mail("after", size=size)
            inbound.deliver(envelope("anna"), raw, hostname=HOSTNAME)  # without a restart
            acknowledged.add(raw)
            assert _stored(anna.id) == acknowledged
            mailbox.check_invariants()
        place.reopen()
        assert _stored(anna.id) == acknowledged
        with db.connection():
            rows = db.proxy.execute_sql("PRAGMA integrity_check").fetchall()
        assert rows == [("ok",)]
    finally:
        db.close()


def test_room_is_made_by_deleting_and_collecting(disk: Path) -> None:
    """Deleting needs room itself: the log grows by about 100 kB each time before it is used again."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(2 * BALLAST_BYTES))
    place = Place("sqlite", disk)
    place.open()
    try:
        with mailbox.configured(disk):
            anna = mailbox.account("anna")
            acknowledged = _fill(400_000)
            ballast.unlink()
            for found in listing(anna.id)[:20]:
                messages.delete(anna.id, found.id)
            assert blobs.collect(older_than_s=0) >= 20
            assert len(_fill(400_000)) >= 20
            assert len(_stored(anna.id) & acknowledged) == len(acknowledged) - 20
            mailbox.check_invariants()
    finally:
        db.close()


def _fill(size: int) -> set[bytes]:
    """Deliver until the disk is full, and a few times more; return what was acknowledged."""
    acknowledged = set()
    refused = 0
    while refused < 5:
        raw = mail(size=size)
        try:
            inbound.deliver(envelope("anna"), raw, hostname=HOSTNAME)
        except DiskFull:
            refused += 1
        else:
            acknowledged.add(raw)
    assert acknowledged
    return acknowledged


def _stored(account_id: int) -> set[bytes]:
    return {raw_of(account_id, found.id).partition(b"\r\n")[2] for found in listing(account_id)}
