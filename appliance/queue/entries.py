"""Rows of the outgoing queue: added, claimed with a lease, settled; they survive anything.

Theory of operation: an entry is one message for one remote recipient. A runner claims due entries in
a short transaction by writing its own name and a deadline (the lease) into them, talks to the network
with no transaction open, and settles each entry in another transaction that is conditional on still
holding the lease. A runner that dies leaves a lease that expires; the entry is tried again, at least
once (RFC 5321 6.1). Nothing leaves the table except together with what became of it.

Times are the wall clock's, because they must mean something after a restart. A clock that was wrong and
is put right may leave times far in the future; `claim` does not believe in any that nobody could have
written (`RETRY_MAX`, `LEASE_MAX`).
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance import bus, db
from appliance.db.tables import QueueEntry as Row
from appliance.db.tables import to_microseconds
from appliance.items.message import BlobRef
from appliance.queue.schedule import RETRY_MAX
from appliance.store import blobs
from appliance.store.statement import Statement

TOPIC = bus.QUEUE  # wakes the runners
LEASE_MAX = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Entry:
    """One message for one remote recipient; `reverse_path` is "" for the null one."""

    id: int
    account_id: int | None
    digest: bytes
    reverse_path: str
    forward_path: str
    domain: str
    needs_smtputf8: bool
    attempts: int
    created_at: datetime
    expires_at: datetime
    lease: str = ""
    state: str = "due"
    next_attempt_at: datetime | None = None
    last_reply: str = ""


_COLUMNS = (
    Row.id,
    Row.account,
    Row.blob,
    Row.reverse_path,
    Row.forward_path,
    Row.domain,
    Row.needs_smtputf8,
    Row.attempts,
    Row.created_at,
    Row.expires_at,
    Row.lease,
    Row.state,
    Row.next_attempt_at,
    Row.last_reply,
)
_INSERT = Statement(
    "INSERT INTO queue_entry (account_id, digest, reverse_path, forward_path, domain, needs_smtputf8, state,"
    " attempts, next_attempt_at, lease, last_reply, created_at, expires_at)"
    " VALUES (?, ?, ?, ?, ?, ?, 'due', 0, ?, '', '', ?, ?) RETURNING id"
)


@db.transaction
def add(
    blob: BlobRef,
    *,
    account_id: int | None,
    reverse_path: str,
    recipients: Iterable[tuple[str, str]],
    now: datetime,
    lifetime: timedelta,
    needs_smtputf8: bool = False,
) -> list[int]:
    """Add one entry for each `(forward path, domain)` and return their ids; durable when it returns."""
    blobs.link(blob)
    at, expires_at = to_microseconds(now), to_microseconds(now + lifetime)
    about = (account_id, blob.digest, reverse_path)
    ids = [
        int(_INSERT.rows(*about, path, domain, needs_smtputf8, at, at, expires_at)[0][0])
        for path, domain in recipients
    ]
    if ids:
        db.after_commit(bus.publish, TOPIC)
    return ids


@db.transaction
def claim(now: datetime, *, limit: int, lease_s: int) -> list[Entry]:
    """Take up to `limit` due entries for `lease_s` seconds, the longest due first.

    lease_s: long enough for one attempt, at most LEASE_MAX.
    """
    assert lease_s <= LEASE_MAX.total_seconds()
    is_due = (Row.next_attempt_at <= now) | (Row.next_attempt_at > now + RETRY_MAX)
    is_free = Row.leased_until.is_null() | (Row.leased_until <= now) | (Row.leased_until > now + LEASE_MAX)
    due = (
        Row.select(Row.id)
        .where((Row.state == "due") & is_due & is_free)
        .order_by(Row.next_attempt_at, Row.id)
        .limit(limit)
    )
    ids = [row[0] for row in db.skip_locked(due).tuples()]
    if not ids:
        return []
    until = now + timedelta(seconds=lease_s)
    Row.update(lease=secrets.token_hex(8), leased_until=until).where(Row.id.in_(ids)).execute()
    return sorted(_entries(Row.id.in_(ids)), key=lambda entry: ids.index(entry.id))


@db.transaction
def remove(entry: Entry) -> bool:
    """Take a delivered or given-up entry out; returns False when the lease was lost meanwhile."""
    removed = Row.delete().where(_is_still_ours(entry)).execute()
    if removed:
        blobs.unlink_unused({entry.digest})
    return bool(removed)


@db.transaction
def defer(entry: Entry, next_attempt_at: datetime, reply: str) -> bool:
    """Put an entry back for a later attempt; returns False when the lease was lost meanwhile."""
    values = Row.update(
        attempts=entry.attempts + 1,
        next_attempt_at=next_attempt_at,
        last_reply=reply,
        lease="",
        leased_until=None,
    )
    return bool(values.where(_is_still_ours(entry)).execute())


@db.transaction
def retry_now(entry_id: int, now: datetime) -> bool:
    """Make one entry due at once; returns False when there is no such entry."""
    found = Row.update(state="due", next_attempt_at=now).where(Row.id == entry_id).execute()
    if found:
        db.after_commit(bus.publish, TOPIC)
    return bool(found)


@db.transaction
def drop(entry_id: int) -> bool:
    """Remove an entry without telling anybody; returns False when there is no such entry."""
    row = Row.select(Row.blob).where(Row.id == entry_id).tuples().first()
    if row is None:
        return False
    Row.delete().where(Row.id == entry_id).execute()
    blobs.unlink_unused({bytes(row[0])})
    return True


def next_due() -> datetime | None:
    """Return when the next entry becomes due or its lease ends; None when nothing is waiting.

    It may lie in the past, and far in the future after the clock was put back: look again now and then.
    """
    moments = [
        moment
        for moment in (
            Row.select(Row.next_attempt_at)
            .where((Row.state == "due") & Row.leased_until.is_null())
            .order_by(Row.next_attempt_at)
            .tuples()
            .first(),
            Row.select(Row.leased_until)
            .where((Row.state == "due") & Row.leased_until.is_null(False))
            .order_by(Row.leased_until)
            .tuples()
            .first(),
        )
        if moment is not None
    ]
    return min((row[0] for row in moments), default=None)


def list_entries(limit: int = 1000) -> list[Entry]:
    """Return the oldest entries of the queue."""
    return _entries(Row.id > 0, limit)


def get(entry_id: int) -> Entry | None:
    """Return one entry; None when it has left the queue."""
    return next(iter(_entries(Row.id == entry_id)), None)


def _is_still_ours(entry: Entry) -> Any:
    assert entry.lease, "only a claimed entry can be settled"
    return (Row.id == entry.id) & (Row.lease == entry.lease)


def _entries(condition: object, limit: int | None = None) -> list[Entry]:
    query = Row.select(*_COLUMNS).where(condition).order_by(Row.id).limit(limit)
    return [Entry(row[0], row[1], bytes(row[2]), *row[3:]) for row in query.tuples()]
