"""What a user does to a whole conversation, as phones ask for it: each message by itself, or all for good."""

import pytest

from appliance.items.folder import FolderType
from appliance.wbxml.codepages import AirSync, ComposeMail, Email, Email2, ItemOperations, Move, Search, Tasks
from tests.covers import covers
from tests.unit.eas.test_conversations import ANSWER, FIRST, arrive, subjects

THIRD = ANSWER.replace(b"two", b"three").replace(b"Re: plan", b"Fwd: plan")
WHOLE = ["Fwd: plan", "Re: plan", "plan"]


@pytest.fixture
def talk(phone, inbox):
    """The ids of a conversation's messages in the Inbox, the oldest first; something else lies beside it."""
    ids = [phone.server.file_raw(phone.account, inbox, raw) for raw in (FIRST, ANSWER, THIRD)]
    phone.server.file(phone.account, inbox, "unrelated")
    phone.prime(inbox)
    return ids


def change(phone, inbox, ids, *data):
    commands = [AirSync.Change(AirSync.ServerId(str(item)), AirSync.ApplicationData(*data)) for item in ids]
    return phone.sync(inbox, commands=commands)


def stored(phone, inbox):
    return {message.id: message for message in phone.server.listed(phone.account, inbox)}


@covers("MS-ASCON_R157", "MS-ASCON_R199", "MS-ASCON_R158", "MS-ASCON_R200", "MS-ASCON_R201")
def test_deleting_takes_what_is_there_and_nothing_that_comes(phone, inbox, talk):
    told = phone.sync(inbox, commands=[AirSync.Delete(AirSync.ServerId(str(item))) for item in talk])
    assert (told.status, told.responses) == (1, [])
    assert subjects(phone, phone.folder(FolderType.DELETED)) == WHOLE
    arrive(phone, THIRD.replace(b"three", b"four"))
    assert subjects(phone, inbox) == ["Fwd: plan", "unrelated"]


@covers("MS-ASCON_R326", "MS-ASCON_R203", "MS-ASCON_R337", "MS-ASCON_R284", "MS-ASCON_R204")
@pytest.mark.parametrize("is_read", [True, False])
def test_all_are_read_or_unread(phone, inbox, talk, is_read):
    assert change(phone, inbox, talk, Email.Read(not is_read)).status == 1
    assert change(phone, inbox, talk, Email.Read(is_read)).status == 1
    assert {stored(phone, inbox)[item].is_read for item in talk} == {is_read}


@covers("MS-ASCON_R324", "MS-ASCON_R206", "MS-ASCON_R325", "MS-ASCON_R207", "MS-ASCON_R162", "MS-ASCON_R208")
@covers("MS-ASCON_R209")
def test_flags_of_a_conversation(phone, inbox, talk):
    noon = "2026-03-02T12:00:00.000Z"
    newest = talk[-1:]
    assert change(phone, inbox, newest, Email.Flag(Email.Status(2))).status == 1
    assert [i for i in talk if stored(phone, inbox)[i].flag is not None] == newest
    change(phone, inbox, talk, Email.Flag(Email.Status(2)))
    done = Email.Flag(Email.Status(1), Email.CompleteTime(noon), Tasks.DateCompleted(noon))
    assert change(phone, inbox, talk, done).status == 1
    assert {stored(phone, inbox)[item].flag.status for item in talk} == {1}
    assert change(phone, inbox, talk, Email.Flag()).status == 1
    assert {stored(phone, inbox)[item].flag for item in talk} == {None}


@covers("MS-ASCON_R170", "MS-ASCON_R217", "MS-ASCON_R218")
def test_moving_what_lies_here(phone, inbox, talk):
    moves = [
        Move.Move(
            Move.SrcMsgId(str(item)),
            Move.SrcFldId(str(inbox)),
            Move.DstFldId(str(phone.folder(FolderType.DELETED))),
        )
        for item in talk
    ]
    answer = phone.asked("MoveItems", Move.MoveItems(moves))
    assert [response.int_of(Move.Status) for response in answer.find_all(Move.Response)] == [3, 3, 3]
    assert subjects(phone, phone.folder(FolderType.DELETED)) == WHOLE
    assert subjects(phone, inbox) == ["unrelated"]


@covers("MS-ASCON_R176", "MS-ASCON_R220", "MS-ASCON_R221")
def test_finding_it_in_all_folders(phone, inbox, talk):
    sent = phone.folder(FolderType.SENT)
    elsewhere = phone.server.file_raw(phone.account, sent, ANSWER.replace(b"two", b"sent"))
    conversation = stored(phone, inbox)[talk[0]].conversation_id
    query = Search.Query(Search.And(AirSync.Class("Email"), Search.ConversationId(conversation)))
    answer = phone.asked("Search", Search.Search(Search.Store(Search.Name("Mailbox"), query)))
    results = answer.require(Search.Response).require(Search.Store).find_all(Search.Result)
    assert {int(result.text_of(Search.LongId, "0")) for result in results} == {*talk, elsewhere}


@covers("MS-ASCON_R192", "MS-ASCON_R194")
def test_what_a_user_sends_belongs_to_a_conversation(phone, inbox):
    mime = b"To: anna@example.test\r\nSubject: new\r\nMessage-ID: <new@x>\r\n\r\nhello\r\n"
    request = ComposeMail.SendMail(
        ComposeMail.ClientId("1"), ComposeMail.SaveInSentItems(), ComposeMail.Mime(mime)
    )
    assert phone.command("SendMail", request) is None
    seen = []
    for folder in (inbox, phone.folder(FolderType.SENT)):
        phone.keys[folder] = "0"
        phone.sync(folder)
        data = phone.sync(folder).data(AirSync.Add)
        seen.append((data.require(Email2.ConversationId).data, data.require(Email2.ConversationIndex).data))
    assert seen[0] == seen[1]
    assert [len(value) for value in seen[0]] == [16, 5]


CONVERSATION = ItemOperations.ConversationId(b"0123456789abcdef")
ALWAYS = ItemOperations.Options(ItemOperations.MoveAlways())


@covers("MS-ASCON_R68", "MS-ASCON_R118", "MS-ASCON_R144")
@pytest.mark.parametrize(
    "children",
    [(CONVERSATION, ALWAYS), (ItemOperations.DstFldId("1"), ALWAYS)],
    ids=["no folder", "no conversation"],
)
def test_a_move_names_what_and_where(phone, children):
    answer = phone.asked("ItemOperations", ItemOperations.ItemOperations(ItemOperations.Move(*children)))
    moved = answer.require(ItemOperations.Response).require(ItemOperations.Move)
    assert moved.int_of(ItemOperations.Status) == 2
