"""Guessers wait longer and longer; offices with old passwords do not."""

from datetime import datetime, timedelta

import pytest

from appliance import db
from appliance.accounts import scopes, throttle
from appliance.accounts.throttle import Throttled
from appliance.db.tables import Device, LoginFailure
from appliance.items.account import Account
from appliance.settings import Config
from tests.unit.accounts.conftest import StoppedClock


def fail(
    clock: StoppedClock, account_id: int | None, secret: str, device_id: str = "", ip: str = "192.0.2.1"
) -> None:
    with db.connection():
        tried = scopes.attempt(account_id, f"name of {account_id}", secret, device_id, ip)
        throttle.check(tried, clock.now())
    throttle.failed(tried, clock.now())


def wait_s(
    clock: StoppedClock, account_id: int | None, device_id: str = "", ip: str = "192.0.2.1", name: str = ""
) -> int:
    """Return how long an attempt with the right password would have to wait."""
    with db.connection():
        tried = scopes.attempt(account_id, name or f"name of {account_id}", "right", device_id, ip)
        try:
            throttle.check(tried, clock.now())
        except Throttled as throttled:
            return throttled.retry_after_s
    return 0


def succeed(clock: StoppedClock, account_id: int, device_id: str = "", ip: str = "192.0.2.1") -> None:
    with db.connection():
        tried = scopes.attempt(account_id, "", "right", device_id, ip)
        standing = throttle.check(tried, clock.now())
    throttle.succeeded(tried, standing, clock.now())


@db.transaction
def know(clock: StoppedClock, account_id: int, device_id: str) -> None:
    Device.create(
        account=account_id, device_id=device_id, first_seen_at=clock.now(), last_seen_at=clock.now()
    )


def rows() -> dict[str, int]:
    with db.connection():
        return dict(LoginFailure.select(LoginFailure.scope, LoginFailure.failures).tuples())


def test_the_wait_doubles_from_one_second_to_the_longest() -> None:
    rule = scopes.Rule(free=5, wait_max_s=900)
    waits = [rule.wait_s(failures) for failures in range(1, 18)]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    assert rule.wait_s(10**9) == 900


def test_different_wrong_secrets_make_the_account_wait_at_that_address_only(
    anna: Account, clock: StoppedClock
) -> None:
    for number in range(5):
        assert wait_s(clock, anna.id) == 0
        fail(clock, anna.id, f"guess {number}")
    assert wait_s(clock, anna.id) == 1
    assert wait_s(clock, anna.id, ip="192.0.2.2") == 0
    assert wait_s(clock, anna.id + 1) == 0
    clock.advance(seconds=1)
    assert wait_s(clock, anna.id) == 0
    fail(clock, anna.id, "guess again")
    assert wait_s(clock, anna.id) == 2


def test_a_simulated_guesser_gets_few_tries_an_hour(anna: Account, clock: StoppedClock) -> None:
    heard = 0
    for number in range(1000):
        if wait_s(clock, anna.id) == 0:
            fail(clock, anna.id, f"guess {number}")
            heard += 1
        clock.advance(seconds=3.6)
    assert heard <= 20


def test_a_guesser_who_invents_a_phone_for_every_guess_gets_few_more(
    anna: Account, clock: StoppedClock
) -> None:
    heard = 0
    for number in range(1000):
        if wait_s(clock, anna.id, f"PHONE{number}") == 0:
            fail(clock, anna.id, f"guess {number}", f"PHONE{number}")
            heard += 1
        clock.advance(seconds=3.6)
    assert heard <= 35


def test_the_same_wrong_secret_counts_once_even_between_others(anna: Account, clock: StoppedClock) -> None:
    for _ in range(50):
        fail(clock, anna.id, "last month's")
        fail(clock, anna.id, "the one before")
    assert rows() == {f"account:{anna.id}:ip:192.0.2.1": 2, "net:192.0.2.0/24": 2}
    assert wait_s(clock, anna.id) == 0


def test_another_phone_of_the_account_is_not_made_to_wait(anna: Account, clock: StoppedClock) -> None:
    know(clock, anna.id, "OLDPHONE")
    for number in range(10):
        clock.advance(minutes=10)
        fail(clock, anna.id, f"guess {number}", "OLDPHONE")
    assert wait_s(clock, anna.id, "OLDPHONE") > 0
    assert wait_s(clock, anna.id, "NEWPHONE") == 0
    assert wait_s(clock, anna.id) == 0


def test_thirty_old_passwords_behind_one_address_do_not_block_the_next(
    configured: Config, clock: StoppedClock
) -> None:
    for phone in range(1, 31):
        for _ in range(20):
            fail(clock, phone, f"old password of {phone}", f"PHONE{phone}")
    assert rows()["net:192.0.2.0/24"] == 30
    assert wait_s(clock, 31, "PHONE31") == 0


def test_a_network_that_guesses_many_accounts_waits(configured: Config, clock: StoppedClock) -> None:
    for number in range(100):
        fail(clock, number, "Summer2026", ip=f"198.51.100.{number}")
    assert wait_s(clock, 5000, ip="198.51.100.200") == 1
    assert wait_s(clock, 5000, ip="198.51.101.200") == 0


def test_an_address_with_a_valid_session_today_is_never_blocked_as_a_network(
    anna: Account, clock: StoppedClock
) -> None:
    succeed(clock, anna.id, ip="198.51.100.7")
    for number in range(120):
        clock.advance(seconds=1)
        fail(clock, 1000 + number, "Summer2026", ip="198.51.100.7")
    assert wait_s(clock, 5000, ip="198.51.100.8") > 0
    assert wait_s(clock, 5000, ip="198.51.100.7") == 0
    clock.advance(hours=25)
    for number in range(120):
        with db.connection():
            tried = scopes.attempt(2000 + number, "", "Summer2026", "", "198.51.100.8")
        throttle.failed(tried, clock.now())
    assert wait_s(clock, 5000, ip="198.51.100.7") > 0  # yesterday's session is forgotten


def test_ipv6_is_counted_by_its_64_bit_network(configured: Config, clock: StoppedClock) -> None:
    for number in range(100):
        fail(clock, number, "Summer2026", ip=f"2001:db8:0:1::{number:x}")
    assert wait_s(clock, 5000, ip="2001:db8:0:1:ffff::1") == 1
    assert wait_s(clock, 5000, ip="2001:db8:0:2::1") == 0


@pytest.mark.parametrize("ip", ["", "127.0.0.1", "::1", "not an address", "::ffff:127.0.0.1"])
def test_an_unknown_address_or_our_own_is_no_network(
    configured: Config, clock: StoppedClock, ip: str
) -> None:
    for number in range(120):
        fail(clock, number, "Summer2026", ip=ip)
    assert wait_s(clock, 5000, ip=ip) == 0
    assert not any(scope.startswith("net:") for scope in rows())


def test_mapped_ipv4_is_ipv4(anna: Account, clock: StoppedClock) -> None:
    fail(clock, anna.id, "guess", ip="::ffff:192.0.2.1")
    assert f"account:{anna.id}:ip:192.0.2.1" in rows()


def test_success_forgets_the_account_s_failures_and_not_the_network_s(
    anna: Account, clock: StoppedClock
) -> None:
    for number in range(4):
        fail(clock, anna.id, f"guess {number}")
    succeed(clock, anna.id)
    assert rows() == {"net:192.0.2.0/24": 4, "good:192.0.2.1": 0}


def test_success_writes_only_what_is_new(
    anna: Account, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[object] = []
    original = throttle._remember

    def watched(tried: scopes.Attempt, now: datetime) -> None:
        written.append(tried)
        original(tried, now)

    monkeypatch.setattr(throttle, "_remember", watched)
    for _ in range(10):
        succeed(clock, anna.id)
        clock.advance(minutes=10)
    assert len(written) == 2


def test_failures_are_forgotten_after_a_day_and_their_rows_removed(
    anna: Account, clock: StoppedClock
) -> None:
    for number in range(9):
        fail(clock, anna.id, f"guess {number}")
        clock.advance(minutes=15)
    clock.advance(hours=24)
    assert wait_s(clock, anna.id) == 0
    fail(clock, anna.id, "guess 1")
    assert rows()[f"account:{anna.id}:ip:192.0.2.1"] == 1
    clock.advance(hours=25)
    throttle.prune(clock.now())
    assert rows() == {}


def test_rows_have_a_ceiling_and_the_oldest_go(
    configured: Config, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "ROWS_MAX", 5)
    for number in range(8):
        fail(clock, number, "x", ip="127.0.0.1")
        clock.advance(seconds=1)
    throttle.prune(clock.now())
    assert sorted(rows()) == [f"account:{number}:ip:" for number in range(3, 8)]


def test_rows_are_pruned_without_anybody_asking(
    configured: Config, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "PRUNED_EVERY", 10)
    fail(clock, 1, "x")
    clock.advance(days=2)
    for number in range(2, 13):
        fail(clock, number, "x")
    assert "account:1:ip:192.0.2.1" not in rows()


def test_the_administrator_sees_who_waits_and_can_end_it(anna: Account, clock: StoppedClock) -> None:
    for number in range(5):
        fail(clock, anna.id, f"guess {number}")
    with db.connection():
        (found,) = throttle.blocked(clock.now())
    assert (found.scope, found.failures) == (f"account:{anna.id}:ip:192.0.2.1", 5)
    assert found.until == clock.now() + timedelta(seconds=1)
    assert throttle.clear(found.scope)
    assert not throttle.clear(found.scope)
    assert wait_s(clock, anna.id) == 0


def test_names_that_do_not_exist_are_counted_without_being_kept(
    configured: Config, clock: StoppedClock
) -> None:
    for number in range(5):
        fail(clock, None, f"guess {number}")
    assert wait_s(clock, None) == 1
    assert wait_s(clock, None, name="another name") == 0
    assert not any("name of" in scope for scope in rows())


def test_nothing_in_the_rows_tells_the_secret(anna: Account, clock: StoppedClock) -> None:
    fail(clock, anna.id, "Summer2026", "an odd\ndevice id")
    with db.connection():
        stored = [(row.scope, row.last_secret) for row in LoginFailure.select()]
    assert all("odd" not in scope for scope, _ in stored)
    digests = {bytes(secret) for _, secret in stored if secret}
    assert digests and all(len(digest) == scopes.DIGEST_BYTES for digest in digests)


def test_processes_with_the_same_directory_know_a_secret_again(anna: Account, configured: Config) -> None:
    with db.connection():
        before = scopes.attempt(anna.id, "", "wrong", "", "").secret
        scopes.configure(configured.data_dir, configured.throttle)
        assert scopes.attempt(anna.id, "", "wrong", "", "").secret == before
    key = configured.data_dir / "keys" / "throttle.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700
