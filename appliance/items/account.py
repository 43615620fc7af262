"""A user as everything above the database speaks of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """A user and everything stored for them; `address` is the primary one, normalised.

    `credential_version` is raised by every password change: whatever was cached for an older one is void.
    `quota_bytes` is what is stored of the account; what it means is `store.limits.quota_bytes`.
    """

    id: int
    address: str
    display_name: str
    is_admin: bool
    is_enabled: bool
    credential_version: int
    quota_bytes: int
    used_bytes: int
