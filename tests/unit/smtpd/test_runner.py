"""The runner: everything due is attempted, recorded, a few at a time, and nothing stops it but us."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import gevent
import pytest
from gevent.event import Event

from appliance.errors import NotFound, TemporaryFailure
from appliance.items.next_hop import NextHop
from appliance.queue.entries import Entry
from smtpd import runner as runner_module
from smtpd.body import Body, body_in_memory
from smtpd.connections import ServerBusy
from smtpd.outcome import Delivered, Outcome, Retry
from smtpd.relay import RelayMessage
from smtpd.runner import Runner, RunnerConfig

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def entry(
    number: int, domain: str = "example.net", digest: bytes = b"", reverse_path: str = "a@example.test"
) -> Entry:
    return Entry(
        id=number,
        account_id=7,
        digest=digest or bytes([number % 256]) * 32,
        reverse_path=reverse_path,
        forward_path=f"user{number}@{domain}",
        domain=domain,
        needs_smtputf8=False,
        attempts=0,
        created_at=NOW,
        expires_at=NOW + timedelta(days=5),
        lease="x",
    )


class MemoryQueue:
    """Entries due at once; `trouble` are errors raised by the next calls of a method."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self.due = list(entries)
        self.records: list[tuple[int, Outcome]] = []
        self.notes: list[int] = []
        self.stuck: set[int] = set()  # entries whose outcome cannot be stored
        self.trouble: dict[str, list[Exception]] = {}
        self.missing: set[bytes] = set()
        self.claims: list[int] = []
        self.loads: list[int] = []
        self.hint = Event()

    def _may_fail(self, method: str) -> None:
        if self.trouble.get(method):
            raise self.trouble[method].pop(0)

    def claim(self, limit: int, lease_s: int, busy: Collection[str]) -> list[Entry]:
        self._may_fail("claim")
        claimed = [entry for entry in self.due if entry.domain not in busy][:limit]
        self.due = [entry for entry in self.due if entry not in claimed]
        self.claims.append(len(claimed))
        return claimed

    def next_hop(self, entry: Entry) -> NextHop | None:
        return None

    def load(self, entry: Entry) -> Body:
        self.loads.append(entry.id)
        if entry.digest in self.missing:
            raise NotFound("the message is gone")
        return body_in_memory(b"raw " + entry.digest)

    def note(self, entry: Entry, outcome: Outcome) -> None:
        self.notes.append(entry.id)

    def record(self, entry: Entry, outcome: Outcome) -> None:
        self._may_fail("record")
        if entry.id in self.stuck:
            raise TemporaryFailure("not this one")
        self.records.append((entry.id, outcome))

    def recover(self) -> None:
        self._may_fail("recover")

    def next_due(self) -> datetime | None:
        self._may_fail("next_due")
        return None

    def wait(self, timeout_s: float) -> None:
        self.hint.wait(timeout_s)
        self.hint.clear()


class MemoryRelay:
    """Delivers everything after `takes_s`; counts how many at once."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.calls: list[tuple[str, list[str], RelayMessage]] = []
        self.now = 0
        self.most = 0
        self.most_by_domain: dict[str, int] = {}
        self._by_domain: dict[str, int] = {}

    def deliver(self, domain: str, forward_paths: Sequence[str], message: RelayMessage) -> list[Outcome]:
        self.calls.append((domain, list(forward_paths), message))
        self.now += 1
        self._by_domain[domain] = self._by_domain.get(domain, 0) + 1
        self.most = max(self.most, self.now)
        self.most_by_domain[domain] = max(self.most_by_domain.get(domain, 0), self._by_domain[domain])
        gevent.sleep(self.takes_s)
        self.now -= 1
        self._by_domain[domain] -= 1
        if domain == "broken.example.net":
            raise RuntimeError("bug")
        return [Delivered("250 OK")] * len(forward_paths)


@contextmanager
def running(queue: MemoryQueue, relay: MemoryRelay, config: RunnerConfig | None = None) -> Iterator[Runner]:
    runner = Runner(queue, relay, config or RunnerConfig())
    runner.start()
    try:
        yield runner
    finally:
        runner.stop(2)


def eventually(condition: Callable[[], object], timeout_s: float = 3) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "never became true"
        gevent.sleep(0.005)


def test_everything_due_is_attempted_and_recorded() -> None:
    queue, relay = MemoryQueue([entry(n, f"d{n % 7}.example.net") for n in range(100)]), MemoryRelay()
    with running(queue, relay):
        eventually(lambda: len(queue.records) == 100)
    assert sorted(number for number, _ in queue.records) == list(range(100))
    assert all(outcome == Delivered("250 OK") for _, outcome in queue.records)


def test_a_hint_wakes_it_at_once() -> None:
    queue, relay = MemoryQueue(), MemoryRelay()
    with running(queue, relay):
        eventually(lambda: queue.claims)
        queue.due.append(entry(1))
        began = time.monotonic()
        queue.hint.set()
        eventually(lambda: queue.records)
        assert time.monotonic() - began < 10, "it waited for its next look"


def test_a_lost_hint_costs_one_poll_interval() -> None:
    queue, relay = MemoryQueue(), MemoryRelay()
    with running(queue, relay, RunnerConfig(poll_interval_s=0.1)):
        eventually(lambda: queue.claims)
        queue.due.append(entry(1))
        eventually(lambda: queue.records, 1)


def test_one_message_to_one_domain_travels_once() -> None:
    digest = b"d" * 32
    queue = MemoryQueue(
        [
            entry(1, digest=digest),
            entry(2, digest=digest),
            entry(3, "other.example.net", digest),
            entry(4, digest=digest, reverse_path=""),
        ]
    )
    relay = MemoryRelay()
    with running(queue, relay):
        eventually(lambda: len(queue.records) == 4)
    assert sorted((domain, paths) for domain, paths, _ in relay.calls) == [
        ("example.net", ["user1@example.net", "user2@example.net"]),
        ("example.net", ["user4@example.net"]),
        ("other.example.net", ["user3@other.example.net"]),
    ]
    assert all(b"".join(message.body.pieces()) == b"raw " + digest for _, _, message in relay.calls)


def test_ceilings_in_all_and_per_domain() -> None:
    entries = [entry(n, "slow.example.net") for n in range(12)]
    entries += [entry(n, f"d{n}.example.net") for n in range(12, 24)]
    queue, relay = MemoryQueue(entries), MemoryRelay(0.02)
    with running(queue, relay, RunnerConfig(concurrency=6, per_domain_max=2)):
        eventually(lambda: len(queue.records) == 24)
    assert relay.most <= 6
    assert relay.most_by_domain["slow.example.net"] == 2


def test_one_slow_domain_does_not_hold_up_the_others() -> None:
    entries = [entry(n, "slow.example.net") for n in range(60)] + [entry(60, "quick.example.net")]
    queue, relay = MemoryQueue(entries), MemoryRelay(0.3)
    with running(queue, relay, RunnerConfig(concurrency=10, per_domain_max=2)):
        eventually(lambda: any(domain == "quick.example.net" for domain, _, _ in relay.calls), 1)


def test_a_message_is_read_and_signed_once_however_often_its_server_is_busy() -> None:
    class BusyRelay(MemoryRelay):
        def deliver(self, domain: str, forward_paths: Sequence[str], message: RelayMessage) -> list[Outcome]:
            if len(self.calls) < 5:
                self.calls.append((domain, list(forward_paths), message))
                raise ServerBusy("hub.example.net")
            return super().deliver(domain, forward_paths, message)

    queue, relay = MemoryQueue([entry(1)]), BusyRelay()
    with running(queue, relay, RunnerConfig(busy_pause_s=0.01)):
        eventually(lambda: queue.records)
    assert (len(relay.calls), queue.loads) == (6, [1])


def test_a_bug_in_an_attempt_is_a_retry() -> None:
    queue = MemoryQueue([entry(1, "broken.example.net"), entry(2)])
    with running(queue, MemoryRelay()):
        eventually(lambda: len(queue.records) == 2)
    assert isinstance(dict(queue.records)[1], Retry)
    assert isinstance(dict(queue.records)[2], Delivered)


def test_a_message_that_is_gone_is_a_retry() -> None:
    queue = MemoryQueue([entry(1)])
    queue.missing = {entry(1).digest}
    with running(queue, MemoryRelay()):
        eventually(lambda: queue.records)
    assert isinstance(dict(queue.records)[1], Retry)


def test_trouble_with_the_queue_passes() -> None:
    queue = MemoryQueue([entry(1)])
    queue.trouble = {"record": [TemporaryFailure("busy"), TemporaryFailure("busy")]}
    with running(queue, MemoryRelay()):
        eventually(lambda: queue.records, 5)
    assert queue.records == [(1, Delivered("250 OK"))]


def test_an_outcome_is_stored_however_long_that_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "RECORD_PAUSES_S", (0.01, 0.02))
    queue = MemoryQueue([entry(1)])
    queue.trouble = {"record": [TemporaryFailure("disk full")] * 20}
    with running(queue, MemoryRelay()):
        eventually(lambda: queue.records, 10)
    assert queue.records == [(1, Delivered("250 OK"))]


def test_one_that_cannot_be_stored_holds_up_no_other() -> None:
    queue = MemoryQueue([entry(1), entry(2), entry(3)])
    queue.stuck = {1}
    with running(queue, MemoryRelay(), RunnerConfig(concurrency=1, per_domain_max=1)):
        eventually(lambda: len(queue.records) == 2, 10)
        assert [number for number, _ in queue.records] == [2, 3]
        queue.stuck = set()
    assert [number for number, _ in queue.records] == [2, 3, 1], "tried once more at the end"


def test_with_too_many_that_cannot_be_stored_nothing_more_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner_module, "UNRECORDED_MAX", 2)
    monkeypatch.setattr(runner_module, "RECORD_PAUSES_S", (0.05,))
    queue, relay = MemoryQueue([entry(1), entry(2)]), MemoryRelay()
    queue.stuck = {1, 2}
    with running(queue, relay, RunnerConfig(poll_interval_s=0.05)):
        eventually(lambda: len(relay.calls) == 2)
        queue.due.append(entry(3))
        gevent.sleep(0.3)
        assert len(relay.calls) == 2
        queue.stuck = set()
        eventually(lambda: len(queue.records) == 3)


def test_all_deliveries_are_noted_before_one_is_stored() -> None:
    """Storing may take longer than the lease."""
    queue = MemoryQueue([entry(n, digest=b"d" * 32) for n in (1, 2, 3)])
    noted_at_record: list[list[int]] = []
    record = queue.record
    queue.record = lambda *args: (noted_at_record.append(list(queue.notes)), record(*args))[1]  # type: ignore[method-assign]
    with running(queue, MemoryRelay()):
        eventually(lambda: len(queue.records) == 3)
    assert noted_at_record[0] == [1, 2, 3]


def test_trouble_while_claiming_passes(monkeypatch: object) -> None:
    queue = MemoryQueue([entry(1)])
    queue.trouble = {"claim": [TemporaryFailure("busy")]}
    with running(queue, MemoryRelay(), RunnerConfig(poll_interval_s=0.1)):
        eventually(lambda: queue.records)


def test_stopping_lets_attempts_finish() -> None:
    queue, relay = MemoryQueue([entry(1)]), MemoryRelay(0.2)
    with running(queue, relay) as runner:
        eventually(lambda: relay.now == 1)
        queue.due.append(entry(2))
        runner.stop(2)
    assert [number for number, _ in queue.records] == [1]


def test_stopping_cuts_what_does_not_finish() -> None:
    queue, relay = MemoryQueue([entry(1)]), MemoryRelay(60)
    with running(queue, relay) as runner:
        eventually(lambda: relay.now == 1)
        began = time.monotonic()
        runner.stop(0.1)
        assert time.monotonic() - began < 30, "it waited for the attempt"
    assert queue.records == []


def test_what_waited_too_long_is_left_to_its_lease() -> None:
    queue, relay = MemoryQueue([entry(n) for n in range(3)]), MemoryRelay(0.2)
    with running(queue, relay, RunnerConfig(per_domain_max=1, start_within_s=0.1)):
        eventually(lambda: queue.records)
        gevent.sleep(0.4)
    assert len(relay.calls) == 1
