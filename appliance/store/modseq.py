"""The change counter of an account and what it uses of its quota, and who is told when they move.

Theory of operation: every change of anything in an account takes the next number of the account's
counter inside the transaction that makes the change. SQLite has one writer; PostgreSQL holds the
account's row lock from the first `take` or `hold` to the commit. Either way, when a number becomes
visible all smaller ones are visible too, so "everything after N" is a complete answer and can be asked
again.

The same lock makes "read, decide, write" safe: whoever decides on something read in an account holds the
account first (`hold`), or begins with `take`. What was read before may be stale on PostgreSQL.
"""

from collections.abc import Iterable

from appliance import bus, db
from appliance.db.tables import Account
from appliance.errors import NotFound, QuotaExceeded
from appliance.store import limits
from appliance.store.statement import Statement

_TAKE = Statement(
    "UPDATE account SET modseq = modseq + ?, used_bytes = used_bytes + ? WHERE id = ? RETURNING modseq"
)
_TAKE_WITHIN_QUOTA = Statement(
    "UPDATE account SET modseq = modseq + ?, used_bytes = used_bytes + ?"
    " WHERE id = ? AND used_bytes + ? <= CASE quota_bytes WHEN -1 THEN ? WHEN 0 THEN ? ELSE quota_bytes END"
    " RETURNING modseq"
)
_NO_LIMIT = 2**62
_LATEST = Statement("SELECT modseq FROM account WHERE id = ?")


def latest(account_id: int) -> int:
    """Return the last change number handed out in an account; raises NotFound."""
    rows = _LATEST.rows(account_id)
    if not rows:
        raise NotFound("no such account")
    return int(rows[0][0])


def hold(account_ids: Iterable[int]) -> None:
    """Keep others from changing these accounts until the transaction ends. Needs a transaction.

    All accounts a transaction will touch are held at once, in one order, so that no two wait for each
    other. An account that does not exist is nothing to hold.
    """
    if db.is_sqlite():
        return
    rows = Account.select(Account.id).where(Account.id.in_(list(account_ids))).order_by(Account.id)
    list(rows.for_update("FOR NO KEY UPDATE").tuples())


def take(account_id: int, count: int = 1, *, size: int = 0, ignores_quota: bool = False) -> int:
    """Take the next `count` change numbers and return the last of them. Needs a transaction.

    size: bytes by which the account's use grows or shrinks. Raises NotFound when the account is gone and
    QuotaExceeded when it would pass its quota; nothing is written then.
    """
    if size <= 0 or ignores_quota:
        rows = _TAKE.rows(count, size, account_id)
    else:
        default = limits.quota_bytes() or _NO_LIMIT
        rows = _TAKE_WITHIN_QUOTA.rows(count, size, account_id, size, default, _NO_LIMIT)
    if rows:
        return int(rows[0][0])
    if Account.select().where(Account.id == account_id).exists():
        raise QuotaExceeded("the mailbox is full")
    raise NotFound("no such account")


def announce(account_id: int, folder_id: int) -> None:
    """Tell waiting phones, after the commit, that a folder's items changed."""
    db.after_commit(bus.publish, bus.account_topic(account_id), str(folder_id))


def announce_hierarchy(account_id: int) -> None:
    """Tell waiting phones, after the commit, that the folder tree changed."""
    db.after_commit(bus.publish, bus.account_topic(account_id), bus.HIERARCHY)
