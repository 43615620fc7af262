"""Ceilings of accounts that have no value of their own; each process sets them once, from `[limits]`."""

from appliance.settings import Limits

AS_CONFIGURED = -1
"""The `Account.quota_bytes` of an account without a quota of its own."""

_limits = Limits()


def configure(limits: Limits) -> Limits:
    """Set the ceilings of this process and return those before."""
    global _limits  # one configuration per process
    before, _limits = _limits, limits
    return before


def quota_bytes(own: int = AS_CONFIGURED) -> int:
    """Return what an account may keep, given what is stored of it; 0 means no limit."""
    return _limits.quota_bytes if own == AS_CONFIGURED else own


def folders_max() -> int:
    """Return how many folders an account may have."""
    return _limits.folders_max
