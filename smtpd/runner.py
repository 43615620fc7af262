# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Works off the outgoing queue: claims what is due, attempts it in a bounded pool, records what it came to.

Owns greenlets and fairness: a ceiling on attempts in all and per domain, so that one slow domain does not
hold up the others. Leaves rows, schedule and reports to the queue behind `services.Queue`, and the attempt
itself to `relay`.

Entries for the same message and domain travel in one transaction. An entry is removed from the queue only
together with its outcome; a runner that dies leaves a lease that expires (at least once, RFC 5321 6.1). An
outcome that cannot be stored is tried for as long as we live.
"""

import logging
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Protocol

import gevent
from gevent.event import Event
from gevent.pool import Group, Pool

from appliance import logs
from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.items.envelope import RecipientWishes
from appliance.queue.entries import Entry
from smtpd import counters
from smtpd.connections import ServerBusy
from smtpd.outcome import Delivered, Failed, Outcome, Retry
from smtpd.relay import RelayMessage
from smtpd.services import Queue

TROUBLE_PAUSE_S = 5.0
RECORD_PAUSES_S = (0.5, 2.0, 8.0, 30.0, 120.0)
"""Between tries to store an outcome; the last one repeats."""
UNRECORDED_MAX = 1_000
"""With so many outcomes that cannot be stored nothing more is claimed."""
RECORD_END_S = 2.0
INTERNAL = Retry("451 4.3.0 Local error")

logger = logging.getLogger("appliance.smtp")


type _Key = tuple[str, bytes, str, tuple[str, str, str], bool]
"""Entries with the same one travel in one transaction."""


class Deliverer(Protocol):
    """`relay.Relay`, or a stand-in."""

    def deliver(self, domain: str, forward_paths: Sequence[str], message: RelayMessage) -> list[Outcome]: ...


@dataclass(frozen=True)
class RunnerConfig:
    """How much at a time. lease_s: at least start_within_s and the relay's attempt deadline together."""

    concurrency: int = 20
    per_domain_max: int = 5
    waiting_max: int = 200  # groups claimed and waiting for their domain's turn
    waiting_per_domain_max: int = 10  # then no more of this domain is claimed
    busy_pause_s: float = 0.25  # before a server that had too many connections is asked for again
    lease_s: int = 900
    start_within_s: float = 100.0  # a group that waited longer is left to its lease
    poll_interval_s: float = 30.0


@dataclass
class _Group:
    """Entries that travel together. message: theirs, read and signed, once an attempt has begun."""

    entries: list[Entry]
    claimed_at: float
    message: RelayMessage | None = None


class Runner:
    """Start it, and stop it before the process ends."""

    def __init__(
        self, queue: Queue, relay: Deliverer, config: RunnerConfig, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._queue = queue
        self._relay = relay
        self._config = config
        self._clock = clock
        self._pool = Pool(config.concurrency)
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[_Group]] = OrderedDict()
        self._busy_until: dict[str, float] = {}  # monotonic, by domain
        self._wake = Event()
        self._stopping = Event()
        self._recording = Group()  # what could not be stored at once
        self._greenlets: list[gevent.Greenlet] = []

    def start(self) -> None:
        """Begin to work in greenlets of its own."""
        self._greenlets = [gevent.spawn(self._run), gevent.spawn(self._listen)]

    def stop(self, timeout_s: float = 25.0) -> None:
        """Claim nothing more, let attempts under way finish for `timeout_s`, then cut them. Blocks.

        What was claimed and not begun, or cut, is tried again when its lease ends. What could not be stored
        is tried once more.
        """
        self._stopping.set()
        self._wake.set()
        gevent.killall(self._greenlets[1:])
        gevent.joinall(self._greenlets[:1], timeout=timeout_s)
        self._pool.join(timeout_s)
        cut = len(self._pool)
        self._pool.kill()
        if cut or self._waiting:
            unstarted = sum(len(groups) for groups in self._waiting.values())
            logs.event(logger, "runner_cut", level=logging.WARNING, running=cut, waiting=unstarted)
        self._recording.join(RECORD_END_S)
        if len(self._recording):
            logs.event(logger, "outcomes_unrecorded", level=logging.ERROR, entries=len(self._recording))
        self._recording.kill()

    def _listen(self) -> None:
        """Turn hints into wake-ups; also a wake-up each poll interval, should a hint get lost."""
        while True:
            try:
                self._queue.wait(self._config.poll_interval_s)
            except Exception as error:  # noqa: BLE001 - the top of a greenlet
                logs.event(logger, "runner_trouble", level=logging.ERROR, exc_info=error)
                gevent.sleep(TROUBLE_PAUSE_S)
            self._wake.set()

    def _run(self) -> None:
        recover_at = 0.0
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if time.monotonic() >= recover_at:
                    self._queue.recover()
                    recover_at = time.monotonic() + self._config.poll_interval_s
                claimed = self._claim()
                self._start_waiting()
                pause_s = 0.0 if claimed else self._pause_s()
            except Exception as error:  # noqa: BLE001 - the top of a greenlet
                logs.event(logger, "runner_trouble", level=logging.ERROR, exc_info=error)
                pause_s = TROUBLE_PAUSE_S
            if pause_s:
                self._wake.wait(pause_s)

    def _claim(self) -> int:
        """Claim what could be started now and a little more; return the number of entries.

        More, because a claim is a commit: one for each attempt would be all the disk has time for.
        """
        room = self._room()
        waiting = sum(len(groups) for groups in self._waiting.values())
        if len(self._recording) >= UNRECORDED_MAX:
            return 0
        if room <= 0 or waiting >= self._config.waiting_max or self._startable() >= room:
            return 0
        full = max(self._config.waiting_per_domain_max, 2 * self._config.per_domain_max)
        busy = {domain for domain, groups in self._waiting.items() if len(groups) >= full}
        entries = self._queue.claim(room + self._config.concurrency, self._config.lease_s, busy)
        now = time.monotonic()
        together: dict[_Key, list[Entry]] = {}
        for entry in entries:
            together.setdefault(_key(entry), []).append(entry)
        for members in together.values():
            group = _Group(members, now)
            self._waiting.setdefault(group.entries[0].domain, deque()).append(group)
        return len(entries)

    def _startable(self) -> int:
        """Return how many groups that wait only wait for room."""
        return sum(
            min(len(groups), max(self._config.per_domain_max - self._running[domain], 0))
            for domain, groups in self._waiting.items()
            if self._busy_until.get(domain, 0.0) <= time.monotonic()
        )

    def _start_waiting(self) -> None:
        """Start what may start; domains take turns."""
        for domain in list(self._waiting):
            groups = self._waiting[domain]
            while groups and self._may_start(domain):
                group = groups.popleft()
                if time.monotonic() - group.claimed_at > self._config.start_within_s:
                    logs.event(logger, "lease_let_go", domain=domain, entries=len(group.entries))
                    continue
                self._running[domain] += 1
                self._pool.spawn(self._attempt, group)
            if not groups:
                del self._waiting[domain]
            else:
                self._waiting.move_to_end(domain)

    def _may_start(self, domain: str) -> bool:
        if self._busy_until.get(domain, 0.0) > time.monotonic():
            return False
        self._busy_until.pop(domain, None)
        return self._room() > 0 and self._running[domain] < self._config.per_domain_max

    def _room(self) -> int:
        """Return how many attempts may begin. Not the pool's own count: a greenlet that wakes us at its
        end is still in the pool at that moment."""
        return self._config.concurrency - self._running.total()

    def _pause_s(self) -> float:
        """Return how long nothing will become due; an attempt that ends and a hint wake us before."""
        if self._busy_until:
            return self._config.busy_pause_s
        due = self._queue.next_due() if not self._waiting and self._room() > 0 else None
        longest = self._config.poll_interval_s
        if due is None:
            return longest
        # Never nothing: what is due and was not claimed is held by another runner.
        return min(max((due - self._clock.now()).total_seconds(), 0.2), longest)

    def _attempt(self, group: _Group) -> None:
        first = group.entries[0]
        try:
            outcomes = list(zip(group.entries, self._outcomes(group), strict=True))
            for entry, outcome in outcomes:  # all of them before the first record, which may take its time
                self._queue.note(entry, outcome)
            for entry, outcome in outcomes:
                self._record(entry, outcome)
        except ServerBusy:
            # Its servers are busy with other domains' mail: it comes after what waits already.
            self._busy_until[first.domain] = time.monotonic() + self._config.busy_pause_s
            self._waiting.setdefault(first.domain, deque()).append(group)
        finally:
            self._running[first.domain] -= 1
            if not self._running[first.domain]:
                del self._running[first.domain]
            self._wake.set()

    def _outcomes(self, group: _Group) -> list[Outcome]:
        entries = group.entries
        first = entries[0]
        try:
            with counters.RELAY_SECONDS.time():
                group.message = message = group.message or self._message(entries)
                paths = list(dict.fromkeys(entry.forward_path for entry in entries))
                found = dict(zip(paths, self._relay.deliver(first.domain, paths, message), strict=True))
                return [found[entry.forward_path] for entry in entries]
        except ServerBusy:
            raise
        except Exception as error:  # noqa: BLE001 - the top of an attempt: unknown means temporary
            logs.event(logger, "attempt_error", level=logging.ERROR, domain=first.domain, exc_info=error)
            return [INTERNAL] * len(entries)

    def _message(self, entries: Sequence[Entry]) -> RelayMessage:
        first = entries[0]
        return RelayMessage(
            first.reverse_path,
            self._queue.load(first),
            any(entry.needs_smtputf8 for entry in entries),
            ret=first.ret,
            envid=first.envid,
            wishes={e.forward_path: RecipientWishes(e.notify, e.orcpt) for e in entries},
            requires_tls=first.requires_tls,
            next_hop=self._queue.next_hop(first),
        )

    def _record(self, entry: Entry, outcome: Outcome) -> None:
        """Store an outcome, again when that fails: a delivery not written down is a second delivery."""
        word = _word(outcome)
        counters.RELAY_ATTEMPTS.labels(word).inc()
        logs.event(
            logger,
            "attempt",
            entry=entry.id,
            msgid=entry.digest.hex()[:16],
            account=entry.account_id,
            domain=entry.domain,
            host=outcome.host or None,
            attempt=entry.attempts + 1,
            outcome=word,
            reply=outcome.reply,
        )
        if not self._is_recorded(entry, outcome):
            self._recording.start(gevent.Greenlet(self._record_later, entry, outcome))

    def _record_later(self, entry: Entry, outcome: Outcome) -> None:
        """Try until it is stored: not in the attempt's place, so that it holds up no other mail."""
        for pause_s in chain(RECORD_PAUSES_S, repeat(RECORD_PAUSES_S[-1])):
            is_last = self._stopping.wait(pause_s)
            if self._is_recorded(entry, outcome) or is_last:
                return

    def _is_recorded(self, entry: Entry, outcome: Outcome) -> bool:
        try:
            self._queue.record(entry, outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, the outcome must not be lost to it
            logs.event(logger, "record_error", level=logging.ERROR, entry=entry.id, exc_info=error)
            return False
        return True


def _key(entry: Entry) -> _Key:
    about = entry.ret, entry.envid, entry.next_hop
    return entry.domain, entry.digest, entry.reverse_path, about, entry.requires_tls


def _word(outcome: Outcome) -> str:
    match outcome:
        case Delivered():
            return "delivered"
        case Retry():
            return "retry"
        case Failed():
            return "failed"
