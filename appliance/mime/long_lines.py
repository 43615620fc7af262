"""Lines longer than mail allows, made shorter without changing what they say.

A program's HTML in one line, or a header never folded, is cut by some servers and refused by others. Only
parts with such a line are encoded anew (quoted-printable for text, base64 for the rest); header lines are
folded where they have a space. What is signed or encrypted stays as it is: one changed byte would break it.

Source: RFC 5322 2.1.1 Line Length Limits, 2.2.3 Long Header Fields; RFC 2045 6.7, 6.8; RFC 6409 8.
"""

import base64
import binascii
import re
from typing import Final

from appliance.mime.edit import LINE_BYTES_MAX, part_fields, to_crlf
from appliance.mime.headers import header_block
from appliance.mime.scan import scan
from appliance.mime.structure import Part

FOLD_AT: Final = 900
_LONG: Final = re.compile(rb"[^\r\n]{%d}" % (LINE_BYTES_MAX + 1))
_PLAIN: Final = frozenset({"", "7bit", "8bit", "binary"})
_SEALED: Final = ("multipart/signed", "multipart/encrypted")


def shortened(raw: bytes) -> bytes:
    """Return a message (CRLF line ends) without lines over LINE_BYTES_MAX where that can be had."""
    if not _LONG.search(raw):
        return raw
    raw = _folded(raw)
    structure = scan(raw)
    if any(part.content_type in _SEALED for part in structure.parts):
        return raw
    for part in reversed(structure.parts):
        if _is_too_wide(part, raw):
            raw = _encoded_anew(raw, part)
    return raw


def _is_too_wide(part: Part, raw: bytes) -> bool:
    is_leaf = not part.is_multipart and not part.is_packed and not part.content_type.startswith("message/")
    is_plain = part.encoding.lower() in _PLAIN
    return is_leaf and is_plain and _LONG.search(raw, part.start, part.end) is not None


def _encoded_anew(raw: bytes, part: Part) -> bytes:
    """Return the message with one leaf in another transfer encoding; offsets before it stay valid."""
    body = raw[part.start : part.end]
    if part.content_type.startswith("text/"):
        encoding, coded = b"quoted-printable", to_crlf(binascii.b2a_qp(body, istext=True))
    else:
        encoding, coded = b"base64", to_crlf(base64.encodebytes(body))
    kept = b"".join(
        field.line for field in part_fields(raw, part) if field.name.lower() != "content-transfer-encoding"
    )
    head = kept + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n"
    return raw[: part.header_start] + head + coded + raw[part.end :]


def _folded(raw: bytes) -> bytes:
    """Return the message with its top header's long lines folded where they have a space."""
    end = header_block(raw, 0, len(raw)).body_start
    lines = [piece for line in raw[:end].split(b"\r\n") for piece in _pieces(line)]
    return b"\r\n".join(lines) + raw[end:]


def _pieces(line: bytes) -> list[bytes]:
    pieces = []
    while len(line) > LINE_BYTES_MAX:
        cut = line.rfind(b" ", 1, FOLD_AT)
        if cut <= 0 or not line[:cut].strip():
            break  # one word as long as this: nothing can be done
        pieces.append(line[:cut])
        line = line[cut:]
    return [*pieces, line]
