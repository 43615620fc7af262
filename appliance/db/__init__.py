"""The database: SQLite by default, PostgreSQL for larger sites, one interface for both.

Reading: `with db.connection():`, or `db.snapshot()` when several reads must agree. Writing: a function
decorated with `@db.transaction`; hints go out with `db.after_commit`. Tables are in `db.tables`.
See README.md in this folder.
"""

from appliance.db.database import (
    close,
    connection,
    held_connections,
    is_open,
    is_sqlite,
    open,  # noqa: A004 - always used as db.open
    snapshot,
)
from appliance.db.failures import DatabaseTooNew, OutcomeUnknown
from appliance.db.frame import after_commit, in_transaction
from appliance.db.locking import for_update, skip_locked
from appliance.db.proxy import proxy
from appliance.db.transaction import transaction

__all__ = [
    "DatabaseTooNew",
    "OutcomeUnknown",
    "after_commit",
    "close",
    "connection",
    "for_update",
    "held_connections",
    "in_transaction",
    "is_open",
    "is_sqlite",
    "open",
    "proxy",
    "skip_locked",
    "snapshot",
    "transaction",
]
