"""What a client may change of a message where it lies: read, flag, categories, what was done with it.

`changed_by` is the `Device.id` whose Sync made the change, None for everybody else; see
`db.tables.Item`. A change that changes nothing takes no number.
"""

from datetime import datetime
from typing import Any

from appliance import db
from appliance.db.tables import Item
from appliance.items.message import Flag, Message
from appliance.store import folders, modseq
from appliance.store.lookup import get
from appliance.store.rows import categories_to_json, flag_to_json


@db.transaction
def set_read(account_id: int, item_id: int, is_read: bool, *, changed_by: int | None = None) -> None:
    """Mark a message read or unread; nothing happens when it already is. Raises NotFound."""
    message = _held(account_id, item_id)
    if message.is_read != is_read:
        touch(message, changed_by, "read_modseq", is_read=is_read)


@db.transaction
def set_flag(account_id: int, item_id: int, flag: Flag | None, *, changed_by: int | None = None) -> None:
    """Set or clear (None) the follow-up flag. Raises NotFound."""
    message = _held(account_id, item_id)
    if message.flag != flag:
        touch(message, changed_by, "flag_modseq", flag=flag_to_json(flag))


@db.transaction
def set_categories(
    account_id: int, item_id: int, categories: tuple[str, ...], *, changed_by: int | None = None
) -> None:
    """Replace the categories. Raises NotFound."""
    message = _held(account_id, item_id)
    if message.categories != categories:
        touch(message, changed_by, "categories_modseq", categories=categories_to_json(categories))


@db.transaction
def set_last_verb(account_id: int, item_id: int, verb: int, at: datetime) -> None:
    """Remember that the message was replied to (1), replied to all (2) or forwarded (3)."""
    message = _held(account_id, item_id)
    touch(message, None, "content_modseq", last_verb=verb, last_verb_at=at)


def touch(message: Message, changed_by: int | None, part: str, *, growth: int = 0, **values: Any) -> None:
    """Write a change of one part of an item under the next change number.

    Needs a transaction that held the account before it read the message. growth: bytes the account uses
    more; raises QuotaExceeded.
    """
    number = modseq.take(message.account_id, size=growth)
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
    unread = int(message.is_read) - int(is_read)
    folders.items_changed(message.account_id, message.folder_id, number, unread=unread)


def _held(account_id: int, item_id: int) -> Message:
    modseq.hold([account_id])
    return get(account_id, item_id)
