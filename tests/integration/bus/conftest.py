"""Real processes on a real bus."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest

from appliance.bus import Bus, Hint

PEER = Path(__file__).with_name("peer.py")
REPOSITORY = Path(__file__).parents[3]


class Peer:
    """Another process on the bus."""

    def __init__(self, url: str, run_dir: Path, world: str, topics: tuple[str, ...]) -> None:
        command = [sys.executable, str(PEER), url, str(run_dir), world, *topics]
        self.process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={"PYTHONPATH": str(REPOSITORY)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.line() == b"ready\n"

    def line(self) -> bytes:
        assert self.process.stdout is not None
        with gevent.Timeout(20, AssertionError("the peer said nothing")):
            return self.process.stdout.readline()

    def heard(self) -> set[Hint]:
        """Wait for and return the next set of hints."""
        return {Hint(*pair) for pair in json.loads(self.line())}

    def hears_all(self, wanted: set[Hint]) -> None:
        """Read until everything wanted was heard."""
        missing = set(wanted)
        while missing:
            missing -= self.heard()

    def hears_topics(self, wanted: list[str]) -> None:
        """Read until every topic was heard: many at once may come as "anything" under each."""
        missing = set(wanted)
        while missing:
            missing -= {hint.topic for hint in self.heard()}

    def publish(self, topic: str, payload: str = "") -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{topic}\t{payload}\n".encode())
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def end(self) -> None:
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.process.communicate(timeout=20)  # ends its input and reads the rest, so that it never blocks


@pytest.fixture
def start_peer(tmp_path) -> Iterator[Callable[..., Peer]]:
    """Start peers that share this test's run directory; they end with the test."""
    peers: list[Peer] = []

    def start(*topics: str, url: str = "unix", world: str = "gevent", run_dir: Path = tmp_path) -> Peer:
        peers.append(Peer(url, run_dir, world, topics))
        return peers[-1]

    yield start
    for peer in peers:
        peer.end()


@pytest.fixture
def closing() -> Iterator[Callable[[Bus], Bus]]:
    """Close buses made by a test when it ends."""
    made: list[Bus] = []

    def keep(bus: Bus) -> Bus:
        made.append(bus)
        return bus

    yield keep
    for bus in made:
        bus.close()
