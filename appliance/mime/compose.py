"""SmartReply and SmartForward: the server adds the original to what the device wrote.

The device's message is edited in place (`edit`): its text leaf gets the quotation, attachments of
the original are copied byte for byte into an outer multipart/mixed. Signed or encrypted mail from the
device is never touched: appending to it destroys it. `prepare_submission` and `build_message` are
re-exported, so that callers find composing in one place.
Source: MS-ASCMD SmartReply, SmartForward (ReplaceMime absent); RFC 5322 3.6.4 (threading fields).
"""

from collections.abc import Sequence

from appliance.mime.body import leaf_text
from appliance.mime.build import Attachment, build_message, build_report
from appliance.mime.characters import one_line
from appliance.mime.edit import (
    ComposeError,
    MalformedHeader,
    OpenMessage,
    copied_part,
    message_part,
    open_message,
    replace_leaf_text,
    text_part,
    to_crlf,
    wrap_in_mixed,
)
from appliance.mime.headers import message_ids, parse_headers
from appliance.mime.html import append_html
from appliance.mime.message_class import MEETING, message_class
from appliance.mime.quoting import Quotation, quote_for_forward, quote_for_reply
from appliance.mime.scan import scan
from appliance.mime.structure import Structure
from appliance.mime.submission import (
    InvalidAddress,
    NoRecipients,
    PreparedMessage,
    TooManyRecipients,
    prepare_submission,
)

__all__ = [
    "Attachment",
    "ComposeError",
    "InvalidAddress",
    "MalformedHeader",
    "NoRecipients",
    "PreparedMessage",
    "TooManyRecipients",
    "build_message",
    "build_report",
    "compose_forward",
    "compose_reply",
    "prepare_submission",
]

REFERENCES_MAX = 50
"""Ids written into References: the thread's root and the latest ones."""
_SEALED = ("multipart/signed", "multipart/encrypted")


def compose_reply(
    new_raw: bytes, original_raw: bytes, *, original_structure: Structure | None = None
) -> bytes:
    """Return the device's reply with the quoted original below its text; raises MalformedHeader.

    Pictures that the quoted HTML shows come along. A sealed new message is returned unchanged; a
    sealed original that cannot be read leaves only the threading fields.
    """
    new = scan(new_raw)
    if _is_sealed(new):
        return new_raw
    original = original_structure or scan(original_raw)
    raw = _threaded(open_message(new_raw), original_raw).to_bytes()
    if original.smime == "encrypted" or original.root.content_type == "multipart/encrypted":
        return raw
    quotation = quote_for_reply(original_raw, original)
    new = scan(raw)
    shown = [n for n in original.inline if _is_shown(quotation.html, original, n)] if new.html_part else []
    pictures = [number for number in original.attachments if number in shown]
    return _with_parts(_quoted(raw, new, quotation), original_raw, original, pictures)


def compose_forward(
    new_raw: bytes,
    original_raw: bytes,
    *,
    original_structure: Structure | None = None,
    occurrence: str | None = None,
) -> bytes:
    """Return the device's forward with the original's text and attachments; raises MalformedHeader.

    An invitation goes along as it came: who gets it can put it into a calendar of their own. A sealed
    original goes along whole, as message/rfc822. A sealed new message is returned unchanged.
    occurrence: the calendar that invites to one occurrence, to go instead of the invitation.
    """
    new = scan(new_raw)
    if _is_sealed(new):
        return new_raw
    original = original_structure or scan(original_raw)
    message = _threaded(open_message(new_raw), original_raw)
    if _is_sealed(original):
        return wrap_in_mixed(message, [], [_as_attachment(original_raw)]).to_bytes()
    raw = message.to_bytes()
    quoted = _quoted(raw, scan(raw), quote_for_forward(original_raw, original))
    if occurrence is None:
        numbers = [*_invitation(original_raw, original), *original.attachments]
        return _with_parts(quoted, original_raw, original, numbers)
    whole = open_message(_with_parts(quoted, original_raw, original, original.attachments))
    return wrap_in_mixed(whole, [], [text_part("text/calendar; method=REQUEST", occurrence)]).to_bytes()


def _invitation(raw: bytes, structure: Structure) -> list[str]:
    """Return the number of the part that invites to a meeting, unless it is among the attachments."""
    calendar = structure.calendar_part
    if calendar is None or calendar in structure.attachments:
        return []
    return [calendar] if message_class(raw, structure) == f"{MEETING}Request" else []


def _is_sealed(structure: Structure) -> bool:
    """Tell whether a message is signed or encrypted as a whole, by S/MIME or OpenPGP."""
    return structure.smime is not None or structure.root.content_type in _SEALED


def _is_shown(html: str, original: Structure, number: str) -> bool:
    content_id = original.part(number).content_id
    return content_id is not None and f"cid:{content_id}" in html


def _quoted(raw: bytes, structure: Structure, quotation: Quotation) -> bytes:
    """Append the quotation to the last leaf of each form; give a message without text a new leaf."""
    edits: dict[str, str] = {}
    for number in structure.text_parts:
        if structure.part(number).content_type == "text/plain" and not structure.part(number).is_packed:
            edits["text/plain"] = number
    for number in structure.html_parts:
        if structure.part(number).content_type == "text/html" and not structure.part(number).is_packed:
            edits["text/html"] = number
    if not edits:
        leaf = text_part("text/plain", quotation.plain.lstrip("\r\n"))
        return wrap_in_mixed(open_message(raw), [leaf], []).to_bytes()
    for number in sorted(edits.values(), key=lambda n: structure.part(n).start, reverse=True):
        part = structure.part(number)
        text = leaf_text(raw, part)
        if part.content_type == "text/html":
            text = append_html(text, quotation.html)
        else:
            text = text.rstrip("\r\n") + quotation.plain
        raw = replace_leaf_text(raw, part, text)
    return raw


def _with_parts(raw: bytes, original_raw: bytes, original: Structure, numbers: Sequence[str]) -> bytes:
    """Re-attach parts of the original byte for byte."""
    if not numbers:
        return raw
    copies = [to_crlf(copied_part(original_raw, original.part(number))) for number in numbers]
    return wrap_in_mixed(open_message(raw), [], copies).to_bytes()


def _as_attachment(original_raw: bytes) -> bytes:
    """Return the whole original as an attachment named after its subject."""
    subject = one_line(parse_headers(original_raw).get("Subject") or "", 60)
    name = "".join(c for c in subject if c.isalnum() or c in " -_.").strip(" .") or "message"
    return message_part(original_raw, f"{name}.eml")


def _threaded(message: OpenMessage, original_raw: bytes) -> OpenMessage:
    """Add MIME-Version, In-Reply-To and References where the device left them out."""
    own, original = message.headers(), parse_headers(original_raw)
    if "MIME-Version" not in own:
        message = message.adding(("MIME-Version", "1.0"))
    ids = [i for i in message_ids(original.raw("Message-ID")) if i.isascii()][:1]
    if not ids:
        return message
    before = message_ids(original.raw("References")) or message_ids(original.raw("In-Reply-To"))[:1]
    chain = [i for i in before if i.isascii() and i != ids[0]] + ids
    if len(chain) > REFERENCES_MAX:
        chain = chain[:1] + chain[1 - REFERENCES_MAX :]
    if not message_ids(own.raw("In-Reply-To")):
        message = message.replacing("In-Reply-To", ids[0])
    if not message_ids(own.raw("References")):
        message = message.replacing("References", "\r\n ".join(chain))
    return message
