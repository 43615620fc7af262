"""Jobs that are due again and again: which of them, who runs it, how it ended.

Theory of operation: a job is a row, and `due_at` says when it is wanted next. Every process that keeps the
house looks once in a while; whoever finds a job due claims it by writing its own name and a deadline (the
lease) into the row, works in steps, each a transaction of the job's own, and renews the lease between them.
So one process runs a job however many there are. One that dies leaves a lease that ends, and the job is
begun anew by the next: every job may be cut off after any step and may be done twice.

A job that fails is tried again soon, later after every further failure; one that went well after its
interval. Both are spread a little, so that nothing is due everywhere at the same moment.
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from appliance import db, logs
from appliance.clock import Clock
from appliance.db.tables import Job as Row
from appliance.errors import Conflict, NotFound
from appliance.metrics import counter

log = logging.getLogger("appliance.jobs")
RUNS = counter("appliance_job_runs_total", "Jobs that ended, by name and how.", ["job", "outcome"])

LEASE = timedelta(minutes=15)  # a step takes seconds
RENEW_AFTER = LEASE / 3
FIRST_WITHIN = timedelta(minutes=10)
RETRY_FIRST, RETRY_MAX = timedelta(minutes=5), timedelta(hours=6)
JITTER = 0.1  # of an interval
PAUSE_S = 0.01  # between two steps: whoever waits for the writer goes first
ERROR_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do every `interval`. `steps` does it piece by piece and yields what each came to."""

    name: str
    sentence: str
    interval: timedelta
    steps: Callable[[datetime], Iterator[int]]


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a job. `done`: rows and files dealt with the last time; `error`: "" for none."""

    name: str
    due_at: datetime
    leased_until: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    done: int
    error: str
    failures: int


class Interrupted(Exception):
    """The process has to stop; the job is begun anew by whoever comes next."""


_COLUMNS = (
    *(Row.name, Row.due_at, Row.leased_until, Row.started_at, Row.ended_at),
    *(Row.done, Row.error, Row.failures),
)


@db.transaction
def enlist(jobs: Iterable[Job], now: datetime, random: Random) -> None:
    """Make rows for new jobs, due within the next minutes; remove those of jobs that are no more."""
    names = []
    for job in jobs:
        names.append(job.name)
        due_at = now + random.random() * FIRST_WITHIN
        Row.insert(name=job.name, due_at=due_at).on_conflict_ignore().execute()
    Row.delete().where(Row.name.not_in(names)).execute()


def standings() -> list[Standing]:
    """Return what is known of the jobs, by name. Needs `db.connection()`."""
    return [Standing(*row) for row in Row.select(*_COLUMNS).order_by(Row.name).tuples()]


def due(now: datetime) -> list[str]:
    """Return the names of jobs that are due and run by nobody. Needs `db.connection()`."""
    return [row[0] for row in Row.select(Row.name).where((Row.due_at <= now) & _is_free(now)).tuples()]


@db.transaction
def claim(name: str, now: datetime, *, is_asked_for: bool = False) -> str:
    """Take a due job and return the lease, "" when it is not due or somebody else has it.

    is_asked_for: an operator wants it now, due or not.
    """
    lease = secrets.token_hex(8)
    wanted = (Row.name == name) & _is_free(now)
    if not is_asked_for:
        wanted &= Row.due_at <= now
    update = Row.update(lease=lease, leased_until=now + LEASE, started_at=now)
    return lease if update.where(wanted).execute() else ""


@db.transaction
def renew(name: str, lease: str, now: datetime) -> bool:
    """Keep a job for longer; False when it has been taken over."""
    update = Row.update(leased_until=now + LEASE)
    return bool(update.where((Row.name == name) & (Row.lease == lease)).execute())


@db.transaction
def settle(job: Job, lease: str, due_at: datetime, **result: Any) -> None:
    """Let go of a job and store how it ended; whoever has lost it stores nothing."""
    result |= {"lease": "", "leased_until": None, "due_at": due_at}
    Row.update(**result).where((Row.name == job.name) & (Row.lease == lease)).execute()


def run_due(jobs: Iterable[Job], clock: Clock, random: Random, should_stop: Callable[[], bool]) -> None:
    """Run whatever is due, one after the other. A job that fails does not stop the others."""
    with db.connection():
        wanted = due(clock.now())
    for job in jobs:
        if job.name in wanted and not should_stop() and (lease := claim(job.name, clock.now())):
            run(job, lease, clock, random, should_stop)


def run_now(job: Job, clock: Clock, random: Random) -> Standing:
    """Run a job for an operator, due or not, and return how it ended. Raises Conflict when it is running."""
    enlist_one(job, clock.now())
    lease = claim(job.name, clock.now(), is_asked_for=True)
    if not lease:
        raise Conflict(f"{job.name} is being run by another process")
    run(job, lease, clock, random, lambda: False)
    with db.connection():
        return standing(job.name)


@db.transaction
def enlist_one(job: Job, now: datetime) -> None:
    """Make the row of a job that has none."""
    Row.insert(name=job.name, due_at=now).on_conflict_ignore().execute()


def standing(name: str) -> Standing:
    """Return what is known of one job; raises NotFound. Needs `db.connection()`."""
    row = Row.select(*_COLUMNS).where(Row.name == name).tuples().first()
    if row is None:
        raise NotFound(f"there is no job {name}")
    return Standing(*row)


def run(job: Job, lease: str, clock: Clock, random: Random, should_stop: Callable[[], bool]) -> None:
    """Run a claimed job to its end and store what came of it. Raises nothing but what the database does."""
    started = clock.now()
    done = 0
    try:
        for number in _kept(job, lease, clock, should_stop):
            done += number
    except Interrupted:
        settle(job, lease, clock.now())
        return
    except Exception as error:  # noqa: BLE001 - the top of a job: it is tried again, and others go on
        _failed(job, lease, clock.now(), random, error)
        return
    now = clock.now()
    settle(job, lease, now + _spread(job.interval, random), ended_at=now, done=done, error="", failures=0)
    RUNS.labels(job.name, "done").inc()
    took_ms = round((now - started).total_seconds() * 1000)
    logs.event(log, "job_done", job=job.name, done=done, ms=took_ms)


def _kept(job: Job, lease: str, clock: Clock, should_stop: Callable[[], bool]) -> Iterator[int]:
    """Yield what the steps of a job come to, and keep it ours meanwhile."""
    renewed = clock.now()
    for number in job.steps(renewed):
        yield number
        if should_stop():
            raise Interrupted
        if clock.now() - renewed > RENEW_AFTER:
            renewed = clock.now()
            if not renew(job.name, lease, renewed):
                raise Conflict("the job was taken over by another process")
        time.sleep(PAUSE_S)


def _failed(job: Job, lease: str, now: datetime, random: Random, error: Exception) -> None:
    logs.event(log, "job_failed", level=logging.ERROR, job=job.name, exc_info=error)
    RUNS.labels(job.name, "failed").inc()
    with db.connection():
        failures = standing(job.name).failures + 1
    wait = min(RETRY_FIRST * 2 ** min(failures - 1, 10), RETRY_MAX, max(job.interval, RETRY_FIRST))
    said = f"{type(error).__name__}: {error}"[:ERROR_LENGTH_MAX]
    settle(job, lease, now + _spread(wait, random), ended_at=now, error=said, failures=failures)


def _spread(interval: timedelta, random: Random) -> timedelta:
    return interval * (1 + random.uniform(-JITTER, JITTER))


def _is_free(now: datetime) -> Any:
    # A lease nobody could have written comes from a clock that was wrong.
    return Row.leased_until.is_null() | (Row.leased_until <= now) | (Row.leased_until > now + 2 * LEASE)
