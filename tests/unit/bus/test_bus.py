"""Hints inside one process: nothing falls between reading and waiting, from whatever thread it comes."""

import gc
import subprocess
import sys
import threading
import time

import gevent
import pytest
from gevent.monkey import get_original
from hypothesis import given
from hypothesis import strategies as st

from appliance import bus
from appliance.bus import Bus, Hint, LocalBus


@pytest.fixture
def local() -> Bus:
    return LocalBus()


def test_what_is_published_after_watching_ends_the_wait(local):
    with local.watch(["account:1", "device:7"]) as watcher:
        local.publish("account:1", "5")
        local.publish("account:1", "5")
        local.publish("device:7")
        local.publish("account:2", "5")
        assert watcher.wait(0) == {("account:1", "5"), ("device:7", "")}
        assert watcher.wait(0) == set()


def test_a_waiting_reader_is_woken(local):
    with local.watch(["account:1"]) as watcher:
        waiting = gevent.spawn(watcher.wait, 30)
        gevent.sleep(0.01)
        assert not waiting.ready()
        local.publish("account:1", bus.HIERARCHY)
        assert waiting.get(timeout=1) == {Hint("account:1", "0")}


def test_a_wait_ends_after_its_time(local):
    with local.watch(["account:1"]) as watcher:
        began = time.monotonic()
        assert watcher.wait(0.05) == set()
        assert 0.04 < time.monotonic() - began < 1
        local.publish("account:1")
        assert watcher.wait(0.05) == {("account:1", "")}, "still registered after a timeout"


def test_everyone_who_watches_a_topic_is_told(local):
    watchers = [local.watch(["credentials", f"account:{n}"]) for n in range(5)]
    watchers[1].close()
    watchers[1].close()
    local.publish("credentials")
    assert [bool(watcher.wait(0)) for watcher in watchers] == [True, False, True, True, True]
    for watcher in watchers:
        watcher.close()
    assert local.watching() == 0
    assert local._by_topic == {}


def test_a_closed_watcher_hears_nothing(local):
    with local.watch(["t"]) as watcher:
        pass
    local.publish("t")
    assert watcher.wait(0) == set()


def test_the_same_topic_twice_is_one_registration(local):
    with local.watch(["t", "t"]) as watcher:
        local.publish("t")
        assert watcher.wait(0) == {("t", "")}
    assert local._by_topic == {}


def test_wake_all_says_look_at_everything(local):
    with local.watch(["a", "b"]) as watcher, local.watch(["b"]) as other:
        local.wake_all()
        assert watcher.wait(0) == {("a", ""), ("b", "")}
        assert other.wait(0) == {("b", "")}


def test_draining_ends_waits_now_and_later(local):
    with local.watch(["a"]) as watcher:
        waiting = gevent.spawn(watcher.wait, 30)
        gevent.sleep(0.01)
        assert not watcher.draining
        local.drain()
        assert waiting.get(timeout=1) == set()
        assert watcher.draining
        assert watcher.wait(30) == set()
        local.publish("a")
        assert watcher.wait(30) == {("a", "")}, "the last answer may still be the right one"
    with local.watch(["a"]) as late:
        assert late.wait(30) == set()
        assert late.draining


def test_pending_hints_have_a_ceiling(local):
    with local.watch(["a", "b"]) as watcher:
        for number in range(bus.PENDING_MAX + 5):
            local.publish("a", str(number))
        hints = watcher.wait(0)
        assert ("a", "") in hints
        assert len(hints) < 10


@pytest.mark.parametrize("topic", ["", "a\nb", "a\tb", "x" * 201, "\u2028"])
def test_a_malformed_topic_is_our_bug(local, topic):
    with pytest.raises(ValueError, match="hint"):
        local.publish(topic)


def test_a_malformed_payload_is_our_bug(local):
    with pytest.raises(ValueError, match="hint"):
        local.publish("t", "a\nb")


def test_publishing_never_switches(local):
    ran: list[int] = []
    with local.watch(["t"]):
        gevent.spawn(ran.append, 1)
        for number in range(1000):
            local.publish("t", str(number))
        assert ran == [], "another greenlet ran inside publish"


@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "between-waits"])
def test_native_threads_publish(local, waits):
    with local.watch(["account:1"]) as watcher:
        waiting = gevent.spawn(watcher.wait, 30) if waits else None
        gevent.sleep(0.01)
        get_original("_thread", "start_new_thread")(local.publish, ("account:1", "5"))
        hints = waiting.get(timeout=5) if waiting else watcher.wait(5)
        assert hints == {("account:1", "5")}


def test_a_native_burst_loses_nothing(local):
    wanted = {Hint("t", str(number)) for number in range(900)}
    seen: set[Hint] = set()

    def burst(first: int) -> None:
        for number in range(first, first + 300):
            local.publish("t", str(number))

    with local.watch(["t"]) as watcher:
        for first in (0, 300, 600):
            get_original("_thread", "start_new_thread")(burst, (first,))
        with gevent.Timeout(10):
            while seen != wanted:
                seen |= watcher.wait(5)


def test_a_native_thread_may_publish_before_anyone_watches(local):
    for number in range(100):
        get_original("_thread", "start_new_thread")(local.publish, ("t", str(number)))
    gevent.sleep(0.05)
    assert local._inbox == {}


@given(
    order=st.permutations(["watch", "read", "commit", "publish"]).filter(
        lambda steps: (
            steps.index("watch") < steps.index("read") and steps.index("commit") < steps.index("publish")
        )
    )
)
def test_no_commit_is_missed_in_any_interleaving(order):
    """Register, read, wait against commit, publish: the reader has read the change or is woken for it."""
    local, store, read = LocalBus(), [0], [-1]
    watchers = []
    steps = {
        "watch": lambda: watchers.append(local.watch(["t"])),
        "read": lambda: read.__setitem__(0, store[0]),
        "commit": lambda: store.__setitem__(0, 1),
        "publish": lambda: local.publish("t"),
    }
    for step in order:
        steps[step]()
    assert read[0] == 1 or watchers[0].wait(0) == {("t", "")}


def test_a_reader_follows_a_fast_writer_to_the_end(local):
    store, seen = [0], [0]

    def reader() -> None:
        with local.watch(["t"]) as watcher:
            while seen[0] < 2000:
                seen[0] = store[0]
                if seen[0] < 2000:
                    assert watcher.wait(5), "the last commits were never announced"

    following = gevent.spawn(reader)
    gevent.sleep(0)

    def writer() -> None:
        for number in range(1, 2001):
            store[0] = number
            local.publish("t")

    get_original("_thread", "start_new_thread")(writer, ())
    following.get(timeout=20)


def test_a_collected_reader_may_close_while_the_bus_is_busy(local):
    class Answer:
        """An abandoned answer whose iterator holds a watcher, in a reference cycle."""

        def __init__(self) -> None:
            self.me = self
            self.watcher = local.watch(["t"])

        def __del__(self) -> None:
            self.watcher.close()

    for _ in range(50):
        Answer()
    with local._lock:
        gc.collect()
    assert local.watching() == 0


UNPATCHED = """
import sys, threading
from appliance.bus import LocalBus
local, wanted, seen = LocalBus(), {("t", str(n)) for n in range(900)}, set()
with local.watch(["t"]) as watcher:
    def burst(first):
        for number in range(first, first + 300): local.publish("t", str(number))
    threads = [threading.Thread(target=burst, args=(first,)) for first in (0, 300, 600)]
    for thread in threads: thread.start()
    while seen != wanted:
        hints = watcher.wait(5); assert hints; seen |= hints
    waiting = threading.Timer(0.1, local.drain); waiting.start()
    assert watcher.wait(30) == set() and watcher.draining
assert "gevent" not in sys.modules
"""


def test_the_same_on_plain_threads():
    subprocess.run([sys.executable, "-c", UNPATCHED], check=True, timeout=30)


def test_the_current_bus_can_be_replaced(local):
    before = bus.use(local)
    try:
        assert bus.current() is local
        with bus.watch([bus.account_topic(3), bus.device_topic(4), bus.QUEUE]) as watcher:
            assert watcher.topics == ("account:3", "device:4", "queue")
            bus.publish("queue")
            assert watcher.wait(0) == {("queue", "")}
    finally:
        assert bus.use(before) is local


def test_watchers_on_many_threads_come_and_go(local):
    def visit(number: int) -> None:
        for _ in range(20):
            with local.watch(["shared", f"own:{number}"]) as watcher:
                local.publish(f"own:{number}")
                assert (f"own:{number}", "") in watcher.wait(5)

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert local._by_topic == {}
