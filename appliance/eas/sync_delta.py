"""What a device is missing of a folder, step by step. Pure, given the folder's feeds.

Theory of operation. A cursor says what a device holds:

    created   it was told of every item created at or before this change number ...
    modseq    ... in the state they had at or before this one,
    floor     of these, the items at or above this position (what its FilterType lets in);
    paging    while this is set, items below it are still to come, except
    snapshot  those created after this change number, which it was told of as they came;
    beyond    items below the floor that it has because their conversations reach above it;
              None when it wants no whole conversations.

Priming sets `created` and `modseq` to the folder's last change and pages downwards from the newest
item; a filter that lets in more pages on below the old floor. Meanwhile, and afterwards, changes of
items it holds come in order of `modseq`, and new items in order of creation. The two are separate feeds
because an item that changes while the device is being told of others moves to the end of the change
order, but never in the order of creation: each item is announced exactly once however a walk is cut
into answers.

With whole conversations the older members of those that reach above the floor come last, once the range
itself is complete, and are let go when their conversation no longer does. They are named one by one, for
they are no range; `Feed.conversations` has a ceiling.

Every step carries the cursor that is true once the device has it, so an answer may end after any step.

Own changes are not echoed: see `db.tables.Item` for `created_by`, `changed_by`, `changed_since`.
Source: MS-ASCMD 3.1.5.3 Synchronizing, MS-ASEMAIL 3.2.5.4 (what a Change carries).
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from heapq import merge
from typing import Protocol

from appliance.items.message import Message, Tombstone

type Position = tuple[datetime, int]
"""Where an item stands in a folder ordered by age: (received_at, id)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOP: Position = (datetime(9999, 12, 31, tzinfo=UTC), 0)  # above every item


class Part(IntFlag):
    """What of an item changed; each part is synchronised on its own."""

    READ = 1
    FLAG = 2
    CATEGORIES = 4
    CONTENT = 8


@dataclass(frozen=True, slots=True)
class Add:
    """An item the device does not have."""

    message: Message


@dataclass(frozen=True, slots=True)
class Change:
    """An item the device has in an older state."""

    message: Message
    parts: Part


@dataclass(frozen=True, slots=True)
class Delete:
    """An item the device has that left the folder."""

    item_id: int


@dataclass(frozen=True, slots=True)
class SoftDelete:
    """An item the device has that its filter no longer lets in."""

    item_id: int


type Outgoing = Add | Change | Delete | SoftDelete


@dataclass(frozen=True, slots=True)
class Cursor:
    """What a device holds of a folder; see the theory of operation."""

    modseq: int
    created: int
    floor: Position | None = None
    paging: Position | None = None
    snapshot: int = 0
    beyond: frozenset[int] | None = None

    def holds(self, item: Message | Tombstone) -> bool:
        """Return whether the device has an item created at or before `created`."""
        position = (item.received_at, item.id)
        if item.id in (self.beyond or ()):
            return True
        if self.floor is not None and position < self.floor:
            return False
        return self.paging is None or position >= self.paging or item.created_modseq > self.snapshot

    def to_json(self) -> str:
        """Return the cursor for the state row."""
        values: list[object] = [self.modseq, self.created, _micros(self.floor), _micros(self.paging)]
        values += [self.snapshot] if self.beyond is None else [self.snapshot, sorted(self.beyond)]
        return json.dumps(values, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Cursor":
        """Return the cursor that `to_json` wrote."""
        modseq, created, floor, paging, snapshot, *rest = json.loads(text)
        beyond = frozenset(rest[0]) if rest else None
        return cls(modseq, created, _position(floor), _position(paging), snapshot, beyond)

    @classmethod
    def at_start(cls, latest: int) -> "Cursor":
        """Return the cursor of a device that holds nothing of a folder whose last change is `latest`."""
        return cls(modseq=latest, created=latest, paging=_TOP, snapshot=latest)


@dataclass(frozen=True, slots=True)
class Step:
    """One command, and the cursor once the device has it; the last step has no command."""

    outgoing: Outgoing | None
    cursor: Cursor


class Feed(Protocol):
    """The folder as `store.changes` shows it, within one snapshot."""

    def latest(self) -> int: ...
    def changed(self, *, after: int, created_max: int) -> Iterator[Message | Tombstone]: ...
    def created(self, *, after: int) -> Iterator[Message]: ...
    def newest_first(
        self, *, before: Position, down_to: Position | None, created_max: int
    ) -> Iterator[Message]: ...
    def oldest_first(
        self, *, start: Position, until: Position, created_max: int
    ) -> Iterator[tuple[Position, int]]: ...
    def conversations(self, floor: Position) -> list[Message]:
        """Return the items below a position whose conversations have one above it, newest first."""

    def present(self, ids: Collection[int]) -> set[int]:
        """Return which of these items are still in the folder."""


def walk(
    cursor: Cursor, feed: Feed, cutoff: datetime | None, device: int, *, whole_conversations: bool = False
) -> Iterator[Step]:
    """Yield what brings a device from its cursor up to date, ending with a step without a command.

    cutoff: the oldest `received_at` the device's filter lets in; None lets everything in.
    whole_conversations: older messages of a conversation that reaches above it come in, too.
    """
    latest = feed.latest()
    floor = None if cutoff is None else (cutoff, 0)
    wanted = feed.conversations(floor) if whole_conversations and floor is not None else []
    if whole_conversations and cursor.beyond is None:
        cursor = replace(cursor, beyond=frozenset())
    if floor is not None and (cursor.floor is None or floor > cursor.floor):
        for step in _raise_floor(cursor, feed, floor, device, {message.id for message in wanted}):
            yield step
            cursor = step.cursor
    yield from _changes(cursor, feed, device)
    cursor = replace(cursor, modseq=max(latest, cursor.modseq))
    yield from _additions(cursor, feed, device)
    cursor = replace(cursor, created=max(latest, cursor.created))
    for step in _page(cursor, feed):
        yield step
        cursor = step.cursor
    if floor != cursor.floor:
        # The filter lets in more than before: page on from where the device's items end.
        cursor = replace(cursor, floor=floor, paging=cursor.floor, snapshot=cursor.created)
        for step in _page(cursor, feed):
            yield step
            cursor = step.cursor
    if cursor.beyond is not None:
        yield from _complete(cursor, feed, wanted, is_wanted=whole_conversations)


def parts_for(message: Message, device: int, modseq: int) -> Part:
    """Return which parts changed after `modseq` by anybody but the device itself."""
    own_from = message.changed_since if message.changed_by == device else None
    parts = Part(0)
    for part, changed_at in (
        (Part.READ, message.read_modseq),
        (Part.FLAG, message.flag_modseq),
        (Part.CATEGORIES, message.categories_modseq),
        (Part.CONTENT, message.content_modseq),
    ):
        if changed_at > modseq and (own_from is None or changed_at < own_from):
            parts |= part
    return parts


def cutoff_for(filter_type: int, now: datetime) -> datetime | None:
    """Return the oldest `received_at` a FilterType lets in, None for no limit.

    The day begins at midnight UTC, so that the window moves once a day and not with every request.
    Source: MS-ASCMD 2.2.3.68.2 FilterType (Sync); 6 and 7 are a calendar's, mail does not have them.
    """
    days = {1: 1, 2: 3, 3: 7, 4: 14, 5: 31, 6: 92, 7: 184}.get(filter_type)
    if days is None:
        return None
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)


def _raise_floor(
    cursor: Cursor, feed: Feed, floor: Position, device: int, staying: Collection[int]
) -> Iterator[Step]:
    """Let a filter that lets in less take effect: items fall out at the bottom, the oldest first.

    Items that left the folder meanwhile are among them: above the new floor nobody would look for them.
    staying: items of conversations that reach above the new floor; the device keeps them.
    """
    leaving = merge(_filtered(cursor, feed, floor), _departed(cursor, feed, floor, device))
    for (moment, item_id), is_gone in leaving:
        cursor = replace(cursor, floor=(moment, item_id + 1))
        outgoing: Outgoing | None = Delete(item_id) if is_gone else SoftDelete(item_id)
        if item_id in staying and cursor.beyond is not None:
            cursor, outgoing = replace(cursor, beyond=cursor.beyond | {item_id}), None
        yield Step(outgoing, cursor)
    is_paged = cursor.paging is not None and cursor.paging <= floor
    yield Step(None, replace(cursor, floor=floor, paging=None if is_paged else cursor.paging))


def _filtered(cursor: Cursor, feed: Feed, floor: Position) -> Iterator[tuple[Position, bool]]:
    """Yield the positions of live items a device has below a new floor, upwards; False: not gone."""
    start = cursor.floor or (_EPOCH, 0)
    for position, created in feed.oldest_first(start=start, until=floor, created_max=cursor.created):
        if cursor.paging is None or position >= cursor.paging or created > cursor.snapshot:
            yield position, False


def _departed(cursor: Cursor, feed: Feed, floor: Position, device: int) -> list[tuple[Position, bool]]:
    """Return the positions of what left the folder below a new floor, upwards; True: gone."""
    return sorted(
        ((change.received_at, change.id), True)
        for change in feed.changed(after=cursor.modseq, created_max=cursor.created)
        if isinstance(change, Tombstone)
        and change.changed_by != device
        and (change.received_at, change.id) < floor
        and change.id not in (cursor.beyond or ())
        and _is_known(cursor, change, device)
    )


def _changes(cursor: Cursor, feed: Feed, device: int) -> Iterator[Step]:
    """Announce changes and departures of items the device has."""
    for change in feed.changed(after=cursor.modseq, created_max=cursor.created):
        if not _is_known(cursor, change, device):
            continue
        outgoing: Outgoing | None = None
        if isinstance(change, Tombstone):
            outgoing = Delete(change.id) if change.changed_by != device else None
        else:
            parts = parts_for(change, device, cursor.modseq)
            outgoing = Change(change, parts) if parts else None
        if outgoing is not None:
            yield Step(outgoing, replace(cursor, modseq=change.modseq))


def _is_known(cursor: Cursor, change: Message | Tombstone, device: int) -> bool:
    """Return whether the device has the item: it was told of it, or added it itself."""
    if change.created_modseq > cursor.created and change.created_by != device:
        return False
    return cursor.holds(change)


def _additions(cursor: Cursor, feed: Feed, device: int) -> Iterator[Step]:
    """Announce items created since, except those the device itself added."""
    for message in feed.created(after=cursor.created):
        if cursor.floor is not None and (message.received_at, message.id) < cursor.floor:
            continue
        outgoing: Outgoing = Add(message)
        if message.created_by == device:
            parts = parts_for(message, device, message.created_modseq)
            if not parts:
                continue
            outgoing = Change(message, parts)
        yield Step(outgoing, replace(cursor, created=message.created_modseq))


def _page(cursor: Cursor, feed: Feed) -> Iterator[Step]:
    """Announce the items between the floor and what the device has, newest first."""
    if cursor.paging is not None:
        known = cursor.snapshot
        for message in feed.newest_first(before=cursor.paging, down_to=cursor.floor, created_max=known):
            cursor = replace(cursor, paging=(message.received_at, message.id))
            if message.id in (cursor.beyond or ()):  # it has this one for the sake of its conversation
                cursor = replace(cursor, beyond=_without(cursor.beyond, message.id))
                yield Step(None, cursor)
            else:
                yield Step(Add(message), cursor)
    yield Step(None, replace(cursor, paging=None, snapshot=0))


def _complete(cursor: Cursor, feed: Feed, wanted: list[Message], *, is_wanted: bool) -> Iterator[Step]:
    """Let go of conversations that no longer reach above the floor, then bring those that do.

    `paging` at the floor says meanwhile that there is more to come. is_wanted: whether the device still
    wants whole conversations at all.
    """
    held, floor = cursor.beyond or frozenset(), cursor.floor
    present = feed.present(held) if held else set()
    unfinished = replace(cursor, paging=floor, snapshot=cursor.created, beyond=held & present)
    for item_id in sorted(present - {message.id for message in wanted}):
        unfinished = replace(unfinished, beyond=_without(unfinished.beyond, item_id))
        yield Step(SoftDelete(item_id), unfinished)
    for message in wanted:
        if message.id not in held:
            unfinished = replace(unfinished, beyond=(unfinished.beyond or frozenset()) | {message.id})
            yield Step(Add(message), unfinished)
    beyond = unfinished.beyond if is_wanted else None
    yield Step(None, replace(unfinished, paging=None, snapshot=0, beyond=beyond))


def _without(ids: frozenset[int] | None, item_id: int) -> frozenset[int]:
    return (ids or frozenset()) - {item_id}


def _micros(position: Position | None) -> list[int] | None:
    if position is None:
        return None
    return [(position[0] - _EPOCH) // timedelta(microseconds=1), position[1]]


def _position(values: list[int] | None) -> Position | None:
    return None if values is None else (_EPOCH + timedelta(microseconds=values[0]), values[1])
