"""What other servers have taken, remembered outside the database."""

from datetime import timedelta
from pathlib import Path

from appliance.queue.delivered_log import DeliveredLog, Noted
from tests.unit.store.mailbox import NOW

DAY = timedelta(days=1)


def noted(uid: str) -> Noted:
    return Noted(uid, "250 2.0.0 ok é\n", "mx.example.net", True)


def test_what_is_noted_is_found_among_others(tmp_path: Path) -> None:
    log = DeliveredLog(tmp_path)
    for number in range(5):
        log.note(noted(f"u{number}"), NOW + number * DAY)
    assert DeliveredLog(tmp_path).among({"u1", "u4", "other"}) == [noted("u1"), noted("u4")]
    assert log.among({"u1", "u4"}, since=NOW + 2 * DAY) == [noted("u4")]
    assert log.among({"u1", "u4"}, since=NOW + DAY) == [noted("u1"), noted("u4")]
    assert log.among(set()) == []


def test_a_line_cut_off_by_a_crash_hides_no_other(tmp_path: Path) -> None:
    log = DeliveredLog(tmp_path)
    log.note(noted("u1"), NOW)
    (path,) = (tmp_path / "delivered").iterdir()
    with path.open("ab") as file:
        file.write(b'{"uid": "u2", "rep\n[]\n{"uid": 1}\n\xff\n')
    log.note(noted("u3"), NOW)
    assert log.among({"u1", "u2", "u3"}) == [noted("u1"), noted("u3")]


def test_old_files_go(tmp_path: Path) -> None:
    log = DeliveredLog(tmp_path)
    log.note(noted("old"), NOW - 61 * DAY)
    log.note(noted("new"), NOW - 59 * DAY)
    assert log.forget_old(NOW) == 1
    assert log.among({"old", "new"}) == [noted("new")]
