"""A queue put back to an earlier state does not send again what a server had taken. Twice, even."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import bus, db, sealing
from appliance.clock import SYSTEM_CLOCK
from appliance.net.resolver import DnsResolver
from appliance.queue import entries
from appliance.settings import Config, Queue, Relay
from appliance.store import blobs
from smtpd.leaving import Leaving
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.fixtures.database import Place

ZONES = {"example.net": {"MX": ["10 mx.example.net."]}, "mx.example.net": {"A": ["127.0.0.1"]}}


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "never became true"
        time.sleep(0.02)


def add(number: int) -> None:
    entries.add(
        blobs.put(f"From: a@example.test\r\nSubject: {number}\r\n\r\nx\r\n".encode()),
        account_id=None,
        reverse_path="a@example.test",
        recipients=[(f"b{number}@example.net", "example.net")],
        now=datetime.now(UTC),
    )


def waiting() -> int:
    with db.connection():
        return len(entries.list_entries())


def work_off(place: Place, dns: FakeDns, mx: FakeMx) -> None:
    """Run until the queue is empty, as the role does."""
    config = replace(
        Config(), data_dir=place.data_dir, relay=Relay(port=mx.port), queue=Queue(poll_interval_s=1)
    )
    leaving = Leaving(
        config, DnsResolver("127.0.0.1", dns.port, lifetime_s=2), SYSTEM_CLOCK, lambda: "mail.example.test"
    )
    leaving.start()
    try:
        eventually(lambda: waiting() == 0)
    finally:
        leaving.stop()


@pytest.fixture
def opened(sqlite_place: Place) -> Place:
    sqlite_place.open()
    blobs.configure(sqlite_place.data_dir)
    sealing.configure(sqlite_place.data_dir)
    return sqlite_place


def test_a_restored_queue_sends_nothing_twice(opened: Place, tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    before = bus.use(bus.LocalBus())
    try:
        with FakeDns(ZONES) as dns, FakeMx() as mx:
            for number in range(5):
                add(number)
            db.close()
            shutil.copy(opened.data_dir / "appliance.db", backup)
            opened.open()
            work_off(opened, dns, mx)
            assert len(mx.messages) == 5
            for _ in range(2):
                db.close()
                for name in ("appliance.db", "appliance.db-wal", "appliance.db-shm"):
                    (opened.data_dir / name).unlink(missing_ok=True)
                shutil.copy(backup, opened.data_dir / "appliance.db")
                opened.open()
                assert waiting() == 5
                add(99)  # gets an id that has been delivered before: it must go all the same
                work_off(opened, dns, mx)
            assert [b"Subject: 99" in message.body for message in mx.messages] == [False] * 5 + [True] * 2
    finally:
        bus.use(before)
        db.close()
