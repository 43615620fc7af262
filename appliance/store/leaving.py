"""Messages that leave a folder: moved, deleted, with all others, with the folder itself.

Whatever leaves a folder that lives on leaves a tombstone, so that every device hears of it. What goes
with its folder needs none: devices are told of the folder, and nobody can ask for its items any more.

Large folders are emptied in steps, each a transaction of its own, so that nobody waits for the last
message; after a crash in between a repetition goes on where it stopped. Inside a transaction of the
caller everything is part of that one.
"""

from appliance import db
from appliance.db.tables import Item
from appliance.db.tables import Tombstone as TombstoneRow
from appliance.errors import Conflict, NotFound
from appliance.items.folder import Folder, FolderType
from appliance.items.message import Message
from appliance.store import blobs, folders, lessons, modseq, search_index
from appliance.store.lookup import get, tombstone
from appliance.store.rows import MODSEQ_COLUMNS

ITEMS_AT_ONCE = 500  # messages removed in one transaction


@db.transaction
def move(account_id: int, item_id: int, folder_id: int, *, changed_by: int | None = None) -> int:
    """Move a message to another folder and return its new id.

    The mover is not told that the message left the old folder; everybody, the mover too, is told that
    it arrived in the new one.

    Repeating a move that has happened returns the same id again, as long as the message is still there.
    Raises NotFound (item, folder), Conflict (it is in that folder already).
    """
    modseq.hold([account_id])
    gone = tombstone(account_id, item_id)
    if gone is not None and gone.moved_to is not None:
        return _moved_before(account_id, gone.moved_to, folder_id)
    message = get(account_id, item_id)
    target = folders.get(account_id, folder_id)
    if target.id == message.folder_id:
        raise Conflict("the message is in that folder already")
    arrives = modseq.take(account_id, 2)
    leaves = arrives - 1
    values = dict(Item.get_by_id(item_id).__data__)
    for name in ("id", "folder", "created_by", "changed_by", "changed_since"):
        del values[name]
    values.update(dict.fromkeys(MODSEQ_COLUMNS, arrives))
    # The old row goes first: a message is never in two folders, not even inside the transaction.
    Item.delete().where(Item.id == item_id).execute()
    new_id = int(Item.create(folder=target.id, changed_since=arrives, **values).id)
    _bury(message, leaves, changed_by, moved_to=new_id)
    search_index.moved(item_id, new_id, target.id)
    lessons.moved(message.digest, folders.get(account_id, message.folder_id), target)
    unread = 0 if message.is_read else 1
    folders.items_changed(account_id, message.folder_id, leaves, total=-1, unread=-unread)
    folders.items_changed(account_id, target.id, arrives, total=1, unread=unread)
    return new_id


@db.transaction
def delete(account_id: int, item_id: int, *, changed_by: int | None = None) -> None:
    """Remove a message for good; raises NotFound."""
    modseq.hold([account_id])
    message = get(account_id, item_id)
    number = modseq.take(account_id, size=-message.size)
    search_index.forget(account_id, [item_id])
    Item.delete().where(Item.id == item_id).execute()
    _bury(message, number, changed_by)
    blobs.unlink_unused([message.digest])
    unread = 0 if message.is_read else -1
    folders.items_changed(account_id, message.folder_id, number, total=-1, unread=unread)


@db.transaction
def discard(account_id: int, item_id: int, *, changed_by: int | None = None) -> int | None:
    """Do what a user means by deleting: to Deleted Items, or for good when it is there already.

    Returns the new id in Deleted Items, None when it is gone for good. Raises NotFound.
    """
    modseq.hold([account_id])
    message = get(account_id, item_id)
    bin_folder = folders.special(account_id, FolderType.DELETED)
    if message.folder_id == bin_folder.id:
        delete(account_id, item_id, changed_by=changed_by)
        return None
    return move(account_id, item_id, bin_folder.id, changed_by=changed_by)


def empty_folder(account_id: int, folder_id: int, *, with_folders: bool = False) -> int:
    """Remove for good what a folder holds now and return how many messages it was; its folders if asked.

    Raises NotFound. What arrives meanwhile stays.
    """
    with db.connection():
        folder = folders.get(account_id, folder_id)
        children = [child for child in folders.below(account_id, folder) if child.parent_id == folder.id]
    removed = _empty(account_id, folder)
    for child in children if with_folders else ():
        _delete_folder_if_there(account_id, child.id)
    return removed


def delete_folder(account_id: int, folder_id: int, *, changed_by: int | None = None) -> None:
    """Delete a folder with everything in and below it; raises NotFound, Denied (special)."""
    with db.connection():
        tree = folders.deletable(account_id, folder_id)
    for folder in tree:
        _empty(account_id, folder)
    _delete_tree(account_id, folder_id, changed_by)


# --- in steps -------------------------------------------------------------------------------------


def _delete_folder_if_there(account_id: int, folder_id: int) -> None:
    try:
        delete_folder(account_id, folder_id)
    except NotFound:
        return  # somebody else was faster


def _empty(account_id: int, folder: Folder) -> int:
    removed = 0
    while count := _remove_some(account_id, folder.id, folder.items_modseq):
        removed += count
    return removed


@db.transaction
def _delete_tree(account_id: int, folder_id: int, changed_by: int | None) -> None:
    """Delete a folder and those below it, with what has arrived since they were emptied."""
    modseq.hold([account_id])
    for folder in reversed(folders.deletable(account_id, folder_id)):
        _empty(account_id, folder)
        folders.mark_deleted(account_id, folder, changed_by=changed_by)
        TombstoneRow.delete().where(
            (TombstoneRow.folder == folder.id) & TombstoneRow.moved_to.is_null()
        ).execute()


@db.transaction
def _remove_some(account_id: int, folder_id: int, created_max: int) -> int:
    """Remove the oldest messages that were created at or before a change number; return how many."""
    modseq.hold([account_id])
    is_meant = (
        (Item.folder == folder_id) & (Item.account == account_id) & (Item.created_modseq <= created_max)
    )
    columns = (
        *(Item.id, Item.created_modseq, Item.received_at, Item.is_read, Item.size, Item.blob),
        Item.created_by,
    )
    rows = list(
        Item.select(*columns).where(is_meant).order_by(Item.created_modseq).limit(ITEMS_AT_ONCE).tuples()
    )
    if not rows:
        return 0
    last = modseq.take(account_id, len(rows), size=-sum(row[4] for row in rows))
    first = last - len(rows) + 1
    TombstoneRow.insert_many(
        [
            (item_id, account_id, folder_id, number, created, received_at, created_by)
            for number, (item_id, created, received_at, *_, created_by) in enumerate(rows, first)
        ],
        fields=(
            *(TombstoneRow.id, TombstoneRow.account, TombstoneRow.folder, TombstoneRow.modseq),
            *(TombstoneRow.created_modseq, TombstoneRow.received_at, TombstoneRow.created_by),
        ),
    ).execute()
    search_index.forget(account_id, [row[0] for row in rows])
    Item.delete().where(Item.id.in_([row[0] for row in rows])).execute()
    blobs.unlink_unused(bytes(row[5]) for row in rows)
    unread = sum(not row[3] for row in rows)
    folders.items_changed(account_id, folder_id, last, total=-len(rows), unread=-unread)
    return len(rows)


# --- inside a transaction -------------------------------------------------------------------------


def _bury(message: Message, number: int, changed_by: int | None, moved_to: int | None = None) -> None:
    TombstoneRow.create(
        id=message.id,
        account=message.account_id,
        folder=message.folder_id,
        modseq=number,
        created_modseq=message.created_modseq,
        received_at=message.received_at,
        created_by=message.created_by,
        changed_by=changed_by,
        moved_to=moved_to,
    )


def _moved_before(account_id: int, item_id: int, folder_id: int) -> int:
    if get(account_id, item_id).folder_id != folder_id:
        raise NotFound("the message has moved on")
    return item_id
