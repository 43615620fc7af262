"""Kill -9 a runner of the outgoing queue in the middle of its work, again and again; then count.

    python -m tests.e2e.queue_crash --rounds 1000 [--seed N]

Every message is accepted (its row is committed) before it counts; a server of ours takes it and remembers
each time it said 250. Lost must be none. Twice is allowed only where a kill fell between the server's 250
and our note of it: then the first 250 was the last thing that happened to it in its round.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from appliance import bus, db
from appliance.queue import entries
from appliance.store import blobs
from tests.clients.appliance_process import ROOT, read_process
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx, Received

PER_ROUND = (4, 24)
LARGE_BYTES = 200_000  # in a file of its own
KILL_AFTER_S = (0.0, 0.35)
FINISH_S = 120.0
DOMAINS = ("one.example.net", "two.example.net", "three.example.net")
_TOKEN = re.compile(rb"^Subject: (t\d+-\d+)\r\n", re.M)


class Server(FakeMx):
    """Remembers from which round's runner it took each message; sometimes refuses for now."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.taken: dict[str, list[int]] = defaultdict(list)
        self._dice = dice

    def reply_to(self, verb: str) -> str:
        if verb in ("RCPT", "MESSAGE") and self._dice.random() < 0.05:
            return "451 4.3.0 later"
        return super().reply_to(verb)

    def took(self, message: Received) -> None:
        if not message.recipients:
            return  # an empty one, after every recipient was refused (RFC 2920 3.1)
        found = _TOKEN.search(message.body)
        assert found, "a message that is none of ours"
        # The runner says who it is: what a dead one had sent may be read when the next one has begun.
        self.taken[found[1].decode()].append(int(message.helo.partition(".")[0].removeprefix("round")))


@dataclass
class Outcome:
    """What a run showed; `faults` is empty when every promise was kept."""

    rounds: int
    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    known: int = 0
    faults: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            f"{self.rounds} rounds, {self.accepted} messages accepted, {len(self.lost)} lost,"
            f" {len(self.twice)} delivered twice",
            f"{self.known} times a kill fell between the server's 250 and the commit, and the note of the"
            " delivery kept the message from going twice",
        ]
        return "\n".join([*lines, *(f"FAULT {fault}" for fault in self.faults)])


class Runners:
    """Forks runners and kills them."""

    def __init__(self, data: Path, dns_port: int, mx_port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.queue_child", str(data), str(dns_port), str(mx_port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self, number: int) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{number}\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def kill(self, pid: int) -> None:
        """Kill one -9 and wait until it is gone."""
        os.kill(pid, signal.SIGKILL)
        while read_process(pid) is not None:
            time.sleep(0.002)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)


@contextmanager
def office(data: Path) -> Iterator[None]:
    """Open the database as the one who accepts mail."""
    db.open("sqlite", data)
    blobs.configure(data)
    before = bus.use(bus.LocalBus())
    try:
        yield
    finally:
        bus.use(before)
        db.close()


def crash(rounds: int, seed: int, *, report_every: int = 0) -> Outcome:
    """Do it."""
    dice = random.Random(seed)
    outcome = Outcome(rounds)
    zones = {domain: {"MX": ["10 mx.example.net."]} for domain in DOMAINS}
    zones["mx.example.net"] = {"A": ["127.0.0.1"]}
    with (
        tempfile.TemporaryDirectory(prefix="queue-crash-") as folder,
        FakeDns(zones) as dns,
        Server(dice) as server,
        office(data := Path(folder)),
    ):
        runners = Runners(data, dns.port, server.port)
        accepted: list[str] = []
        try:
            for number in range(1, rounds + 1):
                accepted += accept(number, dice)
                pid = runners.start(number)
                wait_for_work(server, sum(map(len, server.taken.values())), accepted)
                time.sleep(dice.uniform(*KILL_AFTER_S))
                runners.kill(pid)
                if report_every and number % report_every == 0:
                    print(f"  {number} rounds, {len(accepted)} accepted", file=sys.stderr, flush=True)
            pid = runners.start(rounds + 1)
            finish()
            runners.kill(pid)
        finally:
            runners.close()
        judge(outcome, accepted, server, rounds)
        log = data / "logs" / "email_processing.log"
        outcome.known = log.read_text().count("name=known_delivered") if log.exists() else 0
    return outcome


def accept(number: int, dice: random.Random) -> list[str]:
    """Take responsibility for some messages; returns their tokens."""
    tokens = [f"t{number}-{index}" for index in range(dice.randint(*PER_ROUND))]
    for token in tokens:
        body = "x" * (LARGE_BYTES if dice.random() < 0.05 else 50)
        raw = f"From: a@example.test\r\nSubject: {token}\r\n\r\n{body}\r\n".encode()
        domain = dice.choice(DOMAINS)
        entries.add(
            blobs.put(raw),
            account_id=None,
            reverse_path="a@example.test",
            recipients=[(f"b@{domain}", domain)],
            now=datetime.now(UTC),
        )
    return tokens


def wait_for_work(server: Server, before: int, accepted: list[str]) -> None:
    """Wait until the runner has begun to deliver, or there is nothing left to deliver."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and len(server.taken) < len(accepted):
        if sum(map(len, server.taken.values())) > before:
            return
        time.sleep(0.001)


def finish() -> None:
    """Wait until the queue is empty."""
    deadline = time.monotonic() + FINISH_S
    while time.monotonic() < deadline:
        with db.connection():
            if not entries.list_entries(1):
                return
        time.sleep(0.1)


def judge(outcome: Outcome, accepted: list[str], server: Server, rounds: int) -> None:
    outcome.accepted = len(accepted)
    outcome.lost = [token for token in accepted if token not in server.taken]
    outcome.twice = [token for token, taken in server.taken.items() if len(taken) > 1]
    outcome.faults += [f"lost: {token}" for token in outcome.lost]
    for token in outcome.twice:
        taken = server.taken[token]
        if len(set(taken)) < len(taken) or taken[0] > rounds:
            outcome.faults.append(f"twice without a kill in between: {token} in rounds {taken}")
    with db.connection():
        left = [entry.forward_path for entry in entries.list_entries()]
    outcome.faults += [f"still in the queue: {path}" for path in left]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=365)
    chosen = parser.parse_args()
    started = time.monotonic()
    outcome = crash(chosen.rounds, chosen.seed, report_every=50)
    print(outcome.text())
    print(f"{time.monotonic() - started:.0f} s, seed {chosen.seed}")
    return 1 if outcome.faults else 0


if __name__ == "__main__":
    sys.exit(main())
