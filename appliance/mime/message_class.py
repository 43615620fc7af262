"""The MessageClass of a message: what kind of item a client should treat it as.

Reads only as much of reports and invitations as the class needs; their meaning belongs to `delivery`
and `ical`.
Source: MS-ASEMAIL 2.2.2.49 MessageClass; MS-OXCMAIL 2.1.3.2.1 (Content-Class); RFC 3464 2.3.3 Action;
RFC 8098 3.2.6 Disposition; RFC 5546; RFC 3458 Message-Context; RFC 3834 5 Auto-Submitted.
"""

import re

from appliance.mime.body import decode_leaf, part_headers
from appliance.mime.headers import Headers, parse_headers
from appliance.mime.scan import scan
from appliance.mime.structure import Part, Structure

NOTE = "IPM.Note"
SMIME = "IPM.Note.SMIME"
SMIME_SIGNED = "IPM.Note.SMIME.MultipartSigned"
SMIME_RECEIPT = "IPM.Note.Receipt.SMIME"
OUT_OF_OFFICE = "IPM.Note.Rules.OofTemplate.Microsoft"
VOICE, FAX = "IPM.Note.Microsoft.Voicemail.UM", "IPM.Note.Microsoft.Fax"
MEETING = "IPM.Schedule.Meeting."
REPORT = "REPORT.IPM.NOTE."

READ_BYTES_MAX = 65_536
"""How much of a report or an invitation is looked at."""

_ACTION = re.compile(rb"^Action[ \t]*:[ \t]*([A-Za-z]+)", re.M | re.I)
_DISPOSITION = re.compile(rb"^Disposition[ \t]*:[^\n;]*;[ \t]*([A-Za-z]+)", re.M | re.I)
_METHOD = re.compile(rb"^METHOD[ \t]*:[ \t]*([A-Za-z]+)", re.M | re.I)
_PARTSTAT = re.compile(rb"[;]PARTSTAT[ \t]*=[ \t]*\"?([A-Za-z-]+)", re.I)
_FOLD = re.compile(rb"\r?\n[ \t]")

_ACTIONS = {b"failed": "NDR", b"delayed": "DELAYED", b"delivered": "DR", b"relayed": "DR", b"expanded": "DR"}
_MEETINGS = {b"REQUEST": "Request", b"CANCEL": "Canceled", b"COUNTER": "Resp.Tent"}
_ANSWERS = {b"ACCEPTED": "Resp.Pos", b"DECLINED": "Resp.Neg", b"TENTATIVE": "Resp.Tent"}


_RETURNED = (
    *("IPM.NOTE.SMIME", "IPM.NOTE.SMIME.MULTIPARTSIGNED"),
    *("IPM.SCHEDULE.MEETING.REQUEST", "IPM.SCHEDULE.MEETING.CANCELED"),
    *("IPM.SCHEDULE.MEETING.RESP.POS", "IPM.SCHEDULE.MEETING.RESP.TENT"),
)
_CONTENT_CLASSES = {
    "voice": VOICE,
    "voice-ca": f"{VOICE}.CA",
    "voice-uc": "IPM.Note.Microsoft.Conversation.Voice",
    "missedcall": "IPM.Note.Microsoft.Missed.Voice",
    "fax": FAX,
    "fax-ca": f"{FAX}.CA",
}
_CONTEXTS = {"voice-message": VOICE, "fax-message": FAX}


def message_class(raw: bytes, structure: Structure) -> str:
    """Return the MessageClass; IPM.Note whenever nothing more special is certain."""
    headers = parse_headers(raw)
    if structure.smime is not None:
        kind = headers.parameters("Content-Type")[1].get("smime-type", "").strip().lower()
        if kind == "signed-receipt":
            return SMIME_RECEIPT
        return SMIME_SIGNED if structure.root.is_multipart else SMIME
    if structure.report_type is not None:
        return _report_class(raw, structure)
    if structure.calendar_part is not None:
        return _meeting_class(raw, structure.part(structure.calendar_part))
    return _class_of_a_machine(structure, headers)


def _class_of_a_machine(structure: Structure, headers: Headers) -> str:
    """Return the class of what a telephone system or an absent user's server sent."""
    named = (
        _CONTENT_CLASSES.get(_word(headers.raw("Content-Class")))
        or _CONTEXTS.get(_word(headers.raw("Message-Context")))
        or _CONTEXTS.get(structure.root.content_type.removeprefix("multipart/"))
    )
    if named is not None:
        return named
    return OUT_OF_OFFICE if _word(headers.raw("Auto-Submitted")) == "auto-replied" else NOTE


def _word(value: str | None) -> str:
    return (value or "").partition(";")[0].partition("(")[0].strip().lower()


def _report_class(raw: bytes, structure: Structure) -> str:
    """Return the class of a report; that of an undelivered message says what it was."""
    found = _news_class(raw, structure)
    if found not in (REPORT + "NDR", REPORT + "DR"):
        return found
    kind = found.removeprefix(REPORT)
    subject = _returned_class(raw, structure).upper()
    if subject in _RETURNED and (kind == "NDR" or "SMIME" in subject):
        return f"REPORT.{subject}.{kind}"
    return found


def _returned_class(raw: bytes, structure: Structure) -> str:
    """Return the class of the message a report is about; reports about reports are not followed."""
    for part in structure.parts:
        if part.content_type in ("message/rfc822", "message/global", "text/rfc822-headers"):
            returned = decode_leaf(raw, part, READ_BYTES_MAX) + b"\r\n\r\n"
            inner = scan(returned)
            if inner.report_type is None:
                return message_class(returned, inner)
    return NOTE


def _news_class(raw: bytes, structure: Structure) -> str:
    for part in structure.parts:
        if part.content_type.endswith("delivery-status"):
            actions = [
                _ACTIONS.get(a.lower()) for a in _ACTION.findall(decode_leaf(raw, part, READ_BYTES_MAX))
            ]
            for kind in ("NDR", "DELAYED", "DR"):  # several recipients: the worst news decides
                if kind in actions:
                    return REPORT + kind
        if part.content_type.endswith("disposition-notification"):
            found = _DISPOSITION.search(decode_leaf(raw, part, READ_BYTES_MAX))
            return REPORT + ("IPNRN" if found is None or found[1].lower() == b"displayed" else "IPNNRN")
    return NOTE


def _meeting_class(raw: bytes, part: Part) -> str:
    text = _FOLD.sub(b"", decode_leaf(raw, part, READ_BYTES_MAX))
    declared = part_headers(raw, part).parameters("Content-Type")[1].get("method", "")
    method = declared.strip().upper().encode("ascii", "replace")
    if not method:
        found = _METHOD.search(text)
        method = found[1].upper() if found else b""
    answers = _PARTSTAT.findall(text)
    if method == b"REPLY":
        kind = _ANSWERS.get(answers[0].upper()) if answers else None
    elif method == b"COUNTER" and len(answers) == 1:  # with several it is not known who speaks
        kind = _ANSWERS.get(answers[0].upper(), _MEETINGS[method])
    else:
        kind = _MEETINGS.get(method)
    return MEETING + kind if kind else NOTE
