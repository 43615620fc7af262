"""What operators did: who, what, when, and how it ended. Written before the act, so that none is missing.

The entry says "begun" until the act has ended; one that stays so belongs to a process that died meanwhile.
Never a password, never the text of a mail: whoever writes an entry masks what is not fit to be read by the
other operators.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance import db
from appliance.db.tables import AuditEntry as Row

KEPT = timedelta(days=730)
AT_ONCE = 500
TEXT_LENGTH_MAX = 300  # characters kept of one value, or of an error
BEGUN, DONE = "begun", "done"


@dataclass(frozen=True, slots=True)
class Entry:
    """One act. `outcome`: BEGUN, DONE, or how it failed."""

    id: int
    at: datetime
    who: str
    act: str
    arguments: dict[str, Any]
    outcome: str


@db.transaction
def begin(who: str, act: str, arguments: Mapping[str, object], now: datetime) -> int:
    """Write down what is about to be done and return the entry's number."""
    shown = {name: _short(value) for name, value in arguments.items()}
    row = Row.create(at=now, who=who, act=act, arguments=json.dumps(shown, ensure_ascii=False), outcome=BEGUN)
    return int(row.id)


@db.transaction
def end(entry: int, outcome: str) -> None:
    """Write down how it ended."""
    Row.update(outcome=outcome[:TEXT_LENGTH_MAX]).where(Row.id == entry).execute()


def entries(limit: int) -> list[Entry]:
    """Return the latest acts, the newest first. Needs `db.connection()`."""
    columns = (Row.id, Row.at, Row.who, Row.act, Row.arguments, Row.outcome)
    rows = Row.select(*columns).order_by(Row.id.desc()).limit(limit).tuples()
    return [Entry(id_, at, who, act, json.loads(text), outcome) for id_, at, who, act, text, outcome in rows]


@db.transaction
def forget(now: datetime) -> int:
    """Remove some entries that are older than KEPT; returns how many."""
    old = Row.select(Row.id).where(Row.at < now - KEPT).limit(AT_ONCE)
    ids = [row[0] for row in old.tuples()]
    Row.delete().where(Row.id.in_(ids)).execute()
    return len(ids)


def _short(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_short(each) for each in value][:20]
    return str(value)[:TEXT_LENGTH_MAX]
