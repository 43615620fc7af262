"""Conversations: moved whole and for good, and let in whole by a filter."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.delivery import inbound
from appliance.items.envelope import Envelope
from appliance.items.folder import FolderType
from appliance.store import folders, messages
from appliance.wbxml.codepages import AirSync, Email, GetItemEstimate, ItemOperations, Ping
from appliance.wbxml.element import Element
from tests.covers import covers
from tests.unit.eas.world import HOSTNAME, Phone

FIRST = b"Message-ID: <root@example.net>\r\nSubject: plan\r\n\r\none\r\n"
ANSWER = b"Message-ID: <two@example.net>\r\nReferences: <root@example.net>\r\nSubject: Re: plan\r\n\r\n2\r\n"


def arrive(phone, raw):
    envelope = Envelope(
        reverse_path="x@example.net",
        forward_paths=(phone.account.address,),
        received_at=phone.server.clock.now(),
    )
    inbound.deliver(envelope, raw, hostname=HOSTNAME)


@pytest.fixture
def talk(phone, inbox):
    """A conversation with a message in three folders; its id."""
    for type_, raw in ((FolderType.INBOX, FIRST), (FolderType.SENT, ANSWER), (FolderType.DELETED, ANSWER)):
        phone.server.file_raw(phone.account, phone.folder(type_), raw)
    phone.server.file(phone.account, inbox, "unrelated")
    return phone.server.listed(phone.account, phone.folder(FolderType.SENT))[0].conversation_id


@pytest.fixture
def archive(phone):
    return folders.create(phone.account.id, 0, "Projects", FolderType.USER_MAIL).id


def move(phone, conversation, folder, *, always=True):
    operation = ItemOperations.Move(
        ItemOperations.ConversationId(conversation),
        ItemOperations.DstFldId(str(folder)),
        ItemOperations.Options(ItemOperations.MoveAlways()) if always else None,
    )
    answer = phone.asked("ItemOperations", ItemOperations.ItemOperations(operation))
    moved = answer.require(ItemOperations.Response).require(ItemOperations.Move)
    assert moved.require(ItemOperations.ConversationId).data == conversation
    return moved.int_of(ItemOperations.Status)


def subjects(phone, folder):
    return sorted(message.subject for message in phone.server.listed(phone.account, folder))


@covers("MS-ASCON_R143", "MS-ASCON_R216")
@covers("MS-ASCON_R130", "MS-ASCON_R172", "MS-ASCON_R215", "MS-ASCMD_R201", "MS-ASCON_R69", "MS-ASCMD_R3465")
def test_conversation_is_moved_with_all_that_will_come_of_it(phone, inbox, talk, archive):
    assert move(phone, talk, archive) == 1
    assert subjects(phone, archive) == ["Re: plan", "plan"]
    assert subjects(phone, inbox) == ["unrelated"]
    assert subjects(phone, phone.folder(FolderType.SENT)) == ["Re: plan"]
    arrive(phone, ANSWER.replace(b"two", b"three"))
    assert subjects(phone, archive) == ["Re: plan", "Re: plan", "plan"]
    arrive(phone, FIRST.replace(b"root", b"other"))
    assert subjects(phone, inbox) == ["plan", "unrelated"]


@covers("MS-ASCON_R214")
@covers("MS-ASCON_R166", "MS-ASCON_R213")
def test_ignored_conversation_goes_to_deleted_items(phone, inbox, talk):
    bin_folder = phone.folder(FolderType.DELETED)
    assert move(phone, talk, bin_folder) == 1
    arrive(phone, ANSWER.replace(b"two", b"three"))
    assert subjects(phone, inbox) == ["unrelated"]
    assert len(subjects(phone, bin_folder)) == 3


def test_last_wish_holds(phone, inbox, talk, archive):
    move(phone, talk, archive)
    move(phone, talk, inbox)
    arrive(phone, ANSWER.replace(b"two", b"three"))
    assert subjects(phone, inbox) == ["Re: plan", "Re: plan", "plan", "unrelated"]


def test_wish_ends_with_its_folder(phone, inbox, talk, archive):
    move(phone, talk, archive)
    messages.delete_folder(phone.account.id, archive)
    arrive(phone, ANSWER.replace(b"two", b"three"))
    assert subjects(phone, inbox) == ["Re: plan", "unrelated"]


def test_move_without_always_is_refused(phone, inbox, talk, archive):
    assert move(phone, talk, archive, always=False) == 155
    assert subjects(phone, inbox) == ["plan", "unrelated"]


@covers("MS-ASCON_R262")
def test_conversation_does_not_go_into_the_recipient_cache(phone, talk):
    assert move(phone, talk, "RI") == 105


@covers("MS-ASCON_R338")
@covers("MS-ASCON_R146", "MS-ASCON_R317", "MS-ASCMD_R4942")
def test_faults_have_their_statuses(phone, talk, archive):
    assert move(phone, talk, phone.folder(FolderType.CALENDAR)) == 156
    assert move(phone, b"0123456789abcdef", archive) == 6
    assert move(phone, talk, 999_999) == 6
    stranger = Phone(phone.server, phone.server.account("ben"))
    assert move(stranger, talk, stranger.folder(FolderType.INBOX)) == 6
    assert move(phone, talk, stranger.folder(FolderType.INBOX)) == 6


def filtered(phone, folder, filter_type, *, conversations):
    mode = AirSync.ConversationMode(1) if conversations else None
    children = [child for child in (mode,) if child is not None]
    return phone.sync(folder, *children, options=AirSync.Options(AirSync.FilterType(filter_type)))


@covers("MS-ASCMD_R2107", "MS-ASCON_R180")
def test_filter_lets_whole_conversations_in(phone, inbox):
    server = phone.server
    server.file_raw(phone.account, inbox, FIRST, timedelta(days=20))
    server.file_raw(phone.account, inbox, ANSWER, timedelta(hours=1))
    server.file(phone.account, inbox, "as old, and of another", timedelta(days=10))
    server.file(phone.account, inbox, "older than all", timedelta(days=40))
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    told = filtered(phone, inbox, 2, conversations=True)
    assert {told.data(AirSync.Add, n).text_of(Email.Subject) for n in range(2)} == {"plan", "Re: plan"}
    assert len(told.of(AirSync.Add)) == 2
    told = filtered(phone, inbox, 2, conversations=False)
    assert len(told.of(AirSync.SoftDelete)) == 1


def test_conversations_are_let_in_on_either_database(either_phone):
    phone, inbox = either_phone, either_phone.folder(FolderType.INBOX)
    elsewhere = phone.folder(FolderType.DELETED)
    old = phone.server.file_raw(phone.account, inbox, FIRST, timedelta(days=20))
    phone.server.file_raw(phone.account, elsewhere, FIRST, timedelta(days=19))
    phone.server.file(phone.account, inbox, "another", timedelta(days=10))
    new = phone.server.file_raw(phone.account, inbox, ANSWER, timedelta(hours=1))
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    assert filtered(phone, inbox, 2, conversations=True).ids(AirSync.Add) == [new, old]


def test_ping_hears_of_an_older_message_of_a_conversation_and_of_no_other(phone, inbox):
    server = phone.server
    old = server.file_raw(phone.account, inbox, FIRST, timedelta(days=20))
    other = server.file(phone.account, inbox, "another", timedelta(days=10))
    server.file_raw(phone.account, inbox, ANSWER, timedelta(hours=1))
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    filtered(phone, inbox, 2, conversations=True)
    ping = Ping.Ping(
        Ping.HeartbeatInterval(60), Ping.Folders(Ping.Folder(Ping.Id(str(inbox)), Ping.Class("Email")))
    )
    messages.set_read(phone.account.id, other, True)
    held = phone.hold("Ping", ping)
    held.until_waiting()
    messages.set_read(phone.account.id, old, True)
    assert held.answer().int_of(Ping.Status) == 2
    assert filtered(phone, inbox, 2, conversations=True).ids(AirSync.Change) == [old]


@covers("MS-ASCMD_R2117")
def test_conversation_mode_is_for_mail(phone):
    calendar = phone.folder(FolderType.CALENDAR)
    phone.keys[calendar] = "0"
    assert phone.sync(calendar, AirSync.ConversationMode(1)).status == 4


@covers("MS-ASCON_R332", "MS-ASCON_R211")
def test_estimate_counts_whole_conversations(phone, inbox):
    server = phone.server
    server.file_raw(phone.account, inbox, FIRST, timedelta(days=20))
    server.file_raw(phone.account, inbox, ANSWER, timedelta(hours=1))
    phone.keys[inbox] = "0"
    phone.sync(inbox)

    def estimate(mode: Element | None) -> int:
        answer = phone.asked(
            "GetItemEstimate",
            GetItemEstimate.GetItemEstimate(
                GetItemEstimate.Collections(
                    GetItemEstimate.Collection(
                        AirSync.SyncKey(phone.keys[inbox]),
                        GetItemEstimate.CollectionId(str(inbox)),
                        mode,
                        AirSync.Options(AirSync.FilterType(2)),
                    )
                )
            ),
        )
        found = answer.require(GetItemEstimate.Response).require(GetItemEstimate.Collection)
        return found.int_of(GetItemEstimate.Estimate, -1)

    assert (estimate(None), estimate(AirSync.ConversationMode(1))) == (1, 2)


@covers("MS-ASCMD_R2100")
def test_estimate_of_conversations_is_for_mail(phone):
    with db.connection():
        calendar = folders.special(phone.account.id, FolderType.CALENDAR).id
    answer = phone.asked(
        "GetItemEstimate",
        GetItemEstimate.GetItemEstimate(
            GetItemEstimate.Collections(
                GetItemEstimate.Collection(
                    AirSync.SyncKey("0"),
                    GetItemEstimate.CollectionId(str(calendar)),
                    AirSync.ConversationMode(1),
                )
            )
        ),
    )
    assert answer.int_of(GetItemEstimate.Status) == 103
