"""What an accepted message becomes: one item for each local recipient, and a report for the rest."""

import logging
from dataclasses import replace

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import QueueEntry
from appliance.delivery import inbound, reports
from appliance.errors import PermanentFailure, QuotaExceeded, TemporaryFailure
from appliance.items.account import Account
from appliance.queue import entries
from appliance.queue.entries import Entry
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import (
    DOMAIN,
    HOSTNAME,
    NOW,
    OUTSIDE,
    account,
    blob_count,
    envelope,
    listing,
    mail,
    raw_of,
    subjects,
    used_bytes,
)


def deliver(*names: str, raw: bytes | None = None, sender: str = OUTSIDE) -> str:
    return inbound.deliver(envelope(*names, sender=sender), raw or mail(), hostname=HOSTNAME)


def queued() -> list[Entry]:
    with db.connection():
        return entries.list_entries()


def report_text(digest: bytes) -> str:
    with db.connection():
        return blobs.read(digest).decode()


def test_the_bytes_are_kept_exactly_below_the_return_path(anna: Account) -> None:
    raw = mail() + b"\0\x80\xff bare\nlines\rand no end"
    message_id = deliver("anna", raw=raw)
    (found,) = listing(anna.id)
    assert raw_of(anna.id, found.id) == b"Return-Path: <" + OUTSIDE.encode() + b">\r\n" + raw
    assert (found.received_at, found.is_read) == (NOW, False)
    assert message_id == found.digest.hex()[:16]


def test_the_null_reverse_path_is_written_down(anna: Account) -> None:
    deliver("anna", sender="")
    (found,) = listing(anna.id)
    assert raw_of(anna.id, found.id).startswith(b"Return-Path: <>\r\n")


def test_all_recipients_share_the_bytes(anna: Account, ben: Account) -> None:
    deliver("anna", "ben")
    assert len(listing(anna.id)) == len(listing(ben.id)) == blob_count() == 1


def test_however_an_account_is_addressed_it_gets_one_copy(anna: Account) -> None:
    accounts.add_alias(anna.id, f"info@{DOMAIN}")
    deliver("anna", "ANNA", "anna+lists", "info", f"anna@{DOMAIN.upper()}")
    assert len(listing(anna.id)) == 1


def test_a_full_mailbox_does_not_keep_the_others_from_it(anna: Account) -> None:
    full = account("full", quota_bytes=10)
    deliver("full", "anna", raw=mail("For two"))
    assert subjects(anna.id) == ["For two"]
    assert (listing(full.id), used_bytes(full.id)) == ([], 0)
    (entry,) = queued()
    assert (entry.reverse_path, entry.forward_path, entry.domain) == ("", OUTSIDE, "example.net")
    text = report_text(entry.digest)
    assert f"Final-Recipient: rfc822; full@{DOMAIN}" in text
    assert "Status: 5.2.2" in text
    assert f"anna@{DOMAIN}\r\n    " not in text


def test_several_who_cannot_take_it_are_in_one_report(anna: Account) -> None:
    account("full", quota_bytes=10)
    account("also", quota_bytes=10)
    deliver("full", "nobody", "also", "anna")
    (entry,) = queued()
    text = report_text(entry.digest)
    assert [text.count(f"Final-Recipient: rfc822; {name}@") for name in ("full", "also", "nobody")] == [
        1,
        1,
        1,
    ]
    assert text.count("Status: 5.1.1") == 1


def test_a_sender_in_doubt_hears_nothing(anna: Account) -> None:
    account("full", quota_bytes=10)
    doubtful = replace(envelope("full", "anna"), is_sender_doubtful=True)
    inbound.deliver(doubtful, mail("For two"), hostname=HOSTNAME)
    assert (subjects(anna.id), queued()) == (["For two"], [])


def test_all_full_is_refused_and_nothing_is_stored(store: Place) -> None:
    account("full", quota_bytes=10)
    with pytest.raises(QuotaExceeded):
        deliver("full")
    assert (queued(), blob_count()) == ([], 0)


def test_nobody_there_is_refused_for_good(anna: Account) -> None:
    accounts.set_enabled(anna.id, False)
    with pytest.raises(PermanentFailure):
        deliver("nobody", "anna", "not an address@")
    assert (queued(), blob_count()) == ([], 0)


def test_deleted_between_rcpt_and_delivery(
    anna: Account, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account goes after its route was found and before the transaction."""
    real = inbound._file
    gone: list[int] = []

    def after_deletion(*arguments: object) -> None:
        if not gone:
            gone.append(ben.id)
            accounts.delete(ben.id)
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(inbound, "_file", after_deletion)
    deliver("anna", "ben")
    assert len(listing(anna.id)) == 1
    (entry,) = queued()
    assert "Status: 5.1.1" in report_text(entry.digest)


# --- restraint ------------------------------------------------------------------------------------


def test_a_report_is_never_reported(anna: Account) -> None:
    account("full", quota_bytes=10)
    deliver("full", "anna", sender="")
    assert queued() == []
    assert len(listing(anna.id)) == 1


def test_a_local_sender_finds_the_report_in_the_inbox(anna: Account, ben: Account) -> None:
    account("full", quota_bytes=10)
    deliver("full", "anna", raw=mail("For two"), sender=ben.address)
    assert queued() == []
    (found,) = listing(ben.id)
    assert (found.message_class, found.subject) == ("REPORT.IPM.NOTE.NDR", "Message could not be delivered")


def test_a_sender_of_ours_whom_nobody_is_gets_none(anna: Account) -> None:
    account("full", quota_bytes=10)
    for sender in (f"nobody@{DOMAIN}", "no address"):
        deliver("full", "anna", sender=sender)
    assert queued() == []
    assert len(listing(anna.id)) == 2


def test_a_local_sender_who_is_deleted_meanwhile_gets_none(
    anna: Account, ben: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account("full", quota_bytes=10)
    real = inbound._file

    def after_deletion(*arguments: object) -> None:
        if arguments[3]:
            accounts.delete(ben.id)
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(inbound, "_file", after_deletion)
    deliver("full", "anna", sender=ben.address)
    assert len(listing(anna.id)) == 1
    with db.connection():
        assert not QueueEntry.select().exists()


def test_a_report_fits_into_a_full_mailbox(store: Place) -> None:
    """Its owner would never learn what became of the mail."""
    full = account("full", quota_bytes=10)
    report = reports.prepare(
        mail(),
        full.address,
        [reports.ReportedRecipient(OUTSIDE, "5.1.1", "Unknown")],
        hostname=HOSTNAME,
        now=NOW,
    )
    assert report is not None
    reports.send(report)
    assert len(listing(full.id)) == 1


def test_a_report_and_what_it_reports_are_stored_together(
    anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account("full", quota_bytes=10)

    def fails(*_: object, **__: object) -> None:
        raise TemporaryFailure("no room for the report")

    monkeypatch.setattr(entries, "add", fails)
    with pytest.raises(TemporaryFailure):
        deliver("full", "anna")
    assert (listing(anna.id), blob_count()) == ([], 0)


# --- in one transaction ---------------------------------------------------------------------------


def test_a_delivery_takes_few_statements(
    anna: Account, ben: Account, caplog: pytest.LogCaptureFixture
) -> None:
    """The cost of a message is statements: whoever adds one should notice."""

    def statements(*names: str) -> int:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "peewee"):
            deliver(*names)
        return len(caplog.records)

    # The least of three: every 32nd message also brings the search index up to date.
    one = min(statements("anna") for _ in range(3))
    two = min(statements("anna", "ben") for _ in range(3))
    assert one <= 10
    assert two - one <= 9  # one of them finds out who of those the header does not name are ours


def test_nothing_personal_is_logged(anna: Account, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "appliance"):
        deliver("anna", raw=mail("Very secret"))
    logged = "".join(record.getMessage() for record in caplog.records)
    assert "delivered" in logged
    assert "secret" not in logged
