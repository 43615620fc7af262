"""Several processes on one database: turns, crashes, starts at the same time, forks."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

from appliance import db
from tests.fakes.postgres import PostgresServer, why_not
from tests.fixtures.database import Place
from tests.fixtures.notes import create_table, texts, write

REPOSITORY = Path(__file__).parents[3]
ROUNDS = 20


class NoteWriter:
    """A process of `note_writer`; `acknowledged` collects what it said it had stored."""

    def __init__(self, place: Place, name: str, greenlets: int = 4, count: int | None = None) -> None:
        rest = [] if count is None else [str(count)]
        arguments = [place.url, str(place.data_dir), name, str(greenlets), *rest]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.db.note_writer", *arguments],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.acknowledged: list[str] = []
        self._reader = gevent.spawn(self._read)  # or a full pipe would stop the process

    def start(self) -> None:
        """Let it write as soon as it has opened the database."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def follow(self, count: int) -> None:
        """Wait until it has acknowledged so many in all."""
        while len(self.acknowledged) < count:
            assert self.process.poll() is None
            gevent.sleep(0.001)

    def kill(self) -> None:
        """Kill it at once and collect what it had acknowledged."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.finish()

    def finish(self) -> None:
        """Wait for its end and collect the rest."""
        self.process.wait(60)
        self._reader.join(60)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.acknowledged.append(line.decode().strip())


@pytest.fixture
def prepared(database_place: Place) -> Place:
    """Either database with the test table, closed."""
    prepare(database_place)
    return database_place


def prepare(place: Place) -> None:
    place.open()
    create_table()
    db.close()


def stored(place: Place) -> list[str]:
    place.open()
    try:
        if db.is_sqlite():
            with db.connection():
                assert db.proxy.execute_sql("PRAGMA integrity_check").fetchone()[0] == "ok"
        return texts()
    finally:
        db.close()


def test_a_process_with_few_writes_gets_its_turn_beside_a_busy_one(prepared: Place):
    # Counted in turns, not in time: while the quiet one stores 100 notes one by one, the busy one may
    # store a few groups of its 20 writers for each of them, not hundreds.
    busy, quiet = NoteWriter(prepared, "busy", greenlets=20), NoteWriter(prepared, "quiet", greenlets=1)
    busy.start()
    busy.follow(200)
    quiet.start()
    before = len(stored(prepared))
    quiet.follow(100)
    after = stored(prepared)
    for writer in (busy, quiet):
        writer.kill()
    assert sum(text.startswith("busy") for text in after) - before < 100 * 20 * 10
    assert set(stored(prepared)) >= set(busy.acknowledged + quiet.acknowledged)


@pytest.mark.timeout(300)
def test_killed_processes_lose_nothing_they_acknowledged(prepared: Place):
    chance = random.Random(20)
    acknowledged: set[str] = set()
    is_sqlite = prepared.url == "sqlite"
    for round_ in range(ROUNDS if is_sqlite else 3):
        writers = [NoteWriter(prepared, f"{round_}.{name}") for name in ("a", "b")]
        for writer in writers:
            writer.start()
        writers[0].follow(chance.randrange(1, 60))
        for writer in chance.sample(writers, 2):
            writer.kill()
            acknowledged.update(writer.acknowledged)
        missing = acknowledged - set(stored(prepared))
        assert not missing, f"round {round_}: {sorted(missing)}"
    assert len(acknowledged) > ROUNDS


def test_a_killed_writer_does_not_stop_the_other(prepared: Place):
    victim, survivor = NoteWriter(prepared, "victim"), NoteWriter(prepared, "survivor", count=100)
    victim.start()
    victim.follow(20)
    survivor.start()
    survivor.follow(10)
    victim.kill()
    survivor.finish()
    assert len(survivor.acknowledged) == 400
    assert survivor.process.returncode == 0


@pytest.mark.timeout(180)
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_postgresql_that_crashes_loses_nothing_acknowledged(tmp_path: Path):
    server = PostgresServer(durable=True)
    try:
        server.start()
        place = Place(server.new_database(migrated=False), tmp_path)
        prepare(place)
        acknowledged: set[str] = set()
        for round_ in range(3):
            writer = NoteWriter(place, str(round_))
            writer.start()
            writer.follow(50)
            server.crash()
            writer.finish()  # it ends with an error: its server is gone
            assert writer.process.returncode != 0
            acknowledged.update(writer.acknowledged)
            server.start()
            assert acknowledged <= set(stored(place))
    finally:
        server.remove()


def test_processes_that_start_at_the_same_time_agree_on_the_schema(
    request: pytest.FixtureRequest, tmp_path: Path, database_place: Place
):
    place = database_place
    if place.url != "sqlite":  # the fixture's database is migrated already: take one that is not
        server: PostgresServer = request.getfixturevalue("postgres_server")
        place = Place(server.new_database(migrated=False), tmp_path)
    openers = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from pathlib import Path; from appliance import db;"
                "sys.stdin.readline(); db.open(sys.argv[1], Path(sys.argv[2])); db.close()",
                place.url,
                str(place.data_dir),
            ],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write(b"go\n")
        opener.stdin.flush()
    assert [opener.wait(60) for opener in openers] == [0, 0, 0, 0]
    place.open()
    with db.connection():
        names = [row[0] for row in db.proxy.execute_sql("SELECT name FROM schema_migration").fetchall()]
    db.close()
    assert sorted(names) == sorted(set(names))
    assert names


def test_a_forked_child_opens_for_itself_and_leaves_the_parent_alone(notes: Place):
    write("parent before")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert not db.is_open()
            notes.open()
            write("child")
            db.close()
            os.write(writer, b"done")
            code = 0
        finally:
            os._exit(code)  # without the parent's exit handlers
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert os.read(reader, 4) == b"done"
    os.close(reader)
    os.close(writer)
    write("parent after")
    assert texts() == ["parent before", "child", "parent after"]


@pytest.mark.parametrize("patched", [True, False])
def test_works_in_threads_with_and_without_gevent(prepared: Place, patched: bool):
    program = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from appliance import db\n"
        "from tests.fixtures.notes import write, texts\n"
        "db.open(sys.argv[1], Path(sys.argv[2]))\n"
        "def work(n):\n"
        "    for i in range(20):\n"
        "        write(f'{n}.{i}')\n"
        "        assert f'{n}.{i}' in texts()\n"
        "threads = [threading.Thread(target=work, args=(n,)) for n in range(5)]\n"
        "[t.start() for t in threads]\n"
        "[t.join() for t in threads]\n"
        "print(len(texts()), 'gevent.monkey' in sys.modules, db.held_connections())\n"
        "db.close()\n"
    )
    if patched:
        program = "from gevent import monkey; monkey.patch_all()\n" + program
    done = subprocess.run(
        [sys.executable, "-c", program, prepared.url, str(prepared.data_dir)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "100"
    assert done.stdout.split()[2] == "0"
