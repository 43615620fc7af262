"""The traces of `health`, stored: merged with what other processes saw, read for people."""

from datetime import datetime

from appliance import db
from appliance.db.tables import DeviceTrace as Row
from appliance.devices import devices
from appliance.devices.health import Health, Trace


def keep(health: Health, device: int, now: datetime) -> None:
    """Store what is due of a device; mostly nothing is."""
    fresh = health.due(device, now)
    if fresh is not None:
        _merge(device, fresh, now)


@db.transaction
def _merge(device: int, fresh: Trace, now: datetime) -> None:
    devices.hold(device)
    trace = load(device)
    trace.merge(fresh)
    Row.insert(device=device, trace=trace.to_json(), updated_at=now).on_conflict(
        conflict_target=[Row.device], preserve=[Row.trace, Row.updated_at]
    ).execute()


def load(device: int) -> Trace:
    """Return what is stored of a device, empty when there is nothing. Needs `db.connection()`."""
    row = Row.select(Row.trace).where(Row.device == device).tuples().first()
    return Trace() if row is None else Trace.from_json(row[0])
