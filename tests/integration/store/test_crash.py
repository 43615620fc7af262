"""kill -9 at the points that matter and at any other: what was acknowledged is there, whole, once.

What the kernel has been told survives a killed process, so this shows that nothing is acknowledged before it
is written and that nothing half done disturbs; for what survives the power see `test_power_loss`.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import gevent
import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.integration.store.deliverer import DIES_AT, POINTS, message_for
from tests.unit.store import mailbox
from tests.unit.store.mailbox import DOMAIN, listing, raw_of

REPOSITORY = Path(__file__).parents[3]
ROUNDS = 4
pytestmark = pytest.mark.timeout(300)


class Deliverer:
    """A process of `deliverer`; `acknowledged` collects what it said it had delivered."""

    def __init__(self, place: Place, name: str, *options: str) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.integration.store.deliverer"),
                *(place.url, str(place.data_dir), name, *options),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.acknowledged: list[int] = []
        self._reader = gevent.spawn(self._read)
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def follow(self, count: int) -> None:
        """Wait until it has acknowledged so many."""
        while len(self.acknowledged) < count:
            assert self.process.poll() is None
            gevent.sleep(0.001)

    def kill(self) -> None:
        """Kill it at once and collect what it had acknowledged."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.finish()

    def finish(self) -> None:
        """Wait for its end."""
        self.process.wait(60)
        self._reader.join(60)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.acknowledged.append(int(line))


def prepare(place: Place) -> None:
    """Make the accounts."""
    place.open()
    with mailbox.configured(place.data_dir):
        for name in ("anna", "ben"):
            mailbox.account(name)
    db.close()


def stored(place: Place) -> Counter[bytes]:
    """Open what is left, check it, and return the messages that Anna has."""
    place.open()
    try:
        blobs.configure(place.data_dir)
        mailbox.check_invariants()
        with db.connection():
            anna = accounts.require(f"anna@{DOMAIN}").id
        return Counter(raw_of(anna, found.id).partition(b"\r\n")[2] for found in listing(anna))
    finally:
        db.close()


@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point(database_place: Place, point: str) -> None:
    prepare(database_place)
    process = Deliverer(database_place, "only", "--die", point)
    process.finish()
    assert process.process.returncode == -signal.SIGKILL
    assert process.acknowledged
    found = stored(database_place)
    assert {message_for("only", number) for number in process.acknowledged} <= set(found)
    assert max(found.values()) == 1
    was_committed = point == "after the commit"
    assert len(found) == len(process.acknowledged) + was_committed
    assert point == "after the row of the item" or len(process.acknowledged) >= DIES_AT - 1


def test_what_a_killed_process_left_is_collected(database_place: Place) -> None:
    prepare(database_place)
    process = Deliverer(database_place, "only", "--die", "before the file is renamed")
    process.finish()
    folder = database_place.data_dir / "blobs"
    half = list((folder / "new").iterdir())
    assert len(half) == 1
    then = time.time() - 2 * blobs.ORPHAN_AGE_S
    for path in (path for path in folder.rglob("*") if path.is_file()):
        os.utime(path, (then, then))
    before = stored(database_place)
    database_place.open()
    blobs.configure(database_place.data_dir)
    assert blobs.collect() >= 1  # the half one, and those of messages that were deleted
    db.close()
    assert not half[0].exists()
    assert stored(database_place) == before


def test_killed_at_any_moment_while_others_work(database_place: Place) -> None:
    """Two processes deliver, the same bytes among theirs; one is killed, again and again."""
    prepare(database_place)
    expected: Counter[bytes] = Counter()
    for number in range(ROUNDS):
        processes = [Deliverer(database_place, f"{name}{number}") for name in ("first", "second")]
        for process in processes:
            process.follow(3 + 7 * number)
        for process in processes:
            process.kill()
            expected.update(message_for(process.name, n) for n in process.acknowledged)
        found = stored(database_place)
        assert not expected - found
        # What had been committed and not yet acknowledged may be there, too.
        assert sum((found - expected).values()) <= (number + 1) * 2 * 3
