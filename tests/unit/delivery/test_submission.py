"""Sending: Sent copy, local copies, queue, report and ClientId, all or nothing, once."""

from datetime import UTC, datetime

import gevent
import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Device, SentClientId
from appliance.delivery import submission
from appliance.delivery.submission import ClientRequest, Submitted
from appliance.errors import NotFound, QuotaExceeded, TemporaryFailure
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.mime.compose import NoRecipients
from appliance.queue import entries
from appliance.queue.entries import Entry
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import (
    DOMAIN,
    HOSTNAME,
    NOW,
    account,
    blob_count,
    listing,
    raw_of,
    special,
    subjects,
    used_bytes,
)


def letter(subject: str, *to: str, bcc: str = "") -> bytes:
    head = f"From: anna@{DOMAIN}\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n"
    head += f"Bcc: {bcc}\r\n" if bcc else ""
    return (head + "\r\nHello.\r\n").encode()


def submit(
    sender: Account,
    raw: bytes,
    *,
    save: bool = True,
    recipients: list[str] | None = None,
    request: ClientRequest | None = None,
) -> Submitted:
    return submission.submit(
        sender,
        raw,
        hostname=HOSTNAME,
        now=NOW,
        save_in_sent=save,
        recipients=recipients,
        request=request,
    )


@pytest.fixture
def phone(anna: Account) -> int:
    @db.transaction
    def make() -> int:
        now = datetime.now(UTC)
        return int(Device.create(account=anna.id, device_id="d1", first_seen_at=now, last_seen_at=now).id)

    return make()


def queued() -> list[Entry]:
    with db.connection():
        return entries.list_entries()


def test_everything_at_once(anna: Account, ben: Account) -> None:
    raw = letter("Plan", f"ben@{DOMAIN}", "carl@example.net", bcc="dora@example.org")
    outcome = submit(anna, raw)
    assert (outcome.local, outcome.remote, outcome.refused) == (1, 2, 0)
    assert subjects(ben.id) == subjects(anna.id, FolderType.SENT) == ["Plan"]
    assert [(e.forward_path, e.domain, e.reverse_path, e.account_id) for e in queued()] == [
        ("carl@example.net", "example.net", anna.address, anna.id),
        ("dora@example.org", "example.org", anna.address, anna.id),
    ]
    assert blob_count() == 1


def test_bcc_is_seen_by_the_sender_only(anna: Account, ben: Account) -> None:
    submit(anna, letter("Plan", "carl@example.net", bcc=f"ben@{DOMAIN}"))
    (sent,) = listing(anna.id, special(anna.id, FolderType.SENT))
    (arrived,) = listing(ben.id)
    assert f"ben@{DOMAIN}" in sent.bcc
    assert arrived.bcc == ""
    assert b"ben@" not in raw_of(anna.id, sent.id)
    assert (sent.is_read, arrived.is_read) == (True, False)


def test_without_a_copy_in_sent(anna: Account) -> None:
    submit(anna, letter("Plan", "carl@example.net"), save=False)
    assert listing(anna.id, special(anna.id, FolderType.SENT)) == []
    assert len(queued()) == 1


def test_to_oneself_is_one_in_sent_and_one_in_the_inbox(anna: Account) -> None:
    accounts.add_alias(anna.id, f"info@{DOMAIN}")
    submit(anna, letter("Note", anna.address, f"info@{DOMAIN}"))
    assert subjects(anna.id) == subjects(anna.id, FolderType.SENT) == ["Note"]


def test_one_entry_however_a_domain_is_spelled(anna: Account) -> None:
    submit(
        anna, letter("Plan", "x@y.z"), recipients=["carl@Example.NET", "carl@example.net", "Carl@example.net"]
    )
    assert len(queued()) == 2  # only the receiving system may ignore the case of a local part


def test_the_envelopes_recipients_count_not_the_headers(anna: Account, ben: Account) -> None:
    submit(anna, letter("List", f"ben@{DOMAIN}"), recipients=["carl@example.net"])
    assert listing(ben.id) == []
    assert [entry.forward_path for entry in queued()] == ["carl@example.net"]


def test_nobody_to_send_to(anna: Account) -> None:
    with pytest.raises(NoRecipients):
        submit(anna, b"Subject: x\r\n\r\n")
    assert blob_count() == 0


def test_addresses_nobody_has_are_reported_in_the_inbox(anna: Account, ben: Account) -> None:
    full = account("full", quota_bytes=10)
    outcome = submit(anna, letter("Plan", f"nobody@{DOMAIN}", full.address, ben.address, "carl@example.net"))
    assert (outcome.local, outcome.remote, outcome.refused) == (1, 1, 2)
    (report,) = listing(anna.id)
    text = raw_of(anna.id, report.id).decode()
    assert f"rfc822; nobody@{DOMAIN}" in text
    assert f"rfc822; full@{DOMAIN}" in text
    assert subjects(ben.id) == ["Plan"]


def test_only_addresses_nobody_has(anna: Account) -> None:
    outcome = submit(anna, letter("Plan", f"nobody@{DOMAIN}"))
    assert (outcome.local, outcome.remote, outcome.refused) == (0, 0, 1)
    assert len(listing(anna.id)) == 1
    assert subjects(anna.id, FolderType.SENT) == ["Plan"]


# --- once -----------------------------------------------------------------------------------------


def test_a_client_id_sends_once(anna: Account, phone: int) -> None:
    request = ClientRequest(phone, "abc")
    first = submit(anna, letter("Plan", "carl@example.net"), request=request)
    again = submit(anna, letter("Plan", "carl@example.net"), request=request)
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert len(queued()) == len(listing(anna.id, special(anna.id, FolderType.SENT))) == 1
    assert not submit(anna, letter("Next", "carl@example.net"), request=ClientRequest(phone, "def")).is_repeat
    with db.connection():
        assert submission.was_sent(request)
        assert not submission.was_sent(ClientRequest(phone + 1, "abc"))


def test_a_client_id_sends_once_also_when_asked_twice_at_once(anna: Account, phone: int) -> None:
    request = ClientRequest(phone, "abc")
    raw = letter("Plan", "carl@example.net", f"nobody@{DOMAIN}")
    greenlets = [gevent.spawn(submit, anna, raw, request=request) for _ in range(6)]
    outcomes = [greenlet.get(timeout=30) for greenlet in greenlets]
    assert sorted(outcome.is_repeat for outcome in outcomes) == [False, *[True] * 5]
    assert len(queued()) == len(listing(anna.id)) == 1


def test_a_report_about_a_full_mailbox_does_not_use_the_client_id_up(anna: Account, phone: int) -> None:
    """The transaction that met the full mailbox was undone: the second one must not look like a repeat."""
    account("full", quota_bytes=10)
    outcome = submit(anna, letter("Plan", f"full@{DOMAIN}"), request=ClientRequest(phone, "abc"))
    assert (outcome.is_repeat, outcome.refused) == (False, 1)
    assert len(listing(anna.id)) == 1


@pytest.mark.parametrize("where", ["sent", "queue", "local"])
def test_all_or_nothing(
    anna: Account, ben: Account, phone: int, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    request = ClientRequest(phone, "abc")
    raw = letter("Plan", ben.address, "carl@example.net")

    def fails(*_: object, **__: object) -> None:
        raise TemporaryFailure("the disk said no")

    owner, name = {
        "sent": (submission, "_save_in_sent"),
        "queue": (entries, "add"),
        "local": (submission.placing, "place"),
    }[where]
    with monkeypatch.context() as broken:
        broken.setattr(owner, name, fails)
        with pytest.raises(TemporaryFailure):
            submit(anna, raw, request=request)
    with db.connection():
        assert not SentClientId.select().exists()
    assert (queued(), listing(ben.id), blob_count()) == ([], [], 0)
    assert not submit(anna, raw, request=request).is_repeat


# --- full and gone --------------------------------------------------------------------------------


def test_no_room_for_the_copy_means_not_sent(store: Place) -> None:
    small = account("small", quota_bytes=50)
    with pytest.raises(QuotaExceeded):
        submit(small, letter("Plan", "carl@example.net"))
    assert (queued(), used_bytes(small.id), blob_count()) == ([], 0, 0)


def test_an_account_that_is_gone_sends_nothing(anna: Account, ben: Account) -> None:
    accounts.delete(anna.id)
    with pytest.raises(NotFound):
        submit(anna, letter("Plan", ben.address, "carl@example.net"), save=False)
    assert (queued(), listing(ben.id)) == ([], [])


def test_mail_on_its_way_outlives_its_account(anna: Account) -> None:
    submit(anna, letter("Plan", "carl@example.net"))
    accounts.delete(anna.id)
    (entry,) = queued()
    assert entry.account_id is None
    with db.connection():
        assert b"Subject: Plan" in blobs.read(entry.digest)
