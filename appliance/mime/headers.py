"""Header fields: where they stand in the bytes, and what they say as text.

Owns splitting a header block into fields (used by the scanner for every part) and reading values:
RFC 2047 text, RFC 2231 parameters, message ids. Address lists and dates live in `addresses` and
`dates` and are re-exported here, because a caller thinks of them as headers.
Source: RFC 5322 2.2 Header Fields, 3.6 Field Definitions; RFC 2231 Parameter Value Extensions.
"""

import re
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote_to_bytes

from appliance.mime import charsets
from appliance.mime.addresses import (
    ADDRESSES_MAX,
    Address,
    format_addresses_for_display,
    format_names,
    parse_addresses,
)
from appliance.mime.characters import one_line
from appliance.mime.dates import parse_date
from appliance.mime.encoded_words import decode_words

__all__ = [
    "Address",
    "Headers",
    "format_addresses_for_display",
    "format_names",
    "header_block",
    "message_ids",
    "parse_addresses",
    "parse_date",
    "parse_headers",
    "parse_parameters",
]

BLOCK_BYTES_MAX = 262_144
"""Bytes of one header block that are read; the block's end is still found behind them."""
FIELD_BYTES_MAX = 65_536
"""Bytes of one field value that are kept."""
PARAMETERS_MAX = 200
MESSAGE_IDS_MAX = 200
"""Ids kept of one References field: the first (the thread's root) and the last ones."""

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:[ \t]*+([^\n]*+(?:\n[ \t][^\n]*+)*+)(?:\n|\Z)")
_NAME = re.compile(rb"[!-9;-~]{1,997}")
_BLANK_LINE = re.compile(rb"\n\r?\n")
_PARAMETER = re.compile(r';\s*+([^\s=;"]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"?|[^;]*+)', re.S)
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_SECTION = re.compile(r"([^*]+)(?:\*(\d{1,3}))?(\*)?\Z")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")


@dataclass(frozen=True, slots=True)
class Block:
    """One header block: (name as written, raw folded value) pairs, body offset, defects."""

    fields: tuple[tuple[str, bytes], ...]
    body_start: int
    defects: tuple[str, ...]


class Headers:
    """The ordered fields of a header block with tolerant decoding; names compare case-insensitively."""

    __slots__ = ("_by_name", "fields")

    def __init__(self, fields: tuple[tuple[str, bytes], ...]) -> None:
        self.fields = fields
        self._by_name: dict[str, list[bytes]] = {}
        for name, value in fields:
            self._by_name.setdefault(name.lower(), []).append(value)

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._by_name

    def get(self, name: str) -> str | None:
        """Return the first field of that name as decoded one-line text, or None."""
        value = self.raw(name)
        return None if value is None else one_line(decode_words(value), FIELD_BYTES_MAX)

    def get_all(self, name: str) -> list[str]:
        """Return every field of that name as decoded one-line text."""
        return [
            one_line(decode_words(self._text(value)), FIELD_BYTES_MAX)
            for value in self._by_name.get(name.lower(), ())
        ]

    def raw(self, name: str) -> str | None:
        """Return the first field of that name unfolded but undecoded, or None."""
        values = self._by_name.get(name.lower())
        return self._text(values[0]) if values else None

    def addresses(self, name: str, addresses_max: int = ADDRESSES_MAX) -> list[Address]:
        """Return the addresses of every field of that name, capped as in `parse_addresses`."""
        values = self._by_name.get(name.lower())
        return parse_addresses(", ".join(map(self._text, values)), addresses_max) if values else []

    def parameters(self, name: str) -> tuple[str, dict[str, str]]:
        """Return the lower-case value and the decoded parameters of a field such as Content-Type."""
        value = self.raw(name)
        return ("", {}) if value is None else parse_parameters(value)

    def _text(self, value: bytes) -> str:
        """Unfold a value; raw 8-bit text is UTF-8, else the charset of the message's own Content-Type."""
        unfolded = value.translate(None, b"\r\n\0")
        if unfolded.isascii():
            return unfolded.decode("ascii")
        declared = self._by_name.get("content-type", [b""])[0].decode("latin-1")
        return charsets.decode_header(unfolded, parse_parameters(declared)[1].get("charset"))


def parse_headers(raw: bytes) -> Headers:
    """Return the fields of the message's top header block; never raises."""
    return Headers(header_block(raw, 0, len(raw)).fields)


def header_block(
    raw: bytes, start: int, end: int, block_max: int = BLOCK_BYTES_MAX, field_max: int = FIELD_BYTES_MAX
) -> Block:
    """Split the header block at `start` into fields and find where its body starts (<= end).

    A line that is no field is skipped when a field follows it; otherwise the body starts there, as
    with a message that lost its blank line. An mbox "From " line in front is skipped.
    """
    limit = min(end, start + block_max)
    fields: list[tuple[str, bytes]] = []
    defects: list[str] = []
    position = start
    while position < limit:
        field = _FIELD.match(raw, position, limit)
        if field is not None:
            position = field.end()
            value_start, value_end = field.span(2)
            if value_end - value_start > field_max:
                defects.append("header-too-long")
                value_end = value_start + field_max
            fields.append((field[1].decode("ascii"), raw[value_start:value_end].rstrip(b"\r")))
            continue
        if raw[position] == 0x0A or raw.startswith(b"\r\n", position, end):
            return Block(tuple(fields), raw.index(b"\n", position) + 1, tuple(defects))
        line_end = raw.find(b"\n", position, limit) + 1
        if not line_end and limit < end and _NAME.fullmatch(raw, position, limit):
            break  # a field that the limit cuts off before its colon
        if not line_end or not _is_noise(raw, position, line_end, limit, is_first=position == start):
            defects.append("no-blank-line")
            return Block(tuple(fields), position, tuple(defects))
        if position != start:
            defects.append("header-line")
        position = line_end
    if position >= end:
        return Block(tuple(fields), end, tuple(defects))
    defects.append("headers-too-long")
    blank = _BLANK_LINE.search(raw, position - 1, end)
    return Block(tuple(fields), blank.end() if blank else end, tuple(defects))


def _is_noise(raw: bytes, start: int, line_end: int, limit: int, *, is_first: bool) -> bool:
    """Tell whether a line that is no field may be stepped over inside a header block."""
    if raw.startswith(b"--", start):
        return False  # a boundary: the part's header lost its blank line
    if is_first and raw.startswith((b"From ", b">From "), start):
        return True
    return _FIELD.match(raw, line_end, limit) is not None


def parse_parameters(value: str) -> tuple[str, dict[str, str]]:
    """Return (lower-case value, parameters) of a Content-Type or Content-Disposition like field.

    Handles RFC 2231 continuations and charsets, encoded words in quoted strings, missing quotes. The
    first of two equal names wins; at most PARAMETERS_MAX are read.
    """
    head, semicolon, _ = value.partition(";")
    main = head.partition("(")[0].strip().lower()
    if "=" in main and len(words := head.split(None, 1)) == 2:  # the first semicolon was forgotten
        main, head, value, semicolon = words[0].lower(), words[0], f"{words[0]};{value[len(words[0]) :]}", ";"
    parameters: dict[str, str] = {}
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    if not semicolon:
        return main, parameters
    for match in islice(_PARAMETER.finditer(value, len(head)), PARAMETERS_MAX):
        name, text = match[1].lower(), match[2].strip()
        if text.startswith('"'):
            text = _QUOTED_PAIR.sub(r"\1", text[1:].removesuffix('"'))
        if "*" not in name:
            parameters.setdefault(name, decode_words(text))
        elif (section := _SECTION.match(name)) is not None:
            sections.setdefault(section[1], []).append((int(section[2] or 0), bool(section[3]), text))
    for name, parts in sections.items():  # RFC 2231 wins over the plain form
        parameters[name] = _join_sections(sorted(parts, key=lambda part: part[0]))
    return main, parameters


def _join_sections(parts: list[tuple[int, bool, str]]) -> str:
    """Return the text of RFC 2231 sections in order; the first extended one names the charset."""
    label: str | None = None
    data: list[bytes] = []
    for index, (_, is_extended, text) in enumerate(parts):
        if is_extended and index == 0 and text.count("'") >= 2:
            label, _, text = text.split("'", 2)
        data.append(unquote_to_bytes(text) if is_extended else text.encode("utf-8", "replace"))
    return charsets.decode(b"".join(data), label)


def message_ids(value: str | None) -> list[str]:
    """Return the ids of a Message-ID, In-Reply-To or References field, angle brackets included.

    Bare words with an "@" count too when nothing is bracketed; one with a control character is no id.
    At most MESSAGE_IDS_MAX: the first and the last ones, because the first is the root of the thread.
    """
    if not value:
        return []
    found = _MESSAGE_ID.findall(value)
    if not found:
        found = [f"<{word}>" for word in value.split() if "@" in word and not set(word) & set('<>"')]
    found = [text for text in found if text.isprintable()]
    if len(found) > MESSAGE_IDS_MAX:
        return found[:1] + found[1 - MESSAGE_IDS_MAX :]
    return found
