"""A stored mail message as everything above the database speaks of it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Flag:
    """A follow-up flag. Source: MS-ASEMAIL 2.2.2.34 Flag.

    status: 1 complete, 2 active (a cleared flag is no Flag at all). Dates are aware UTC.
    """

    status: int
    flag_type: str = "Flag for follow up"
    subject: str | None = None
    start_date: datetime | None = None
    due_date: datetime | None = None
    utc_start_date: datetime | None = None
    utc_due_date: datetime | None = None
    reminder_set: bool | None = None
    reminder_time: datetime | None = None
    complete_time: datetime | None = None
    date_completed: datetime | None = None
    ordinal_date: datetime | None = None
    sub_ordinal_date: str | None = None


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Bytes that are stored, or will be with the row: `data` is None once a file holds them."""

    digest: bytes
    size: int
    data: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListColumns:
    """What a list shows of a message, derived from its bytes once, on arrival.

    `sender_from` is the From header for display; `sender` is filled only when it differs.
    """

    subject: str = ""
    thread_topic: str = ""
    sender_from: str = ""
    sender: str = ""
    reply_to: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    display_to: str = ""
    preview: str = ""
    importance: int = 1
    message_class: str = "IPM.Note"
    native_body_type: int = 1
    internet_cpid: int = 65001
    has_attachments: bool = False
    message_id: str = ""
    conversation_id: bytes = b""
    conversation_index: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A message ready to be filed: durable bytes, and everything derived from them."""

    blob: BlobRef
    content: "Content"
    columns: ListColumns


@dataclass(frozen=True, slots=True)
class Content:
    """What was derived from a message's bytes once, on arrival.

    structure: `mime.Structure` as JSON. text: the plain text body, cut when not `is_text_complete`.
    attachment_names: file names as the sender gave them, one a line, for searching.
    """

    structure: str
    text: str
    is_text_complete: bool
    attachment_names: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(ListColumns):
    """One message in one folder: its state and its list columns, without its bytes.

    `digest` names the RFC 5322 bytes (`store.blobs`) and what was derived from them
    (`store.messages.content`). The `*_modseq` fields say when each part changed last;
    the device `created_by` added it, the device `changed_by` made every change since `changed_since`.
    """

    id: int
    account_id: int
    folder_id: int
    digest: bytes
    size: int
    modseq: int
    created_modseq: int
    content_modseq: int
    read_modseq: int
    flag_modseq: int
    categories_modseq: int
    created_by: int | None
    changed_by: int | None
    changed_since: int
    received_at: datetime
    is_read: bool
    flag: Flag | None
    categories: tuple[str, ...]
    last_verb: int
    last_verb_at: datetime | None
    is_draft: bool
    received_as_bcc: bool = False


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An item that left its folder: deleted, or moved to the item `moved_to`."""

    id: int
    folder_id: int
    modseq: int
    created_modseq: int
    received_at: datetime
    changed_by: int | None
    moved_to: int | None
    created_by: int | None = None
