"""`appliance device` from the outside."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from appliance import db
from appliance.accounts import accounts
from appliance.cli.devices import in_words
from appliance.devices import devices, traces
from appliance.devices.devices import Contact
from appliance.devices.health import OK, WAITING, Health, Step, Trace
from tests.unit.cli.conftest import Cli

ANNA = "anna@example.com"


def meet(cli: Cli, device_id: str = "abc", version: str = "16.1") -> None:
    db.open("sqlite", Path(cli.data))
    try:
        with db.connection():
            account = accounts.require(ANNA)
            contact = Contact(device_id, "iPhone", "Apple-iPhone15C4/2301", version)
            devices.meet(account.id, contact, datetime(2026, 3, 2, tzinfo=UTC), devices_max=10)
    finally:
        db.close()


def shown(cli: Cli, device_id: str = "abc") -> dict[str, Any]:
    document: dict[str, Any] = cli.ok("device", "show", ANNA, device_id, "--json").json
    return document


def test_devices_are_listed_decided_on_and_forgotten(ready: Cli) -> None:
    meet(ready)
    (about,) = ready.ok("device", "list", ANNA, "--json").json
    assert (about["device_id"], about["access"], about["wipe"]) == ("abc", "allow", "none")
    assert "abc" in ready.ok("device", "list", ANNA).out
    for decision in ("block", "quarantine", "allow"):
        ready.ok("device", decision, ANNA, "abc")
        assert (shown(ready)["access"], shown(ready)["access_reason"]) == (decision, "operator")
    assert "policy: none" in ready.ok("device", "show", ANNA, "abc").out
    ready.ok("device", "forget", ANNA, "abc")
    assert ready("device", "show", ANNA, "abc").status == 1
    assert ready("device", "block", "nobody@example.com", "abc").status == 1


def test_a_wipe_is_asked_for_and_taken_back(ready: Cli) -> None:
    meet(ready)
    ready.ok("device", "wipe", ANNA, "abc")
    assert shown(ready)["wipe"] == "account requested"
    assert ready("device", "wipe", ANNA, "abc").status == 1
    assert ready("device", "forget", ANNA, "abc").status == 1
    ready.ok("device", "unwipe", ANNA, "abc")
    assert shown(ready)["wipe"] == "none"
    assert ready("device", "unwipe", ANNA, "abc").err == "appliance: no wipe was requested\n"


def test_a_full_wipe_wants_the_id_once_more(ready: Cli) -> None:
    meet(ready, version="14.1")
    assert ready("device", "wipe", ANNA, "abc", "--full", "abd").status == 2
    assert shown(ready)["wipe"] == "none"
    assert "UTC; `device unwipe`" in ready.ok("device", "wipe", ANNA, "abc", "--full", "abc").out
    assert shown(ready)["wipe"] == "full requested"
    assert datetime.fromisoformat(shown(ready)["wipe_due_at"]) > datetime.now(UTC) + timedelta(minutes=9)
    ready.ok("device", "unwipe", ANNA, "abc")
    assert shown(ready)["wipe_due_at"] is None


def test_an_older_device_is_blocked_instead(ready: Cli) -> None:
    meet(ready, version="14.1")
    assert "it is blocked instead" in ready.ok("device", "wipe", ANNA, "abc").out
    assert (shown(ready)["wipe"], shown(ready)["access"]) == ("none", "block")


def test_policies_are_made_changed_and_assigned(ready: Cli) -> None:
    meet(ready)
    ready.ok("device", "policy", "set", "office", "DevicePasswordEnabled=1", "AllowCamera=0", "--strict")
    ready.ok("device", "policy", "set", "office", "AllowCamera=", "--refresh-hours", "24")
    about = ready.ok("device", "policy", "show", "office", "--json").json
    assert about["values"] == {"DevicePasswordEnabled": 1}
    assert (about["version"], about["partial"], about["refresh_hours"]) == (2, False, 24)
    ready.ok("device", "policy", "default", "office")
    assert shown(ready)["policy"] == "office"
    ready.ok("device", "policy", "assign", ANNA, "none")
    assert shown(ready)["policy"] == "none"
    ready.ok("device", "policy", "assign", ANNA, "default")
    assert shown(ready)["policy"] == "office"
    assert ready("device", "policy", "delete", "office").status == 1
    ready.ok("device", "policy", "default", "none")
    ready.ok("device", "policy", "delete", "office")
    assert ready.ok("device", "policy", "list", "--json").json == []
    assert ready("device", "policy", "set", "office", "AllowCamera").status == 1
    assert ready("device", "policy", "set", "office", "AllowCamera=7").status == 1
    assert ready.ok("device", "policy", "list", "--json").json == []


def test_a_policy_of_a_group(ready: Cli) -> None:
    meet(ready)
    for name in ("office", "field"):
        ready.ok("device", "policy", "set", name, "AllowCamera=0")
    ready.ok("group", "add", "all@example.com")
    ready.ok("group", "add-member", "all@example.com", ANNA)
    ready.ok("device", "policy", "default", "office")
    ready.ok("device", "policy", "assign", "all@example.com", "field")
    assert shown(ready)["policy"] == "field"
    assert ready("device", "policy", "delete", "field").status == 1
    ready.ok("device", "policy", "assign", "all@example.com", "none")
    assert shown(ready)["policy"] == "none"
    ready.ok("device", "policy", "assign", ANNA, "office")
    assert shown(ready)["policy"] == "office", "its own comes first"
    ready.ok("device", "policy", "assign", ANNA, "default")
    ready.ok("device", "policy", "assign", "all@example.com", "default")
    assert shown(ready)["policy"] == "office", "the default"
    assert ready("device", "policy", "assign", "nobody@example.com", "office").status == 1


def test_rules(ready: Cli) -> None:
    number = ready.ok("device", "rule", "add", "block", "os", "Android 4*").out.strip()
    ready.ok("device", "rule", "default", "quarantine")
    listed = ready.ok("device", "rule", "list", "--json").json
    assert listed["default"] == "quarantine"
    assert [(each["access"], each["pattern"]) for each in listed["rules"]] == [("block", "Android 4*")]
    assert "Android 4*" in ready.ok("device", "rule", "list").out
    ready.ok("device", "rule", "remove", number)
    assert ready("device", "rule", "remove", number).status == 1


def test_what_a_device_did_is_told_in_words(ready: Cli) -> None:
    meet(ready)
    assert "It has done nothing yet" in ready.ok("device", "show", ANNA, "abc").out
    known = Health()
    began = datetime(2026, 3, 2, 12, tzinfo=UTC)
    known.note(1, "Provision", OK, began)
    known.note(1, "Sync", "status 111", began + timedelta(minutes=1))
    known.synced(1, "999", "0", b"", OK, began, is_news=True)
    known.note(1, "Ping held", WAITING, began + timedelta(minutes=2))
    db.open("sqlite", Path(ready.data))
    try:
        traces.keep(known, 1, began)
    finally:
        db.close()
    out = ready.ok("device", "show", ANNA, "abc").out
    assert "It waits for news since " in out
    assert out.index("Sync ended with status 111, ") < out.index("Provision went well, ")
    assert "Sync of folder 999 went well, " in out
    assert "1 resyncs (key 0)." in out
    assert shown(ready)["trace"]["counters"] == {"resyncs (key 0)": 1}


def test_who_stopped_asking_is_shown(ready: Cli) -> None:
    meet(ready)
    known, now = Health(), datetime.now(UTC)
    known.note(1, "Ping held", WAITING, now - timedelta(minutes=15))
    db.open("sqlite", Path(ready.data))
    try:
        traces.keep(known, 1, now)
        devices.remember_ping(1, 470, [("5", "Email")])
    finally:
        db.close()
    assert shown(ready)["silent_s"] is None, "less than two heartbeats"
    db.open("sqlite", Path(ready.data))
    try:
        devices.remember_ping(1, 300, [("5", "Email")])
    finally:
        db.close()
    assert 890 < shown(ready)["silent_s"] < 1000
    assert "It is late: it waits 300 s" in ready.ok("device", "show", ANNA, "abc").out


def test_times_are_told_as_people_tell_them() -> None:
    began = datetime(2026, 3, 2, 12, tzinfo=UTC)
    trace = Trace(steps={"Ping": Step(began, OK)}, folders={"5": Step(began, OK)})
    for wait, said in ((5, "5 seconds"), (600, "10 minutes"), (7_200, "2 hours"), (200_000, "2 days")):
        lines = in_words(trace, {"5": "Inbox"}, began + timedelta(seconds=wait))
        assert lines == [f"Ping went well, {said} ago.", f"Sync of Inbox went well, {said} ago."]
