"""A database with one domain, one account, a clock that stands still, and cheap hashes."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance.accounts import accounts, login, passwords
from appliance.items.account import Account
from appliance.settings import Config, Passwords
from tests.fixtures.database import Place

PASSWORD = "correct horse battery"
CHEAP = Passwords(memory_kib=64, passes=1, lanes=1)


class StoppedClock:
    """Time that passes only when told."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, **delta: float) -> None:
        step = timedelta(**delta)
        self.moment += step
        self.seconds += step.total_seconds()


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock()


@pytest.fixture
def configured(database: Place) -> Iterator[Config]:
    """The accounts package, configured as a process would, on an empty database."""
    config = replace(Config(), data_dir=database.data_dir, passwords=CHEAP)
    login.configure(config)
    yield config
    login.configure(config)  # forgets what this test's credentials were
    passwords.configure(Passwords())


@pytest.fixture
def anna(configured: Config) -> Account:
    accounts.add_domain("example.com")
    return accounts.create("anna@example.com", PASSWORD, display_name="Anna")


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The passwords whose hash was computed for a comparison, in order."""
    seen: list[str] = []
    original = passwords._verify

    def counting(password_hash: str | None, password: str) -> passwords.Verdict:
        seen.append(password)
        return original(password_hash, password)

    monkeypatch.setattr(passwords, "_verify", counting)
    return seen
