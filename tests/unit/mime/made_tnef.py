"""Makes winmail.dat files as Outlook does, byte by byte. Source: MS-OXTNEF 2.1."""

import base64
import struct

MESSAGE, FILE = 1, 2
RENDER_DATA, TITLE, DATA, ATTACHMENT = 0x9002, 0x8010, 0x800F, 0x9005
PROPERTIES, VERSION, CODEPAGE, RECIPIENTS = 0x9003, 0x9006, 0x9007, 0x9004
LONG_NAME, MIME_TAG, CONTENT_ID, DATA_OBJECT = 0x3707, 0x370E, 0x3712, 0x3701
BODY, BODY_HTML, INTERNET_CODEPAGE = 0x1000, 0x1013, 0x3FDE
UNICODE, BINARY, INTEGER, OBJECT = 0x1F, 0x102, 0x03, 0x0D
MESSAGE_INTERFACE = bytes.fromhex("0703020000000000C000000000000046")


def attribute(level: int, name: int, value: bytes, kind: int = 6) -> bytes:
    """Return one attribute."""
    return (
        struct.pack("<BHHI", level, name, kind, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)
    )


def properties(*pairs: tuple[int, int, object]) -> bytes:
    """Return a list of properties: (type, name, value)."""
    return struct.pack("<I", len(pairs)) + b"".join(_property(*pair) for pair in pairs)


def _property(kind: int, name: int, value: object) -> bytes:
    head = struct.pack("<HH", kind, name)
    if kind == INTEGER:
        return head + struct.pack("<i", value)
    data = f"{value}\0".encode("utf-16-le") if isinstance(value, str) else bytes(value)  # type: ignore[call-overload]
    return head + struct.pack("<II", 1, len(data)) + data + b"\0" * (-len(data) % 4)


def file(name: str, data: bytes, *, mime: str = "", content_id: str = "", title: bytes = b"") -> bytes:
    """Return the attributes of one file."""
    named = [(UNICODE, LONG_NAME, name)] if name else []
    named += [(UNICODE, MIME_TAG, mime)] if mime else []
    named += [(UNICODE, CONTENT_ID, content_id)] if content_id else []
    return (
        attribute(FILE, RENDER_DATA, bytes(14))
        + attribute(FILE, TITLE, (title or name.encode("ascii", "replace")) + b"\0", 1)
        + attribute(FILE, DATA, data)
        + attribute(FILE, ATTACHMENT, properties(*named))
    )


def embedded(name: str, inner: bytes) -> bytes:
    """Return the attributes of a message inside the message."""
    pairs = (UNICODE, 0x3001, name), (OBJECT, DATA_OBJECT, MESSAGE_INTERFACE + inner)
    return (
        attribute(FILE, RENDER_DATA, bytes(14))
        + attribute(FILE, TITLE, name.encode() + b"\0", 1)
        + attribute(FILE, ATTACHMENT, properties(*pairs))
    )


def tnef(*attributes: bytes, html: str = "", plain: str = "", codepage: int | None = 1252) -> bytes:
    """Return a whole file."""
    texts = [(INTEGER, INTERNET_CODEPAGE, 65001)] if html or plain else []
    texts += [(BINARY, BODY_HTML, html.encode())] if html else []
    texts += [(UNICODE, BODY, plain)] if plain else []
    return (
        struct.pack("<IH", 0x223E9F78, 1)
        + attribute(MESSAGE, VERSION, struct.pack("<I", 0x10000), 8)
        + (attribute(MESSAGE, CODEPAGE, struct.pack("<II", codepage, 0)) if codepage is not None else b"")
        + (attribute(MESSAGE, PROPERTIES, properties(*texts)) if texts else b"")
        + b"".join(attributes)
    )


def mail(packed: bytes, text: str = "\r\n", content_type: str = "application/ms-tnef") -> bytes:
    """Return a message that carries a winmail.dat beside a text."""
    encoded = base64.encodebytes(packed).replace(b"\n", b"\r\n")
    head = (
        "From: erika@example.com\r\nTo: max@example.net\r\nSubject: rich\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="t"\r\n\r\n--t\r\nContent-Type: text/plain\r\n\r\n'
        f'{text}\r\n--t\r\nContent-Type: {content_type}; name="winmail.dat"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return head.encode() + encoded + b"--t--\r\n"
