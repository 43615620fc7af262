"""Access tokens: what they open, for how long, and that nothing of them is kept."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance import db
from appliance.accounts import accounts, login, tokens
from appliance.accounts.login import AccountDisabled, WrongCredentials
from appliance.accounts.throttle import Throttled
from appliance.accounts.tokens import Issued, Scope
from appliance.db.tables import AccessToken
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.account import Account
from tests.unit.accounts.conftest import PASSWORD, StoppedClock

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def issue(account: Account, *scopes: Scope, days: int = 1) -> Issued:
    return tokens.issue(account.id, scopes or [Scope.SMTP], lifetime=days * DAY, label="printer", now=NOW)


def enter(text: str, scope: Scope = Scope.SMTP, username: str = "", at: datetime = NOW) -> Account:
    clock = StoppedClock()
    clock.moment = at
    return login.login_with_token(
        text, scope=scope, protocol="smtp", username=username, remote_ip="192.0.2.7", clock=clock
    )


def test_a_token_opens_its_account(anna: Account) -> None:
    accounts.add_alias(anna.id, "info@example.com")
    text = issue(anna).text
    for username in ("", "Anna@Example.com", "info@example.com", "anna+x@example.com"):
        assert enter(text, username=username).id == anna.id
    with db.connection():
        (token,) = tokens.list_of(anna.id)
    assert (token.label, token.scopes, token.last_used_at) == ("printer", (Scope.SMTP,), NOW)


def test_what_it_does_not_open(anna: Account) -> None:
    accounts.create("ben@example.com", PASSWORD)
    text = issue(anna).text
    for attempt in (
        lambda: enter(text[:-1] + ("A" if text[-1] != "A" else "B")),
        lambda: enter(text, Scope.EAS),
        lambda: enter(text, username="ben@example.com"),
        lambda: enter(text, username="nobody"),
        lambda: enter(text, at=NOW + DAY),
        lambda: enter(""),
        lambda: enter("at_" + "x" * 10_000),
        lambda: enter(PASSWORD, username="anna@example.com"),
    ):
        with pytest.raises(WrongCredentials):
            attempt()
    assert enter(text, at=NOW + DAY - timedelta(seconds=1)).id == anna.id


def test_it_is_void_with_the_password_and_with_the_account(anna: Account) -> None:
    text = issue(anna).text
    accounts.set_enabled(anna.id, False)
    with pytest.raises(AccountDisabled):
        enter(text)
    accounts.set_enabled(anna.id, True)
    assert enter(text).id == anna.id
    accounts.set_password(anna.id, "another good password")
    with pytest.raises(WrongCredentials):
        enter(text)
    accounts.delete(anna.id)
    with db.connection():
        assert not AccessToken.select().exists()


def test_it_can_be_revoked(anna: Account) -> None:
    ben = accounts.create("ben@example.com", PASSWORD)
    first, second = issue(anna), issue(anna)
    with pytest.raises(NotFound):
        tokens.revoke(ben.id, first.token.id)
    tokens.revoke(anna.id, first.token.id)
    with pytest.raises(WrongCredentials):
        enter(first.text)
    assert enter(second.text).id == anna.id
    assert tokens.revoke_all(anna.id) == 1
    with pytest.raises(WrongCredentials):
        enter(second.text)


def test_guessing_has_to_wait(anna: Account) -> None:
    text = issue(anna).text
    with pytest.raises(Throttled):
        for number in range(50):
            with pytest.raises(WrongCredentials):
                enter(f"at_{number:043}", username=anna.address)
    assert enter(text, username=anna.address).id == anna.id  # who has one does not wait for guessers


def test_the_words_are_not_kept(anna: Account) -> None:
    text = issue(anna).text
    with db.connection():
        (row,) = AccessToken.select().dicts()
    assert text not in repr(row) and text[3:] not in repr(row)
    assert len({issue(anna).text for _ in range(20)}) == 20


def test_what_may_be_issued(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    for scopes, lifetime, label in (
        ([], DAY, ""),
        ([Scope.SMTP], timedelta(0), ""),
        ([Scope.SMTP], 4000 * DAY, ""),
        ([Scope.SMTP], DAY, "a\r\nb"),
        ([Scope.SMTP], DAY, "x" * 101),
    ):
        with pytest.raises(InvalidInput):
            tokens.issue(anna.id, scopes, lifetime=lifetime, label=label, now=NOW)
    with pytest.raises(NotFound):
        tokens.issue(999, [Scope.SMTP], lifetime=DAY, now=NOW)
    monkeypatch.setattr(tokens, "TOKENS_MAX", 1)
    issue(anna)
    with pytest.raises(Conflict):
        issue(anna)
    tokens.issue(anna.id, [Scope.SMTP], lifetime=DAY, now=NOW + 2 * DAY)  # the expired one is gone
