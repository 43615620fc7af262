"""A phone that keeps trying last month's password: its owner is told, and nobody can be pestered by it."""

import pytest

from appliance import db
from appliance.accounts import accounts, login, old_password
from appliance.accounts.login import WrongCredentials
from appliance.devices import devices, notices
from appliance.devices.devices import Contact
from appliance.errors import TemporaryFailure
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.settings import Config
from appliance.store import blobs, folders, messages
from tests.unit.accounts.conftest import PASSWORD, StoppedClock

PHONE = "abc123"


@pytest.fixture
def owner(anna: Account, configured: Config, clock: StoppedClock) -> Account:
    """Anna, whose phone is known, and who has just changed her password."""
    blobs.configure(configured.data_dir)
    with db.connection():
        contact = Contact(PHONE, "iPhone", "Apple-iPhone15C4/2301", "16.1")
        devices.meet(anna.id, contact, clock.now(), devices_max=10)
    accounts.set_password(anna.id, "another long password")
    return anna


def sign_in(clock: StoppedClock, password: str = PASSWORD, device_id: str = PHONE) -> None:
    where = {"device_id": device_id, "remote_ip": "192.0.2.1"}
    with pytest.raises(WrongCredentials):
        login.login("anna@example.com", password, protocol="eas", clock=clock, **where)


def subjects(account: Account) -> list[str]:
    with db.connection():
        inbox = folders.special(account.id, FolderType.INBOX).id
        return [found.subject for found in messages.list_page(account.id, inbox)]


def test_its_owner_is_told_once_a_day(owner: Account, clock: StoppedClock) -> None:
    for _ in range(12):
        sign_in(clock)
        clock.advance(minutes=11)
    assert subjects(owner) == ["A device uses an old password"]
    for _ in range(14):
        sign_in(clock)
        clock.advance(hours=2)
    assert len(subjects(owner)) == 2


def test_a_slip_of_the_finger_is_no_news(owner: Account, clock: StoppedClock) -> None:
    for number in range(3):
        sign_in(clock, f"slip {number}")
        clock.advance(minutes=11)
    login.login("anna@example.com", "another long password", protocol="eas", device_id=PHONE, clock=clock)
    assert subjects(owner) == []


def test_a_stranger_s_phone_makes_no_mail(owner: Account, clock: StoppedClock) -> None:
    for _ in range(5):
        sign_in(clock, device_id="unknown")
        sign_in(clock, device_id="")
        clock.advance(minutes=11)
    assert subjects(owner) == []


def test_a_full_disk_changes_nothing_about_the_refusal(
    owner: Account, clock: StoppedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise TemporaryFailure("full")

    monkeypatch.setattr(notices, "prepare", full)
    for _ in range(3):
        sign_in(clock)
        clock.advance(minutes=11)
    monkeypatch.undo()
    old_password.tell(owner.id, PHONE, clock.now())
    assert len(subjects(owner)) == 1
