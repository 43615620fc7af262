"""What an operator does to waiting mail: find it, hurry it, hold it, send it elsewhere, take it out.

Every verb takes a `Selection` and returns what it did it to. None of them waits for an attempt that is
under way: it ends as it ends, and its outcome counts unless the entry was dropped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from appliance import bus, db
from appliance.db.tables import QueueAttempt
from appliance.db.tables import QueueEntry as Row
from appliance.errors import NotFound
from appliance.items.next_hop import NextHop
from appliance.queue import entries
from appliance.queue.entries import Entry
from appliance.store import blobs

LISTED_MAX = 1_000


class State(StrEnum):
    """How an entry stands at a moment."""

    DUE = "due"  # its time has come
    WAITING = "waiting"  # until its next attempt
    TRYING = "trying"  # a runner holds it
    HELD = "held"  # until an operator releases it


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries: all of these that are given must hold; `ids` None means any.

    domain: the recipient's, A-labels. sender: the reverse-path, "" is the null one.
    """

    ids: Sequence[int] | None = None
    domain: str | None = None
    sender: str | None = None
    state: State | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt that did not end it."""

    at: datetime
    host: str
    reply: str


def state_of(entry: Entry, now: datetime) -> State:
    """Return how an entry stands."""
    if entry.state == "held":
        return State.HELD
    if entry.lease:
        return State.TRYING
    return State.DUE if entry.next_attempt_at is None or entry.next_attempt_at <= now else State.WAITING


def find(selection: Selection, now: datetime, limit: int | None = LISTED_MAX) -> list[Entry]:
    """Return what is selected, oldest first. Needs `db.connection()`."""
    return entries.where(_condition(selection, now), limit)


def attempts(entry_id: int) -> list[Attempt]:
    """Return the last attempts for an entry, newest first. Needs `db.connection()`."""
    rows = QueueAttempt.select(QueueAttempt.at, QueueAttempt.host, QueueAttempt.reply)
    found = rows.where(QueueAttempt.entry == entry_id).order_by(QueueAttempt.id.desc())
    return [Attempt(*row) for row in found.tuples()]


def count_by_state(now: datetime) -> dict[State, int]:
    """Return how many entries stand how. Needs `db.connection()`."""
    return {each: Row.select().where(_condition(Selection(state=each), now)).count() for each in State}


@db.transaction
def retry(selection: Selection, now: datetime) -> list[int]:
    """Make entries due at once, held ones too; a lease stays with whoever holds it."""
    return _update(selection, now, state="due", next_attempt_at=now)


@db.transaction
def hold(selection: Selection, now: datetime) -> list[int]:
    """Keep entries from being tried until they are released or retried."""
    return _update(selection, now, state="held")


@db.transaction
def release(selection: Selection, now: datetime) -> list[int]:
    """Let held entries be tried when their time comes; others are left alone."""
    held = [entry.id for entry in find(selection, now, None) if entry.state == "held"]
    return _update(Selection(ids=held), now, state="due")


@db.transaction
def reroute(selection: Selection, hop: NextHop | None, now: datetime) -> list[int]:
    """Send entries to another server from the next attempt on, at once; None: where their domain goes."""
    return _update(selection, now, next_hop=str(hop) if hop else "", next_attempt_at=now)


@db.transaction
def drop(entry_id: int) -> Entry:
    """Remove an entry and return it. Raises NotFound."""
    entry = entries.get(entry_id)
    if entry is None:
        raise NotFound(f"there is no queue entry {entry_id}")
    Row.delete().where(Row.id == entry_id).execute()
    blobs.unlink_unused({entry.digest})
    return entry


def _update(selection: Selection, now: datetime, **values: Any) -> list[int]:
    changed = Row.update(**values).where(_condition(selection, now)).returning(Row.id)
    ids = sorted(row[0] for row in changed.tuples().execute())
    if ids:
        db.after_commit(bus.publish, entries.TOPIC)
    return ids


def _condition(selection: Selection, now: datetime) -> Any:
    condition = Row.id > 0
    if selection.ids is not None:
        condition &= Row.id.in_(list(selection.ids))
    if selection.domain is not None:
        condition &= Row.domain == selection.domain
    if selection.sender is not None:
        condition &= Row.reverse_path == selection.sender
    is_leased = Row.leased_until.is_null(False)
    match selection.state:
        case State.DUE:
            condition &= (Row.state == "due") & ~is_leased & (Row.next_attempt_at <= now)
        case State.WAITING:
            condition &= (Row.state == "due") & ~is_leased & (Row.next_attempt_at > now)
        case State.TRYING:
            condition &= (Row.state == "due") & is_leased
        case State.HELD:
            condition &= Row.state == "held"
    return condition
