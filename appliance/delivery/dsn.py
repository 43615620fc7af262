"""Delivery status notifications: what a sender is told when a message could not be delivered.

Source: RFC 3464 (format), RFC 5321 6.1 (never in answer to a null reverse-path).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from appliance.mime.addresses import Address
from appliance.mime.compose import build_report

DIAGNOSTIC_CHARS_MAX = 900


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """One address that got nothing: RFC 3463 status such as "5.1.1", and the words of who refused it."""

    address: str
    status: str
    diagnostic: str
    remote_host: str = ""


def build(
    original: bytes, *, to: str, failed: Sequence[FailedRecipient], hostname: str, now: datetime
) -> bytes:
    """Return the RFC 5322 bytes of a failure report to `to`; its own reverse-path must be null."""
    return build_report(
        from_=Address("Mail Delivery System", f"mailer-daemon@{hostname}"),
        to=[Address("", to)],
        subject="Message could not be delivered",
        text=_words(failed, hostname),
        report_type="delivery-status",
        details=_status_fields(failed, hostname, now),
        message_id_domain=hostname,
        now=now,
        original=original,
        headers={"Auto-Submitted": "auto-replied"},
    )


def _words(failed: Sequence[FailedRecipient], hostname: str) -> str:
    lines = [f"This is the mail system at {hostname}.", "", "Your message could not be delivered to:", ""]
    for recipient in failed:
        lines += [f"  {recipient.address}", f"    {_one_line(recipient.diagnostic)}", ""]
    lines += ["Nothing further will be tried. The header of your message is attached.", ""]
    return "\r\n".join(lines)


def _status_fields(failed: Sequence[FailedRecipient], hostname: str, now: datetime) -> str:
    groups = [f"Reporting-MTA: dns; {hostname}\r\nArrival-Date: {format_datetime(now)}\r\n"]
    for recipient in failed:
        lines = [
            f"Final-Recipient: rfc822; {_one_line(recipient.address)}",
            "Action: failed",
            f"Status: {recipient.status}",
        ]
        if recipient.remote_host:
            lines.append(f"Remote-MTA: dns; {_one_line(recipient.remote_host)}")
        lines.append(f"Diagnostic-Code: smtp; {_one_line(recipient.diagnostic)}")
        groups.append("\r\n".join(lines) + "\r\n")
    return "\r\n".join(groups)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:DIAGNOSTIC_CHARS_MAX]
