"""Which phones may come in: an operator's word, else the first rule that fits, else the default.

A phone is judged at first contact and again whenever it tells something new of itself or the rules
change; what an operator said of one phone stays. A phone in quarantine may introduce itself and see its
folders (`eas.policy`), and its user finds one message that says why there is no mail.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from appliance import db, logs
from appliance.db.tables import Device as Row
from appliance.db.tables import DeviceRule
from appliance.devices import devices, notices, wiping
from appliance.devices.notices import Notice
from appliance.errors import InvalidInput, NotFound
from appliance.items.device import Device
from appliance.setup import settings

log = logging.getLogger("appliance.devices")

DEFAULT_SETTING = "device_access_default"
BY_OPERATOR = "operator"
PATTERN_LENGTH_MAX = 256
RULES_MAX = 500


class Access(StrEnum):
    """What a phone may do."""

    ALLOW = "allow"
    BLOCK = "block"
    QUARANTINE = "quarantine"


FIELDS = {"type": "device_type", "model": "model", "os": "os", "user_agent": "user_agent"}
"""What a rule can look at, and the column it is in."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A glob over one thing a phone tells of itself; case does not matter."""

    id: int
    access: Access
    field: str
    pattern: str

    def fits(self, told: dict[str, str]) -> bool:
        """Return whether the rule speaks of a device that tells this."""
        return fnmatchcase(told[self.field].lower(), self.pattern.lower())


def verdict(rules: list[Rule], default: Access, told: dict[str, str]) -> tuple[Access, str]:
    """Return what a device may do by the rules, and which of them says so. Pure."""
    for rule in rules:
        if rule.fits(told):
            return rule.access, f"rule {rule.id}"
    return default, "default"


def list_rules() -> list[Rule]:
    """Return the rules in the order they are asked. Needs `db.connection()`."""
    query = DeviceRule.select(DeviceRule.id, DeviceRule.access, DeviceRule.field, DeviceRule.pattern)
    return [
        Rule(id_, Access(access), field, pattern)
        for id_, access, field, pattern in query.order_by(DeviceRule.id).tuples()
    ]


def default() -> Access:
    """Return what holds where no rule fits. Needs `db.connection()`."""
    return Access(settings.get(DEFAULT_SETTING, Access.ALLOW))


@db.transaction
def add_rule(access: Access, field: str, pattern: str) -> int:
    """Add a rule after the others and return its number; every device is judged again."""
    if field not in FIELDS:
        raise InvalidInput(f"a rule looks at {', '.join(FIELDS)}")
    if not pattern or len(pattern) > PATTERN_LENGTH_MAX or not pattern.isprintable():
        raise InvalidInput(f"a pattern has 1 to {PATTERN_LENGTH_MAX} characters")
    if DeviceRule.select().count() >= RULES_MAX:
        raise InvalidInput(f"there are at most {RULES_MAX} rules")
    row = DeviceRule.create(access=str(access), field=field, pattern=pattern)
    _judge_all_again()
    return int(row.id)


@db.transaction
def remove_rule(number: int) -> None:
    """Remove a rule; every device is judged again. Raises NotFound."""
    if not DeviceRule.delete().where(DeviceRule.id == number).execute():
        raise NotFound(f"there is no rule {number}")
    _judge_all_again()


@db.transaction
def set_default(access: Access) -> None:
    """Say what holds where no rule fits; every device is judged again."""
    settings.put(DEFAULT_SETTING, str(access))
    _judge_all_again()


def _judge_all_again() -> None:
    Row.update(is_judged=False).where(Row.access_reason != BY_OPERATOR).execute()


def judge(device: Device, now: datetime) -> Device:
    """Decide on a device and return it as it is now; the user is told of a new quarantine, once."""
    with db.connection():
        access, reason = _verdict_on(device.id)
    if device.access_reason == BY_OPERATOR:
        access, reason = Access(device.access), BY_OPERATOR
    is_new = access is Access.QUARANTINE and device.access != Access.QUARANTINE
    return _store(device.id, access, reason, _quarantined(device, now) if is_new else None)


def decide(device: Device, access: Access, *, reason: str = BY_OPERATOR, by: str = "device") -> None:
    """Let a device in or keep it out whatever the rules say; what it holds ends at once."""
    _store(device.id, access, reason, None, by=by)
    wiping.wake(device.id)


@db.transaction
def _store(device: int, access: Access, reason: str, notice: Notice | None, *, by: str = "rules") -> Device:
    before = devices.hold(device)
    values = {"access": str(access), "access_reason": reason, "is_judged": True}
    values["is_allowed"] = access is Access.ALLOW
    Row.update(**values).where(Row.id == device).execute()
    if before.access != access:
        if notice is not None:
            notices.file(notice)
        db.after_commit(_tell, before, str(access), reason, by)
    return devices.get(device)


def _verdict_on(device: int) -> tuple[Access, str]:
    columns: list[Any] = [getattr(Row, name) for name in FIELDS.values()]
    row = Row.select(*columns).where(Row.id == device).tuples().get()
    return verdict(list_rules(), default(), dict(zip(FIELDS, row, strict=True)))


def _quarantined(device: Device, now: datetime) -> Notice:
    text = (
        "A new device wants to synchronise with your mailbox. An administrator has to let it in first;"
        " until then it gets no mail.\n\n"
        f"Device: {device.device_type} {device.device_id}\n"
        "If this device is not yours, change your password and tell your administrator.\n"
    )
    return notices.prepare(device.account_id, "A new device waits to be let in", text, now)


def _tell(device: Device, access: str, reason: str, by: str) -> None:
    logs.event(
        log,
        "device_access",
        level=logging.WARNING,
        account=device.account_id,
        device=device.id,
        device_id=device.device_id,
        access=access,
        reason=reason,
        by=by,
    )
