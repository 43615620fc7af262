"""The errors of the domain: each says what the caller may do about it.

Pure protocol code raises its own error types with a position; services raise these. Every edge
translates them once, in one table (`web/errors.py`, `appliance/eas/status.py`, `smtpd/replies.py`).
Anything that is not listed here is a bug or the outside world, and is treated as temporary.
"""


class ApplianceError(Exception):
    """Base of every error the domain raises on purpose; the message is fit for an operator's eyes."""


class NotFound(ApplianceError):
    """The thing does not exist, or not inside the caller's own account (the two are never told apart)."""


class Conflict(ApplianceError):
    """The request contradicts what is stored: a duplicate name, a stale version, a protected folder."""


class Denied(ApplianceError):
    """The caller may not do this. For credentials see `accounts.login.WrongCredentials`."""


class InvalidInput(ApplianceError):
    """A value from outside has the wrong shape; the message names the value and the rule."""


class QuotaExceeded(ApplianceError):
    """The account's storage is full; nothing was stored."""


class TooLarge(ApplianceError):
    """The message or request is over a configured ceiling; nothing was stored."""


class TemporaryFailure(ApplianceError):
    """Our own trouble (database busy, disk full, dependency down); the same request may succeed later."""


class DiskFull(TemporaryFailure):
    """There is no room left where we store; nothing was stored, and it goes on once there is room."""


class PermanentFailure(ApplianceError):
    """The request can never succeed as it stands; repeating it is pointless."""
