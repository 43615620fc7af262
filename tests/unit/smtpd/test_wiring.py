"""The real accounts, delivery and queue behind the protocols of the edge."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from appliance import bus, db
from appliance.accounts import accounts, forwards, login, rules
from appliance.accounts.login import WrongCredentials
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Item
from appliance.delivery import settle
from appliance.errors import TemporaryFailure
from appliance.items.account import Account
from appliance.items.envelope import Envelope
from appliance.items.folder import FolderType
from appliance.items.rule import Action, Deed
from appliance.mime.edit import ComposeError
from appliance.queue import entries
from appliance.queue.delivered_log import DeliveredLog
from appliance.queue.entries import Entry
from appliance.queue.holders import Holder
from appliance.settings import Config, Passwords
from appliance.store import blobs, folders
from smtpd.outcome import Delivered, Failed, Retry
from smtpd.outgoing import OutgoingQueue
from smtpd.services import RecipientVerdict
from smtpd.wiring import Mail
from tests.fixtures.database import Place

HOST, PASSWORD = "mail.example.com", "correct horse battery"
CHEAP = Passwords(memory_kib=64, passes=1, lanes=1)
LETTER = b"From: mia@example.com\r\nTo: x@example.net\r\nSubject: hi\r\n\r\nhi\r\n"
LEASE_S = 900


@pytest.fixture
def configured(database: Place) -> Iterator[Place]:
    login.configure(replace(Config(), data_dir=database.data_dir, passwords=CHEAP))
    blobs.configure(database.data_dir)
    accounts.add_domain("example.com")
    before = bus.use(bus.LocalBus())
    yield database
    bus.use(before)
    login.configure(replace(Config(), data_dir=database.data_dir))  # forgets these credentials


@pytest.fixture
def mia(configured: Place) -> Account:
    return accounts.create("mia@example.com", PASSWORD, is_admin=True)


@pytest.fixture
def mail(configured: Place) -> Mail:
    return Mail(SYSTEM_CLOCK, lambda: HOST)


@pytest.fixture
def queue(configured: Place) -> Iterator[OutgoingQueue]:
    holder = Holder(configured.data_dir / "run")
    yield OutgoingQueue(SYSTEM_CLOCK, lambda: HOST, holder, DeliveredLog(configured.data_dir))
    holder.close()


def envelope(account: Account | None, *forward_paths: str) -> Envelope:
    return Envelope(
        reverse_path="ada@example.net" if account is None else account.address,
        forward_paths=forward_paths,
        received_at=datetime.now(UTC),
        account_id=None if account is None else account.id,
    )


def held(account: Account, type_: FolderType) -> list[bytes]:
    """Return what lies in a folder, oldest first."""
    with db.connection():
        folder = folders.special(account.id, type_)
        rows = Item.select(Item.blob).where(Item.folder == folder.id).order_by(Item.id).tuples()
        return [blobs.read(bytes(row[0])) for row in rows]


def waiting() -> list[tuple[str, int]]:
    """Return who is waited for in the queue, and the attempts so far."""
    with db.connection():
        return [(entry.forward_path, entry.attempts) for entry in entries.list_entries()]


@pytest.mark.parametrize(
    ("forward_path", "verdict"),
    [
        ("mia@example.com", RecipientVerdict.LOCAL),
        ("MIA@Example.COM", RecipientVerdict.LOCAL),
        ("sales@example.com", RecipientVerdict.LOCAL),
        ("postmaster", RecipientVerdict.LOCAL),
        ("PostMaster@example.com", RecipientVerdict.LOCAL),
        ("x@example.net", RecipientVerdict.REMOTE),
        ("nobody@example.com", RecipientVerdict.UNKNOWN_USER),
        ("off@example.com", RecipientVerdict.REJECTED),
        ("not an address", RecipientVerdict.REJECTED),
    ],
)
def test_what_a_recipient_is_to_us(
    mail: Mail, mia: Account, forward_path: str, verdict: RecipientVerdict
) -> None:
    accounts.add_alias(mia.id, "sales@example.com")
    accounts.set_enabled(accounts.create("off@example.com", PASSWORD).id, False)
    assert mail.recipient(forward_path) is verdict


def test_no_room_is_said_to_strangers_at_once(mail: Mail, mia: Account) -> None:
    """Without a declared size only a mailbox that is full already is refused."""
    ben = accounts.create("ben@example.com", PASSWORD, quota_bytes=2_000)
    accounts.add_alias(ben.id, "sales@example.com")
    sizes = ((0, RecipientVerdict.LOCAL), (2_000, RecipientVerdict.LOCAL), (2_001, RecipientVerdict.FULL))
    for size, verdict in sizes:
        assert mail.recipient("ben@example.com", "ada@example.net", size=size) is verdict
    mail.accept(envelope(None, "ben@example.com"), LETTER)
    with db.connection():
        accounts.set_quota(ben.id, accounts.get(ben.id).used_bytes)
    for path in ("ben@example.com", "sales@example.com", "ben+x@example.com"):
        assert mail.recipient(path, "ada@example.net") is RecipientVerdict.FULL
        assert mail.recipient(path, "", mia) is RecipientVerdict.LOCAL, "a user's report is no backscatter"
    accounts.set_quota(ben.id, 0)
    assert mail.recipient("ben@example.com", size=10**9) is RecipientVerdict.LOCAL


def test_who_may_keep_nothing_needs_no_room(mail: Mail, mia: Account) -> None:
    accounts.set_quota(mia.id, 10)
    assert mail.recipient("mia@example.com", size=100) is RecipientVerdict.FULL
    assert mail.recipient("postmaster", size=100) is RecipientVerdict.FULL
    assert mail.recipient("dmarc-reports@example.com", size=100) is RecipientVerdict.LOCAL
    forwards.put(mia.id, "mia@example.net", keeps_copy=True)
    assert mail.recipient("mia@example.com", size=100) is RecipientVerdict.FULL
    forwards.put(mia.id, "mia@example.net", keeps_copy=False)
    assert mail.recipient("mia@example.com", size=100) is RecipientVerdict.LOCAL
    forwards.remove(mia.id)
    rules.add(mia.id, [], [Action(Deed.DISCARD)])
    assert mail.recipient("mia@example.com", size=100) is RecipientVerdict.LOCAL


def test_a_database_that_is_busy_is_no_verdict(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object) -> None:
        raise TemporaryFailure("the database is busy")

    monkeypatch.setattr("smtpd.wiring.posting.judge", busy)
    assert mail.recipient("mia@example.com") is RecipientVerdict.UNAVAILABLE


def test_signing_in(mail: Mail, mia: Account) -> None:
    assert mail.authenticate("mia@example.com", PASSWORD, "192.0.2.1").id == mia.id
    with pytest.raises(WrongCredentials):
        mail.authenticate("mia@example.com", "guess", "192.0.2.1")


@pytest.mark.parametrize(
    ("reverse_path", "may"),
    [
        ("", True),
        ("mia@example.com", True),
        ("Mia@EXAMPLE.com", True),
        ("sales@example.com", True),
        ("ben@example.com", False),
        ("mia@example.net", False),
        ("not an address", False),
    ],
)
def test_whose_name_an_account_may_use(mail: Mail, mia: Account, reverse_path: str, may: bool) -> None:
    accounts.add_alias(mia.id, "sales@example.com")
    accounts.create("ben@example.com", PASSWORD)
    assert mail.may_send_as(mia, reverse_path) is may


def test_mail_from_outside_is_filed(mail: Mail, mia: Account) -> None:
    assert mail.accept(envelope(None, "mia@example.com"), LETTER)
    assert held(mia, FolderType.INBOX) == [b"Return-Path: <ada@example.net>\r\n" + LETTER]
    assert held(mia, FolderType.SENT) == []


def test_a_users_mail_is_filed_queued_and_kept(mail: Mail, mia: Account) -> None:
    ben = accounts.create("ben@example.com", PASSWORD)
    assert mail.accept(envelope(mia, "ben@example.com", "x@example.net"), LETTER)
    assert len(held(mia, FolderType.SENT)) == 1
    assert held(ben, FolderType.INBOX) == held(mia, FolderType.SENT)
    assert held(mia, FolderType.INBOX) == []
    assert waiting() == [("x@example.net", 0)]


def test_a_users_message_that_is_none_is_refused(
    mail: Mail, mia: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply to ComposeError is the edge's own (`replies.FOR_ERROR`): it must get there."""

    def unfit(*_: object, **__: object) -> None:
        raise ComposeError("no header that could be mended")

    monkeypatch.setattr("appliance.delivery.submission.prepare_submission", unfit)
    with pytest.raises(ComposeError):
        mail.accept(envelope(mia, "x@example.net"), b"")
    assert waiting() == []


def test_the_queue_claims_loads_and_settles(mail: Mail, mia: Account, queue: OutgoingQueue) -> None:
    assert queue.next_due() is None
    mail.accept(envelope(mia, "a@example.net", "b@example.net", "c@example.net"), LETTER)
    due = queue.next_due()
    assert due is not None
    assert due <= datetime.now(UTC)
    claimed = {entry.forward_path: entry for entry in queue.claim(10, LEASE_S, ())}
    assert sorted(claimed) == ["a@example.net", "b@example.net", "c@example.net"]
    assert queue.claim(10, LEASE_S, ()) == [], "claimed twice"
    assert b"".join(queue.load(claimed["a@example.net"]).pieces()) == held(mia, FolderType.SENT)[0]
    queue.record(claimed["a@example.net"], Delivered("250 OK", "mx.example.net"))
    queue.record(claimed["b@example.net"], Retry("451 4.7.1 later", "mx.example.net"))
    assert waiting() == [("b@example.net", 1), ("c@example.net", 0)]
    assert held(mia, FolderType.INBOX) == []
    queue.record(claimed["c@example.net"], Failed("550 5.1.1 gone", "mx.example.net"))
    assert waiting() == [("b@example.net", 1)]
    (report,) = held(mia, FolderType.INBOX)
    for words in (
        b"c@example.net",
        b"Status: 5.1.1",
        b"550 5.1.1 gone",
        f"Reporting-MTA: dns; {HOST}".encode(),
    ):
        assert words in report
    again = queue.next_due()
    assert again is not None
    assert again > datetime.now(UTC) + timedelta(seconds=30)


class Hand:
    """A clock turned by hand."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return SYSTEM_CLOCK.monotonic()


TAKEN = Delivered("250 OK", "mx.example.net")


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def runners(configured: Place, mail: Mail, mia: Account, hand: Hand) -> Iterator[list[OutgoingQueue]]:
    """Two processes beside each other."""
    holders = [Holder(configured.data_dir / "run") for _ in range(2)]
    log = DeliveredLog(configured.data_dir)
    yield [OutgoingQueue(hand, lambda: HOST, holder, log) for holder in holders]
    for holder in holders:
        holder.close()


def delivered_unrecorded(mail: Mail, mia: Account, hand: Hand, queue: OutgoingQueue) -> Entry:
    """Return an entry a server has taken; storing that took longer than its lease."""
    mail.accept(envelope(mia, "a@example.net"), LETTER)
    hand.moment = datetime.now(UTC)
    (entry,) = queue.claim(10, LEASE_S, ())
    queue.note(entry, TAKEN)
    hand.moment += timedelta(seconds=LEASE_S + 1)
    return entry


@pytest.mark.parametrize("disk", ["fine", "full"])
def test_what_was_delivered_and_not_recorded_is_not_claimed_again(
    mail: Mail,
    mia: Account,
    hand: Hand,
    runners: list[OutgoingQueue],
    disk: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queue = runners[0]
    if disk == "full":
        monkeypatch.setattr(DeliveredLog, "note", refuse(OSError("no space left")))
    entry = delivered_unrecorded(mail, mia, hand, queue)
    mail.accept(envelope(mia, "b@example.net"), LETTER)
    assert [each.forward_path for each in queue.claim(10, LEASE_S, ())] == ["b@example.net"]
    queue.record(entry, TAKEN)  # late: the lease is another one
    assert waiting() == [("b@example.net", 0)]
    hand.moment += timedelta(seconds=LEASE_S + 1)
    assert [each.forward_path for each in queue.claim(10, LEASE_S, ())] == ["b@example.net"]


def test_nor_by_another_process_of_this_machine(
    mail: Mail, mia: Account, hand: Hand, runners: list[OutgoingQueue]
) -> None:
    entry = delivered_unrecorded(mail, mia, hand, runners[0])
    assert runners[1].claim(10, LEASE_S, ()) == []
    assert waiting() == []
    runners[0].record(entry, TAKEN)


def test_one_that_cannot_be_taken_out_hinders_no_other(
    mail: Mail, mia: Account, hand: Hand, runners: list[OutgoingQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    delivered_unrecorded(mail, mia, hand, runners[0])
    mail.accept(envelope(mia, "b@example.net"), LETTER)
    with monkeypatch.context() as broken:
        broken.setattr(settle, "known_delivered", refuse(TemporaryFailure("busy")))
        assert [each.forward_path for each in runners[1].claim(10, LEASE_S, ())] == ["b@example.net"]
    hand.moment += timedelta(seconds=LEASE_S + 1)
    assert [each.forward_path for each in runners[1].claim(10, LEASE_S, ())] == ["b@example.net"]
    assert waiting() == [("b@example.net", 0)]


def test_what_was_held_and_not_delivered_is_claimed_again(
    mail: Mail, mia: Account, hand: Hand, runners: list[OutgoingQueue]
) -> None:
    mail.accept(envelope(mia, "a@example.net"), LETTER)
    hand.moment = datetime.now(UTC)
    assert [each.was_held for each in runners[0].claim(10, LEASE_S, ())] == [False]
    hand.moment += timedelta(seconds=LEASE_S + 1)
    assert [each.was_held for each in runners[0].claim(10, LEASE_S, ())] == [True]


def refuse(error: Exception) -> Callable[..., None]:
    def refusing(*_: object, **__: object) -> None:
        raise error

    return refusing


def test_the_queue_is_woken_by_new_mail(mail: Mail, mia: Account, queue: OutgoingQueue) -> None:
    started = SYSTEM_CLOCK.monotonic()
    queue.wait(0.05)
    assert SYSTEM_CLOCK.monotonic() - started >= 0.04, "woken by nothing"
    mail.accept(envelope(mia, "x@example.net"), LETTER)
    started = SYSTEM_CLOCK.monotonic()
    queue.wait(20)
    assert SYSTEM_CLOCK.monotonic() - started < 10, "the hint did not come"
