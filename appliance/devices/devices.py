"""Phones: known from first contact, remembered with what they tell of themselves.

An account has a limited number of them, because a DeviceId is whatever a client claims: a new one takes
the place of one that has been silent for long, or is refused.

Source: MS-ASHTTP 2.2.1.1.1 (DeviceId, DeviceType), MS-ASCMD 2.2.1.18 Settings (DeviceInformation).
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance import db
from appliance.db import locking
from appliance.db.tables import Device as Row
from appliance.db.tables import SentClientId
from appliance.devices.wipe import PENDING, State
from appliance.errors import Conflict, NotFound, QuotaExceeded
from appliance.items.device import Device

SEEN_RESOLUTION = timedelta(minutes=5)  # a phone that talks all the time costs one write in this time
CLIENT_ID_LIFETIME = timedelta(days=30)
SILENT_AFTER = timedelta(days=30)  # such a phone makes room for a new one
INFORMATION_LENGTH_MAX = 1_024
INFORMATION_FIELDS: Mapping[str, str] = {
    "Model": "model",
    "IMEI": "imei",
    "FriendlyName": "friendly_name",
    "OS": "os",
    "OSLanguage": "os_language",
    "PhoneNumber": "phone_number",
    "MobileOperator": "mobile_operator",
    "UserAgent": "user_agent",
}

_COLUMNS = (
    Row.id,
    Row.account,
    Row.device_id,
    Row.device_type,
    Row.user_agent,
    Row.protocol_version,
    Row.is_allowed,
    Row.access,
    Row.access_reason,
    Row.is_judged,
    Row.policy_key,
    Row.policy_key_pending,
    Row.policy_key_spent,
    Row.policy_offered,
    Row.policy_applied,
    Row.policy_applied_at,
    Row.wipe_state,
    Row.wipe_scope,
    Row.wipe_due_at,
    Row.offered_versions,
    Row.ping_heartbeat_s,
    Row.ping_folders,
)


@dataclass(frozen=True, slots=True)
class Contact:
    """What a request says of the device that sent it, and the versions it could have chosen from."""

    device_id: str
    device_type: str
    user_agent: str
    protocol_version: str
    offered_versions: str = ""


def meet(account_id: int, contact: Contact, now: datetime, *, devices_max: int) -> Device:
    """Return the device behind a request, registering it at first contact. Needs `db.connection()`.

    Raises QuotaExceeded when the account has `devices_max` others that are all in use.
    """
    row = (
        Row.select(Row.last_seen_at, *_COLUMNS)
        .where((Row.account == account_id) & (Row.device_id == contact.device_id))
        .tuples()
        .first()
    )
    if row is not None:
        device = _device_of(row[1:])
        is_same = device.protocol_version == contact.protocol_version
        if is_same and now - row[0] < SEEN_RESOLUTION:
            return device
    return _register(account_id, contact, now, devices_max, is_new=row is None)


@db.transaction
def _register(account_id: int, contact: Contact, now: datetime, devices_max: int, *, is_new: bool) -> Device:
    if is_new:
        _make_room(account_id, devices_max, now)
    seen = {
        "device_type": contact.device_type,
        "user_agent": contact.user_agent[:INFORMATION_LENGTH_MAX],
        "protocol_version": contact.protocol_version,
        "last_seen_at": now,
    }
    first = {"first_seen_at": now, "offered_versions": contact.offered_versions}
    Row.insert(account=account_id, device_id=contact.device_id, **first, **seen).on_conflict(
        conflict_target=(Row.account, Row.device_id), update=seen
    ).execute()
    condition = (Row.account == account_id) & (Row.device_id == contact.device_id)
    device = _device_of(Row.select(*_COLUMNS).where(condition).tuples().get())
    SentClientId.delete().where(
        (SentClientId.device == device.id) & (SentClientId.created_at < now - CLIENT_ID_LIFETIME)
    ).execute()
    return device


def _make_room(account_id: int, devices_max: int, now: datetime) -> None:
    """Forget the phone that has been silent longest when there is no room for one more.

    A blocked one is kept, and one that is to be wiped: forgotten, it would come back unharmed.
    """
    if Row.select().where(Row.account == account_id).count() < devices_max:
        return
    no_wipe = Row.wipe_state.not_in([str(state) for state in PENDING])
    silent = (
        Row.select(Row.id)
        .where(
            (Row.account == account_id) & (Row.last_seen_at < now - SILENT_AFTER) & Row.is_allowed & no_wipe
        )
        .order_by(Row.last_seen_at)
        .tuples()
        .first()
    )
    if silent is None:
        raise QuotaExceeded(f"the account has {devices_max} devices")
    Row.delete().where(Row.id == silent[0]).execute()


def get(device: int) -> Device:
    """Return the device as it is stored now. Needs `db.connection()`."""
    return _device_of(Row.select(*_COLUMNS).where(Row.id == device).tuples().get())


def hold(device: int) -> Device:
    """Return the device, its row locked until the transaction ends; raises NotFound."""
    query = Row.select(*_COLUMNS).where(Row.id == device)
    row = locking.for_update(query).tuples().first()
    if row is None:
        raise NotFound("the device was forgotten")
    return _device_of(row)


def named(account_id: int, device_id: str) -> Device:
    """Return the device of an account by its DeviceId; raises NotFound. Needs `db.connection()`."""
    found = next((each for each in list_devices(account_id) if each.device_id == device_id), None)
    if found is None:
        raise NotFound(f"the account has no device {device_id!r}")
    return found


def about(device: int) -> dict[str, Any]:
    """Return everything that is stored of a device by column, for people. Needs `db.connection()`."""
    found: dict[str, Any] = Row.select().where(Row.id == device).dicts().get()
    return found


@db.transaction
def forget(device: int) -> None:
    """Remove a device and what it holds; it may come back. Raises Conflict while a wipe is under way."""
    if State(hold(device).wipe_state) in PENDING:
        raise Conflict("a wipe is under way; forgotten, the device would escape it")
    Row.delete().where(Row.id == device).execute()


def list_devices(account_id: int) -> list[Device]:
    """Return the devices of an account, oldest first."""
    query = Row.select(*_COLUMNS).where(Row.account == account_id).order_by(Row.id)
    return [_device_of(row) for row in query.tuples()]


@db.transaction
def remember_information(device: int, information: Mapping[str, str]) -> None:
    """Store what the device tells of itself; keys are MS-ASCMD element names, unknown ones are ignored.

    What is new may speak for or against it: it is judged again (`access`).
    """
    values = {
        INFORMATION_FIELDS[name]: text[:INFORMATION_LENGTH_MAX]
        for name, text in information.items()
        if name in INFORMATION_FIELDS
    }
    if not values:
        return
    columns = [getattr(Row, name) for name in values]
    if Row.select(*columns).where(Row.id == device).tuples().first() != tuple(values.values()):
        Row.update(is_judged=False, **values).where(Row.id == device).execute()


@db.transaction
def remember_ping(device: int, heartbeat_s: int, folders: Iterable[tuple[str, str]]) -> None:
    """Cache the parameters of a Ping, so that the next one may leave them out."""
    Row.update(ping_heartbeat_s=heartbeat_s, ping_folders=json.dumps(list(folders))).where(
        Row.id == device
    ).execute()


@db.transaction
def remember_offer(device: int, offered_versions: str) -> bool:
    """Store which versions a device is told of; False when another request has told it meanwhile."""
    update = Row.update(offered_versions=offered_versions)
    return bool(update.where((Row.id == device) & (Row.offered_versions != offered_versions)).execute())


@db.transaction
def offer_policy(device: int, pending_key: int, revision: str = "") -> None:
    """Remember the temporary policy key of phase 1, and the revision of the policy it was given with."""
    Row.update(policy_key_pending=pending_key, policy_offered=revision).where(Row.id == device).execute()


@db.transaction
def accept_policy(device: int, pending_key: int, key: int, status: int, now: datetime) -> int:
    """Make `key` the permanent one in place of the temporary `pending_key`; return what is permanent now.

    Two acknowledgements of one temporary key get one permanent key, also when they come at once; 0 when the
    temporary key is not, and was not the last, of this device.
    """
    found = get(device)
    if pending_key and pending_key == found.policy_key_spent:
        return found.policy_key
    if not pending_key or pending_key != found.policy_key_pending:
        return 0
    Row.update(
        policy_key=key,
        policy_key_pending=0,
        policy_key_spent=pending_key,
        policy_applied=found.policy_offered,
        policy_applied_at=now,
        policy_status=status,
    ).where(Row.id == device).execute()
    return key


@db.transaction
def refuse_policy(device: int, status: int) -> None:
    """Remember that a device did not apply its policy: what it holds is no longer good for anything."""
    Row.update(policy_key=0, policy_key_pending=0, policy_key_spent=0, policy_status=status).where(
        Row.id == device
    ).execute()


@db.transaction
def remember_sync_request(device: int, request: bytes | None) -> None:
    """Cache the last Sync request, which an empty or partial one refers to; None forgets it."""
    Row.update(sync_request=request).where(Row.id == device).execute()


def sync_request(device: int) -> bytes | None:
    """Return the cached Sync request; None when there is none. Needs `db.connection()`."""
    value = Row.select(Row.sync_request).where(Row.id == device).tuples().get()[0]
    return None if value is None else bytes(value)


def _device_of(row: tuple[Any, ...]) -> Device:
    folders = row[-1]
    pairs = tuple((str(a), str(b)) for a, b in json.loads(folders)) if folders else ()
    return Device(*(*row[:-1], pairs))
