"""One target under one seed: choose an input, change it, run it, keep it when it reaches something new.

Owns the pool of interesting inputs and how time is spent on them. The sequence of inputs is decided by the
seed and the inputs it starts with, never by the clock; the clock only says when to stop. So `runs` gives
the same run twice, and `seconds` the beginning of the same run.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from tests.fuzz import findings
from tests.fuzz.bounds import LastInput, alarms, deadline
from tests.fuzz.coverage import Coverage, Feature, constants
from tests.fuzz.findings import Complaint
from tests.fuzz.mutate import Mutator
from tests.fuzz.shrink import shrink
from tests.fuzz.targets import Target

RECENT = 24
"""Inputs found last, which get half of the attention."""
MADE_SHARE = 0.15
"""How many inputs a target with a `make` builds instead of changing an old one."""
TRIMS_MAX = 150


@dataclass
class Budget:
    """When to stop: after some runs, some seconds, or whichever comes first."""

    seconds: float = float("inf")
    runs: float = float("inf")


@dataclass
class Outcome:
    """What fuzzing one target gave."""

    name: str
    executions: int = 0
    seconds: float = 0.0
    pool: int = 0
    lines: tuple[int, int] = (0, 0)
    features: int = 0
    slowest_s: float = 0.0
    slowest: bytes = b""
    missed: list[str] = field(default_factory=list)
    found: dict[str, Path | None] = field(default_factory=dict)


class Fuzzer:
    """Fuzzes one target; `run` is called once.

    keep: folder that new interesting inputs are written to. findings_to: folder for findings; None keeps
    them in the outcome only.
    """

    def __init__(
        self,
        target: Target,
        *,
        seed: int = 0,
        keep: Path | None = None,
        findings_to: Path | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self.target = target
        self.outcome = Outcome(target.name)
        self.pool: list[bytes] = []
        self._known: set[bytes] = set()
        self._rng = Random(f"{seed} {target.name}")
        tokens = [*target.tokens, *constants(target.covers)]
        self._mutator = Mutator(self._rng, tokens, target.bytes_max)
        self._coverage = Coverage(target.covers)
        self._keep = keep
        self._findings_to = findings_to
        self._say = say
        self._last: LastInput | None = None

    def run(self, budget: Budget, inputs: Sequence[bytes] = ()) -> Outcome:
        """Fuzz until the budget is spent, beginning with `inputs`."""
        began = time.monotonic()
        if self._findings_to is not None:
            self._last = LastInput(self._findings_to / f"{self.target.name}.running", self.target.bytes_max)
        with alarms(), self._coverage:
            for data in dict.fromkeys(inputs):
                self._execute(data[: self.target.bytes_max], is_given=True)
            while self.outcome.executions < budget.runs and time.monotonic() - began < budget.seconds:
                self._execute(self._next())
            self._coverage.news()
        if self._last is not None:
            self._last.close()
        self.outcome.seconds = time.monotonic() - began
        self.outcome.pool = len(self.pool)
        self.outcome.lines = self._coverage.lines()
        self.outcome.missed = self._coverage.missed()
        self.outcome.features = len(self._coverage.seen)
        return self.outcome

    def _next(self) -> bytes:
        make = self.target.make
        if make is not None and (not self.pool or self._rng.random() < MADE_SHARE):
            made = make(self._rng)[: self.target.bytes_max]
            return made if self._rng.random() < 0.5 else self._mutator.mutate(made, self.pool)
        if not self.pool:
            return self._mutator.mutate(b"", ())
        recent = self.pool[-RECENT:] if self._rng.random() < 0.5 else self.pool
        return self._mutator.mutate(self._rng.choice(recent), self.pool)

    def _execute(self, data: bytes, *, is_given: bool = False) -> None:
        self.outcome.executions += 1
        if self._last is not None:
            self._last.remember(data)
        began = time.process_time()
        complaint = findings.complaint_of(self.target, data)
        taken = time.process_time() - began
        is_news = self._coverage.news() > 0
        if complaint is not None:
            self._record(data, complaint)
            return
        if taken > self.outcome.slowest_s:
            self.outcome.slowest_s, self.outcome.slowest = taken, data
        if is_news or is_given:
            self._add(data, is_given=is_given)

    def _add(self, data: bytes, *, is_given: bool) -> None:
        if data in self._known:
            return
        self._known.add(data)
        self.pool.append(data)
        if self._keep is not None and not is_given:
            self._keep.mkdir(parents=True, exist_ok=True)
            (self._keep / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)

    def _record(self, data: bytes, complaint: Complaint) -> None:
        if complaint.signature in self.outcome.found:
            return
        self.outcome.found[complaint.signature] = None
        self._say(f"{self.target.name}: {complaint.error.splitlines()[0][:200]}")
        short = findings.shortened(self.target, data, complaint)
        if self._findings_to is not None:
            path = findings.write(self._findings_to, self.target, short, complaint)
            self.outcome.found[complaint.signature] = path
            self._say(f"    {len(short)} bytes: python -m tests.fuzz --replay {path}")


def distilled(target: Target, given: Sequence[bytes], others: Sequence[bytes]) -> list[bytes]:
    """Return the fewest short inputs of `others` that, with `given`, run all code that any runs."""
    chosen: list[bytes] = []
    reached: set[Feature] = set()
    with alarms(), Coverage(target.covers) as coverage:

        def features(data: bytes) -> set[Feature]:
            return {f for f in coverage.features_of(lambda: _run(target, data)) if f[0] != "note"}

        def is_enough(wanted: set[Feature], data: bytes) -> bool:
            return wanted <= features(data)

        for data in (*given, *others):  # fills caches, so that the second look is the same for everyone
            _run(target, data)
        for data in given:
            reached |= features(data)
        for data in sorted(dict.fromkeys(others), key=lambda data: (len(data), data)):
            if fresh := features(data) - reached:
                chosen.append(shrink(data, partial(is_enough, fresh), TRIMS_MAX))
                reached |= features(chosen[-1])
    return chosen


def _run(target: Target, data: bytes) -> None:
    with deadline(target.deadline_s):
        target.run(data)
