"""Add the search index, empty, and the names of attachments, filled.

The index needs no filling: an account without a row in search_state is indexed as it is searched.
"""

import json
from collections.abc import Iterator
from typing import Any

import peewee

from appliance.db.migrate import run_script

ROWS_AT_ONCE = 500
NUMBER, FILENAME = 0, 9  # where version 1 of the stored structure has them in a part's row


def up(_migrator: Any, db: peewee.Database) -> None:
    """Run the script of the database's dialect, then fill in the names."""
    run_script(db, __file__)
    mark = "?" if isinstance(db, peewee.SqliteDatabase) else "%s"
    for digest, structure in _contents(db, mark):
        names = _attachment_names(structure)
        if names:
            db.execute_sql(
                f"UPDATE content SET attachment_names = {mark} WHERE digest = {mark}", (names, digest)
            )


def _contents(db: peewee.Database, mark: str) -> Iterator[tuple[bytes, str]]:
    """Yield digest and structure of every content, a page at a time."""
    last = b""
    while True:
        page = f"SELECT digest, structure FROM content WHERE digest > {mark} ORDER BY digest LIMIT {mark}"
        rows = db.execute_sql(page, (last, ROWS_AT_ONCE)).fetchall()
        yield from ((bytes(digest), structure) for digest, structure in rows)
        if not rows:
            return
        last = bytes(rows[-1][0])


def _attachment_names(structure: str) -> str:
    try:
        document = json.loads(structure)
        attached = set(document.get("a", ()))
        rows = [row for row in document["p"] if row[NUMBER] in attached and len(row) > FILENAME]
        names = [row[FILENAME] for row in rows if row[FILENAME]]
        return "\n".join(" ".join(name.split()) for name in names)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return ""  # such a structure is read again from the message by whoever needs it
