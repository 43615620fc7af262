"""Raw bytes to a `Structure`: a capped, linear offset scanner that never raises and never copies bodies.

Theory of operation: a multipart owns a byte range. Its delimiters are found with `bytes.find` inside
that range, each piece between two delimiters is a part, and a part that is a multipart again is
scanned within its own range. So an outer boundary always ends the inner ones (RFC 2046 5.1.2), one
boundary may be the prefix of another (a delimiter must fill its line), and the cost is bounded by
size x depth at memory speed plus a counted number of Python steps (`Limits.steps_max`).
message/rfc822 is one leaf: whoever opens it scans it as a message of its own.
Which leaf is body and which is attachment: `layout`.
Source: RFC 2045, RFC 2046 5.1 Multipart Media Type, RFC 2183, RFC 3676 (format=flowed).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from appliance.mime import charsets, tnef, transfer
from appliance.mime.characters import one_line
from appliance.mime.headers import BLOCK_BYTES_MAX, FIELD_BYTES_MAX, Headers, header_block
from appliance.mime.layout import arrange
from appliance.mime.structure import PACKED, ROOT_MULTIPART, Disposition, Part, Structure, media_type

FILENAME_CHARS_MAX = 255
CONTENT_ID_CHARS_MAX = 998
CHARSET_CHARS_MAX = 80
BOUNDARY_CHARS_MAX = 256
"""RFC 2046 allows 70; some senders use more."""

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80}\Z")
_DELIMITER_REST = re.compile(rb"(--)?[ \t]*(?:\r?\n|\Z)")
_PATH = re.compile(r".*[/\\]")
_DISPOSITIONS: dict[str, Disposition] = {"attachment": "attachment", "inline": "inline"}


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one scan; beyond them the rest is left out and a defect says so."""

    parts_max: int = 1_000
    depth_max: int = 50
    header_block_bytes_max: int = BLOCK_BYTES_MAX
    header_field_bytes_max: int = FIELD_BYTES_MAX
    steps_max: int = 50_000
    """Delimiter-like lines looked at, in all multiparts together."""


DEFAULT_LIMITS = Limits()


@dataclass(slots=True)
class _Scan:
    """The state of one scan; `steps` counts every delimiter candidate, for the ceiling and the tests."""

    raw: bytes
    limits: Limits
    parts: list[Part] = field(default_factory=list)
    contents: dict[str, "_Content"] = field(default_factory=dict)
    defects: dict[str, None] = field(default_factory=dict)
    steps: int = 0

    @property
    def is_exhausted(self) -> bool:
        return len(self.parts) >= self.limits.parts_max or self.steps >= self.limits.steps_max


@dataclass(slots=True)
class _Content:
    """The Content-* fields of one part, read."""

    content_type: str
    parameters: dict[str, str]
    encoding: str
    disposition: Disposition | None
    filename: str | None
    content_id: str | None
    content_location: str | None


def scan(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> Structure:
    """Return the structure of a message; any bytes whatever give one with at least a root part."""
    return run(raw, limits)[0]


def run(raw: bytes, limits: Limits = DEFAULT_LIMITS) -> tuple[Structure, int]:
    """Scan and also return the number of delimiter candidates looked at (the scan's counted work)."""
    state = _Scan(raw, limits)
    _scan_part(state, "1", None, 0, len(raw), depth=0, default_type="text/plain")
    root = state.contents[state.parts[0].number]
    parts = [each for part in state.parts for each in (part, *_packed(raw, part))]
    structure = arrange(tuple(parts), tuple(state.defects), root.parameters, _methods(state))
    return structure, state.steps


def _packed(raw: bytes, part: Part) -> Iterator[Part]:
    """Yield what lies inside a winmail.dat as leaves of their own; nothing for every other part."""
    named = part.content_type == "application/octet-stream" and (part.filename or "").lower() == "winmail.dat"
    if not named and part.content_type not in ("application/ms-tnef", "application/vnd.ms-tnef"):
        return
    if part.size > tnef.BYTES_MAX:
        return
    found = tnef.unpack(transfer.decode(raw[part.start : part.end], part.encoding))
    for key, file in found.leaves():
        name = _filename(file.name)
        is_shown = bool(file.content_id) and f"cid:{file.content_id}" in found.html
        yield replace(
            part,
            number=f"{part.number}:{key}",
            parent=part.number,
            content_type=file.content_type or media_type(name or ""),
            charset="utf-8" if key == tnef.TEXT else None,
            encoding=PACKED + part.encoding,
            size=len(file.data),
            filename=name,
            disposition="inline" if is_shown else "attachment",
            content_id=file.content_id or None,
            content_location=None,
        )


def _methods(state: _Scan) -> dict[str, str]:
    """Return the iTIP method parameter of every calendar part that names one."""
    return {
        number: content.parameters["method"]
        for number, content in state.contents.items()
        if content.content_type == "text/calendar" and "method" in content.parameters
    }


def _scan_part(
    state: _Scan, number: str, parent: str | None, start: int, end: int, *, depth: int, default_type: str
) -> None:
    """Append the part in raw[start:end] and, for a multipart, its children."""
    limits = state.limits
    block = header_block(state.raw, start, end, limits.header_block_bytes_max, limits.header_field_bytes_max)
    state.defects.update(dict.fromkeys(block.defects))
    content = _content(state, block.fields, default_type)
    body_start = min(block.body_start, end)
    delimiter = _delimiter(content)
    if content.content_type.startswith("multipart/"):
        if depth >= limits.depth_max:
            state.defects["too-deep"] = None
            content.content_type, delimiter = "application/octet-stream", None
        elif delimiter is None or state.raw.find(delimiter, body_start, end) < 0:
            state.defects["no-boundary"] = None  # nothing to split at: show what is there as text
            content.content_type, delimiter = "text/plain", None
    if delimiter is not None and parent is None:
        number = ROOT_MULTIPART
    state.contents[number] = content
    state.parts.append(_part(state, content, number, parent, (start, body_start, end)))
    if delimiter is not None:
        _scan_children(state, content, number, delimiter, body_start, end, depth + 1)


def _scan_children(
    state: _Scan, content: _Content, number: str, delimiter: bytes, start: int, end: int, depth: int
) -> None:
    """Scan the parts of a multipart body in raw[start:end]."""
    prefix = f"{number}." if number else ""
    default_type = "message/rfc822" if content.content_type == "multipart/digest" else "text/plain"
    count = 0
    for piece_start, piece_end in _pieces(state, delimiter, start, end):
        if state.is_exhausted:
            state.defects["too-many-parts"] = None
            return
        count += 1
        _scan_part(
            state, f"{prefix}{count}", number, piece_start, piece_end, depth=depth, default_type=default_type
        )
    if count == 0:
        state.defects["empty-multipart"] = None


def _pieces(state: _Scan, delimiter: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the byte ranges between the delimiter lines of one multipart, lazily.

    The line end in front of a delimiter belongs to the delimiter. Without a close delimiter the last
    part runs to the end of the range.
    """
    needle = b"\n" + delimiter
    piece_start = -1
    search = max(0, start - 1)  # the line end of the blank line, or of the header, introduces the first
    while (found := _next_delimiter(state, needle, search, end)) is not None:
        line, rest = found
        if piece_start >= 0:
            piece_end = line - 1 if line > piece_start and state.raw[line - 1] == 0x0D else line
            yield piece_start, max(piece_start, piece_end)
        if rest[1] is not None:
            return
        piece_start = rest.end()
        search = max(line + 1, piece_start - 1)
    state.defects["no-close-delimiter"] = None
    if piece_start >= 0:
        yield min(piece_start, end), end


def _next_delimiter(state: _Scan, needle: bytes, search: int, end: int) -> tuple[int, re.Match[bytes]] | None:
    """Return the offset of the LF before the next delimiter line and the match of that line's rest."""
    raw = state.raw
    if search == 0 and raw.startswith(needle[1:]):  # a piece of mail that begins with its boundary
        rest = _DELIMITER_REST.match(raw, len(needle) - 1, end)
        if rest is not None:
            return 0, rest
    while state.steps < state.limits.steps_max:
        line = raw.find(needle, search, end)
        if line < 0:
            return None
        state.steps += 1
        rest = _DELIMITER_REST.match(raw, line + len(needle), end)
        if rest is not None:
            return line, rest
        search = line + 1
    state.defects["too-many-delimiters"] = None
    return None


def _delimiter(content: _Content) -> bytes | None:
    """Return "--" and the boundary of a multipart, or None."""
    boundary = content.parameters.get("boundary", "")
    if not content.content_type.startswith("multipart/") or not 0 < len(boundary) <= BOUNDARY_CHARS_MAX:
        return None
    return b"--" + boundary.rstrip().encode("utf-8", "replace")


def _content(state: _Scan, fields: tuple[tuple[str, bytes], ...], default_type: str) -> _Content:
    """Read the Content-* fields; whatever is missing or malformed gets the default of RFC 2045 5.2."""
    headers = Headers(tuple(pair for pair in fields if pair[0][:8].lower() == "content-"))
    content_type, parameters = headers.parameters("Content-Type")
    if not _TYPE.match(content_type):
        if content_type:
            state.defects["content-type"] = None
        content_type = default_type
    disposition_name, disposition_parameters = headers.parameters("Content-Disposition")
    disposition = _DISPOSITIONS.get(disposition_name, "attachment" if disposition_name else None)
    if "content-disposition" in headers and disposition_name not in _DISPOSITIONS:
        state.defects["disposition"] = None
    return _Content(
        content_type=content_type,
        parameters=parameters,
        encoding=_encoding(state, headers),
        disposition=disposition,
        filename=_filename(disposition_parameters.get("filename") or parameters.get("name")),
        content_id=_content_id(headers.get("Content-ID")),
        content_location=one_line(headers.get("Content-Location") or "", CONTENT_ID_CHARS_MAX) or None,
    )


def _encoding(state: _Scan, headers: Headers) -> str:
    """Return the transfer encoding by our name; unknown ones are read as 8bit."""
    name = headers.parameters("Content-Transfer-Encoding")[0].strip("\"' ")
    if not name:
        return "7bit"
    if name not in transfer.ENCODINGS:
        state.defects["encoding"] = None
    return transfer.ENCODINGS.get(name, "8bit")


def _filename(text: str | None) -> str | None:
    """Return a file name without directories and control characters, or None."""
    name = _PATH.sub("", one_line(text or "", 4 * FILENAME_CHARS_MAX)).strip(" .")
    if len(name) > FILENAME_CHARS_MAX:  # keep the extension: it decides what opens the file
        stem, dot, extension = name.rpartition(".")
        extension = dot + extension if stem and len(extension) <= 16 else ""
        name = name[: FILENAME_CHARS_MAX - len(extension)] + extension
    return name or None


def _content_id(text: str | None) -> str | None:
    return (text or "").strip().removeprefix("<").removesuffix(">").strip()[:CONTENT_ID_CHARS_MAX] or None


def _part(
    state: _Scan, content: _Content, number: str, parent: str | None, span: tuple[int, int, int]
) -> Part:
    """Build the Part of a header at span[0] whose body is span[1]:span[2]."""
    header_start, start, end = span
    is_leaf = not content.content_type.startswith("multipart/")
    encoding = content.encoding if is_leaf else "8bit"
    is_plain = content.content_type == "text/plain"
    charset = one_line(content.parameters.get("charset", "").lower(), CHARSET_CHARS_MAX)
    return Part(
        number=number,
        parent=parent,
        content_type=content.content_type,
        charset=charset if charsets.codec(charset) else None,
        encoding=encoding,
        header_start=header_start,
        start=start,
        end=end,
        size=transfer.decoded_size(state.raw, start, end, encoding),
        filename=content.filename,
        disposition=content.disposition,
        content_id=content.content_id,
        content_location=content.content_location,
        format_flowed=is_plain and content.parameters.get("format", "").lower() == "flowed",
        delsp=is_plain and content.parameters.get("delsp", "").lower() == "yes",
    )
