"""Row locks where the database has them; SQLite's single writer needs none."""

import peewee

from appliance.db.database import is_sqlite


def for_update[Q: peewee.Select](query: Q) -> Q:
    """Lock the rows the query returns until the transaction ends (PostgreSQL)."""
    return query if is_sqlite() else query.for_update()


def skip_locked[Q: peewee.Select](query: Q) -> Q:
    """Like for_update, leaving out rows that another transaction has locked (PostgreSQL)."""
    return query if is_sqlite() else query.for_update(skip_locked=True)
