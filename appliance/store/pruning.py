"""Tombstones that are old enough to be forgotten, removed.

An item that left a folder leaves a row that says so to every phone. A phone that has not asked for longer
than `KEPT` may have missed one of those that are gone: `Folder.pruned_modseq` says up to where, and
`changes.changed` refuses to answer from before it, so that such a phone starts the folder over instead of
keeping for ever what was deleted.

Change numbers have no time. An account's counter is noted once in a while (`ModseqMark`); what has a number
below a mark is older than the mark.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from appliance import db
from appliance.db.tables import Folder, ModseqMark, Tombstone
from appliance.store import modseq

KEPT = timedelta(days=60)
MARK_EVERY = timedelta(days=7)
AT_ONCE = 500  # tombstones removed in one transaction


@db.transaction
def mark(account_id: int, now: datetime) -> int:
    """Note how far the account's numbers have come, if that is due; return the number below which all is old.

    0 when nothing is. Raises NotFound.
    """
    latest = modseq.latest(account_id)
    of_account = ModseqMark.account == account_id
    marks = ModseqMark.select(ModseqMark.taken_at, ModseqMark.modseq).where(of_account)
    taken = list(marks.order_by(ModseqMark.taken_at.desc()).tuples())
    if not taken or now - taken[0][0] >= MARK_EVERY:
        ModseqMark.insert(account=account_id, taken_at=now, modseq=latest).on_conflict_ignore().execute()
    horizon_at, horizon = next((each for each in taken if now - each[0] >= KEPT), (None, 0))
    if horizon_at is not None:
        ModseqMark.delete().where(of_account & (ModseqMark.taken_at < horizon_at)).execute()
    return int(horizon)


def prune(account_id: int, horizon: int) -> Iterator[int]:
    """Remove the account's tombstones up to a number, step by step; yields how many each time."""
    if not horizon:
        return
    with db.connection():
        folder_ids = [row[0] for row in Folder.select(Folder.id).where(Folder.account == account_id).tuples()]
    for folder_id in folder_ids:
        while number := _prune_some(account_id, folder_id, horizon):
            yield number


@db.transaction
def _prune_some(account_id: int, folder_id: int, horizon: int) -> int:
    modseq.hold([account_id])
    old = (Tombstone.folder == folder_id) & (Tombstone.modseq <= horizon)
    query = Tombstone.select(Tombstone.id, Tombstone.modseq).where(old).order_by(Tombstone.modseq)
    rows = list(query.limit(AT_ONCE).tuples())
    if rows:
        Tombstone.delete().where(Tombstone.id.in_([row[0] for row in rows])).execute()
        Folder.update(pruned_modseq=rows[-1][1]).where(Folder.id == folder_id).execute()
    return len(rows)
