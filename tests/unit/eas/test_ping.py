"""Ping: parameters and what is remembered of them, what ends it, and that Sync keeps what Ping promises."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance import bus, db
from appliance.devices import devices
from appliance.items.folder import FolderType
from appliance.store import folders, messages
from appliance.wbxml.codepages import AirSync, Email, Ping
from tests.covers import covers
from tests.unit.eas.world import Phone


def ping(interval_s=None, *ids):
    listed = [Ping.Folder(Ping.Id(str(i)), Ping.Class("Email")) for i in ids]
    return Ping.Ping(
        Ping.HeartbeatInterval(interval_s) if interval_s is not None else None,
        Ping.Folders(listed) if listed else None,
    )


def status(answer):
    return answer.int_of(Ping.Status)


def changed(answer):
    block = answer.find(Ping.Folders)
    return [] if block is None else [int(folder.text) for folder in block]


def held(phone, document):
    waiting = phone.hold("Ping", document)
    waiting.until_waiting()
    return waiting


def expire(phone, waiting, seconds):
    phone.server.clock.step(timedelta(seconds=seconds))
    bus.publish(bus.account_topic(phone.account.id))
    return waiting.answer()


# --- parameters -----------------------------------------------------------------------------------


@covers("MS-ASCMD_R4240", "MS-ASCMD_R4241", "MS-ASCMD_R4228")
@pytest.mark.parametrize("which", ["nothing", "empty", "interval", "folders"])
def test_missing_parameters(phone, inbox, which):
    document = {
        "nothing": None,
        "empty": Ping.Ping(),
        "interval": ping(600),
        "folders": ping(None, inbox),
    }[which]
    assert status(phone.asked("Ping", document)) == 3


@covers("MS-ASCMD_R335", "MS-ASCMD_R5836")
def test_interval_and_folders_are_remembered_each_on_its_own(phone, inbox):
    phone.prime(inbox)
    assert status(phone.asked("Ping", ping(600))) == 3
    waiting = held(phone, ping(None, inbox))
    assert status(expire(phone, waiting, 600)) == 1
    waiting = held(phone, None)
    assert status(expire(phone, waiting, 600)) == 1
    waiting = held(phone, ping(90))
    assert status(expire(phone, waiting, 90)) == 1
    with db.connection():
        device = devices.list_devices(phone.account.id)[0]
    assert (device.ping_heartbeat_s, device.ping_folders) == (90, ((str(inbox), "Email"),))


@covers("MS-ASCMD_R4249", "MS-ASCMD_R5837", "MS-ASCMD_R5690", "MS-ASCMD_R5691")
@pytest.mark.parametrize(
    ("asked", "nearest"), [(59, 60), (0, 60), (-5, 60), (3541, 3540), (10**9, 3540)], ids=str
)
def test_intervals_out_of_range(phone, inbox, asked, nearest):
    phone.prime(inbox)
    answer = phone.asked("Ping", ping(asked, inbox))
    assert (status(answer), answer.int_of(Ping.HeartbeatInterval)) == (5, nearest)
    # The folders were all right: the device may now name the interval alone.
    assert status(expire(phone, held(phone, ping(nearest)), nearest)) == 1


@covers("MS-ASCMD_R5714")
@pytest.mark.parametrize("interval_s", [60, 3540])
def test_the_ends_of_the_range_are_allowed(phone, inbox, interval_s):
    phone.prime(inbox)
    waiting = held(phone, ping(interval_s, inbox))
    phone.server.clock.step(timedelta(seconds=interval_s - 1))
    bus.publish(bus.account_topic(phone.account.id))
    assert waiting.is_waiting
    assert status(expire(phone, waiting, 1)) == 1


@covers("MS-ASCMD_R4254")
def test_too_many_folders(phone, inbox):
    phone.server.eas = replace(phone.server.eas, folders_per_ping_max=2)
    answer = phone.asked("Ping", ping(600, 1, 2, 3))
    assert (status(answer), answer.int_of(Ping.MaxFolders)) == (6, 2)
    assert status(phone.asked("Ping")) == 3, "folders that are too many are not remembered"


@covers("MS-ASCMD_R4244")
@pytest.mark.parametrize(
    "document",
    [
        ping(600, 1, 1),
        Ping.Ping(Ping.HeartbeatInterval("soon"), Ping.Folders(Ping.Folder(Ping.Id("1")))),
        Ping.Ping(Ping.HeartbeatInterval(600), Ping.Folders(Ping.Folder(Ping.Class("Email")))),
        ping(600, "1" * 65),
        Email.Read(1),
    ],
    ids=["twice", "interval", "id", "long", "root"],
)
def test_syntax(phone, document):
    assert status(phone.asked("Ping", document)) == 4


# --- what it announces ----------------------------------------------------------------------------


@covers("MS-ASCMD_R4235", "MS-ASCMD_R4236", "MS-ASCMD_R306")
def test_new_mail_is_announced_and_delivered(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.prime(inbox, sent)
    waiting = held(phone, ping(600, sent, inbox))
    item = phone.server.file(phone.account, inbox, "new")
    answer = waiting.answer()
    assert (status(answer), changed(answer)) == (2, [inbox])
    assert phone.sync(inbox).ids(AirSync.Add) == [item]


def test_every_kind_of_change_is_announced(phone, inbox):
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    for change in (
        lambda: messages.set_read(phone.account.id, item, True),
        lambda: messages.set_categories(phone.account.id, item, ("red",)),
        lambda: messages.delete(phone.account.id, item),
    ):
        waiting = held(phone, ping(600, inbox))
        change()
        assert changed(waiting.answer()) == [inbox]
        assert not phone.sync(inbox).is_empty


def test_what_was_not_fetched_is_announced_at_once(phone, inbox):
    phone.server.file(phone.account, inbox, "one")
    phone.sync(inbox)
    assert changed(phone.asked("Ping", ping(600, inbox))) == [inbox]


@covers("MS-ASCMD_R5636")
def test_a_lost_sync_answer_does_not_hide_what_comes_after(phone, inbox):
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "one")
    phone.sync(inbox)
    phone.server.file(phone.account, inbox, "two")
    assert changed(phone.asked("Ping", ping(600, inbox))) == [inbox]


def test_own_changes_are_not_announced(phone, inbox):
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    read = AirSync.Change(AirSync.ServerId(str(item)), AirSync.ApplicationData(Email.Read(1)))
    phone.sync(inbox, commands=[read])
    assert status(expire(phone, held(phone, ping(600, inbox)), 600)) == 1


def test_mail_outside_the_filter_is_not_announced(phone, inbox):
    phone.prime(inbox, options=AirSync.Options(AirSync.FilterType(1)))
    waiting = held(phone, ping(600, inbox))
    phone.server.file(phone.account, inbox, "old", timedelta(days=9))
    assert status(expire(phone, waiting, 600)) == 1
    assert phone.sync(inbox).is_empty


def test_a_message_that_grows_too_old_wakes_nobody(phone, inbox):
    phone.server.file(phone.account, inbox, "old")
    phone.prime(inbox, options=AirSync.Options(AirSync.FilterType(1)))
    waiting = held(phone, ping(3540, inbox))
    phone.server.clock.step(timedelta(days=5))
    bus.publish(bus.account_topic(phone.account.id))
    assert status(waiting.answer()) == 1


def test_folders_without_a_state_or_of_no_one_are_ignored(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.prime(inbox)
    for folder in (inbox + 0, sent):
        phone.server.file(phone.account, folder, "x")
    phone.prime(inbox)
    waiting = held(phone, ping(600, inbox, sent, 999_999, "RI"))
    phone.server.file(phone.account, sent, "y")
    assert waiting.is_waiting
    phone.server.file(phone.account, inbox, "z")
    assert changed(waiting.answer()) == [inbox]


def test_a_folder_that_is_deleted_while_it_is_watched(phone, inbox):
    phone.folder_sync()
    made = folders.create(phone.account.id, 0, "Projects", 12)
    phone.folder_sync()
    phone.prime(inbox, made.id)
    waiting = held(phone, ping(600, inbox, made.id))
    messages.delete_folder(phone.account.id, made.id)
    assert status(waiting.answer()) == 7
    phone.folder_sync()
    assert status(expire(phone, held(phone, None), 600)) == 1


@covers("MS-ASCMD_R4257", "MS-ASCMD_R4258")
def test_a_new_folder_asks_for_the_hierarchy_until_it_is_fetched(phone, inbox):
    phone.folder_sync()
    phone.prime(inbox)
    waiting = held(phone, ping(600, inbox))
    folders.create(phone.account.id, 0, "Projects", 12)
    assert status(waiting.answer()) == 7
    assert status(phone.asked("Ping")) == 7
    phone.folder_sync()
    assert status(expire(phone, held(phone, None), 600)) == 1


# --- who ends it ----------------------------------------------------------------------------------


def test_a_newer_ping_or_sync_ends_it(phone, inbox):
    phone.prime(inbox)
    older = held(phone, ping(600, inbox))
    newer = held(phone, None)
    assert status(older.answer()) == 1
    phone.sync(inbox)
    assert status(newer.answer()) == 1


def test_another_device_and_other_commands_do_not(phone, inbox):
    phone.prime(inbox)
    other = Phone(phone.server, phone.account, "device2")
    other.prime(inbox)
    waiting = held(phone, ping(600, inbox))
    other.sync(inbox)
    phone.folder_sync()
    assert waiting.is_waiting
    phone.server.file(phone.account, inbox, "x")
    assert changed(waiting.answer()) == [inbox]


def test_a_worker_that_stops_answers_politely(phone, inbox):
    phone.prime(inbox)
    waiting = held(phone, ping(600, inbox))
    bus.current().drain()
    assert status(waiting.answer()) == 1


def test_a_held_sync_is_woken_superseded_and_drained(phone, inbox):
    phone.prime(inbox)
    document = AirSync.Sync(AirSync.Collections(phone.collection(inbox)), AirSync.HeartbeatInterval(600))
    waiting = phone.hold("Sync", document)
    waiting.until_waiting()
    phone.sync(inbox)
    assert waiting.answer() is None
    waiting = phone.hold("Sync", document)
    waiting.until_waiting()
    bus.current().drain()
    assert waiting.answer() is None


def test_nothing_of_the_request_is_kept_while_it_waits(phone, inbox):
    phone.prime(inbox)
    waiting = held(phone, ping(600, inbox))
    assert db.held_connections() == 0
    phone.server.file(phone.account, inbox, "x")
    waiting.answer()


def test_a_failure_while_waiting_is_answered(phone, inbox, monkeypatch):
    phone.prime(inbox)
    waiting = held(phone, ping(600, inbox))

    def fail(*args):
        raise OSError("disk")

    monkeypatch.setattr(folders, "list_folders", fail)
    bus.publish(bus.account_topic(phone.account.id))
    assert status(waiting.answer()) == 111
