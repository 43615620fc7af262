"""SQL written out once, for what happens with every message.

peewee builds the text of a query anew each time, which costs several times what the database then needs
to run it. Everything that is not done for each message is better off with peewee.
"""

from typing import Any

from appliance import db


class Statement:
    """One statement for both databases; `?` stands for a value. Values are as the columns store them."""

    __slots__ = ("_postgresql", "_sqlite")

    def __init__(self, sql: str) -> None:
        self._sqlite = sql
        self._postgresql = sql.replace("?", "%s")

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        """Execute and return the rows of a SELECT or a RETURNING."""
        return self._execute(values).fetchall()  # type: ignore[no-any-return]  # a DB-API cursor

    def run(self, *values: Any) -> int:
        """Execute and return how many rows were written."""
        return int(self._execute(values).rowcount)

    def _execute(self, values: tuple[Any, ...]) -> Any:
        return db.proxy.execute_sql(self._sqlite if db.is_sqlite() else self._postgresql, values)
