"""The store beside a model of it in a few plain lists: random work, then every feed must agree.

Feeds are walked with batches of two and folders emptied in steps of two, so that every example crosses
the borders between batches many times.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from appliance import db
from appliance.errors import Conflict, NotFound
from appliance.items.folder import FolderType
from appliance.items.message import Arrival, Flag, Message, Tombstone
from appliance.store import changes, folders, leaving, messages
from tests.fixtures.database import Place
from tests.unit.store.mailbox import NOW, account, check_invariants, mail, modseq_of, prepared, special

DEVICES = (None, 1, 2)
MAILS: list[Arrival] = []


@dataclass(frozen=True)
class Known:
    """What the model knows of an item."""

    id: int
    folder: int
    modseq: int
    created_modseq: int
    received_at: datetime
    is_read: bool
    flag: Flag | None
    categories: tuple[str, ...]
    changed_by: int | None
    changed_since: int
    parts: tuple[int, int, int]  # read, flag, categories
    created_by: int | None = None


@dataclass(frozen=True)
class Gone:
    """What the model knows of an item that left."""

    id: int
    folder: int
    modseq: int
    created_modseq: int
    changed_by: int | None
    moved_to: int | None
    created_by: int | None = None


@dataclass
class Model:
    """One account."""

    modseq: int
    folders: list[int]
    items: dict[int, Known] = field(default_factory=dict)
    gone: dict[int, Gone] = field(default_factory=dict)

    def take(self) -> int:
        self.modseq += 1
        return self.modseq

    def touch(self, item: Known, device: int | None, part: int, **values: Any) -> None:
        number = self.take()
        parts = tuple(number if place == part else old for place, old in enumerate(item.parts))
        continues = device is not None and item.changed_by == device
        self.items[item.id] = replace(
            item,
            modseq=number,
            changed_by=device,
            changed_since=item.changed_since if continues else number,
            parts=parts,
            **values,
        )

    def leave(self, item: Known, device: int | None, moved_to: int | None = None) -> None:
        del self.items[item.id]
        self.gone[item.id] = Gone(
            item.id, item.folder, self.take(), item.created_modseq, device, moved_to, item.created_by
        )

    def arrive(self, item: Known, new_id: int, folder: int, device: int | None) -> None:
        number = self.take()
        self.items[new_id] = replace(
            item,
            id=new_id,
            folder=folder,
            modseq=number,
            created_modseq=number,
            created_by=None,
            changed_by=device,
            changed_since=number,
            parts=(number,) * 3,
        )

    def inside(self, folder: int) -> list[Known]:
        return [item for item in self.items.values() if item.folder == folder]


class StoreMachine(RuleBasedStateMachine):
    """Does the same to the store and to the model."""

    def __init__(self) -> None:
        super().__init__()
        self.account = account(f"model{next(_names)}").id
        self.model = Model(
            modseq_of(self.account),
            [special(self.account, type_) for type_ in (FolderType.INBOX, FolderType.DELETED)],
        )
        self.inbox, self.bin = self.model.folders

    # --- what is done ---

    @rule(data=st.data(), minutes=st.integers(0, 5), is_read=st.booleans(), device=st.sampled_from(DEVICES))
    def file(self, data: st.DataObject, minutes: int, is_read: bool, device: int | None) -> None:
        folder = data.draw(st.sampled_from(self.model.folders))
        arrival = data.draw(st.sampled_from(MAILS))
        at = NOW - timedelta(minutes=minutes)
        item_id = messages.file(
            self.account, folder, arrival, received_at=at, is_read=is_read, changed_by=device
        )
        number = self.model.take()
        self.model.items[item_id] = Known(
            item_id, folder, number, number, at, is_read, None, (), device, number, (number,) * 3, device
        )

    @precondition(lambda self: self.model.items)
    @rule(data=st.data(), is_read=st.booleans(), device=st.sampled_from(DEVICES))
    def read(self, data: st.DataObject, is_read: bool, device: int | None) -> None:
        item = self._any(data)
        messages.set_read(self.account, item.id, is_read, changed_by=device)
        if item.is_read != is_read:
            self.model.touch(item, device, 0, is_read=is_read)

    @precondition(lambda self: self.model.items)
    @rule(data=st.data(), flag=st.sampled_from([None, Flag(1), Flag(2)]), device=st.sampled_from(DEVICES))
    def flag(self, data: st.DataObject, flag: Flag | None, device: int | None) -> None:
        item = self._any(data)
        messages.set_flag(self.account, item.id, flag, changed_by=device)
        if item.flag != flag:
            self.model.touch(item, device, 1, flag=flag)

    @precondition(lambda self: self.model.items)
    @rule(data=st.data(), names=st.sampled_from([(), ("a",), ("a", "b")]), device=st.sampled_from(DEVICES))
    def categorise(self, data: st.DataObject, names: tuple[str, ...], device: int | None) -> None:
        item = self._any(data)
        messages.set_categories(self.account, item.id, names, changed_by=device)
        if item.categories != names:
            self.model.touch(item, device, 2, categories=names)

    @precondition(lambda self: self.model.items)
    @rule(data=st.data(), device=st.sampled_from(DEVICES))
    def move(self, data: st.DataObject, device: int | None) -> None:
        item = self._any(data)
        target = data.draw(st.sampled_from(self.model.folders))
        if target == item.folder:
            with pytest.raises(Conflict):
                messages.move(self.account, item.id, target, changed_by=device)
        else:
            self._moved(item, target, device, messages.move(self.account, item.id, target, changed_by=device))

    @precondition(lambda self: any(gone.moved_to for gone in self.model.gone.values()))
    @rule(data=st.data())
    def move_again(self, data: st.DataObject) -> None:
        moves = [gone for gone in self.model.gone.values() if gone.moved_to]
        gone = data.draw(st.sampled_from(moves))
        target = data.draw(st.sampled_from(self.model.folders))
        now = self.model.items.get(gone.moved_to or 0)
        if now is not None and now.folder == target:
            assert messages.move(self.account, gone.id, target) == now.id
        else:
            with pytest.raises(NotFound):
                messages.move(self.account, gone.id, target)

    @precondition(lambda self: self.model.items)
    @rule(data=st.data(), device=st.sampled_from(DEVICES))
    def delete(self, data: st.DataObject, device: int | None) -> None:
        item = self._any(data)
        messages.delete(self.account, item.id, changed_by=device)
        self.model.leave(item, device)

    @precondition(lambda self: self.model.items)
    @rule(data=st.data(), device=st.sampled_from(DEVICES))
    def discard(self, data: st.DataObject, device: int | None) -> None:
        item = self._any(data)
        new_id = messages.discard(self.account, item.id, changed_by=device)
        if item.folder == self.bin:
            assert new_id is None
            self.model.leave(item, device)
        else:
            assert new_id is not None
            self._moved(item, self.bin, device, new_id)

    @rule(data=st.data())
    def empty(self, data: st.DataObject) -> None:
        folder = data.draw(st.sampled_from(self.model.folders))
        inside = sorted(self.model.inside(folder), key=lambda item: item.created_modseq)
        assert messages.empty_folder(self.account, folder) == len(inside)
        for item in inside:
            self.model.leave(item, None)

    @precondition(lambda self: len(self.model.folders) < 5)
    @rule()
    def create_folder(self) -> None:
        name = f"Folder {next(_names)}"
        made = folders.create(self.account, self.inbox, name, FolderType.USER_MAIL)
        assert made.modseq == self.model.take()
        self.model.folders.append(made.id)

    @precondition(lambda self: len(self.model.folders) > 2)
    @rule(data=st.data())
    def delete_folder(self, data: st.DataObject) -> None:
        folder = data.draw(st.sampled_from(self.model.folders[2:]))
        messages.delete_folder(self.account, folder)
        for item in self.model.inside(folder):
            del self.model.items[item.id]
            self.model.take()
        self.model.take()
        self.model.folders.remove(folder)

    # --- what must agree ---

    @invariant()
    def numbers_agree(self) -> None:
        assert modseq_of(self.account) == self.model.modseq
        with db.snapshot():
            for folder in folders.list_folders(self.account):
                inside = self.model.inside(folder.id)
                assert folder.total == len(inside)
                assert folder.unread == sum(not item.is_read for item in inside)

    @rule(data=st.data())
    def changes_agree(self, data: st.DataObject) -> None:
        folder, after = self._folder_and_number(data)
        created_max = data.draw(st.integers(0, self.model.modseq))
        everything = (*self.model.items.values(), *self.model.gone.values())
        expected = [
            known
            for known in sorted(everything, key=lambda known: known.modseq)
            if known.folder == folder and known.modseq > after
            # What a device added itself it has, however new, so it must hear that it is gone.
            if known.created_modseq <= created_max or (isinstance(known, Gone) and known.created_by)
        ]
        with db.snapshot():
            found = list(changes.changed(folder, after=after, created_max=created_max))
        assert [_known(change) for change in found] == expected

    @rule(data=st.data())
    def additions_agree(self, data: st.DataObject) -> None:
        folder, after = self._folder_and_number(data)
        inside = sorted(self.model.inside(folder), key=lambda item: item.created_modseq)
        with db.snapshot():
            found = list(changes.created(folder, after=after))
        assert [_known(message) for message in found] == [i for i in inside if i.created_modseq > after]

    @rule(data=st.data())
    def ages_agree(self, data: st.DataObject) -> None:
        folder, created_max = self._folder_and_number(data)
        upper, lower = (data.draw(st.none() | self._positions()) for _ in range(2))
        inside = sorted(
            (
                item
                for item in self.model.inside(folder)
                if item.created_modseq <= created_max
                and (upper is None or (item.received_at, item.id) < upper)
                and (lower is None or (item.received_at, item.id) >= lower)
            ),
            key=lambda item: (item.received_at, item.id),
        )
        with db.snapshot():
            newest = list(changes.newest_first(folder, before=upper, down_to=lower, created_max=created_max))
            count = changes.count(folder, before=upper, down_to=lower, created_max=created_max)
            if upper is not None and lower is not None:
                oldest = changes.oldest_first(folder, start=lower, until=upper, created_max=created_max)
                assert list(oldest) == [((item.received_at, item.id), item.created_modseq) for item in inside]
        assert [_known(message) for message in newest] == inside[::-1]
        assert count == len(inside)

    def teardown(self) -> None:
        check_invariants()

    # --- inside ---

    def _any(self, data: st.DataObject) -> Known:
        return data.draw(st.sampled_from(sorted(self.model.items.values(), key=lambda item: item.id)))

    def _folder_and_number(self, data: st.DataObject) -> tuple[int, int]:
        return data.draw(st.sampled_from(self.model.folders)), data.draw(st.integers(0, self.model.modseq))

    def _positions(self) -> st.SearchStrategy[tuple[datetime, int]]:
        moments = st.integers(-1, 6).map(lambda minutes: NOW - timedelta(minutes=minutes))
        ids = [*self.model.items, *self.model.gone, 0]
        return st.tuples(moments, st.sampled_from(ids))

    def _moved(self, item: Known, target: int, device: int | None, new_id: int) -> None:
        self.model.leave(item, device, moved_to=new_id)
        self.model.arrive(item, new_id, target, None)


def _known(change: Message | Tombstone) -> Known | Gone:
    if isinstance(change, Tombstone):
        return Gone(
            change.id,
            change.folder_id,
            change.modseq,
            change.created_modseq,
            change.changed_by,
            change.moved_to,
            change.created_by,
        )
    parts = (change.read_modseq, change.flag_modseq, change.categories_modseq)
    return Known(
        *(change.id, change.folder_id, change.modseq, change.created_modseq, change.received_at),
        *(change.is_read, change.flag, change.categories, change.changed_by, change.changed_since, parts),
        created_by=change.created_by,
    )


def _counted() -> Iterator[int]:
    number = 0
    while True:
        yield (number := number + 1)


_names = _counted()


@pytest.mark.timeout(300)
def test_the_store_agrees_with_its_model(store: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "BATCH", 2)
    monkeypatch.setattr(leaving, "ITEMS_AT_ONCE", 2)
    MAILS[:] = [prepared(mail(f"Mail {number}", size=size)) for number, size in enumerate((0, 500, 200_000))]
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
            phases=(Phase.generate,),  # a failing story is short enough as it is
        ),
    )
