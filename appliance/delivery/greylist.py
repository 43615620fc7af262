"""Strangers who have to come back once: who has, and whose network is trusted by now.

A client is known by its network (/24, /64), because large senders come back from another address. A network
that came back for a few senders is not asked again.

Source: RFC 6647 4 (greylisting by client, sender and recipient), 5 (recommendations).
"""

import hashlib
from datetime import datetime, timedelta

from appliance import db
from appliance.db.tables import Greylisted as Row

FORGOTTEN_AFTER = timedelta(days=2)  # those who never came back
KEPT = timedelta(days=35)  # those who did
TRUSTED_FROM = 3  # senders of a network that came back
AT_ONCE = 1_000


@db.transaction
def may_pass(network: str, sender: str, recipient: str, *, now: datetime, delay_s: int) -> bool:
    """Return whether a client has come back after the delay, or needs not; notes that it was here."""
    if Row.select().where((Row.network == network) & Row.passed_at.is_null(False)).count() >= TRUSTED_FROM:
        return True
    key = hashlib.sha256("\0".join((network, sender.lower(), recipient.lower())).encode()).digest()
    found = Row.get_or_none(Row.key == key)
    if found is None:
        row = Row.insert(key=key, network=network, first_seen_at=now)
        row.on_conflict_ignore().execute()
        return False
    if now - found.first_seen_at < timedelta(seconds=delay_s):
        return False
    Row.update(passed_at=now).where(Row.key == key).execute()
    return True


@db.transaction
def forget(now: datetime) -> int:
    """Remove some rows that mean nothing any more; returns how many."""
    never = Row.passed_at.is_null() & (Row.first_seen_at < now - FORGOTTEN_AFTER)
    old = Row.passed_at < now - KEPT
    keys = [row[0] for row in Row.select(Row.key).where(never | old).limit(AT_ONCE).tuples()]
    Row.delete().where(Row.key.in_(keys)).execute()
    return len(keys)
