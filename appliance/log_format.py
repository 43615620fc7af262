"""How an event becomes one safe line: cleaning, redaction, key=value or JSON.

Pure. Leaves to `logs.py` who logs, the bound context and the files.

Everything in a value may come from a stranger: characters that do not print are escaped, so that one
event is always one line; long values are cut; a value under a secret key is never looked at.
"""

import json
import logging
import os
import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from math import isfinite
from typing import Final

type Fields = Mapping[str, object]
type Scalar = str | int | float | bool

VALUE_CHARS_MAX: Final = 512
SCANNED_MAX: Final = 4 * VALUE_CHARS_MAX  # a secret may straddle the cut, so redaction sees more
TRACE_CHARS_MAX: Final = 6000
ELEMENTS_MAX: Final = 20
REDACTED: Final = "[redacted]"

SECRET_PARTS: Final = re.compile(
    "password|passwd|passphrase|token|authorization|secret|cookie|credential|privatekey|apikey|subject|body"
)
SECRET_WORDS: Final = frozenset({"pass", "pwd", "pin", "otp", "totp", "bearer", "preview", "snippet"})
MEASURES: Final = frozenset(
    {"bytes", "count", "id", "ids", "type", "kind", "length", "size", "max", "ms", "s", "age"}
)
"""`body_bytes` and `token_id` say something about a secret without telling it."""

_RESERVED: Final = frozenset({"time", "level", "logger", "pid", "name", "message", "trace"})
_PLAIN: Final = re.compile(r"[^\s\"=\\]+")
_SECRETS_IN_TEXT: Final = (
    (re.compile(r"(?i)\b(basic|bearer|auth\s+(?:plain|login|xoauth2|oauthbearer))\s+[\w+/=.~-]{6,}"), r"\1 "),
    (re.compile(r"(://[^\s:/@]*:)[^\s@/]+(?=@)"), r"\1"),
    (
        re.compile(
            r"(?i)\b([\w-]*(?:password|passwd|secret|token|cookie|authorization)[\"']?\s*[=:]\s*)"
            r"(?!\s*(?:basic|bearer)\b)(?:\"[^\"]*\"|'[^']*'|[^\s,;&]+)"
        ),
        r"\1",
    ),
)


class Event:
    """A name and its fields; as text it is already safe, so any handler (pytest's too) may print it."""

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: Fields) -> None:
        self.name = name
        self.fields = fields

    def __str__(self) -> str:
        return key_value({"name": self.name, **clean(self.fields)})


def redact(text: str) -> str:
    """Return text without the secrets that can be recognised by what stands before them."""
    for pattern, kept in _SECRETS_IN_TEXT:
        text = pattern.sub(kept + REDACTED, text)
    return text


def clean(fields: Fields) -> dict[str, Scalar]:
    """Return fields as safe scalars: secrets redacted, long values cut, None left out."""
    cleaned: dict[str, Scalar] = {}
    for key, value in fields.items():
        if value is not None:
            cleaned[f"{key}_" if key in _RESERVED else key] = REDACTED if is_secret(key) else _scalar(value)
    return cleaned


def is_secret(key: str) -> bool:
    """Tell whether a field of this name may hold something that must not be written down."""
    words = [word for word in re.split(r"[^a-z0-9]+", key.lower()) if word]
    if not words or (len(words) > 1 and words[-1] in MEASURES):
        return False
    return bool(SECRET_PARTS.search("".join(words))) or not SECRET_WORDS.isdisjoint(words)


def key_value(fields: Mapping[str, Scalar]) -> str:
    """Return `key=value` pairs on one line; values are quoted and escaped where a reader needs it."""
    return " ".join(f"{_escape(key)}={_quote(value)}" for key, value in fields.items())


def _scalar(value: object) -> Scalar:
    if isinstance(value, bool | int):
        return value.name if isinstance(value, Enum) else value
    if isinstance(value, float):
        return round(value, 6) if isfinite(value) else str(value)  # JSON has no NaN
    try:
        text, length = _text(value)
    except Exception:  # noqa: BLE001 - a value whose __str__ is broken must not break the caller
        text, length = f"<unprintable {type(value).__name__}>", 0
    return _cut(redact(text), length)


def _text(value: object) -> tuple[str, int]:
    """Return a value as text and its full length; of a huge one only the part that may be shown is read."""
    if isinstance(value, str):
        return value[:SCANNED_MAX], len(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value[:SCANNED_MAX]).decode("utf-8", "backslashreplace"), len(value)
    if isinstance(value, Enum):
        text = value.name
    elif isinstance(value, datetime | date):
        text = value.isoformat()
    elif isinstance(value, Mapping):
        text = ",".join(f"{key}:{item}" for key, item in clean(_head(value)).items())
    elif isinstance(value, list | tuple | set | frozenset):
        text = ",".join(str(_scalar(item)) for _, item in zip(range(ELEMENTS_MAX), value, strict=False))
        text += f",…(+{len(value) - ELEMENTS_MAX})" if len(value) > ELEMENTS_MAX else ""
    else:
        text = str(value)
    return text, len(text)


def _head(mapping: Mapping[object, object]) -> dict[str, object]:
    pairs: Iterable[tuple[object, object]] = mapping.items()
    return {str(key): item for _, (key, item) in zip(range(ELEMENTS_MAX), pairs, strict=False)}


def _cut(text: str, length: int) -> str:
    if len(text) <= VALUE_CHARS_MAX and length <= SCANNED_MAX:
        return text
    return f"{text[:VALUE_CHARS_MAX]}…(+{max(length, len(text)) - VALUE_CHARS_MAX})"


def _quote(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return str(value)
    escaped = _escape(value)
    if escaped == value and _PLAIN.fullmatch(value):
        return value
    return '"' + escaped.replace('"', '\\"') + '"'


def _escape(text: str) -> str:
    """Escape the backslash and whatever does not print: controls, line separators, bidi marks, surrogates."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(
        "\\\\" if char == "\\" else char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in text
    )


class LineFormatter(logging.Formatter):
    """Turns a record, ours or a library's, into one line without a line break."""

    def __init__(self, *, as_json: bool = False, context: Callable[[], Fields] = dict) -> None:
        super().__init__()
        self.as_json = as_json
        self.context = context

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Scalar] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process or os.getpid(),
        }
        if isinstance(record.msg, Event):
            line |= {"name": record.msg.name, **clean(record.msg.fields)}
        else:
            line |= {"name": "message", "message": _scalar(_message(record)), **clean(self.context())}
        if record.exc_info and record.exc_info[1] is not None:
            line["trace"] = _trace(record.exc_info[1])
        return json.dumps(line) if self.as_json else key_value(line)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a library's wrong format string is still worth a line
        return str(record.msg)


def _trace(error: BaseException) -> str:
    text = redact("".join(traceback.format_exception(error)).rstrip())
    return text if len(text) <= TRACE_CHARS_MAX else "…" + text[-TRACE_CHARS_MAX:]
