"""An open database with accounts in it, for tests of what is stored; and what must always be true of it."""

import hashlib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import peewee

from appliance import db, sealing
from appliance.accounts import accounts, passwords
from appliance.db.tables import Account as AccountRow
from appliance.db.tables import Blob, Content, Folder, Item, QueueEntry, Tombstone
from appliance.delivery import arrival
from appliance.items.account import Account
from appliance.items.envelope import Envelope
from appliance.items.folder import FolderType
from appliance.items.message import Arrival, Message
from appliance.settings import Passwords
from appliance.store import blobs, folders, messages

DOMAIN = "example.test"
HOSTNAME = "mail.example.test"
OUTSIDE = "outside@example.net"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CHEAP = Passwords(passes=1, memory_kib=8, lanes=1)
_numbers = itertools.count(1)


@contextmanager
def configured(data_dir: Path) -> Iterator[None]:
    """Make an open database ready for accounts and blobs; puts back what other tests rely on."""
    passwords.configure(CHEAP)
    blobs.configure(data_dir)
    sealing.configure(data_dir)
    accounts.add_domain(DOMAIN)
    try:
        yield
    finally:
        passwords.configure(Passwords())


def account(name: str, *, quota_bytes: int = 0, is_admin: bool = False) -> Account:
    """Make an account."""
    address = f"{name}@{DOMAIN}"
    return accounts.create(address, "a long enough password", quota_bytes=quota_bytes, is_admin=is_admin)


def used_bytes(account_id: int) -> int:
    """Return what an account uses."""
    with db.connection():
        return accounts.get(account_id).used_bytes


def modseq_of(account_id: int) -> int:
    """Return the last change number an account has handed out."""
    with db.connection():
        row = AccountRow.select(AccountRow.modseq).where(AccountRow.id == account_id).tuples().first()
    return int(row[0])


def special(account_id: int, type_: FolderType = FolderType.INBOX) -> int:
    """Return the id of a special folder."""
    with db.connection():
        return folders.special(account_id, type_).id


def mail(subject: str = "", *, text: str = "Hello.", size: int = 0) -> bytes:
    """Return a message that nobody has sent before; padded to about `size` bytes."""
    subject = subject or f"Message {next(_numbers)}"
    head = f"From: {OUTSIDE}\r\nTo: anna@{DOMAIN}\r\nSubject: {subject}\r\n\r\n{text}\r\n"
    return head.encode() + b"padding padding padding\r\n" * max(0, (size - len(head)) // 25)


def envelope(*names: str, sender: str = OUTSIDE) -> Envelope:
    """Return an envelope for local parts of our domain; a name with an @ is taken as it is."""
    paths = tuple(name if "@" in name else f"{name}@{DOMAIN}" for name in names)
    return Envelope(reverse_path=sender, forward_paths=paths, received_at=NOW)


def prepared(raw: bytes | None = None) -> Arrival:
    """Return a message ready to be filed."""
    return arrival.prepare(mail() if raw is None else raw)


def file(
    account_id: int, folder_id: int | None = None, raw: bytes | None = None, at: datetime = NOW, **how: bool
) -> int:
    """Put a message into a folder, the Inbox unless told otherwise, and return its id."""
    where = special(account_id) if folder_id is None else folder_id
    return messages.file(account_id, where, prepared(raw), received_at=at, **how)


def message(account_id: int, item_id: int) -> Message:
    """Return one message."""
    with db.connection():
        return messages.get(account_id, item_id)


def listing(account_id: int, folder_id: int | None = None) -> list[Message]:
    """Return the messages of a folder, newest first."""
    with db.connection():
        where = special(account_id) if folder_id is None else folder_id
        return messages.list_page(account_id, where, limit=10_000)


def subjects(account_id: int, type_: FolderType = FolderType.INBOX) -> list[str]:
    """Return the subjects in a special folder, sorted."""
    return sorted(found.subject for found in listing(account_id, special(account_id, type_)))


def raw_of(account_id: int, item_id: int) -> bytes:
    """Return the bytes of a message."""
    with db.connection():
        return messages.raw(messages.get(account_id, item_id))


def blob_count() -> int:
    """Return how many blobs are named."""
    with db.connection():
        return int(Blob.select().count())


def check_invariants() -> None:
    """Assert what holds of every database at every moment, whatever was done to it."""
    with db.snapshot():
        _check_folders()
        _check_accounts()
        _check_numbers()
        _check_blobs()


def _check_folders() -> None:
    for folder_id, total, unread, is_deleted in Folder.select(
        Folder.id, Folder.total, Folder.unread, Folder.is_deleted
    ).tuples():
        items = list(Item.select(Item.is_read).where(Item.folder == folder_id).tuples())
        assert (total, unread) == (len(items), sum(not row[0] for row in items)), f"folder {folder_id}"
        assert not (is_deleted and items), f"deleted folder {folder_id} has items"


def _check_accounts() -> None:
    for account_id, used in AccountRow.select(AccountRow.id, AccountRow.used_bytes).tuples():
        sizes = Item.select(peewee.fn.COALESCE(peewee.fn.SUM(Item.size), 0)).where(Item.account == account_id)
        assert used == int(sizes.scalar()), f"account {account_id}"


def _check_numbers() -> None:
    """Numbers are unique in a folder, none is beyond its account's counter, no id is live and dead."""
    last = dict(AccountRow.select(AccountRow.id, AccountRow.modseq).tuples())
    seen: set[tuple[int, int]] = set()
    ids: set[int] = set()
    for table in (Item, Tombstone):
        columns = (table.id, table.account, table.folder, table.modseq, table.created_modseq)
        for item_id, account_id, folder_id, number, created in table.select(*columns).tuples():
            assert 0 < created <= number <= last[account_id]
            assert (folder_id, number) not in seen, f"number {number} twice in folder {folder_id}"
            assert item_id not in ids, f"item {item_id} is live and dead"
            seen.add((folder_id, number))
            ids.add(item_id)
    about = (Folder.id, Folder.account, Folder.items_modseq)
    for folder_id, account_id, latest in Folder.select(*about).where(~Folder.is_deleted).tuples():
        assert latest == max((n for f, n in seen if f == folder_id), default=0) <= last[account_id]


def _check_blobs() -> None:
    """Every blob is used, whole and readable; everything used is named and has its content."""
    named = {bytes(row[0]): row[1] for row in Blob.select(Blob.digest, Blob.size).tuples()}
    in_items = {bytes(row[0]) for row in Item.select(Item.blob).tuples()}
    in_queue = {bytes(row[0]) for row in QueueEntry.select(QueueEntry.blob).tuples()}
    assert set(named) == in_items | in_queue
    for digest, size in named.items():
        raw = blobs.read(digest)
        assert (hashlib.sha256(raw).digest(), len(raw)) == (digest, size)
    contents = {bytes(row[0]) for row in Content.select(Content.digest).tuples()}
    assert in_items <= contents <= set(named)
