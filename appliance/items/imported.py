"""Messages from elsewhere, with what is known of them there, before they are filed here."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Marks:
    """What was done with a message where it comes from. is_read is None when nobody says."""

    is_read: bool | None = None
    is_flagged: bool = False
    is_answered: bool = False
    is_forwarded: bool = False
    is_deleted: bool = False  # marked to be removed, as IMAP and Maildir do


@dataclass(frozen=True, slots=True)
class Imported:
    """One message. source: where it was, for a report. folder: names, the outermost first; () is the top."""

    source: str
    folder: tuple[str, ...]
    raw: bytes
    received_at: datetime
    marks: Marks = Marks()


@dataclass(frozen=True, slots=True)
class Unread:
    """A message, or a file of them, that could not be read, and why."""

    source: str
    error: str


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder there: its name as the server has it, the same in its parts, attributes such as `\\Sent`."""

    name: str
    path: tuple[str, ...]
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoteMessage:
    """One message; raw is None when it is too large to be brought along. flags: lower case."""

    uid: int
    raw: bytes | None
    received_at: datetime
    flags: frozenset[str]
