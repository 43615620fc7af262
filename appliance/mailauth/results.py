"""The Authentication-Results field: ours put in front, forged ones taken out. Source: RFC 8601.

A reader believes such a field because it stands in a message that this server has taken in. So whatever
comes from outside under our name is removed (section 5); fields of other servers stay, they are only their
word.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from appliance.mailauth.letter import HEADER_BYTES_MAX

NAME = "Authentication-Results"
_TOKEN = re.compile(r"[A-Za-z0-9!#$&'*+./@^_`|~:-]+")
SIGNS_NAME = "X-Junk-Signs"
"""Ours alone: what spoke against the message, with the sum."""
_FIELD = re.compile(
    rb"^(authentication-results|x-junk-signs)[ \t]*:((?:[^\n]|\n(?=[ \t]))*+)\n", re.IGNORECASE | re.MULTILINE
)
_COMMENT_PARTS = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\.|[()]|[^"\\()]+', re.S)
VALUE_CHARS_MAX = 255


@dataclass(frozen=True, slots=True)
class Method:
    """One `method=result` with its reason and properties, such as `smtp.mailfrom`."""

    name: str
    result: str
    properties: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


def build(authserv_id: str, methods: Iterable[Method]) -> bytes:
    """Return the whole field with its CRLF. Source: RFC 8601 2.2."""
    lines = [f"{NAME}: {authserv_id}", *map(_method, methods)]
    if len(lines) == 1:
        lines.append("none")
    return (";\r\n\t".join(lines) + "\r\n").encode("ascii", "replace")


def signs(score: float, words: Iterable[str]) -> bytes:
    """Return the field that says why a message is where it is, with its CRLF."""
    return f"{SIGNS_NAME}: {score:.1f} ({', '.join(words) or 'none'})\r\n".encode("ascii", "replace")


def claims(value: str) -> dict[str, str]:
    """Return result by method of somebody's field; of several results of a method the first.

    Comments and quoted text do not count: they may hold anything.
    """
    found: dict[str, str] = {}
    unquoted = "".join(piece for piece in _outside_comments(value) if not piece.startswith('"'))
    for piece in unquoted.split(";")[1:]:
        method, equals, rest = piece.strip().partition("=")
        if equals and rest.split():
            found.setdefault(method.strip().lower(), rest.split()[0].lower())
    return found


def without_forged(raw: bytes, authserv_id: str) -> tuple[bytes, int]:
    """Return the message without fields that claim to be ours, and how many there were."""
    end = raw.find(b"\r\n\r\n", 0, HEADER_BYTES_MAX)
    stop = min(len(raw), HEADER_BYTES_MAX) if end < 0 else end + 2
    header = raw[:stop]
    if not any(name in header.lower() for name in (b"authentication-results", b"x-junk-signs")):
        return raw, 0
    kept, position, removed = [], 0, 0
    for found in _FIELD.finditer(header):
        is_ours = found[1].lower() == b"x-junk-signs"
        if is_ours or _authserv_id(found[2].decode("utf-8", "replace")) == authserv_id.lower():
            kept.append(header[position : found.start()])
            position, removed = found.end(), removed + 1
    if not removed:
        return raw, 0
    return b"".join((*kept, header[position:], raw[stop:])), removed


def _method(method: Method) -> str:
    words = [f"{method.name}={method.result}"]
    if method.reason:
        words.append(f"reason={_value(method.reason)}")
    words += [f"{name}={_value(value)}" for name, value in method.properties.items() if value]
    return " ".join(words)


def _value(text: str) -> str:
    """Return a value as a token, or quoted; nothing that could end a line gets through."""
    short = text[:VALUE_CHARS_MAX]
    if _TOKEN.fullmatch(short):
        return short
    visible = "".join(c if c.isascii() and c.isprintable() else "?" for c in short)
    return '"' + visible.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _authserv_id(value: str) -> str:
    """Return whose field it is, lower case. Source: RFC 8601 2.2 (authserv-id, after comments)."""
    first = "".join(_outside_comments(value)).partition(";")[0].split()
    return first[0].strip('"').lower() if first else ""


def _outside_comments(value: str) -> Iterator[str]:
    depth = 0
    for piece in _COMMENT_PARTS.findall(value):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(0, depth - 1)
        elif not depth:
            yield piece
