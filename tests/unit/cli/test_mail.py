"""Mail from files into a mailbox, with its dates, once; and listings that cannot command a terminal."""

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.cli import mail
from appliance.store import blobs, folders, messages
from tests.unit.cli.conftest import Cli

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def eml(
    subject: str, date: str = "Mon, 05 Jan 2026 10:00:00 +0100", body: str = "hello", extra: str = ""
) -> bytes:
    return (
        f"{extra}From: Bob <bob@example.net>\r\nTo: anna@example.com\r\nSubject: {subject}\r\n"
        f"Date: {date}\r\nMessage-ID: <{subject}@example.net>\r\n\r\n{body}\r\n"
    ).encode()


def listed(cli: Cli, *options: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = cli.ok("message", "list", "anna@example.com", "--json", *options).json
    return found


def test_single_files_are_filed_with_their_dates_newest_first(ready: Cli, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(eml("one"))
    (tmp_path / "two.eml").write_bytes(
        eml("two", extra="Received: from x by y with ESMTP; Tue, 06 Jan 2026 12:30:00 +0000\r\n")
    )
    undated = tmp_path / "three.eml"
    undated.write_bytes(b"Subject: three\r\n\r\nno date\r\n")
    os.utime(undated, (1_700_000_000, 1_700_000_000))
    done = ready.ok("message", "import", "anna@example.com", str(tmp_path))
    assert "3 imported, 0 already there, 0 failed" in done.out
    found = listed(ready)
    assert [(about["subject"], about["date"]) for about in found] == [
        ("two", "2026-01-06T12:30:00+00:00"),
        ("one", "2026-01-05T09:00:00+00:00"),
        ("three", "2023-11-14T22:13:20+00:00"),
    ]
    assert set(found[0]) == {"id", "date", "from", "subject", "size", "read"}
    assert found[1]["size"] == len(eml("one"))
    assert found[1]["from"] == '"Bob" <bob@example.net>'


def test_repeating_an_import_adds_nothing(ready: Cli, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.eml").write_bytes(eml(f"m{number}"))
    ready.ok("message", "import", "anna@example.com", str(tmp_path))
    again = ready.ok("message", "import", "anna@example.com", str(tmp_path), "--json")
    assert again.json == {"imported": 0, "already_there": 3, "skipped": 0, "failed": []}
    assert len(listed(ready)) == 3
    ready.ok("message", "import", "anna@example.com", str(tmp_path), "--folder", "Archive")
    assert len(listed(ready, "--folder", "Archive")) == 3


def test_bad_files_are_reported_and_the_others_filed(ready: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes(b"\x89PNG\r\n\x1a\n not a message")
    (tmp_path / "b.eml").write_bytes(eml("good"))
    (tmp_path / "c.eml").write_bytes(b"")
    (tmp_path / "d.eml").symlink_to(tmp_path / "missing")
    done = ready("message", "import", "anna@example.com", str(tmp_path), str(tmp_path / "nowhere"), "--json")
    assert done.status == 1
    assert done.json["imported"] == 1
    failed = {Path(each["source"]).name: each["error"] for each in done.json["failed"]}
    assert set(failed) == {"a.eml", "c.eml", "d.eml", "nowhere"}
    assert failed["nowhere"] == "No such file or directory"


def test_a_missing_folder_is_made_below_its_parents(ready: Cli, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(eml("one"))
    for _ in range(2):
        ready.ok("message", "import", "anna@example.com", str(tmp_path), "--folder", "Projects/Zürich")
    assert [about["subject"] for about in listed(ready, "--folder", "projects/ZÜRICH")] == ["one"]
    assert ready("message", "list", "anna@example.com", "--folder", "Zürich").status == 1
    db.open("sqlite", ready.data)
    try:
        with db.connection():
            names = [each.name for each in folders.list_folders(accounts.require("anna@example.com").id)]
    finally:
        db.close()
    assert names.count("Projects") == names.count("Zürich") == 1


def test_what_is_imported_is_stored_byte_for_byte_with_crlf(ready: Cli, tmp_path: Path) -> None:
    exact = eml("exact", body="a line\r\n.\r\nFrom the start\r\n\r\n\r\n")
    (tmp_path / "exact.eml").write_bytes(exact)
    (tmp_path / "unix.eml").write_bytes(eml("unix").replace(b"\r\n", b"\n"))
    ready.ok("message", "import", "anna@example.com", str(tmp_path))
    db.open("sqlite", ready.data)
    try:
        blobs.configure(ready.data)
        with db.connection():
            account = accounts.require("anna@example.com")
            inbox = folders.list_folders(account.id)[0]
            stored = {each.subject: messages.raw(each) for each in messages.list_page(account.id, inbox.id)}
    finally:
        db.close()
    assert stored == {"exact": exact, "unix": eml("unix")}


def test_the_read_mark_arrives_in_the_mailbox(ready: Cli, tmp_path: Path) -> None:
    (tmp_path / "cur").mkdir()
    (tmp_path / "cur" / "1:2,S").write_bytes(eml("read"))
    (tmp_path / "cur" / "2:2,").write_bytes(eml("unread"))
    ready.ok("message", "import", "anna@example.com", str(tmp_path))
    assert {about["subject"]: about["read"] for about in listed(ready)} == {"read": True, "unread": False}
    ready.ok("message", "import", "anna@example.com", str(tmp_path), "--folder", "All", "--read")
    assert all(about["read"] for about in listed(ready, "--folder", "All"))


def test_a_full_mailbox_stops_the_import_and_says_where(ready: Cli, tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.eml").write_bytes(eml(f"m{number}"))
    db.open("sqlite", ready.data)
    with db.connection():
        account = accounts.require("anna@example.com")
    accounts.set_quota(account.id, 2 * len(eml("m0")) + 10)
    db.close()
    done = ready("message", "import", "anna@example.com", str(tmp_path))
    assert done.status == 1
    assert "after 2 messages" in done.err and "2.eml" in done.err
    assert len(listed(ready)) == 2


def test_a_listing_pages_through_everything_or_stops_where_told(
    ready: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "PAGE", 2)
    for number in range(5):
        (tmp_path / f"{number}.eml").write_bytes(eml(f"m{number}", f"Mon, 05 Jan 2026 10:0{number}:00 +0000"))
    ready.ok("message", "import", "anna@example.com", str(tmp_path))
    assert [about["subject"] for about in listed(ready)] == ["m4", "m3", "m2", "m1", "m0"]
    assert [about["subject"] for about in listed(ready, "--limit", "3")] == ["m4", "m3", "m2"]
    assert [about["subject"] for about in listed(ready, "--limit", "2")] == ["m4", "m3"]


def test_a_subject_cannot_command_the_terminal(ready: Cli, tmp_path: Path) -> None:
    subject = "=?utf-8?B?" + base64.b64encode("\x1b[2J\u202egone".encode()).decode() + "?="
    (tmp_path / "one.eml").write_bytes(eml(subject))
    ready.ok("message", "import", "anna@example.com", str(tmp_path))
    text = ready.ok("message", "list", "anna@example.com").out
    assert "gone" in text
    assert "\x1b" not in text and "\u202e" not in text


def test_an_imported_message_is_seen_by_the_next_process_at_once(ready: Cli, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(eml("one"))
    done = ready("message", "import", "anna@example.com", str(tmp_path), elsewhere=True)
    assert done.status == 0, done
    assert len(listed(ready)) == 1
    elsewhere = ready("message", "list", "anna@example.com", "--json", elsewhere=True)
    assert json.loads(elsewhere.out) == listed(ready)
