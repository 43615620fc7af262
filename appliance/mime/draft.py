"""A message somebody is still writing: made, and edited field by field, body by body, file by file.

Owns the bytes of drafts. What an edit does not name stays as it is: a change of the subject leaves the body
byte for byte, a new body leaves the attachments. Sending a draft is for `submission`, which judges the
addresses; here an unfinished one is kept as the words it is.
Source: RFC 5322 3.6 Field Definitions, RFC 2387 (multipart/related), MS-ASEMAIL 3.1.5.5 (drafts).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from appliance.mime.addresses import Address, parse_addresses
from appliance.mime.body import html_body, plain_body
from appliance.mime.characters import crlf, one_line, xml_safe
from appliance.mime.edit import (
    OpenMessage,
    copied_part,
    file_part,
    message_part,
    multipart_body,
    open_message,
    text_part,
    to_crlf,
)
from appliance.mime.encoded_words import encode_phrase, encode_words
from appliance.mime.html import text_from_html
from appliance.mime.scan import scan
from appliance.mime.structure import Part, Structure
from appliance.mime.submission import is_usable_address, new_message_id

RECIPIENTS_MAX = 1_000
_PRIORITY_FIELDS = ("Importance", "X-Priority", "X-MSMail-Priority", "Priority")
_IMPORTANCE = {0: "low", 2: "high"}
_KEPT_WITH_NEW_MIME = (
    "To",
    "Cc",
    "Bcc",
    "Subject",
    "Reply-To",
    "In-Reply-To",
    "References",
    *_PRIORITY_FIELDS,
)


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach. `client_id` is whatever the caller knows it by; content_id comes without brackets."""

    client_id: str
    filename: str
    content_type: str
    data: bytes
    content_id: str = ""
    content_location: str = ""
    is_inline: bool = False
    is_message: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A new body: plain text, HTML, or (`mime`) a whole message whose content takes the old one's place."""

    plain: str | None = None
    html: str | None = None
    mime: bytes | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """What becomes different. fields: "To", "Cc", "Bcc", "Reply-To", "Subject" by name, "" removes one."""

    fields: Mapping[str, str] = field(default_factory=dict)
    importance: int | None = None
    text: Text | None = None
    added: Sequence[File] = ()
    removed: Collection[str] = ()  # part numbers of attachments


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft's bytes, with the part number each added file got, and each kept one by its old number."""

    raw: bytes
    added: dict[str, str]
    kept: dict[str, str]


def edit_draft(before: bytes | None, edit: Edit, *, author: Address, domain: str, now: datetime) -> Draft:
    """Return a draft with an edit carried out; before: None for a new one. now: aware.

    Raises MalformedHeader when the message a client sent as its new body has no usable header.
    """
    base, structure = _base(before, edit)
    message = _with_fields(base, edit, author, domain, now)
    if _is_content_same(before, edit):
        raw = message.to_bytes()
        return Draft(raw, {}, {number: number for number in scan(raw).attachments})
    content = _Content.of(base.to_bytes(), structure, edit)
    own = OpenMessage(tuple(f for f in message.lines if not _is_content(f.name)), b"")
    head, _, body = content.to_bytes().partition(b"\r\n\r\n")
    lines = open_message(head + b"\r\n\r\n").lines
    raw = OpenMessage((*own.adding(("MIME-Version", "1.0")).lines, *lines), body).to_bytes()
    return content.named(raw)


def _is_content_same(before: bytes | None, edit: Edit) -> bool:
    """Tell whether the content keeps its bytes: nothing of it is edited, or it came as a whole message."""
    if edit.added or edit.removed:
        return False
    return edit.text.mime is not None if edit.text is not None else before is not None


def _is_content(name: str) -> bool:
    return name.lower().startswith("content-") or name.lower() == "mime-version"


def _base(before: bytes | None, edit: Edit) -> tuple[OpenMessage, Structure | None]:
    """Return the message the edit starts from, and its parts; a message sent as body brings its fields."""
    old = open_message(before) if before is not None else OpenMessage((), b"")
    if edit.text is None or edit.text.mime is None:
        return old, scan(old.to_bytes()) if before is not None else None
    new = open_message(edit.text.mime)
    named = {f.name.lower() for f in new.lines}
    kept = [f for f in old.lines if f.name in _KEPT_WITH_NEW_MIME and f.name.lower() not in named]
    identity = [f for f in old.lines if f.name.lower() == "message-id"]
    if identity:  # one draft stays one message, however often a client writes it anew
        new = new.without("Message-ID")
    message = OpenMessage((*identity, *new.lines, *kept), new.body)
    return message, scan(message.to_bytes())


def _with_fields(
    message: OpenMessage, edit: Edit, author: Address, domain: str, now: datetime
) -> OpenMessage:
    headers = message.headers()
    if "From" not in headers:
        message = message.replacing("From", _mailboxes([author]))
    for name, value in edit.fields.items():
        written = _subject(value) if name == "Subject" else _mailboxes(parse_addresses(value, RECIPIENTS_MAX))
        message = message.replacing(name, written) if written else message.without(name)
    if edit.importance is not None:
        message = message.without(*_PRIORITY_FIELDS)
        if edit.importance in _IMPORTANCE:
            message = message.adding(("Importance", _IMPORTANCE[edit.importance]))
    message = message.replacing("Date", format_datetime(now))
    if "Message-ID" not in headers:
        message = message.adding(("Message-ID", new_message_id(domain, now, message.to_bytes())))
    return message


def _subject(value: str) -> str:
    clean = one_line(value)
    return clean if clean.isascii() and "=?" not in clean and len(clean) < 900 else encode_words(clean)


def _mailboxes(addresses: Iterable[Address]) -> str:
    return ",\r\n ".join(filter(None, map(_mailbox, addresses)))


def _mailbox(address: Address) -> str:
    """Return an address for a header; one that is not finished, or not of this header, as a name."""
    name = one_line(address.name, 256)
    if not (is_usable_address(address.address) and address.address.isascii()):
        words = one_line(f"{name} {address.address}", 512)
        return encode_phrase(words) if words else ""
    return f"{encode_phrase(name)}\r\n <{address.address}>" if name else address.address


@dataclass(frozen=True, slots=True)
class _Content:
    """The body and the files of a draft, in the order in which they are written."""

    text: bytes
    inline: list[tuple[str, bytes]]  # (old number or client id, MIME part)
    others: list[tuple[str, bytes]]
    new: frozenset[str]

    @classmethod
    def of(cls, raw: bytes, structure: Structure | None, edit: Edit) -> "_Content":
        inline: list[tuple[str, bytes]] = []
        others: list[tuple[str, bytes]] = []
        for part in _kept_parts(structure, edit.removed):
            assert structure is not None
            entry = (f"old:{part.number}", to_crlf(copied_part(raw, part)))
            (inline if structure.is_inline(part.number) else others).append(entry)
        for new in edit.added:
            entry = (f"new:{new.client_id}", _file_part(new))
            (inline if new.is_inline and not new.is_message else others).append(entry)
        names = frozenset(f"new:{new.client_id}" for new in edit.added)
        return cls(_text_part(raw, structure, edit.text), inline, others, names)

    def to_bytes(self) -> bytes:
        """Return the content as one MIME part: text, then what is shown in it, then what lies below it."""
        whole = self.text
        if self.inline:
            whole = _multipart("related", [whole, *(part for _, part in self.inline)])
        if self.others:
            whole = _multipart("mixed", [whole, *(part for _, part in self.others)])
        return whole

    def named(self, raw: bytes) -> Draft:
        """Return the finished draft, with the numbers its files have got."""
        structure = scan(raw)
        names = [name for name, _ in (*self.inline, *self.others)]
        numbers = dict(zip(names, structure.attachments, strict=False))
        return Draft(
            raw,
            {name[4:]: number for name, number in numbers.items() if name in self.new},
            {name[4:]: number for name, number in numbers.items() if name not in self.new},
        )


def _kept_parts(structure: Structure | None, removed: Collection[str]) -> list[Part]:
    if structure is None:
        return []
    return [part for part in structure.attachment_parts() if part.number not in removed]


def _text_part(raw: bytes, structure: Structure | None, text: Text | None) -> bytes:
    """Return the body as a MIME part; an old one keeps the form it had."""
    if text is None or text.mime is not None:
        if structure is not None and structure.html_part is not None:
            text = Text(html=html_body(raw, structure) or "")
        else:
            text = Text(plain=plain_body(raw, structure) if structure is not None else "")
    if text.html is None:
        return text_part("text/plain", crlf(xml_safe(text.plain or "")))
    html = crlf(xml_safe(text.html))
    plain = crlf(xml_safe(text_from_html(html)))
    return _multipart("alternative", [text_part("text/plain", plain), text_part("text/html", html)])


def _file_part(new: File) -> bytes:
    if new.is_message:
        return message_part(new.data, new.filename)
    return file_part(
        new.data,
        new.content_type,
        new.filename,
        is_inline=new.is_inline,
        content_id=new.content_id,
        content_location=new.content_location,
    )


def _multipart(kind: str, parts: Sequence[bytes]) -> bytes:
    boundary, body = multipart_body(parts)
    encoding = "" if body.isascii() else "Content-Transfer-Encoding: 8bit\r\n"
    head = f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n{encoding}\r\n'
    return head.encode("ascii") + body
