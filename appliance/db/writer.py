"""The one thread that writes a SQLite file: transactions as jobs, many jobs per commit.

Owns the thread, the queue before it, and the promise that a value is handed back only after the COMMIT
that made it durable. Leaves to `sqlite.py` how the file is opened and to `turnstile.py` whose turn it is.

Theory of operation::

    callers ──► queue ──► writer thread:  turnstile { BEGIN IMMEDIATE
      ▲  wait                                          SAVEPOINT job · run · RELEASE   (for each job)
      │                                                COMMIT  = one fsync for all } ──► wake the callers
      └──────────────────────────────────────────────────────────────────────────────┘

While one group waits for the disk the next one gathers, so the group grows with the load and the cost of
an fsync is shared. A job that raises is rolled back to its savepoint and harms nobody; when the COMMIT
fails, or an error like "disk full" ends the whole transaction, every job of the group has failed.
Nothing here touches a gevent object except through `waiting.Signal`.
"""

import logging
import time
from collections.abc import Callable, Iterator
from queue import Empty
from typing import Final

import peewee

from appliance import metrics
from appliance.db import frame
from appliance.db.failures import OutcomeUnknown
from appliance.db.job import Job, Phase
from appliance.db.turnstile import Turnstile
from appliance.db.waiting import Signal, native_lock, native_queue, start_native_thread
from appliance.errors import TemporaryFailure

log = logging.getLogger(__name__)

QUEUE_JOBS_MAX: Final = 10_000
"""Jobs waiting; more means the disk cannot keep up and callers do better to be refused at once."""

WAIT_S: Final = 60.0
"""How long a caller waits. Phones and mail servers give up later than this, so they get an answer."""

GROUP_JOBS_MAX: Final = 200
GROUP_S: Final = 0.02
"""A group closes after this many jobs or this long, so that the first caller and other processes wait
little for the last; with a 4 ms fsync the disk is still the smaller part of it."""

START_S: Final = 600.0
"""Opening may migrate a large mailbox."""

GROUP_SIZE = metrics.histogram(
    "appliance_db_group_size",
    "Transactions made durable by one commit.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200),
)


class Writer:
    """The writer thread of one process. `open` prepares the file on that thread, under the turnstile."""

    def __init__(
        self, database: peewee.SqliteDatabase, turnstile: Turnstile, open_file: Callable[[], None]
    ) -> None:
        self._database = database
        self._turnstile = turnstile
        self._open_file = open_file
        self._jobs = native_queue()  # of Job; a Signal ends the thread and tells who waits for that
        self._door = native_lock()
        self._is_closing = False
        self._failure: BaseException | None = None
        self.wait_s = WAIT_S

    def start(self) -> None:
        """Start the thread and wait until the file is open; raises what opening it raised."""
        self._started = Signal()
        start_native_thread(self._main, ())
        if not self._started.wait(START_S):
            raise TemporaryFailure(f"the database could not be opened within {START_S:g} s")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Finish what is queued, then close the file."""
        stopped = Signal()
        with self._door:
            if self._is_closing:
                return
            self._is_closing = True
            self._jobs.put(stopped)
        if not stopped.wait(self.wait_s):
            log.error("the database writer did not stop in time")

    def run(self, work: Callable[[], object]) -> tuple[object, list[frame.Callback]]:
        """Return the value of `work` and its after-commit callbacks once they are durable.

        Raises the function's own error; TemporaryFailure when it was not run or not stored, and its
        subclass OutcomeUnknown when it had begun and the deadline passed: it will still be committed.
        """
        job = Job(work)
        with self._door:
            if self._is_closing:
                raise TemporaryFailure("the database is closed")
            if self._jobs.qsize() >= QUEUE_JOBS_MAX:
                raise TemporaryFailure("too many writes are waiting for the disk")
            self._jobs.put(job)
        self._wait_for(job)
        if job.group_size:
            GROUP_SIZE.observe(job.group_size)
        if job.error is not None:
            try:
                raise job.error
            finally:
                del job  # the traceback holds this frame; do not let this frame hold the error
        return job.value, job.callbacks

    def _wait_for(self, job: Job) -> None:
        try:
            if job.signal.wait(self.wait_s):
                return
        except BaseException:  # the caller was killed or timed out from outside
            if job.give_up() is Phase.DONE:
                job.run_callbacks_beside()
            raise
        match job.give_up():
            case Phase.WITHDRAWN:
                raise TemporaryFailure(f"the database did not get to this write within {self.wait_s:g} s")
            case Phase.ABANDONED:
                raise OutcomeUnknown(f"the database took longer than {self.wait_s:g} s for this write")

    # --- on the writer thread ---------------------------------------------------------------------

    def _main(self) -> None:
        try:
            with self._turnstile:
                self._open_file()
        except BaseException as error:  # noqa: BLE001 - raised again in start()
            self._failure = error
            self._turnstile.close()
            self._started.set()
            return
        self._started.set()
        while isinstance(item := self._jobs.get(), Job):
            self._write_group(item)
            del item  # an idle writer must not keep the last message's bytes
        self._database.close()
        self._turnstile.close()
        item.set()

    def _write_group(self, first: Job) -> None:
        ran: list[Job] = []
        try:
            with self._turnstile:
                self._commit_together(first, ran)
        except BaseException as error:  # noqa: BLE001 - every caller gets it
            if not ran:  # the transaction could not even begin: it is the same for those behind
                ran = [job for job in self._arrived(first) if job.begin()]
            for job in ran:
                job.fail_with_group(error)
            self._recover()
        if ran:
            ran[0].group_size = len(ran)
        for job in ran:
            job.finish()

    def _commit_together(self, first: Job, ran: list[Job]) -> None:
        connection = self._database.connection()
        connection.execute("BEGIN IMMEDIATE")
        self._database.push_transaction(self)  # peewee's atomic() inside a job is then a savepoint
        try:
            closes_at = time.monotonic() + GROUP_S
            for job in self._arrived(first):
                if job.begin():
                    ran.append(job)
                    job.run(connection)
                    if not connection.in_transaction:
                        raise job.error or TemporaryFailure("the job ended its transaction itself")
                if len(ran) >= GROUP_JOBS_MAX or time.monotonic() >= closes_at:
                    break
        finally:
            self._database.pop_transaction()
        connection.execute("COMMIT")

    def _arrived(self, first: Job) -> Iterator[Job]:
        yield first
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return
            if not isinstance(job, Job):  # the end, which the main loop must see
                self._jobs.put(job)
                return
            yield job

    def _recover(self) -> None:
        """Leave no transaction behind; a connection that cannot even roll back is replaced."""
        try:
            connection = self._database.connection()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except Exception:
            log.exception("the writer's connection is broken and is opened again")
            self._database.close()
