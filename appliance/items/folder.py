"""Folders as everything above the database speaks of them.

Source: MS-ASCMD 2.2.3.186 Type (FolderSync).
"""

from dataclasses import dataclass
from enum import IntEnum


class FolderType(IntEnum):
    """MS-ASCMD Type (FolderSync, FolderCreate); 2..11 and 19 exist once and belong to the server."""

    USER = 1
    INBOX = 2
    DRAFTS = 3
    DELETED = 4
    SENT = 5
    OUTBOX = 6
    TASKS = 7
    CALENDAR = 8
    CONTACTS = 9
    NOTES = 10
    JOURNAL = 11
    USER_MAIL = 12
    USER_CALENDAR = 13
    USER_CONTACTS = 14
    USER_TASKS = 15
    USER_JOURNAL = 16
    USER_NOTES = 17


CLASS_OF_TYPE: dict[int, str] = {
    FolderType.USER: "Email",
    FolderType.INBOX: "Email",
    FolderType.DRAFTS: "Email",
    FolderType.DELETED: "Email",
    FolderType.SENT: "Email",
    FolderType.OUTBOX: "Email",
    FolderType.TASKS: "Tasks",
    FolderType.CALENDAR: "Calendar",
    FolderType.CONTACTS: "Contacts",
    FolderType.NOTES: "Notes",
    FolderType.USER_MAIL: "Email",
    FolderType.USER_CALENDAR: "Calendar",
    FolderType.USER_CONTACTS: "Contacts",
    FolderType.USER_TASKS: "Tasks",
    FolderType.USER_NOTES: "Notes",
}

# Made together with every account. Junk and Archive have no type of their own in MS-ASCMD: phones
# know them by name, so the names are the ones phones look for.
JUNK_NAME = "Junk Email"
ARCHIVE_NAME = "Archive"
SPECIAL_FOLDERS: tuple[tuple[str, FolderType], ...] = (
    ("Inbox", FolderType.INBOX),
    ("Drafts", FolderType.DRAFTS),
    ("Sent Items", FolderType.SENT),
    ("Deleted Items", FolderType.DELETED),
    (JUNK_NAME, FolderType.USER_MAIL),
    ("Outbox", FolderType.OUTBOX),
    (ARCHIVE_NAME, FolderType.USER_MAIL),
    ("Calendar", FolderType.CALENDAR),
    ("Contacts", FolderType.CONTACTS),
    ("Tasks", FolderType.TASKS),
    ("Notes", FolderType.NOTES),
)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of one account; `parent_id` is 0 at the top."""

    id: int
    account_id: int
    parent_id: int
    name: str
    type: int
    modseq: int
    created_modseq: int
    changed_by: int | None
    is_deleted: bool
    items_modseq: int
    total: int
    unread: int

    @property
    def content_class(self) -> str:
        """The MS-AS class of the items in it; "" for a folder phones cannot synchronise."""
        return CLASS_OF_TYPE.get(self.type, "")
