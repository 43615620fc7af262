"""Bring a database to the newest schema, once, whoever comes first; refuse one from the future.

Owns the order and the safety of migrations. The migrations themselves are numbered files in
`migrations/`, written for `playhouse.migrations`: `up(migrator, db)`.

All pending migrations are applied in one transaction: after a crash or an error the database is as it
was. While one process migrates the others wait at the write lock (SQLite, behind the turnstile) or an
advisory lock (PostgreSQL), then find nothing left to do.
"""

import logging
from pathlib import Path
from typing import Any, Final

import peewee
from playhouse.migrations import Runner

from appliance.db.failures import DatabaseTooNew

log = logging.getLogger(__name__)

DIRECTORY: Final = Path(__file__).parent / "migrations"
ADVISORY_LOCK: Final = 0x3365_6D61_696C  # any number, as long as nothing else in the database uses it


def bring_up_to_date(database: peewee.Database, directory: Path | None = None) -> list[str]:
    """Apply what is missing and return its names; blocks while another process does it.

    Needs a connection, on SQLite with foreign keys off (a rebuilt table must not cascade). Raises
    DatabaseTooNew when the database has migrations that this version does not know.
    """
    runner = Runner(database, str(directory or DIRECTORY))
    if not pending(runner):
        return []
    with database.atomic():
        if isinstance(database, peewee.PostgresqlDatabase):
            database.execute_sql("SET LOCAL statement_timeout = 0")
            database.execute_sql("SET LOCAL lock_timeout = 0")
            database.execute_sql("SELECT pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
        if not pending(runner):
            return []
        applied: list[str] = runner.up()
        _check_references(database)
    log.info("database migrated: %s", ", ".join(applied))
    return applied


def pending(runner: Any) -> list[str]:
    """Return the names of the migrations to apply, in order; raises DatabaseTooNew."""
    status = runner.status()
    if unknown := [migration.name for migration in status if migration.path is None]:
        raise DatabaseTooNew(
            f"the database was changed by a newer version of this software ({', '.join(unknown)}); "
            "install that version, or restore a backup made before the upgrade"
        )
    return [migration.name for migration in status if migration.applied is None]


def run_script(database: peewee.Database, migration: str) -> None:
    """Run the SQL file of this database's dialect that lies beside a migration's `__file__`.

    `0001_initial.py` has `0001_initial.sqlite.sql` and `0001_initial.postgresql.sql`; a statement ends
    with a semicolon at the end of a line. (sqlite3's own script runner commits first.)
    """
    dialect = "sqlite" if isinstance(database, peewee.SqliteDatabase) else "postgresql"
    script = Path(migration).with_suffix(f".{dialect}.sql").read_text(encoding="utf-8")
    for statement in script.split(";\n"):
        if statement.strip():
            # psycopg looks for placeholders even where there are none; sqlite3 uses question marks.
            database.execute_sql(statement if dialect == "sqlite" else statement.replace("%", "%%"))


def _check_references(database: peewee.Database) -> None:
    """Foreign keys are off while SQLite migrates: see that none was broken before it is committed."""
    if isinstance(database, peewee.SqliteDatabase):
        broken = database.execute_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            tables = ", ".join(sorted({str(row[0]) for row in broken}))
            raise peewee.IntegrityError(f"the migration leaves rows without what they refer to in {tables}")
