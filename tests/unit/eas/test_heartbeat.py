"""Waiting: what ends a wait, and what does not."""

import threading
import time

import pytest

from appliance import bus, db
from appliance.db.tables import EPOCH, Account
from appliance.eas import heartbeat
from appliance.eas.heartbeat import Ended
from appliance.store import modseq

ACCOUNT, DEVICE = 1, 7


class Clock:
    """Real time, many times faster."""

    def __init__(self, speed: float = 1) -> None:
        self.speed = speed

    def now(self):
        raise AssertionError("only differences matter here")

    def monotonic(self) -> float:
        return time.monotonic() * self.speed


class Waiter:
    """A wait on a thread of its own; counts its looks."""

    def __init__(self, *, finds_at=10**9, interval_s=600.0, recheck_s=600.0, speed=1.0, folders=("5",)):
        self.looks = 0
        self.held_connections = []
        self._finds_at = finds_at
        self._arguments = {"folders": folders, "interval_s": interval_s, "recheck_s": recheck_s}
        self._clock = Clock(speed)
        self.result = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        self.result = heartbeat.hold(
            self._look, account_id=ACCOUNT, device_id=DEVICE, clock=self._clock, **self._arguments
        )

    def _look(self):
        self.looks += 1
        return "found" if self.looks >= self._finds_at else None

    def until(self, looks):
        for _ in range(500):
            if self.looks >= looks:
                time.sleep(0.02)
                return self
            time.sleep(0.01)
        raise AssertionError(f"{self.looks} looks, not {looks}")

    def end(self):
        self._thread.join(5)
        assert not self._thread.is_alive(), "still waiting"
        return self.result


@pytest.fixture(autouse=True)
def database(sqlite_database):
    make_account()
    return sqlite_database


@db.transaction
def make_account():
    Account.create(id=ACCOUNT, address="a@example.test", password_hash="", created_at=EPOCH)


@db.transaction
def something_changes():
    modseq.take(ACCOUNT)


def test_what_is_there_already_is_found_at_once():
    assert Waiter(finds_at=1).end() == "found"


def test_a_hint_about_a_folder_makes_it_look_again():
    waiter = Waiter(finds_at=2).until(1)
    bus.publish(bus.account_topic(ACCOUNT), "5")
    assert waiter.end() == "found"


@pytest.mark.parametrize("payload", [bus.HIERARCHY, bus.ANYTHING])
def test_so_does_a_hint_about_the_tree_or_about_anything(payload):
    waiter = Waiter(finds_at=2).until(1)
    bus.publish(bus.account_topic(ACCOUNT), payload)
    assert waiter.end() == "found"


def test_other_folders_and_accounts_do_not():
    waiter = Waiter(finds_at=2).until(1)
    bus.publish(bus.account_topic(ACCOUNT), "6")
    bus.publish(bus.account_topic(2), "5")
    time.sleep(0.1)
    assert waiter.looks == 1
    bus.publish(bus.account_topic(ACCOUNT), "5")
    assert waiter.end() == "found"


def test_a_lost_hint_is_made_up_for():
    waiter = Waiter(finds_at=2, recheck_s=0.05).until(1)
    something_changes()
    assert waiter.end() == "found"


def test_looking_again_costs_no_look_while_nothing_changes():
    waiter = Waiter(finds_at=2, recheck_s=0.02).until(1)
    time.sleep(0.3)
    assert waiter.looks == 1
    something_changes()
    assert waiter.end() == "found"


def test_the_interval_ends():
    assert Waiter(interval_s=60, speed=600, recheck_s=0.05).end() is Ended.EXPIRED


def test_a_newer_request_of_the_device_ends_the_older():
    older = Waiter().until(1)
    newer = Waiter().until(1)
    assert older.end() is Ended.SUPERSEDED
    heartbeat.supersede(DEVICE)
    assert newer.end() is Ended.SUPERSEDED


def test_another_device_does_not():
    waiter = Waiter(finds_at=2).until(1)
    heartbeat.supersede(DEVICE + 1)
    time.sleep(0.1)
    bus.publish(bus.account_topic(ACCOUNT), "5")
    assert waiter.end() == "found"


def test_lost_hints_of_the_bus_make_it_look_and_do_not_end_it():
    waiter = Waiter(finds_at=2).until(1)
    bus.current().wake_all()
    assert waiter.end() == "found"


def test_a_process_that_stops_answers_everybody():
    waiter = Waiter().until(1)
    bus.current().drain()
    assert waiter.end() is Ended.DRAINING
    assert Waiter().end() is Ended.DRAINING


def test_nothing_is_held_while_waiting():
    waiter = Waiter(finds_at=2).until(1)
    assert db.held_connections() == 0
    assert bus.current().watching() == 1
    bus.publish(bus.account_topic(ACCOUNT), "5")
    waiter.end()
    assert bus.current().watching() == 0


def test_a_failure_while_looking_leaves_no_watcher_behind():
    def look():
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError):
        heartbeat.hold(
            look,
            account_id=1,
            device_id=1,
            folders=(),
            interval_s=1,
            recheck_s=1,
            clock=Clock(),
        )
    assert bus.current().watching() == 0
