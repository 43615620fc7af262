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
from appliance.db.tables import Device as Row
from appliance.db.tables import SentClientId
from appliance.errors import QuotaExceeded
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
    Row.policy_key,
    Row.policy_key_pending,
    Row.ping_heartbeat_s,
    Row.ping_folders,
)


@dataclass(frozen=True, slots=True)
class Contact:
    """What a request says of the device that sent it."""

    device_id: str
    device_type: str
    user_agent: str
    protocol_version: str


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
    Row.insert(account=account_id, device_id=contact.device_id, first_seen_at=now, **seen).on_conflict(
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

    A blocked one is kept: forgotten, it would come back unblocked.
    """
    if Row.select().where(Row.account == account_id).count() < devices_max:
        return
    silent = (
        Row.select(Row.id)
        .where((Row.account == account_id) & (Row.last_seen_at < now - SILENT_AFTER) & Row.is_allowed)
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


def list_devices(account_id: int) -> list[Device]:
    """Return the devices of an account, oldest first."""
    query = Row.select(*_COLUMNS).where(Row.account == account_id).order_by(Row.id)
    return [_device_of(row) for row in query.tuples()]


@db.transaction
def remember_information(device: int, information: Mapping[str, str]) -> None:
    """Store what the device tells of itself; keys are MS-ASCMD element names, unknown ones are ignored."""
    values = {
        INFORMATION_FIELDS[name]: text[:INFORMATION_LENGTH_MAX]
        for name, text in information.items()
        if name in INFORMATION_FIELDS
    }
    if values:
        Row.update(**values).where(Row.id == device).execute()


@db.transaction
def remember_ping(device: int, heartbeat_s: int, folders: Iterable[tuple[str, str]]) -> None:
    """Cache the parameters of a Ping, so that the next one may leave them out."""
    Row.update(ping_heartbeat_s=heartbeat_s, ping_folders=json.dumps(list(folders))).where(
        Row.id == device
    ).execute()


@db.transaction
def offer_policy(device: int, pending_key: int) -> None:
    """Remember the temporary policy key of phase 1."""
    Row.update(policy_key_pending=pending_key).where(Row.id == device).execute()


@db.transaction
def accept_policy(device: int, key: int) -> None:
    """Make a policy key the device's permanent one; the temporary one is spent."""
    Row.update(policy_key=key, policy_key_pending=0).where(Row.id == device).execute()


@db.transaction
def remember_sync_request(device: int, request: bytes) -> None:
    """Cache the last Sync request, which an empty or partial one refers to."""
    Row.update(sync_request=request).where(Row.id == device).execute()


def sync_request(device: int) -> bytes | None:
    """Return the cached Sync request; None when there is none. Needs `db.connection()`."""
    value = Row.select(Row.sync_request).where(Row.id == device).tuples().get()[0]
    return None if value is None else bytes(value)


def _device_of(row: tuple[Any, ...]) -> Device:
    folders = row[-1]
    pairs = tuple((str(a), str(b)) for a, b in json.loads(folders)) if folders else ()
    return Device(*(*row[:-1], pairs))
