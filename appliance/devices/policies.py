"""Device policies: named, versioned, given to an account, a group or everybody; which one is in force.

What the values mean is `policy_values`; how they are told to a phone is `eas.policy`. A phone's key stands
for the revision (policy and version) it has applied, so a change or another assignment needs no list of
phones: the key of each is stale the moment its revision is no longer the one in force.

An account's own comes first, then that of a group it is itself a member of (of several the first by address;
members of groups within the group do not count), then the default.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from appliance import db
from appliance.db.tables import AccountPolicy, GroupPolicy
from appliance.db.tables import DevicePolicy as Row
from appliance.devices.policy_values import Value, validated
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.store.statement import Statement

NAME_LENGTH_MAX = 64
NONE_NAME = "none"
_NO_POLICY = 0
REFRESH_HOURS_MAX = 8_760


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy. `allows_partial`: phones that cannot apply all of it (AllowNonProvisionable) may come in.

    `is_enforced`: no phone without its key. `refresh_hours`: how long a key is good, 0 for ever.
    """

    id: int = _NO_POLICY
    name: str = NONE_NAME
    version: int = 0
    values: Mapping[str, Value] = field(default_factory=dict)
    is_enforced: bool = False
    allows_partial: bool = True
    refresh_hours: int = 0
    is_default: bool = False

    @property
    def revision(self) -> str:
        """What a key given for it stands for; "" for none at all."""
        return f"{self.id}.{self.version}" if self.id else ""


NONE = Policy()
_COLUMNS = (
    "p.id, p.name, p.version, p.document, p.is_enforced, p.allows_partial, p.refresh_hours, p.is_default"
)
_IN_FORCE = Statement(
    f"SELECT {_COLUMNS} FROM device_policy p WHERE p.id = COALESCE("
    "(SELECT policy_id FROM account_policy WHERE account_id = ?),"
    " (SELECT gp.policy_id FROM group_policy gp JOIN mail_group g ON g.id = gp.group_id"
    " JOIN mail_group_member m ON m.group_id = g.id JOIN address a ON a.address = m.address"
    " WHERE a.account_id = ? ORDER BY g.address LIMIT 1),"
    " (SELECT id FROM device_policy WHERE is_default))"
)
_EVERY = Statement(f"SELECT {_COLUMNS} FROM device_policy p ORDER BY p.name")


def in_force(account_id: int) -> Policy:
    """Return the policy of an account's phones, NONE when there is none. Needs `db.connection()`."""
    rows = _IN_FORCE.rows(account_id, account_id)
    return _policy(rows[0]) if rows else NONE


def list_policies() -> list[Policy]:
    """Return every policy by name. Needs `db.connection()`."""
    return [_policy(row) for row in _EVERY.rows()]


def get(name: str) -> Policy:
    """Return the policy of a name, NONE for "none"; raises NotFound. Needs `db.connection()`."""
    if name == NONE_NAME:
        return NONE
    found = next((policy for policy in list_policies() if policy.name == name), None)
    if found is None:
        raise NotFound(f"there is no policy {name!r}")
    return found


@db.transaction
def save(
    name: str,
    values: Mapping[str, object],
    now: datetime,
    *,
    is_enforced: bool | None = None,
    allows_partial: bool | None = None,
    refresh_hours: int | None = None,
) -> Policy:
    """Make a policy or change the given parts of it and return it; "" as a value withdraws it.

    Raises InvalidInput; then nothing has changed. A change of values makes the keys of its phones stale.
    """
    if not name.strip() or name == NONE_NAME or len(name) > NAME_LENGTH_MAX or not name.isprintable():
        raise InvalidInput(f"a policy's name has 1 to {NAME_LENGTH_MAX} characters and is not {NONE_NAME!r}")
    if refresh_hours is not None and not 0 <= refresh_hours <= REFRESH_HOURS_MAX:
        raise InvalidInput(f"a key is good for at most {REFRESH_HOURS_MAX} hours, 0 means for ever")
    before = next((policy for policy in list_policies() if policy.name == name), None)
    checked = validated({**(before.values if before else {}), **values})
    switches = {"is_enforced": is_enforced, "allows_partial": allows_partial, "refresh_hours": refresh_hours}
    wanted = {key: value for key, value in switches.items() if value is not None}
    if before is None:
        Row.create(name=name, document=json.dumps(checked), changed_at=now, **wanted)
        return get(name)
    is_changed = checked != dict(before.values)
    Row.update(
        document=json.dumps(checked), version=before.version + is_changed, changed_at=now, **wanted
    ).where(Row.id == before.id).execute()
    return get(name)


@db.transaction
def assign(account_id: int, name: str | None) -> None:
    """Give an account a policy of its own, "none" for none at all, None for the default; raises NotFound."""
    if name is None:
        AccountPolicy.delete().where(AccountPolicy.account == account_id).execute()
        return
    AccountPolicy.insert(account=account_id, policy_id=get(name).id).on_conflict(
        conflict_target=[AccountPolicy.account], preserve=[AccountPolicy.policy_id]
    ).execute()


@db.transaction
def assign_group(group_id: int, name: str | None) -> None:
    """Give the members of a group a policy, "none" for none at all; None takes it back. Raises NotFound."""
    if name is None:
        GroupPolicy.delete().where(GroupPolicy.group == group_id).execute()
        return
    GroupPolicy.insert(group=group_id, policy_id=get(name).id).on_conflict(
        conflict_target=[GroupPolicy.group], preserve=[GroupPolicy.policy_id]
    ).execute()


@db.transaction
def make_default(name: str) -> None:
    """Give a policy to every account without one of its own; "none" for no policy. Raises NotFound."""
    chosen = get(name).id
    Row.update(is_default=False).where(Row.is_default & (Row.id != chosen)).execute()
    Row.update(is_default=True).where(Row.id == chosen).execute()


@db.transaction
def delete(name: str) -> None:
    """Remove a policy that nobody has; raises NotFound, Conflict."""
    found = get(name)
    given = (table.select().where(table.policy_id == found.id) for table in (AccountPolicy, GroupPolicy))
    if found.is_default or any(query.exists() for query in given):
        raise Conflict(f"the policy {name!r} is in use; assign another one first")
    if not Row.delete().where(Row.id == found.id).execute():
        raise NotFound(f"{name!r} cannot be removed")


def _policy(row: tuple[object, ...]) -> Policy:
    id_, name, version, document, is_enforced, allows_partial, refresh_hours, is_default = row
    values = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in json.loads(str(document)).items()
    }
    return Policy(
        int(str(id_)),
        str(name),
        int(str(version)),
        values,
        bool(is_enforced),
        bool(allows_partial),
        int(str(refresh_hours)),
        bool(is_default),
    )
