"""Traces and the loop guard, without a server."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.devices import health
from appliance.devices.health import OK, WAITING, Health, Trace

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def changed(known: Health, times: int, start: datetime = NOW) -> None:
    for number in range(times):
        at = start + number * SECOND
        known.announced(1, ["5"], at, at)


def test_three_instant_announcements_silence_a_folder_for_one_ping() -> None:
    known = Health()
    changed(known, 2)
    assert known.trusted(1, ("5", "6")) == ("5", "6")
    changed(known, 1, NOW + 2 * SECOND)
    assert known.trusted(2, ("5", "6")) == ("5", "6"), "another device"
    assert known.trusted(1, ("5", "6")) == ("6",)
    assert known.trusted(1, ("5", "6")) == ("5", "6"), "it gets another chance"
    trace = known.due(1, NOW)
    assert trace is not None
    assert trace.counters == {"loops (ping)": 1}


def test_a_sync_that_brings_something_ends_the_row() -> None:
    known = Health()
    changed(known, 2)
    known.synced(1, "5", "g.1", b"x", OK, NOW, is_news=True)
    changed(known, 2)
    assert known.trusted(1, ("5",)) == ("5",)
    known.synced(1, "5", "g.2", b"x", OK, NOW, is_news=False)
    changed(known, 1, NOW + 2 * SECOND)
    assert known.trusted(1, ("5",)) == ()


def test_what_took_a_while_is_no_loop() -> None:
    known = Health()
    for number in range(10):
        at = NOW + number * SECOND
        known.announced(1, ["5"], at, at + timedelta(seconds=30))
    changed(known, 2)
    known.announced(1, ["5"], NOW + timedelta(hours=1), NOW + timedelta(hours=1))
    assert known.trusted(1, ("5",)) == ("5",)


def test_it_is_stored_at_most_once_a_minute_unless_the_outcome_changes() -> None:
    known = Health()
    writes = []
    for number in range(180):
        at = NOW + number * SECOND
        known.note(1, "Ping held", WAITING, at)
        known.note(1, "Ping", OK, at)
        writes += [number] if known.due(1, at) is not None else []
    assert writes == [0, 60, 120]
    known.note(1, "Sync", OK, NOW + 180 * SECOND)
    assert known.due(1, NOW + 180 * SECOND) is not None
    known.note(1, "Sync", "status 111", NOW + 181 * SECOND)
    trace = known.due(1, NOW + 181 * SECOND)
    assert trace is not None and trace.steps["Sync"].outcome == "status 111"
    known.note(1, "Sync", "status 111", NOW + 182 * SECOND)
    assert known.due(1, NOW + 182 * SECOND) is None


def test_identical_syncs_are_a_loop_only_when_they_bring_something() -> None:
    known = Health()
    for _ in range(5):
        known.synced(1, "5", "g.1", b"x", OK, NOW, is_news=False)
    assert "loops (sync)" not in (known.due(1, NOW) or Trace()).counters
    for _ in range(5):
        known.synced(1, "5", "g.1", b"x", OK, NOW, is_news=True)
    trace = known.due(1, NOW)
    assert trace is not None and trace.counters["loops (sync)"] == 1


def test_resyncs_are_counted() -> None:
    known = Health()
    known.synced(1, "5", "0", b"", OK, NOW, is_news=True)
    known.synced(1, "5", "g.7", b"", "status 3", NOW, is_news=False)
    trace = known.due(1, NOW)
    assert trace is not None
    assert trace.counters == {"resyncs (key 0)": 1, "resyncs (status 3)": 1}


def test_traces_are_merged_and_survive_json() -> None:
    older, newer = Trace(), Trace()
    older.steps = {"Sync": health.Step(NOW, OK), "Ping": health.Step(NOW + SECOND, OK)}
    older.counters = {"loops (ping)": 1}
    newer.steps = {"Sync": health.Step(NOW + SECOND, "status 3"), "Ping": health.Step(NOW, "status 8")}
    newer.counters = {"loops (ping)": 2}
    newer.folders = {str(n): health.Step(NOW + n * SECOND, OK) for n in range(health.FOLDERS_MAX + 5)}
    older.merge(newer)
    again = Trace.from_json(older.to_json())
    assert again == older
    assert (again.steps["Sync"].outcome, again.steps["Ping"].outcome) == ("status 3", OK)
    assert again.counters == {"loops (ping)": 3}
    assert len(again.folders) == health.FOLDERS_MAX and "0" not in again.folders


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEVICES_MAX", 10)
    known = Health()
    for device in range(100):
        known.note(device, "Sync", OK, NOW)
    assert len(known._known) == 10
