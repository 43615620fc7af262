"""The process's one database: open it, read from it, close it.

Owns which engine is open and the read side: connections and snapshots. Writing is `transaction.py`.
Models are bound to `proxy` once, so there is one database per process at a time.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import peewee

from appliance.db import frame
from appliance.db.failures import translated
from appliance.db.pool import Pool
from appliance.db.postgresql import PostgresqlEngine
from appliance.db.proxy import proxy
from appliance.db.sqlite import SqliteEngine
from appliance.db.waiting import is_patched_too_late
from appliance.errors import InvalidInput, TemporaryFailure

FILE_NAME: Final = "appliance.db"
READ_CONNECTIONS: Final = 20
CONNECT_TIMEOUT_S: Final = 3


class Engine(Protocol):
    """What both kinds of database can do."""

    @property
    def database(self) -> peewee.Database: ...
    @property
    def pool(self) -> Pool: ...
    def open(self) -> None: ...
    def transact(self, work: Callable[[], object]) -> tuple[object, list[frame.Callback]]: ...
    def begin_snapshot(self) -> None: ...
    def close(self) -> None: ...
    def forget(self) -> None: ...


_engine: Engine | None = None
_inherited: list[Engine] = []
"""Engines of a parent process; kept, since collecting them would close its connections from here."""


def open(  # noqa: A001
    url: str,
    data_dir: Path,
    *,
    read_connections: int = READ_CONNECTIONS,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
) -> None:
    """Open the database, creating it and its schema if need be; to be called after any fork.

    url: "sqlite" (`appliance.db` in data_dir), "sqlite:///absolute/path" or "postgresql://…".
    read_connections: the most this process holds at a time; on PostgreSQL writes count as well.
    connect_timeout_s: to reach PostgreSQL.
    Several processes may start at once: one migrates, the others wait. Raises DatabaseTooNew,
    InvalidInput for another kind of url, TemporaryFailure when the server cannot be reached.
    """
    global _engine
    if _engine is not None:
        raise RuntimeError("the database is already open")
    if is_patched_too_late(frame.here):
        raise RuntimeError("gevent must patch before appliance.db is imported: greenlets would share state")
    engine = _engine_for(url, data_dir, read_connections, connect_timeout_s)
    engine.open()
    proxy.initialize(engine.database)
    _engine = engine


def close() -> None:
    """Finish queued writes and close every connection; does nothing when not open."""
    global _engine
    engine, _engine = _engine, None
    if engine is not None:
        proxy.initialize(None)
        engine.close()


def is_open() -> bool:
    """Tell whether this process (not the parent it was forked from) has opened the database."""
    return _engine is not None


def is_sqlite() -> bool:
    """Tell whether the open database is SQLite."""
    return isinstance(engine(), SqliteEngine)


def engine() -> Engine:
    """Return the open engine; raises TemporaryFailure when there is none (starting up, shutting down)."""
    if _engine is None:
        raise TemporaryFailure("the database is not open")
    return _engine


@contextmanager
def connection() -> Iterator[None]:
    """Give the calling greenlet or thread a read connection for the block; nested blocks share it.

    Inside a transaction it is the transaction's own. Outside any block queries raise, so that nothing
    can hold a connection by accident. Each statement sees what is committed when it begins. Waits its
    turn when all are in use; raises TemporaryFailure after a deadline, and instead of the database's
    temporary errors. On SQLite writing in it is refused.
    """
    database = engine().database
    if not database.is_closed():
        yield
        return
    with translated():
        database.connect()
        try:
            yield
        finally:
            database.close()


@contextmanager
def snapshot() -> Iterator[None]:
    """Like `connection`, and all reads in the block see one state: that of the first read.

    Inside a transaction it is the transaction itself: exact on SQLite; on PostgreSQL rely on the row
    locks you hold. A transaction cannot start inside a snapshot.
    """
    if frame.in_transaction() or frame.here.in_snapshot:
        yield
        return
    with connection():
        opened = engine()
        database = opened.database
        opened.begin_snapshot()
        database.push_transaction(opened)  # peewee's atomic() inside is then a savepoint
        frame.here.in_snapshot = True
        try:
            yield
        finally:
            frame.here.in_snapshot = False
            database.pop_transaction()
            _end_snapshot(database)


def held_connections() -> int:
    """Return how many read connections (on PostgreSQL: connections) are in use in this process."""
    return 0 if _engine is None else _engine.pool.held


def _end_snapshot(database: peewee.Database) -> None:
    """End a read transaction; when even that fails the pool finds out and throws the connection away."""
    try:
        database.rollback()
    except (peewee.DatabaseError, peewee.InterfaceError):
        return


def _engine_for(url: str, data_dir: Path, read_connections: int, connect_timeout_s: int) -> Engine:
    if url == "sqlite":
        return SqliteEngine(data_dir / FILE_NAME, data_dir / "run", read_connections)
    if url.startswith("sqlite:///"):
        return SqliteEngine(Path(url.removeprefix("sqlite://")), data_dir / "run", read_connections)
    if url.startswith(("postgresql://", "postgres://")):
        return PostgresqlEngine(
            "postgresql://" + url.partition("://")[2], read_connections, connect_timeout_s
        )
    raise InvalidInput('database url: must be "sqlite", "sqlite:///absolute/path" or "postgresql://…"')


def _after_fork() -> None:
    """A child must open the database itself: threads, locks and connections belong to the parent."""
    global _engine
    if _engine is not None:
        _inherited.append(_engine)
        _engine.forget()
        _engine = None
        proxy.initialize(None)


os.register_at_fork(after_in_child=_after_fork)
