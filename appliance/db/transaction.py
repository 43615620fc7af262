"""The `@transaction` decorator: how this project writes."""

import time
from collections.abc import Callable
from functools import partial, wraps
from typing import cast

from appliance import metrics
from appliance.db import database, frame

WRITE_SECONDS = metrics.histogram(
    "appliance_db_write_seconds",
    "Time a transaction's caller waited: queue, function and commit.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)


def transaction[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Make a function a transaction: what it writes is durable when it returns, or nothing is stored.

    On SQLite it runs on the process's writer thread while the caller waits without stopping the hub; on
    PostgreSQL in the caller. So it must not wait, talk to the network or touch a gevent object, and it
    must be repeatable: PostgreSQL runs it again when it lost against a concurrent transaction.

    A transaction function called by another one runs inside it, in a savepoint of its own: if it raises
    and the caller catches that, only its part is undone. (To catch an IntegrityError of one statement,
    put that statement in such a function or in `with db.proxy.atomic():`.)

    Raises what the function raises; TemporaryFailure when nothing was stored for our own reasons: disk
    full, locked, connection lost, queue full, or not begun within 60 s. Its subclass OutcomeUnknown
    means it may have been stored: on SQLite it had begun when the 60 s ended and will still be
    committed, on PostgreSQL the connection broke during the commit. A caller that is killed while
    waiting withdraws what has not begun; what has begun is committed, its after_commit hints included.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return _run(partial(function, *args, **kwargs))

    return call


def _run[R](work: Callable[[], R]) -> R:
    engine = database.engine()
    if frame.in_transaction():
        return frame.run_nested(work, engine.database)
    if frame.here.in_snapshot:
        raise RuntimeError("a transaction cannot start inside a snapshot")
    started = time.perf_counter()
    try:
        value, callbacks = engine.transact(work)
    finally:
        WRITE_SECONDS.observe(time.perf_counter() - started)
    frame.run_callbacks(callbacks)
    return cast(R, value)
