"""The bus between machines, on a real Redis that is stopped and started."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from appliance.bus import Hint
from appliance.net import bus_redis
from appliance.net.bus_redis import RedisBus

pytestmark = pytest.mark.skipif(not shutil.which("redis-server"), reason="redis-server is not installed")


class Server:
    """A Redis of this test's own on a free loopback port."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--save",
            "",
            "--appendonly",
            "no",
        ]
        self.process = subprocess.Popen(
            [*command, "--dir", str(self.directory)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        with gevent.Timeout(10, AssertionError("redis-server did not start")):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", self.port), 1).close()
                    return
                except OSError:
                    gevent.sleep(0.02)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[Server]:
    monkeypatch.setattr(bus_redis, "BACKOFF_MAX_S", 0.2)
    running = Server(tmp_path)
    running.start()
    yield running
    running.stop()


def subscribed(bus: RedisBus) -> RedisBus:
    """Wait until the bus listens: the first subscription wakes everybody."""
    assert bus._subscribed.wait(10)
    return bus


@pytest.mark.parametrize("world", ["gevent", "threads"])
def test_hints_travel_both_ways(server, closing, start_peer, world):
    bus = subscribed(closing(RedisBus(server.url)))
    peer = start_peer("account:1", url=server.url, world=world)
    bus.publish("account:1", "5")
    peer.hears_all({Hint("account:1", "5")})
    with bus.watch(["account:2"]) as watcher:
        peer.publish("account:2", "7")
        assert watcher.wait(10) == {("account:2", "7")}


def test_own_hints_are_delivered_once_and_at_once(server, closing):
    bus = subscribed(closing(RedisBus(server.url)))
    with bus.watch(["t"]) as watcher:
        bus.publish("t", "1")
        assert watcher.wait(0) == {("t", "1")}
        assert watcher.wait(0.2) == set()


def test_a_burst_loses_no_topic(server, closing, start_peer):
    topics = [f"account:{number}" for number in range(5000)]
    bus = subscribed(closing(RedisBus(server.url)))
    peer = start_peer("account:*5000", url=server.url)
    for number in range(20_000):
        bus.publish(topics[number % 5000], "1")
        if number % 100 == 0:
            gevent.sleep(0)
    peer.hears_topics(topics)


def test_a_restart_wakes_everyone(server, closing, start_peer):
    bus = subscribed(closing(RedisBus(server.url)))
    peer = start_peer("account:1", "device:7", url=server.url)
    with bus.watch(["account:2"]) as watcher:
        bus.publish("account:1", "before")
        peer.hears_all({Hint("account:1", "before")})
        server.stop()
        waiting = gevent.spawn(watcher.wait, 30)
        gevent.sleep(0.3)
        assert not waiting.ready(), "an outage alone is no news"
        server.start()
        assert waiting.get(timeout=10) == {("account:2", "")}
        peer.hears_all({Hint("account:1"), Hint("device:7")})
        bus.publish("account:1", "after")
        peer.hears_all({Hint("account:1", "after")})


def test_what_is_published_during_an_outage_goes_out_after_it(server, closing, start_peer):
    bus = subscribed(closing(RedisBus(server.url)))
    peer = start_peer("t", url=server.url)
    server.stop()
    with bus.watch(["t"]) as watcher:
        for number in range(50):
            bus.publish("t", str(number))
        assert len(watcher.wait(0)) == 50, "this process is told without Redis"
    server.start()
    peer.hears_all({Hint("t")})
    assert bus._outbox is not None
    with gevent.Timeout(10):
        while len(bus._outbox):
            gevent.sleep(0.02)


def test_it_starts_without_a_server(server, closing):
    server.stop()
    bus = closing(RedisBus(server.url))
    with bus.watch(["t"]) as watcher:
        waiting = gevent.spawn(watcher.wait, 30)
        gevent.sleep(0.3)
        assert not waiting.ready()
        server.start()
        assert waiting.get(timeout=10) == {("t", "")}


def test_a_lost_connection_alone_wakes_everyone(server, closing):
    bus = subscribed(closing(RedisBus(server.url)))
    with bus.watch(["t"]) as watcher:
        with socket.create_connection(("127.0.0.1", server.port)) as control:
            control.sendall(b"CLIENT KILL TYPE pubsub\r\n")
            assert control.recv(100).startswith(b":1")
        assert watcher.wait(10) == {("t", "")}


def test_a_silent_server_is_left(server, closing, monkeypatch):
    """A half-open connection: the server's machine is gone and nothing ever comes back."""
    monkeypatch.setattr(bus_redis, "PING_AFTER_S", 0.1)
    monkeypatch.setattr(bus_redis, "SILENCE_MAX_S", 0.5)
    bus = subscribed(closing(RedisBus(server.url)))
    assert server.process is not None
    with bus.watch(["t"]) as watcher:
        assert watcher.wait(1.0) == set(), "a healthy idle server answers PING"
        server.process.send_signal(19)
        gevent.sleep(1.0)
        server.process.send_signal(18)
        assert watcher.wait(15) == {("t", "")}


@pytest.mark.parametrize("up", [True, False], ids=["server-up", "server-down"])
def test_closing_ends_in_time(server, up):
    bus = RedisBus(server.url)
    if up:
        subscribed(bus)
    else:
        server.stop()
        bus.publish("t")
        gevent.sleep(0.1)
    with gevent.Timeout(5):
        bus.close()
    with gevent.Timeout(5):
        bus._listener.join()
        bus._sender.join()


def test_a_wrong_url_is_refused():
    with pytest.raises(ValueError, match="scheme"):
        RedisBus("ftp://127.0.0.1/")
