"""Editing a message at byte level: single header lines, single leaves, an outer multipart.

Owns the bytes that this package writes into mail a device composed; everything it does not touch
stays as it came. Nothing is parsed into a tree and printed again, so signatures and unusual
encodings survive. What is edited and why: `submission`, `compose`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from appliance.mime.body import decode_leaf
from appliance.mime.characters import one_line
from appliance.mime.headers import Headers, header_block
from appliance.mime.structure import Part, attachment_name

LINE_BYTES_MAX = 998
"""RFC 5322 2.1.1, without the CRLF."""

_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_FIELD_LINE = re.compile(rb"([!-9;-~]++)[ \t]*+(:[^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+\r\n)")
_BARE_CR = re.compile(rb"\r(?!\n)")


class ComposeError(ValueError):
    """A message that must not be sent as it stands; the text says why and is fit for the sender."""


class MalformedHeader(ComposeError):
    """The header holds bytes that mean something else to the next server: a bare CR, a NUL, no end."""


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One header field as bytes: all its lines with their CRLF."""

    name: str
    line: bytes


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """A message split into header lines and body, all line ends CRLF.

    The body may be a view of the bytes it came in, so that a large one is copied once for its new header.
    """

    lines: tuple[FieldLine, ...]
    body: bytes | memoryview

    def without(self, *names: str) -> "OpenMessage":
        """Return the message without the fields of these names."""
        dropped = {name.lower() for name in names}
        return OpenMessage(tuple(f for f in self.lines if f.name.lower() not in dropped), self.body)

    def adding(self, *fields: tuple[str, str]) -> "OpenMessage":
        """Return the message with fields appended; the values must be ASCII and already folded."""
        return OpenMessage((*self.lines, *(field_line(name, value) for name, value in fields)), self.body)

    def replacing(self, name: str, value: str) -> "OpenMessage":
        """Return the message with exactly one field of this name, where the first one stood."""
        line = field_line(name, value)
        key = name.lower()
        first = next((i for i, f in enumerate(self.lines) if f.name.lower() == key), len(self.lines))
        behind = (f for f in self.lines[first:] if f.name.lower() != key)
        return OpenMessage((*self.lines[:first], line, *behind), self.body)

    def headers(self) -> Headers:
        """Return the fields for reading."""
        block = b"".join(field.line for field in self.lines)
        return Headers(header_block(block, 0, len(block)).fields)

    def to_bytes(self) -> bytes:
        return b"".join((*(field.line for field in self.lines), b"\r\n", self.body))


def field_line(name: str, value: str) -> FieldLine:
    """Return one field; raises MalformedHeader when the value would be more than one field."""
    line = f"{name}: {value}\r\n".encode("ascii", "replace")
    match = _FIELD_LINE.match(line)
    if match is None or match.end() != len(line) or b"\0" in line:
        raise MalformedHeader(f"{name}: the value would break the header")
    return FieldLine(name, line)


def to_crlf(raw: bytes) -> bytes:
    """Return the bytes with every line end (CRLF, CR, LF) written as CRLF."""
    return raw if _has_only_crlf(raw) else _BARE_LINE_END.sub(b"\r\n", raw)


def _has_only_crlf(raw: bytes) -> bool:
    return raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")


def open_message(raw: bytes) -> OpenMessage:
    """Split a message a client sent into header lines and body; raises MalformedHeader.

    A bare CR in the header is refused, not repaired: it is text to us and a line end to others, which is
    how a header is smuggled in. Lines that are no field are dropped.
    """
    block = header_block(raw, 0, len(raw))
    head = raw[: block.body_start]
    if _BARE_CR.search(head) or b"\0" in head:
        raise MalformedHeader("the header contains a bare carriage return or a NUL byte")
    if "headers-too-long" in block.defects or "header-too-long" in block.defects:
        raise MalformedHeader("the header is too long")
    is_ready = _has_only_crlf(raw)
    body = memoryview(raw)[block.body_start :] if is_ready else to_crlf(raw[block.body_start :])
    return OpenMessage(_field_lines(to_crlf(head)), body)


def without_fields(raw: bytes, names: Iterable[str]) -> bytes:
    """Return a message without the top fields of these names; every other byte stays where it is."""
    block = header_block(raw, 0, len(raw))
    alternatives = b"|".join(re.escape(name.encode("ascii")) for name in names)
    line = re.compile(rb"^(?:" + alternatives + rb")[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.I | re.M)
    return line.sub(b"", raw[: block.body_start]) + raw[block.body_start :]


def _field_lines(head: bytes) -> tuple[FieldLine, ...]:
    lines, position = [], 0
    if not head.endswith(b"\r\n"):
        head += b"\r\n"
    while position < len(head):
        match = _FIELD_LINE.match(head, position)
        if match is None:
            position = head.index(b"\r\n", position) + 2
            continue
        # Some readers take "Name :", which is obsolete (RFC 5322 4.5), for the end of the header.
        lines.append(FieldLine(match[1].decode("ascii"), match[1] + match[2]))
        position = match.end()
    return tuple(lines)


def encode_text(text: str) -> tuple[str, bytes]:
    """Return (Content-Transfer-Encoding, body) for UTF-8 text whose line ends are CRLF."""
    data = text.encode("utf-8", "replace")
    if data.isascii() and max(map(len, data.split(b"\r\n"))) <= LINE_BYTES_MAX:
        return "7bit", data
    if len(data) - len(text) <= len(text) // 4:
        return "quoted-printable", to_crlf(binascii.b2a_qp(data, istext=True))
    return "base64", base64.encodebytes(data).replace(b"\n", b"\r\n").rstrip(b"\r\n")


def text_part(content_type: str, text: str) -> bytes:
    """Return a complete MIME part (header, blank line, body) for text in UTF-8."""
    encoding, body = encode_text(text)
    head = f"Content-Type: {content_type}; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode("ascii") + body


def message_part(message: bytes, filename: str) -> bytes:
    """Return a whole message as a message/rfc822 part; its bytes must not be encoded (RFC 2046 5.2.1)."""
    encoding = "7bit" if message.isascii() else "8bit"
    head = (
        "Content-Type: message/rfc822\r\n"
        f"Content-Disposition: attachment;\r\n {filename_parameter(filename)}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    return head.encode("ascii") + to_crlf(message)


def filename_parameter(name: str) -> str:
    """Return the filename parameter of a Content-Disposition; RFC 2231 form where the name needs it."""
    clean = one_line(name, 200)
    if clean.isascii() and "=?" not in clean:
        quoted = clean.replace("\\", "\\\\").replace('"', '\\"')
        return f'filename="{quoted}"'
    return f"filename*=utf-8''{quote(clean, safe='')}"


def file_part(
    data: bytes,
    content_type: str,
    filename: str,
    *,
    is_inline: bool = False,
    content_id: str = "",
    content_location: str = "",
) -> bytes:
    """Return a file as a complete MIME part. content_id: without brackets."""
    is_text_like = content_type.startswith(("text/", "message/", "multipart/"))
    lines = [
        f"Content-Type: {content_type}",
        f"Content-Disposition: {'inline' if is_inline and not is_text_like else 'attachment'};"
        f"\r\n {filename_parameter(filename)}",
        "Content-Transfer-Encoding: base64",
    ]
    if content_id:
        lines.append(f"Content-ID: <{content_id}>")
    if content_location:
        lines.append(f"Content-Location: {content_location}")
    encoded = base64.encodebytes(data).replace(b"\n", b"\r\n").rstrip(b"\r\n")
    return "\r\n".join(lines).encode("ascii", "replace") + b"\r\n\r\n" + encoded


def replace_leaf_text(raw: bytes, part: Part, text: str) -> bytes:
    """Return the message with the text of one leaf replaced; all other bytes stay.

    Offsets of parts before this one stay valid, so several leaves are replaced from the last to the first.
    """
    lines = part_fields(raw, part)
    kept = b"".join(
        f.line for f in lines if f.name.lower() not in ("content-type", "content-transfer-encoding")
    )
    return raw[: part.header_start] + kept + text_part(part.content_type, text) + raw[part.end :]


def part_fields(raw: bytes, part: Part) -> tuple[FieldLine, ...]:
    """Return the header fields of a part as bytes."""
    return _field_lines(_part_head(raw, part))


def copied_part(raw: bytes, part: Part) -> bytes:
    """Return a part, its body byte for byte, with its Content-* fields only when it is the root.

    What lies inside a winmail.dat becomes a file of its own.
    """
    if part.is_packed:
        data, is_inline = decode_leaf(raw, part), part.disposition == "inline"
        name, content_id = attachment_name(part), part.content_id or ""
        return file_part(data, part.content_type, name, is_inline=is_inline, content_id=content_id)
    head = _part_head(raw, part)
    if part.parent is None:
        lines = (field for field in _field_lines(head) if field.name.lower().startswith("content-"))
        head = b"".join(field.line for field in lines) + b"\r\n"
    return (head or b"\r\n") + raw[part.start : part.end]


def _part_head(raw: bytes, part: Part) -> bytes:
    """Return a part's header with CRLF line ends; a bare CR, which readers skip, must not become one."""
    return to_crlf(_BARE_CR.sub(b"", raw[part.header_start : part.start]))


def multipart_body(parts: Iterable[bytes]) -> tuple[str, bytes]:
    """Return (boundary, body) of a multipart; the boundary is derived from the parts and not in them."""
    pieces = list(parts)
    digest = hashlib.sha256(b"".join(hashlib.sha256(piece).digest() for piece in pieces)).hexdigest()
    boundary = f"=_{digest[:32]}"
    while any(boundary.encode() in piece for piece in pieces):
        digest = hashlib.sha256(digest.encode()).hexdigest()
        boundary = f"=_{digest[:32]}"
    delimiter = b"--" + boundary.encode() + b"\r\n"
    body = b"".join(delimiter + piece + b"\r\n" for piece in pieces)
    return boundary, body + delimiter.removesuffix(b"\r\n") + b"--\r\n"


def wrap_in_mixed(message: OpenMessage, first: Sequence[bytes], behind: Sequence[bytes]) -> OpenMessage:
    """Return the message with its content made one part of a multipart/mixed.

    first, behind: complete MIME parts to stand before and after the old content, which keeps its bytes.
    """
    content = [f for f in message.lines if f.name.lower().startswith("content-")]
    own = b"".join((*(field.line for field in content), b"\r\n", message.body))
    boundary, body = multipart_body([*first, own, *behind])
    outer = OpenMessage(tuple(f for f in message.lines if f not in content), body).without("MIME-Version")
    encoding = () if body.isascii() else (("Content-Transfer-Encoding", "8bit"),)
    return outer.adding(
        ("MIME-Version", "1.0"), ("Content-Type", f'multipart/mixed;\r\n boundary="{boundary}"'), *encoding
    )
