"""A phone of an account as everything above the database speaks of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A phone, identified by its DeviceId within one account.

    `policy_key` is the permanent key it was given (0: not provisioned), `policy_key_pending` the
    temporary one of phase 1, `policy_key_spent` the temporary one that became the permanent one;
    `policy_offered` and `policy_applied` are the policies' revisions these stand for. `access` and
    `access_reason` are of `devices.access`, `wipe_*` of `devices.wipe`. `offered_versions` is what it was
    told it may speak. `ping_*` cache the parameters of its last Ping (MS-ASCMD 2.2.1.13).
    """

    id: int
    account_id: int
    device_id: str
    device_type: str
    user_agent: str
    protocol_version: str
    is_allowed: bool
    access: str
    access_reason: str
    is_judged: bool
    policy_key: int
    policy_key_pending: int
    policy_key_spent: int
    policy_offered: str
    policy_applied: str
    policy_applied_at: datetime | None
    wipe_state: str
    wipe_scope: str
    wipe_due_at: datetime | None
    offered_versions: str
    ping_heartbeat_s: int
    ping_folders: tuple[tuple[str, str], ...]
