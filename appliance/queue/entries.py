"""Rows of the outgoing queue: added, claimed with a lease, settled; they survive anything.

Theory of operation: an entry is one message for one remote recipient. A runner claims due entries in
a short transaction by writing its own name and a deadline (the lease) into them, talks to the network
with no transaction open, and settles each entry in another transaction that is conditional on still
holding the lease. A runner that dies leaves a lease that expires, or that its successor frees
(`holders`); the entry is tried again, at least once (RFC 5321 6.1). Nothing leaves the table except
together with what became of it.

Times are the wall clock's, because they must mean something after a restart. A clock that was wrong and
is put right may leave times far in the future; `claim` does not believe in any that nobody could have
written (`Schedule.retry_max`, `LEASE_MAX`).
"""

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from appliance import bus, db
from appliance.db.tables import QueueAttempt, to_microseconds
from appliance.db.tables import QueueEntry as Row
from appliance.items.envelope import Wishes
from appliance.items.message import BlobRef
from appliance.queue import schedule
from appliance.queue.priority import Priority
from appliance.store import blobs
from appliance.store.statement import Statement

TOPIC = bus.QUEUE  # wakes the runners
LEASE_MAX = timedelta(hours=1)
ATTEMPTS_KEPT = 10
"""The last attempts of a waiting entry that an operator can look at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One message for one remote recipient; `reverse_path` is "" for the null one.

    ret, envid, notify, orcpt, requires_tls: see `items.envelope`. next_hop: where an operator sent it,
    "" for wherever its domain goes. uid: random, for what must not be mixed up after a restore. was_held:
    claimed when somebody's lease on it had run out, who may have delivered it and not written that down.
    """

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
    priority: int = Priority.MAIL
    ret: str = ""
    envid: str = ""
    notify: str = ""
    orcpt: str = ""
    requires_tls: bool = False
    next_hop: str = ""
    uid: str = ""
    is_delay_told: bool = False
    was_held: bool = field(default=False, compare=False)  # about the claim, not the entry


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
    Row.priority,
    Row.ret,
    Row.envid,
    Row.notify,
    Row.orcpt,
    Row.requires_tls,
    Row.next_hop,
    Row.uid,
    Row.is_delay_told,
)
_INSERT = Statement(
    "INSERT INTO queue_entry (account_id, digest, reverse_path, forward_path, domain, needs_smtputf8,"
    " priority, ret, envid, notify, orcpt, requires_tls, next_hop, uid, is_delay_told, state, attempts,"
    " next_attempt_at, lease, last_reply, created_at, expires_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, FALSE, 'due', 0, ?, '', '', ?, ?) RETURNING id"
)
_REMOVE = Statement("DELETE FROM queue_entry WHERE id = ? AND lease = ?")


@db.transaction
def add(
    blob: BlobRef,
    *,
    account_id: int | None,
    reverse_path: str,
    recipients: Iterable[tuple[str, str]],
    now: datetime,
    needs_smtputf8: bool = False,
    priority: Priority = Priority.MAIL,
    wishes: Wishes | None = None,
) -> list[int]:
    """Add one entry for each `(forward path, domain)` and return their ids; durable when it returns."""
    blobs.link(blob)
    asked = wishes or Wishes()
    at, expires_at = to_microseconds(now), to_microseconds(now + schedule.current().lifetime)
    ids = []
    for path, domain in recipients:
        about = (account_id, blob.digest, reverse_path, path, domain, needs_smtputf8, int(priority))
        wish = asked.of(path)
        wanted = (asked.ret, asked.envid, wish.notify, wish.orcpt, asked.requires_tls)
        row = _INSERT.rows(*about, *wanted, secrets.token_hex(8), at, at, expires_at)[0]
        ids.append(int(row[0]))
    if ids:
        db.after_commit(bus.publish, TOPIC)
    return ids


@db.transaction
def claim(
    now: datetime, *, limit: int, lease_s: int, holder: str = "", busy: Collection[str] = ()
) -> list[Entry]:
    """Take up to `limit` due entries for `lease_s` seconds: by priority, then the longest due first.

    lease_s: long enough for one attempt, at most LEASE_MAX. holder: who takes them (`holders`). busy:
    domains that have as many attempts as they may; their entries stay for others and for later.
    """
    assert lease_s <= LEASE_MAX.total_seconds()
    free: dict[int, bool] = {}
    for priority in Priority:
        if len(free) < limit:
            is_due = (Row.priority == priority) & (Row.next_attempt_at <= now)
            free |= _free(is_due, now, limit - len(free), busy)
    if len(free) < limit:
        is_impossible = Row.next_attempt_at > now + schedule.current().retry_max
        free |= _free(is_impossible, now, limit - len(free), busy)
    if not free:
        return []
    until = now + timedelta(seconds=lease_s)
    lease = f"{holder}/{secrets.token_hex(8)}"
    Row.update(lease=lease, leased_until=until).where(Row.id.in_(list(free))).execute()
    claimed = {entry.id: entry for entry in where(Row.id.in_(list(free)))}
    return [replace(claimed[number], was_held=was_held) for number, was_held in free.items()]


def _free(is_due: Any, now: datetime, limit: int, busy: Collection[str]) -> dict[int, bool]:
    """Return due entries that nobody holds, the longest due first, and whether a lease on them ran out.

    They stay locked (PostgreSQL). The order is that of the index: what is due at the same moment comes by
    domain, and travels together.
    """
    is_free = Row.leased_until.is_null() | (Row.leased_until <= now) | (Row.leased_until > now + LEASE_MAX)
    condition = (Row.state == "due") & is_due & is_free
    if busy:
        condition &= Row.domain.not_in(sorted(busy))
    found = Row.select(Row.id, Row.leased_until).where(condition)
    due = found.order_by(Row.next_attempt_at, Row.domain, Row.id).limit(limit)
    return {row[0]: row[1] is not None for row in db.skip_locked(due).tuples()}


@db.transaction
def remove(entry: Entry) -> bool:
    """Take a delivered or given-up entry out; returns False when the lease was lost meanwhile."""
    assert entry.lease, "only a claimed entry can be settled"
    removed = _REMOVE.run(entry.id, entry.lease)
    if removed:
        blobs.unlink_unused({entry.digest})
    return bool(removed)


@db.transaction
def defer(
    entry: Entry,
    next_attempt_at: datetime,
    reply: str,
    *,
    host: str = "",
    now: datetime | None = None,
    is_delay_told: bool = False,
) -> bool:
    """Put an entry back for a later attempt; returns False when the lease was lost meanwhile.

    now: when the attempt ended, to remember it; None remembers nothing but the reply.
    """
    values = Row.update(
        attempts=entry.attempts + 1,
        next_attempt_at=next_attempt_at,
        last_reply=reply,
        lease="",
        leased_until=None,
        is_delay_told=entry.is_delay_told or is_delay_told,
    )
    if not values.where(_is_still_ours(entry)).execute():
        return False
    if now is not None:
        _remember_attempt(entry.id, now, host, reply)
    return True


@db.transaction
def free(holder: str) -> int:
    """Make what a dead runner held available at once; returns how many entries that were."""
    held = Row.lease.startswith(f"{holder}/")
    freed = Row.update(lease="", leased_until=None).where(Row.leased_until.is_null(False) & held).execute()
    return int(freed)


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
    return where(Row.id > 0, limit)


def get(entry_id: int) -> Entry | None:
    """Return one entry; None when it has left the queue."""
    return next(iter(where(Row.id == entry_id)), None)


def uids() -> dict[str, int]:
    """Return the uid and id of every entry. Needs `db.connection()`."""
    return dict(Row.select(Row.uid, Row.id).tuples())


def where(condition: object, limit: int | None = None) -> list[Entry]:
    """Return the entries a condition on the table selects, oldest first."""
    query = Row.select(*_COLUMNS).where(condition).order_by(Row.id).limit(limit)
    return [Entry(row[0], row[1], bytes(row[2]), *row[3:]) for row in query.tuples()]


def _remember_attempt(entry_id: int, at: datetime, host: str, reply: str) -> None:
    QueueAttempt.insert(entry=entry_id, at=at, host=host, reply=reply).execute()
    own = QueueAttempt.select(QueueAttempt.id).where(QueueAttempt.entry == entry_id)
    old = own.order_by(QueueAttempt.id.desc()).offset(ATTEMPTS_KEPT).limit(1_000)
    numbers = [row[0] for row in old.tuples()]
    if numbers:
        QueueAttempt.delete().where(QueueAttempt.id.in_(numbers)).execute()


def _is_still_ours(entry: Entry) -> Any:
    assert entry.lease, "only a claimed entry can be settled"
    return (Row.id == entry.id) & (Row.lease == entry.lease)
