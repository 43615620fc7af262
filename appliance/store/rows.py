"""Rows to values and back: the only place that knows how items look in the tables."""

import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from operator import attrgetter
from typing import Any

from appliance.db.tables import Folder as FolderRow
from appliance.db.tables import Item, from_microseconds, to_microseconds
from appliance.db.tables import Tombstone as TombstoneRow
from appliance.items.folder import Folder
from appliance.items.message import Arrival, Flag, ListColumns, Message, Tombstone
from appliance.store.statement import Statement

FOLDER_COLUMNS = (
    FolderRow.id,
    FolderRow.account,
    FolderRow.parent,
    FolderRow.name,
    FolderRow.type,
    FolderRow.modseq,
    FolderRow.created_modseq,
    FolderRow.changed_by,
    FolderRow.is_deleted,
    FolderRow.items_modseq,
    FolderRow.total,
    FolderRow.unread,
)

LIST_FIELDS = tuple(field.name for field in fields(ListColumns))
_STATE_FIELDS = (
    "id",
    "account_id",
    "folder_id",
    "digest",
    "size",
    "modseq",
    "created_modseq",
    "content_modseq",
    "read_modseq",
    "flag_modseq",
    "categories_modseq",
    "created_by",
    "changed_by",
    "changed_since",
    "received_at",
    "is_read",
    "is_draft",
    "received_as_bcc",
    "last_verb",
    "last_verb_at",
)
_ROW_NAME = {"account_id": "account", "folder_id": "folder", "digest": "blob"}
_PLAIN_FIELDS = _STATE_FIELDS + LIST_FIELDS
MESSAGE_COLUMNS = (
    Item.flag,
    Item.categories,
    *(getattr(Item, _ROW_NAME.get(name, name)) for name in _PLAIN_FIELDS),
)
TOMBSTONE_COLUMNS = (
    TombstoneRow.id,
    TombstoneRow.folder,
    TombstoneRow.modseq,
    TombstoneRow.created_modseq,
    TombstoneRow.received_at,
    TombstoneRow.changed_by,
    TombstoneRow.moved_to,
    TombstoneRow.created_by,
)
_BINARY_FIELDS = ("digest", "conversation_id", "conversation_index")

MODSEQ_COLUMNS = (
    "modseq",
    "created_modseq",
    "content_modseq",
    "read_modseq",
    "flag_modseq",
    "categories_modseq",
)
"""What a new item gets the same number for."""

_NEW_ITEM_COLUMNS = (
    *("account_id", "folder_id", "digest", "size", "received_at", "is_read", "is_draft"),
    "received_as_bcc",
    *("created_by", "changed_by", "changed_since", *MODSEQ_COLUMNS),
    *("flag", "categories", "last_verb"),
    *LIST_FIELDS,
)
_INSERT_ITEM = Statement(
    f"INSERT INTO item ({', '.join(f'"{name}"' for name in _NEW_ITEM_COLUMNS)})"
    f" VALUES ({', '.join('?' * len(_NEW_ITEM_COLUMNS))}) RETURNING id"
)
_list_values = attrgetter(*LIST_FIELDS)


def insert_item(
    account_id: int,
    folder_id: int,
    arrival: Arrival,
    number: int,
    *,
    received_at: datetime,
    is_read: bool,
    is_draft: bool,
    received_as_bcc: bool = False,
    created_by: int | None,
) -> int:
    """Write the row of a new item, created and last changed at `number`, and return its id."""
    blob = arrival.blob
    rows = _INSERT_ITEM.rows(
        *(account_id, folder_id, blob.digest, blob.size, to_microseconds(received_at), is_read, is_draft),
        received_as_bcc,
        *(created_by, created_by, number, *[number] * len(MODSEQ_COLUMNS)),
        *("", "", 0),
        *_list_values(arrival.columns),
    )
    return int(rows[0][0])


def folder_of(row: tuple[Any, ...]) -> Folder:
    """Return the Folder of a FOLDER_COLUMNS tuple."""
    folder_id, account, parent, *rest = row
    return Folder(folder_id, account, parent or 0, *rest)


def message_of(row: tuple[Any, ...]) -> Message:
    """Return the Message of a MESSAGE_COLUMNS tuple."""
    flag, categories, *plain = row
    values = dict(zip(_PLAIN_FIELDS, plain, strict=True))
    for name in _BINARY_FIELDS:  # a memoryview on PostgreSQL
        values[name] = bytes(values[name])
    return Message(
        flag=flag_from_json(flag) if flag else None,
        categories=tuple(json.loads(categories)) if categories else (),
        **values,
    )


def tombstone_of(row: tuple[Any, ...]) -> Tombstone:
    """Return the Tombstone of a TOMBSTONE_COLUMNS tuple."""
    return Tombstone(*row)


def categories_to_json(categories: Iterable[str]) -> str:
    """Return the column value of a list of categories; "" when there are none."""
    names = list(categories)
    return json.dumps(names, ensure_ascii=False) if names else ""


def flag_to_json(flag: Flag | None) -> str:
    """Return the column value of a flag; "" when not flagged."""
    if flag is None:
        return ""
    values = {field.name: getattr(flag, field.name) for field in fields(Flag)}
    return json.dumps(
        {
            name: to_microseconds(value) if isinstance(value, datetime) else value
            for name, value in values.items()
            if value is not None
        },
        ensure_ascii=False,
    )


def flag_from_json(text: str) -> Flag:
    """Return the Flag of a column value written by `flag_to_json`."""
    values = json.loads(text)
    for name in _FLAG_DATES & values.keys():
        values[name] = from_microseconds(values[name])
    return Flag(**values)


_FLAG_DATES = {
    "start_date",
    "due_date",
    "utc_start_date",
    "utc_due_date",
    "reminder_time",
    "complete_time",
    "date_completed",
    "ordinal_date",
}
