"""What becomes of a queue entry after an attempt: out together with its outcome, or back."""

from datetime import datetime, timedelta
from random import Random

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.delivery import settle
from appliance.errors import TemporaryFailure
from appliance.items.account import Account
from appliance.queue import entries, schedule
from appliance.queue.entries import Entry
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import HOSTNAME, NOW, OUTSIDE, blob_count, listing, mail, raw_of

DAY = timedelta(days=1)


def claimed(sender: str, account_id: int | None = None, now: datetime = NOW) -> Entry:
    """Queue a message and claim it."""
    entries.add(
        blobs.put(mail()),
        account_id=account_id,
        reverse_path=sender,
        recipients=[("carl@example.org", "example.org")],
        now=now,
        lifetime=schedule.LIFETIME,
    )
    (entry,) = entries.claim(now, limit=1, lease_s=60)
    return entry


def queued() -> list[Entry]:
    with db.connection():
        return entries.list_entries()


def fail(entry: Entry, reply: str = "550 5.1.1 No such user") -> None:
    settle.failed(entry, reply, "mx.example.org", hostname=HOSTNAME, now=NOW)


def test_delivered_is_gone(store: Place) -> None:
    settle.delivered(claimed(OUTSIDE), "250 ok", "mx.example.org")
    assert (queued(), blob_count()) == ([], 0)


def test_failed_is_told_to_a_local_sender(anna: Account) -> None:
    fail(claimed(anna.address, anna.id))
    assert queued() == []
    (report,) = listing(anna.id)
    text = raw_of(anna.id, report.id).decode()
    for line in (
        "Final-Recipient: rfc822; carl@example.org",
        "Status: 5.1.1",
        "Remote-MTA: dns; mx.example.org",
        "Diagnostic-Code: smtp; 550 5.1.1 No such user",
    ):
        assert line in text


def test_failed_is_queued_for_a_remote_sender(store: Place) -> None:
    fail(claimed(OUTSIDE), "no enhanced code")
    (entry,) = queued()
    assert (entry.reverse_path, entry.forward_path) == ("", OUTSIDE)
    with db.connection():
        assert b"Status: 5.0.0" in blobs.read(entry.digest)


def test_a_report_that_fails_ends_it(store: Place) -> None:
    fail(claimed(""))
    assert (queued(), blob_count()) == ([], 0)


def test_a_sender_who_is_gone_hears_nothing(anna: Account) -> None:
    entry = claimed(anna.address, anna.id)
    accounts.delete(anna.id)
    fail(entry)
    assert queued() == []


def test_an_entry_and_its_report_go_together(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = claimed(anna.address, anna.id)

    def fails(*_: object) -> None:
        raise TemporaryFailure("no")

    with monkeypatch.context() as broken:
        broken.setattr(settle.reports, "send", fails)
        with pytest.raises(TemporaryFailure):
            fail(entry)
    assert [e.id for e in queued()] == [entry.id]
    assert listing(anna.id) == []
    fail(entry)  # the lease is still ours
    assert len(listing(anna.id)) == 1


def test_without_the_lease_nothing_happens(anna: Account) -> None:
    entry = claimed(anna.address, anna.id)
    later = NOW + timedelta(seconds=61)
    (taken,) = entries.claim(later, limit=1, lease_s=60)
    settle.delivered(entry, "250 ok", "mx.example.org")
    fail(entry)
    settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=later, random=Random(1))
    assert queued() == [taken]
    assert listing(anna.id) == []


def test_a_missing_message_is_reported_all_the_same(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "INLINE_BYTES_MAX", 10)
    entry = claimed(anna.address, anna.id)
    with db.connection():
        path = blobs._path(entry.digest)
    path.unlink()
    fail(entry)
    assert len(listing(anna.id)) == 1


def test_deferred_comes_back_later(store: Place) -> None:
    entry = claimed(OUTSIDE)
    settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=NOW, random=Random(1))
    (waiting,) = queued()
    assert (waiting.attempts, waiting.last_reply, waiting.lease) == (1, "421 later", "")
    assert waiting.next_attempt_at is not None
    assert NOW < waiting.next_attempt_at <= NOW + schedule.RETRY_MAX


def test_old_and_often_tried_is_given_up(anna: Account) -> None:
    entry = claimed(anna.address, anna.id)
    now = NOW
    for _ in range(schedule.ATTEMPTS_MIN - 1):
        settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=now, random=Random(1))
        now += DAY
        (entry,) = entries.claim(now, limit=1, lease_s=60)
    settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=now, random=Random(1))
    assert queued() == []
    (report,) = listing(anna.id)
    assert b"Status: 4.4.7" in raw_of(anna.id, report.id)


def test_a_week_switched_off_does_not_give_mail_up(anna: Account) -> None:
    entry = claimed(anna.address, anna.id)
    later = NOW + 7 * DAY
    settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=later, random=Random(1))
    assert len(queued()) == 1
    assert listing(anna.id) == []
