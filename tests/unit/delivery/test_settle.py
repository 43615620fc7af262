"""What becomes of a queue entry after an attempt: out together with its outcome, or back."""

from datetime import datetime, timedelta
from random import Random

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.delivery import settle
from appliance.errors import NotFound, TemporaryFailure
from appliance.items.account import Account
from appliance.items.envelope import RecipientWishes, Wishes
from appliance.queue import control, entries, schedule
from appliance.queue.entries import Entry
from appliance.settings import Relay
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import HOSTNAME, NOW, OUTSIDE, blob_count, listing, mail, raw_of

DAY = timedelta(days=1)


def claimed(
    sender: str, account_id: int | None = None, now: datetime = NOW, wishes: Wishes | None = None
) -> Entry:
    """Queue a message and claim it."""
    entries.add(
        blobs.put(mail()),
        account_id=account_id,
        reverse_path=sender,
        recipients=[("carl@example.org", "example.org")],
        now=now,
        wishes=wishes,
    )
    (entry,) = entries.claim(now, limit=1, lease_s=60)
    return entry


def queued() -> list[Entry]:
    with db.connection():
        return entries.list_entries()


def fail(entry: Entry, reply: str = "550 5.1.1 No such user") -> None:
    settle.failed(entry, reply, "mx.example.org", hostname=HOSTNAME, now=NOW)


def test_delivered_is_gone(store: Place) -> None:
    settle.delivered(claimed(OUTSIDE), "250 ok", "mx.example.org", hostname=HOSTNAME, now=NOW)
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
    settle.delivered(entry, "250 ok", "mx.example.org", hostname=HOSTNAME, now=NOW)
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
    assert NOW < waiting.next_attempt_at <= NOW + schedule.current().retry_max


def test_old_and_often_tried_is_given_up(anna: Account) -> None:
    entry = claimed(anna.address, anna.id)
    now = NOW
    for _ in range(schedule.ATTEMPTS_MIN - 1):
        settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=now, random=Random(1))
        now += DAY
        (entry,) = entries.claim(now, limit=1, lease_s=60)
    settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=now, random=Random(1))
    assert queued() == []
    given_up, delayed = sorted(listing(anna.id), key=lambda item: item.id, reverse=True)
    assert b"Status: 4.4.7" in raw_of(anna.id, given_up.id)
    assert b"Action: delayed" in raw_of(anna.id, delayed.id)


def test_a_week_switched_off_does_not_give_mail_up(anna: Account) -> None:
    entry = claimed(anna.address, anna.id)
    later = NOW + 7 * DAY
    settle.deferred(entry, "421 later", "mx", hostname=HOSTNAME, now=later, random=Random(1))
    assert len(queued()) == 1
    assert [b"Action: delayed" in raw_of(anna.id, item.id) for item in listing(anna.id)] == [True]


# --- what the sender wants to hear ------------------------------------------------------------------


def wishing(notify: str) -> Wishes:
    return Wishes(
        "HDRS", "E1", recipients={"carl@example.org": RecipientWishes(notify, "rfc822;c@example.org")}
    )


def heard(account: Account) -> list[bytes]:
    """Return what an account was told, as the fields of the reports' recipients."""
    texts = [raw_of(account.id, item.id) for item in reversed(listing(account.id))]
    return [line for text in texts for line in text.splitlines() if line.startswith(b"Action:")]


@pytest.mark.parametrize(
    ("notify", "expected"),
    [("", 0), ("NEVER", 0), ("FAILURE,DELAY", 0), ("SUCCESS", 1), ("SUCCESS,FAILURE", 1)],
)
def test_success_is_told_where_it_was_asked_for(anna: Account, notify: str, expected: int) -> None:
    entry = claimed(anna.address, anna.id, wishes=wishing(notify))
    settle.delivered(entry, "250 ok", "mx.example.org", hostname=HOSTNAME, now=NOW)
    assert heard(anna) == [b"Action: relayed"] * expected
    assert queued() == []


def test_success_is_left_to_a_server_that_reports_itself(anna: Account) -> None:
    entry = claimed(anna.address, anna.id, wishes=wishing("SUCCESS"))
    settle.delivered(entry, "250 ok", "mx", hostname=HOSTNAME, now=NOW, reports_itself=True)
    assert (heard(anna), queued()) == ([], [])


@pytest.mark.parametrize(
    ("notify", "expected"), [("", 1), ("NEVER", 0), ("SUCCESS,DELAY", 0), ("FAILURE", 1)]
)
def test_failure_is_told_unless_unwanted(anna: Account, notify: str, expected: int) -> None:
    fail(claimed(anna.address, anna.id, wishes=wishing(notify)))
    assert (heard(anna), queued()) == ([b"Action: failed"] * expected, [])


@pytest.mark.parametrize(("notify", "expected"), [("", 1), ("NEVER", 0), ("FAILURE", 0), ("DELAY", 1)])
def test_delay_is_told_once(anna: Account, notify: str, expected: int) -> None:
    entry = claimed(anna.address, anna.id, wishes=wishing(notify))
    moments = [NOW + timedelta(hours=hours) for hours in (1, 5, 9, 13)]
    for now in moments:
        settle.deferred(entry, "450 4.2.0 greylisted", "mx", hostname=HOSTNAME, now=now, random=Random(1))
        if now == moments[0]:
            assert heard(anna) == []
        (entry,) = entries.claim(now + timedelta(hours=3), limit=1, lease_s=60)
    assert heard(anna) == [b"Action: delayed"] * expected
    if expected:
        (item,) = listing(anna.id)
        text = raw_of(anna.id, item.id)
        assert b"Status: 4.2.0" in text
        assert b"Original-Envelope-Id: E1" in text
        assert b"Original-Recipient: rfc822; c@example.org" in text


def test_no_delay_is_told_when_the_settings_say_so(anna: Account) -> None:
    schedule.configure(Relay(delay_notice_s=0))
    try:
        entry = claimed(anna.address, anna.id)
        settle.deferred(entry, "450", "mx", hostname=HOSTNAME, now=NOW + DAY, random=Random(1))
    finally:
        schedule.configure(Relay())
    assert heard(anna) == []


def test_reports_are_never_reported_on(store: Place) -> None:
    """A null reverse-path hears nothing, whatever the outcome and whatever was asked for."""
    later = NOW + DAY
    settle.delivered(claimed("", wishes=wishing("SUCCESS")), "250", "mx", hostname=HOSTNAME, now=NOW)
    entry = claimed("", wishes=wishing("DELAY"))
    settle.deferred(entry, "450", "mx", hostname=HOSTNAME, now=later, random=Random(1))
    assert [e.forward_path for e in queued()] == ["carl@example.org"]


@pytest.mark.parametrize("tells", [True, False])
def test_what_an_operator_drops(anna: Account, tells: bool) -> None:
    entry = claimed(anna.address, anna.id)
    settle.dropped(entry.id, tells_sender=tells, hostname=HOSTNAME, now=NOW)
    assert (queued(), heard(anna)) == ([], [b"Action: failed"] * tells)
    with pytest.raises(NotFound):
        settle.dropped(entry.id, tells_sender=tells, hostname=HOSTNAME, now=NOW)


def test_attempts_are_remembered_up_to_a_number(store: Place) -> None:
    entry, now = claimed(OUTSIDE), NOW
    for number in range(entries.ATTEMPTS_KEPT + 3):
        settle.deferred(entry, f"421 {number}", f"mx{number}", hostname=HOSTNAME, now=now, random=Random(1))
        now += timedelta(hours=3)
        (entry,) = entries.claim(now, limit=1, lease_s=60)
    with db.connection():
        tried = control.attempts(entry.id)
    assert [attempt.reply for attempt in tried] == [f"421 {n}" for n in range(12, 2, -1)]
    assert tried[0].host == "mx12"
    settle.delivered(entry, "250", "mx", hostname=HOSTNAME, now=now)
    with db.connection():
        assert control.attempts(entry.id) == []
