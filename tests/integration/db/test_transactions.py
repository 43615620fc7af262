"""What both databases promise alike."""

import logging
import threading
from collections.abc import Callable

import gevent
import peewee
import pytest
from gevent.monkey import get_original

from appliance import db, metrics
from appliance.db.waiting import Signal, start_native_thread
from appliance.errors import InvalidInput, TemporaryFailure
from tests.fixtures.database import Place
from tests.fixtures.notes import Note, run, texts, write

SLOW_SQL = {
    True: "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 4000000)"
    " SELECT count(*) FROM c",
    False: "SELECT pg_sleep(0.5)",
}


def slow_query() -> None:
    db.proxy.execute_sql(SLOW_SQL[db.is_sqlite()]).fetchall()


def ticks_during(function: Callable[[], object]) -> int:
    """Return how often a greenlet got its turn while `function` ran."""
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        while True:
            gevent.sleep(0.005)
            ticks += 1

    ticker = gevent.spawn(tick)
    gevent.sleep(0)
    function()
    ticker.kill()
    return ticks


# --- storing ------------------------------------------------------------------------------------


def test_what_was_written_is_there_after_a_restart(notes: Place):
    identifier = write("one")
    assert isinstance(identifier, int)
    notes.reopen()
    assert texts() == ["one"]


def test_an_exception_undoes_everything_and_reaches_the_caller(notes: Place):
    def fails() -> None:
        Note.create(text="one")
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(fails)
    assert texts() == []


def test_integrity_errors_pass_through(notes: Place):
    write("one")
    with pytest.raises(peewee.IntegrityError):
        write("one")
    with pytest.raises(peewee.IntegrityError):
        run(lambda: Note.create(text="two", about=999))
    assert texts() == ["one"]


def test_many_greenlets_write_at_once(notes: Place):
    greenlets = [gevent.spawn(write, f"n{number}") for number in range(100)]
    gevent.joinall(greenlets, timeout=30, raise_error=True)
    assert sorted(texts()) == sorted(f"n{number}" for number in range(100))


def test_native_threads_write_and_read_too(notes: Place):
    done = [Signal() for _ in range(3)]
    errors: list[BaseException] = []

    def thread(number: int) -> None:
        try:
            for count in range(10):
                write(f"{number}.{count}")
                assert f"{number}.{count}" in texts()
        except BaseException as error:  # noqa: BLE001 - reported by the test below
            errors.append(error)
        finally:
            done[number].set()

    for number in range(3):
        start_native_thread(thread, (number,))
    assert all(signal.wait(30) for signal in done)
    assert not errors
    assert len(texts()) == 30


def test_greenlets_go_on_during_a_slow_transaction(notes: Place):
    assert ticks_during(lambda: run(slow_query)) > 20


def test_two_greenlets_count_without_losing_one(notes: Place):
    counter = run(lambda: Note.create(text="0")).id

    @db.transaction
    def count_up() -> None:
        row = db.for_update(Note.select().where(Note.id == counter)).get()
        Note.update(text=str(int(row.text) + 1)).where(Note.id == counter).execute()

    def count_often() -> None:
        for _ in range(20):
            count_up()

    gevent.joinall([gevent.spawn(count_often) for _ in range(5)], timeout=30, raise_error=True)
    assert texts() == ["100"]


# --- nesting ------------------------------------------------------------------------------------


def test_a_nested_transaction_is_part_of_the_outer_one(notes: Place):
    def outer() -> None:
        write("inner")
        raise ValueError

    with pytest.raises(ValueError):
        run(outer)
    assert texts() == []


def test_a_failed_nested_transaction_undoes_only_its_part(notes: Place):
    hints: list[str] = []

    def inner() -> None:
        Note.create(text="inner")
        db.after_commit(hints.append, "inner")
        raise ValueError

    def outer() -> None:
        Note.create(text="before")
        db.after_commit(hints.append, "before")
        with pytest.raises(ValueError):
            run(inner)
        with pytest.raises(peewee.IntegrityError):
            write("before")
        write("after")

    run(outer)
    assert texts() == ["before", "after"]
    assert hints == ["before"]


def test_peewees_atomic_is_a_savepoint_inside_a_transaction(notes: Place):
    def outer() -> None:
        Note.create(text="one")
        with pytest.raises(peewee.IntegrityError), db.proxy.atomic():
            Note.create(text="one")
        Note.create(text="two")

    run(outer)
    assert texts() == ["one", "two"]


def test_knows_whether_it_is_in_a_transaction(notes: Place):
    assert not db.in_transaction()
    assert run(lambda: (db.in_transaction(), run(db.in_transaction), db.in_transaction())) == (
        True,
        True,
        True,
    )
    with db.connection():
        assert not db.in_transaction()


def test_signature_and_name_are_kept():
    assert write.__name__ == "write"
    assert write.__doc__ == "Store a note and return its id."


# --- after the commit ---------------------------------------------------------------------------


def test_hints_go_out_in_order_from_the_caller_after_the_commit(notes: Place):
    seen: list[tuple[str, int, list[str]]] = []

    def hint(name: str) -> None:
        assert not db.in_transaction()
        seen.append((name, threading.get_native_id(), texts()))

    def outer() -> None:
        db.after_commit(hint, "first")
        run(lambda: db.after_commit(hint, "nested"))
        Note.create(text="one")
        db.after_commit(hint, name="last")
        assert seen == []

    run(outer)
    here = threading.get_native_id()
    assert seen == [("first", here, ["one"]), ("nested", here, ["one"]), ("last", here, ["one"])]


def test_no_hint_after_a_rollback(notes: Place):
    seen: list[str] = []

    def fails() -> None:
        db.after_commit(seen.append, "no")
        raise ValueError

    with pytest.raises(ValueError):
        run(fails)
    assert seen == []


def test_a_failing_hint_is_logged_and_the_next_still_goes_out(notes: Place, caplog: pytest.LogCaptureFixture):
    seen: list[str] = []

    def fails() -> None:
        raise RuntimeError("bus is down")

    def outer() -> str:
        db.after_commit(fails)
        db.after_commit(seen.append, "next")
        return "value"

    with caplog.at_level(logging.ERROR):
        assert run(outer) == "value"
    assert seen == ["next"]
    assert "after-commit callback failed" in caplog.text


def test_outside_a_transaction_a_hint_goes_out_at_once(notes: Place):
    seen: list[str] = []
    db.after_commit(seen.append, "now")
    assert seen == ["now"]


def test_a_hint_may_write(notes: Place):
    run(lambda: db.after_commit(write, "from the hint"))
    assert texts() == ["from the hint"]


# --- reading ------------------------------------------------------------------------------------


def test_queries_outside_a_connection_are_refused(notes: Place):
    with pytest.raises(peewee.InterfaceError):
        Note.select().count()
    assert db.held_connections() == 0


def test_connections_nest_and_are_given_back(notes: Place):
    with db.connection():
        with db.connection(), db.snapshot():
            assert Note.select().count() == 0
        assert db.held_connections() == 1
        assert Note.select().count() == 0
    assert db.held_connections() == 0


def test_a_connection_is_given_back_after_an_error(notes: Place):
    with pytest.raises(KeyError), db.connection():
        raise KeyError
    with pytest.raises(KeyError), db.snapshot():
        raise KeyError
    assert db.held_connections() == 0
    assert texts() == []


def test_a_transaction_inside_a_connection_works_and_is_seen_there(notes: Place):
    with db.connection():
        write("one")
        assert Note.select().count() == 1
        assert run(lambda: Note.select().count()) == 1


def test_a_connection_inside_a_transaction_sees_what_is_not_committed_yet(notes: Place):
    def outer() -> list[str]:
        Note.create(text="one")
        return texts()

    assert run(outer) == ["one"]


def test_reads_in_a_snapshot_agree_while_others_write(notes: Place):
    write("one")
    with db.snapshot():
        assert Note.select().count() == 1
        gevent.spawn(write, "two").get(timeout=10)
        assert Note.select().count() == 1
    assert len(texts()) == 2


def test_statements_in_a_connection_see_what_others_commit(notes: Place):
    with db.connection():
        assert Note.select().count() == 0
        gevent.spawn(write, "one").get(timeout=10)
        assert Note.select().count() == 1


def test_a_transaction_cannot_start_in_a_snapshot(notes: Place):
    with db.snapshot(), pytest.raises(RuntimeError):
        write("one")
    write("two")
    assert texts() == ["two"]


def test_no_more_connections_than_allowed_and_the_others_wait_in_line(database_place: Place):
    database_place.open(read_connections=2)
    most = 0

    def read() -> None:
        nonlocal most
        with db.connection():
            most = max(most, db.held_connections())
            db.proxy.execute_sql("SELECT 1").fetchall()
            gevent.sleep(0.005)

    try:
        gevent.joinall([gevent.spawn(read) for _ in range(20)], timeout=30, raise_error=True)
    finally:
        db.close()
    assert most == 2


def test_a_greenlet_killed_while_it_holds_a_connection_gives_it_back(notes: Place):
    def hold() -> None:
        with db.connection():
            gevent.sleep(60)

    holder = gevent.spawn(hold)
    gevent.sleep(0.01)
    assert db.held_connections() == 1
    holder.kill()
    assert db.held_connections() == 0


def test_connections_in_use_and_waits_are_measured(notes: Place):
    waits = metrics.sample("appliance_db_write_seconds_count")
    write("one")
    assert metrics.sample("appliance_db_write_seconds_count") == waits + 1
    held = metrics.sample("appliance_db_held_connections")
    with db.connection():
        assert metrics.sample("appliance_db_held_connections") == held + 1
    assert metrics.sample("appliance_db_held_connections") == held


# --- opening ------------------------------------------------------------------------------------


def test_open_and_closed(database_place: Place):
    assert not db.is_open()
    with pytest.raises(TemporaryFailure), db.connection():
        pass
    with pytest.raises(TemporaryFailure):
        run(lambda: None)
    database_place.open()
    assert db.is_open()
    assert db.is_sqlite() == (database_place.url == "sqlite")
    with pytest.raises(RuntimeError):
        database_place.open()
    db.close()
    db.close()
    assert not db.is_open()


def test_a_sqlite_file_may_lie_elsewhere(tmp_path):
    place = Place(f"sqlite://{tmp_path}/else/where.db", tmp_path / "data")
    place.open()
    db.close()
    assert (tmp_path / "else" / "where.db").exists()


@pytest.mark.parametrize("url", ["", "mysql://x", "sqlite:relative.db", "sqlite://relative.db"])
def test_other_urls_are_refused(url: str, tmp_path):
    with pytest.raises(InvalidInput):
        db.open(url, tmp_path)
    assert not db.is_open()


def test_the_real_tables_take_binary_values_after_a_restart(database: Place):
    from appliance.db.tables import EPOCH, Blob

    digest = bytes(range(32))
    for _ in range(2):
        run(lambda: Blob.insert(digest=digest, size=3, data=b"\x00\xff\x01", created_at=EPOCH).execute())
        with db.connection():
            row = Blob.get(Blob.digest == digest)
            assert (bytes(row.digest), bytes(row.data)) == (digest, b"\x00\xff\x01")
        run(lambda: Blob.delete().execute())
        database.reopen()


def test_writing_on_a_sqlite_read_connection_is_a_bug_that_shows(sqlite_notes: Place):
    with pytest.raises(peewee.OperationalError, match="readonly"), db.connection():
        Note.create(text="one")


def test_the_ticker_would_notice_a_blocked_hub():
    blocking_sleep = get_original("time", "sleep")
    assert ticks_during(lambda: blocking_sleep(0.3)) <= 2
