"""Messages in folders: filed, read, flagged, moved, deleted. Every write takes a change number.

Every function resolves ids inside the given account: a stranger's id raises NotFound like one that
does not exist. `changed_by` is the `Device.id` whose Sync made the change, None for everybody else;
see `db.tables.Item`.
"""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from appliance import db
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Account, Item
from appliance.db.tables import Content as ContentRow
from appliance.db.tables import Folder as FolderRow
from appliance.db.tables import Tombstone as TombstoneRow
from appliance.errors import Conflict, NotFound, QuotaExceeded
from appliance.items.folder import Folder, FolderType
from appliance.items.message import Arrival, Content, Flag, Message, Tombstone
from appliance.store import blobs, folders, modseq
from appliance.store.rows import (
    MESSAGE_COLUMNS,
    TOMBSTONE_COLUMNS,
    categories_to_json,
    flag_to_json,
    message_of,
    tombstone_of,
)

# --- reading ------------------------------------------------------------------------------------


def get(account_id: int, item_id: int) -> Message:
    """Return one message of the account; raises NotFound."""
    row = (
        Item.select(*MESSAGE_COLUMNS)
        .where((Item.id == item_id) & (Item.account == account_id))
        .tuples()
        .first()
    )
    if row is None:
        raise NotFound("no such message")
    return message_of(row)


def in_folder(account_id: int, folder_id: int, item_id: int) -> Message:
    """Return one message of the account that lies in that folder; raises NotFound."""
    message = get(account_id, item_id)
    if message.folder_id != folder_id:
        raise NotFound("no such message in this folder")
    return message


def list_page(
    account_id: int, folder_id: int, *, before: tuple[datetime, int] | None = None, limit: int = 100
) -> list[Message]:
    """Return up to `limit` messages of a folder, newest first, after the `(received_at, id)` before."""
    folder = folders.get(account_id, folder_id)
    condition = Item.folder == folder.id
    if before is not None:
        moment, item_id = before
        condition &= (Item.received_at < moment) | ((Item.received_at == moment) & (Item.id < item_id))
    query = Item.select(*MESSAGE_COLUMNS).where(condition)
    query = query.order_by(Item.received_at.desc(), Item.id.desc()).limit(limit)
    return [message_of(row) for row in query.tuples()]


def raw(message: Message) -> bytes:
    """Return the message's RFC 5322 bytes exactly as they were accepted."""
    return blobs.read(message.digest)


def content(digest: bytes) -> Content:
    """Return what was derived from the bytes on arrival; raises NotFound."""
    found = contents([digest])
    if digest not in found:
        raise NotFound("no such content")
    return found[digest]


def contents(digests: Iterable[bytes]) -> dict[bytes, Content]:
    """Return `content` of many digests at once; missing ones are left out."""
    query = ContentRow.select(
        ContentRow.digest, ContentRow.structure, ContentRow.text, ContentRow.is_text_complete
    ).where(ContentRow.digest.in_(list(set(digests))))
    return {bytes(row[0]): Content(*row[1:]) for row in query.tuples()}


def tombstone(account_id: int, item_id: int) -> Tombstone | None:
    """Return what became of an item that left its folder; None when it is live or never was."""
    row = (
        TombstoneRow.select(*TOMBSTONE_COLUMNS)
        .where((TombstoneRow.id == item_id) & (TombstoneRow.account == account_id))
        .tuples()
        .first()
    )
    return None if row is None else tombstone_of(row)


# --- adding -------------------------------------------------------------------------------------


@db.transaction
def file(
    account_id: int,
    folder_id: int,
    arrival: Arrival,
    *,
    received_at: datetime | None = None,
    is_read: bool = False,
    is_draft: bool = False,
    changed_by: int | None = None,
) -> int:
    """Add one message to a folder and return its id; durable when it returns.

    Raises NotFound (folder), QuotaExceeded. Phones are told after the commit.
    """
    folder = folders.get(account_id, folder_id)
    _charge(account_id, arrival.blob.size)
    _link(arrival)
    number = modseq.take(account_id)
    row = Item.create(
        account=account_id,
        folder=folder.id,
        blob=arrival.blob.digest,
        size=arrival.blob.size,
        received_at=received_at or SYSTEM_CLOCK.now(),
        is_read=is_read,
        is_draft=is_draft,
        **_all_modseqs(number),
        created_by=changed_by,
        changed_by=changed_by,
        changed_since=number,
        **asdict(arrival.columns),
    )
    _folder_changed(account_id, folder.id, number, total=1, unread=0 if is_read else 1)
    return int(row.id)


@db.transaction
def replace(
    account_id: int, item_id: int, arrival: Arrival, *, changed_by: int | None = None, **state: Any
) -> None:
    """Give a draft new bytes under the same id; raises NotFound, QuotaExceeded."""
    message = get(account_id, item_id)
    _charge(account_id, arrival.blob.size - message.size)
    _link(arrival)
    _touch(
        message,
        changed_by,
        "content_modseq",
        blob=arrival.blob.digest,
        size=arrival.blob.size,
        **asdict(arrival.columns),
        **state,
    )
    if message.digest != arrival.blob.digest:
        blobs.unlink_unused({message.digest})


# --- state a client may change --------------------------------------------------------------------


@db.transaction
def set_read(account_id: int, item_id: int, is_read: bool, *, changed_by: int | None = None) -> None:
    """Mark a message read or unread; nothing happens when it already is. Raises NotFound."""
    message = get(account_id, item_id)
    if message.is_read != is_read:
        _touch(message, changed_by, "read_modseq", is_read=is_read)


@db.transaction
def set_flag(account_id: int, item_id: int, flag: Flag | None, *, changed_by: int | None = None) -> None:
    """Set or clear (None) the follow-up flag. Raises NotFound."""
    message = get(account_id, item_id)
    if message.flag != flag:
        _touch(message, changed_by, "flag_modseq", flag=flag_to_json(flag))


@db.transaction
def set_categories(
    account_id: int, item_id: int, categories: tuple[str, ...], *, changed_by: int | None = None
) -> None:
    """Replace the categories. Raises NotFound."""
    message = get(account_id, item_id)
    if message.categories != categories:
        _touch(message, changed_by, "categories_modseq", categories=categories_to_json(categories))


@db.transaction
def set_last_verb(account_id: int, item_id: int, verb: int, at: datetime) -> None:
    """Remember that the message was replied to (1), replied to all (2) or forwarded (3)."""
    message = get(account_id, item_id)
    _touch(message, None, "content_modseq", last_verb=verb, last_verb_at=at)


# --- leaving a folder -----------------------------------------------------------------------------


@db.transaction
def move(account_id: int, item_id: int, folder_id: int, *, changed_by: int | None = None) -> int:
    """Move a message to another folder and return its new id.

    The mover is not told that the message left the old folder; everybody, the mover too, is told that
    it arrived in the new one.

    Repeating a move that has happened returns the same id again. Raises NotFound (item, folder),
    Conflict (it is in that folder already).
    """
    gone = tombstone(account_id, item_id)
    if gone is not None and gone.moved_to is not None:
        return _moved_before(account_id, gone.moved_to, folder_id)
    message = get(account_id, item_id)
    target = folders.get(account_id, folder_id)
    if target.id == message.folder_id:
        raise Conflict("the message is in that folder already")
    arrives = modseq.take(account_id, 2)
    leaves = arrives - 1
    row = Item.get_by_id(item_id)
    values = dict(row.__data__)
    for name in ("id", "folder", "created_by", "changed_by", "changed_since"):
        values.pop(name)
    values.update(_all_modseqs(arrives))
    # The old row goes first: a message is never in two folders, not even inside the transaction.
    Item.delete().where(Item.id == item_id).execute()
    new_id = int(Item.create(folder=target.id, changed_since=arrives, **values).id)
    _bury(message, leaves, changed_by, moved_to=new_id)
    unread = 0 if message.is_read else 1
    _folder_changed(account_id, message.folder_id, leaves, total=-1, unread=-unread)
    _folder_changed(account_id, target.id, arrives, total=1, unread=unread)
    return new_id


@db.transaction
def delete(account_id: int, item_id: int, *, changed_by: int | None = None) -> None:
    """Remove a message for good; raises NotFound."""
    message = get(account_id, item_id)
    number = modseq.take(account_id)
    Item.delete().where(Item.id == item_id).execute()
    _bury(message, number, changed_by)
    _charge(account_id, -message.size)
    blobs.unlink_unused({message.digest})
    _folder_changed(account_id, message.folder_id, number, total=-1, unread=0 if message.is_read else -1)


@db.transaction
def discard(account_id: int, item_id: int, *, changed_by: int | None = None) -> int | None:
    """Do what a user means by deleting: to Deleted Items, or for good when it is there already.

    Returns the new id in Deleted Items, None when it is gone for good. Raises NotFound.
    """
    message = get(account_id, item_id)
    bin_folder = folders.special(account_id, FolderType.DELETED)
    if message.folder_id == bin_folder.id:
        delete(account_id, item_id, changed_by=changed_by)
        return None
    return move(account_id, item_id, bin_folder.id, changed_by=changed_by)


@db.transaction
def empty_folder(account_id: int, folder_id: int, *, with_folders: bool = False) -> int:
    """Remove every message of a folder for good and return how many there were; its folders if asked."""
    folder = folders.get(account_id, folder_id)
    ids = [row[0] for row in Item.select(Item.id).where(Item.folder == folder.id).tuples()]
    for item_id in ids:
        delete(account_id, item_id)
    for child in _children(account_id, folder) if with_folders else ():
        delete_folder(account_id, child.id)
    return len(ids)


@db.transaction
def delete_folder(account_id: int, folder_id: int, *, changed_by: int | None = None) -> None:
    """Delete a folder with everything in and below it; raises NotFound, Denied (special)."""
    folder = folders.get(account_id, folder_id)
    for child in _children(account_id, folder):
        delete_folder(account_id, child.id, changed_by=changed_by)
    folders.mark_deleted(account_id, folder, changed_by=changed_by)
    for row in Item.select(Item.id).where(Item.folder == folder.id).tuples():
        item = get(account_id, row[0])
        Item.delete().where(Item.id == item.id).execute()
        _charge(account_id, -item.size)
        blobs.unlink_unused({item.digest})


# --- inside a transaction -------------------------------------------------------------------------


def _link(arrival: Arrival) -> None:
    blobs.link(arrival.blob)
    ContentRow.insert(digest=arrival.blob.digest, **asdict(arrival.content)).on_conflict_ignore().execute()


def _touch(message: Message, changed_by: int | None, part: str, **values: Any) -> None:
    """Write a change of one part of an item under the next change number."""
    number = modseq.take(message.account_id)
    # A run of changes by one device goes on; anybody else's change ends it.
    continues = changed_by is not None and message.changed_by == changed_by
    Item.update(
        modseq=number,
        changed_by=changed_by,
        changed_since=message.changed_since if continues else number,
        **{part: number},
        **values,
    ).where(Item.id == message.id).execute()
    is_read = bool(values.get("is_read", message.is_read))
    _folder_changed(
        message.account_id, message.folder_id, number, total=0, unread=int(message.is_read) - int(is_read)
    )


def _bury(message: Message, number: int, changed_by: int | None, moved_to: int | None = None) -> None:
    TombstoneRow.create(
        id=message.id,
        account=message.account_id,
        folder=message.folder_id,
        modseq=number,
        created_modseq=message.created_modseq,
        received_at=message.received_at,
        changed_by=changed_by,
        moved_to=moved_to,
    )


def _moved_before(account_id: int, item_id: int, folder_id: int) -> int:
    if get(account_id, item_id).folder_id != folder_id:
        raise NotFound("the message has moved on")
    return item_id


def _children(account_id: int, folder: Folder) -> list[Folder]:
    return [child for child in folders.list_folders(account_id) if child.parent_id == folder.id]


def _all_modseqs(number: int) -> dict[str, int]:
    names = ("modseq", "created_modseq", "content_modseq", "read_modseq", "flag_modseq", "categories_modseq")
    return dict.fromkeys(names, number)


def _charge(account_id: int, size: int) -> None:
    """Add to the account's used bytes; raises QuotaExceeded when that would pass its quota."""
    row = (
        Account.update(used_bytes=Account.used_bytes + size)
        .where(Account.id == account_id)
        .returning(Account.used_bytes, Account.quota_bytes)
        .tuples()
    )
    for used, quota in row:
        if size > 0 and quota and used > quota:
            raise QuotaExceeded("the mailbox is full")
        return
    raise NotFound("no such account")


def _folder_changed(account_id: int, folder_id: int, number: int, *, total: int, unread: int) -> None:
    FolderRow.update(
        items_modseq=number, total=FolderRow.total + total, unread=FolderRow.unread + unread
    ).where(FolderRow.id == folder_id).execute()
    modseq.announce(account_id, folder_id)
