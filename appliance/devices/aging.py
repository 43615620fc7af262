"""What phones hold that have not been heard of for long, forgotten in small steps.

The phone itself stays, with its policy, its wipe and whatever was decided on it. When it comes back its keys
mean nothing any more, and it starts over.
"""

from datetime import datetime, timedelta

from appliance import db
from appliance.db.tables import Device, SentClientId, SyncState
from appliance.devices.devices import CLIENT_ID_LIFETIME

AWAY_AFTER = timedelta(days=60)
STATES_AT_ONCE = 50  # each may keep an answer of megabytes
ROWS_AT_ONCE = 500


@db.transaction
def forget_states(now: datetime) -> int:
    """Remove some states of phones that are away; returns how many."""
    away = Device.select(Device.id).where(Device.last_seen_at < now - AWAY_AFTER)
    query = SyncState.select(SyncState.device, SyncState.folder).where(SyncState.device.in_(away))
    rows = list(query.limit(STATES_AT_ONCE).tuples())
    for device, folder in rows:
        SyncState.delete().where((SyncState.device == device) & (SyncState.folder == folder)).execute()
    return len(rows)


@db.transaction
def forget_sent(now: datetime) -> int:
    """Remove some ClientIds that no phone repeats any more; returns how many."""
    old = SentClientId.created_at < now - CLIENT_ID_LIFETIME
    query = SentClientId.select(SentClientId.device, SentClientId.client_id).where(old)
    rows = list(query.limit(ROWS_AT_ONCE).tuples())
    for device, client_id in rows:
        is_row = (SentClientId.device == device) & (SentClientId.client_id == client_id)
        SentClientId.delete().where(is_row & old).execute()
    return len(rows)
