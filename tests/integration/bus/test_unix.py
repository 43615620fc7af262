"""The bus on one machine: bursts lose nothing, dead and silent peers do no harm."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import gevent
import pytest
from gevent.monkey import get_original

from appliance import metrics
from appliance.bus import Hint
from appliance.net import bus_wire
from appliance.net.bus_unix import UnixBus

WORLDS = ["gevent", "threads"]


@pytest.fixture
def bus(tmp_path, closing):
    return closing(UnixBus(tmp_path, "test"))


def eventually(condition, seconds: float = 5.0) -> None:
    with gevent.Timeout(seconds, AssertionError("did not happen in time")):
        while not condition():
            gevent.sleep(0.005)


@pytest.mark.parametrize("world", WORLDS)
def test_hints_travel_both_ways(bus, start_peer, world):
    peer = start_peer("account:1", world=world)
    bus.publish("account:1", "5")
    assert peer.heard() == {("account:1", "5")}
    with bus.watch(["account:2"]) as watcher:
        peer.publish("account:1", "6")
        assert peer.heard() == {("account:1", "6")}, "the publisher's own process is told directly"
        peer.publish("account:2", "7")
        assert watcher.wait(10) == {("account:2", "7")}


def test_own_hints_do_not_come_back(bus):
    with bus.watch(["t"]) as watcher:
        bus.publish("t", "1")
        assert watcher.wait(0) == {("t", "1")}
        assert watcher.wait(0.05) == set()


def test_a_process_that_came_a_moment_ago_is_found(bus, tmp_path, closing):
    """Sockets made within one tick of the directory's time stamp are seen by the next publish."""
    for _ in range(20):
        newcomer = closing(UnixBus(tmp_path, "new"))
        with newcomer.watch(["t"]) as watcher:
            bus.publish("t")
            assert watcher.wait(5) == {("t", "")}


def test_native_threads_reach_other_processes(bus, start_peer):
    peer = start_peer("account:1")
    get_original("_thread", "start_new_thread")(bus.publish, ("account:1", "5"))
    assert peer.heard() == {("account:1", "5")}


@pytest.mark.parametrize("world", WORLDS)
def test_a_burst_loses_no_topic(bus, start_peer, world):
    """20,000 publishes of 5,000 topics, many more than the kernel queues."""
    topics = [f"account:{number}" for number in range(5000)]
    peer = start_peer("account:*5000", world=world)
    for number in range(20_000):
        bus.publish(topics[number % 5000], "1")
        if number % 100 == 0:
            gevent.sleep(0)
    peer.hears_topics(topics)


def test_a_burst_from_two_sides_loses_no_topic(bus, start_peer):
    topics = [f"account:{number}" for number in range(500)]
    peer = start_peer("unheard")
    seen: set[str] = set()
    with bus.watch(topics) as watcher:
        for topic in topics:
            peer.publish(topic)
            bus.publish("unheard", topic)
        with gevent.Timeout(20):
            while len(seen) < 500:
                seen |= {hint.topic for hint in watcher.wait(10)}
    peer.hears_all({Hint("unheard", topic) for topic in topics})


def test_a_killed_peer_does_no_harm_and_is_cleaned_up(bus, tmp_path, start_peer):
    victim, survivor = start_peer("t"), start_peer("t")
    bus.publish("t", "1")
    assert victim.heard() == survivor.heard() == {("t", "1")}
    before = metrics.sample("appliance_bus_dead_peers_total")
    victim.kill()
    assert len(list((tmp_path / "bus").iterdir())) == 3
    bus.publish("t", "2")
    assert survivor.heard() == {("t", "2")}
    eventually(lambda: len(list((tmp_path / "bus").iterdir())) == 2)
    assert metrics.sample("appliance_bus_dead_peers_total") == before + 1


def test_what_a_crash_left_is_removed_by_the_next_start(bus, tmp_path, closing):
    left = tmp_path / "bus" / "web-1-deadbeef.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as crashed:
        crashed.bind(str(left))
    bus.publish("t")
    eventually(lambda: not left.exists())


def test_a_silent_peer_delays_nobody_and_gets_everything_later(bus, start_peer):
    topics = [f"account:{number}" for number in range(3000)]
    silent, lively = start_peer("account:*3000"), start_peer("ping")
    silent.signal(signal.SIGSTOP)
    for round_ in range(3):
        for topic in topics:
            bus.publish(topic, str(round_))
        gevent.sleep(0.02)
    began = time.monotonic()
    bus.publish("ping")
    assert lively.heard() == {("ping", "")}
    assert time.monotonic() - began < 2
    silent.signal(signal.SIGCONT)
    silent.hears_topics(topics)


def test_too_much_for_a_silent_peer_becomes_look_at_everything(bus, start_peer, monkeypatch):
    monkeypatch.setattr(bus_wire, "OUTBOX_HINTS_MAX", 2000)
    peer = start_peer("one", "two")
    peer.signal(signal.SIGSTOP)
    for number in range(30_000):
        bus.publish(f"account:{number}", "x" * 150)
        if number % 1000 == 0:
            gevent.sleep(0.002)
    gevent.sleep(0.05)
    peer.signal(signal.SIGCONT)
    peer.hears_all({Hint("one"), Hint("two")})


def test_a_short_lived_publisher_is_heard(bus, tmp_path):
    """The command line publishes and ends at once."""
    script = (
        "import sys; from pathlib import Path; from appliance.net.bus_open import open_bus\n"
        "bus = open_bus('unix', Path(sys.argv[1]), 'cli'); bus.publish('credentials'); bus.close()\n"
    )
    with bus.watch(["credentials"]) as watcher:
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=30)
        assert watcher.wait(5) == {("credentials", "")}
    assert [path.name.split("-")[0] for path in (tmp_path / "bus").iterdir()] == ["test"]


def test_garbage_on_the_socket_is_ignored(bus):
    with bus.watch(["t"]) as watcher, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        for datagram in (b"", b"\0\xff", b"t", b"\t\n", os.urandom(3000), b"t\t1\n"):
            stranger.sendto(datagram, str(bus.path))
        assert watcher.wait(5) == {("t", "1")}


def test_a_long_path_works(tmp_path, closing, start_peer):
    """A socket address holds 107 bytes; data directories may be deeper."""
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    bus = closing(UnixBus(deep, "test"))
    assert len(str(bus.path)) > 107
    peer = start_peer("t", run_dir=deep)
    bus.publish("t")
    assert peer.heard() == {("t", "")}
    with bus.watch(["back"]) as watcher:
        peer.publish("back")
        assert watcher.wait(5) == {("back", "")}


def test_closing_removes_the_socket_and_peers_forget_it(bus, tmp_path):
    other = UnixBus(tmp_path, "other")
    bus.publish("t")
    eventually(lambda: len(bus._peers._by_name) == 1)
    other.close()
    assert list((tmp_path / "bus").iterdir()) == [bus.path]
    bus.publish("t")
    eventually(lambda: len(bus._peers._by_name) == 0)


def test_a_removed_directory_is_logged_not_fatal(bus, tmp_path, start_peer, caplog):
    peer = start_peer("t")
    bus.publish("t", "1")
    assert peer.heard() == {("t", "1")}
    for path in (tmp_path / "bus").iterdir():
        path.unlink()
    (tmp_path / "bus").rmdir()
    bus.publish("t", "2")
    assert peer.heard() == {("t", "2")}, "peers that are connected stay so"
    assert "bus.directory_lost" in caplog.text


def test_idle_costs_no_processor_time(tmp_path, start_peer):
    peer = start_peer("t")

    def ticks() -> int:
        fields = Path(f"/proc/{peer.process.pid}/stat").read_text().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])

    gevent.sleep(0.3)
    before = ticks()
    gevent.sleep(1.5)
    assert ticks() - before <= 1, "an idle bus must not poll"
