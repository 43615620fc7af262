"""FolderSync: the whole tree first, then what changed; keys like any collection's."""

import pytest

from appliance.store import folders, messages
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.codepages import FolderHierarchy as Tag
from tests.covers import covers
from tests.unit.eas.world import Phone


def document(key):
    return Tag.FolderSync(Tag.SyncKey(key))


def entries(answer, tag):
    return answer.require(Tag.Changes).find_all(tag)


def names(answer, tag=Tag.Add):
    return [entry.text_of(Tag.DisplayName, "") for entry in entries(answer, tag)]


def count(answer):
    return answer.require(Tag.Changes).int_of(Tag.Count)


@covers("MS-ASCMD_R4578", "MS-ASCMD_R5008", "MS-ASCMD_R5020", "MS-ASCMD_R4074", "MS-ASCMD_R119")
def test_key_0_brings_every_folder(phone):
    answer = phone.folder_sync()
    assert answer.int_of(Tag.Status) == 1
    assert {"Inbox", "Drafts", "Sent Items", "Deleted Items", "Junk Email", "Archive"} <= set(names(answer))
    assert count(answer) == len(names(answer))
    types = [entry.int_of(Tag.Type) for entry in entries(answer, Tag.Add)]
    assert {2, 3, 4, 5, 7, 8, 9, 10} <= set(types)
    assert all(entry.text_of(Tag.ParentId) == "0" for entry in entries(answer, Tag.Add))


@covers("MS-ASCMD_R5012")
def test_ids_do_not_change(phone):
    first = [entry.text_of(Tag.ServerId) for entry in entries(phone.folder_sync(), Tag.Add)]
    phone.hierarchy_key = "0"
    assert [entry.text_of(Tag.ServerId) for entry in entries(phone.folder_sync(), Tag.Add)] == first


def test_parents_come_before_their_children(phone):
    outer = folders.create(phone.account.id, 0, "outer", 12)
    inner = folders.create(phone.account.id, outer.id, "inner", 12)
    folders.update(phone.account.id, outer.id, 0, "renamed")
    order = names(phone.folder_sync())
    assert order.index("renamed") < order.index(inner.name)


@covers("MS-ASCMD_R5024", "MS-ASCMD_R5863", "MS-ASCMD_R113", "MS-ASCMD_R116", "MS-ASCMD_R5860")
def test_changes_since(phone):
    doomed = folders.create(phone.account.id, 0, "doomed", 12)
    kept = folders.create(phone.account.id, 0, "kept", 12)
    phone.folder_sync()
    folders.create(phone.account.id, 0, "new", 12)
    folders.update(phone.account.id, kept.id, doomed.id, "moved")
    folders.update(phone.account.id, kept.id, 0, "kept again")
    messages.delete_folder(phone.account.id, doomed.id)
    answer = phone.folder_sync()
    assert names(answer) == ["new"]
    assert names(answer, Tag.Update) == ["kept again"]
    assert [entry.text_of(Tag.ServerId) for entry in entries(answer, Tag.Delete)] == [str(doomed.id)]
    assert count(answer) == 3


def test_a_folder_that_came_and_went_is_not_mentioned(phone):
    phone.folder_sync()
    messages.delete_folder(phone.account.id, folders.create(phone.account.id, 0, "brief", 12).id)
    assert count(phone.folder_sync()) == 0


@covers("MS-ASCMD_R5775")
def test_the_tree_is_told_without_what_is_in_it(phone, inbox):
    phone.folder_sync()
    phone.prime(inbox)
    item = phone.server.file(phone.account, inbox, "new")
    assert count(phone.folder_sync()) == 0
    assert phone.sync(inbox).ids(AirSync.Add) == [item]


def test_own_changes_are_not_echoed(phone):
    phone.folder_sync()
    folders.create(phone.account.id, 0, "mine", 12, changed_by=1)
    folders.create(phone.account.id, 0, "theirs", 12, changed_by=99)
    assert names(phone.folder_sync()) == ["theirs"]


@covers("MS-ASCMD_R2120")
def test_no_change_keeps_the_key(phone):
    phone.folder_sync()
    key = phone.hierarchy_key
    answer = phone.folder_sync()
    assert (count(answer), phone.hierarchy_key) == (0, key)


def test_a_lost_answer_is_given_again(phone):
    phone.folder_sync()
    old = phone.hierarchy_key
    folders.create(phone.account.id, 0, "one", 12)
    first = phone.asked("FolderSync", document(old))
    folders.create(phone.account.id, 0, "two", 12)
    assert phone.asked("FolderSync", document(old)) == first
    assert names(phone.asked("FolderSync", document(first.text_of(Tag.SyncKey)))) == ["two"]


@covers("MS-ASCMD_R4581", "MS-ASCMD_R4083", "MS-ASCMD_R4068", "MS-ASCMD_R4070")
@pytest.mark.parametrize("key", ["1", "ffffffff.1", "x" * 64])
def test_unknown_keys(phone, key):
    phone.folder_sync()
    answer = phone.asked("FolderSync", document(key))
    assert [(child.tag.name, child.text) for child in answer] == [("Status", "9")]


def test_another_device_has_other_keys(phone):
    phone.folder_sync()
    other = Phone(phone.server, phone.account, "device2", hierarchy_key=phone.hierarchy_key)
    assert other.folder_sync().int_of(Tag.Status) == 9


@covers("MS-ASCMD_R4086")
@pytest.mark.parametrize(
    "request_",
    [Tag.FolderSync(), document(""), document("x" * 65), AirSync.Sync()],
    ids=["no key", "empty key", "long key", "root"],
)
def test_malformed(phone, request_):
    assert phone.asked("FolderSync", request_).int_of(Tag.Status) == 10
