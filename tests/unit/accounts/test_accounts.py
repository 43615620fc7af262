"""Accounts, aliases, domains: what may be made, who is told, and that nothing is left behind."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import peewee
import pytest

from appliance import bus, db
from appliance.accounts import accounts, passwords, removal, scopes, throttle
from appliance.db.tables import (
    ALL_TABLES,
    Blob,
    Device,
    Folder,
    Item,
    LoginFailure,
    SentClientId,
    SyncState,
)
from appliance.db.tables import (
    Account as Row,
)
from appliance.delivery import arrival
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.folder import SPECIAL_FOLDERS
from appliance.items.message import Arrival
from appliance.settings import Config
from appliance.store import folders, messages
from tests.unit.accounts.conftest import PASSWORD


def by_address(address: str) -> Account | None:
    with db.connection():
        return accounts.by_address(address)


def test_a_new_account_has_its_address_and_folders(anna: Account) -> None:
    assert (anna.address, anna.display_name, anna.is_enabled, anna.is_admin) == (
        "anna@example.com",
        "Anna",
        True,
        False,
    )
    with db.connection():
        assert [folder.name for folder in folders.list_folders(anna.id)] == [
            name for name, _ in SPECIAL_FOLDERS
        ]
        assert accounts.get(anna.id) == anna
        assert accounts.list_accounts() == [anna]
        assert accounts.aliases(anna.id) == []


def test_an_unknown_domain_is_refused_with_the_command_that_helps(configured: Config) -> None:
    with pytest.raises(InvalidInput, match=r"appliance domain add other\.example"):
        accounts.create("bob@other.example", PASSWORD)


@pytest.mark.parametrize("taken", ["anna@example.com", "ANNA@Example.Com", '"anna"@example.com'])
def test_an_address_is_given_once(anna: Account, taken: str) -> None:
    with pytest.raises(Conflict, match="taken"):
        accounts.create(taken, PASSWORD)
    with pytest.raises(Conflict, match="taken"):
        accounts.add_alias(anna.id, taken)


def test_a_refused_account_leaves_nothing(configured: Config) -> None:
    accounts.add_domain("example.com")
    for address, password, name in (
        ("bob@example.com", "short", ""),
        ("bob@example.com", PASSWORD, "Bob\r\nBcc: x@example.net"),
        ("bob+x@example.com", PASSWORD, ""),
    ):
        with pytest.raises(InvalidInput):
            accounts.create(address, password, display_name=name)
    assert by_address("bob@example.com") is None


def test_two_at_once_cannot_both_have_the_address(configured: Config) -> None:
    accounts.add_domain("example.com")
    outcomes: list[str] = []

    def make() -> None:
        try:
            accounts.create("bob@example.com", PASSWORD)
            outcomes.append("made")
        except Conflict:
            outcomes.append("taken")

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "taken", "taken", "taken"]


def test_aliases_and_subaddresses_lead_to_the_account(anna: Account) -> None:
    assert accounts.add_alias(anna.id, "Info@Example.com") == "info@example.com"
    for address in ("info@example.com", "INFO@example.com", "info+shop@example.com", "anna+x+y@example.com"):
        assert by_address(address) == anna
    for address in ("nobody@example.com", "nobody+anna@example.com", "not an address", "", "a\0@example.com"):
        assert by_address(address) is None
    with db.connection():
        assert accounts.aliases(anna.id) == ["info@example.com"]
        assert accounts.credential("info+shop@example.com") is None  # mail only, not for signing in


def test_an_alias_can_be_removed_but_not_the_account_s_own_address(anna: Account) -> None:
    accounts.add_alias(anna.id, "info@example.com")
    bob = accounts.create("bob@example.com", PASSWORD)
    with pytest.raises(NotFound):
        accounts.remove_alias(bob.id, "info@example.com")
    with pytest.raises(Conflict):
        accounts.remove_alias(anna.id, "anna@example.com")
    accounts.remove_alias(anna.id, "INFO@example.com")
    assert by_address("info@example.com") is None
    with pytest.raises(InvalidInput, match="domain add"):
        accounts.add_alias(anna.id, "anna@elsewhere.example")
    with pytest.raises(NotFound):
        accounts.add_alias(anna.id + 1000, "x@example.com")


def test_a_disabled_account_is_found_and_says_so(anna: Account) -> None:
    accounts.set_enabled(anna.id, False)
    found = by_address("anna@example.com")
    assert found is not None and not found.is_enabled


def test_credential_changes_are_announced_after_the_commit(anna: Account) -> None:
    with bus.watch([bus.CREDENTIALS]) as watcher:
        accounts.set_password(anna.id, "another horse")
        assert watcher.wait(1) == {(bus.CREDENTIALS, str(anna.id))}
        accounts.set_enabled(anna.id, False)
        assert watcher.wait(1) == {(bus.CREDENTIALS, str(anna.id))}
    with db.connection():
        assert accounts.get(anna.id).credential_version == anna.credential_version + 1


def test_a_renewed_hash_does_not_undo_a_new_password(anna: Account) -> None:
    with db.connection():
        before = accounts.credential(anna.address)
    assert before is not None
    accounts.set_password(anna.id, "another horse")
    accounts.renew_hash(anna.id, before.password_hash, "hash of the old password")
    with db.connection():
        after = accounts.credential(anna.address)
    assert after is not None and passwords.verify(after.password_hash, "another horse").is_right


def test_changes_of_nobody_are_not_found(configured: Config) -> None:
    changes: tuple[Callable[[], None], ...] = (
        lambda: accounts.set_password(99, PASSWORD),
        lambda: accounts.set_enabled(99, True),
        lambda: accounts.set_admin(99, True),
        lambda: accounts.set_quota(99, 1),
        lambda: accounts.set_display_name(99, "x"),
        lambda: accounts.delete(99),
    )
    for change in changes:
        with pytest.raises(NotFound):
            change()


def test_domains_are_kept_once_in_one_form(configured: Config) -> None:
    assert accounts.add_domain("Bücher.Example") == "xn--bcher-kva.example"
    accounts.add_domain("example.com")
    with pytest.raises(Conflict):
        accounts.add_domain("BÜCHER.example")
    with db.connection():
        assert accounts.list_domains() == ["xn--bcher-kva.example", "example.com"]
        assert accounts.list_domains(limit=1) == ["xn--bcher-kva.example"]
        assert accounts.is_local_domain("bücher.EXAMPLE")
        assert not accounts.is_local_domain("sub.example.com")
        assert not accounts.is_local_domain("not a domain")


def test_deleting_an_account_leaves_no_row_of_it_and_others_alone(
    anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "ITEMS_AT_ONCE", 3)
    bob = accounts.create("bob@example.com", PASSWORD)
    shared = _arrival(b"for both")
    for owner in (anna, bob):
        _fill(owner, shared)
    before = _rows_of(bob.id)
    accounts.delete(anna.id)
    assert not any(_rows_of(anna.id).values())
    assert _rows_of(bob.id) == before
    with db.connection():
        digests = {bytes(row[0]) for row in Blob.select(Blob.digest).tuples()}
        used = {bytes(row[0]) for row in Item.select(Item.blob).tuples()}
        assert digests == used  # nobody's blobs are gone, the shared one is not
    with pytest.raises(NotFound):
        accounts.delete(anna.id)
    assert accounts.create("anna@example.com", PASSWORD).id is not None


def _fill(owner: Account, shared: Arrival) -> None:
    with db.connection():
        inbox = folders.list_folders(owner.id)[0]
    folders.create(owner.id, inbox.id, "below the inbox", 12)
    accounts.add_alias(owner.id, f"alias.{owner.address}")
    ids = [
        messages.file(owner.id, inbox.id, each)
        for each in (shared, *(_arrival(f"{owner.id} {number}".encode()) for number in range(7)))
    ]
    messages.delete(owner.id, ids[-1])
    _add_device(owner.id)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with db.connection():
        tried = scopes.attempt(owner.id, "", "wrong", "", "192.0.2.1")
    throttle.failed(tried, now)


@db.transaction
def _add_device(account_id: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    device = Device.create(account=account_id, device_id="ABC", first_seen_at=now, last_seen_at=now)
    key = {"generation": "g", "current": 1, "cursor": "", "revision": 1}
    SyncState.create(device=device.id, folder=1, updated_at=now, **key)
    SentClientId.create(device=device.id, client_id="c", created_at=now)


def _arrival(body: bytes) -> Arrival:
    return arrival.prepare(b"Subject: x\r\n\r\n" + body)


def _rows_of(account_id: int) -> dict[str, int]:
    """Count what belongs to an account in every table that leads to Account by foreign keys."""
    counts: dict[str, int] = {}
    with db.connection():
        for table in ALL_TABLES:
            for key in table._meta.refs:
                if key.rel_model is Row:
                    counts[f"{table.__name__}.{key.name}"] = table.select().where(key == account_id).count()
                elif key.rel_model in (Device, Folder) and key.rel_model is not table:
                    owned = key.rel_model.select().where(key.rel_model.account == account_id)
                    counts[f"{table.__name__}.{key.name}"] = table.select().where(key.in_(owned)).count()
        scopes = peewee.fn.COUNT(peewee.SQL("*"))
        counts["LoginFailure"] = next(
            iter(
                LoginFailure.select(scopes)
                .where(LoginFailure.scope.startswith(f"account:{account_id}:"))
                .tuples()
            )
        )[0]
    return counts
