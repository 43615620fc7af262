"""A device that deletes half a folder at once: done as asked, told to the administrators, and taken back."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Blob, DeletedItem, MassDeletion
from appliance.devices import mass_deletions
from appliance.errors import NotFound
from appliance.items.folder import FolderType
from appliance.items.message import Flag
from appliance.store import folders, messages
from appliance.wbxml.codepages import AirSync
from tests.unit.eas.world import Phone


@pytest.fixture
def phone(either_phone: Phone) -> Phone:
    return either_phone


@pytest.fixture
def inbox(phone: Phone) -> int:
    return phone.folder(FolderType.INBOX)


def fill(phone: Phone, folder_id: int, number: int) -> list[int]:
    made = [phone.server.file(phone.account, folder_id, str(each)) for each in range(number)]
    phone.prime(folder_id)
    return made


def delete(phone: Phone, folder_id: int, ids: list[int], *, as_moves: bool) -> None:
    commands = [AirSync.Delete(AirSync.ServerId(str(each))) for each in ids]
    told = phone.sync(folder_id, AirSync.DeletesAsMoves(int(as_moves)), commands=commands)
    assert told.status == 1 and not told.responses


def subjects(phone: Phone, folder_id: int) -> list[str]:
    return sorted(found.subject for found in phone.server.listed(phone.account, folder_id))


def rows(table) -> int:
    with db.connection():
        return int(table.select().count())


@pytest.mark.parametrize("as_moves", [True, False], ids=["moved", "for good"])
def test_what_was_deleted_by_the_dozen_comes_back(phone, inbox, as_moves):
    admin = accounts.create("olga@example.test", "a long enough password", is_admin=True)
    ids = fill(phone, inbox, 30)
    flag = Flag(status=2, flag_type="for Follow Up")
    messages.set_flag(phone.account.id, ids[3], flag)
    messages.set_categories(phone.account.id, ids[3], ("red",))
    messages.set_read(phone.account.id, ids[4], True)
    before = {found.subject: found for found in phone.server.listed(phone.account, inbox)}
    delete(phone, inbox, ids[:21], as_moves=as_moves)
    assert len(subjects(phone, inbox)) == 9
    phone.server.clock.step(timedelta(days=29))
    assert mass_deletions.forget(phone.server.clock.now()) == 0
    assert mass_deletions.restore(phone.account.id) == 21
    after = {found.subject: found for found in phone.server.listed(phone.account, inbox)}
    assert after.keys() == before.keys()
    for subject, found in after.items():
        for name in ("received_at", "is_read", "flag", "categories", "digest"):
            assert getattr(found, name) == getattr(before[subject], name)
    assert subjects(phone, phone.folder(FolderType.DELETED)) == []
    assert len(phone.sync(inbox, AirSync.WindowSize(512)).ids(AirSync.Add)) == 21
    (notice,) = phone.server.listed(admin, phone.server.folder(admin, FolderType.INBOX))
    assert notice.subject == f"Many messages of {phone.account.address} were deleted at once"
    with db.connection():
        assert f"appliance message restore {phone.account.address}" in messages.raw(notice).decode()
    with pytest.raises(NotFound):
        mass_deletions.restore(phone.account.id)
    assert (rows(MassDeletion), rows(DeletedItem)) == (0, 0)


@pytest.mark.parametrize(
    ("total", "deleted", "kept"), [(20, 20, 20), (80, 24, 24), (200, 60, 60), (30, 9, 0)]
)
def test_cleaning_up_is_no_news(phone, inbox, total, deleted, kept):
    admin = accounts.create("olga@example.test", "a long enough password", is_admin=True)
    ids = fill(phone, inbox, total)
    delete(phone, inbox, ids[:deleted], as_moves=False)
    assert phone.server.listed(admin, phone.server.folder(admin, FolderType.INBOX)) == []
    assert rows(DeletedItem) == kept
    with db.connection():
        assert not any(each.is_told for each in mass_deletions.list_deletions(phone.account.id))


def test_exchanges_that_follow_one_another_are_one_deletion(phone, inbox):
    """However a phone cuts it into pieces; what it deletes much later is another one."""
    admin = accounts.create("olga@example.test", "a long enough password", is_admin=True)
    ids = fill(phone, inbox, 100)
    for first in range(0, 60, 12):
        delete(phone, inbox, ids[first : first + 12], as_moves=False)
        phone.server.clock.step(timedelta(minutes=2))
    delete(phone, inbox, ids[60:62], as_moves=False)
    (notice,) = phone.server.listed(admin, phone.server.folder(admin, FolderType.INBOX))
    with db.connection():
        assert "deleted 36 of the 100 messages" in messages.raw(notice).decode()
    phone.server.clock.step(mass_deletions.GOES_ON_WITHIN)
    delete(phone, inbox, ids[62:74], as_moves=False)
    with db.connection():
        found = mass_deletions.list_deletions(phone.account.id)
    assert [(each.messages, each.is_told) for each in found] == [(12, False), (62, True)]
    assert mass_deletions.restore(phone.account.id) == 62, "the one that was told of, not the latest"
    assert mass_deletions.restore(phone.account.id) == 12


def test_ids_that_are_not_there_do_not_count(phone, inbox):
    ids = fill(phone, inbox, 25)
    commands = [AirSync.Delete(AirSync.ServerId(each)) for each in ["x", *map(str, range(900, 930))]]
    commands += [AirSync.Delete(AirSync.ServerId(str(each))) for each in ids[:9]]
    phone.sync(inbox, commands=commands)
    assert rows(MassDeletion) == 0


def test_emptying_the_bin_is_kept_but_no_news(phone, inbox):
    admin = accounts.create("olga@example.test", "a long enough password", is_admin=True)
    bin_id = phone.folder(FolderType.DELETED)
    delete(phone, bin_id, fill(phone, bin_id, 25), as_moves=True)
    assert subjects(phone, bin_id) == []
    assert phone.server.listed(admin, phone.server.folder(admin, FolderType.INBOX)) == []
    assert mass_deletions.restore(phone.account.id) == 25
    assert len(subjects(phone, bin_id)) == 25


def test_where_the_folder_is_gone_they_come_into_the_inbox(phone, inbox):
    made = folders.create(phone.account.id, 0, "Projects", FolderType.USER_MAIL).id
    delete(phone, made, fill(phone, made, 25), as_moves=False)
    messages.delete_folder(phone.account.id, made)
    assert mass_deletions.restore(phone.account.id) == 25
    assert len(subjects(phone, inbox)) == 25


def test_a_repeated_request_is_one_deletion(phone, inbox):
    ids = fill(phone, inbox, 25)
    key = phone.keys[inbox]
    for _ in range(2):
        phone.keys[inbox] = key
        delete(phone, inbox, ids, as_moves=False)
    assert (rows(MassDeletion), rows(DeletedItem)) == (1, 25)


def test_after_a_month_they_are_gone_with_their_bytes(phone, inbox):
    delete(phone, inbox, fill(phone, inbox, 25), as_moves=False)
    assert rows(Blob) == 25
    phone.server.clock.step(mass_deletions.KEPT + timedelta(seconds=1))
    while mass_deletions.forget(phone.server.clock.now()):
        pass
    assert (rows(MassDeletion), rows(DeletedItem), rows(Blob)) == (0, 0, 0)


def test_an_account_takes_its_deleted_ones_along(phone, inbox):
    delete(phone, inbox, fill(phone, inbox, 25), as_moves=False)
    accounts.delete(phone.account.id)
    assert (rows(MassDeletion), rows(DeletedItem), rows(Blob)) == (0, 0, 0)


def test_a_stranger_restores_nothing(phone, inbox):
    delete(phone, inbox, fill(phone, inbox, 25), as_moves=False)
    with db.connection():
        (deletion,) = mass_deletions.list_deletions(phone.account.id)
    other = phone.server.account("bert")
    with pytest.raises(NotFound):
        mass_deletions.restore(other.id, deletion.id)
