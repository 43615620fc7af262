import sqlite3

import peewee
import psycopg
import pytest
from psycopg import errors

from appliance.db.failures import as_temporary, is_worth_repeating, translated
from appliance.errors import DiskFull, TemporaryFailure


def sqlite_error(code: int, message: str = "said so") -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code
    return error


def wrapped(kind: type[peewee.PeeweeException], driver: Exception) -> peewee.PeeweeException:
    """As peewee raises it: the driver's error is the first argument."""
    return kind(driver, *driver.args)


SQLITE_IOERR_FSYNC = sqlite3.SQLITE_IOERR_FSYNC  # an extended code: the low byte is SQLITE_IOERR

TEMPORARY = [
    wrapped(peewee.OperationalError, sqlite_error(sqlite3.SQLITE_FULL, "database or disk is full")),
    wrapped(peewee.OperationalError, sqlite_error(sqlite3.SQLITE_BUSY, "database is locked")),
    wrapped(peewee.OperationalError, sqlite_error(SQLITE_IOERR_FSYNC, "disk I/O error")),
    sqlite_error(sqlite3.SQLITE_CANTOPEN),
    wrapped(peewee.OperationalError, errors.DiskFull("53100")),
    wrapped(peewee.OperationalError, errors.AdminShutdown("57P01")),
    wrapped(peewee.OperationalError, errors.QueryCanceled("57014")),
    wrapped(peewee.OperationalError, errors.LockNotAvailable("55P03")),
    wrapped(peewee.OperationalError, errors.DeadlockDetected("40P01")),
    wrapped(peewee.InternalError, errors.IdleInTransactionSessionTimeout("25P03")),
    wrapped(peewee.OperationalError, psycopg.OperationalError("the connection is closed")),
    wrapped(peewee.InterfaceError, psycopg.InterfaceError("the connection is lost")),
    errors.TooManyConnections("53300"),
]

OTHERS = [
    wrapped(peewee.OperationalError, sqlite_error(sqlite3.SQLITE_ERROR, "no such table: x")),
    wrapped(peewee.OperationalError, sqlite_error(sqlite3.SQLITE_READONLY, "readonly database")),
    wrapped(peewee.IntegrityError, sqlite3.IntegrityError("UNIQUE constraint failed")),
    wrapped(peewee.IntegrityError, errors.UniqueViolation("23505")),
    wrapped(peewee.ProgrammingError, errors.UndefinedTable("42P01")),
    wrapped(peewee.InternalError, errors.InFailedSqlTransaction("25P02")),
    peewee.InterfaceError("Error, database connection not opened."),
    ValueError("ours"),
    TemporaryFailure("already translated"),
]


@pytest.mark.parametrize("error", TEMPORARY, ids=repr)
def test_is_temporary(error: Exception):
    with pytest.raises(TemporaryFailure) as caught, translated():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (wrapped(peewee.OperationalError, sqlite_error(sqlite3.SQLITE_FULL)), True),
        (sqlite_error(sqlite3.SQLITE_IOERR_SHMSIZE), True),
        (wrapped(peewee.OperationalError, errors.DiskFull("53100")), True),
        (sqlite_error(SQLITE_IOERR_FSYNC), False),
        (errors.OutOfMemory("53200"), False),
    ],
    ids=repr,
)
def test_a_full_disk_is_told_from_other_trouble(error: Exception, is_full: bool):
    assert isinstance(as_temporary(error, writing=True), DiskFull) is is_full


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_passes_through(error: Exception):
    with pytest.raises(type(error)) as caught, translated():
        raise error
    assert caught.value is error


def test_read_only_disk_is_temporary_for_the_writer_only():
    error = sqlite_error(sqlite3.SQLITE_READONLY)
    assert as_temporary(error) is None
    assert isinstance(as_temporary(error, writing=True), TemporaryFailure)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (wrapped(peewee.OperationalError, errors.SerializationFailure("40001")), True),
        (wrapped(peewee.OperationalError, errors.DeadlockDetected("40P01")), True),
        (wrapped(peewee.OperationalError, psycopg.OperationalError("lost")), False),
        (wrapped(peewee.IntegrityError, errors.UniqueViolation("23505")), False),
        (ValueError(), False),
    ],
    ids=repr,
)
def test_only_conflicts_with_others_are_worth_repeating(error: Exception, expected: bool):
    assert is_worth_repeating(error) is expected


def test_the_message_of_a_failure_does_not_quote_data():
    error = errors.DiskFull('could not extend file; row contains ("secret subject")')
    failure = as_temporary(wrapped(peewee.OperationalError, error))
    assert "secret" not in str(failure)
