"""The transaction that runs here and now: whether there is one, and what waits for its commit.

Owns the state of one running transaction function, kept per greenlet or thread. Leaves beginning and
committing to the two engines.
"""

import logging
import threading
from collections.abc import Callable
from functools import partial

import peewee

log = logging.getLogger(__name__)

type Callback = Callable[[], object]


class _Here(threading.local):
    callbacks: list[Callback] | None = None
    in_snapshot = False


here = _Here()


def in_transaction() -> bool:
    """Tell whether the caller runs inside a transaction function."""
    return here.callbacks is not None


def after_commit[**P](fn: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Call fn(*args) once the running transaction is committed, in the caller of the outermost one.

    Never called when the transaction, or the nested one that asked for it, is rolled back. Called in the
    order of asking; an exception is logged, the others still run. Outside a transaction it runs at once.
    It is a hint's carrier, not a promise: a process that dies after the commit does not call it.
    """
    if here.callbacks is None:
        fn(*args, **kwargs)
    else:
        here.callbacks.append(partial(fn, *args, **kwargs))


def run_callbacks(callbacks: list[Callback]) -> None:
    """Call what waited for the commit; one failing hint does not stop the next."""
    for callback in callbacks:
        try:
            callback()
        except Exception:
            log.exception("after-commit callback failed")


def run_outermost[R](work: Callable[[], R]) -> tuple[R, list[Callback]]:
    """Return the value of `work` and the callbacks it asked for; the engine has begun a transaction."""
    callbacks: list[Callback] = []
    here.callbacks = callbacks
    try:
        return work(), callbacks
    finally:
        here.callbacks = None


def run_nested[R](work: Callable[[], R], database: peewee.Database) -> R:
    """Run `work` in a savepoint of the running transaction; undo only its part if it raises."""
    callbacks = here.callbacks
    assert callbacks is not None
    asked = len(callbacks)
    savepoint = database.savepoint()
    savepoint.__enter__()
    try:
        value = work()
    except BaseException:
        del callbacks[asked:]
        _undo(savepoint)
        raise
    savepoint.commit(begin=False)
    return value


def _undo(savepoint: "peewee._savepoint") -> None:
    try:
        savepoint.rollback(begin=False)
    except Exception:
        # Some errors (disk full, lost connection) end the whole transaction and its savepoints; the
        # first error is the one to report. The engine finds the transaction gone and fails it.
        log.debug("savepoint already gone", exc_info=True)
