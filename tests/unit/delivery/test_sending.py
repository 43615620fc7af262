"""How much an account may send: an office never notices, a stolen password does at once."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from appliance import db
from appliance.accounts import accounts, groups
from appliance.accounts.login import AccountDisabled
from appliance.db.tables import SendingCount
from appliance.delivery import sending, submission
from appliance.delivery.sending import SendingLimit
from appliance.errors import NotFound
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.queue import entries
from appliance.settings import Sending
from tests.unit.store.mailbox import (
    DOMAIN,
    HOSTNAME,
    NOW,
    account,
    blob_count,
    file,
    listing,
    special,
    subjects,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    before = sending.configure(Sending(3, 10, 20, 4))
    yield
    sending.configure(before)


def send(who: Account, *to: str, at: datetime = NOW, subject: str = "Plan") -> None:
    raw = f"From: {who.address}\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n\r\nx\r\n".encode()
    submission.submit(who, raw, hostname=HOSTNAME, now=at, save_in_sent=True)


def many(count: int, start: int = 0) -> list[str]:
    return [f"p{number}@example.net" for number in range(start, start + count)]


def queue_length() -> int:
    with db.connection():
        return len(entries.list_entries())


def test_messages_in_an_hour(anna: Account, ben: Account) -> None:
    for number in range(3):
        send(anna, ben.address, at=NOW + number * MINUTE)
    with pytest.raises(SendingLimit, match="3 messages") as caught:
        send(anna, ben.address, at=NOW + 10 * MINUTE)
    assert (caught.value.limit, len(subjects(ben.id))) == ("messages_hour", 3)
    send(ben, anna.address, at=NOW + 10 * MINUTE)  # the others may go on
    send(anna, ben.address, at=NOW + 70 * MINUTE)


def test_recipients_in_an_hour_and_in_a_day(anna: Account) -> None:
    sending.configure(Sending(0, 10, 20, 0))
    send(anna, *many(8))
    with pytest.raises(SendingLimit, match="10 recipients in an hour"):
        send(anna, *many(3), at=NOW + MINUTE)
    send(anna, *many(8), at=NOW + 90 * MINUTE)
    with pytest.raises(SendingLimit, match="20 recipients in a day"):
        send(anna, *many(5), at=NOW + 300 * MINUTE)
    send(anna, *many(5), at=NOW + timedelta(hours=25))


def test_what_is_refused_leaves_nothing_and_counts_nothing(anna: Account) -> None:
    before = blob_count()
    for _ in range(3):
        with pytest.raises(SendingLimit):
            send(anna, *many(11))
    assert (queue_length(), blob_count(), subjects(anna.id, FolderType.SENT)) == (0, before, [])
    with db.connection():
        assert not SendingCount.select().exists()
    send(anna, *many(4))


def test_strangers_in_an_hour_look_like_a_stolen_password(anna: Account) -> None:
    bosses = [account(name, is_admin=True) for name in ("zoe", "adam")]
    sending.configure(Sending(0, 0, 0, 4))
    send(anna, *many(4))
    send(anna, *many(4), at=NOW + MINUTE)  # known by now
    for _ in range(2):
        with pytest.raises(SendingLimit, match="never written") as caught:
            send(anna, *many(1, start=50), at=NOW + 2 * MINUTE)
        assert caught.value.looks_stolen
    for boss in bosses:
        assert subjects(boss.id) == [f"{anna.address} may be in other hands"]
    with pytest.raises(SendingLimit):
        send(anna, *many(5, start=60), at=NOW + timedelta(hours=13))
    assert len(subjects(bosses[0].id)) == 2


def test_whom_the_account_wrote_to_years_ago_is_no_stranger(
    anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.accounts.correspondents.PAGE", 3)
    sent = special(anna.id, FolderType.SENT)
    for address in many(12):
        file(anna.id, sent, f"From: {anna.address}\r\nTo: {address}\r\n\r\nx\r\n".encode())
    sending.configure(Sending(0, 0, 0, 1))
    send(anna, *many(12))
    with pytest.raises(SendingLimit):
        send(anna, *many(2, start=20))


def test_colleagues_are_no_strangers(anna: Account, ben: Account) -> None:
    sending.configure(Sending(0, 0, 0, 1))
    send(anna, ben.address, account("carl").address, account("dora").address, "one@example.net")


def test_the_members_of_a_group_are_nobody_s_strangers(anna: Account) -> None:
    sending.configure(Sending(0, 2, 2, 1))
    groups.create(f"office@{DOMAIN}")
    groups.add_members(f"office@{DOMAIN}", many(30))
    for _ in range(2):
        send(anna, f"office@{DOMAIN}")
    assert queue_length() == 60
    with pytest.raises(SendingLimit):
        send(anna, f"office@{DOMAIN}")


def test_no_limit_at_all(anna: Account) -> None:
    sending.configure(Sending(0, 0, 0, 0))
    send(anna, *many(40))
    assert queue_length() == 40


def test_buckets_are_few(anna: Account, ben: Account) -> None:
    sending.configure(Sending(0, 0, 0, 0))
    for number in range(30):
        send(anna, ben.address, at=NOW + number * timedelta(seconds=7))
    with db.connection():
        assert SendingCount.select().count() == 1
    send(anna, ben.address, at=NOW + timedelta(days=2))
    with db.connection():
        assert SendingCount.select().count() == 1


def test_a_disabled_account_sends_nothing_however_it_got_in(anna: Account, ben: Account) -> None:
    accounts.set_enabled(anna.id, False)
    with pytest.raises(AccountDisabled):
        send(anna, ben.address)
    accounts.delete(anna.id)
    with pytest.raises(NotFound):
        send(anna, ben.address)
    assert listing(ben.id) == []


# --- the copy in Sent Items -----------------------------------------------------------------------


def test_one_copy_in_sent_whichever_way_it_went_out(anna: Account, ben: Account) -> None:
    sending.configure(Sending(0, 0, 0, 0))
    head = f"From: {anna.address}\r\nTo: {ben.address}\r\nMessage-ID: <1@x.test>\r\nSubject: Twice\r\n"
    raw = f"{head}\r\nx\r\n".encode()
    for at in (NOW, NOW + MINUTE):
        submission.submit(anna, raw, hostname=HOSTNAME, now=at, save_in_sent=True)
    assert (subjects(anna.id, FolderType.SENT), len(subjects(ben.id))) == (["Twice"], 2)
    other = raw.replace(b"<1@", b"<2@")
    submission.submit(anna, other, hostname=HOSTNAME, now=NOW, save_in_sent=True)
    submission.submit(anna, raw, hostname=HOSTNAME, now=NOW + timedelta(days=2), save_in_sent=True)
    assert len(subjects(anna.id, FolderType.SENT)) == 3
    submission.submit(ben, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)  # another's copy is another's
    assert len(subjects(ben.id, FolderType.SENT)) == 1
