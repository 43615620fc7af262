"""Everything the list columns of a message need, computed once when it arrives.

Owns `Summary`; no list, no Sync of headers and no search ever parses MIME again. All texts are legal
XML without control characters and have a ceiling.
Source: MS-ASEMAIL 2.2.2 (elements and their limits), RFC 5322 3.6, RFC 3834 5 (Auto-Submitted).
"""

import re
from dataclasses import dataclass
from datetime import datetime

from appliance.mime import charsets
from appliance.mime.addresses import Address, format_addresses_for_display, format_names
from appliance.mime.body import plain_body
from appliance.mime.characters import one_line
from appliance.mime.dates import parse_date
from appliance.mime.headers import Headers, message_ids, parse_headers
from appliance.mime.message_class import message_class
from appliance.mime.preview import preview
from appliance.mime.structure import Structure

SUBJECT_CHARS_MAX = 2_000
TEXT_CHARS_MAX = 65_536
BODY_BYTES_READ = 524_288
"""Bytes of a body leaf that are decoded for text and preview."""
MESSAGE_ID_CHARS_MAX = 998
LIST_ID_CHARS_MAX = 255

IMPORTANCE_LOW, IMPORTANCE_NORMAL, IMPORTANCE_HIGH = 0, 1, 2

_PREFIX = re.compile(
    r"(?:(?:re|aw|sv|vs|antw|antwort|odp|rif|r|ref|ynt|res|enc|fw|fwd|wg|tr|rv|doorst|vb|pd|i|fs|vl|回复|答复|转发|回覆|轉寄)"
    r"\s{0,3}(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s{0,3}[:：]\s*)++",
    re.I,
)
_LIST_ID = re.compile(r"<([^<>\s]{1,255})>")


@dataclass(frozen=True, slots=True)
class Summary:
    """The columns of one message.

    from_, sender, to, cc, bcc: display form (`"A" <a@b>, …`); sender only if it differs from From.
    reply_to: display form, several separated by ";", only if it differs from From. display_to: names
    of To separated by ";". message_id, in_reply_to, references: with angle brackets; references
    oldest first. text: the plain body, at most TEXT_CHARS_MAX. native_body_type: 1 text, 2 HTML.
    has_attachments counts what is listed below the text, not pictures inside it. auto_submitted: the
    lower-case keyword ("no", "auto-replied", …) or None. is_text_complete: `text` is the whole body.
    """

    subject: str
    thread_topic: str
    from_: str
    from_address: str
    sender: str
    to: str
    cc: str
    bcc: str
    reply_to: str
    display_to: str
    date: datetime | None
    message_id: str | None
    in_reply_to: str | None
    references: tuple[str, ...]
    importance: int
    message_class: str
    preview: str
    text: str
    is_text_complete: bool
    native_body_type: int
    has_attachments: bool
    is_read_receipt_requested: bool
    internet_cpid: int
    list_id: str | None
    auto_submitted: str | None


def summarise(raw: bytes, structure: Structure) -> Summary:
    """Return the columns of a message; never raises for any bytes the structure was scanned from."""
    headers = parse_headers(raw)
    from_ = headers.addresses("From")
    to = headers.addresses("To")
    subject = one_line(headers.get("Subject") or "", SUBJECT_CHARS_MAX)
    body = plain_body(raw, structure, BODY_BYTES_READ)
    text = body[:TEXT_CHARS_MAX]
    in_reply_to = message_ids(headers.raw("In-Reply-To"))
    own_id = message_ids(headers.raw("Message-ID"))
    return Summary(
        subject=subject,
        thread_topic=thread_topic(subject),
        from_=format_addresses_for_display(from_),
        from_address=from_[0].address if from_ else "",
        sender=_if_other(headers.addresses("Sender"), from_, ", "),
        to=format_addresses_for_display(to),
        cc=format_addresses_for_display(headers.addresses("Cc")),
        bcc=format_addresses_for_display(headers.addresses("Bcc")),
        reply_to=_if_other(headers.addresses("Reply-To"), from_, ";"),
        display_to=format_names(to),
        date=parse_date(headers.raw("Date")),
        message_id=own_id[0][:MESSAGE_ID_CHARS_MAX] if own_id else None,
        in_reply_to=in_reply_to[0] if in_reply_to else None,
        references=tuple(message_ids(headers.raw("References"))),
        importance=_importance(headers),
        message_class=message_class(raw, structure),
        preview=preview(text),
        text=text,
        is_text_complete=len(body) <= TEXT_CHARS_MAX and _is_read_whole(structure),
        native_body_type=2 if structure.html_part is not None else 1,
        has_attachments=has_attachments(structure),
        is_read_receipt_requested=_wants_receipt(headers),
        internet_cpid=_code_page(structure),
        list_id=_list_id(headers.get("List-Id")),
        auto_submitted=_keyword(headers.raw("Auto-Submitted")),
    )


def thread_topic(subject: str) -> str:
    """Return the subject without reply and forward prefixes in common languages; "" stays ""."""
    prefix = _PREFIX.match(subject)
    return subject[prefix.end() :].strip() if prefix else subject


def has_attachments(structure: Structure) -> bool:
    """Tell whether a list shows a paper clip: something is attached that is not inside the text."""
    if structure.smime is not None and not structure.root.is_multipart:
        return False  # the only "attachment" is the envelope itself
    return any(number not in structure.inline for number in structure.attachments)


def _if_other(addresses: list[Address], from_: list[Address], separator: str) -> str:
    """Return the display form unless these are exactly the From addresses."""
    if [a.address.lower() for a in addresses] == [a.address.lower() for a in from_]:
        return ""
    if separator == ";":
        return ";".join(format_addresses_for_display([address]) for address in addresses)[:32_768]
    return format_addresses_for_display(addresses)


def _importance(headers: Headers) -> int:
    """Return 0, 1 or 2; Importance wins over X-Priority, that over Priority."""
    named = _keyword(headers.raw("Importance")) or _keyword(headers.raw("X-MSMail-Priority"))
    if named in ("high", "low", "normal"):
        return {"high": IMPORTANCE_HIGH, "low": IMPORTANCE_LOW}.get(named, IMPORTANCE_NORMAL)
    digit = (headers.raw("X-Priority") or "").strip()[:1]
    if digit in ("1", "2"):
        return IMPORTANCE_HIGH
    if digit in ("4", "5"):
        return IMPORTANCE_LOW
    urgency = _keyword(headers.raw("Priority"))
    return {"urgent": IMPORTANCE_HIGH, "non-urgent": IMPORTANCE_LOW}.get(urgency or "", IMPORTANCE_NORMAL)


def _keyword(value: str | None) -> str | None:
    """Return the lower-case first word of a field without parameters and comments."""
    word = (value or "").partition(";")[0].partition("(")[0].lower()
    return one_line(word, 80) or None


def _wants_receipt(headers: Headers) -> bool:
    return "Disposition-Notification-To" in headers or "X-Confirm-Reading-To" in headers


def _list_id(value: str | None) -> str | None:
    if not value:
        return None
    bracketed = _LIST_ID.findall(value)
    return (bracketed[-1] if bracketed else value)[:LIST_ID_CHARS_MAX]


def _code_page(structure: Structure) -> int:
    number = structure.html_part or structure.text_part
    charset = structure.part(number).charset if number is not None else None
    return charsets.code_page(charset)


def _is_read_whole(structure: Structure) -> bool:
    numbers = {*structure.text_parts, *structure.html_parts}
    return all(structure.part(number).size <= BODY_BYTES_READ for number in numbers)
