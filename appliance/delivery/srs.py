"""Reverse-paths that survive forwarding: a sender's address wrapped into one of ours, and back (SRS). Pure.

Forwarded mail leaves from our machine, which the sender's SPF record does not name, so the envelope must be
ours. The wrapped address carries when it was made and a keyed digest, so that nobody can have us send mail to
an address of their choice, and nobody for longer than AGE_DAYS_MAX.

    ada@example.net      SRS0=digest=day=example.net=ada@office.example
    SRS0=…@example.org   SRS1=digest=example.org==…@office.example    (somebody forwarded it before us)
    too long for that    SRS0=digest=day==number@office.example       (the address is kept under a number)

Source: Sender Rewriting Scheme, libspf2.org/srs (the format is ours to read only; letter case may be lost).
"""

import hashlib
import hmac
from base64 import b32encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.errors import InvalidInput
from appliance.smtp.grammar import Address, SmtpSyntaxError

AGE_DAYS_MAX: Final = 21  # servers give up after five days; some reports come weeks later
DIGEST_CHARS: Final = 8  # 40 bits of base32, because some servers change the case of letters
_DAYS: Final = 1024  # two characters of base32
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_FIRST, _LATER = "SRS0", "SRS1"


class NotOurs(InvalidInput):
    """Not an address this server made, or one that is too old."""


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What an address stands for: another address, or the number under which that is kept."""

    address: str = ""
    number: int = 0


def is_wrapped(local_part: str) -> bool:
    """Say whether a local part looks like one of these."""
    return local_part[:5].upper() in (f"{_FIRST}=", f"{_LATER}=")


def wrap(address: Address, domain: str, key: bytes, now: datetime) -> str | None:
    """Return an address of ours that stands for another one; None when it would be too long."""
    local_part = address.local_part
    if local_part[:4].upper() == _FIRST and local_part[4:5] in ("=", "+", "-"):
        return _later(address.domain, local_part[4:], domain, key)
    if local_part[:4].upper() == _LATER and local_part[4:5] in ("=", "+", "-"):
        _, _, behind = local_part[5:].partition("=")  # the digest is the one before us's
        host, separator, rest = behind.partition("=")
        if host and separator and rest:
            return _later(host, rest, domain, key)
    return _first(f"{_day(now)}={address.domain}={local_part}", domain, key)


def wrap_number(number: int, domain: str, key: bytes, now: datetime) -> str:
    """Return an address of ours that stands for the one kept under a number."""
    wrapped = _first(f"{_day(now)}=={number}", domain, key)
    assert wrapped is not None, "a number is short"
    return wrapped


def unwrap(local_part: str, key: bytes, now: datetime) -> Unwrapped:
    """Return what a local part made by `wrap` stands for. Raises NotOurs."""
    kind, digest, rest = local_part[:4].upper(), local_part[5:][:DIGEST_CHARS], local_part[6 + DIGEST_CHARS :]
    is_ours = hmac.compare_digest(digest.upper().encode(), _digest(kind, rest, key).encode())
    if not is_wrapped(local_part) or local_part[5 + DIGEST_CHARS :][:1] != "=" or not is_ours:
        raise NotOurs("not an address of this server")
    if kind == _LATER:
        host, _, inner = rest.partition("=")
        return Unwrapped(_address(f"{_FIRST}{inner}", host))
    day, _, rest = rest.partition("=")
    domain, _, behind = rest.partition("=")
    if not _is_fresh(day, now):
        raise NotOurs("too old")
    if domain:
        return Unwrapped(_address(behind, domain))
    if not (behind.isascii() and behind.isdecimal()) or len(behind) > 18:
        raise NotOurs("not a number")
    return Unwrapped(number=int(behind))


def _first(text: str, domain: str, key: bytes) -> str | None:
    return _fitting(f"{_FIRST}={_digest(_FIRST, text, key)}={text}", domain)


def _later(host: str, inner: str, domain: str, key: bytes) -> str | None:
    text = f"{host}={inner}"
    return _fitting(f"{_LATER}={_digest(_LATER, text, key)}={text}", domain)


def _fitting(local_part: str, domain: str) -> str | None:
    try:
        return str(Address(local_part, domain))
    except SmtpSyntaxError:  # longer than an address may be
        return None


def _address(local_part: str, domain: str) -> str:
    try:
        return str(Address(local_part, domain))
    except SmtpSyntaxError as error:
        raise NotOurs(error.message) from None


def _digest(kind: str, text: str, key: bytes) -> str:
    mac = hmac.digest(key, f"{kind}={text}".lower().encode("utf-8", "surrogatepass"), hashlib.sha256)
    return b32encode(mac).decode("ascii")[:DIGEST_CHARS]


def _day(now: datetime) -> str:
    number = (now - _EPOCH) // _DAY % _DAYS
    return _ALPHABET[number >> 5] + _ALPHABET[number & 31]


def _is_fresh(day: str, now: datetime) -> bool:
    if len(day) != 2 or any(char not in _ALPHABET for char in day.upper()):
        return False
    high, low = (_ALPHABET.index(char) for char in day.upper())
    age = ((now - _EPOCH) // _DAY - (high * 32 + low)) % _DAYS
    return age <= AGE_DAYS_MAX or age == _DAYS - 1  # a day ahead: clocks of two machines
