"""What each phone did last and whether it goes in circles, in the memory of one process. No database.

Theory of operation. Every answered request leaves one `Step`; a collection's Sync leaves one of its own. What
is to be stored is the whole `Trace` as JSON, and `due` says when: at a change of outcome, else at most once a
minute, so that a busy phone costs a dictionary entry and nothing more. `traces` writes it.

The loop guard: a Ping that says "changed" at once makes the phone Sync. When that delivers nothing and the
next Ping says "changed" at once again, the phone asks every second until its battery is empty. After
three such answers for a folder the folder is silent for one whole Ping, and a line for the operator is
written. A Sync that brings something, or a Ping that lasted, makes it trustworthy again.

A phone that is told to fetch the folder tree and comes back with the same request all the same goes in
circles as well. From the fifth time on it has to wait in between, longer each time, until all goes well.
"""

import json
import logging
import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from appliance import logs
from appliance.metrics import counter

log = logging.getLogger("appliance.devices")
LOOPS = counter("appliance_device_loops_total", "Circles a device was found in.", ["kind"])
RESYNCS = counter("appliance_device_resyncs_total", "Collections started over, by why.", ["why"])

DEVICES_MAX = 20_000
FOLDERS_MAX = 300
WRITE_INTERVAL = timedelta(minutes=1)
INSTANT = timedelta(seconds=2)
LOOP_WINDOW = timedelta(minutes=5)  # between two instant answers; a phone that comes later is not in a loop
LOOP_AFTER = 3
REFUSALS_FREE = 4
REFUSED_WAIT_MAX_S = 60
IN_CIRCLES = frozenset({("Sync", "status 12"), ("Ping", "status 7"), ("FolderSync", "status 9")})
"""Answers that ask a phone to do something else first."""

OK, WAITING = "ok", "waiting"


@dataclass(frozen=True, slots=True)
class Step:
    """When something was done last, and how it ended: OK, WAITING or "status N"."""

    at: datetime
    outcome: str


@dataclass(slots=True)
class Trace:
    """All that is known of one device. `counters`: resyncs, loops and the like by name."""

    steps: dict[str, Step] = field(default_factory=dict)
    folders: dict[str, Step] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the trace as it is stored."""
        return json.dumps(
            {
                "steps": {name: [s.at.isoformat(), s.outcome] for name, s in self.steps.items()},
                "folders": {name: [s.at.isoformat(), s.outcome] for name, s in self.folders.items()},
                "counters": self.counters,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> "Trace":
        """Return the trace that was stored."""
        stored = json.loads(text)
        return cls(_steps(stored["steps"]), _steps(stored["folders"]), dict(stored["counters"]))

    def merge(self, newer: "Trace") -> None:
        """Take over what another process has seen later; counters of both are added up."""
        for own, others in ((self.steps, newer.steps), (self.folders, newer.folders)):
            for name, step in others.items():
                if name not in own or own[name].at <= step.at:
                    own[name] = step
        while len(self.folders) > FOLDERS_MAX:
            del self.folders[min(self.folders, key=lambda name: self.folders[name].at)]
        for name, number in newer.counters.items():
            self.counters[name] = self.counters.get(name, 0) + number


def overdue(trace: Trace, heartbeat_s: int, now: datetime) -> timedelta | None:
    """Return for how long a phone has been silent that holds a request as a rule; None when all is well.

    A phone is late when it has done nothing for two of its heartbeats: switched off, out of reach, or without
    push although its owner believes to have it.
    """
    if not heartbeat_s or not trace.steps:
        return None
    silent = now - max(step.at for step in trace.steps.values())
    return silent if silent > 2 * timedelta(seconds=heartbeat_s) else None


@dataclass(slots=True)
class _Known:
    """A device in memory: what is not stored yet, what was stored last, and what it asks again and again."""

    fresh: Trace = field(default_factory=Trace)
    outcomes: dict[str, str] = field(default_factory=dict)
    is_changed: bool = False
    written_at: datetime | None = None
    instant: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # folder → (in a row, last at)
    repeated: dict[str, tuple[tuple[str, bytes], int]] = field(default_factory=dict)
    refused: dict[str, tuple[int, datetime]] = field(default_factory=dict)  # command → (in a row, last at)


class Health:
    """The devices of one process."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, _Known] = OrderedDict()

    def note(self, device: int, step: str, outcome: str, now: datetime) -> None:
        """Note that a command was answered."""
        known = self._of(device)
        known.fresh.steps[step] = Step(now, outcome)
        _compare(known, step, outcome)
        if (step, outcome) not in IN_CIRCLES:
            known.refused.pop(step, None)
            return
        times, last = known.refused.get(step, (0, now))
        times = times + 1 if now - last <= LOOP_WINDOW else 1
        known.refused[step] = (times, now)
        if times == REFUSALS_FREE:
            self._loop(device, known, step.lower(), outcome)

    def pause_s(self, device: int, command: str, now: datetime) -> int:
        """Return for how many seconds a device that goes in circles with a command should not send it."""
        times, last = self._of(device).refused.get(command, (0, now))
        if times < REFUSALS_FREE:
            return 0
        wait = timedelta(seconds=min(2 ** min(times - REFUSALS_FREE, 10), REFUSED_WAIT_MAX_S))
        return max(0, math.ceil((last + wait - now).total_seconds()))

    def synced(
        self,
        device: int,
        folder: str,
        key: str,
        digest: bytes,
        outcome: str,
        now: datetime,
        *,
        is_news: bool,
    ) -> None:
        """Note how the Sync of one collection ended. digest: of what the device sent.

        is_news: it brought something, or a new key. A Sync with nothing to say may be repeated for ever.
        """
        known = self._of(device)
        known.fresh.folders[folder] = Step(now, outcome)
        _compare(known, f"folder {folder}", outcome)
        if is_news:
            known.instant.pop(folder, None)
        if key == "0" or outcome == "status 3":
            why = "key 0" if key == "0" else "status 3"
            RESYNCS.labels(why).inc()
            _count(known, f"resyncs ({why})")
        before, times = known.repeated.get(folder, (("", b""), 0))
        times = times + 1 if before == (key, digest) and is_news else int(is_news)
        known.repeated[folder] = ((key, digest), times)
        if times == LOOP_AFTER:
            self._loop(device, known, "sync", folder)

    def trusted(self, device: int, folders: Iterable[str]) -> tuple[str, ...]:
        """Return the folders a Ping may speak of; those in a loop are left out of this one."""
        known = self._of(device)
        silent = {name for name, (times, _) in known.instant.items() if times >= LOOP_AFTER}
        for name in silent:
            del known.instant[name]
        return tuple(name for name in folders if name not in silent)

    def announced(self, device: int, folders: Iterable[str], asked_at: datetime, now: datetime) -> None:
        """Note that a Ping has said "changed", at once or after a while."""
        known = self._of(device)
        for name in folders:
            if now - asked_at > INSTANT:
                known.instant.pop(name, None)
                continue
            times, last = known.instant.get(name, (0, now))
            times = times + 1 if now - last <= LOOP_WINDOW else 1
            known.instant[name] = (times, now)
            if times == LOOP_AFTER:
                self._loop(device, known, "ping", name)

    def due(self, device: int, now: datetime) -> Trace | None:
        """Return what is to be stored now, None when that can wait; what is returned is not kept."""
        known = self._of(device)
        is_late = known.written_at is None or now - known.written_at >= WRITE_INTERVAL
        if not known.is_changed and not is_late:
            return None
        fresh, known.fresh = known.fresh, Trace()
        known.is_changed, known.written_at = False, now
        return fresh

    def _of(self, device: int) -> _Known:
        known = self._known.get(device)
        if known is None:
            known = self._known[device] = _Known()
            if len(self._known) > DEVICES_MAX:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(device)
        return known

    def _loop(self, device: int, known: _Known, kind: str, folder: str) -> None:
        known.is_changed = True
        LOOPS.labels(kind).inc()
        _count(known, f"loops ({kind})")
        logs.event(log, "device_loop", level=logging.ERROR, device=device, kind=kind, folder=folder)


def _count(known: _Known, name: str) -> None:
    known.fresh.counters[name] = known.fresh.counters.get(name, 0) + 1


def _compare(known: _Known, name: str, outcome: str) -> None:
    """Mark a change of outcome; that a Ping waits again after it was answered is none."""
    if known.outcomes.get(name, outcome) != outcome and outcome != WAITING:
        known.is_changed = True
    if outcome != WAITING:
        known.outcomes[name] = outcome
    while len(known.outcomes) > FOLDERS_MAX * 2:
        known.outcomes.pop(next(iter(known.outcomes)))


def _steps(stored: dict[str, list[str]]) -> dict[str, Step]:
    return {name: Step(datetime.fromisoformat(at), outcome) for name, (at, outcome) in stored.items()}
