"""What requests leave in a device's trace; the loop guard and the throttle in front of a real server."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.devices import traces
from appliance.devices.rate import Rate
from appliance.eas import collection
from appliance.errors import TemporaryFailure
from appliance.store import folders, messages
from appliance.wbxml.codepages import AirSync, FolderHierarchy, Ping
from tests.unit.eas.test_provision import device_of
from tests.unit.eas.world import request


def trace_of(phone):
    found = device_of(phone).id
    with db.connection():
        return traces.load(found)


def ping(inbox, seconds=600):
    folder = Ping.Folder(Ping.Id(inbox), Ping.Class("Email"))
    return Ping.Ping(Ping.HeartbeatInterval(seconds), Ping.Folders(folder))


def test_steps_and_folders_are_noted(phone, inbox):
    phone.folder_sync()
    phone.prime(inbox)
    phone.server.clock.step(timedelta(minutes=2))
    phone.server.file(phone.account, inbox, "one")
    phone.sync(inbox)
    trace = trace_of(phone)
    assert trace.steps["FolderSync"].outcome == "ok"
    assert trace.steps["Sync"].at == phone.server.clock.now()
    assert trace.folders[str(inbox)].outcome == "ok"
    assert trace.counters == {"resyncs (key 0)": 1}


def test_a_fault_is_noted_at_once(phone, inbox):
    phone.folder_sync()
    phone.asked("FolderSync", FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("nonsense")))
    assert trace_of(phone).steps["FolderSync"].outcome == "status 9"
    phone.sync(inbox, key="nonsense.1")
    phone.server.clock.step(timedelta(minutes=2))
    phone.folder_sync()
    trace = trace_of(phone)
    assert trace.folders[str(inbox)].outcome == "status 3"
    assert trace.counters["resyncs (status 3)"] == 1


def test_a_held_ping_is_noted_when_it_begins(phone, inbox):
    phone.prime(inbox)
    phone.server.clock.step(timedelta(minutes=2))
    held = phone.hold("Ping", ping(inbox))
    held.until_waiting()
    assert trace_of(phone).steps["Ping held"].outcome == "waiting"
    phone.server.file(phone.account, inbox, "one")
    assert held.answer().int_of(Ping.Status) == 2
    phone.server.clock.step(timedelta(minutes=2))
    phone.folder_sync()
    assert trace_of(phone).steps["Ping"].outcome == "ok"


def test_a_ping_that_cries_wolf_waits(phone, inbox):
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "one")
    for _ in range(3):
        assert phone.asked("Ping", ping(inbox)).int_of(Ping.Status) == 2
    held = phone.hold("Ping", ping(inbox))
    held.until_waiting()
    assert held.is_waiting
    phone.sync(inbox)
    assert held.answer().int_of(Ping.Status) == 1
    phone.server.file(phone.account, inbox, "two")
    assert phone.asked("Ping", ping(inbox)).int_of(Ping.Status) == 2
    phone.server.clock.step(timedelta(minutes=2))
    phone.folder_sync()
    assert trace_of(phone).counters["loops (ping)"] == 1


def test_a_ping_is_trusted_when_sync_delivers(phone, inbox):
    phone.prime(inbox)
    for number in range(6):
        phone.server.file(phone.account, inbox, str(number))
        assert phone.asked("Ping", ping(inbox)).int_of(Ping.Status) == 2
        phone.sync(inbox)


def test_a_folder_that_always_looks_changed_is_caught(phone, inbox, monkeypatch):
    phone.prime(inbox)
    real = collection.news
    monkeypatch.setattr(collection, "news", lambda context, ids: dict.fromkeys(real(context, ids), True))
    for _ in range(3):
        assert phone.asked("Ping", ping(inbox)).int_of(Ping.Status) == 2
        assert phone.sync(inbox).is_empty
    held = phone.hold("Ping", ping(inbox))
    held.until_waiting()
    assert held.is_waiting
    phone.sync(inbox)
    held.answer()


def test_a_trace_that_cannot_be_stored_spoils_nothing(phone, monkeypatch):
    def fail(*_):
        raise TemporaryFailure("full")

    monkeypatch.setattr(traces, "_merge", fail)
    assert phone.folder_sync().int_of(FolderHierarchy.Status) == 1


@pytest.mark.parametrize("version", ["12.1", "16.1"])
def test_a_device_that_asks_too_often_is_sent_away(phone, version):
    phone.server.rate = Rate(60, 2, phone.server.clock.monotonic)
    document = FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0"))

    def ask():
        return phone.server.ask(phone.account, request("FolderSync", document, version=version))

    assert [ask().status, ask().status] == [200, 200]
    refused = ask()
    assert (refused.status, refused.body) == (503, b"")
    assert dict(refused.headers) == {"Retry-After": "1", "X-MS-ASThrottle": "CommandFrequency"}
    phone.server.clock.step(timedelta(seconds=1))
    assert ask().status == 200


def test_a_device_that_ignores_the_folder_tree_has_to_wait(phone, inbox):
    """Status 12 for the same Sync again and again: the answer stays true, but its battery is spared."""
    phone.folder_sync()
    made = folders.create(phone.account.id, 0, "Projects", 12)
    phone.folder_sync()
    phone.prime(inbox, made.id)
    messages.delete_folder(phone.account.id, made.id)
    document = AirSync.Sync(AirSync.Collections(phone.collection(made.id)))

    def ask():
        return phone.server.ask(phone.account, request("Sync", document))

    for _ in range(4):
        assert ask().status == 200
    waits = []
    for _ in range(9):
        refused = ask()
        assert refused.status == 503
        waits.append(int(dict(refused.headers)["Retry-After"]))
        assert phone.folder_sync().int_of(FolderHierarchy.Status) == 1, "only the Sync has to wait"
        phone.server.clock.step(timedelta(seconds=waits[-1]))
        assert ask().status == 200
    assert waits[:3] == [1, 2, 4] and waits[-1] == 60
    phone.server.clock.step(timedelta(minutes=1))
    phone.sync(inbox)
    assert ask().status == 200, "a Sync that went well ends it"
    phone.server.clock.step(timedelta(minutes=2))
    phone.folder_sync()
    assert trace_of(phone).counters["loops (sync)"] == 1
