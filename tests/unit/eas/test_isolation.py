"""Two accounts: every id of one, used by the other in every command, answers like an id that does not exist.

Each case asks twice, once with the stranger's id and once with one that nobody has, and compares the
answers after putting a name in place of the two ids.
"""

import re

import pytest

from appliance import db
from appliance.db.tables import Device, Item, SyncState
from appliance.eas.commands import COMMANDS
from appliance.items.folder import FolderType
from appliance.store import folders, messages
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    ComposeMail,
    Email,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Search,
)
from appliance.wbxml.codepages import FolderHierarchy as Hierarchy
from tests.unit.eas.world import Phone, request

NOBODY = 987_654
MAIL = (
    b"From: x@example.net\r\nTo: anna@example.test\r\nSubject: private\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nprivate words\r\n"
    b"--b\r\nContent-Type: text/csv; name=a.csv\r\nContent-Disposition: attachment\r\n\r\n"
    b"private\r\n--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n"
    b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:private\r\nDTSTART:20260310T080000Z\r\n"
    b"ORGANIZER:mailto:x@example.net\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n--b--\r\n"
)
SENT = b"From: bert@example.test\r\nTo: bert@example.test\r\nSubject: s\r\n\r\nmine\r\n"


@pytest.fixture
def anna(phone):
    return phone


@pytest.fixture
def bert(anna):
    other = Phone(anna.server, anna.server.account("bert"), "device2")
    other.folder_sync()
    other.prime(other.folder(FolderType.INBOX))
    return other


@pytest.fixture
def item(anna, inbox):
    """Anna's message; Anna's phone holds it."""
    item = anna.server.file_raw(anna.account, inbox, MAIL)
    anna.prime(inbox)
    return item


def sync(bert, folder, key="0", *commands):
    collection = bert.collection(folder, key=key, commands=commands)
    return AirSync.Sync(AirSync.Collections(collection))


def by_item(name):
    """Return the command and document that name a message, and Bert's own Inbox."""

    def own(bert):
        return bert.folder(FolderType.INBOX)

    def change(bert, i):
        data = AirSync.ApplicationData(Email.Read(1))
        return sync(bert, own(bert), bert.keys[own(bert)], AirSync.Change(AirSync.ServerId(str(i)), data))

    def delete(bert, i):
        return sync(bert, own(bert), bert.keys[own(bert)], AirSync.Delete(AirSync.ServerId(str(i))))

    def fetch(bert, i):
        return sync(bert, own(bert), bert.keys[own(bert)], AirSync.Fetch(AirSync.ServerId(str(i))))

    def move(bert, i):
        trash = bert.folder(FolderType.DELETED)
        return Move.MoveItems(
            Move.Move(Move.SrcMsgId(str(i)), Move.SrcFldId(str(own(bert))), Move.DstFldId(str(trash)))
        )

    def item_fetch(*names):
        return ItemOperations.ItemOperations(
            ItemOperations.Fetch(ItemOperations.Store("Mailbox"), list(names))
        )

    def meeting(*names):
        return MeetingResponse.MeetingResponse(
            MeetingResponse.Request(MeetingResponse.UserResponse(1), list(names))
        )

    def smart(root, source):
        return root(
            ComposeMail.ClientId("c"),
            ComposeMail.Source(source),
            ComposeMail.SaveInSentItems(),
            ComposeMail.Mime(SENT),
        )

    return {
        "Sync Change": ("Sync", change),
        "Sync Delete": ("Sync", delete),
        "Sync Fetch": ("Sync", fetch),
        "MoveItems": ("MoveItems", move),
        "Fetch by id": (
            "ItemOperations",
            lambda bert, i: item_fetch(AirSync.CollectionId(str(own(bert))), AirSync.ServerId(str(i))),
        ),
        "Fetch by long id": ("ItemOperations", lambda bert, i: item_fetch(Search.LongId(str(i)))),
        "Fetch attachment": (
            "ItemOperations",
            lambda bert, i: item_fetch(AirSyncBase.FileReference(f"{i}:2")),
        ),
        "MeetingResponse": (
            "MeetingResponse",
            lambda bert, i: meeting(
                MeetingResponse.CollectionId(str(own(bert))), MeetingResponse.RequestId(str(i))
            ),
        ),
        "MeetingResponse by long id": (
            "MeetingResponse",
            lambda bert, i: meeting(Search.LongId(str(i)), MeetingResponse.SendResponse()),
        ),
        "SmartReply": (
            "SmartReply",
            lambda bert, i: smart(ComposeMail.SmartReply, ComposeMail.ItemId(str(i))),
        ),
        "SmartForward": (
            "SmartForward",
            lambda bert, i: smart(ComposeMail.SmartForward, ComposeMail.ItemId(str(i))),
        ),
        "SmartForward by long id": (
            "SmartForward",
            lambda bert, i: smart(ComposeMail.SmartForward, ComposeMail.LongId(str(i))),
        ),
    }[name]


ITEM_CASES = [
    "Sync Change",
    "Sync Delete",
    "Sync Fetch",
    "MoveItems",
    "Fetch by id",
    "Fetch by long id",
    "Fetch attachment",
    "MeetingResponse",
    "MeetingResponse by long id",
    "SmartReply",
    "SmartForward",
    "SmartForward by long id",
]


def by_folder(name):
    """Return the command and document that name a folder."""

    def move_into(bert, folder):
        own = bert.folder(FolderType.INBOX)
        listed = bert.server.listed(bert.account, own)
        mine = listed[0].id if listed else bert.server.file(bert.account, own, "mine")
        asked = Move.Move(Move.SrcMsgId(str(mine)), Move.SrcFldId(str(own)), Move.DstFldId(str(folder)))
        return Move.MoveItems(asked)

    def estimate(bert, folder):
        asked = GetItemEstimate.Collection(
            AirSync.SyncKey("ffffffff.1"), GetItemEstimate.CollectionId(str(folder))
        )
        return GetItemEstimate.GetItemEstimate(GetItemEstimate.Collections(asked))

    def empty(bert, folder):
        asked = ItemOperations.EmptyFolderContents(
            AirSync.CollectionId(str(folder)), ItemOperations.Options(ItemOperations.DeleteSubFolders())
        )
        return ItemOperations.ItemOperations(asked)

    def search(bert, folder):
        query = Search.Query(
            Search.And(AirSync.Class("Email"), AirSync.CollectionId(str(folder)), Search.FreeText("private"))
        )
        return Search.Search(Search.Store(Search.Name("Mailbox"), query))

    def move_conversation(bert, folder):
        asked = ItemOperations.Move(
            ItemOperations.ConversationId(b"\0" * 16), ItemOperations.DstFldId(str(folder))
        )
        return ItemOperations.ItemOperations(asked)

    def rename(bert, folder):
        return Hierarchy.FolderUpdate(
            Hierarchy.SyncKey(bert.hierarchy_key),
            Hierarchy.ServerId(str(folder)),
            Hierarchy.ParentId("0"),
            Hierarchy.DisplayName("stolen"),
        )

    def delete(bert, folder):
        return Hierarchy.FolderDelete(Hierarchy.SyncKey(bert.hierarchy_key), Hierarchy.ServerId(str(folder)))

    def create_below(bert, folder):
        return Hierarchy.FolderCreate(
            Hierarchy.SyncKey(bert.hierarchy_key),
            Hierarchy.ParentId(str(folder)),
            Hierarchy.DisplayName("mine"),
            Hierarchy.Type(12),
        )

    return {
        "Search": ("Search", search),
        "Move a conversation": ("ItemOperations", move_conversation),
        "FolderUpdate": ("FolderUpdate", rename),
        "FolderDelete": ("FolderDelete", delete),
        "FolderCreate": ("FolderCreate", create_below),
        "Sync": ("Sync", lambda bert, folder: sync(bert, folder)),
        "Sync with a key": ("Sync", lambda bert, folder: sync(bert, folder, "ffffffff.1")),
        "MoveItems": ("MoveItems", move_into),
        "GetItemEstimate": ("GetItemEstimate", estimate),
        "EmptyFolderContents": ("ItemOperations", empty),
    }[name]


FOLDER_CASES = [
    "Sync",
    "Sync with a key",
    "MoveItems",
    "GetItemEstimate",
    "EmptyFolderContents",
    "Search",
    "Move a conversation",
    "FolderUpdate",
    "FolderDelete",
    "FolderCreate",
]
WITHOUT_IDS = {
    "SendMail": "carries its message",
    "FolderSync": "names nothing but a key; see test_a_strangers_key",
    "Settings": "is about the account itself",
    "Provision": "is about the device itself",
    "Find": "names no folder here; see test_search.test_nobody_searches_in_other_mailboxes",
    "ResolveRecipients": "names addresses",
    "ValidateCert": "carries its certificates",
}


def test_every_command_is_tried_or_names_nothing():
    tried = {by_item(case)[0] for case in ITEM_CASES} | {by_folder(case)[0] for case in FOLDER_CASES}
    assert tried | {"Ping"} | WITHOUT_IDS.keys() == COMMANDS.keys()


def answer(bert, name, document):
    """Return the answer as text."""
    found = bert.command(name, document)
    return "" if found is None else found.to_text(values=True)


def everything(anna):
    """Return all rows of Anna's items and states."""
    with db.connection():
        items = list(Item.select().where(Item.account == anna.account.id).order_by(Item.id).dicts())
        mine = SyncState.select().join(Device).where(Device.account == anna.account.id)
        states = list(mine.order_by(SyncState.folder).dicts())
    return items, states


@pytest.mark.parametrize("case", ITEM_CASES)
def test_a_strangers_message(anna, bert, item, case):
    name, build = by_item(case)
    before = everything(anna)
    with_theirs = answer(bert, name, build(bert, item))
    bert.prime(bert.folder(FolderType.INBOX))
    with_nothing = answer(bert, name, build(bert, NOBODY))
    assert comparable(with_theirs, item) == comparable(with_nothing, NOBODY)
    assert "private" not in with_theirs
    assert everything(anna) == before


@pytest.mark.parametrize("case", FOLDER_CASES)
def test_a_strangers_folder(anna, bert, item, inbox, case):
    name, build = by_folder(case)
    before = everything(anna)
    with_theirs = answer(bert, name, build(bert, inbox))
    with_nothing = answer(bert, name, build(bert, NOBODY))
    assert comparable(with_theirs, inbox) == comparable(with_nothing, NOBODY)
    assert everything(anna) == before


def test_a_strangers_key(anna, bert, item, inbox):
    """The key of another account's device is as unknown as any."""
    own = bert.folder(FolderType.INBOX)
    assert bert.sync(own, key=anna.keys[inbox]).status == 3


def test_a_strangers_folder_is_not_watched(anna, bert, item, inbox):
    own = bert.folder(FolderType.INBOX)
    bert.prime(own)
    waiting = bert.hold(
        "Ping",
        Ping.Ping(
            Ping.HeartbeatInterval(600),
            Ping.Folders([Ping.Folder(Ping.Id(str(i)), Ping.Class("Email")) for i in (inbox, NOBODY, own)]),
        ),
    )
    waiting.until_waiting()
    anna.server.file(anna.account, inbox, "private")
    assert waiting.is_waiting
    bert.server.file(bert.account, own, "mine")
    found = waiting.answer()
    assert [folder.text for folder in found.require(Ping.Folders)] == [str(own)]


def test_a_strangers_hierarchy_key(anna, bert):
    anna.folder_sync()
    own, bert.hierarchy_key = bert.hierarchy_key, anna.hierarchy_key
    for name in ("FolderUpdate", "FolderDelete", "FolderCreate"):
        _, build = by_folder(name)
        document = build(bert, bert.folder(FolderType.INBOX))
        assert bert.asked(name, document).int_of(Hierarchy.Status) == 9
    bert.hierarchy_key = own
    assert bert.folder_sync().int_of(Hierarchy.Status) == 1


def test_a_moved_message_of_a_stranger(anna, bert, item, inbox):
    """A tombstone tells a stranger nothing either."""
    messages.move(anna.account.id, item, anna.folder(FolderType.DELETED))
    for case in ITEM_CASES:
        name, build = by_item(case)
        bert.prime(bert.folder(FolderType.INBOX))
        with_theirs = answer(bert, name, build(bert, item))
        bert.prime(bert.folder(FolderType.INBOX))
        assert comparable(with_theirs, item) == comparable(answer(bert, name, build(bert, NOBODY)), NOBODY), (
            case
        )


def test_another_phone_of_the_same_account_has_its_own_state(anna, inbox, item):
    second = Phone(anna.server, anna.account, "device3")
    assert second.sync(inbox, key=anna.keys[inbox]).status == 3
    assert second.asked("Sync").int_of(AirSync.Status) == 13
    assert second.asked("Ping").int_of(Ping.Status) == 3


def test_the_user_of_the_query_proves_nothing(anna, bert, item):
    document = sync(bert, bert.folder(FolderType.INBOX))
    asked = request("Sync", encode(document), device_id="device2", user=anna.account.address)
    assert b"private" not in bert.server.ask(bert.account, asked).body
    with db.connection():
        assert all(f.account_id == bert.account.id for f in folders.list_folders(bert.account.id))


def comparable(text, used):
    """Return an answer without the id that was asked for and without keys, which differ every time."""
    lines = [line if ":Status>" in line else re.sub(rf"\b{used}\b", "ID", line) for line in text.splitlines()]
    return re.sub(r"[0-9a-f]{8}\.\d+", "KEY", "\n".join(lines))
