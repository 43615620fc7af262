"""The canonical forms over which DKIM signs, in pieces, so that a large message is never copied whole. Pure.

Only "relaxed" is here, which is what we sign with: what servers on the way do to spaces and line ends does
not break it.

Source: RFC 6376 3.4.2 (relaxed header), 3.4.4 (relaxed body).
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

PIECE_BYTES: Final = 262_144

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_SPACES = re.compile(rb"[ \t]++")  # before anything looks for their end: linear for a line of blanks
_EMPTY_LINES_AT_END = re.compile(rb"(?:\r\n)+\Z")


def header_fields(raw: bytes) -> tuple[list[tuple[bytes, bytes]], int]:
    """Return the fields of a message as (name as written, value with its folds) and where its body starts.

    What is no field is passed over, as it will be by whoever verifies.
    """
    fields: list[tuple[bytes, bytes]] = []
    position = 0
    while position < len(raw):
        if raw.startswith((b"\r\n", b"\n"), position):
            return fields, position + (2 if raw.startswith(b"\r\n", position) else 1)
        found = _FIELD.match(raw, position)
        if found is None:
            line_end = raw.find(b"\n", position)
            position = len(raw) if line_end < 0 else line_end + 1
            continue
        fields.append((found[1], found[2]))
        position = found.end()
    return fields, len(raw)


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """Return one header field in relaxed form, with its CRLF."""
    unfolded = value.replace(b"\r", b"").replace(b"\n", b"")
    return name.lower() + b":" + _SPACES.sub(b" ", unfolded).strip(b" ") + b"\r\n"


def relaxed_body_hash(raw: bytes, body_start: int) -> bytes:
    """Return the SHA-256 of a message's body in relaxed form.

    Line ends are taken as they will be on the wire (CRLF, also behind the last line), see `smtp.data`.
    """
    digest = hashlib.sha256()
    held = b""  # empty lines, which count only when something follows
    for piece in _whole_lines(raw, body_start):
        lines = _SPACES.sub(b" ", piece).replace(b" \r\n", b"\r\n")
        tail = _EMPTY_LINES_AT_END.search(lines)
        is_blank = tail is not None and tail.start() == 0
        # The first CRLF of the tail ends the last line that has something in it.
        keep = 0 if is_blank else len(lines) if tail is None else tail.start() + 2
        if keep:
            digest.update(held)
            digest.update(memoryview(lines)[:keep])
            held = b""
        held += lines[keep:]
    return digest.digest()


def _whole_lines(raw: bytes, start: int) -> Iterator[bytes]:
    """Yield the body in pieces that end with a line, all of whose lines end with CRLF."""
    while start < len(raw):
        stop = min(start + PIECE_BYTES, len(raw))
        if stop < len(raw):
            line_end = raw.rfind(b"\n", start, stop)
            stop = line_end + 1 if line_end >= 0 else _next_line(raw, stop)
        piece = _BARE.sub(b"\r\n", raw[start:stop])
        yield piece if piece.endswith(b"\r\n") else piece + b"\r\n"
        start = stop


def _next_line(raw: bytes, position: int) -> int:
    line_end = raw.find(b"\n", position)
    return len(raw) if line_end < 0 else line_end + 1
