"""Tombstones of folders that every phone has heard of, removed.

A folder's tombstone stays as long as a phone has still to be told, so no phone ever has to start its folder
tree over because of this. Phones that are away for good are forgotten by `devices.aging` before.
"""

from appliance import db
from appliance.db.tables import Folder as Row
from appliance.db.tables import Tombstone
from appliance.devices import devices, sync_states
from appliance.eas import hierarchy
from appliance.eas.sync_key import Verdict
from appliance.store import modseq

AT_ONCE = 200  # folders removed in one transaction


@db.transaction
def prune(account_id: int, horizon: int) -> int:
    """Remove some of the account's folders that were deleted up to a change number; returns how many."""
    modseq.hold([account_id])
    is_old = (Row.account == account_id) & Row.is_deleted & (Row.modseq <= horizon)
    # A move out of the folder may still be repeated.
    is_left = Row.id.in_(Tombstone.select(Tombstone.folder).where(Tombstone.account == account_id))
    query = Row.select(Row.id).where(is_old & ~is_left).order_by(Row.modseq).limit(AT_ONCE)
    old = {row[0] for row in query.tuples()}
    gone = sorted(old - _wanted(account_id)) if old else []
    if gone:
        sync_states.forget_folders(gone)
        Row.update(parent=None).where(Row.parent.in_(gone)).execute()
        Row.delete().where(Row.id.in_(gone)).execute()
    return len(gone)


def _wanted(account_id: int) -> set[int]:
    """Return the deleted folders a phone has still to be told of, or would be if it lost our last answer."""
    wanted: set[int] = set()
    for device in devices.list_devices(account_id):
        state = sync_states.load(device.id, sync_states.HIERARCHY)
        if state is None:
            continue
        verdicts = [Verdict.ADVANCE] + [Verdict.REPLAY] * (
            state.previous is not None and bool(state.previous_cursor)
        )
        for verdict in verdicts:
            known = hierarchy.known_before(state, verdict)
            wanted |= {folder.id for folder in hierarchy.news(account_id, device.id, known).deleted}
    return wanted
