"""What a device is missing, from feeds in memory: however a walk is cut, the device ends up with the truth.

The folder here is a list; a device is a cursor and the set of what it was told. A walk is broken off after
any number of commands and taken up again from the cursor of the last step, while the folder changes in
between.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from appliance.eas.sync_delta import (
    Add,
    Change,
    Cursor,
    Delete,
    Part,
    Position,
    SoftDelete,
    cutoff_for,
    parts_for,
    walk,
)
from appliance.items.message import Message, Tombstone

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DEVICE, OTHER = 1, 2
CONVERSATIONS = 4  # in which the messages of a folder take turns


@dataclass
class Folder:
    """A folder in memory, with the rules of `store.messages` for change numbers."""

    items: dict[int, Message] = field(default_factory=dict)
    gone: list[Tombstone] = field(default_factory=list)
    modseq: int = 0
    next_id: int = 1

    def add(self, received_at: datetime, *, by: int | None = None) -> int:
        self.modseq += 1
        number, item = self.modseq, self.next_id
        self.next_id += 1
        self.items[item] = Message(
            id=item,
            account_id=1,
            folder_id=1,
            digest=b"",
            size=1,
            modseq=number,
            created_modseq=number,
            content_modseq=number,
            read_modseq=number,
            flag_modseq=number,
            categories_modseq=number,
            created_by=by,
            changed_by=by,
            changed_since=number,
            received_at=received_at,
            is_read=False,
            flag=None,
            categories=(),
            last_verb=0,
            last_verb_at=None,
            is_draft=False,
            conversation_id=bytes([item % CONVERSATIONS]),
        )
        return item

    def touch(self, item: int, *, by: int | None = None) -> None:
        self.modseq += 1
        before = self.items[item]
        goes_on = by is not None and before.changed_by == by
        self.items[item] = replace(
            before,
            is_read=not before.is_read,
            modseq=self.modseq,
            read_modseq=self.modseq,
            changed_by=by,
            changed_since=before.changed_since if goes_on else self.modseq,
        )

    def remove(self, item: int, *, by: int | None = None) -> None:
        self.modseq += 1
        old = self.items.pop(item)
        self.gone.append(
            Tombstone(item, 1, self.modseq, old.created_modseq, old.received_at, by, None, old.created_by)
        )

    # --- the feeds ----------------------------------------------------------------------------

    def latest(self) -> int:
        return self.modseq

    def changed(self, *, after: int, created_max: int) -> Iterator[Message | Tombstone]:
        both: list[Message | Tombstone] = [*self.items.values(), *self.gone]
        yield from sorted(
            (
                i
                for i in both
                if i.modseq > after
                and (i.created_modseq <= created_max or (isinstance(i, Tombstone) and i.created_by))
            ),
            key=lambda i: i.modseq,
        )

    def created(self, *, after: int) -> Iterator[Message]:
        yield from sorted(
            (i for i in self.items.values() if i.created_modseq > after), key=lambda i: i.created_modseq
        )

    def newest_first(
        self, *, before: Position, down_to: Position | None, created_max: int
    ) -> Iterator[Message]:
        for position, item in sorted(self._placed(created_max), reverse=True):
            if position < before and (down_to is None or position >= down_to):
                yield self.items[item]

    def oldest_first(
        self, *, start: Position, until: Position, created_max: int
    ) -> Iterator[tuple[Position, int]]:
        for position, item in sorted(self._placed(created_max)):
            if start <= position < until:
                yield position, self.items[item].created_modseq

    def conversations(self, floor: Position) -> list[Message]:
        recent = {i.conversation_id for i in self.items.values() if i.received_at >= floor[0]}
        older = [i for i in self.items.values() if i.received_at < floor[0] and i.conversation_id in recent]
        return sorted(older, key=lambda i: (i.received_at, i.id), reverse=True)

    def present(self, ids: Collection[int]) -> set[int]:
        return self.items.keys() & set(ids)

    def _placed(self, created_max: int) -> list[tuple[Position, int]]:
        found = [i for i in self.items.values() if i.created_modseq <= created_max]
        return [((i.received_at, i.id), i.id) for i in found]


@dataclass
class Device:
    """What a device was told; it objects to being told twice."""

    folder: Folder
    cursor: Cursor
    held: dict[int, bool] = field(default_factory=dict)
    cutoff: datetime | None = None
    whole_conversations: bool = False

    def take(self, count: int | None = None) -> int:
        """Take up to `count` commands; return how many there were."""
        taken = 0
        steps = walk(
            self.cursor, self.folder, self.cutoff, DEVICE, whole_conversations=self.whole_conversations
        )
        for step in steps:
            if step.outgoing is not None:
                if taken == count:
                    return taken
                taken += 1
                self._apply(step.outgoing)
            self.cursor = Cursor.from_json(step.cursor.to_json())
        return taken

    def _apply(self, outgoing: Add | Change | Delete | SoftDelete) -> None:
        match outgoing:
            case Add(message):
                assert message.id not in self.held, "announced twice"
                self.held[message.id] = message.is_read
            case Change(message, parts):
                assert message.id in self.held, "a change of what it does not have"
                assert parts == Part.READ
                self.held[message.id] = message.is_read
            case Delete(item_id) | SoftDelete(item_id):
                assert item_id in self.held, "a deletion of what it does not have"
                del self.held[item_id]

    def truth(self) -> dict[int, bool]:
        items = self.folder.items.values()
        recent = [i for i in items if self.cutoff is None or i.received_at >= self.cutoff]
        talks = {i.conversation_id for i in recent} if self.whole_conversations else set()
        return {i.id: i.is_read for i in items if i in recent or i.conversation_id in talks}


ACTIONS = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 20)),
    st.tuples(st.just("touch"), st.integers(0, 50)),
    st.tuples(st.just("remove"), st.integers(0, 50)),
    st.tuples(st.just("own_touch"), st.integers(0, 50)),
    st.tuples(st.just("own_remove"), st.integers(0, 50)),
    st.tuples(st.just("own_add"), st.integers(0, 20)),
    st.tuples(st.just("take"), st.integers(0, 6)),
    st.tuples(st.just("filter"), st.integers(0, 20)),
    st.tuples(st.just("conversations"), st.integers(0, 1)),
)


@given(st.lists(st.integers(0, 20), max_size=12), st.lists(ACTIONS, max_size=40))
@settings(max_examples=400, deadline=None)
def test_a_walk_cut_anywhere_converges_and_announces_everything_once(ages, actions):
    folder = Folder()
    for age in ages:
        folder.add(NOON - timedelta(days=age))
    device = Device(folder, Cursor.at_start(folder.latest()))
    for action, number in actions:
        perform(device, action, number)
    device.take()
    assert device.held == device.truth()
    assert device.take() == 0


def perform(device: Device, action: str, number: int) -> None:
    folder = device.folder
    held = sorted(device.held.keys() & folder.items.keys())
    everything = sorted(folder.items)
    match action:
        case "add":
            folder.add(NOON - timedelta(days=number))
        case "own_add" if device.cutoff is None and device.cursor.floor is None:
            device.held[folder.add(NOON - timedelta(days=number), by=DEVICE)] = False
            device.take()  # see test_an_own_item_that_another_removes_at_once
        case "touch" if everything:
            folder.touch(everything[number % len(everything)], by=OTHER if number % 2 else None)
        case "remove" if everything:
            folder.remove(everything[number % len(everything)], by=OTHER)
        case "own_touch" if held and device.take() >= 0:
            # A device changes what it knows: brought up to date first, as the conflict rule sees to.
            held = sorted(device.held.keys() & folder.items.keys())
            if held:
                item = held[number % len(held)]
                folder.touch(item, by=DEVICE)
                device.held[item] = folder.items[item].is_read
        case "own_remove" if held:
            item = held[number % len(held)]
            folder.remove(item, by=DEVICE)
            del device.held[item]
        case "take":
            device.take(number)
        case "filter":
            device.cutoff = NOON - timedelta(days=number) if number else None
        case "conversations":
            device.whole_conversations = bool(number)


def test_priming_starts_with_the_newest():
    folder = Folder()
    ids = [folder.add(NOON - timedelta(days=age)) for age in (5, 1, 3)]
    cursor = Cursor.at_start(folder.latest())
    order = [s.outgoing.message.id for s in walk(cursor, folder, None, DEVICE) if s.outgoing is not None]
    assert order == [ids[1], ids[2], ids[0]]


def test_what_arrives_during_priming_comes_before_the_next_page():
    folder = Folder()
    old = [folder.add(NOON - timedelta(days=age)) for age in (1, 2, 3)]
    device = Device(folder, Cursor.at_start(folder.latest()))
    device.take(1)
    new = folder.add(NOON)
    assert device.take(1) == 1
    assert sorted(device.held) == sorted([old[0], new])


def test_an_item_that_came_and_went_between_two_syncs_is_not_mentioned():
    folder = Folder()
    device = Device(folder, Cursor.at_start(folder.latest()))
    device.take()
    folder.remove(folder.add(NOON))
    assert device.take() == 0


def test_own_changes_are_not_echoed_but_those_of_others_are():
    folder = Folder()
    item = folder.add(NOON)
    device = Device(folder, Cursor.at_start(folder.latest()))
    device.take()
    folder.touch(item, by=DEVICE)
    device.held[item] = True
    assert device.take() == 0
    folder.touch(item, by=OTHER)
    assert device.take() == 1


def test_a_change_of_another_just_before_an_own_one_is_not_lost():
    folder = Folder()
    item = folder.add(NOON)
    seen = folder.latest()
    folder.modseq += 1
    flagged = replace(
        folder.items[item], flag_modseq=folder.modseq, changed_by=OTHER, changed_since=folder.modseq
    )
    folder.items[item] = flagged
    folder.touch(item, by=DEVICE)
    assert parts_for(folder.items[item], DEVICE, seen) == Part.FLAG


def test_an_own_item_that_another_removes_at_once_is_removed():
    folder = Folder()
    device = Device(folder, Cursor.at_start(folder.latest()))
    device.take()
    item = folder.add(NOON, by=DEVICE)
    device.held[item] = False
    folder.remove(item, by=OTHER)
    device.take()
    assert device.held == {}


def test_an_item_that_is_deleted_while_it_falls_out_of_the_window_is_deleted():
    folder = Folder()
    item = folder.add(NOON - timedelta(days=2))
    device = Device(folder, Cursor.at_start(folder.latest()))
    device.take()
    folder.remove(item, by=OTHER)
    device.cutoff = NOON - timedelta(days=1)
    assert device.take() == 1
    assert device.held == {}


def test_a_conversation_that_reaches_into_the_window_brings_its_own_and_nothing_else():
    folder = Folder()
    ages = (9, 8, 7, 6, 0)  # the newest and the oldest are of one conversation
    items = [folder.add(NOON - timedelta(days=age)) for age in ages]
    device = Device(
        folder, Cursor.at_start(folder.latest()), cutoff=NOON - timedelta(days=1), whole_conversations=True
    )
    device.take()
    assert sorted(device.held) == [items[0], items[4]]
    folder.touch(items[0], by=OTHER)
    assert device.take() == 1
    folder.remove(items[4], by=OTHER)
    assert device.take() == 2, "the last one within the window takes the others along"
    assert device.held == {}


@pytest.mark.parametrize(
    ("filter_type", "days"), [(1, 1), (2, 3), (3, 7), (4, 14), (5, 31), (6, 92), (7, 184)]
)
def test_windows_begin_at_midnight(filter_type, days):
    assert cutoff_for(filter_type, NOON) == datetime(2026, 3, 2, tzinfo=UTC) - timedelta(days=days)


@pytest.mark.parametrize("filter_type", [0, 8])
def test_no_window(filter_type):
    assert cutoff_for(filter_type, NOON) is None


def test_a_cursor_survives_the_state_row():
    cursor = Cursor(7, 5, (NOON + timedelta(microseconds=1), 3), (NOON, 0), 2)
    assert Cursor.from_json(cursor.to_json()) == cursor
    assert Cursor.from_json(Cursor(1, 1).to_json()) == Cursor(1, 1)
    whole = replace(cursor, beyond=frozenset({4, 9}))
    assert Cursor.from_json(whole.to_json()) == whole
    assert Cursor.from_json(replace(whole, beyond=frozenset()).to_json()).beyond == frozenset()
