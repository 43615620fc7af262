"""The SQLite writer: grouping, isolation of neighbours, ceilings, deadlines."""

import threading
from collections.abc import Callable
from pathlib import Path

import gevent
import peewee
import pytest
from gevent.monkey import get_original

from appliance import db, metrics
from appliance.db import database as opened
from appliance.db import writer as writer_module
from appliance.db.waiting import native_lock
from appliance.db.writer import Writer
from appliance.errors import TemporaryFailure
from tests.fixtures.database import Place
from tests.fixtures.notes import Note, run, texts, write

native_sleep = get_original("time", "sleep")


@pytest.fixture
def writer(sqlite_notes: Place) -> Writer:
    engine = opened.engine()
    found: Writer = engine.writer  # type: ignore[attr-defined]  # the SQLite engine
    return found


class Plug:
    """Stops up the writer thread, so that jobs gather behind it and share the next group."""

    def __init__(self) -> None:
        self._lock = native_lock()
        self._entered = native_lock()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._entered.acquire()
        self._greenlet = gevent.spawn(run, self._block)
        while not self._entered.acquire(blocking=False):
            gevent.sleep(0.001)

    def _block(self) -> None:
        self._entered.release()
        self._lock.acquire(timeout=10)

    def __exit__(self, *exc: object) -> None:
        self._lock.release()
        self._greenlet.join(10)


def groups() -> tuple[float, float]:
    """Return how many groups were committed and how many jobs they had."""
    count = metrics.sample("appliance_db_group_size_count")
    total = metrics.sample("appliance_db_group_size_sum")
    return count, total


def outcomes(*functions: Callable[[], object]) -> list[object]:
    """Run functions at the same time as transactions that share a group; return values or errors."""

    def outcome(function: Callable[[], object]) -> object:
        try:
            return run(function)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with Plug():
        greenlets = [gevent.spawn(outcome, function) for function in functions]
        gevent.sleep(0.01)
    # The plug is the first job of the group; those that wait behind it join it.
    gevent.joinall(greenlets, timeout=10, raise_error=True)
    return [greenlet.value for greenlet in greenlets]


@pytest.fixture
def roomy_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a group stay open longer than the plug holds it."""
    monkeypatch.setattr(writer_module, "GROUP_S", 30.0)


def note(text: str) -> Callable[[], object]:
    return lambda: Note.create(text=text)


def test_jobs_that_wait_share_one_commit(writer: Writer, roomy_groups: None):
    commits, jobs = groups()
    outcomes(*(note(f"n{number}") for number in range(20)))
    assert groups() == (commits + 1, jobs + 21)
    assert len(texts()) == 20


def test_a_group_has_a_ceiling(writer: Writer, roomy_groups: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer_module, "GROUP_JOBS_MAX", 7)
    commits, jobs = groups()
    outcomes(*(note(f"n{number}") for number in range(20)))
    assert groups() == (commits + 3, jobs + 21)


def test_a_failing_job_does_not_harm_its_neighbours(writer: Writer, roomy_groups: None):
    def fails() -> None:
        Note.create(text="half of it")
        raise ValueError("mine")

    commits, _ = groups()
    found = outcomes(note("before"), fails, note("before"), note("after"))
    assert groups()[0] == commits + 1
    assert isinstance(found[0], Note)
    assert isinstance(found[1], ValueError)
    assert isinstance(found[2], peewee.IntegrityError)
    assert isinstance(found[3], Note)
    assert texts() == ["before", "after"]


def test_a_failing_commit_fails_every_job_and_stores_nothing(writer: Writer, roomy_groups: None):
    def breaks_at_commit() -> None:
        db.proxy.execute_sql("PRAGMA defer_foreign_keys = 1")
        Note.create(text="dangling", about=999)

    ran: list[str] = []

    def with_hint() -> None:
        Note.create(text="hint")
        db.after_commit(ran.append, "hint")

    found = outcomes(note("one"), breaks_at_commit, with_hint)
    assert all(isinstance(outcome, TemporaryFailure) for outcome in found)
    assert all(isinstance(outcome.__cause__, Exception) for outcome in found)
    assert len({id(outcome) for outcome in found}) == 3  # each caller raises its own
    assert texts() == []
    assert ran == []
    write("the writer goes on")
    assert texts() == ["the writer goes on"]


def test_disk_full_is_temporary_and_passes(writer: Writer):
    write("small")

    def limit_pages(extra: int) -> int:
        pages = db.proxy.execute_sql("PRAGMA page_count").fetchone()[0]
        return int(db.proxy.execute_sql(f"PRAGMA max_page_count = {pages + extra}").fetchone()[0])

    run(lambda: limit_pages(2))
    with pytest.raises(TemporaryFailure, match="full") as caught:
        write("x" * 100_000)
    assert isinstance(caught.value.__cause__, peewee.OperationalError)
    assert texts() == ["small"]
    run(lambda: limit_pages(1000))
    write("y" * 100_000)
    assert len(texts()) == 2


def test_a_job_that_ends_the_transaction_itself_takes_its_group_along(writer: Writer, roomy_groups: None):
    found = outcomes(note("one"), lambda: db.proxy.execute_sql("ROLLBACK"))
    assert isinstance(found[0], TemporaryFailure)
    assert isinstance(found[1], Exception)
    assert texts() == []
    write("goes on")
    assert texts() == ["goes on"]


def test_the_traceback_leads_to_the_line_that_failed(writer: Writer):
    def the_culprit() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        run(the_culprit)
    names = [entry.name for entry in caught.traceback]
    assert "the_culprit" in names
    assert "test_the_traceback_leads_to_the_line_that_failed" in names


def test_runs_on_one_thread_of_its_own(writer: Writer):
    threads = {run(threading.get_native_id) for _ in range(3)}
    assert len(threads) == 1
    assert threading.get_native_id() not in threads


def test_refuses_when_too_many_wait(writer: Writer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writer_module, "QUEUE_JOBS_MAX", 3)
    with Plug():
        waiting = [gevent.spawn(write, f"n{number}") for number in range(3)]
        gevent.sleep(0.01)
        with pytest.raises(TemporaryFailure, match="too many"):
            write("one too many")
    gevent.joinall(waiting, timeout=10, raise_error=True)
    assert texts() == ["n0", "n1", "n2"]


def test_a_job_that_has_not_begun_at_the_deadline_never_will(writer: Writer):
    writer.wait_s = 0.05
    with Plug():
        with pytest.raises(TemporaryFailure, match="did not get to") as caught:
            write("late")
        assert not isinstance(caught.value, db.OutcomeUnknown)
        writer.wait_s = 10
    write("next")
    assert texts() == ["next"]


def test_a_job_that_has_begun_at_the_deadline_is_committed_all_the_same(writer: Writer):
    hints: list[str] = []

    def slow() -> None:
        Note.create(text="slow")
        db.after_commit(hints.append, "slow")
        native_sleep(0.2)

    writer.wait_s = 0.05
    with pytest.raises(db.OutcomeUnknown):
        run(slow)
    writer.wait_s = 10
    write("next")
    gevent.sleep(0.01)
    assert texts() == ["slow", "next"]
    assert hints == ["slow"]


def test_a_killed_caller_withdraws_what_has_not_begun(writer: Writer):
    with Plug():
        victim = gevent.spawn(write, "never")
        gevent.sleep(0.01)
        victim.kill()
    write("next")
    assert texts() == ["next"]


def test_hints_go_out_although_the_caller_was_killed_meanwhile(writer: Writer):
    hints: list[str] = []
    begun = native_lock()
    begun.acquire()

    def slow() -> None:
        Note.create(text="slow")
        db.after_commit(hints.append, "slow")
        begun.release()
        native_sleep(0.1)

    victim = gevent.spawn(run, slow)
    while not begun.acquire(blocking=False):
        gevent.sleep(0.001)
    victim.kill()
    write("next")
    gevent.sleep(0.01)
    assert texts() == ["slow", "next"]
    assert hints == ["slow"]


def test_close_finishes_what_is_queued_and_refuses_what_comes_later(sqlite_place: Place, writer: Writer):
    with Plug():
        waiting = [gevent.spawn(write, f"n{number}") for number in range(5)]
        gevent.sleep(0.01)
        closing = gevent.spawn(writer.stop)
        gevent.sleep(0.01)
        with pytest.raises(TemporaryFailure, match="closed"):
            write("too late")
    gevent.joinall([closing, *waiting], timeout=10, raise_error=True)
    assert len(texts()) == 5


def test_the_log_is_tidied_up_at_close(sqlite_notes: Place):
    write("one")
    assert (sqlite_notes.data_dir / "appliance.db-wal").exists()
    db.close()
    assert not (sqlite_notes.data_dir / "appliance.db-wal").exists()
    sqlite_notes.open()
    assert texts() == ["one"]


def test_the_file_is_private_and_its_promises_are_kept(sqlite_notes: Place):
    def pragma(name: str) -> object:
        return db.proxy.execute_sql(f"PRAGMA {name}").fetchone()[0]

    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert run(lambda: {name: pragma(name) for name in wanted}) == wanted
    modes = {path.stat().st_mode & 0o777 for path in Path(sqlite_notes.data_dir).glob("appliance.db*")}
    assert modes == {0o600}
