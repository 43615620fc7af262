"""Mail of our own: notices, delivery reports, invitations, the test messages of the simulated phone.

Simple mail is built with the standard library; a report is assembled from its parts, because its
original must go along byte for byte.
Source: RFC 5322, RFC 6522 (multipart/report), RFC 6047 (iMIP), RFC 3834 (Auto-Submitted).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from appliance.mime.addresses import Address
from appliance.mime.characters import one_line
from appliance.mime.edit import (
    FieldLine,
    OpenMessage,
    field_line,
    message_part,
    multipart_body,
    open_message,
    text_part,
    to_crlf,
    wrap_in_mixed,
)
from appliance.mime.encoded_words import encode_words
from appliance.mime.headers import header_block
from appliance.mime.submission import mailbox, new_message_id

SEVEN_BIT = SMTP.clone(cte_type="7bit")
"""Every next hop takes our own mail as it is, 8BITMIME or not, so its signature stays valid."""

REPORT_HEADER_BYTES_MAX = 65_536
"""How much of an original's header goes into a report."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file to attach; `content_id` (no brackets) makes it a picture inside the HTML."""

    filename: str
    content_type: str
    data: bytes
    content_id: str | None = None


def build_message(
    *,
    from_: Address,
    to: Sequence[Address],
    subject: str,
    text: str,
    message_id_domain: str,
    now: datetime,
    cc: Sequence[Address] = (),
    html: str | None = None,
    attachments: Sequence[Attachment] = (),
    calendar: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a message of our own, CRLF line ends, ASCII header; raises InvalidAddress, MalformedHeader.

    calendar: (iTIP method, iCalendar text) as an alternative of the text. headers: further fields,
    ASCII, such as {"Auto-Submitted": "auto-replied"}. now: aware.
    """
    enclosed = [a for a in attachments if a.content_type.lower() == "message/rfc822"]
    content = _content(text, html, [a for a in attachments if a not in enclosed], calendar)
    head, _, body = content.as_bytes().partition(b"\r\n\r\n")
    lines = _envelope(from_, to, cc, subject, message_id_domain, now, headers or {}, body)
    message = open_message(b"".join(field.line for field in lines) + head + b"\r\n\r\n" + body)
    if enclosed:
        message = wrap_in_mixed(message, [], [message_part(a.data, a.filename) for a in enclosed])
    return message.to_bytes()


def build_report(
    *,
    from_: Address,
    to: Sequence[Address],
    subject: str,
    text: str,
    report_type: str,
    details: str,
    message_id_domain: str,
    now: datetime,
    original: bytes | None = None,
    is_original_whole: bool = False,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a multipart/report; raises InvalidAddress, MalformedHeader.

    report_type: "delivery-status" or "disposition-notification". details: the fields of that part, ready
    (groups separated by an empty line). original: its header goes along, or all of it.
    """
    detail_text = to_crlf(details.encode("utf-8", "replace"))
    parts = [
        text_part("text/plain", text),
        f"Content-Type: message/{report_type}\r\n\r\n".encode() + detail_text,
    ]
    if original is not None:
        kind, content = "message/rfc822", original
        if not is_original_whole:
            end = header_block(original, 0, len(original)).body_start
            kind, content = "text/rfc822-headers", original[: min(end, REPORT_HEADER_BYTES_MAX)]
        encoding = "7bit" if content.isascii() else "8bit"
        head = f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
        parts.append(head.encode() + to_crlf(content))
    boundary, body = multipart_body(parts)
    lines = _envelope(from_, to, (), subject, message_id_domain, now, headers or {}, body)
    content_type = f'multipart/report; report-type={report_type};\r\n boundary="{boundary}"'
    message = OpenMessage(lines, body).adding(("MIME-Version", "1.0"), ("Content-Type", content_type))
    if not body.isascii():
        message = message.adding(("Content-Transfer-Encoding", "8bit"))
    return message.to_bytes()


def _envelope(
    from_: Address,
    to: Sequence[Address],
    cc: Sequence[Address],
    subject: str,
    domain: str,
    now: datetime,
    extra: Mapping[str, str],
    content: bytes,
) -> tuple[FieldLine, ...]:
    """Return the fields every message of ours has, in the order people expect."""
    clean = one_line(subject)
    is_plain = clean.isascii() and "=?" not in clean and len(clean) < 900
    fields = [
        ("From", mailbox(from_)),
        ("To", ",\r\n ".join(map(mailbox, to)) or "undisclosed-recipients:;"),
        ("Cc", ",\r\n ".join(map(mailbox, cc))),
        ("Subject", clean if is_plain else encode_words(clean)),
        ("Date", format_datetime(now)),
        ("Message-ID", new_message_id(domain, now, subject.encode("utf-8", "replace") + content)),
        *extra.items(),
    ]
    return tuple(field_line(name, value) for name, value in fields if value)


def _content(
    text: str, html: str | None, attachments: Sequence[Attachment], calendar: tuple[str, str] | None
) -> EmailMessage:
    """Return the body as the standard library builds it: text, alternatives, related, mixed."""
    message = EmailMessage(policy=SEVEN_BIT)
    message.set_content(text)
    if html is not None:
        message.add_alternative(html, subtype="html")
        root = list(message.iter_parts())[-1]
        for picture in attachments:
            if picture.content_id is not None and isinstance(root, EmailMessage):
                _attach(root, picture)
    if calendar is not None:
        method, source = calendar
        message.add_alternative(source, subtype="calendar", params={"method": method})
    for attachment in attachments:
        if html is None or attachment.content_id is None:
            _attach(message, attachment)
    return message


def _attach(message: EmailMessage, attachment: Attachment) -> None:
    main, _, subtype = attachment.content_type.partition("/")
    name = one_line(attachment.filename, 255)
    if attachment.content_id is not None:
        cid = f"<{one_line(attachment.content_id, 255)}>"
        message.add_related(
            attachment.data, main, subtype or "octet-stream", cid=cid, filename=name, disposition="inline"
        )
    else:
        message.add_attachment(attachment.data, main, subtype or "octet-stream", filename=name)
