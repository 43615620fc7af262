"""Delivery status notifications: what a sender is told of a message that failed, waits, or arrived.

Source: RFC 3464 (format), RFC 3461 4.3, 6 (what of the message goes along), RFC 6533 3 (addresses that
are not ASCII), RFC 5321 6.1 (never in answer to a null reverse-path).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum

from appliance.mime.addresses import Address
from appliance.mime.compose import build_report

DIAGNOSTIC_CHARS_MAX = 900
WHOLE_BYTES_MAX = 1_048_576
"""A larger original comes back as its header, whatever was asked: a report must not fill mailboxes."""


class Action(StrEnum):
    """What became of the message. RFC 3464 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # to a server that sends no reports


@dataclass(frozen=True, slots=True)
class ReportedRecipient:
    """One address: RFC 3463 status such as "5.1.1", and the words of who said so ("" for nobody).

    orcpt: the ORCPT parameter as it came. will_retry_until: for a delay. named: the forward path by which the
    sender came to it, "" when nobody knows; it is not shown.
    """

    address: str
    status: str
    diagnostic: str
    remote_host: str = ""
    orcpt: str = ""
    will_retry_until: datetime | None = None
    named: str = ""


@dataclass(frozen=True, slots=True)
class Original:
    """The message a report is about. arrived_at: None when that is now; envid, ret: RFC 3461."""

    raw: bytes
    arrived_at: datetime | None = None
    envid: str = ""
    ret: str = ""


_SUBJECTS = {
    Action.FAILED: "Message could not be delivered",
    Action.DELAYED: "Message is delayed",
    Action.DELIVERED: "Message was delivered",
    Action.RELAYED: "Message was handed on",
}
_OPENINGS = {
    Action.FAILED: "Your message could not be delivered to:",
    Action.DELAYED: "Your message has not been delivered yet to:",
    Action.DELIVERED: "Your message was delivered to:",
    Action.RELAYED: "Your message was handed to the next mail system, which will not report on it, for:",
}
_CLOSINGS = {
    Action.FAILED: "Nothing further will be tried.",
    Action.DELAYED: "You need do nothing: further attempts will be made, and you will hear if they fail.",
    Action.DELIVERED: "You asked for this confirmation.",
    Action.RELAYED: "You asked for this confirmation.",
}


def build(
    original: Original,
    *,
    to: str,
    recipients: Sequence[ReportedRecipient],
    hostname: str,
    now: datetime,
    action: Action = Action.FAILED,
) -> bytes:
    """Return the RFC 5322 bytes of a report to `to`; its own reverse-path must be null."""
    is_whole = original.ret == "FULL" and action is Action.FAILED and len(original.raw) <= WHOLE_BYTES_MAX
    return build_report(
        from_=Address("Mail Delivery System", f"mailer-daemon@{hostname}"),
        to=[Address("", to)],
        subject=_SUBJECTS[action],
        text=_words(action, recipients, hostname, is_whole=is_whole),
        report_type="delivery-status",
        details=_status_fields(original, action, recipients, hostname, now),
        message_id_domain=hostname,
        now=now,
        original=original.raw,
        is_original_whole=is_whole,
        headers={"Auto-Submitted": "auto-replied"},
    )


def _words(action: Action, recipients: Sequence[ReportedRecipient], hostname: str, *, is_whole: bool) -> str:
    lines = [f"This is the mail system at {hostname}.", "", _OPENINGS[action], ""]
    for recipient in recipients:
        lines.append(f"  {recipient.address}")
        if recipient.diagnostic:
            lines.append(f"    {_one_line(recipient.diagnostic)}")
        lines.append("")
    attached = "Your message is attached." if is_whole else "The header of your message is attached."
    lines += [f"{_CLOSINGS[action]} {attached}", ""]
    return "\r\n".join(lines)


def _status_fields(
    original: Original, action: Action, recipients: Sequence[ReportedRecipient], hostname: str, now: datetime
) -> str:
    lines = [f"Original-Envelope-Id: {_one_line(decode_xtext(original.envid))}"] if original.envid else []
    lines += [
        f"Reporting-MTA: dns; {hostname}",
        f"Arrival-Date: {format_datetime(original.arrived_at or now)}",
    ]
    groups = ["\r\n".join(lines) + "\r\n"]
    for recipient in recipients:
        lines = []
        if recipient.orcpt:
            kind, _, address = recipient.orcpt.partition(";")
            lines.append(f"Original-Recipient: {_one_line(kind)}; {_one_line(decode_xtext(address))}")
        lines += [
            f"Final-Recipient: {_typed(recipient.address)}",
            f"Action: {action}",
            f"Status: {recipient.status}",
        ]
        if recipient.remote_host:
            lines.append(f"Remote-MTA: dns; {_one_line(recipient.remote_host)}")
        if recipient.diagnostic:
            lines.append(f"Diagnostic-Code: smtp; {_one_line(recipient.diagnostic)}")
        if recipient.will_retry_until is not None:
            lines.append(f"Will-Retry-Until: {format_datetime(recipient.will_retry_until)}")
        groups.append("\r\n".join(lines) + "\r\n")
    return "\r\n".join(groups)


def decode_xtext(text: str) -> str:
    """Return the text behind `+41`-like codes; what is none stays as it is. Source: RFC 3461 4."""
    head, *coded = text.split("+")
    decoded = [head]
    for piece in coded:
        try:
            octet = int(piece[:2], 16) if len(piece) >= 2 else -1
        except ValueError:
            octet = -1
        decoded.append(chr(octet) + piece[2:] if 32 < octet < 127 else f"+{piece}")
    return "".join(decoded)


def _typed(address: str) -> str:
    """Return an address with its type; one that is not ASCII as RFC 6533 3 writes it in ASCII."""
    plain = _one_line(address)
    if plain.isascii():
        return f"rfc822; {plain}"
    return "utf-8; " + "".join(
        char if "!" <= char <= "~" and char not in "\\+=" else f"\\x{{{ord(char):X}}}" for char in plain
    )


def _one_line(text: str) -> str:
    return " ".join(text.split())[:DIAGNOSTIC_CHARS_MAX]
