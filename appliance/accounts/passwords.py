"""What a password may be, and its argon2id hash: made, checked, renewed; always off the hub.

Leaves to `login` who may try and how often, to `accounts` where the hash is kept. One hash costs about
23 ms of a core with the default parameters; they are written into every hash, so that raising them
renews each account's hash at its next login.

Source: RFC 9106 (argon2), RFC 8265 4.2 OpaqueString (composing, nothing else).
"""

import unicodedata
from dataclasses import dataclass

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from appliance import offload, settings
from appliance.errors import InvalidInput, TemporaryFailure

CHARACTERS_MIN = 8
BYTES_MAX = 1024
POOL = "password"
_DUMMY_PASSWORD = "nobody has this one"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password is right, and the hash to store instead of an outdated one."""

    is_right: bool
    renewed_hash: str | None = None


def _hasher_of(cost: settings.Passwords) -> argon2.PasswordHasher:
    return argon2.PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)


_hasher = _hasher_of(settings.Passwords())
_dummy_hash: str | None = None


def configure(cost: settings.Passwords) -> None:
    """Set what new hashes cost in this process; older ones stay valid."""
    global _hasher, _dummy_hash  # one cost per process
    _hasher = _hasher_of(cost)
    _dummy_hash = None


def check_rules(password: str) -> None:
    """Raise InvalidInput, in words for the person who chose it, unless this may become a password."""
    if len(password) < CHARACTERS_MIN:
        raise InvalidInput(f"a password needs at least {CHARACTERS_MIN} characters")
    if _is_too_long(password):
        raise InvalidInput(f"a password is at most {BYTES_MAX} bytes long")
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in password):
        raise InvalidInput("a password cannot contain control characters such as tab or line end")
    if not password.strip():
        raise InvalidInput("a password of blanks only would be lost by the first program that trims it")


def make_hash(password: str) -> str:
    """Return the hash of a password that may become one; raises InvalidInput. Waits, off the hub."""
    check_rules(password)
    return offload.run(_hash, password, pool=POOL)


def verify(password_hash: str | None, password: str) -> Verdict:
    """Compare a password with a hash; None stands for an account that does not exist.

    The same work is done for None, so that time does not tell who has an account here. Waits, off the hub.
    Raises TemporaryFailure when no comparison was possible.
    """
    if _is_too_long(password):
        return Verdict(is_right=False)
    return offload.run(_verify, password_hash, password, pool=POOL)


def _verify(password_hash: str | None, password: str) -> Verdict:
    dummy_hash = _make_dummy_hash()  # also when it is not needed, so that the first stranger waits no longer
    try:
        _hasher.verify(password_hash or dummy_hash, _prepared(password))
    except (VerifyMismatchError, InvalidHashError):
        return Verdict(is_right=False)
    except VerificationError as error:  # out of memory, a damaged row: our trouble, not a wrong password
        raise TemporaryFailure(f"a password could not be checked: {error}") from error
    if not password_hash:
        return Verdict(is_right=False)
    return Verdict(True, _hash(password) if _hasher.check_needs_rehash(password_hash) else None)


def _make_dummy_hash() -> str:
    global _dummy_hash  # made once per cost
    if _dummy_hash is None:
        _dummy_hash = _hash(_DUMMY_PASSWORD)
    return _dummy_hash


def _hash(password: str) -> str:
    return _hasher.hash(_prepared(password))


def _prepared(password: str) -> bytes:
    """Compose: one keyboard sends `é` as one character, another as two."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _is_too_long(password: str) -> bool:
    return len(password) > BYTES_MAX or len(password.encode("utf-8", "surrogatepass")) > BYTES_MAX
