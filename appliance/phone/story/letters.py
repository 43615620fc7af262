"""The messages the story sends, and handing them to an SMTP server.

Owns the text of test messages and the SMTP dialog of one delivery, with the moment of the 250 in it.
"""

import smtplib
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from appliance.phone.errors import TransportError

HELO_NAME = "localhost"
SUBJECT = "Phone check"
BODY = "This message was made by the simulated phone. It can be deleted: ü €."
ANSWER = "The answer of the simulated phone."
MEETING = "Phone check meeting"
MEETING_IN_DAYS = 30
ATTACHMENT_NAME = "check.bin"
ATTACHMENT = bytes(range(256)) * 40
"""Every byte value, so that a transfer encoding that loses one shows."""


def question(sender: str, recipient: str, token: str) -> bytes:
    """Return a message with text, HTML and an attachment; the token makes its subject unique."""
    message = _new(sender, recipient, f"{SUBJECT} {token}")
    message.set_content(f"{BODY}\n{token}\n")
    message.add_alternative(f"<p>{BODY}</p><p>{token}</p>", subtype="html")
    message.add_attachment(
        ATTACHMENT, maintype="application", subtype="octet-stream", filename=ATTACHMENT_NAME
    )
    return message.as_bytes()


def answer(sender: str, recipient: str, token: str) -> bytes:
    """Return the new text of an answer; the server appends the original."""
    message = _new(sender, recipient, f"Re: {SUBJECT} {token}")
    message.set_content(f"{ANSWER}\n")
    return message.as_bytes()


def invitation(organizer: str, attendee: str, token: str) -> bytes:
    """Return an invitation to a meeting of half an hour, a month from now."""
    start = datetime.now(UTC).replace(minute=0, second=0) + timedelta(days=MEETING_IN_DAYS)
    return _with_calendar(
        _new(organizer, attendee, f"{MEETING} {token}"),
        "REQUEST",
        *_meeting(organizer, token),
        f"ATTENDEE;RSVP=TRUE;PARTSTAT=NEEDS-ACTION:mailto:{attendee}",
        f"DTSTART:{start:%Y%m%dT%H%M%SZ}",
        "DURATION:PT30M",
    )


def acceptance(organizer: str, attendee: str, token: str) -> bytes:
    """Return the answer to `invitation`, as phones mail it themselves up to 14.1."""
    return _with_calendar(
        _new(attendee, organizer, f"Accepted: {MEETING} {token}"),
        "REPLY",
        *_meeting(organizer, token),
        f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{attendee}",
    )


def _meeting(organizer: str, token: str) -> tuple[str, ...]:
    return (
        f"UID:{token}@phone-check.example",
        f"DTSTAMP:{datetime.now(UTC):%Y%m%dT%H%M%SZ}",
        f"ORGANIZER:mailto:{organizer}",
        f"SUMMARY:{MEETING} {token}",
        "SEQUENCE:0",
    )


def _with_calendar(message: EmailMessage, method: str, *event: str) -> bytes:
    lines = (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//phone check//EN", f"METHOD:{method}"),
        *("BEGIN:VEVENT", *event, "END:VEVENT", "END:VCALENDAR"),
    )
    message.set_content(f"{MEETING}\n")
    message.add_alternative("\r\n".join(lines) + "\r\n", subtype="calendar", params={"method": method})
    return message.as_bytes()


def _new(sender: str, recipient: str, subject: str) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = recipient
    message["Subject"] = subject
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    return message


@dataclass(frozen=True)
class Postman:
    """Brings messages to the SMTP server that receives for the account."""

    host: str
    port: int
    timeout_s: float

    def deliver(self, sender: str, recipient: str, message: bytes) -> float:
        """Hand over one message; return `time.monotonic()` of the 250. Raises TransportError."""
        try:
            with smtplib.SMTP(
                self.host, self.port, local_hostname="localhost", timeout=self.timeout_s
            ) as smtp:
                smtp.ehlo()
                _expect(smtp.mail(sender), "MAIL FROM")
                _expect(smtp.rcpt(recipient), "RCPT TO")
                _expect(smtp.data(message), "DATA")
                return time.monotonic()
        except smtplib.SMTPException as error:
            raise TransportError(f"SMTP {self.host}:{self.port}: {error}") from None
        except OSError as error:
            words = str(error) or "no answer in time"
            raise TransportError(f"SMTP {self.host}:{self.port}: {words}") from None


def _expect(reply: tuple[int, bytes], command: str) -> None:
    code, text = reply
    if code // 100 != 2:
        raise TransportError(f"SMTP {command}: {code} {text.decode('utf-8', 'replace')}")
