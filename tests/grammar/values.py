"""The data types of ActiveSync as they stand on the wire, each with a value that is none of it.

Everything but byte arrays is an inline string. Source: MS-ASDTYPE 2; MS-ASPROV 2.2.3 (types that may be
empty).
"""

import re
import struct
from base64 import b64decode
from binascii import Error
from collections.abc import Callable

type Value = str | bytes | None

DATE_TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3])(:[0-5]\d){2}\.\d{3}Z")
COMPACT = re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3])([0-5]\d){2}Z")
ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")
RANGE = re.compile(r"(0|[1-9]\d*)-(0|[1-9]\d*)")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
MESSAGE_CLASS = re.compile(
    r"IPM\.(Note|InfoPathForm|Schedule\.Meeting|Notification\.Meeting|Post|Octel\.Voice|Voicenotes|Sharing)"
    r"(\.\w+)*"
    r"|REPORT\.IPM\.(NOTE|SCHEDULE\.MEETING(\.\w+)+)\.(NDR|DR|DELAYED|IPNRN|IPNNRN)",
    re.IGNORECASE,
)
ZONE_BYTES = 172
NAME_CHARACTERS = 32


def _whole(low: int | None = None, high: int | None = None) -> Callable[[Value], bool]:
    def fits(value: Value) -> bool:
        if not isinstance(value, str) or re.fullmatch(r"-?(0|[1-9]\d*)", value) is None:
            return False
        return (low is None or int(value) >= low) and (high is None or int(value) <= high)

    return fits


def _string(value: Value) -> bool:
    return value is None or isinstance(value, str)


def _bytes(value: Value) -> bool:
    return isinstance(value, bytes)


def _mime(value: Value) -> bool:
    """A string; opaque only where a string could not carry the bytes of the message."""
    if not isinstance(value, bytes):
        return _string(value)
    try:
        return _CONTROL.search(value.decode("utf-8")) is not None
    except UnicodeDecodeError:
        return True


def _matches(pattern: re.Pattern[str]) -> Callable[[Value], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _base64(value: Value) -> bool:
    if not isinstance(value, str):
        return False
    try:
        b64decode(value, validate=True)
    except Error:
        return False
    return True


def _range(value: Value) -> bool:
    found = RANGE.fullmatch(value) if isinstance(value, str) else None
    return found is not None and int(found[1]) <= int(found[2])


def zone(value: Value) -> bool:
    """172 bytes in base64: bias, name, switch and bias of standard time, the same of summer time."""
    if not _base64(value):
        return False
    raw = b64decode(str(value))
    if len(raw) != ZONE_BYTES:
        return False
    _, standard, to_standard, _, daylight, to_daylight, _ = struct.unpack("<i64s16si64s16si", raw)
    return all(map(_name, (standard, daylight))) and all(map(_switch, (to_standard, to_daylight)))


def _name(raw: bytes) -> bool:
    """32 characters of UTF-16; nothing but 0 behind the first 0."""
    name, _, rest = raw.decode("utf-16-le").partition("\0")
    return not rest.strip("\0") and len(name) <= NAME_CHARACTERS


def _switch(raw: bytes) -> bool:
    """A SYSTEMTIME: none, or month, weekday, number in the month and time of day."""
    year, month, weekday, day, hour, minute, second, millis = struct.unpack("<8H", raw)
    if not any((year, month, weekday, day, hour, minute, second, millis)):
        return True
    return (
        1 <= month <= 12 and weekday <= 6 and 1 <= day <= 5 and hour <= 23 and minute <= 59 and second <= 59
    )


def _or_empty(fits: Callable[[Value], bool]) -> Callable[[Value], bool]:
    return lambda value: value is None or fits(value)


TYPES: dict[str, tuple[Callable[[Value], bool], Value]] = {
    "boolean": (_whole(0, 1), "2"),
    "byte": (_whole(0, 255), "256"),
    "integer": (_whole(), "1.5"),
    "unsigned": (_whole(0), "-1"),
    "byteOrEmpty": (_or_empty(_whole(0, 255)), "256"),
    "unsignedOrEmpty": (_or_empty(_whole(0)), "-1"),
    "string": (_string, b"\x01"),
    "text": (lambda value: isinstance(value, str), None),
    "address": (_matches(ADDRESS), "nobody"),
    "mime": (_mime, b"clean text"),
    "base64": (_base64, "*"),
    "base64OrEmpty": (_or_empty(_base64), "*"),
    "bytes": (_bytes, "text"),
    "bytesOrEmpty": (_or_empty(_bytes), "text"),
    "dateTime": (_matches(DATE_TIME), "20260302T120000Z"),
    "compact": (_matches(COMPACT), "2026-03-02T12:00:00.000Z"),
    "range": (_range, "5-3"),
    "rangeTo999": (lambda value: _range(value) and int(str(value).partition("-")[2]) <= 999, "0-1000"),
    "policyKey": (_whole(0, 4_294_967_295), "4294967296"),
    "truncation": (_whole(-1), "-2"),
    "freeBusy": (_matches(re.compile("[0-4]*")), "5"),
    "messageClass": (_matches(MESSAGE_CLASS), "IPM.Fax"),
    "zone": (zone, "AAAA"),
    "empty": (lambda value: value is None, "1"),
}
"""Type → what fits, and a value that does not."""
