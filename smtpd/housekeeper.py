# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Looks every minute for jobs that are due, in a greenlet of this role; which there are is `appliance.jobs`.

Every process of the role has one; a job is run by whoever claims it first.
"""

import logging
from collections.abc import Sequence
from random import SystemRandom

import gevent
from gevent.event import Event

from appliance import logs
from appliance.clock import Clock
from appliance.jobs import schedule
from appliance.jobs.schedule import Job

LOOK_EVERY_S = 60.0

logger = logging.getLogger("appliance.jobs")


class Housekeeper:
    """Start it, and stop it before the process ends."""

    def __init__(self, jobs: Sequence[Job], clock: Clock, *, look_every_s: float = LOOK_EVERY_S) -> None:
        self._jobs = jobs
        self._clock = clock
        self._look_every_s = look_every_s
        self._stopping = Event()
        self._greenlet: gevent.Greenlet | None = None

    def start(self) -> None:
        """Begin to look in a greenlet of its own."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float = 10.0) -> None:
        """Begin no more steps and wait for the one under way. What was cut off is begun anew later."""
        self._stopping.set()
        if self._greenlet is not None:
            self._greenlet.join(timeout_s)
            self._greenlet.kill()

    def _run(self) -> None:
        random = SystemRandom()
        is_enlisted = False
        while not self._stopping.is_set():
            try:
                if not is_enlisted:
                    schedule.enlist(self._jobs, self._clock.now(), random)
                    is_enlisted = True
                schedule.run_due(self._jobs, self._clock, random, self._stopping.is_set)
            except Exception as error:  # noqa: BLE001 - the top of a greenlet: the next look may go well
                logs.event(logger, "housekeeper_trouble", level=logging.ERROR, exc_info=error)
            self._stopping.wait(self._look_every_s)
