"""Remote wipe, stored: who asked for it, what became of it, who is told.

The row is that of one (account, device): the same DeviceId under another account is never touched. Every
step is one line in the log. What may follow what is `wipe`; how it is said is `eas.commands.provision`.
"""

import logging
import math
from datetime import datetime

from appliance import bus, db, logs
from appliance.db.tables import Device as Row
from appliance.devices import devices, notices, sync_states
from appliance.devices.notices import Notice
from appliance.devices.wipe import FULL_DELAY, PENDING, Event, Scope, State, following
from appliance.errors import Conflict
from appliance.items.device import Device
from appliance.metrics import counter

log = logging.getLogger("appliance.devices")
WIPES = counter("appliance_device_wipes_total", "Steps of remote wipes.", ["scope", "event"])

_SAYS = {
    Scope.ACCOUNT: "the mail, contacts and calendar of this account",
    Scope.FULL: "everything on the device (it is reset)",
}


def request(device: Device, scope: Scope, now: datetime, *, by: str) -> None:
    """Ask for a wipe; the phone is told at its next request, which a held one makes at once.

    A full one waits for FULL_DELAY; until then the phone works on and the wipe can be taken back.
    by: who wants it, for the log. Raises Conflict when one is under way.
    """
    due_at = now + FULL_DELAY if scope is Scope.FULL else None
    text = f"An administrator has asked for the removal of {_SAYS[scope]}."
    if due_at is not None:
        text += f" It begins at {due_at:%H:%M} UTC and can be taken back until then."
    _step(device.id, Event.REQUEST, now, by=by, scope=scope, notice=_notice(device, now, text), due_at=due_at)
    wake(device.id)


def cancel(device: Device, now: datetime, *, by: str) -> None:
    """Take a wipe back; raises Conflict when there is none or the phone was told."""
    notice = _notice(device, now, "The removal of data that was asked for has been taken back.")
    _step(device.id, Event.CANCEL, now, by=by, notice=notice)


def send(device: int, now: datetime) -> Scope:
    """Note that the phone is being told, and return what; durable before the answer leaves.

    Raises Conflict before a full wipe is due.
    """
    return _step(device, Event.SEND, now, by="device")


def acknowledge(device: Device, scope: Scope, now: datetime, *, succeeded: bool) -> None:
    """Store what the phone says it did; raises Conflict for a wipe it was not sent.

    After a success nothing of its state is left: whoever uses the device again begins anew.
    """
    said = "was carried out" if succeeded else "has failed; the device is told again"
    notice = None
    if State(device.wipe_state) is not State.DONE:
        notice = _notice(device, now, f"The removal of {_SAYS[scope]} {said}.")
    event = Event.SUCCEED if succeeded else Event.FAIL
    _step(device.id, event, now, by="device", scope=scope, notice=notice)


def clear(device: int, now: datetime) -> None:
    """Forget a wipe that was carried out: the device is in use again."""
    _step(device, Event.CLEAR, now, by="device")


def wake(device: int) -> None:
    """End the request a phone holds, so that it makes another one."""
    bus.publish(bus.device_topic(device), "decided")


def is_pending(device: Device, now: datetime) -> bool:
    """Return whether a device is to hear that it must wipe, and has not yet done so."""
    return State(device.wipe_state) in PENDING and not _is_early(device, now)


def seconds_until_due(device: Device, now: datetime) -> int | None:
    """Return how long a wipe that was asked for still waits; None when none waits."""
    if State(device.wipe_state) not in PENDING or device.wipe_due_at is None or not _is_early(device, now):
        return None
    return math.ceil((device.wipe_due_at - now).total_seconds())


def _is_early(device: Device, now: datetime) -> bool:
    return device.wipe_due_at is not None and now < device.wipe_due_at


@db.transaction
def _step(
    device: int,
    event: Event,
    now: datetime,
    *,
    by: str,
    scope: Scope | None = None,
    notice: Notice | None = None,
    due_at: datetime | None = None,
) -> Scope:
    found = devices.hold(device)
    if event is Event.SEND and _is_early(found, now):
        raise Conflict("the wipe is not due yet")
    before = State(found.wipe_state)
    after = following(before, event)
    stored = scope if event is Event.REQUEST and scope is not None else Scope(found.wipe_scope)
    if after is not before:
        changed: dict[str, object] = {"wipe_state": str(after), "wipe_changed_at": now}
        changed["wipe_scope"] = str(Scope.NOTHING if after is State.NONE else stored)
        changed["wipe_due_at"] = due_at
        if after is State.DONE:
            changed |= {"policy_key": 0, "policy_key_pending": 0, "policy_key_spent": 0, "policy_applied": ""}
            sync_states.forget(device)
        Row.update(**changed).where(Row.id == device).execute()
        if notice is not None:
            notices.file(notice)
        db.after_commit(_tell, found, stored, event, after, by)
    return stored


def _tell(device: Device, scope: Scope, event: Event, state: State, by: str) -> None:
    WIPES.labels(str(scope), str(event)).inc()
    logs.event(
        log,
        "wipe",
        level=logging.WARNING,
        account=device.account_id,
        device=device.id,
        device_id=device.device_id,
        scope=str(scope),
        did=str(event),
        state=str(state) or "none",
        by=by,
    )


def _notice(device: Device, now: datetime, what: str) -> Notice:
    text = f"{what}\n\nDevice: {device.device_type} {device.device_id}\n"
    return notices.prepare(device.account_id, "Remote wipe of a device", text, now)
