# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Teaching the filter what users have moved into their junk folders, or out of them, in the background."""

import logging
from typing import Any, Protocol

import gevent
from gevent.event import Event

from appliance import db, logs
from appliance.errors import ApplianceError, NotFound
from appliance.store import blobs, lessons

LOOK_EVERY_S = 15.0
AT_ONCE = 20

logger = logging.getLogger("appliance.smtp")


class Teachable(Protocol):
    """The filter; `appliance.net.rspamd.Rspamd`."""

    def learn(self, raw: bytes, *, is_junk: bool) -> None:
        """Teach it a message. Raises TemporaryFailure. Blocks."""
        ...


class Learner:
    """Works off `store.lessons` until it is stopped."""

    def __init__(self, filter_: Teachable) -> None:
        self._filter = filter_
        self._stopping = Event()
        self._greenlet: Any = None

    def start(self) -> None:
        """Teach from now on."""
        self._greenlet = gevent.spawn(self._run)

    def stop(self) -> None:
        """Finish the lesson under way. Blocks."""
        self._stopping.set()
        if self._greenlet is not None:
            self._greenlet.join()

    def teach_some(self) -> int:
        """Teach what is waiting, some of it, and return how many lessons were learned. Raises nothing."""
        learned = 0
        try:
            with db.connection():
                waiting = lessons.waiting(AT_ONCE)
            for lesson in waiting:
                if self._stopping.is_set():
                    break
                self._teach(lesson)
                learned += 1
        except ApplianceError as error:
            logs.event(logger, "lessons_wait", error=type(error).__name__)
        return learned

    def _teach(self, lesson: lessons.Lesson) -> None:
        try:
            with db.connection():
                raw = blobs.read(lesson.digest)
        except NotFound:
            lessons.done(lesson)  # the message is gone, and with it what it could teach
            return
        self._filter.learn(raw, is_junk=lesson.is_junk)
        lessons.done(lesson)
        what = "junk" if lesson.is_junk else "wanted"
        logs.event(logger, "learned", msgid=lesson.digest.hex()[:16], what=what)

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            try:
                while self.teach_some() == AT_ONCE and not self._stopping.is_set():
                    pass
            except Exception as error:  # noqa: BLE001 - the top of a greenlet
                logs.event(logger, "learner_error", level=logging.ERROR, exc_info=error)
