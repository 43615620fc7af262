"""`appliance check` finds what is broken, and nothing when nothing is."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance import db, files
from appliance.accounts import accounts, login
from appliance.cli import check
from appliance.delivery import arrival
from appliance.domains import certificates
from appliance.settings import Config, Passwords
from appliance.setup.apply import apply
from appliance.store import blobs, folders, messages
from tests.fixtures.database import Place
from tests.unit.cli.conftest import PASSWORD, Cli

LARGE = b"Subject: large\r\n\r\n" + b"x" * (blobs.INLINE_BYTES_MAX + 1)


@pytest.fixture
def filled(ready: Cli, tmp_path: Path) -> Cli:
    (tmp_path / "large.eml").write_bytes(LARGE)
    (tmp_path / "small.eml").write_bytes(b"Subject: small\r\n\r\nx\r\n")
    ready.ok(
        "message", "import", "anna@example.com", str(tmp_path / "large.eml"), str(tmp_path / "small.eml")
    )
    return ready


def execute(cli: Cli, sql: str, *values: object) -> None:
    with closing(sqlite3.connect(cli.data / "appliance.db", isolation_level=None)) as database:
        database.execute("PRAGMA foreign_keys=OFF")
        assert database.execute(sql, values).rowcount != 0


def large_blob(cli: Cli) -> Path:
    return next(
        path for path in (cli.data / "blobs").rglob("*") if path.is_file() and path.stat().st_size > 1000
    )


def test_a_whole_appliance_passes(filled: Cli) -> None:
    outcome = filled.ok("check", "--json")
    assert outcome.json["ok"]
    names = [each["name"] for each in outcome.json["checks"]]
    assert names == ["database", "messages", "counters", "certificate", "permissions"]
    assert all(each["errors"] == [] for each in outcome.json["checks"])
    assert "ok      messages" in filled.ok("check").out


DAMAGES: dict[str, tuple[str, Callable[[Cli], Any], str]] = {
    "blob file changed": ("messages", lambda cli: large_blob(cli).write_bytes(LARGE[:-1] + b"y"), "changed"),
    "blob file cut": ("messages", lambda cli: large_blob(cli).write_bytes(LARGE[:-1]), "bytes instead of"),
    "blob file gone": ("messages", lambda cli: large_blob(cli).unlink(), "missing"),
    "blob in the database changed": (
        "messages",
        lambda cli: execute(cli, "UPDATE blob SET data = zeroblob(size) WHERE data IS NOT NULL"),
        "changed",
    ),
    "derived text gone": ("messages", lambda cli: execute(cli, "DELETE FROM content"), "derived"),
    "blob row gone": (
        "database",
        lambda cli: execute(cli, "DELETE FROM blob WHERE data IS NOT NULL"),
        "refers to nothing",
    ),
    "total": (
        "counters",
        lambda cli: execute(cli, "UPDATE folder SET total = 7 WHERE total > 0"),
        "7 messages",
    ),
    "unread": (
        "counters",
        lambda cli: execute(cli, "UPDATE folder SET unread = 1 WHERE unread > 0"),
        "1 unread",
    ),
    "used bytes": ("counters", lambda cli: execute(cli, "UPDATE account SET used_bytes = 5"), "5 bytes used"),
    "key readable": (
        "permissions",
        lambda cli: certificates.key_path(cli.data).chmod(0o640),
        "can be used by others",
    ),
    "keys readable": ("permissions", lambda cli: (cli.data / "keys").chmod(0o755), "can be used by others"),
    "no certificate": (
        "certificate",
        lambda cli: certificates.cert_path(cli.data).unlink(),
        "no certificate",
    ),
    "certificate unreadable": (
        "certificate",
        lambda cli: files.replace(certificates.cert_path(cli.data), b"nonsense"),
        "not a PEM",
    ),
    "certificate expired": (
        "certificate",
        lambda cli: certificates._make(cli.data, ["mail.example.com"], datetime(2020, 1, 1, tzinfo=UTC)),
        "not today",
    ),
    "certificate of another host": (
        "certificate",
        lambda cli: certificates.ensure_self_signed(cli.data, ["other.example.com"]),
        "does not name mail.example.com",
    ),
    "another key": ("certificate", lambda cli: another_key(cli), "do not belong together"),
}


def another_key(cli: Cli) -> None:
    certificates.key_path(cli.data).unlink()
    certificates._new_key(certificates.key_path(cli.data))


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_named_and_fails_the_command(filled: Cli, damage: str) -> None:
    name, harm, words = DAMAGES[damage]
    harm(filled)
    outcome = filled("check", "--json")
    assert outcome.status == 1
    assert not outcome.json["ok"]
    by_name = {each["name"]: each["errors"] for each in outcome.json["checks"]}
    assert any(words in error for error in by_name[name]), by_name
    assert filled("check").status == 1


def test_a_damaged_database_file_is_found(filled: Cli) -> None:
    path = filled.data / "appliance.db"
    data = bytearray(path.read_bytes())
    for page in range(8, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(data)
    outcome = filled("check", "--json")
    assert outcome.status == 1
    assert "Traceback" not in outcome.err


def test_an_emptied_data_directory_is_refused(filled: Cli) -> None:
    for file in filled.data.glob("appliance.db*"):
        file.unlink()
    outcome = filled("check")
    assert outcome.status == 1
    assert "database is empty" in outcome.err


def test_the_same_checks_on_every_database(database: Place) -> None:
    cheap = Passwords(memory_kib=64, passes=1)
    login.configure(replace(Config(), data_dir=database.data_dir, passwords=cheap))
    blobs.configure(database.data_dir)
    apply("example.com", "mail.example.com", "anna@example.com", PASSWORD, data_dir=database.data_dir)
    with db.connection():
        account = accounts.require("anna@example.com")
        inbox = folders.list_folders(account.id)[0]
    for number in range(3):
        raw = b"Subject: x\r\n\r\n%d\r\n" % number
        messages.file(account.id, inbox.id, arrival.prepare(raw), is_read=number == 0)
    messages.file(account.id, inbox.id, arrival.prepare(LARGE))
    results = list(check.all_checks(database.data_dir))
    assert len(results) == 5
    assert [(result.name, result.errors) for result in results if result.errors] == []
