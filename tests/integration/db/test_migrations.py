"""Migrations: complete, atomic, once, and never backwards."""

import itertools
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import peewee
import pytest

from appliance import db
from appliance.db import migrate
from tests.fakes.postgres import PostgresServer
from tests.fixtures.database import Place
from tests.fixtures.notes import run
from tests.integration.db.described import described

FIRST = """
def up(migrator, db):
    db.execute_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    db.execute_sql("CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL"
                   " REFERENCES parent (id) ON DELETE CASCADE)")
    db.execute_sql("INSERT INTO parent VALUES (1)")
    db.execute_sql("INSERT INTO child VALUES (7, 1)")
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Place]]:
    """Makes databases of either kind without any table."""
    numbers = itertools.count(1)
    if request.param == "sqlite":
        yield lambda: Place("sqlite", tmp_path / str(next(numbers)))
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    urls: list[str] = []

    def new() -> Place:
        urls.append(server.new_database(migrated=False))
        return Place(urls[-1], tmp_path)

    yield new
    for url in urls:
        server.drop_database(url)


@pytest.fixture
def empty_place(new_place: Callable[[], Place]) -> Place:
    """Either database without any table."""
    return new_place()


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that takes the place of the product's migrations."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    monkeypatch.setattr(migrate, "DIRECTORY", folder)
    return folder


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    db.close()


def script(folder: Path, name: str, source: str) -> None:
    (folder / f"{name}.py").write_text(textwrap.dedent(source))


def rows(sql: str) -> list[tuple[object, ...]]:
    with db.connection():
        return list(db.proxy.execute_sql(sql).fetchall())


def test_the_migrations_make_exactly_the_tables(
    new_place: Callable[[], Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    new_place().open()
    migrated = described()
    db.close()
    direct = tmp_path / "direct"
    direct.mkdir()
    source = """
        import peewee
        from appliance.db.ddl import statements
        def up(migrator, db):
            for statement in statements("sqlite" if isinstance(db, peewee.SqliteDatabase) else "postgresql"):
                db.execute_sql(statement)
        """
    script(direct, "0001_direct", source)
    monkeypatch.setattr(migrate, "DIRECTORY", direct)
    new_place().open()
    assert migrated == described()
    assert len(migrated["columns"]) > 50


ADD_COLUMN = """
import peewee
def up(migrator, db):
    migrator.migrate(
        migrator.add_column("thing", "colour", peewee.TextField(default="red", index=True)),
        migrator.add_column("thing", "weight", peewee.IntegerField(null=True)),
    )
"""


def thing(fields: str) -> str:
    """Return a migration that makes a table with these peewee fields."""
    return (
        "import peewee\n"
        "def up(migrator, db):\n"
        "    class Thing(peewee.Model):\n"
        f"        {fields}\n"
        "        class Meta:\n"
        "            database = db\n"
        "    db.create_tables([Thing])\n"
    )


@pytest.mark.parametrize(
    ("colour", "weight", "is_same"),
    [
        ("TextField(index=True)", "IntegerField(null=True)", True),
        ("TextField()", "IntegerField(null=True)", False),
        ("TextField(index=True)", "IntegerField()", False),
        ("TextField(index=True)", "TextField(null=True)", False),
    ],
)
def test_a_column_added_later_compares_with_a_fresh_table(
    new_place: Callable[[], Place], scripts: Path, colour: str, weight: str, is_same: bool
):
    # What the next migration will look like, and that the comparison above can tell right from wrong.
    script(scripts, "0001_first", thing("name = peewee.TextField()"))
    script(scripts, "0002_colour", ADD_COLUMN)
    new_place().open()
    migrated = described()
    db.close()
    (scripts / "0002_colour.py").unlink()
    today = f"colour = peewee.{colour}; name = peewee.TextField(); weight = peewee.{weight}"
    script(scripts, "0001_first", thing(today))
    new_place().open()
    assert (migrated == described()) is is_same


def test_migrations_are_applied_in_order_and_once(empty_place: Place, scripts: Path):
    script(scripts, "0001_first", FIRST)
    empty_place.open()
    script(
        scripts,
        "0002_second",
        """
        import peewee
        def up(migrator, db):
            migrator.migrate(migrator.add_column("child", "name", peewee.TextField(default="new")))
        """,
    )
    script(scripts, "0010_third", "def up(m, db): db.execute_sql(\"UPDATE child SET name = name || '!'\")")
    empty_place.reopen()
    assert rows("SELECT id, name FROM child") == [(7, "new!")]
    empty_place.reopen()
    assert rows("SELECT id, name FROM child") == [(7, "new!")]
    assert rows("SELECT name FROM schema_migration ORDER BY id") == [
        ("0001_first",),
        ("0002_second",),
        ("0010_third",),
    ]


def test_a_script_may_hold_any_text(empty_place: Place, scripts: Path):
    script(
        scripts,
        "0001_script",
        """
        from appliance.db.migrate import run_script
        def up(migrator, db):
            run_script(db, __file__)
        """,
    )
    sql = (
        "CREATE TABLE rate (\n name TEXT CHECK (name LIKE '%s;%')\n);\n\nINSERT INTO rate VALUES ('5%s;?');\n"
    )
    for dialect in ("sqlite", "postgresql"):
        (scripts / f"0001_script.{dialect}.sql").write_text(sql)
    empty_place.open()
    assert rows("SELECT name FROM rate") == [("5%s;?",)]


def test_a_newer_database_is_refused_and_left_alone(empty_place: Place, scripts: Path):
    script(scripts, "0001_first", FIRST)
    script(scripts, "0002_from_the_future", 'def up(m, db): db.execute_sql("DROP TABLE child")')
    empty_place.open()
    db.close()
    (scripts / "0002_from_the_future.py").unlink()
    script(scripts, "0003_must_not_run", 'def up(m, db): db.execute_sql("DROP TABLE parent")')
    with pytest.raises(db.DatabaseTooNew, match="0002_from_the_future"):
        empty_place.open()
    assert not db.is_open()
    (scripts / "0003_must_not_run.py").unlink()
    script(scripts, "0002_from_the_future", "def up(m, db): raise AssertionError")
    empty_place.open()
    assert rows("SELECT id FROM parent") == [(1,)]


def test_a_failing_migration_leaves_everything_as_it_was(empty_place: Place, scripts: Path):
    script(scripts, "0001_first", FIRST)
    empty_place.open()
    db.close()
    script(scripts, "0002_fine", 'def up(m, db): db.execute_sql("INSERT INTO parent VALUES (2)")')
    broken = """
        def up(m, db):
            db.execute_sql("DROP TABLE child")
            db.execute_sql("CREATE TABLE half (id INTEGER)")
            raise RuntimeError("power cut")
        """
    script(scripts, "0003_broken", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        empty_place.open()
    assert not db.is_open()
    (scripts / "0002_fine.py").unlink()
    (scripts / "0003_broken.py").unlink()
    empty_place.open()
    assert rows("SELECT id FROM parent") == [(1,)]
    assert rows("SELECT id FROM child") == [(7,)]
    assert rows("SELECT name FROM schema_migration") == [("0001_first",)]
    assert "half" not in {row[0] for row in described()["columns"]}


def test_rebuilding_a_table_does_not_delete_what_refers_to_it(empty_place: Place, scripts: Path):
    script(scripts, "0001_first", FIRST)
    empty_place.open()
    script(
        scripts,
        "0002_rebuild",
        """
        import peewee
        def up(migrator, db):
            migrator.migrate(migrator.add_column("parent", "note", peewee.TextField(null=True)))
            migrator.migrate(migrator.add_column("parent", "name", peewee.TextField(default="x")))
            migrator.migrate(migrator.drop_column("parent", "note"))
        """,
    )
    empty_place.reopen()
    assert rows("SELECT id, parent FROM child") == [(7, 1)]
    with pytest.raises(peewee.IntegrityError):
        run(lambda: db.proxy.execute_sql("INSERT INTO child VALUES (8, 99)"))
    run(lambda: db.proxy.execute_sql("DELETE FROM parent"))
    assert rows("SELECT id FROM child") == []


def test_a_migration_that_breaks_references_is_refused(sqlite_place: Place, scripts: Path):
    script(scripts, "0001_first", FIRST)
    sqlite_place.open()
    db.close()
    script(scripts, "0002_careless", 'def up(m, db): db.execute_sql("DELETE FROM parent")')
    with pytest.raises(peewee.IntegrityError, match="child"):
        sqlite_place.open()
    (scripts / "0002_careless.py").unlink()
    sqlite_place.open()
    assert rows("SELECT id, parent FROM child") == [(7, 1)]


def test_the_product_opens_what_it_made(empty_place: Place):
    empty_place.open()
    before = described()
    empty_place.reopen()
    assert described() == before
