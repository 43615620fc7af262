"""Rows of the queue: due, claimed, settled; and clocks that do not behave."""

from datetime import datetime, timedelta

import gevent
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from appliance import bus, db
from appliance.errors import NotFound
from appliance.queue import control, entries, schedule
from appliance.queue.control import Selection
from appliance.queue.entries import Entry
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import NOW, OUTSIDE, blob_count, mail

SECOND = timedelta(seconds=1)
LEASE_S = 60


def add(count: int = 1, *, now: datetime = NOW, raw: bytes | None = None) -> list[int]:
    return entries.add(
        blobs.put(raw or mail()),
        account_id=None,
        reverse_path=OUTSIDE,
        recipients=[(f"carl{number}@example.org", "example.org") for number in range(count)],
        now=now,
    )


def claim(now: datetime = NOW, limit: int = 100) -> list[Entry]:
    return entries.claim(now, limit=limit, lease_s=LEASE_S)


def ids(found: list[Entry]) -> list[int]:
    return [entry.id for entry in found]


def next_due() -> datetime | None:
    with db.connection():
        return entries.next_due()


def test_what_is_added_is_due_and_announced(store: Place) -> None:
    with bus.watch((entries.TOPIC,)) as watcher:
        (entry_id,) = add()
        assert watcher.wait(1.0) == {bus.Hint(entries.TOPIC)}
    (entry,) = claim()
    assert (entry.id, entry.forward_path, entry.domain) == (entry_id, "carl0@example.org", "example.org")
    assert (entry.reverse_path, entry.attempts, entry.account_id) == (OUTSIDE, 0, None)
    assert (entry.created_at, entry.expires_at) == (NOW, NOW + schedule.current().lifetime)
    with db.connection():
        assert entries.get(entry_id) == entry
        assert blobs.read(entry.digest)


def test_adding_for_nobody(store: Place) -> None:
    assert add(0) == []
    db.transaction(blobs.unlink_unused)(_all_digests())


def _all_digests() -> list[bytes]:
    with db.connection():
        return [bytes(row[0]) for row in db.proxy.execute_sql("SELECT digest FROM blob").fetchall()]


def test_a_claimed_entry_is_nobody_elses_until_its_lease_ends(store: Place) -> None:
    (entry_id,) = add()
    (first,) = claim()
    assert claim(NOW + SECOND * (LEASE_S - 1)) == []
    (second,) = claim(NOW + SECOND * LEASE_S)
    assert (second.id, second.lease != first.lease) == (entry_id, True)
    assert not entries.remove(first)
    assert not entries.defer(first, NOW, "late")
    with db.connection():
        assert entries.get(entry_id) == second
    assert entries.remove(second)
    assert not entries.remove(second)


def test_an_expired_lease_that_nobody_took_still_counts(store: Place) -> None:
    """A slow server's 250 after the deadline is still a 250: nobody else has tried meanwhile."""
    add()
    (entry,) = claim()
    assert entries.remove(entry)


def test_the_longest_due_first_and_never_more_than_asked(store: Place) -> None:
    late, early = add(2, now=NOW - SECOND), add(2, now=NOW - SECOND * 5)
    assert ids(claim(limit=3)) == [*early, late[0]]
    assert ids(claim(limit=3)) == [late[1]]


def test_only_a_claimed_entry_can_be_settled(store: Place) -> None:
    (entry_id,) = add()
    with db.connection():
        unclaimed = entries.get(entry_id)
    assert unclaimed is not None
    with pytest.raises(AssertionError):
        entries.remove(unclaimed)
    with pytest.raises(AssertionError):
        entries.defer(unclaimed, NOW, "")


def test_deferred(store: Place) -> None:
    add()
    (entry,) = claim()
    later = NOW + timedelta(minutes=5)
    assert entries.defer(entry, later, "421 busy")
    assert claim(later - SECOND) == []
    (again,) = claim(later)
    assert (again.attempts, again.last_reply) == (1, "421 busy")


def test_bytes_go_with_the_last_entry(store: Place) -> None:
    raw = mail()
    add(2, raw=raw)
    first, second = claim()
    entries.remove(first)
    assert blob_count() == 1
    entries.remove(second)
    assert blob_count() == 0


def test_dropped(store: Place) -> None:
    (entry_id,) = add()
    (entry,) = claim()
    assert control.drop(entry_id).id == entry_id
    with pytest.raises(NotFound):
        control.drop(entry_id)
    assert not entries.remove(entry)
    assert blob_count() == 0


def test_tried_again_now(store: Place) -> None:
    (entry_id,) = add()
    (entry,) = claim()
    entries.defer(entry, NOW + timedelta(hours=2), "421")
    with bus.watch((entries.TOPIC,)) as watcher:
        assert control.retry(Selection([entry_id]), NOW) == [entry_id]
        assert watcher.wait(1.0)
    assert ids(claim()) == [entry_id]
    assert control.retry(Selection([999_999]), NOW) == []


def test_a_retry_takes_no_entry_from_who_holds_it(store: Place) -> None:
    (entry_id,) = add()
    claim()
    control.retry(Selection([entry_id]), NOW)
    assert claim() == []


def test_next_due(store: Place) -> None:
    assert next_due() is None
    add()
    assert next_due() == NOW
    (entry,) = claim()
    assert next_due() == NOW + SECOND * LEASE_S
    later = NOW + timedelta(minutes=5)
    entries.defer(entry, later, "421")
    assert next_due() == later
    add(now=NOW + SECOND)
    assert next_due() == NOW + SECOND


# --- the clock ------------------------------------------------------------------------------------


def test_a_clock_put_back_does_not_stop_the_queue(store: Place) -> None:
    """It was a year ahead when mail was deferred and claimed; then it was put right."""
    ahead = NOW + timedelta(days=365)
    deferred, leased = add(2, now=ahead)
    first, _ = claim(ahead)
    entries.defer(first, ahead + timedelta(minutes=1), "421")
    assert sorted(ids(claim())) == sorted([deferred, leased])


def test_a_clock_put_back_a_little_only_delays(store: Place) -> None:
    (entry_id,) = add(now=NOW + timedelta(minutes=30))
    assert claim(NOW) == []
    assert ids(claim(NOW + timedelta(minutes=30))) == [entry_id]


def test_no_wait_that_is_possible_is_taken_for_a_wrong_clock(store: Place) -> None:
    add()
    (entry,) = claim()
    entries.defer(entry, NOW + schedule.current().retry_max, "421")
    assert claim() == []
    add()
    entries.claim(NOW, limit=1, lease_s=int(entries.LEASE_MAX.total_seconds()))
    assert claim() == []


def test_a_clock_put_forward_ends_leases_early_and_nothing_worse(store: Place) -> None:
    add()
    (first,) = claim()
    (second,) = claim(NOW + timedelta(days=365))
    assert not entries.remove(first)
    assert entries.remove(second)


# --- many runners ---------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7])
def test_many_runners_never_hold_the_same_entry(store: Place, limit: int) -> None:
    expected = [entry_id for _ in range(20) for entry_id in add(6)]
    taken: list[int] = []

    def run() -> None:
        while found := claim(limit=limit):
            assert len(found) <= limit
            taken.extend(ids(found))
            gevent.sleep(0)

    gevent.joinall([gevent.spawn(run) for _ in range(12)], timeout=60, raise_error=True)
    assert sorted(taken) == expected


def test_many_runners_settle_everything_once(store: Place) -> None:
    add(40)
    settled: list[int] = []
    moment = NOW

    def run(lease_s: int) -> None:
        nonlocal moment
        while True:
            found = entries.claim(moment, limit=3, lease_s=lease_s)
            if not found and next_due() is None:
                return
            for entry in found:
                moment += SECOND  # short leases run out while others work
                gevent.sleep(0)
                if entries.remove(entry):
                    settled.append(entry.id)

    gevent.joinall([gevent.spawn(run, lease_s) for lease_s in (2, 2, 5, 60)], timeout=60, raise_error=True)
    assert sorted(settled) == sorted(set(settled))
    assert len(settled) == 40


class QueueMachine(RuleBasedStateMachine):
    """Runners that die, dawdle and settle late, beside a model of who holds what."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.waiting: dict[int, datetime] = {}  # when it is due
        self.held: dict[int, tuple[Entry, datetime]] = {}  # who holds it, until when
        self.old: list[Entry] = []  # what somebody else has claimed or settled since

    @rule(count=st.integers(1, 3))
    def add(self, count: int) -> None:
        self.waiting |= dict.fromkeys(add(count, now=self.now), self.now)

    @rule(seconds=st.integers(0, 90))
    def wait(self, seconds: int) -> None:
        self.now += SECOND * seconds

    @rule(limit=st.integers(1, 4))
    def claim(self, limit: int) -> None:
        free = {key for key, until in self.waiting.items() if until <= self.now}
        free |= {key for key, (_, until) in self.held.items() if until <= self.now}
        found = claim(self.now, limit)
        assert set(ids(found)) <= free
        assert len(found) == min(limit, len(free))
        for entry in found:
            if entry.id in self.held:
                self.old.append(self.held[entry.id][0])
            self.waiting.pop(entry.id, None)
            self.held[entry.id] = (entry, self.now + SECOND * LEASE_S)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        entry, _ = self.held.pop(data.draw(st.sampled_from(sorted(self.held))))
        assert entries.remove(entry)
        self.old.append(entry)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), seconds=st.integers(0, 120))
    def defer(self, data: st.DataObject, seconds: int) -> None:
        entry, _ = self.held.pop(data.draw(st.sampled_from(sorted(self.held))))
        self.waiting[entry.id] = self.now + SECOND * seconds
        assert entries.defer(entry, self.waiting[entry.id], "421")
        self.old.append(entry)

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def settle_late(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.old))
        assert not entries.remove(entry)
        assert not entries.defer(entry, self.now, "late")

    @rule()
    def next_due(self) -> None:
        moments = [*self.waiting.values(), *(until for _, until in self.held.values())]
        assert next_due() == min(moments, default=None)

    def teardown(self) -> None:
        with db.connection():
            for entry in entries.list_entries():
                assert entry.id in self.waiting or entry.id in self.held
        for entry_id in (*self.waiting, *self.held):
            assert control.drop(entry_id).id == entry_id


def test_the_queue_agrees_with_its_model(store: Place) -> None:
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
