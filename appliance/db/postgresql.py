"""The PostgreSQL engine: one pool; a transaction runs in the calling greenlet.

Owns connection settings, the retry of transactions that lost against a concurrent one, and the
difference between "not stored" and "unknown". psycopg waits through patched polling, so that other
greenlets run meanwhile.
"""

import random
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any, Final

import peewee
import psycopg
from psycopg.pq import ConnStatus, TransactionStatus

from appliance.db import frame, migrate
from appliance.db.failures import OutcomeUnknown, is_worth_repeating, translated
from appliance.db.pool import Pool

ATTEMPTS_MAX: Final = 6
RETRY_FIRST_S: Final = 0.005
"""The pause before the second attempt; doubled for each further one, with jitter: 5 … 80 ms."""

CONNECT: Final = {
    # A server that vanished without a word is noticed after about 30 s instead of 15 minutes.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

SESSION: Final = (
    "-c statement_timeout=60s -c lock_timeout=20s -c idle_in_transaction_session_timeout=60s"
    " -c default_transaction_isolation=read\\ committed -c timezone=UTC"
)
"""Every wait has a deadline. Set at connect, so that it costs no round trip; `options` in the URL wins."""

PREWARM: Final = 4
"""More would be taken from other processes: the server's connections are shared by all of them."""


class PostgresqlDatabase(peewee.PostgresqlDatabase):
    """Connections come from the pool."""

    def __init__(self, url: str, connections: int, connect_timeout_s: int) -> None:
        settings: dict[str, Any] = CONNECT | {"connect_timeout": connect_timeout_s}
        if "options=" not in url:
            settings["options"] = SESSION
        super().__init__(url, prefer_psycopg3=True, autoconnect=False, **settings)
        self._lock = nullcontext()  # it would let only one greenlet connect at a time
        self.pool = Pool(_Connections(super()._connect), connections)  # type: ignore[misc]  # no stub

    def _connect(self) -> Any:
        return self.pool.take()

    def _close(self, connection: Any) -> None:
        self.pool.give_back(connection)


class _Connections:
    """What the pool asks for."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect

    def make(self) -> Any:
        return self._connect()

    def is_fit(self, connection: Any) -> bool:
        """Look at what the server has already sent: a closed connection says so without being asked."""
        try:
            for _ in range(2):  # the first read takes a farewell message, the second the end of file
                connection.pgconn.consume_input()
        except psycopg.Error:
            return False
        return bool(connection.pgconn.status == ConnStatus.OK)

    def clean(self, connection: Any) -> bool:
        return bool(connection.pgconn.transaction_status == TransactionStatus.IDLE)

    def dispose(self, connection: Any) -> None:
        with suppress(psycopg.Error):
            connection.close()


class PostgresqlEngine:
    """One PostgreSQL database."""

    def __init__(self, url: str, connections: int, connect_timeout_s: int) -> None:
        database = PostgresqlDatabase(url, connections, connect_timeout_s)
        self.database: peewee.PostgresqlDatabase = database
        self.pool = database.pool

    def open(self) -> None:
        """Bring the schema up to date, open the first connections; raises TemporaryFailure."""
        try:
            with translated():
                self.database.connect()
                try:
                    migrate.bring_up_to_date(self.database)
                finally:
                    self.database.close()
                self.pool.prewarm(PREWARM)
        except BaseException:
            self.pool.close()
            raise

    def transact(self, work: Callable[[], object]) -> tuple[object, list[frame.Callback]]:
        """Run `work` in a transaction on the caller's connection, or on one taken for it.

        Run again, a bounded number of times, when it lost against a concurrent transaction. Raises
        OutcomeUnknown when the connection broke during COMMIT.
        """
        takes_connection = self.database.is_closed()
        with translated():
            if takes_connection:
                self.database.connect()
            try:
                return self._attempts(work)
            finally:
                if takes_connection:
                    self.database.close()

    def begin_snapshot(self) -> None:
        """Begin a read transaction on the caller's connection; it sees the state of its first read."""
        self.database.execute_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def close(self) -> None:
        """Close idle connections now, the others when they are given back."""
        self.pool.close()

    def forget(self) -> None:
        """Give up in a forked child; closing would say goodbye on the parent's behalf."""

    def _attempts(self, work: Callable[[], object]) -> tuple[object, list[frame.Callback]]:
        pause_s = RETRY_FIRST_S
        for _ in range(ATTEMPTS_MAX - 1):
            try:
                return self._attempt(work)
            except Exception as error:
                if not is_worth_repeating(error):
                    raise
            time.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s *= 2
        return self._attempt(work)

    def _attempt(self, work: Callable[[], object]) -> tuple[object, list[frame.Callback]]:
        self.database.begin()
        self.database.push_transaction(self)  # peewee's atomic() inside is then a savepoint
        try:
            outcome = frame.run_outermost(work)
            self._refuse_swallowed_error()
        except BaseException:
            # A connection that cannot roll back is broken or in the middle of a query of a killed
            # greenlet; the pool throws it away and the server rolls back.
            with suppress(peewee.DatabaseError, peewee.InterfaceError):
                self.database.rollback()
            raise
        finally:
            self.database.pop_transaction()
        self._commit()
        return outcome

    def _refuse_swallowed_error(self) -> None:
        """PostgreSQL answers the COMMIT of a failed transaction with a silent ROLLBACK: never ask for it."""
        if self.database.connection().pgconn.transaction_status == TransactionStatus.INERROR:
            raise RuntimeError("a database error was caught inside the transaction without a savepoint")

    def _commit(self) -> None:
        try:
            self.database.commit()
        except Exception as error:
            if self.database.connection().pgconn.status != ConnStatus.OK:
                raise OutcomeUnknown("the connection broke while committing") from error
            raise
