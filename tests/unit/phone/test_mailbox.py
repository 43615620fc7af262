"""What the phone holds after each kind of answer, and what it finds strange."""

import pytest

from appliance.phone.changes import Add, CollectionRequest, Command, Delete, flag, read
from appliance.phone.mailbox import Collection, Delta, Folder, Mailbox, plain
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, FolderHierarchy
from appliance.wbxml.element import Element


def folder_change(tag: str, folder_id: str, name: str = "", type_: str = "12") -> Element:
    kind = getattr(FolderHierarchy, tag)
    if tag == "Delete":
        return kind(FolderHierarchy.ServerId(folder_id))  # type: ignore[no-any-return]
    return kind(  # type: ignore[no-any-return]
        FolderHierarchy.ServerId(folder_id),
        FolderHierarchy.ParentId("0"),
        FolderHierarchy.DisplayName(name),
        FolderHierarchy.Type(type_),
    )


def hierarchy(key: str, *changes: Element, count: int | None = None) -> Element:
    return FolderHierarchy.FolderSync(
        FolderHierarchy.Status(1),
        FolderHierarchy.SyncKey(key),
        FolderHierarchy.Changes(
            FolderHierarchy.Count(len(changes) if count is None else count), list(changes)
        ),
    )


def mail(tag: str, server_id: str, *properties: Element) -> Element:
    kind = getattr(AirSync, tag)
    data = AirSync.ApplicationData(properties) if properties else None
    return kind(AirSync.ServerId(server_id), data)  # type: ignore[no-any-return]


def page(key: str, *commands: Element, more: bool = False, responses: tuple[Element, ...] = ()) -> Element:
    return AirSync.Collection(
        AirSync.SyncKey(key),
        AirSync.CollectionId("5"),
        AirSync.Status(1),
        AirSync.MoreAvailable() if more else None,
        AirSync.Responses(responses) if responses else None,
        AirSync.Commands(commands) if commands else None,
    )


def request(*commands: Command) -> CollectionRequest:
    return CollectionRequest("5", "1", commands=commands)


@pytest.fixture
def mailbox() -> Mailbox:
    found = Mailbox(folders={"5": Folder("5", "0", "Inbox", "2")})
    found.collection("5").items["5:1"] = {"Subject": "one", "Read": "0"}
    return found


def test_folders_come_change_and_go() -> None:
    mailbox = Mailbox()
    both = hierarchy("1", folder_change("Add", "5", "Inbox", "2"), folder_change("Add", "6", "Jobs"))
    assert mailbox.apply_hierarchy(both) == 2
    mailbox.collection("6").sync_key = "4"
    assert mailbox.apply_hierarchy(hierarchy("2", folder_change("Update", "5", "Eingang", "2"))) == 1
    assert mailbox.apply_hierarchy(hierarchy("3", folder_change("Delete", "6"))) == 1
    assert mailbox.folders == {"5": Folder("5", "0", "Eingang", "2")}
    assert mailbox.hierarchy_key == "3"
    assert mailbox.collections == {}, "a folder that is gone takes its items along"
    assert mailbox.anomalies == []


def test_a_hierarchy_from_zero_replaces_the_old_one() -> None:
    mailbox = Mailbox(folders={"9": Folder("9", "0", "Old", "12")})
    mailbox.apply_hierarchy(hierarchy("1", folder_change("Add", "5", "Inbox", "2")))
    assert list(mailbox.folders) == ["5"]


@pytest.mark.parametrize(
    "answer",
    [
        hierarchy("2", folder_change("Add", "5", "Inbox", "2")),
        hierarchy("2", folder_change("Update", "8", "Ghost")),
        hierarchy("2", folder_change("Delete", "8")),
        hierarchy("2", folder_change("Add", "8", "New"), count=2),
    ],
)
def test_contradictions_of_the_hierarchy_are_noted(mailbox: Mailbox, answer: Element) -> None:
    mailbox.hierarchy_key = "1"
    mailbox.apply_hierarchy(answer)
    assert len(mailbox.anomalies) == 1


def test_items_come_change_and_go(mailbox: Mailbox) -> None:
    delta = Delta()
    mailbox.apply_collection(
        request(),
        page(
            "2",
            mail("Add", "5:2", Email.Subject("two"), Email.Read(False)),
            mail("Change", "5:1", Email.Read(True)),
            more=True,
        ),
        delta,
    )
    assert delta.more
    mailbox.apply_collection(request(), page("3", mail("SoftDelete", "5:1"), mail("Delete", "5:2")), delta)
    collection = mailbox.collection("5")
    assert (delta.added, delta.changed, delta.soft_deleted, delta.deleted) == (
        ["5:2"],
        ["5:1"],
        ["5:1"],
        ["5:2"],
    )
    assert (collection.sync_key, collection.items, delta.pages, delta.more) == ("3", {}, 2, False)
    assert mailbox.anomalies == []


def test_a_change_of_mail_keeps_what_it_does_not_name(mailbox: Mailbox) -> None:
    mailbox.apply_collection(request(), page("2", mail("Change", "5:1", Email.Read(True))), Delta())
    assert mailbox.collection("5").items["5:1"] == {"Subject": "one", "Read": "1"}


def test_a_change_of_an_event_replaces_it(mailbox: Mailbox) -> None:
    mailbox.collections["5"] = Collection(
        "5", "Calendar", items={"5:1": {"Subject": "one", "Location": "here"}}
    )
    mailbox.apply_collection(request(), page("2", mail("Change", "5:1", Email.Subject("new"))), Delta())
    assert mailbox.collection("5").items["5:1"] == {"Subject": "new"}


@pytest.mark.parametrize(
    "command",
    [
        mail("Add", "5:1", Email.Subject("again")),
        mail("Change", "5:9", Email.Read(True)),
        mail("Delete", "5:9"),
        mail("SoftDelete", "5:9"),
    ],
)
def test_contradictions_of_items_are_noted(mailbox: Mailbox, command: Element) -> None:
    mailbox.apply_collection(request(), page("2", command), Delta())
    assert len(mailbox.anomalies) == 1


def test_more_available_without_items_is_noted(mailbox: Mailbox) -> None:
    mailbox.apply_collection(request(), page("2", more=True), Delta())
    assert "MoreAvailable" in mailbox.anomalies[0]


def test_silence_means_the_phones_own_changes_succeeded(mailbox: Mailbox) -> None:
    mailbox.apply_collection(request(read("5:1"), flag("5:1")), page("2"), Delta())
    assert mailbox.collection("5").items["5:1"]["Read"] == "1"
    assert mailbox.collection("5").items["5:1"]["Flag"] == {"Status": "2", "FlagType": "Flag for follow up"}
    mailbox.apply_collection(request(Delete("5:1")), page("3"), Delta())
    assert mailbox.collection("5").items == {}


def test_a_refused_change_is_not_applied(mailbox: Mailbox) -> None:
    refused = AirSync.Change(AirSync.ServerId("5:1"), AirSync.Status(8))
    delta = Delta()
    mailbox.apply_collection(request(read("5:1")), page("2", responses=(refused,)), delta)
    assert mailbox.collection("5").items["5:1"]["Read"] == "0"
    assert delta.statuses == {"5:1": 8}


def test_an_added_item_gets_its_server_id(mailbox: Mailbox) -> None:
    answer = AirSync.Add(AirSync.ClientId("c1"), AirSync.ServerId("5:3"), AirSync.Status(1))
    delta = Delta()
    mailbox.apply_collection(
        request(Add("c1", (Email.Subject("draft"),))), page("2", responses=(answer,)), delta
    )
    assert delta.created == {"c1": "5:3"}
    assert mailbox.collection("5").items["5:3"] == {"Subject": "draft"}


def test_containers_of_many_are_lists_even_with_one() -> None:
    element = AirSyncBase.Attachments(AirSyncBase.Attachment(AirSyncBase.DisplayName("a.pdf")))
    assert plain(element) == [{"DisplayName": "a.pdf"}]
    assert plain(Email.Categories()) == []
    assert plain(Email.Flag()) == ""
