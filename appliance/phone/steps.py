"""A list of steps that are tried one by one: timing, outcome, what depends on what.

A step returns a one-line fact, raises Skip, or raises a PhoneError. A failed step stops only the steps
that need it. Knows nothing of ActiveSync; the steps themselves are in `story`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from appliance.phone.errors import HttpError, PhoneError, StatusError


class Skip(Exception):
    """The step does not apply here; the message says why."""


class Outcome(StrEnum):
    """What became of a step."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Step[Subject]:
    """One thing to try on a subject; `needs` names steps that must have succeeded."""

    name: str
    title: str
    action: Callable[[Subject], str]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """What came out of a step; status is the number the server gave, HTTP or ActiveSync."""

    name: str
    title: str
    outcome: Outcome
    seconds: float
    fact: str
    status: int | None = None


def run[Subject](steps: Sequence[Step[Subject]], subject: Subject) -> Iterator[Result]:
    """Try the steps in order and yield each result as soon as it is known."""
    succeeded: set[str] = set()
    for step in steps:
        missing = [name for name in step.needs if name not in succeeded]
        if missing:
            yield Result(step.name, step.title, Outcome.SKIPPED, 0.0, f"needs {', '.join(missing)}")
            continue
        result = _try(step, subject)
        if result.outcome is Outcome.OK:
            succeeded.add(step.name)
        yield result


def _try[Subject](step: Step[Subject], subject: Subject) -> Result:
    started = time.monotonic()
    status = None
    try:
        outcome, fact = Outcome.OK, step.action(subject)
    except Skip as reason:
        outcome, fact = Outcome.SKIPPED, str(reason)
    except PhoneError as error:
        outcome, fact = Outcome.FAILED, str(error)
        status = error.status if isinstance(error, HttpError | StatusError) else None
    return Result(step.name, step.title, outcome, time.monotonic() - started, fact, status)
