"""What of a message is signed: its header fields in canonical form, and its line ends as they go out. Pure.

Only "relaxed" is here, which is what we sign with: what servers on the way do to spaces and folds does not
break it. The body's digest is `letter.Letter`'s.

Source: RFC 6376 3.4.2 (relaxed header), 5.3 (normalize the message before it is signed).
"""

import re

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)\n?")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_SPACES = re.compile(rb"[ \t]++")


def header_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Return the fields of a header block as (name as written, value with its folds).

    What is no field is passed over, as it will be by whoever verifies.
    """
    fields: list[tuple[bytes, bytes]] = []
    position = 0
    while position < len(header):
        found = _FIELD.match(header, position)
        if found is None:
            line_end = header.find(b"\n", position)
            position = len(header) if line_end < 0 else line_end + 1
            continue
        fields.append((found[1], found[2]))
        position = found.end()
    return fields


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """Return one header field in relaxed form, with its CRLF."""
    unfolded = value.replace(b"\r", b"").replace(b"\n", b"")
    return name.lower() + b":" + _SPACES.sub(b" ", unfolded).strip(b" ") + b"\r\n"


def as_sent(raw: bytes) -> bytes:
    """Return a message with the line ends it has on the wire, see `smtp.data`; itself when it has them."""
    pairs = raw.count(b"\r\n")
    if raw.count(b"\r") == raw.count(b"\n") == pairs:
        return raw
    return _BARE.sub(b"\r\n", raw)
