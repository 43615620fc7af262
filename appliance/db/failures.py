"""Which database errors mean "try again later", and the errors of this package.

Owns the translation of driver errors into the domain's family. Broken promises of our own (SQL errors,
writing on a read connection) and `IntegrityError` pass through unchanged.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import peewee
import psycopg

from appliance.errors import DiskFull, PermanentFailure, TemporaryFailure


class DatabaseTooNew(PermanentFailure):
    """A newer version of the appliance has already changed this database; this one must not touch it."""


class OutcomeUnknown(TemporaryFailure):
    """The transaction may or may not be committed: the answer did not arrive in time or was lost.

    The caller repeats it only if doing it twice is harmless or can be recognised.
    """


_SQLITE_TEMPORARY: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)

_SQLITE_NO_ROOM: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE})
"""The second, an extended code, is about the log's index, which cannot grow."""

_SQLSTATE_NO_ROOM: Final = "53100"  # disk full

_SQLSTATE_TEMPORARY: Final = (
    "08",  # connection exception
    "25P03",  # idle in transaction timeout
    "40",  # transaction rollback: serialization failure, deadlock
    "53",  # insufficient resources: disk full, out of memory, too many connections
    "55P03",  # lock not available
    "57",  # operator intervention: cancelled, shutting down, cannot connect now
    "58",  # system error: I/O
)

_SQLSTATE_RETRY: Final = frozenset({"40001", "40P01"})  # serialization failure, deadlock detected


@contextmanager
def translated() -> Iterator[None]:
    """Turn the database's temporary errors inside the block into TemporaryFailure, with the cause."""
    try:
        yield
    except Exception as error:
        if (failure := as_temporary(error)) is not None:
            raise failure from error
        raise


def as_temporary(error: BaseException, *, writing: bool = False) -> TemporaryFailure | None:
    """Return the TemporaryFailure (DiskFull is one) that stands for a driver's error, or None for any other.

    writing: on the writer's connection "read-only" is said by a disk gone read-only; on a pooled one it
    is said to code that writes outside a transaction, which is a bug and stays visible as one.
    """
    if isinstance(error, TemporaryFailure):
        return None
    driver = _driver_error(error)
    if isinstance(driver, sqlite3.Error):
        extended = getattr(driver, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if extended in _SQLITE_NO_ROOM:
            return DiskFull(f"database: {driver}")
        code = extended & 0xFF
        if code in _SQLITE_TEMPORARY or (writing and code == sqlite3.SQLITE_READONLY):
            return TemporaryFailure(f"database: {driver}")
    elif isinstance(driver, psycopg.Error):
        state = driver.sqlstate
        if state == _SQLSTATE_NO_ROOM:
            return DiskFull(f"database: {type(driver).__name__}")
        lost = state is None and isinstance(driver, psycopg.OperationalError | psycopg.InterfaceError)
        if lost or (state or "").startswith(_SQLSTATE_TEMPORARY):
            return TemporaryFailure(f"database: {type(driver).__name__}")
    return None


def is_worth_repeating(error: BaseException) -> bool:
    """Tell whether PostgreSQL rolled back only because of what others did at the same moment."""
    driver = _driver_error(error)
    return isinstance(driver, psycopg.Error) and driver.sqlstate in _SQLSTATE_RETRY


def _driver_error(error: BaseException) -> BaseException | None:
    """Return the driver's own error: peewee carries it as `orig`, fetching rows raises it bare."""
    if isinstance(error, peewee.PeeweeException):
        error = getattr(error, "orig", error)
    return error if isinstance(error, sqlite3.Error | psycopg.Error) else None
