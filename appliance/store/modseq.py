"""The change counter of an account, and who is told when it moves.

Theory of operation: every change of anything in an account takes the next number of the account's
counter inside the transaction that makes the change. SQLite has one writer; PostgreSQL holds the
account's row lock from the first `take` to the commit. Either way, when a number becomes visible all
smaller ones are visible too, so "everything after N" is a complete answer and can be asked again.
"""

from appliance import bus, db
from appliance.db.tables import Account
from appliance.errors import NotFound


def take(account_id: int, count: int = 1) -> int:
    """Take the next `count` change numbers and return the last of them. Needs a transaction.

    Raises NotFound when the account is gone.
    """
    rows = list(
        Account.update(modseq=Account.modseq + count)
        .where(Account.id == account_id)
        .returning(Account.modseq)
        .tuples()
    )
    if not rows:
        raise NotFound("no such account")
    return int(rows[0][0])


def announce(account_id: int, folder_id: int) -> None:
    """Tell waiting phones, after the commit, that a folder's items changed."""
    db.after_commit(bus.publish, bus.account_topic(account_id), str(folder_id))


def announce_hierarchy(account_id: int) -> None:
    """Tell waiting phones, after the commit, that the folder tree changed."""
    db.after_commit(bus.publish, bus.account_topic(account_id), bus.HIERARCHY)
