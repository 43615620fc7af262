"""The greenlet that looks for due jobs: it outlives trouble, and stops when it is told to."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import gevent
from gevent.event import Event

from appliance.clock import SYSTEM_CLOCK
from appliance.errors import TemporaryFailure
from appliance.jobs import schedule
from appliance.jobs.schedule import Job
from smtpd.housekeeper import Housekeeper


def test_it_runs_what_is_due_and_goes_on_after_trouble(sqlite_database, monkeypatch) -> None:
    monkeypatch.setattr(schedule, "FIRST_WITHIN", timedelta())
    enlist, troubles, ran = schedule.enlist, iter([TemporaryFailure("busy")]), Event()

    def flaky(*arguments: object) -> None:
        for trouble in troubles:
            raise trouble
        enlist(*arguments)  # type: ignore[arg-type]

    def steps(_now: datetime) -> Iterator[int]:
        ran.set()
        yield 1

    monkeypatch.setattr(schedule, "enlist", flaky)
    keeper = Housekeeper([Job("work", "Works.", timedelta(hours=1), steps)], SYSTEM_CLOCK, look_every_s=0.01)
    keeper.start()
    assert ran.wait(10)
    keeper.stop()


def test_a_stop_ends_a_long_job_after_its_step(sqlite_database, monkeypatch) -> None:
    monkeypatch.setattr(schedule, "FIRST_WITHIN", timedelta())
    begun, made = Event(), []

    def steps(_now: datetime) -> Iterator[int]:
        while True:
            made.append(1)
            begun.set()
            gevent.sleep(0.01)
            yield 1

    keeper = Housekeeper([Job("work", "Works.", timedelta(hours=1), steps)], SYSTEM_CLOCK, look_every_s=0.01)
    keeper.start()
    assert begun.wait(10)
    keeper.stop()
    number = len(made)
    gevent.sleep(0.05)
    assert len(made) == number
