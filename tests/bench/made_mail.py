"""Messages for measurements: the same ones in every run, shaped like an office's mail.

Half plain text, a third HTML with a text part, the rest with an attachment; one to twelve kilobytes.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

SEED = 365
FIRST_DAY = datetime(2026, 1, 5, 8, 0, tzinfo=UTC)
WORDS = (
    *("angebot", "auftrag", "besprechung", "budget", "delivery", "draft", "entwurf", "estimate", "freigabe"),
    *("grüße", "invoice", "kalender", "lieferung", "meeting", "monday", "notes", "offer", "order", "plan"),
    *("please", "project", "rechnung", "report", "review", "schedule", "termin", "thanks", "tomorrow"),
    *("update", "vertrag", "week", "würde"),
)
SUBJECTS = ("Order", "Invoice", "Meeting", "Report", "Delivery", "Estimate", "Review")
SMALL_BYTES = 400


def message(number: int, recipient: str, *, small: bool = False) -> bytes:
    """Return message `number`; small: plain text of a few hundred bytes, made quickly."""
    dice = random.Random(SEED * 1_000_003 + number)
    if small:
        return _small(dice, number, recipient)
    made = EmailMessage(policy=SMTP)
    made["From"] = f'"{_words(dice, 2).title()}" <writer{dice.randrange(50)}@example.net>'
    made["To"] = recipient
    made["Subject"] = f"{_words(dice, dice.randint(2, 7)).capitalize()} {number}"
    made["Date"] = format_datetime(FIRST_DAY + timedelta(minutes=number))
    made["Message-ID"] = f"<bench-{number}@example.net>"
    kind = dice.randrange(6)
    text = _text(dice, dice.randint(500, 6000))
    made.set_content(text)
    if kind in (3, 4):
        made.add_alternative(
            f"<html><body><p>{text.replace(chr(10), '</p><p>')}</p></body></html>", subtype="html"
        )
    if kind == 5:
        made.add_attachment(
            dice.randbytes(dice.randint(1000, 6000)), "application", "pdf", filename=f"plan-{number}.pdf"
        )
    return made.as_bytes()


def write_mbox(path: Path, numbers: range, recipient: str, *, small: bool = False) -> Path:
    """Write messages into an mbox file and return its path."""
    with path.open("wb") as file:
        for raw in messages(numbers, recipient, small=small):
            body = raw.replace(b"\r\n", b"\n").replace(b"\nFrom ", b"\n>From ")
            file.write(b"From writer@example.net Mon Jan  5 08:00:00 2026\n" + body + b"\n")
    return path


def messages(numbers: range, recipient: str, *, small: bool = False) -> Iterator[bytes]:
    """Yield the messages of a range."""
    for number in numbers:
        yield message(number, recipient, small=small)


def _small(dice: random.Random, number: int, recipient: str) -> bytes:
    date = format_datetime(FIRST_DAY + timedelta(minutes=number))
    subject = dice.choice(SUBJECTS)
    head = f"From: <writer{number % 50}@example.net>\r\nTo: {recipient}\r\nDate: {date}\r\n"
    head += f"Subject: {subject} {number}\r\nMessage-ID: <bench-{number}@example.net>\r\n\r\n"
    return head.encode() + f"{subject}, {number}.\r\n".encode() * (SMALL_BYTES // 20)


def _words(dice: random.Random, count: int) -> str:
    return " ".join(dice.choices(WORDS, k=count))


def _text(dice: random.Random, size: int) -> str:
    lines = []
    while size > 0:
        line = _words(dice, 10)
        lines.append(line)
        size -= len(line) + 1
    return "\n".join(lines)
