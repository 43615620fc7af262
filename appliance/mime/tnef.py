"""What Outlook hides in winmail.dat: its files, and the text when the mail has no other.

Reads through `tnefparse`, but hands it no more than one file's attributes at a time, and only such as it
reads in linear time: the library believes every count it finds and copies all that follows for each
attribute. So the ceilings here are ceilings on its time. What cannot be read leaves winmail.dat the opaque
file it is. A file is named by the digest of its bytes, see decisions/0012.
Source: MS-OXTNEF 2.1 (attributes), 2.1.3.4 (properties); MS-OXCMSG 2.2.2 (properties of attachments).
"""

import codecs
import hashlib
import logging
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tnefparse import TNEF
from tnefparse.codepage import Codepage
from tnefparse.mapi import IMESSAGE_SIG, IMESSAGE_SIG_LEN
from tnefparse.properties import MAPI_ATTACH_CONTENT_ID, MAPI_ATTACH_MIME_TAG
from tnefparse.tnef import TNEFAttachment

from appliance.mime.characters import one_line

BYTES_MAX = 67_108_864  # of a decoded winmail.dat; a larger one stays one file
ATTRIBUTES_MAX = 5_000
PROPERTIES_MAX = 2_000  # of one message or attachment
FILES_MAX = 100
DEPTH_MAX = 3  # messages in messages
NAME_CHARS_MAX = 255
TEXT = "text"  # in place of a key

_KEY_CHARS = 16
_SIGNATURE = struct.pack("<I", TNEF.TNEF_SIGNATURE)
_HEAD_BYTES = 6
_ATTRIBUTE = struct.Struct("<BHHI")
_CHECKSUM_BYTES = 2
_CODEPAGE_DEFAULT = 1252
_EMBEDDED = hashlib.sha256(b"an embedded message").digest()[
    :IMESSAGE_SIG_LEN
]  # stands for IMESSAGE_SIG, so that the library leaves what follows to us
_MEDIA_TYPE = re.compile(
    r"(?!multipart/|message/(?!rfc822\Z))[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80}"
)
_FIXED_BYTES = {0x02: 2, 0x0B: 2, 0x03: 4, 0x04: 4, 0x0A: 4, 0x48: 16} | dict.fromkeys(
    (0x05, 0x06, 0x07, 0x14, 0x40), 8
)
_VARIABLE = (0x00, 0x0D, 0x1E, 0x1F, 0x102)
_MULTIPLE, _NAMED = 0x1000, 0x8000

logging.getLogger("tnefparse").setLevel(logging.CRITICAL)  # strangers' bytes are not our trouble


@dataclass(frozen=True, slots=True)
class File:
    """A file of a winmail.dat. content_type: "" when it does not say. content_id: without brackets."""

    name: str
    data: bytes
    content_type: str = ""
    content_id: str = ""

    @property
    def key(self) -> str:
        """What names the file among others: its bytes."""
        return hashlib.sha256(self.data).hexdigest()[:_KEY_CHARS]


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The files, and the text in one form: html when there is HTML."""

    files: tuple[File, ...] = ()
    plain: str = ""
    html: str = ""

    def leaves(self) -> Iterator[tuple[str, File]]:
        """Yield the text, named TEXT, then the files by their keys; equal ones are counted up."""
        if self.html or self.plain:
            is_html = bool(self.html)
            text, kind = (self.html, "text/html") if is_html else (self.plain, "text/plain")
            yield TEXT, File("", text.encode("utf-8", "replace"), kind)
        seen: dict[str, int] = {}
        for file in self.files:
            seen[file.key] = count = seen.get(file.key, 0) + 1
            yield file.key if count == 1 else f"{file.key}-{count}", file


@dataclass(frozen=True, slots=True)
class _Attribute:
    name: int
    is_of_file: bool
    raw: bytes

    @property
    def value(self) -> bytes:
        return self.raw[_ATTRIBUTE.size : -_CHECKSUM_BYTES]


def unpack(data: bytes, depth: int = 0) -> Unpacked:
    """Return what is in a decoded winmail.dat; nothing when it cannot be read. Never raises."""
    if len(data) > BYTES_MAX or not data.startswith(_SIGNATURE) or depth >= DEPTH_MAX:
        return Unpacked()
    try:
        return _unpack(data, depth)
    except Exception:  # noqa: BLE001 - a stranger's file in a stranger's format; the file itself remains
        return Unpacked()


def leaf(data: bytes, key: str) -> bytes:
    """Return the bytes of one of `Unpacked.leaves`; b"" when there is none of that name."""
    return next((file.data for name, file in unpack(data).leaves() if name == key), b"")


def _unpack(data: bytes, depth: int) -> Unpacked:
    attributes = list(_attributes(data))
    codepage = _codepage(attributes)
    head = data[:_HEAD_BYTES] + codepage
    message = [a for a in attributes if not a.is_of_file and a.name in (TNEF.ATTMAPIPROPS, TNEF.ATTBODY)]
    plain, html = _text(_parse(head, message, codepage))
    files: list[File] = []
    for group in _groups(attributes):
        files += _files(_parse(head, group, codepage), depth)
    return Unpacked(tuple(files[:FILES_MAX]), plain, html)


def _attributes(data: bytes) -> Iterator[_Attribute]:
    """Yield the attributes of a stream, up to the first that is not whole. Source: MS-OXTNEF 2.1.1."""
    offset, end = _HEAD_BYTES, len(data)
    for _ in range(ATTRIBUTES_MAX):
        if offset + _ATTRIBUTE.size + _CHECKSUM_BYTES > end:
            return
        level, name, _type, length = _ATTRIBUTE.unpack_from(data, offset)
        behind = offset + _ATTRIBUTE.size + length + _CHECKSUM_BYTES
        if behind > end:
            return
        yield _Attribute(name, level == TNEF.LVL_ATTACHMENT, data[offset:behind])
        offset = behind


def _groups(attributes: list[_Attribute]) -> list[list[_Attribute]]:
    """Return the attributes of each file; one begins with ATTATTACHRENDDATA."""
    groups: list[list[_Attribute]] = []
    for attribute in attributes:
        if attribute.is_of_file and attribute.name == TNEF.ATTATTACHRENDDATA:
            groups.append([])
        if attribute.is_of_file and groups:
            groups[-1].append(attribute)
    return groups[:FILES_MAX]


def _codepage(attributes: list[_Attribute]) -> bytes:
    """Return the attribute that says how texts are coded; without it the library reads none."""
    number = _CODEPAGE_DEFAULT
    for attribute in attributes:
        if attribute.name == TNEF.ATTOEMCODEPAGE and len(attribute.value) >= 4:
            (said,) = struct.unpack_from("<I", attribute.value)
            number = said if _is_known(said) else number
    value = struct.pack("<II", number, 0)
    head = _ATTRIBUTE.pack(TNEF.LVL_MESSAGE, TNEF.ATTOEMCODEPAGE, 6, len(value))
    return head + value + struct.pack("<H", sum(value) & 0xFFFF)


def _is_known(codepage: int) -> bool:
    try:
        codecs.lookup(Codepage(codepage).codepage())
    except LookupError:
        return False
    return True


def _parse(head: bytes, attributes: list[_Attribute], tail: bytes) -> TNEF | None:
    """Return what the library makes of these attributes, None when it cannot or should not read them.

    tail: the library passes over a short attribute at the very end, so something follows.
    """
    known = [a for a in attributes if a.name not in (TNEF.ATTATTACHCREATEDATE, TNEF.ATTATTACHMODIFYDATE)]
    pieces = []
    for attribute in known:
        raw = attribute.raw
        if attribute.name in (TNEF.ATTMAPIPROPS, TNEF.ATTATTACHMENT):
            raw = raw.replace(IMESSAGE_SIG, _EMBEDDED)
            if not _is_sound(replace(attribute, raw=raw).value):  # as the library will see it
                continue
        pieces.append(raw)
    try:
        return TNEF(head + b"".join(pieces) + tail, do_checksum=False)
    except Exception:  # noqa: BLE001 - the library raises whatever it stumbles over
        return None


def _is_sound(data: bytes) -> bool:
    """Tell whether the library reads these properties in time that fits their size.

    Walks as it does: every count must have room in what follows. Source: MS-OXTNEF 2.1.3.4.
    """
    try:
        (count,) = struct.unpack_from("<I", data)
        if count > PROPERTIES_MAX:
            return False
        offset = 4
        for _ in range(count):
            if offset >= len(data):
                break
            offset = _behind_property(data, offset)
    except struct.error:
        return True  # it stops there, too, and keeps what it has
    except ValueError:
        return False
    return True


def _behind_property(data: bytes, offset: int) -> int:
    """Return where a property ends. Raises ValueError for a count without room, struct.error at the end."""
    kind, name = struct.unpack_from("<HH", data, offset)
    offset += 4
    if name >= _NAMED:
        (naming,) = struct.unpack_from("<I", data, offset + 16)
        offset += 24
        if naming:
            (length,) = struct.unpack_from("<I", data, offset - 4)
            offset += length + -length % 4
    values = None
    if kind & _MULTIPLE:
        kind ^= _MULTIPLE
        (values,) = struct.unpack_from("<I", data, offset)
        offset += 4
    if kind in _FIXED_BYTES:
        size = _FIXED_BYTES[kind]
        _check_room(values or 1, size, len(data) - offset)
        offset += size * (values or 1)
        return offset + 2 if size == 2 and (values or 1) % 2 else offset
    if kind not in _VARIABLE:
        raise struct.error("the library knows no such type and stops")
    if not values:
        (values,) = struct.unpack_from("<I", data, offset)
        offset += 4
    _check_room(values, 4, len(data) - offset)
    for _ in range(values):
        (length,) = struct.unpack_from("<I", data, offset)
        offset += 4 + length + -length % 4
    return offset


def _check_room(count: int, size: int, room: int) -> None:
    if count * size > max(room, 0) + 16:
        raise ValueError("more values than there is room for")


def _text(parsed: TNEF | None) -> tuple[str, str]:
    """Return the text (plain, HTML) of a message."""
    if parsed is None:
        return "", ""
    plain, html = (_decoded(body, parsed.codepage) for body in (parsed.body, parsed.htmlbody))
    return (plain, html) if html.strip() or plain.strip() else ("", "")


def _decoded(body: str | bytes | None, codepage: str | None) -> str:
    if not isinstance(body, bytes):
        return (body or "").rstrip("\0")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode(codepage or "cp1252", "replace")
    return text.rstrip("\0")


def _files(parsed: TNEF | None, depth: int) -> Iterator[File]:
    """Yield the file of a group; of a message within the message, its text and its files."""
    for found in parsed.attachments if parsed is not None else ():
        data = bytes(found.data)
        tags = {a.name: str(a.data) for a in found.mapi_attrs if isinstance(a.data, str)}
        name = one_line(_name(found), NAME_CHARS_MAX)
        if data.startswith(_EMBEDDED + _SIGNATURE):
            inner = unpack(data[IMESSAGE_SIG_LEN:].replace(_EMBEDDED, IMESSAGE_SIG), depth + 1)
            text = next((file.data for key, file in inner.leaves() if key == TEXT), b"")
            extension, kind = ("html", "text/html") if inner.html else ("txt", "text/plain")
            if text:
                yield File(f"{name or 'message'}.{extension}", text, kind)
            yield from inner.files
            continue
        content_type = tags.get(MAPI_ATTACH_MIME_TAG, "").strip().lower()
        if data:
            yield File(
                name=name,
                data=data.replace(_EMBEDDED, IMESSAGE_SIG),
                content_type=content_type if _MEDIA_TYPE.fullmatch(content_type) else "",
                content_id=one_line(tags.get(MAPI_ATTACH_CONTENT_ID, ""), NAME_CHARS_MAX).strip("<>"),
            )


def _name(found: TNEFAttachment) -> str:
    """Return the long name, else the short one, which comes in the codepage of the sender."""
    try:
        return str(found.long_filename())
    except UnicodeDecodeError:
        return bytes(found._name).decode(found.codepage or "cp1252", "replace").strip("\0")
