"""Jobs: due, claimed by one, renewed, settled; what becomes of those that fail or are cut off."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random

import pytest

from appliance import db
from appliance.errors import Conflict, NotFound
from appliance.jobs import housekeeping, schedule
from appliance.jobs.schedule import Job
from tests.fixtures.database import Place
from tests.unit.eas.world import SteppingClock

HOUR = timedelta(hours=1)


class Work:
    """A job that counts its runs and does what it is told."""

    def __init__(self, name: str = "work", *, steps: tuple[int, ...] = (2, 3)) -> None:
        self.runs = 0
        self.numbers = steps
        self.error: Exception | None = None
        self.between = lambda: None
        self.job = Job(name, "Works.", HOUR, self.steps)

    def steps(self, _now: datetime) -> Iterator[int]:
        self.runs += 1
        for number in self.numbers:
            yield number
            self.between()
        if self.error is not None:
            raise self.error


@pytest.fixture
def clock(database: Place) -> SteppingClock:
    return SteppingClock()


def run_due(clock: SteppingClock, *works: Work, should_stop=lambda: False) -> None:
    schedule.run_due([work.job for work in works], clock, Random(1), should_stop)


def enlisted(clock: SteppingClock, *works: Work) -> None:
    """Enlist and wait until all are due."""
    schedule.enlist([work.job for work in works], clock.now(), Random(1))
    clock.step(schedule.FIRST_WITHIN)


def standing(name: str = "work") -> schedule.Standing:
    with db.connection():
        return schedule.standing(name)


def test_a_job_runs_when_it_is_due_and_after_its_interval_again(clock):
    work = Work()
    schedule.enlist([work.job], clock.now() + timedelta(seconds=1), Random(1))
    run_due(clock, work)
    assert work.runs == 0
    clock.step(schedule.FIRST_WITHIN + timedelta(seconds=1))
    run_due(clock, work)
    run_due(clock, work)
    assert work.runs == 1
    known = standing()
    assert (known.done, known.error, known.failures, known.ended_at) == (5, "", 0, clock.now())
    assert abs(known.due_at - clock.now() - HOUR) <= HOUR * schedule.JITTER
    clock.step(HOUR * (1 + schedule.JITTER))
    run_due(clock, work)
    assert work.runs == 2


def test_enlisting_again_moves_nothing_and_forgets_what_is_no_job_any_more(clock):
    old, kept = Work("old"), Work("kept")
    schedule.enlist([old.job, kept.job], clock.now(), Random(1))
    before = standing("kept")
    clock.step(HOUR)
    schedule.enlist([kept.job], clock.now(), Random(2))
    assert standing("kept") == before
    with db.connection(), pytest.raises(NotFound):
        schedule.standing("old")


def test_who_comes_second_gets_nothing_until_the_lease_ends(clock):
    enlisted(clock, Work())
    lease = schedule.claim("work", clock.now())
    assert lease
    assert schedule.claim("work", clock.now()) == ""
    with db.connection():
        assert schedule.due(clock.now()) == []
    clock.step(schedule.LEASE)
    assert schedule.claim("work", clock.now()) not in ("", lease)
    assert not schedule.renew("work", lease, clock.now())


def test_of_many_that_look_at_once_one_gets_it(clock):
    enlisted(clock, Work())
    with ThreadPoolExecutor(8) as pool:
        leases = list(pool.map(lambda _: schedule.claim("work", clock.now()), range(16)))
    assert sum(map(bool, leases)) == 1


def test_a_long_job_keeps_its_lease(clock):
    work = Work(steps=(1,) * 6)
    enlisted(clock, work)
    others = []

    def between() -> None:
        clock.step(schedule.LEASE / 2)
        others.append(schedule.claim("work", clock.now()))

    work.between = between
    run_due(clock, work)
    assert others == [""] * 6
    assert standing().done == 6


def test_one_that_lost_its_lease_stops_and_stores_nothing(clock):
    work = Work(steps=(1,) * 6)
    enlisted(clock, work)
    leases = []

    def between() -> None:
        if not leases:
            clock.step(schedule.LEASE)
            leases.append(schedule.claim("work", clock.now()))

    work.between = between
    run_due(clock, work)
    assert leases[0]
    assert (standing().ended_at, standing().error) == (None, "")
    assert schedule.renew("work", leases[0], clock.now())


def test_a_failure_is_kept_and_tried_again_later_and_later(clock, caplog):
    work, other = Work(), Work("other")
    work.error = ValueError("no luck")
    enlisted(clock, work, other)
    run_due(clock, work, other)
    assert other.runs == 1, "a job that fails is not another's concern"
    assert standing().error == "ValueError: no luck"
    assert "job_failed" in caplog.text and "Traceback" in caplog.text
    waits = []
    for failures in range(1, 12):
        assert standing().failures == failures
        waits.append(standing().due_at - clock.now())
        clock.step(waits[-1])
        run_due(clock, work)
    longest = HOUR * (1 + schedule.JITTER)
    assert waits[0] < timedelta(minutes=6) and waits[2] > timedelta(minutes=15) and max(waits) <= longest
    work.error = None
    clock.step(HOUR * 2)
    run_due(clock, work)
    assert (standing().error, standing().failures) == ("", 0)


def test_a_process_that_stops_leaves_the_job_to_the_next(clock):
    work = Work()
    enlisted(clock, work)
    is_over = iter((False, True))
    run_due(clock, work, should_stop=lambda: next(is_over))
    assert (standing().ended_at, standing().leased_until) == (None, None)
    run_due(clock, work)
    assert (work.runs, standing().done) == (2, 5)


def test_an_operator_does_not_wait_but_never_runs_it_twice(clock):
    work = Work()
    assert schedule.run_now(work.job, clock, Random(1)).done == 5
    assert schedule.run_now(work.job, clock, Random(1)).ended_at == clock.now()
    schedule.claim("work", clock.now(), is_asked_for=True)
    with pytest.raises(Conflict, match="another process"):
        schedule.run_now(work.job, clock, Random(1))


def test_a_lease_from_a_wrong_clock_does_not_stop_a_job_for_ever(clock):
    enlisted(clock, Work())
    assert schedule.claim("work", clock.now() + timedelta(days=365), is_asked_for=True)
    assert schedule.claim("work", clock.now(), is_asked_for=True)


def test_the_product_s_jobs_are_told_apart_and_explained():
    names = [job.name for job in housekeeping.JOBS]
    assert len(set(names)) == len(names)
    for job in housekeeping.JOBS:
        assert job.sentence.endswith(".") and job.interval >= HOUR
    with pytest.raises(NotFound, match="blobs"):
        housekeeping.named("nothing")
