"""One transaction function on its way from its caller to the writer thread and back.

Owns who may still call it off and who hears of its outcome, whatever happens to the caller meanwhile.
"""

from collections.abc import Callable
from contextvars import copy_context
from enum import Enum, auto
from typing import Any

from appliance.db import frame
from appliance.db.failures import as_temporary
from appliance.db.waiting import Signal, native_lock
from appliance.errors import TemporaryFailure


class Phase(Enum):
    """The life of a job. Moves: QUEUED → RUNNING → DONE; QUEUED → WITHDRAWN; RUNNING → ABANDONED → DONE."""

    QUEUED = auto()
    RUNNING = auto()  # from its begin to the end of its group's commit
    DONE = auto()
    WITHDRAWN = auto()  # the caller gave up before it began: it never will
    ABANDONED = auto()  # the caller gave up after it began: it is committed all the same


class Job:
    """Shared by the caller's thread and the writer's; the mutex guards the phase."""

    __slots__ = (
        "_context", "_mutex", "_phase", "_work", "callbacks", "error", "group_size", "signal", "value",
    )  # fmt: skip

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._context = copy_context()  # log fields bound by the caller are seen by the job
        self._mutex = native_lock()
        self._phase = Phase.QUEUED
        self.signal = Signal()
        self.value: object = None
        self.error: BaseException | None = None
        self.callbacks: list[frame.Callback] = []
        self.group_size = 0  # set on one job of each group

    def begin(self) -> bool:
        """Tell whether the job may run; from now on it cannot be withdrawn."""
        with self._mutex:
            if self._phase is not Phase.QUEUED:
                return False
            self._phase = Phase.RUNNING
            return True

    def run(self, connection: Any) -> None:
        """Run the function in a savepoint; its error is kept for the caller and rolls back only itself."""
        try:
            connection.execute("SAVEPOINT job")
            self.value, self.callbacks = self._context.run(frame.run_outermost, self._work)
            connection.execute("RELEASE job")
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            self.value, self.callbacks = None, []
            failure = as_temporary(error, writing=True)
            self.error = error if failure is None else _caused(failure, error)
            if connection.in_transaction:
                connection.execute("ROLLBACK TO job")
                connection.execute("RELEASE job")

    def fail_with_group(self, error: BaseException) -> None:
        """Record that the commit of its group failed; the job's own error stays if it has one."""
        if self.error is None:
            self.value, self.callbacks = None, []
            failure = as_temporary(error, writing=True)
            self.error = _caused(failure or TemporaryFailure("the commit failed, nothing is stored"), error)

    def finish(self) -> None:
        """Hand the outcome over, or do what is left to do when nobody waits for it any more."""
        with self._mutex:
            is_orphan = self._phase is Phase.ABANDONED
            self._phase = Phase.DONE
        if is_orphan:
            self.run_callbacks_beside()
        else:
            self.signal.set()

    def give_up(self) -> Phase:
        """Stop waiting; returns what became of the job."""
        with self._mutex:
            if self._phase is Phase.QUEUED:
                self._phase = Phase.WITHDRAWN
            elif self._phase is Phase.RUNNING:
                self._phase = Phase.ABANDONED
            return self._phase

    def run_callbacks_beside(self) -> None:
        """Run the after-commit callbacks although the caller is gone."""
        if callbacks := self.callbacks:
            self.signal.run_beside(lambda: frame.run_callbacks(callbacks))


def _caused(failure: BaseException, cause: BaseException) -> BaseException:
    """Do what `raise failure from cause` does; it is raised in another thread."""
    failure.__cause__ = cause
    return failure
