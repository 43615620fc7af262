"""Messages found and read: one, a page of a folder, their bytes, what was derived from them.

Every function resolves ids inside the given account: a stranger's id raises NotFound like one that
does not exist. Leaves feeds of changes to `changes`, and writing to `filing`, `messages` and `leaving`.
"""

from collections.abc import Iterable
from datetime import datetime

from appliance.db.tables import Content as ContentRow
from appliance.db.tables import Item
from appliance.db.tables import Tombstone as TombstoneRow
from appliance.errors import NotFound
from appliance.items.message import Content, Message, Tombstone
from appliance.store import blobs, folders
from appliance.store.rows import MESSAGE_COLUMNS, TOMBSTONE_COLUMNS, message_of, tombstone_of


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


def current(account_id: int, item_id: int) -> Message:
    """Return a message wherever it was moved since somebody heard of it under this id; raises NotFound."""
    while (gone := tombstone(account_id, item_id)) is not None and gone.moved_to is not None:
        item_id = gone.moved_to
    return get(account_id, item_id)


def in_folder(account_id: int, folder_id: int, item_id: int) -> Message:
    """Return one message of the account that lies in that folder; raises NotFound."""
    message = get(account_id, item_id)
    if message.folder_id != folder_id:
        raise NotFound("no such message in this folder")
    return message


def is_filed(account_id: int, folder_id: int, message_id: str, *, since: datetime) -> bool:
    """Say whether a message of this Message-ID came into a folder since then."""
    same = (Item.account == account_id) & (Item.message_id == message_id) & (Item.folder == folder_id)
    return bool(Item.select().where(same & (Item.received_at >= since)).exists())


def list_page(
    account_id: int, folder_id: int, *, before: tuple[datetime, int] | None = None, limit: int = 100
) -> list[Message]:
    """Return up to `limit` messages of a folder, newest first, after the `(received_at, id)` before."""
    folder = folders.get(account_id, folder_id)
    condition = Item.folder == folder.id
    if before is not None:
        moment, item_id = before
        # The first bound alone would do for SQLite to seek its index; the OR would make it scan.
        condition &= Item.received_at <= moment
        condition &= (Item.received_at < moment) | (Item.id < item_id)
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
    """Return what became of an item that left its folder; None when it is live or never was.

    Those that were deleted with their folder are not remembered one by one.
    """
    row = (
        TombstoneRow.select(*TOMBSTONE_COLUMNS)
        .where((TombstoneRow.id == item_id) & (TombstoneRow.account == account_id))
        .tuples()
        .first()
    )
    return None if row is None else tombstone_of(row)
