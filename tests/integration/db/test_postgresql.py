"""What only PostgreSQL does: conflicts, lost connections, swallowed errors."""

import gevent
import peewee
import pytest

from appliance import db
from appliance.db import database as opened
from appliance.db import postgresql
from appliance.db.postgresql import ATTEMPTS_MAX
from appliance.errors import TemporaryFailure
from tests.fakes.postgres import PostgresServer
from tests.fixtures.database import Place
from tests.fixtures.notes import Note, run, texts, write


def backend() -> int:
    return int(db.proxy.execute_sql("SELECT pg_backend_pid()").fetchone()[0])


def terminate(server: PostgresServer, pid: int) -> None:
    server.execute(f"SELECT pg_terminate_backend({pid}, 5000)")


def test_deadlocked_transactions_are_repeated(postgresql_notes: Place):
    first, second = write("first"), write("second")
    runs = 0

    @db.transaction
    def touch(one: int, other: int) -> None:
        nonlocal runs
        runs += 1
        Note.update(about=None).where(Note.id == one).execute()
        gevent.sleep(0.1)  # until the other one has its first row, too
        Note.update(about=None).where(Note.id == other).execute()

    pair = [gevent.spawn(touch, first, second), gevent.spawn(touch, second, first)]
    gevent.joinall(pair, timeout=30, raise_error=True)
    assert runs >= 3


def test_repeating_has_an_end_and_hints_of_lost_attempts_are_dropped(
    postgresql_notes: Place, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(postgresql, "RETRY_FIRST_S", 0.0001)
    hints: list[int] = []
    runs = 0

    def loses(times: int) -> None:
        nonlocal runs
        runs += 1
        db.after_commit(hints.append, runs)
        if runs <= times:
            db.proxy.execute_sql("DO $$ BEGIN RAISE SQLSTATE '40001'; END $$")

    run(lambda: loses(2))
    assert (runs, hints) == (3, [3])
    runs = 0
    with pytest.raises(TemporaryFailure):
        run(lambda: loses(1000))
    assert runs == ATTEMPTS_MAX
    assert hints == [3]


def test_a_swallowed_error_never_passes_for_a_commit(postgresql_notes: Place):
    def swallows() -> str:
        Note.create(text="one")
        with pytest.raises(peewee.IntegrityError):
            Note.create(text="one")
        return "stored"

    with pytest.raises(RuntimeError, match="without a savepoint"):
        run(swallows)
    assert texts() == []


def test_connections_the_server_closed_are_replaced_unnoticed(
    postgresql_notes: Place, postgres_server: PostgresServer
):
    with db.connection():
        pid = backend()
    terminate(postgres_server, pid)
    assert texts() == []
    with db.connection():
        assert backend() != pid


def test_a_connection_lost_in_use_is_a_temporary_failure(
    postgresql_notes: Place, postgres_server: PostgresServer
):
    with pytest.raises(TemporaryFailure), db.connection():
        terminate(postgres_server, backend())
        Note.select().count()
    with pytest.raises(TemporaryFailure) as caught:
        run(lambda: (terminate(postgres_server, backend()), Note.create(text="lost")))
    assert not isinstance(caught.value, db.OutcomeUnknown)
    assert db.held_connections() == 0
    assert texts() == []


def test_a_connection_lost_while_committing_leaves_the_outcome_open(
    postgresql_notes: Place, postgres_server: PostgresServer
):
    with pytest.raises(db.OutcomeUnknown):
        run(lambda: terminate(postgres_server, backend()))
    assert texts() == []


def test_a_greenlet_killed_in_a_query_does_not_poison_the_pool(postgresql_notes: Place):
    def sleep_in_the_server() -> None:
        with db.connection():
            db.proxy.execute_sql("SELECT pg_sleep(30)")

    reading = gevent.spawn(sleep_in_the_server)
    writing = gevent.spawn(run, lambda: db.proxy.execute_sql("SELECT pg_sleep(30)"))
    gevent.sleep(0.1)
    gevent.killall([reading, writing], timeout=5)
    assert db.held_connections() == 0
    assert [write(f"n{number}") > 0 for number in range(3)] == [True] * 3


def test_rows_locked_by_another_transaction_are_left_out(postgresql_notes: Place):
    first, second = write("first"), write("second")

    @db.transaction
    def claim(hold_s: float) -> list[int]:
        query = Note.select(Note.id).order_by(Note.id).limit(1)
        found = [identifier for (identifier,) in db.skip_locked(query).tuples()]
        gevent.sleep(hold_s)
        return found

    holder = gevent.spawn(claim, 0.2)
    gevent.sleep(0.05)
    assert claim(0) == [second]
    assert holder.get(timeout=5) == [first]


def test_an_unreachable_server_is_a_temporary_failure(tmp_path):
    with pytest.raises(TemporaryFailure):
        db.open(f"postgresql://nobody@/nothing?host={tmp_path}", tmp_path)
    assert not db.is_open()


def test_sessions_have_deadlines(postgresql_notes: Place):
    def setting(name: str) -> str:
        return str(db.proxy.execute_sql(f"SHOW {name}").fetchone()[0])

    with db.connection():
        assert setting("statement_timeout") == "1min"
        assert setting("lock_timeout") == "20s"
        assert setting("default_transaction_isolation") == "read committed"


def test_some_connections_are_open_before_the_first_request(
    postgresql_notes: Place, postgres_server: PostgresServer
):
    name = postgresql_notes.url.partition("@/")[2].partition("?")[0]
    rows = postgres_server.execute(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'")
    assert rows[0][0] == postgresql.PREWARM
    assert opened.engine().pool.held == 0
