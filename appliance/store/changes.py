"""What happened in a folder, and what it holds, each as an index range.

Four feeds, from which `eas.sync_delta` puts together what a device is missing. Each costs what it
yields, never the size of the folder. Walk them inside `db.snapshot()`, so that they agree.
"""

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from heapq import merge
from typing import Any

from appliance.db.tables import Folder as FolderRow
from appliance.db.tables import Item
from appliance.db.tables import Tombstone as TombstoneRow
from appliance.errors import ApplianceError, NotFound
from appliance.items.message import Message, Tombstone
from appliance.store.rows import MESSAGE_COLUMNS, TOMBSTONE_COLUMNS, message_of, tombstone_of
from appliance.store.statement import Statement

BATCH = 128  # rows fetched at a time while walking a feed

_PRUNED = Statement("SELECT pruned_modseq FROM folder WHERE id = ?")

type Position = tuple[datetime, int]
"""Where an item stands in a folder ordered by age: (received_at, id)."""


class Forgotten(ApplianceError):
    """The question reaches back further than what left the folder is remembered: who asks must start over."""


def latest(folder_id: int) -> int:
    """Return the change number of the last change among the folder's items; 0 when never touched.

    Raises NotFound when there is no such folder, or only its tombstone.
    """
    row = (
        FolderRow.select(FolderRow.items_modseq)
        .where((FolderRow.id == folder_id) & ~FolderRow.is_deleted)
        .tuples()
        .first()
    )
    if row is None:
        raise NotFound("no such folder")
    return int(row[0])


def changed(folder_id: int, *, after: int, created_max: int) -> Iterator[Message | Tombstone]:
    """Yield items created at or before `created_max` that changed or left after `after`, in change order.

    What left and had been added by a device is among them however new it is: that device has it.
    Raises Forgotten.
    """
    pruned = _PRUNED.rows(folder_id)
    if pruned and after < pruned[0][0]:
        raise Forgotten("what left the folder since is not remembered any more")
    items = _walk(
        Item,
        MESSAGE_COLUMNS,
        message_of,
        lambda modseq: (
            (Item.folder == folder_id) & (Item.modseq > modseq) & (Item.created_modseq <= created_max)
        ),
        Item.modseq,
        lambda message: message.modseq,
        after,
    )
    gone = _walk(
        TombstoneRow,
        TOMBSTONE_COLUMNS,
        tombstone_of,
        lambda modseq: (
            (TombstoneRow.folder == folder_id)
            & (TombstoneRow.modseq > modseq)
            & ((TombstoneRow.created_modseq <= created_max) | TombstoneRow.created_by.is_null(False))
        ),
        TombstoneRow.modseq,
        lambda tombstone: tombstone.modseq,
        after,
    )
    feeds: tuple[Iterator[Message | Tombstone], ...] = (items, gone)
    yield from merge(*feeds, key=lambda change: change.modseq)


def created(folder_id: int, *, after: int) -> Iterator[Message]:
    """Yield items created after the change number `after`, in that order."""
    return _walk(
        Item,
        MESSAGE_COLUMNS,
        message_of,
        lambda modseq: (Item.folder == folder_id) & (Item.created_modseq > modseq),
        Item.created_modseq,
        lambda message: message.created_modseq,
        after,
    )


def newest_first(
    folder_id: int, *, before: Position | None, down_to: Position | None, created_max: int
) -> Iterator[Message]:
    """Yield items created at or before `created_max` from `before` (exclusive) down to `down_to`."""
    while True:
        query = (
            Item.select(*MESSAGE_COLUMNS)
            .where(_aged(folder_id, before, down_to, created_max))
            .order_by(Item.received_at.desc(), Item.id.desc())
            .limit(BATCH)
        )
        batch = [message_of(row) for row in query.tuples()]
        yield from batch
        if len(batch) < BATCH:
            return
        before = (batch[-1].received_at, batch[-1].id)


def oldest_first(
    folder_id: int, *, start: Position, until: Position, created_max: int
) -> Iterator[tuple[Position, int]]:
    """Yield (position, created_modseq) of items from `start` up to `until` (exclusive), oldest first."""
    while True:
        query = (
            Item.select(Item.received_at, Item.id, Item.created_modseq)
            .where(_aged(folder_id, until, start, created_max))
            .order_by(Item.received_at, Item.id)
            .limit(BATCH)
        )
        batch = [((row[0], row[1]), row[2]) for row in query.tuples()]
        yield from batch
        if len(batch) < BATCH:
            return
        moment, item_id = batch[-1][0]
        start = (moment, item_id + 1)


def count(folder_id: int, *, before: Position | None, down_to: Position | None, created_max: int) -> int:
    """Return how many items `newest_first` would yield."""
    return int(Item.select().where(_aged(folder_id, before, down_to, created_max)).count())


def present(folder_id: int, ids: Collection[int]) -> set[int]:
    """Return which of these items lie in the folder."""
    found = Item.select(Item.id).where((Item.folder == folder_id) & Item.id.in_(list(ids)))
    return {row[0] for row in found.tuples()}


def _aged(folder_id: int, before: Position | None, down_to: Position | None, created_max: int) -> Any:
    """Return the condition for down_to <= position < before.

    The redundant bounds on `received_at` alone let SQLite seek its index; an OR would make it scan.
    """
    condition = (Item.folder == folder_id) & (Item.created_modseq <= created_max)
    if before is not None:
        moment, item_id = before
        condition &= Item.received_at <= moment
        condition &= (Item.received_at < moment) | (Item.id < item_id)
    if down_to is not None:
        moment, item_id = down_to
        condition &= Item.received_at >= moment
        condition &= (Item.received_at > moment) | (Item.id >= item_id)
    return condition


def _walk[T](
    table: Any,
    columns: tuple[Any, ...],
    value_of: Callable[[tuple[Any, ...]], T],
    condition: Callable[[int], Any],
    order: Any,
    key: Callable[[T], int],
    after: int,
) -> Iterator[T]:
    """Yield rows in key order after `after`, a batch at a time, so that a long feed needs little memory."""
    while True:
        query = table.select(*columns).where(condition(after)).order_by(order).limit(BATCH)
        batch = [value_of(row) for row in query.tuples()]
        yield from batch
        if len(batch) < BATCH:
            return
        after = key(batch[-1])
