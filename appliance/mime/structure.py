"""What a scanned message consists of: plain values that are stored as JSON beside the blob.

A `Structure` is computed once on arrival by `scan` and used ever after to cut bodies and attachments
out of the raw bytes. Owns the stored form (versioned) and the names shown for attachments; decides
nothing about which part is what (that is `layout`).
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

VERSION = 1
"""Version of the stored form; a reader refuses any other."""

ROOT_MULTIPART = ""
"""Number of a multipart root; its children are "1", "2", … as in IMAP."""

PACKED = "tnef+"
"""Prefix of the transfer encoding of a leaf that lies inside a winmail.dat, whose own encoding follows."""

Disposition = Literal["inline", "attachment"]
Smime = Literal["signed", "encrypted"]

_FORMAT_FLOWED, _DELSP = 1, 2
_EXTENSIONS = {
    "application/ics": "ics",
    "application/json": "json",
    "application/msword": "doc",
    "application/pdf": "pdf",
    "application/pgp-signature": "asc",
    "application/pkcs7-mime": "p7m",
    "application/pkcs7-signature": "p7s",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/x-pkcs7-mime": "p7m",
    "application/zip": "zip",
    "audio/mpeg": "mp3",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/jpeg": "jpg",
    "image/jpg": "jpg",
    "image/png": "png",
    "image/svg+xml": "svg",
    "image/tiff": "tiff",
    "image/webp": "webp",
    "message/rfc822": "eml",
    "text/calendar": "ics",
    "text/csv": "csv",
    "text/html": "html",
    "text/plain": "txt",
    "text/rfc822-headers": "txt",
    "text/vcard": "vcf",
    "text/x-vcard": "vcf",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
}


class StructureError(ValueError):
    """Stored JSON that is no structure of this version; scan the message again."""


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME part; offsets count bytes in the raw message, `start:end` is the encoded body.

    `content_type` is what the part is treated as, lower-case. `size` is the decoded size in bytes
    (exact for well-formed bodies). `parent` is the number of the enclosing multipart, None for the root.
    """

    number: str
    parent: str | None
    content_type: str
    charset: str | None
    encoding: str
    header_start: int
    start: int
    end: int
    size: int
    filename: str | None = None
    disposition: Disposition | None = None
    content_id: str | None = None
    content_location: str | None = None
    format_flowed: bool = False
    delsp: bool = False

    @property
    def is_multipart(self) -> bool:
        return self.content_type.startswith("multipart/")

    @property
    def is_packed(self) -> bool:
        """Whether it lies inside a winmail.dat: its offsets are that file's, its number ends in its key."""
        return self.encoding.startswith(PACKED)


@dataclass(frozen=True, slots=True)
class Structure:
    """All parts of one message in document order and the roles they play.

    `text_parts` and `html_parts` are the leaves that, joined in order, make the plain and the HTML
    rendering; either may hold leaves of the other type where the sender offered only that. `inline`
    is the subset of `attachments` that belongs inside the HTML (pictures by Content-ID).
    """

    parts: tuple[Part, ...]
    defects: tuple[str, ...] = ()
    text_parts: tuple[str, ...] = ()
    html_parts: tuple[str, ...] = ()
    attachments: tuple[str, ...] = ()
    inline: frozenset[str] = frozenset()
    smime: Smime | None = None
    report_type: str | None = None
    calendar_part: str | None = None
    _by_number: dict[str, Part] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_number", {part.number: part for part in self.parts})

    @property
    def root(self) -> Part:
        return self.parts[0]

    @property
    def text_part(self) -> str | None:
        """The number of the first text/plain leaf of the body, or None."""
        return self._first(self.text_parts, "text/plain")

    @property
    def html_part(self) -> str | None:
        """The number of the first text/html leaf of the body, or None."""
        return self._first(self.html_parts, "text/html")

    def part(self, number: str) -> Part:
        """Return the part of that number; raises KeyError."""
        return self._by_number[number]

    def attachment_parts(self) -> Iterator[Part]:
        """Yield the attachments in document order."""
        return (self._by_number[number] for number in self.attachments)

    def is_inline(self, number: str) -> bool:
        """Tell whether an attachment is shown inside the HTML body rather than in the list below it."""
        return number in self.inline

    def _first(self, numbers: tuple[str, ...], content_type: str) -> str | None:
        return next((n for n in numbers if self._by_number[n].content_type == content_type), None)

    def to_json(self) -> str:
        """Return the compact stored form; equal structures give equal text."""
        document = {
            "v": VERSION,
            "p": [_part_row(part) for part in self.parts],
            "d": self.defects,
            "t": self.text_parts,
            "h": self.html_parts,
            "a": self.attachments,
            "i": sorted(self.inline),
            "s": self.smime,
            "r": self.report_type,
            "c": self.calendar_part,
        }
        return json.dumps({key: value for key, value in document.items() if value}, separators=(",", ":"))

    @staticmethod
    def from_json(text: str | bytes) -> "Structure":
        """Return the structure behind `to_json`; raises StructureError for anything else."""
        try:
            document = json.loads(text)
            if document["v"] != VERSION:
                raise StructureError(f"structure version {document['v']!r}, expected {VERSION}")
            return Structure(
                parts=tuple(_part(row) for row in document["p"]),
                defects=tuple(document.get("d", ())),
                text_parts=tuple(document.get("t", ())),
                html_parts=tuple(document.get("h", ())),
                attachments=tuple(document.get("a", ())),
                inline=frozenset(document.get("i", ())),
                smime=document.get("s"),
                report_type=document.get("r"),
                calendar_part=document.get("c"),
            )
        except StructureError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StructureError(f"not a stored structure: {error}") from error


def attachment_name(part: Part) -> str:
    """Return the file name to show for a part: its own, or one made from its type. Never empty."""
    if part.filename:
        return part.filename
    kind = part.content_type.partition("/")[0]
    stem = {"image": "image", "message": "message", "text": "text"}.get(kind, "attachment")
    return f"{stem}-{part.number or '0'}.{_EXTENSIONS.get(part.content_type, 'bin')}"


def media_type(filename: str) -> str:
    """Return the media type that a file name suggests."""
    extension = filename.rpartition(".")[2].lower()
    return next(
        (kind for kind, known in _EXTENSIONS.items() if known == extension), "application/octet-stream"
    )


def _part_row(part: Part) -> list[Any]:
    """Return a part as a list; trailing empty values are left out."""
    flags = (_FORMAT_FLOWED if part.format_flowed else 0) | (_DELSP if part.delsp else 0)
    row: list[Any] = [
        part.number, part.parent, part.content_type, part.charset, part.encoding, part.header_start,
        part.start, part.end, part.size, part.filename, part.disposition, part.content_id,
        part.content_location, flags,
    ]  # fmt: skip
    while not row[-1] and len(row) > 9:
        row.pop()
    return row


def _part(row: list[Any]) -> Part:
    if not 9 <= len(row) <= 14:
        raise StructureError("a part has the wrong number of values")
    values = row + [None] * (14 - len(row))
    flags = values.pop() or 0
    values += (bool(flags & _FORMAT_FLOWED), bool(flags & _DELSP))
    return Part(*values)
