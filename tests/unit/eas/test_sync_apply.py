"""Changes that come from a device: applied once, answered as the protocol says, never half."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from appliance import db
from appliance.devices import sync_states
from appliance.eas import sync_apply
from appliance.eas.sync_apply import CLIENT_IDS_MAX, item_id_of
from appliance.errors import NotFound
from appliance.items.folder import FolderType
from appliance.items.message import Flag
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2, Tasks
from tests.covers import covers
from tests.unit.eas.world import Phone


def change(item, *data):
    return AirSync.Change(AirSync.ServerId(str(item)), AirSync.ApplicationData(*data))


def delete(item):
    return AirSync.Delete(AirSync.ServerId(str(item)))


def statuses(told):
    return [(r.tag.name, r.text_of(AirSync.ServerId), r.int_of(AirSync.Status)) for r in told.responses]


@pytest.fixture
def item(phone, inbox):
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    return item


def stored(phone, item):
    with db.connection():
        return messages.get(phone.account.id, item)


@covers("MS-ASEMAIL_R640", "MS-ASEMAIL_R641", "MS-ASCMD_R3834")
def test_read_and_unread(phone, inbox, item):
    told = phone.sync(inbox, commands=[change(item, Email.Read(1))])
    assert (told.status, told.responses, told.of(AirSync.Change)) == (1, [], [])
    assert stored(phone, item).is_read
    phone.sync(inbox, commands=[change(item, Email.Read(0))])
    assert not stored(phone, item).is_read
    assert phone.sync(inbox).is_empty


@covers("MS-ASEMAIL_R88", "MS-ASEMAIL_R8800")
@pytest.mark.parametrize("cleared", [Email.Flag(), Email.Flag(Email.Status(0))], ids=["empty", "0"])
def test_flag_and_clear(phone, inbox, item, cleared):
    flag = Email.Flag(Email.Status(2), Email.FlagType("Flag for follow up"))
    phone.sync(inbox, commands=[change(item, flag)])
    assert stored(phone, item).flag == Flag(2)
    phone.sync(inbox, commands=[change(item, cleared)])
    assert stored(phone, item).flag is None


def test_a_flag_without_dates_or_type_is_taken(phone, inbox, item):
    told = phone.sync(inbox, commands=[change(item, Email.Flag(Email.Status(2)))])
    assert told.responses == []
    assert stored(phone, item).flag == Flag(2, "Flag for follow up")


@covers("MS-ASEMAIL_R319", "MS-ASEMAIL_R320")
def test_categories(phone, inbox, item):
    named = Email.Categories(Email.Category("red"), Email.Category("blue"), Email.Category("red"))
    phone.sync(inbox, commands=[change(item, named)])
    assert stored(phone, item).categories == ("red", "blue")
    phone.sync(inbox, commands=[change(item, Email.Read(1))])
    assert stored(phone, item).categories == ("red", "blue")
    phone.sync(inbox, commands=[change(item, Email.Categories())])
    assert stored(phone, item).categories == ()


READ, FLAG = Email.Read(1), Email.Flag(Email.Status(2))
CATEGORIES = Email.Categories(Email.Category("red"))


@covers("MS-ASCMD_R873", "MS-ASCMD_R5825", "MS-ASCMD_R5826")
@pytest.mark.parametrize(
    "changed", [Email.Read(0), Email.Flag(), Email.Categories()], ids=["read", "flag", "categories"]
)
def test_a_change_of_one_leaves_the_others(phone, inbox, item, changed):
    phone.sync(inbox, commands=[change(item, READ, FLAG, CATEGORIES)])
    before = stored(phone, item)
    assert phone.sync(inbox, commands=[change(item, changed)]).responses == []
    after = stored(phone, item)
    parts = {"Read": "is_read", "Flag": "flag", "Categories": "categories"}
    different = {name for name, part in parts.items() if getattr(before, part) != getattr(after, part)}
    assert different == {changed.tag.name}
    assert after.subject == "one"


@covers("MS-ASCMD_R875")
def test_all_of_an_item_may_be_sent_back(phone, inbox, item):
    """What is not the device's to change is read over, and is no error."""
    rest = (
        Email.To("other@example.net"),
        Email.From("other@example.net"),
        Email.Subject("another"),
        Email.DateReceived("2020-01-01T00:00:00.000Z"),
        Email.Importance(2),
        AirSyncBase.Body(AirSyncBase.Type(1), AirSyncBase.Data("another")),
    )
    told = phone.sync(inbox, commands=[change(item, *rest, READ, FLAG)])
    assert (told.status, told.responses) == (1, [])
    after = stored(phone, item)
    assert (after.is_read, after.flag, after.subject) == (True, Flag(2), "one")


@covers("MS-ASCMD_R4440", "MS-ASEMAIL_R643", "MS-ASEMAIL_R347", "MS-ASCMD_R4419")
@pytest.mark.parametrize(
    "data",
    [
        (Email.Read("perhaps"),),
        (Email.Read(1), Email.Flag(Email.Status(7))),
        (Email.Read(1), Email.Flag(Email.Status("x"))),
        (Email.Read(1), Email.Flag(Email.Status(2), Tasks.DueDate("tomorrow"))),
        (Email.Read(1), Email.Flag(Email.Status(2), Tasks.DueDate("0001-01-01T00:00:00+14:00"))),
        (
            Email.Read(1),
            Email.Flag(
                Email.Status(2),
                Tasks.StartDate("2026-03-05T00:00:00.000Z"),
                Tasks.DueDate("2026-03-04T00:00:00.000Z"),
            ),
        ),
        (Email.Read(1), Email2.ConversationId(b"0123456789abcdef")),
        (Email.Read(1), Email2.ConversationIndex(b"01234")),
    ],
)
def test_what_cannot_be_read_changes_nothing_at_all(phone, inbox, item, data):
    told = phone.sync(inbox, commands=[change(item, *data)])
    assert statuses(told) == [("Change", str(item), 6)]
    assert not stored(phone, item).is_read


def test_a_change_without_data(phone, inbox, item):
    told = phone.sync(inbox, commands=[AirSync.Change(AirSync.ServerId(str(item)))])
    assert statuses(told) == [("Change", str(item), 6)]


def test_the_texts_of_a_flag_are_cut(phone, inbox, item):
    flag = Email.Flag(Tasks.Subject("s" * 5_000), Email.Status(2), Email.FlagType("f" * 5_000))
    phone.sync(inbox, commands=[change(item, flag)])
    kept = stored(phone, item).flag
    assert (len(kept.subject), len(kept.flag_type)) == (1_024, 1_024)


@covers("MS-ASCMD_R4447", "MS-ASCMD_R5256")
@pytest.mark.parametrize("command", [lambda i: change(i, Email.Read(1)), delete, "fetch"])
def test_an_item_that_is_not_there(phone, inbox, item, command):
    build = command if command != "fetch" else lambda i: AirSync.Fetch(AirSync.ServerId(str(i)))
    elsewhere = phone.server.file(phone.account, phone.folder(FolderType.SENT), "elsewhere")
    told = phone.sync(inbox, commands=[build(999_999), build(elsewhere), build("x")])
    assert [status for *_, status in statuses(told)] == [8, 8, 8]


@covers("MS-ASCMD_R2160", "MS-ASCMD_R5875", "MS-ASCMD_R5874", "MS-ASCMD_R2161")
@pytest.mark.parametrize(
    "children", [(), (AirSync.DeletesAsMoves(),), (AirSync.DeletesAsMoves(1),)], ids=["absent", "empty", "1"]
)
def test_deleting_moves_to_deleted_items(phone, inbox, item, children):
    told = phone.sync(inbox, *children, commands=[delete(item)])
    assert (told.responses, told.of(AirSync.Delete)) == ([], [])
    trash = phone.server.listed(phone.account, phone.folder(FolderType.DELETED))
    assert [message.subject for message in trash] == ["one"]
    assert phone.sync(inbox).is_empty


@covers("MS-ASCMD_R2158")
def test_deleting_for_good(phone, inbox, item):
    phone.sync(inbox, AirSync.DeletesAsMoves(0), commands=[delete(item)])
    assert phone.server.listed(phone.account, inbox) == []
    assert phone.server.listed(phone.account, phone.folder(FolderType.DELETED)) == []


def test_deleting_in_deleted_items_is_final(phone):
    trash = phone.folder(FolderType.DELETED)
    item = phone.server.file(phone.account, trash, "old")
    phone.prime(trash)
    assert phone.sync(trash, commands=[delete(item)]).responses == []
    assert phone.server.listed(phone.account, trash) == []


def test_a_deletion_that_has_happened_is_a_success(phone, inbox, item):
    messages.delete(phone.account.id, item)
    told = phone.sync(inbox, commands=[delete(item)])
    assert told.responses == []


def test_what_is_deleted_here_is_deleted_on_the_other_phone(phone, inbox, item):
    other = Phone(phone.server, phone.account, "device2")
    other.prime(inbox)
    phone.sync(inbox, commands=[delete(item)])
    assert other.sync(inbox).ids(AirSync.Delete) == [item]


# --- conflicts ------------------------------------------------------------------------------------


@covers("MS-ASCMD_R4444", "MS-ASCMD_R2069", "MS-ASCMD_R2066")
def test_the_server_wins_and_says_so(phone, inbox, item):
    messages.set_flag(phone.account.id, item, Flag(2))
    told = phone.sync(inbox, commands=[change(item, Email.Flag(), Email.Read(1))])
    assert statuses(told) == [("Change", str(item), 7)]
    assert told.data(AirSync.Change).require(Email.Flag).int_of(Email.Status) == 2
    assert stored(phone, item).flag == Flag(2)
    assert stored(phone, item).is_read, "a part nobody else touched is taken"


@covers("MS-ASCMD_R2067")
def test_the_client_wins_when_it_says_so(phone, inbox, item):
    messages.set_flag(phone.account.id, item, Flag(2))
    options = AirSync.Options(AirSync.Conflict(0))
    told = phone.sync(inbox, options=options, commands=[change(item, Email.Flag())])
    assert told.responses == []
    assert stored(phone, item).flag is None


def test_the_same_change_twice_is_no_conflict(phone, inbox, item):
    messages.set_read(phone.account.id, item, True)
    told = phone.sync(inbox, commands=[change(item, Email.Read(1))])
    assert told.responses == []


# --- Add and Fetch --------------------------------------------------------------------------------


@covers("MS-ASCMD_R755")
def test_mail_cannot_be_added(phone, inbox):
    phone.prime(inbox)
    add = AirSync.Add(AirSync.ClientId("c1"), AirSync.ApplicationData(Email.Subject("mine")))
    told = phone.sync(inbox, commands=[add])
    assert [(r.text_of(AirSync.ClientId), r.int_of(AirSync.Status)) for r in told.responses] == [("c1", 6)]
    assert phone.server.listed(phone.account, inbox) == []


@covers("MS-ASCMD_R756")
def test_nothing_is_added_to_the_recipient_cache(phone):
    add = AirSync.Add(AirSync.ClientId("c1"), AirSync.ApplicationData(Email.Subject("mine")))
    answer = phone.sync_all(phone.collection("RI", key="1", commands=[add]))
    assert [(child.tag.name, child.text) for child in answer] == [("Status", "4")]


def test_only_so_many_client_ids_are_remembered(phone, inbox):
    phone.prime(inbox)
    with db.connection():
        state = sync_states.load(1, inbox)
    known = {f"client{n}": str(n + 1) for n in range(CLIENT_IDS_MAX + 10)}
    sync_states.store(replace(state, client_ids=json.dumps(known)), phone.server.clock.now())
    add = AirSync.Add(AirSync.ClientId("client500"), AirSync.ApplicationData())
    told = phone.sync(inbox, commands=[add])
    assert [(r.text_of(AirSync.ServerId), r.int_of(AirSync.Status)) for r in told.responses] == [("501", 1)]
    with db.connection():
        kept = json.loads(sync_states.load(1, inbox).client_ids)
    assert len(kept) == CLIENT_IDS_MAX
    assert "client9" not in kept
    assert "client10" in kept


@covers("MS-ASCMD_R5433", "MS-ASCMD_R5255")
def test_fetch_brings_the_whole_item(phone, inbox):
    item = phone.server.file_raw(phone.account, inbox, b"Subject: long\r\n\r\n" + b"word " * 500)
    phone.prime(
        inbox,
        options=AirSync.Options(
            AirSyncBase.BodyPreference(AirSyncBase.Type(1), AirSyncBase.TruncationSize(10))
        ),
    )
    told = phone.sync(inbox, options=AirSync.Options(AirSyncBase.BodyPreference(AirSyncBase.Type(1))))
    told = phone.sync(inbox, commands=[AirSync.Fetch(AirSync.ServerId(str(item)))])
    fetched = told.responses[0]
    assert [child.tag.name for child in fetched] == ["ServerId", "Status", "ApplicationData"]
    body = fetched.require(AirSync.ApplicationData).require(AirSyncBase.Body)
    assert len(body.text_of(AirSyncBase.Data)) == 2_500


# --- repeats --------------------------------------------------------------------------------------


def test_a_repeat_is_recognised_even_after_another_answer(phone, inbox, item, monkeypatch):
    runs = []
    run = sync_apply._Job.run
    monkeypatch.setattr(
        sync_apply._Job, "run", lambda job, command: runs.append(command) or run(job, command)
    )
    key = phone.keys[inbox]
    command = change(item, Email.Read(1))
    phone.sync(inbox, commands=[command])
    phone.sync(inbox, AirSync.WindowSize(3), key=key, commands=[command])
    assert len(runs) == 1


def test_responses_are_repeated_too(phone, inbox, item):
    key = phone.keys[inbox]
    commands = [change(999_999, Email.Read(1)), delete(item)]
    first = phone.sync(inbox, commands=commands)
    again = phone.sync(inbox, AirSync.WindowSize(3), key=key, commands=commands)
    assert statuses(first) == statuses(again) == [("Change", "999999", 8)]


def test_old_items_stay_where_they_are_when_another_page_is_due(phone, inbox):
    for n in range(4):
        phone.server.file(phone.account, inbox, str(n), timedelta(hours=n))
    phone.sync(inbox)
    told = phone.sync(inbox, AirSync.WindowSize(2))
    told = phone.sync(
        inbox, AirSync.WindowSize(2), commands=[change(told.ids(AirSync.Add)[0], Email.Read(1))]
    )
    assert len(told.of(AirSync.Add)) == 2
    assert told.of(AirSync.Change) == []


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "+1", "1 ", "1.0", "1e3", "9" * 19, "²", "٣", "0x1"])
def test_what_is_no_id_of_ours(text):
    with pytest.raises(NotFound):
        item_id_of(text)


def test_ids():
    assert item_id_of("1") == 1
    assert item_id_of("9" * 18) == int("9" * 18)
