"""Folders: names, places, tombstones, and what may not be done to them."""

from collections.abc import Callable

import pytest

from appliance import bus, db
from appliance.errors import Conflict, Denied, InvalidInput, NotFound, QuotaExceeded
from appliance.items.account import Account
from appliance.items.folder import SPECIAL_FOLDERS, Folder, FolderType
from appliance.settings import Limits
from appliance.store import folders, limits, messages
from tests.unit.store.mailbox import modseq_of, special


def make(account_id: int, name: str, parent_id: int = 0) -> Folder:
    return folders.create(account_id, parent_id, name, FolderType.USER_MAIL)


def changes_since(account_id: int, since: int) -> list[Folder]:
    with db.connection():
        return folders.changes_since(account_id, since)


def test_every_account_begins_with_the_same_folders(anna: Account, ben: Account) -> None:
    with db.connection():
        for account in (anna, ben):
            found = folders.list_folders(account.id)
            assert [(folder.name, folder.type) for folder in found] == list(SPECIAL_FOLDERS)
            assert [folder.modseq for folder in found] == list(range(1, len(SPECIAL_FOLDERS) + 1))
            assert folders.hierarchy_modseq(account.id) == len(SPECIAL_FOLDERS)


def test_a_new_folder_is_announced(anna: Account) -> None:
    before = modseq_of(anna.id)
    topic = bus.account_topic(anna.id)
    with bus.watch((topic,)) as watcher:
        made = folders.create(anna.id, 0, "Projects", FolderType.USER_MAIL, changed_by=7)
        assert watcher.wait(1.0) == {bus.Hint(topic, bus.HIERARCHY)}
    assert (made.name, made.parent_id, made.changed_by) == ("Projects", 0, 7)
    assert changes_since(anna.id, before) == [made]


def test_renamed_and_moved_under_the_same_id(anna: Account) -> None:
    outer, inner = make(anna.id, "Outer"), make(anna.id, "Inner")
    before = modseq_of(anna.id)
    updated = folders.update(anna.id, inner.id, outer.id, "innER")
    assert (updated.id, updated.parent_id, updated.name) == (inner.id, outer.id, "innER")
    assert updated.created_modseq == inner.created_modseq
    assert changes_since(anna.id, before) == [updated]
    assert folders.update(anna.id, inner.id, 0, "Inner").parent_id == 0


def test_a_name_is_free_again_after_deletion(anna: Account) -> None:
    first = make(anna.id, "Projects")
    messages.delete_folder(anna.id, first.id)
    second = make(anna.id, "Projects")
    assert second.id != first.id
    with db.connection():
        assert folders.by_name(anna.id, "PROJECTS") == second


def test_letter_case_does_not_make_another_name(anna: Account) -> None:
    make(anna.id, "Straße")
    with pytest.raises(Conflict):
        make(anna.id, "STRASSE")
    with pytest.raises(Conflict):
        make(anna.id, "inbox")
    make(anna.id, "inbox", special(anna.id))  # elsewhere it may


def test_a_folder_cannot_move_below_itself(anna: Account) -> None:
    top = make(anna.id, "1")
    middle = make(anna.id, "2", top.id)
    bottom = make(anna.id, "3", middle.id)
    for target in (top, middle, bottom):
        with pytest.raises(InvalidInput):
            folders.update(anna.id, top.id, target.id, "1")


def test_depth_has_an_end(anna: Account) -> None:
    parent_id = 0
    for depth in range(folders.DEPTH_MAX):
        parent_id = make(anna.id, str(depth), parent_id).id
    with pytest.raises(InvalidInput):
        make(anna.id, "too deep", parent_id)


def test_a_tree_is_moved_only_to_where_all_of_it_fits(anna: Account) -> None:
    tops = []
    for name in ("a", "b"):
        parent_id, half = 0, []
        for _ in range(folders.DEPTH_MAX // 2):
            parent_id = make(anna.id, name, parent_id).id
            half.append(parent_id)
        tops.append(half)
    (first, *_, bottom), (second, *_) = tops
    folders.update(anna.id, second, bottom, "b")
    last = folders.create(anna.id, 0, "one more", FolderType.USER_MAIL)
    with pytest.raises(InvalidInput, match="deep"):
        folders.update(anna.id, first, last.id, "a")
    # What is deleted must fit.
    assert folders.bring_below(anna.id, first, special(anna.id, FolderType.DELETED)).id == first


def test_a_free_name_is_found_beside_any_others(anna: Account) -> None:
    bin_id = special(anna.id, FolderType.DELETED)
    long = "x" * folders.NAME_LENGTH_MAX
    names = [folders.bring_below(anna.id, make(anna.id, long).id, bin_id).name for _ in range(12)]
    assert names[0] == long and len(set(names)) == 12
    assert max(map(len, names)) == folders.NAME_LENGTH_MAX


def test_composed_and_decomposed_letters_are_one_name(anna: Account) -> None:
    decomposed = "Bu\u0308ro"
    assert make(anna.id, decomposed).name == decomposed  # what the phone shows stays what we show
    with pytest.raises(Conflict):
        make(anna.id, "BÜRO")
    with db.connection():
        found = folders.by_name(anna.id, "büro")
    assert found is not None and found.name == decomposed


def test_an_account_has_only_so_many_folders(anna: Account) -> None:
    limits.configure(Limits(folders_max=len(SPECIAL_FOLDERS) + 2))
    try:
        first, second = make(anna.id, "1"), make(anna.id, "2")
        with pytest.raises(QuotaExceeded, match="13 folders"):
            make(anna.id, "3")
        folders.update(anna.id, first.id, second.id, "moved all the same")
        messages.delete_folder(anna.id, first.id)
        make(anna.id, "3")
    finally:
        limits.configure(Limits())


@pytest.mark.parametrize(
    "name", ["a\x7fb", "a\x85b", "a\u2028b", "", "   ", "a\nb", "nul\0", "x" * (folders.NAME_LENGTH_MAX + 1)]
)
def test_impossible_names(anna: Account, name: str) -> None:
    with pytest.raises(InvalidInput):
        make(anna.id, name)


def test_special_folders_stay(anna: Account) -> None:
    inbox = special(anna.id)
    with pytest.raises(Denied):
        folders.update(anna.id, inbox, 0, "Eingang")
    with pytest.raises(Denied):
        folders.create(anna.id, 0, "Second", FolderType.INBOX)


def test_a_strangers_folders_are_not_there(anna: Account, ben: Account) -> None:
    theirs = make(anna.id, "Hers")
    before = modseq_of(anna.id)
    attempts: list[Callable[[], object]] = [
        lambda: folders.get(ben.id, theirs.id),
        lambda: make(ben.id, "Mine", theirs.id),
        lambda: folders.update(ben.id, theirs.id, 0, "Mine"),
        lambda: folders.update(ben.id, make(ben.id, "Own").id, theirs.id, "Own"),
        lambda: messages.delete_folder(ben.id, theirs.id),
    ]
    for attempt in attempts:
        with db.connection(), pytest.raises(NotFound):
            attempt()
    with db.connection():
        assert folders.by_name(ben.id, "Hers") is None
    assert modseq_of(anna.id) == before
