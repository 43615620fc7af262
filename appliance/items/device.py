"""A phone of an account as everything above the database speaks of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Device:
    """A phone, identified by its DeviceId within one account.

    `policy_key` is the permanent key it was given (0: not provisioned), `policy_key_pending` the
    temporary one of phase 1. `ping_*` cache the parameters of its last Ping (MS-ASCMD 2.2.1.13).
    """

    id: int
    account_id: int
    device_id: str
    device_type: str
    user_agent: str
    protocol_version: str
    is_allowed: bool
    policy_key: int
    policy_key_pending: int
    ping_heartbeat_s: int
    ping_folders: tuple[tuple[str, str], ...]
