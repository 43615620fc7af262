"""From a request to an answer: what is refused before a command runs, and what becomes of every failure."""

import logging
from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from appliance import db
from appliance.db.tables import Device
from appliance.devices import devices
from appliance.eas import dispatch, versions
from appliance.eas.commands import COMMANDS, folder_sync
from appliance.eas.response import Held
from appliance.errors import Conflict, NotFound, QuotaExceeded, TemporaryFailure
from appliance.wbxml.codec import decode
from appliance.wbxml.codepages import FolderHierarchy as Tag
from tests.covers import covers
from tests.unit.eas import schema
from tests.unit.eas.world import Phone, request

DOCUMENT = Tag.FolderSync(Tag.SyncKey("0"))


def ask(phone, name="FolderSync", document=DOCUMENT, **headers):
    return phone.server.ask(phone.account, request(name, document, **headers))


def status(response):
    assert response.status == 200
    (child,) = decode(response.body).children
    return int(child.text)


def test_a_good_request_is_answered_in_wbxml(phone):
    response = ask(phone)
    assert (response.status, response.content_type) == (200, "application/vnd.ms-sync.wbxml")
    assert decode(response.body).int_of(Tag.Status) == 1


@covers("MS-ASCMD_R4815")
@pytest.mark.parametrize("body", [b"\x00", b"not wbxml", b"\x03\x01\x6a\x00\x45", b"\x03\x01\x6a\x00\xff"])
def test_broken_wbxml(phone, body):
    assert status(ask(phone, document=body)) == 102


@pytest.mark.parametrize("content_type", ["message/rfc822", "text/xml", "application/json"])
def test_the_wrong_content_type(phone, content_type):
    assert status(ask(phone, content_type=content_type)) == 101


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"Sync", "Ping", "Provision"}))
def test_a_request_without_a_body(phone, name):
    assert decode(ask(phone, name, None).body) == COMMANDS[name].fault(101)
    assert ask(phone, name, None, version="12.1").status == 400


@pytest.mark.parametrize("content_type", ["application/vnd.ms-sync.wbxml", "application/vnd.ms-sync", ""])
def test_the_right_content_types(phone, content_type):
    assert decode(ask(phone, content_type=content_type).body).int_of(Tag.Status) == 1


def test_a_command_nobody_knows(phone):
    assert ask(phone, "Teleport").status == 501
    assert ask(phone, "GetHierarchy").status == 501


@pytest.mark.parametrize(("version", "expected"), [("2.5", 505), ("12.0", 505), ("17.0", 505), ("", 400)])
def test_versions_that_are_not_offered(phone, version, expected):
    assert ask(phone, version=version).status == expected


@pytest.mark.parametrize("version", versions.OFFERED)
def test_versions_that_are(phone, version):
    assert ask(phone, version=version).status == 200


def test_every_command_that_is_announced_is_answered(phone):
    assert set(versions.COMMANDS) == set(COMMANDS)
    for name in versions.COMMANDS:
        answer = phone.server.begin(phone.account, request(name))
        assert not isinstance(answer, Held), name
        assert answer.status == 200
        assert answer.body, name


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_fault_fits_the_schema_of_its_command(name):
    schema.check(COMMANDS[name].fault(111))


def test_a_blocked_device(phone):
    ask(phone)

    @db.transaction
    def block():
        Device.update(is_allowed=False).execute()

    block()
    for name in ("FolderSync", "Ping", "Provision", "Sync"):
        assert decode(ask(phone, name, None).body).children[0].text == "129", name


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("the name of a person"), 111),
        (ZeroDivisionError(), 111),
        (TemporaryFailure("disk full"), 111),
        (Conflict("somebody was faster"), 111),
        (QuotaExceeded("full"), 113),
        (NotFound("gone"), 150),
    ],
    ids=lambda value: type(value).__name__,
)
def test_failures_become_statuses(phone, monkeypatch, error, expected):
    def fail(*args):
        raise error

    monkeypatch.setattr(folder_sync.folders, "list_folders", fail)
    response = ask(phone)
    assert status(response) == expected
    assert b"person" not in response.body


def test_what_nobody_expected_is_logged_and_not_told(phone, monkeypatch, caplog):
    def fail(*args):
        raise RuntimeError("wires crossed")

    monkeypatch.setattr(folder_sync.folders, "list_folders", fail)
    with caplog.at_level(logging.INFO, "appliance.eas"):
        response = ask(phone)
    (record,) = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert record.exc_info is not None
    assert b"wires" not in response.body
    assert b"Traceback" not in response.body


def test_a_refusal_needs_no_traceback(phone, caplog):
    with caplog.at_level(logging.INFO, "appliance.eas"):
        ask(phone, document=b"\x00")
    assert [r for r in caplog.records if r.exc_info] == []


def test_an_answer_that_cannot_be_encoded_is_a_failure_like_any_other(phone, monkeypatch):
    encode, calls = dispatch.encode, []

    def fail_once(element):
        calls.append(element)
        if len(calls) == 1:
            raise ValueError("not a tree")
        return encode(element)

    monkeypatch.setattr(dispatch, "encode", fail_once)
    assert status(ask(phone)) == 111


@given(st.binary(max_size=300))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_a_command(phone, body):
    for name in ("Sync", "FolderSync", "ItemOperations", "SendMail", "Settings"):
        response = ask(phone, name, b"\x03\x01\x6a\x00" + body)
        assert response.status == 200
        assert b"\x03111\x00" not in response.body


# --- devices --------------------------------------------------------------------------------------


def test_the_same_device_id_of_two_accounts_is_two_devices(phone):
    bert = Phone(phone.server, phone.server.account("bert"))
    phone.folder_sync()
    bert.folder_sync()
    with db.connection():
        assert Device.select().count() == 2
        assert len(devices.list_devices(phone.account.id)) == 1


def test_a_phone_that_talks_all_the_time_is_written_seldom(phone, monkeypatch):
    ask(phone)
    calls = []
    register = devices._register
    monkeypatch.setattr(devices, "_register", lambda *a, **k: calls.append(a) or register(*a, **k))
    for _ in range(5):
        phone.server.clock.step(timedelta(seconds=30))
        ask(phone)
    assert calls == []
    phone.server.clock.step(timedelta(minutes=5))
    ask(phone)
    ask(phone, version="14.1")
    assert len(calls) == 2


def test_an_account_has_so_many_devices(phone):
    phone.server.devices_max = 2
    for name in ("a", "b"):
        assert decode(ask(phone, device_id=name).body).int_of(Tag.Status) == 1
    assert status(ask(phone, device_id="c")) == 177
    assert decode(ask(phone, device_id="a").body).int_of(Tag.Status) == 1
    bert = Phone(phone.server, phone.server.account("bert"))
    assert bert.folder_sync().int_of(Tag.Status) == 1


def test_a_new_device_takes_the_place_of_a_silent_one(phone):
    phone.server.devices_max = 2
    ask(phone, device_id="a")
    ask(phone, device_id="b")
    phone.server.clock.step(timedelta(days=31))
    ask(phone, device_id="b")
    assert decode(ask(phone, device_id="c").body).int_of(Tag.Status) == 1
    with db.connection():
        assert [device.device_id for device in devices.list_devices(phone.account.id)] == ["b", "c"]
    assert status(ask(phone, device_id="a")) == 177


def test_a_blocked_device_does_not_come_back_unblocked(phone):
    phone.server.devices_max = 1
    ask(phone, device_id="a")

    @db.transaction
    def block():
        Device.update(is_allowed=False).execute()

    block()
    phone.server.clock.step(timedelta(days=400))
    assert status(ask(phone, device_id="b")) == 177
    assert status(ask(phone, device_id="a")) == 129


def test_the_body_is_let_go_before_a_command_may_wait(phone, monkeypatch):
    seen = []
    command = COMMANDS["FolderSync"]
    monkeypatch.setitem(
        dispatch.COMMANDS,  # type: ignore[arg-type]  # a Mapping to everybody else
        "FolderSync",
        replace(command, handler=lambda context, document: seen.append((context, document))),
    )
    ask(phone)
    ((context, document),) = seen
    assert (context.request.body, document) == (b"", DOCUMENT)
