"""MoveItems: each move on its own, and again without harm."""

import pytest

from appliance.items.folder import FolderType
from appliance.store import folders, messages
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.codepages import Move as Tag
from tests.covers import covers
from tests.unit.eas.world import Phone


def move(item, source, *targets):
    return Tag.Move(
        Tag.SrcMsgId(str(item)), Tag.SrcFldId(str(source)), [Tag.DstFldId(str(t)) for t in targets]
    )


def ask(phone, *moves):
    answer = phone.asked("MoveItems", Tag.MoveItems(list(moves)))
    found = answer.find_all(Tag.Response)
    return [(r.text_of(Tag.SrcMsgId), r.int_of(Tag.Status), r.int_of(Tag.DstMsgId)) for r in found]


@covers("MS-ASCMD_R4217", "MS-ASCMD_R285", "MS-ASCMD_R289", "MS-ASCMD_R290", "MS-ASCMD_R3977")
def test_a_move_and_who_hears_of_it(either_phone):
    phone = either_phone
    inbox, archive = phone.folder(FolderType.INBOX), phone.folder(FolderType.DELETED)
    other = Phone(phone.server, phone.account, "device2")
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox, archive)
    other.prime(inbox, archive)
    ((named, status, moved),) = ask(phone, move(item, inbox, archive))
    assert (named, status) == (str(item), 3)
    assert moved != item
    assert phone.sync(inbox).is_empty
    assert phone.sync(archive).ids(AirSync.Add) == [moved]
    assert other.sync(inbox).ids(AirSync.Delete) == [item]
    assert other.sync(archive).ids(AirSync.Add) == [moved]


def test_a_repeat_gets_the_same_answer(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    item = phone.server.file(phone.account, inbox, "one")
    first = ask(phone, move(item, inbox, sent))
    assert ask(phone, move(item, inbox, sent)) == first
    assert ask(phone, move(item, inbox, sent), move(item, inbox, sent)) == first * 2
    assert len(phone.server.listed(phone.account, sent)) == 1


@covers("MS-ASCMD_R4207", "MS-ASCMD_R4208", "MS-ASCMD_R4212", "MS-ASCMD_R4219", "MS-ASCMD_R4201")
@covers("MS-ASCMD_R5879")
def test_faults(phone, inbox):
    sent, trash = phone.folder(FolderType.SENT), phone.folder(FolderType.DELETED)
    item = phone.server.file(phone.account, inbox, "one")
    elsewhere = phone.server.file(phone.account, inbox, "two")
    messages.move(phone.account.id, elsewhere, trash)
    answers = ask(
        phone,
        move(item, inbox, 999_999),
        move(item, inbox, "x"),
        move(item, 999_999, sent),
        move(item, sent, trash),
        move(999_999, inbox, sent),
        move("x", inbox, sent),
        move(item, inbox, inbox),
        move(elsewhere, inbox, sent),
    )
    assert [status for _, status, _ in answers] == [2, 2, 1, 1, 1, 1, 4, 1]
    assert all(moved is None for *_, moved in answers)
    assert [m.id for m in phone.server.listed(phone.account, inbox)] == [item]


@covers("MS-ASCMD_R4222")
def test_there_is_one_destination(phone, inbox):
    sent, trash = phone.folder(FolderType.SENT), phone.folder(FolderType.DELETED)
    item = phone.server.file(phone.account, inbox, "one")
    assert ask(phone, move(item, inbox, sent, trash), move(item, inbox)) == [
        (str(item), 5, None),
        (str(item), 5, None),
    ]


def test_mail_does_not_go_into_a_calendar(phone, inbox):
    item = phone.server.file(phone.account, inbox, "one")
    assert ask(phone, move(item, inbox, phone.folder(FolderType.CALENDAR))) == [(str(item), 2, None)]


def test_one_fault_does_not_concern_the_others(phone, inbox):
    made = folders.create(phone.account.id, 0, "made", 12)
    items = [phone.server.file(phone.account, inbox, str(n)) for n in range(2)]
    answers = ask(
        phone, move(items[0], inbox, made.id), move(7_777, inbox, 8), move(items[1], inbox, made.id)
    )
    assert [status for _, status, _ in answers][::2] == [3, 3]


@covers("MS-ASCMD_R5653")
@pytest.mark.parametrize("count", [0, 1001])
def test_1_to_1000_moves(phone, count):
    answer = phone.asked("MoveItems", Tag.MoveItems([move(n + 1, 1, 2) for n in range(count)]))
    assert [(child.tag.name, child.text) for child in answer] == [("Status", "103")]


@pytest.mark.parametrize("document", [AirSync.Sync(), Tag.MoveItems(move("1" * 65, 1, 2))])
def test_malformed(phone, document):
    assert phone.asked("MoveItems", document).int_of(Tag.Status) == 103
