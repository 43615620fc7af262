"""The one door: who comes in, at what cost, and what is never told."""

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import db, logs, metrics
from appliance.accounts import accounts, login, passwords, throttle
from appliance.accounts.login import AccountDisabled, Throttled, WrongCredentials
from appliance.db.tables import Account as Row
from appliance.errors import Denied, TemporaryFailure
from appliance.items.account import Account
from appliance.settings import Config, Passwords
from tests.unit.accounts.conftest import CHEAP, PASSWORD, StoppedClock

WRONG = "Wrong-Passw0rd-Ω"


def sign_in(
    clock: StoppedClock, username: str = "anna@example.com", password: str = PASSWORD, **client: str
) -> Account:
    return login.login(
        username,
        password,
        protocol="eas",
        device_id=client.get("device_id", ""),
        remote_ip=client.get("remote_ip", "192.0.2.1"),
        clock=clock,
    )


@pytest.mark.parametrize(
    "username",
    [
        "anna@example.com",
        " Anna@EXAMPLE.com ",
        "info@example.com",
        "anna",
        "ANNA",
        "OFFICE\\anna",
        "example.com\\Anna",
        "OFFICE\\anna@example.com",
        "\\anna",
    ],
)
def test_the_names_phones_and_people_send(anna: Account, clock: StoppedClock, username: str) -> None:
    accounts.add_alias(anna.id, "info@example.com")
    assert sign_in(clock, username).id == anna.id


@pytest.mark.parametrize(
    "username",
    ["", "@", "nobody@example.com", "anna+x@example.com", "anna@example.net", "a\0b", "x" * 100_000],
)
def test_names_that_open_nothing(anna: Account, clock: StoppedClock, username: str) -> None:
    with pytest.raises(WrongCredentials):
        sign_in(clock, username)


def test_a_bare_name_is_ambiguous_with_two_domains(anna: Account, clock: StoppedClock) -> None:
    accounts.add_domain("example.net")
    with pytest.raises(WrongCredentials):
        sign_in(clock, "anna")
    assert sign_in(clock, "example.com\\anna").id == anna.id
    with pytest.raises(WrongCredentials):
        sign_in(clock, "example.net\\anna")


@pytest.mark.parametrize("password", ["", WRONG, PASSWORD + " ", PASSWORD.upper(), "x" * 1_000_000])
def test_a_wrong_password_and_an_unknown_name_sound_the_same(
    anna: Account, clock: StoppedClock, password: str
) -> None:
    with pytest.raises(WrongCredentials) as wrong:
        sign_in(clock, password=password)
    with pytest.raises(WrongCredentials) as unknown:
        sign_in(clock, "nobody@example.com", password)
    assert str(wrong.value) == str(unknown.value)
    assert isinstance(wrong.value, Denied)


def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(
    anna: Account, clock: StoppedClock, hashed: list[str]
) -> None:
    for username in ("anna@example.com", "nobody@example.com", "no address at all"):
        hashed.clear()
        for password in (WRONG, WRONG, "another wrong one"):
            with pytest.raises(WrongCredentials):
                sign_in(clock, username, password)
        assert hashed == [WRONG, "another wrong one"]


def test_a_known_credential_is_not_hashed_again_until_its_time_is_over(
    anna: Account, clock: StoppedClock, hashed: list[str]
) -> None:
    for _ in range(20):
        sign_in(clock)
    assert len(hashed) == 1
    clock.advance(minutes=10)
    sign_in(clock)
    assert len(hashed) == 2


def test_a_new_password_is_in_force_at_once(anna: Account, clock: StoppedClock) -> None:
    sign_in(clock)
    accounts.set_password(anna.id, "another horse")
    with pytest.raises(WrongCredentials):
        sign_in(clock)
    assert sign_in(clock, password="another horse").credential_version == anna.credential_version + 1


def test_an_old_password_set_again_opens_again(anna: Account, clock: StoppedClock) -> None:
    accounts.set_password(anna.id, "another horse")
    with pytest.raises(WrongCredentials):
        sign_in(clock)
    accounts.set_password(anna.id, PASSWORD)
    assert sign_in(clock).id == anna.id


def test_a_deleted_account_s_password_does_not_open_the_one_that_got_its_id(
    anna: Account, clock: StoppedClock
) -> None:
    sign_in(clock)
    accounts.delete(anna.id)
    with pytest.raises(WrongCredentials):
        sign_in(clock)
    again = accounts.create("anna@example.com", "another horse")
    with pytest.raises(WrongCredentials):
        sign_in(clock)
    assert sign_in(clock, password="another horse").id == again.id


def test_only_the_right_password_learns_that_the_account_is_disabled(
    anna: Account, clock: StoppedClock
) -> None:
    sign_in(clock)
    accounts.set_enabled(anna.id, False)
    with pytest.raises(WrongCredentials):
        sign_in(clock, password=WRONG)
    for _ in range(2):
        with pytest.raises(AccountDisabled):
            sign_in(clock)
    accounts.set_enabled(anna.id, True)
    assert sign_in(clock).id == anna.id


def test_ten_requests_at_once_cost_one_hash(anna: Account, clock: StoppedClock, hashed: list[str]) -> None:
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(sign_in(clock).id)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [anna.id] * 10
    assert len(hashed) == 1


def test_guesses_at_once_are_not_heard_before_the_last_one_is_counted(
    anna: Account, clock: StoppedClock, hashed: list[str]
) -> None:
    outcomes: list[str] = []

    def guess(number: int) -> None:
        try:
            sign_in(clock, password=f"guess number {number}")
        except (WrongCredentials, Throttled) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["Throttled"] * 35 + ["WrongCredentials"] * 5
    assert len(hashed) == 5


def test_a_throttled_login_says_when_to_come_back_and_even_the_right_password_waits(
    anna: Account, clock: StoppedClock
) -> None:
    for number in range(5):
        with pytest.raises(WrongCredentials):
            sign_in(clock, password=f"guess number {number}")
    with pytest.raises(Throttled) as throttled:
        sign_in(clock)
    assert throttled.value.retry_after_s == 1
    assert isinstance(throttled.value, TemporaryFailure)
    clock.advance(seconds=1)
    assert sign_in(clock).id == anna.id
    with pytest.raises(WrongCredentials):  # and the count began anew
        sign_in(clock, password="guess number 6")


def test_whoever_is_signed_in_does_not_wait_for_a_guesser_at_the_same_place(
    anna: Account, clock: StoppedClock
) -> None:
    sign_in(clock, device_id="PHONE")
    for number in range(8):
        with pytest.raises((WrongCredentials, Throttled)):
            sign_in(clock, password=f"guess number {number}", device_id="PHONE")
    assert sign_in(clock, device_id="PHONE").id == anna.id
    assert sign_in(clock, device_id="TABLET").id == anna.id


def test_the_thirty_first_phone_of_an_office_comes_in(anna: Account, clock: StoppedClock) -> None:
    for number in range(30):
        for _ in range(10):
            with pytest.raises(WrongCredentials):
                sign_in(clock, f"user{number}@example.com", "last month's", device_id=f"PHONE{number}")
    assert sign_in(clock, device_id="PHONE31").id == anna.id


def test_an_old_password_retried_all_day_never_blocks_the_new_one(anna: Account, clock: StoppedClock) -> None:
    sign_in(clock, device_id="PHONE")
    accounts.set_password(anna.id, "another horse")
    for _ in range(200):
        clock.advance(minutes=5)
        with pytest.raises(WrongCredentials):
            sign_in(clock, device_id="PHONE")
    assert sign_in(clock, password="another horse", device_id="PHONE").id == anna.id


def test_a_hash_of_old_parameters_is_renewed_at_login(
    anna: Account, configured: Config, clock: StoppedClock
) -> None:
    login.configure(replace(configured, passwords=Passwords(memory_kib=128, passes=1, lanes=1)))
    sign_in(clock)
    with db.connection():
        stored = accounts.credential(anna.address)
    assert stored is not None and "m=128" in stored.password_hash
    assert stored.account.credential_version == anna.credential_version
    assert sign_in(clock).id == anna.id


def test_nothing_secret_is_logged(anna: Account, clock: StoppedClock, tmp_path: Path) -> None:
    logs.setup(tmp_path / "logs", level="debug")
    try:
        sign_in(clock)
        for username in ("anna@example.com", "My-Passw0rd-typed-as-name", "nobody@example.com"):
            for number in range(7):
                with pytest.raises((WrongCredentials, Throttled)):
                    sign_in(clock, username, f"{WRONG}{number}", device_id="PHONE")
        accounts.set_password(anna.id, "another horse")
    finally:
        logs.reset()
    text = "".join(file.read_text() for file in (tmp_path / "logs").rglob("*.log"))
    assert "login_failed" in text and "login_throttled" in text and f"account={anna.id}" in text
    for secret in (PASSWORD, WRONG, "another horse", "Passw0rd", "argon2", "nobody"):
        assert secret not in text


def test_a_full_disk_keeps_nobody_out_who_knows_the_password(
    anna: Account, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise TemporaryFailure("disk full")

    monkeypatch.setattr(throttle, "_remember", full)
    assert sign_in(clock).id == anna.id
    monkeypatch.setattr(throttle, "failed", full)
    for _ in range(2):  # but what cannot be counted is not answered either
        with pytest.raises(TemporaryFailure, match="disk full"):
            sign_in(clock, password=WRONG)


def test_too_many_waiting_logins_are_sent_away(
    anna: Account, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_places", threading.BoundedSemaphore(1))
    login._places.acquire()
    with pytest.raises(login.Overloaded):
        sign_in(clock)
    login._places.release()
    assert sign_in(clock).id == anna.id


def test_the_cache_has_a_ceiling(anna: Account, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(login, "KNOWN_MAX", 3)
    for number in range(6):
        with pytest.raises(WrongCredentials):
            sign_in(clock, f"user{number}@example.com", WRONG, remote_ip="")
    assert len(login._known._found) == 3


def test_a_known_credential_costs_one_read_and_little_time(anna: Account) -> None:
    login.login("anna@example.com", PASSWORD, protocol="eas")
    queries: list[str] = []
    database = db.proxy.obj
    original = database.execute_sql

    def counting(sql: str, *args: object, **kwargs: object) -> object:
        queries.append(sql)
        return original(sql, *args, **kwargs)

    database.execute_sql = counting
    try:
        login.login("anna@example.com", PASSWORD, protocol="eas")
    finally:
        del database.execute_sql
    assert len([sql for sql in queries if sql.startswith("SELECT") and "account" in sql]) == 1
    assert len([sql for sql in queries if not sql.startswith(("SELECT", "PRAGMA", "BEGIN"))]) == 0
    began = time.perf_counter()
    for _ in range(100):
        login.login("anna@example.com", PASSWORD, protocol="eas")
    assert (time.perf_counter() - began) / 100 < 0.02  # one hash of default cost takes longer


def test_outcomes_are_counted(anna: Account, clock: StoppedClock) -> None:
    def count(outcome: str) -> float:
        return metrics.sample("appliance_logins_total", protocol="eas", outcome=outcome)

    before = {outcome: count(outcome) for outcome in ("right", "wrong", "disabled", "throttled")}
    sign_in(clock)
    for number in range(6):
        with pytest.raises((WrongCredentials, Throttled)):
            sign_in(clock, password=f"guess number {number}")
    accounts.set_enabled(anna.id, False)
    with pytest.raises(AccountDisabled):
        sign_in(clock)
    after = {outcome: count(outcome) - before[outcome] for outcome in before}
    assert after == {"right": 1, "wrong": 5, "disabled": 1, "throttled": 1}


def test_the_hash_in_the_database_is_never_part_of_an_account(anna: Account, clock: StoppedClock) -> None:
    with db.connection():
        stored = Row.get_by_id(anna.id).password_hash
    assert stored not in repr(sign_in(clock))
    assert passwords.verify(stored, PASSWORD).is_right
    assert CHEAP.memory_kib == 64
