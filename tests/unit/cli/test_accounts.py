"""Accounts from the command line, and that a running process sees them at once."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import db
from appliance.accounts import accounts, login
from appliance.accounts.login import AccountDisabled, WrongCredentials
from appliance.settings import Config, Passwords
from appliance.store import blobs
from tests.unit.cli.conftest import PASSWORD, Cli


def test_an_account_s_life(ready: Cli) -> None:
    ready.ok(
        "user", "add", "Bob@example.com", "--name", "Bob B", "--password-stdin", stdin="a good password\n"
    )
    ready.ok("alias", "add", "info@example.com", "bob@example.com")
    ready.ok("user", "disable", "bob@example.com")
    listed = {about["address"]: about for about in ready.ok("user", "list", "--json").json}
    assert listed["bob@example.com"] == {
        "address": "bob@example.com", "name": "Bob B", "admin": False, "enabled": False,
        "used_bytes": 0, "quota_bytes": 10_737_418_240, "quota_is_own": False,
        "aliases": ["info@example.com"],
    }  # fmt: skip
    assert listed["anna@example.com"]["admin"]
    text = ready.ok("user", "list").out
    assert "Bob B" in text and "disabled" in text and "info@example.com" in text
    ready.ok("user", "enable", "bob@example.com")
    assert ready("user", "delete", "info@example.com").status == 1  # an alias is not the account
    ready.ok("alias", "remove", "info@example.com")
    ready.ok("user", "delete", "bob@example.com")
    assert [about["address"] for about in ready.ok("user", "list", "--json").json] == ["anna@example.com"]


def test_domains_and_aliases_are_listed(ready: Cli) -> None:
    ready.ok("domain", "add", "Bücher.example")
    assert ready.ok("domain", "list", "--json").json == ["example.com", "xn--bcher-kva.example"]
    assert "xn--bcher-kva.example" in ready.ok("domain", "list").out
    ready.ok("alias", "add", "a@bücher.example", "anna@example.com")
    wanted = [{"alias": "a@xn--bcher-kva.example", "address": "anna@example.com"}]
    assert ready.ok("alias", "list", "--json").json == wanted
    assert ready.ok("alias", "list", "anna@example.com", "--json").json == wanted
    assert "anna@example.com" in ready.ok("alias", "list").out


def test_a_password_is_one_line_of_standard_input(ready: Cli) -> None:
    ready.ok(
        "user", "passwd", "anna@example.com", "--password-stdin", stdin="ein größeres Geheimnis \r\nrest\n"
    )
    with _running(ready):
        assert _sign_in("ein größeres Geheimnis ")


@pytest.mark.parametrize("stdin", ["", "\n", "short\n"])
def test_a_bad_password_is_refused_without_being_repeated(ready: Cli, stdin: str) -> None:
    outcome = ready("user", "passwd", "anna@example.com", "--password-stdin", stdin=stdin)
    assert outcome.status in (1, 2)
    assert "short" not in outcome.err


def test_import_applies_the_good_lines_and_names_the_bad_ones(ready: Cli, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(
        "\ufeffaddress,password,name\r\n"
        "bob@example.com,a good password,Bob\r\n"
        'carol@example.com,"with, a comma ""quoted""",Carol\r\n'
        "anna@example.com,a good password,Anna\r\n"
        "\r\n"
        "dave@other.example,a good password,Dave\r\n"
        "eve@example.com,short,Eve\r\n"
        "only one field\r\n"
        "frank@example.com,a good password\r\n"
    )
    outcome = ready("user", "import", str(file), "--json")
    assert outcome.status == 1
    assert outcome.json["created"] == 3
    assert [(failed["line"], failed["address"]) for failed in outcome.json["failed"]] == [
        (4, "anna@example.com"),
        (6, "dave@other.example"),
        (7, "eve@example.com"),
        (8, "only one field"),
    ]
    assert "a good password" not in outcome.out + outcome.err
    again = ready("user", "import", str(file))
    assert again.status == 1 and "0 created, 7 failed" in again.out
    assert "people.csv line 2: bob@example.com is taken" in again.err
    with _running(ready):
        assert _sign_in('with, a comma "quoted"', "carol@example.com")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00binary", b'bob@example.com,"never closed\n'])
def test_a_file_that_is_no_csv_is_refused_whole(ready: Cli, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(content)
    outcome = ready("user", "import", str(file))
    assert outcome.status == 1 and "people.csv" in outcome.err
    assert len(ready.ok("user", "list", "--json").json) == 1


def test_a_running_process_sees_every_change_at_once(ready: Cli) -> None:
    with _running(ready):
        assert _sign_in(PASSWORD) and _sign_in(PASSWORD)  # and now it is in this process's memory
        new = "another good password"
        changed = ready("user", "passwd", "anna@example.com", "--password-stdin", stdin=new, elsewhere=True)
        assert changed.status == 0, changed
        with pytest.raises(WrongCredentials):
            _sign_in(PASSWORD)
        assert _sign_in(new)
        assert ready("user", "disable", "anna@example.com", elsewhere=True).status == 0
        with pytest.raises(AccountDisabled):
            _sign_in(new)
        added = ready(
            "user", "add", "bob@example.com", "--password-stdin", stdin="a good password", elsewhere=True
        )
        assert added.status == 0
        assert _sign_in("a good password", "bob@example.com")
        assert ready("user", "delete", "bob@example.com", elsewhere=True).status == 0
        with pytest.raises(WrongCredentials):
            _sign_in("a good password", "bob@example.com")


def test_passwords_are_stored_as_hashes_only(ready: Cli) -> None:
    ready.ok("user", "add", "bob@example.com", "--password-stdin", stdin="a very good password\n")
    for path in (path for path in ready.data.rglob("*") if path.is_file()):
        assert b"a very good password" not in path.read_bytes(), path
    with sqlite3.connect(ready.data / "appliance.db") as database:
        hashes = [row[0] for row in database.execute("SELECT password_hash FROM account")]
    assert len(hashes) == 2 and all(each.startswith("$argon2id$") for each in hashes)


class _running:  # noqa: N801 - reads as a statement
    """This process as a role that has the data directory open."""

    def __init__(self, cli: Cli) -> None:
        self.data = cli.data

    def __enter__(self) -> None:
        db.open("sqlite", self.data)
        blobs.configure(self.data)
        cheap = Passwords(memory_kib=8192, passes=1)
        login.configure(replace(Config(), data_dir=self.data, passwords=cheap))

    def __exit__(self, *_: object) -> None:
        db.close()


def _sign_in(password: str, address: str = "anna@example.com") -> bool:
    found = login.login(address, password, protocol="eas", device_id="PHONE", remote_ip="192.0.2.1")
    with db.connection():
        return accounts.require(address).id == found.id


def test_a_quota_of_its_own(ready: Cli) -> None:
    ready.config.write_text(ready.config.read_text() + "[limits]\nquota_bytes = 5000\n")
    ready.ok("user", "add", "bob@example.com", "--quota", "0", "--password-stdin", stdin="a good password\n")

    def quotas() -> dict[str, tuple[int, bool]]:
        listed = ready.ok("user", "list", "--json").json
        return {about["address"]: (about["quota_bytes"], about["quota_is_own"]) for about in listed}

    assert quotas() == {"anna@example.com": (5000, False), "bob@example.com": (0, True)}
    ready.ok("user", "quota", "anna@example.com", "123")
    ready.ok("user", "quota", "bob@example.com", "default")
    assert quotas() == {"anna@example.com": (123, True), "bob@example.com": (5000, False)}
    for wrong in ("-1", "much", ""):
        assert ready("user", "quota", "anna@example.com", wrong).status == 2
