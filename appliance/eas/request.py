"""What a phone's HTTP request asks for: query (both forms) and headers → `Request`. Pure.

Owns MS-ASHTTP's request grammar: the plain query `Cmd=…&User=…`, the base64 query, the headers that
mean something, and the canonical name of a device. Leaves to others: credentials and the body
(`web/eas`), which versions and commands are supported (`eas.dispatch`), and every Status element.

A device must have one name however it asks. Identifiers made of letters, digits and `._-` stay as they
were sent; other bytes (a raw GUID in the base64 form) become lower-case hex, and so does the text form
of a GUID (32 hex digits), because that is what the same device writes in a plain query.
"""

import base64
import binascii
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import parse_qsl, unquote, unquote_to_bytes

COMMAND_CODES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0: "Sync",
        1: "SendMail",
        2: "SmartForward",
        3: "SmartReply",
        4: "GetAttachment",
        5: "GetHierarchy",
        6: "CreateCollection",
        7: "DeleteCollection",
        8: "MoveCollection",
        9: "FolderSync",
        10: "FolderCreate",
        11: "FolderDelete",
        12: "FolderUpdate",
        13: "MoveItems",
        14: "GetItemEstimate",
        15: "MeetingResponse",
        16: "Search",
        17: "Settings",
        18: "Ping",
        19: "ItemOperations",
        20: "Provision",
        21: "ResolveRecipients",
        22: "ValidateCert",
        23: "Find",
    }
)
"""Source: MS-ASHTTP 2.2.1.1.1.1.2 Command Codes; 5 to 8 are from protocol 2.5, 23 is newer than the table."""

PARAMETERS: Final[Mapping[int, str]] = MappingProxyType(
    {0: "AttachmentName", 1: "CollectionId", 3: "ItemId", 4: "LongId", 6: "Occurrence"}
)
"""Base64 tags that carry a command parameter. Source: MS-ASHTTP 2.2.1.1.1.1.3 Command Parameters."""

OPTIONS_TAG: Final = 7
USER_TAG: Final = 8
SAVE_IN_SENT: Final = 0x01
ACCEPT_MULTIPART: Final = 0x02

QUERY_CHARS_MAX: Final = 8192
FIELDS_MAX: Final = 64
DEVICE_TYPE_CHARS_MAX: Final = 128
USER_AGENT_CHARS_MAX: Final = 256
UINT32_MAX: Final = 0xFFFF_FFFF

AUTODISCOVER: Final = "Autodiscover"
"""Has no code, and no version either. Source: MS-ASCMD 2.2.1.1 Autodiscover."""

_COMMAND_NAMES: Final = {name.lower(): name for name in (*COMMAND_CODES.values(), AUTODISCOVER)}
_PARAMETER_NAMES: Final = {name.lower(): name for name in PARAMETERS.values()}
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_DEVICE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_GUID: Final = re.compile(r"[0-9A-Fa-f]{32}")
_VERSION: Final = re.compile(r"[0-9]{1,2}\.[0-9]")
_KEY: Final = re.compile(r"[0-9]{1,10}")


class RequestError(Exception):
    """The request cannot be understood; `status` is the HTTP answer, `message` fits in its body."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True)
class Request:
    """One ActiveSync request; the same value whichever query form carried it.

    `device_id` and `device_type` are "" when they are missing or malformed: which answer that is
    depends on the version, so it is given where that is known. `user` is what the phone claims and
    proves nothing. `policy_key` is None when none was sent (or it made no sense), `locale` is an
    MS-LCID and None in the plain form. `params` uses the names of `PARAMETERS`. `content_type` is the
    lower-case media type, "" without a body. `host` is by what name and port the phone reached us over
    TLS, "" when that is not known.
    """

    method: str
    command: str
    device_id: str
    device_type: str
    version: str
    policy_key: int | None
    user: str
    params: Mapping[str, str]
    locale: int | None
    save_in_sent: bool
    accept_multipart: bool
    content_type: str
    user_agent: str
    accept_gzip: bool
    body: bytes = b""
    host: str = ""


@dataclass(frozen=True, slots=True)
class _Query:
    command: str
    device_id: str
    device_type: str
    user: str
    params: Mapping[str, str]
    version: str | None = None
    policy_key: int | None = None
    locale: int | None = None
    save_in_sent: bool = False
    accept_multipart: bool = False


def parse(method: str, query: str, headers: Mapping[str, str], body: bytes = b"") -> Request:
    """Return what a request asks for; header names may have any letter case.

    The body is only carried: pass it here or add it later with `dataclasses.replace`.
    Raises RequestError: 400 for anything malformed, 501 for an unknown command. No input raises
    anything else. Source: MS-ASHTTP 2.2.1 Request.
    """
    given = {name.lower(): value for name, value in headers.items()}
    asked = _base64_query(query) if _is_base64(query) else _plain_query(query)
    version = asked.version or given.get("ms-asprotocolversion", "").strip()
    if not _VERSION.fullmatch(version) and asked.command != AUTODISCOVER:
        raise RequestError(400, "MS-ASProtocolVersion is missing or malformed")
    accept_multipart = given.get("ms-asacceptmultipart", "").strip().upper() == "T"
    return Request(
        method=method,
        command=asked.command,
        device_id=asked.device_id,
        device_type=asked.device_type,
        version=version,
        policy_key=asked.policy_key if asked.version else _policy_key(given.get("x-ms-policykey")),
        user=asked.user,
        params=asked.params,
        locale=asked.locale,
        save_in_sent=asked.save_in_sent,
        accept_multipart=asked.accept_multipart or accept_multipart,
        content_type=given.get("content-type", "").partition(";")[0].strip().lower(),
        user_agent=_printable(given.get("user-agent", ""))[:USER_AGENT_CHARS_MAX],
        accept_gzip=accepts_gzip(given.get("accept-encoding", "")),
        body=body,
    )


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding value allows gzip. Source: RFC 9110 12.5.3."""
    for entry in accept_encoding.lower().split(","):
        coding, _, weight = entry.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


def _is_base64(query: str) -> bool:
    """Tell the two forms apart: base64 has no `&`, and `=` only as padding at its end."""
    return "Cmd=" not in query and _BASE64.fullmatch(unquote(query)) is not None


def _plain_query(query: str) -> _Query:
    """Read field names in any letter case; the first of a kind counts.

    Source: MS-ASHTTP 2.2.1.1.1.2 Plain Text Query Value.
    """
    if len(query) > QUERY_CHARS_MAX:
        raise RequestError(400, "the query is too long")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="replace", max_num_fields=FIELDS_MAX)
    except ValueError:
        raise RequestError(400, "the query has too many fields") from None
    fields = {name.lower(): value for name, value in reversed(pairs)}
    name = fields.get("cmd")
    if name is None:
        raise RequestError(400, "the query names no command")
    return _Query(
        command=_command(name),
        device_id=_device_id(fields.get("deviceid", "")),
        device_type=_device_type(fields.get("devicetype", "")),
        user=_printable(fields.get("user", "")),
        params=MappingProxyType(
            {known: fields[lower] for lower, known in _PARAMETER_NAMES.items() if lower in fields}
        ),
        save_in_sent=fields.get("saveinsent", "").upper() == "T",
    )


def _base64_query(query: str) -> _Query:
    """Source: MS-ASHTTP 2.2.1.1.1.1 Base64-Encoded Query Value; integers are little-endian."""
    data = _Bytes(_decoded(query))
    version, code, locale = data.unpack("<BBH")
    device_id = data.counted()
    key = data.counted()
    if len(key) not in (0, 4):
        raise RequestError(400, "the policy key is not four bytes long")
    device_type = data.counted()
    tags = _tags(data)
    options = tags.get(OPTIONS_TAG, b"")
    flags = options[0] if options else 0
    if code not in COMMAND_CODES:
        raise RequestError(501, "unknown command")
    return _Query(
        command=COMMAND_CODES[code],
        device_id=_device_id_of_bytes(device_id),
        device_type=_device_type(device_type.decode("utf-8", "replace")),
        user=_printable(tags.get(USER_TAG, b"").decode("utf-8", "replace")),
        params=MappingProxyType(
            {name: tags[tag].decode("utf-8", "replace") for tag, name in PARAMETERS.items() if tag in tags}
        ),
        version=f"{version // 10}.{version % 10}",
        policy_key=int.from_bytes(key, "little") if key else None,
        locale=locale,
        save_in_sent=bool(flags & SAVE_IN_SENT),
        accept_multipart=bool(flags & ACCEPT_MULTIPART),
    )


def _decoded(query: str) -> bytes:
    """Return the bytes of a base64 query; percent escapes and missing padding are forgiven."""
    if len(query) > QUERY_CHARS_MAX:
        raise RequestError(400, "the query is too long")
    text = unquote_to_bytes(query).rstrip(b"=")
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise RequestError(400, "the query is not base64") from None


def _tags(data: "_Bytes") -> dict[int, bytes]:
    """Return the parameters by tag; unknown tags are read over, the first of a kind counts."""
    found: dict[int, bytes] = {}
    while not data.at_end():
        (tag,) = data.unpack("<B")
        found.setdefault(tag, data.counted())
    return found


class _Bytes:
    """Reads fields off a byte string; running out of bytes is the client's mistake."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def at_end(self) -> bool:
        return self._offset >= len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._offset : self._offset + count]
        if len(taken) < count:
            raise RequestError(400, f"the query ends inside a field (byte {self._offset})")
        self._offset += count
        return taken

    def counted(self) -> bytes:
        """Return a field that is preceded by its length in one byte."""
        return self.take(self.take(1)[0])

    def unpack(self, layout: str) -> tuple[int, ...]:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))


def _command(name: str) -> str:
    try:
        return _COMMAND_NAMES[name.strip().lower()]
    except KeyError:
        raise RequestError(501, "unknown command") from None


def _device_id(text: str) -> str:
    if not _DEVICE_ID.fullmatch(text):
        return ""
    return text.lower() if _GUID.fullmatch(text) else text


def _device_id_of_bytes(raw: bytes) -> str:
    text = raw.decode("ascii", "replace")
    return _device_id(text if _DEVICE_ID.fullmatch(text) else raw.hex())


def _device_type(text: str) -> str:
    kept = _printable(text)
    return kept if len(kept) <= DEVICE_TYPE_CHARS_MAX else ""


def _policy_key(text: str | None) -> int | None:
    """Return the key of a plain request. Nonsense counts as none: the phone is then provisioned anew."""
    if text is None or not _KEY.fullmatch(text.strip()):
        return None
    key = int(text)
    return key if key <= UINT32_MAX else None


def _printable(text: str) -> str:
    return "".join(char for char in text if char.isprintable()).strip()
