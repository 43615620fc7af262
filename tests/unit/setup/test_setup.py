"""The first run: repeatable, resumable, and never on top of what was there."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import db
from appliance.accounts import accounts, login
from appliance.db.tables import Account as AccountRow
from appliance.db.tables import Domain, Setting
from appliance.domains import certificates
from appliance.errors import Conflict, InvalidInput
from appliance.settings import Config, Passwords
from appliance.setup import apply as applying
from appliance.setup import code, instance, settings, steps
from appliance.setup.steps import Step
from tests.fixtures.database import Place

ANSWERS = ("example.com", "mail.example.com", "anna@example.com", "correct horse battery")


@pytest.fixture
def fresh(database: Place) -> Iterator[Path]:
    config = replace(Config(), data_dir=database.data_dir, passwords=Passwords(memory_kib=64, passes=1))
    login.configure(config)
    yield database.data_dir
    login.configure(Config(data_dir=database.data_dir))


def do(data_dir: Path, *answers: str) -> tuple[str, ...]:
    return applying.apply(*(answers or ANSWERS), data_dir=data_dir).changes


def test_a_first_run_leaves_an_appliance_that_works(fresh: Path) -> None:
    assert steps.needs_setup()
    assert steps.next_step(fresh) is Step.INSTANCE
    assert len(do(fresh)) == 5
    assert not steps.needs_setup()
    assert steps.next_step(fresh) is None
    account = login.login(ANSWERS[2], ANSWERS[3], protocol="web")
    assert account.is_admin
    with db.connection():
        assert settings.get(settings.HOSTNAME) == "mail.example.com"
        assert accounts.list_domains() == ["example.com"]
    shown = certificates.installed(fresh)
    assert shown is not None and {"mail.example.com", "autodiscover.example.com"} <= set(shown.names)
    about = json.loads((fresh / "instance.json").read_text())
    assert re.fullmatch("[0-9a-f]{32}", about["id"]) and about["set_up_at"]


def test_a_second_run_changes_nothing(fresh: Path) -> None:
    do(fresh)
    before = {path: path.read_bytes() for path in (fresh / "tls").iterdir()}
    assert do(fresh, *ANSWERS[:3], "another good password") == ()
    assert {path: path.read_bytes() for path in (fresh / "tls").iterdir()} == before
    assert login.login(ANSWERS[2], ANSWERS[3], protocol="web").is_admin  # the password stayed


@pytest.mark.parametrize("stops_at", ["_domain", "_hostname", "_certificate", "_administrator", "_finish"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_run_that_stops_anywhere_is_finished_by_the_next(
    fresh: Path, monkeypatch: pytest.MonkeyPatch, stops_at: str, moment: str
) -> None:
    original = getattr(applying, stops_at)

    def stopping(*arguments: object) -> None:
        if moment == "after":
            original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(applying, stops_at, stopping)
        with pytest.raises(KeyboardInterrupt):
            do(fresh)
    do(fresh)
    assert steps.next_step(fresh) is None
    with db.connection():
        assert len(accounts.list_accounts()) == len(accounts.list_domains()) == 1
    assert do(fresh) == ()


@pytest.mark.parametrize(
    "answers",
    [
        ("com", *ANSWERS[1:]),
        ("example.com", "not a name", *ANSWERS[2:]),
        ("example.com", "mail", *ANSWERS[2:]),
        ("example.com", "mail.example.com", "anna", ANSWERS[3]),
        ("example.com", "mail.example.com", "anna@example.net", ANSWERS[3]),
        ("example.com", "mail.example.com", "anna@example.com", "short"),
    ],
)
def test_a_wrong_answer_is_refused_before_anything_is_changed(fresh: Path, answers: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput):
        do(fresh, *answers)
    assert not (fresh / "instance.json").exists()
    with db.connection():
        assert accounts.list_domains() == []


def test_another_host_name_gets_another_certificate(fresh: Path) -> None:
    do(fresh)
    changes = do(fresh, "example.com", "post.example.com", *ANSWERS[2:])
    assert len(changes) == 2
    shown = certificates.installed(fresh)
    assert shown is not None and "post.example.com" in shown.names


def test_an_ordinary_account_becomes_the_administrator(fresh: Path) -> None:
    accounts.add_domain("example.com")
    account = accounts.create("anna@example.com", "her own password")
    accounts.set_enabled(account.id, False)
    assert steps.needs_setup()
    do(fresh)
    assert login.login("anna", "her own password", protocol="web").is_admin


def test_a_directory_that_held_mail_is_not_set_up_as_new(fresh: Path) -> None:
    do(fresh)
    _empty()
    assert steps.needs_setup()
    with pytest.raises(Conflict, match="database is empty"):
        do(fresh)
    with pytest.raises(Conflict, match=r"restore a backup.*instance\.json"):
        steps.standings(fresh)
    with db.connection():
        assert accounts.list_domains() == []
    (fresh / "instance.json").unlink()  # what the message says
    do(fresh)
    assert steps.next_step(fresh) is None


def test_the_database_of_another_instance_is_refused(fresh: Path) -> None:
    do(fresh)
    settings.put(settings.INSTANCE_ID, "0" * 32)
    with pytest.raises(Conflict, match="belongs to instance"):
        instance.check(fresh)


def test_a_second_machine_on_the_same_database_takes_its_id(fresh: Path, tmp_path: Path) -> None:
    do(fresh)
    other = tmp_path / "other machine"
    other.mkdir()
    assert do(other) == ("a self-signed certificate for mail.example.com was made",)
    first, second = instance.read(fresh), instance.read(other)
    assert first is not None and second is not None and first.id == second.id


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id": "x"}', '{"id": "x", "surprise": 1}'])
def test_an_unreadable_instance_file_is_not_overwritten(fresh: Path, content: str) -> None:
    (fresh / "instance.json").write_text(content)
    with pytest.raises(Conflict, match=r"instance\.json"):
        do(fresh)
    assert (fresh / "instance.json").read_text() == content


def test_the_code_opens_once_however_it_is_typed(fresh: Path) -> None:
    shown = code.make()
    assert re.fullmatch(r"(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}", shown)
    typed = (shown, shown.lower(), shown.replace("-", ""), shown.replace("-", " "), f" {shown}\n")
    assert all(code.is_right(each) for each in typed)
    misread = shown.replace("0", "O").replace("1", "l")
    assert code.is_right(misread)
    for wrong in ("", shown[:-1], shown + "0", "0000-0000-0000-0000", "\ud800", "x" * 10_000):
        assert not code.is_right(wrong)
    do(fresh)
    assert not code.is_right(shown)


def test_a_new_code_voids_the_old_one_and_neither_is_stored(fresh: Path) -> None:
    old, new = code.make(), code.make()
    assert old != new
    assert code.is_right(new) and not code.is_right(old)
    with db.connection():
        stored = " ".join(row.value for row in Setting.select())
    assert new not in stored and new.replace("-", "") not in stored
    code.void()
    assert not code.is_right(new) and not code.is_right("")


def test_settings_are_set_replaced_and_forgotten(fresh: Path) -> None:
    settings.put("a", "1")
    settings.put("a", "2")
    with db.connection():
        assert (settings.get("a"), settings.get("b"), settings.get("b", "none")) == ("2", "", "none")
    settings.remove("a")
    settings.remove("a")
    with db.connection():
        assert settings.get("a") == ""


@db.transaction
def _empty() -> None:
    for account in list(AccountRow.select()):
        accounts.delete(account.id)
    for table in (Setting, Domain):
        table.delete().execute()
