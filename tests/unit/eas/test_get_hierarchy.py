"""GetHierarchy, up to 12.1: the mail folders and where they are."""

from appliance.store import folders
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.codepages import FolderHierarchy as Tag
from tests.covers import covers
from tests.unit.eas.world import Phone, checked, request


def listed(phone, document=None):
    response = phone.server.ask(phone.account, request("GetHierarchy", document, version="12.1"))
    assert (response.status, response.content_type) == (200, "application/vnd.ms-sync.wbxml")
    answer = checked(response, "12.1")
    assert answer.tag is Tag.Folders
    return {
        folder.text_of(Tag.DisplayName): (
            folder.text_of(Tag.ServerId),
            folder.int_of(Tag.Type),
            folder.text_of(Tag.ParentId),
        )
        for folder in answer
    }


@covers("MS-ASCMD_R6024", "MS-ASCMD_R6026", "MS-ASCMD_R6047", "MS-ASCMD_R7505", "MS-ASCMD_R7507")
def test_the_mail_folders_and_no_others(phone):
    folders.create(phone.account.id, 0, "Team calendar", 13)
    found = listed(phone)
    assert {"Inbox", "Drafts", "Sent Items", "Deleted Items", "Outbox", "Junk Email", "Archive"} == set(found)
    assert (found["Inbox"][1], found["Sent Items"][1], found["Deleted Items"][1]) == (2, 5, 4)


@covers("MS-ASCMD_R6025", "MS-ASCMD_R6031", "MS-ASCMD_R6032")
def test_ids_and_places_are_those_of_folder_sync(phone):
    outer = folders.create(phone.account.id, 0, "outer", 12)
    folders.create(phone.account.id, outer.id, "inner", 12)
    old = Phone(phone.server, phone.account, version="12.1")
    synced = {
        entry.text_of(Tag.DisplayName): (
            entry.text_of(Tag.ServerId),
            entry.int_of(Tag.Type),
            entry.text_of(Tag.ParentId),
        )
        for entry in old.folder_sync().require(Tag.Changes).find_all(Tag.Add)
    }
    found = listed(phone)
    assert found["inner"][2] == str(outer.id)
    own = {"outer", "inner", "Junk Email", "Archive"}
    assert {found[name][1] for name in own} == {1}, "1 to 6 are all the types there are"
    assert {name: (id_, place) for name, (id_, _, place) in found.items()}.items() <= {
        name: (id_, place) for name, (id_, _, place) in synced.items()
    }.items()
    assert {name: found[name] for name in found.keys() - own}.items() <= synced.items()


def test_a_request_has_no_meaning_in_its_body(phone):
    assert listed(phone, AirSync.Sync()) == listed(phone)


def test_nobody_sees_anybody_else_s(phone):
    bert = Phone(phone.server, phone.server.account("bert"))
    folders.create(bert.account.id, 0, "secret", 12)
    assert "secret" not in listed(phone)
    assert not {id_ for id_, *_ in listed(phone).values()} & {id_ for id_, *_ in listed(bert).values()}
