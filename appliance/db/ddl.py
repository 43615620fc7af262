"""Print the schema of `tables.py` as SQL: `python -m appliance.db.ddl sqlite|postgresql`.

For writing migrations: the first one is this output, frozen; for a later one compare before and after.
Needs no database.
"""

import sys
from collections.abc import Iterable
from typing import Any

import peewee

from appliance.db.tables import ALL_TABLES


class _Recorder(peewee.Database):
    """A database that writes down what it is told to do."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.statements: list[str] = []

    def execute_sql(self, sql: str, params: Any = None) -> None:
        assert not params, f"schema statements take no parameters: {sql}"
        self.statements.append(sql)


class _Sqlite(_Recorder, peewee.SqliteDatabase):
    pass


class _Postgresql(_Recorder, peewee.PostgresqlDatabase):
    pass


def statements(dialect: str, tables: Iterable[type[peewee.Model]] = ALL_TABLES) -> list[str]:
    """Return the statements that create `tables` and their indexes, in an order that works."""
    recorder = _Sqlite(":memory:") if dialect == "sqlite" else _Postgresql("unused", prefer_psycopg3=True)
    models = list(tables)
    with recorder.bind_ctx(models):
        recorder.create_tables(models, safe=False)
    return recorder.statements


def main() -> None:
    """Write the script to standard output, one clause per line."""
    for statement in statements(sys.argv[1]):
        sys.stdout.write(statement.replace(", ", ",\n    ") + ";\n\n")


if __name__ == "__main__":
    main()
