"""The SQLite engine: pooled read connections, one writer thread.

Owns how the file is opened and its pragmas. See `writer.py` for how a transaction runs. Reads run on
the calling thread (WAL readers wait for nobody); a read connection cannot write (`query_only`).
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

import peewee

from appliance.db import migrate
from appliance.db.failures import translated
from appliance.db.frame import Callback
from appliance.db.pool import Pool
from appliance.db.turnstile import Turnstile
from appliance.db.writer import Writer

PRAGMAS: Final = {
    # A commit is on the disk before it is answered for; NORMAL would lose the last ones with the power.
    "synchronous": "FULL",
    "foreign_keys": 1,
    # Sorting a folder must not create files.
    "temp_store": "MEMORY",
    # After this many pages (16 MB) a commit copies the log into the database. Larger groups write a hot
    # page once instead of often; smaller ones keep reads and recovery after a crash quick.
    "wal_autocheckpoint": 4000,
    # The log is reused from its beginning; what a burst made it grow beyond this is given back.
    "journal_size_limit": 64 * 1024 * 1024,
}

READ_BUSY_S: Final = 1
"""A reader meets a lock only while a crashed log is recovered or the last connection closes; SQLite's
waiting stops the hub, so not for long."""

WRITE_BUSY_MS: Final = 10_000
"""The writer meets only programs that do not know the turnstile, such as the sqlite3 shell."""

WRITER_CACHE_KIB: Final = 8_000
PREWARM: Final = 2


class _Role(threading.local):
    is_writer = False


_role = _Role()


class SqliteDatabase(peewee.SqliteDatabase):
    """Connections come from the pool, except on the writer thread, which has its own."""

    def __init__(self, path: Path, read_connections: int) -> None:
        super().__init__(
            str(path),
            pragmas=PRAGMAS,
            timeout=READ_BUSY_S,
            lock_type="IMMEDIATE",
            autoconnect=False,
            check_same_thread=False,  # one thread at a time, but not always the same
        )
        # connect() and close() would wait for each other under it; the connection state is per greenlet
        # and the pool has its own order.
        self._lock = nullcontext()
        self.pool = Pool(_ReadConnections(super()._connect), read_connections)  # type: ignore[misc]  # no stub

    def _connect(self) -> sqlite3.Connection:
        if not _role.is_writer:
            pooled: sqlite3.Connection = self.pool.take()
            return pooled
        connection: sqlite3.Connection = super()._connect()  # type: ignore[misc]  # no stub
        connection.execute(f"PRAGMA busy_timeout = {WRITE_BUSY_MS}")
        connection.execute(f"PRAGMA cache_size = -{WRITER_CACHE_KIB}")
        return connection

    def _close(self, connection: sqlite3.Connection) -> None:
        if _role.is_writer:
            connection.close()
        else:
            self.pool.give_back(connection)


class _ReadConnections:
    """What the pool of readers asks for."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect

    def make(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("PRAGMA query_only = 1")
        return connection

    def is_fit(self, _connection: sqlite3.Connection) -> bool:
        return True

    def clean(self, connection: sqlite3.Connection) -> bool:
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except sqlite3.Error:
            return False
        return True

    def dispose(self, connection: sqlite3.Connection) -> None:
        with suppress(sqlite3.Error):
            connection.close()


class SqliteEngine:
    """One open SQLite file."""

    def __init__(self, path: Path, run_dir: Path, read_connections: int) -> None:
        _create_private(path)
        self.database = SqliteDatabase(path, read_connections)
        self.pool = self.database.pool
        self._turnstile = Turnstile(run_dir)
        self.writer = Writer(self.database, self._turnstile, self._open_for_writing)

    def open(self) -> None:
        """Start the writer, bring the schema up to date, open the first read connections."""
        with translated():
            self.writer.start()
            try:
                self.pool.prewarm(PREWARM)
            except BaseException:
                self.close()
                raise

    def transact(self, work: Callable[[], object]) -> tuple[object, list[Callback]]:
        """Run `work` as a transaction on the writer thread; see `Writer.run`."""
        return self.writer.run(work)

    def begin_snapshot(self) -> None:
        """Begin a read transaction on the caller's connection; it sees the state of its first read."""
        self.database.begin("DEFERRED")

    def close(self) -> None:
        """Close the readers, then the writer: whoever closes last tidies the log up, off the hub."""
        self.pool.close()
        self.writer.stop()

    def forget(self) -> None:
        """Give up in a forked child, without touching what the parent still uses."""
        self._turnstile.close()

    def _open_for_writing(self) -> None:
        _role.is_writer = True
        self.database.connect()
        self.database.pragma("journal_mode", "wal")
        # Off outside any transaction is the only way; a table that is rebuilt must not cascade.
        self.database.pragma("foreign_keys", 0)
        try:
            migrate.bring_up_to_date(self.database)
        except BaseException:
            self.database.close()
            raise
        self.database.pragma("foreign_keys", 1)


def _create_private(path: Path) -> None:
    """Create the file so that only its owner reads it; log and index files inherit that."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)  # or a power cut takes the file and everything promised in it
    finally:
        os.close(folder)
