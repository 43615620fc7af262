"""Out-of-office answers end to end: a message comes in by either way, and what goes out, once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from appliance import db
from appliance.accounts import accounts, out_of_office
from appliance.accounts.out_of_office import Audience, OutOfOffice, Reply, State
from appliance.delivery import inbound, oof, submission
from appliance.errors import QuotaExceeded
from appliance.items.account import Account
from appliance.items.envelope import Envelope
from appliance.items.folder import FolderType
from appliance.mime.headers import Headers, parse_headers
from appliance.queue import control, entries
from appliance.store import blobs
from tests.unit.store import mailbox
from tests.unit.store.mailbox import HOSTNAME, NOW

BOB = "Bob.B@Example.net"
EVERYBODY = OutOfOffice(
    State.ON,
    replies={
        Audience.INTERNAL: Reply(True, "Inside."),
        Audience.KNOWN: Reply(True, "Known."),
        Audience.UNKNOWN: Reply(True, "Stranger."),
    },
)
_ids = count(1)


def away(account: Account, settings: OutOfOffice = EVERYBODY) -> None:
    out_of_office.save(account.id, settings)


def letter(to: str, sender: str = BOB, header: str = "", subject: str = "Lunch?", size: int = 0) -> bytes:
    head = (
        f"From: <{sender}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <m{next(_ids)}@example.net>\r\n"
    )
    return f"{head}{header}\r\nHi\r\n".encode() + b"padding padding padding\r\n" * (size // 25)


def deliver(
    *to: Account, raw: bytes | None = None, sender: str = BOB, after: timedelta = timedelta()
) -> None:
    paths = tuple(account.address for account in to)
    envelope = Envelope(reverse_path=sender, forward_paths=paths, received_at=NOW + after)
    inbound.deliver(envelope, letter(", ".join(paths), sender) if raw is None else raw, hostname=HOSTNAME)


def queued() -> list[tuple[str, str, bytes]]:
    """What waits for other servers: reverse-path, forward-path, bytes."""
    with db.connection():
        return [(e.reverse_path, e.forward_path, blobs.read(e.digest)) for e in entries.list_entries()]


def texts() -> list[str]:
    return [raw.partition(b"\r\n\r\n")[2].strip().decode() for _, _, raw in queued()]


def only_answer() -> Headers:
    ((_, _, raw),) = queued()
    return parse_headers(raw)


def test_an_answer_goes_to_the_reverse_path_and_cannot_be_answered(anna: Account) -> None:
    away(anna)
    raw = letter(f"Anna <{anna.address}>", "somebody@example.org", "References: <a@x> <b@x>\r\n", "Grüße?")
    deliver(anna, raw=raw)
    ((reverse_path, forward_path, answer),) = queued()
    assert (reverse_path, forward_path) == ("", BOB)
    headers = parse_headers(answer)
    message_id = parse_headers(raw).raw("Message-ID")
    assert headers.raw("From") == anna.address
    assert headers.raw("To") == BOB
    assert headers.get("Subject") == "Automatic reply: Grüße?"
    assert headers.raw("Auto-Submitted") == "auto-replied"
    assert headers.raw("X-Auto-Response-Suppress") == "All"
    assert headers.raw("In-Reply-To") == message_id
    assert headers.raw("References") == f"<a@x> <b@x> {message_id}"
    assert texts() == ["Stranger."]
    assert len(mailbox.listing(anna.id)) == 1


def test_nobody_answers_who_is_not_away(anna: Account, ben: Account) -> None:
    deliver(anna)
    away(ben)
    deliver(anna)
    away(anna, replace(EVERYBODY, state=State.OFF))
    deliver(anna)
    assert queued() == []


def test_the_window_opens_and_closes_by_the_clock(anna: Account) -> None:
    start, end = NOW + timedelta(hours=1), NOW + timedelta(days=1)
    away(anna, replace(EVERYBODY, state=State.TIMED, starts_at=start, ends_at=end))
    second = timedelta(seconds=1)
    moments = [start - second, start, end - second, end]
    for number, moment in enumerate(moments):
        deliver(anna, sender=f"n{number}@example.net", after=moment - NOW)
    assert [path for _, path, _ in queued()] == ["n1@example.net", "n2@example.net"]


def test_a_sender_is_answered_once_in_four_days(anna: Account, ben: Account) -> None:
    away(anna)
    away(ben)
    four_days, second = timedelta(days=4), timedelta(seconds=1)
    told = []
    for after in (timedelta(), second, four_days - second, four_days, four_days + second, 2 * four_days):
        deliver(anna, after=after)
        told.append(len(queued()))
    assert told == [1, 1, 1, 2, 2, 3]
    deliver(anna, sender="BOB.B@example.NET", after=2 * four_days)  # the same person
    assert len(queued()) == 3
    deliver(ben, after=2 * four_days)  # but others answer for themselves
    deliver(anna, sender="eve@example.net", after=2 * four_days)
    assert len(queued()) == 5


def test_known_senders_are_those_the_account_wrote_to(anna: Account, ben: Account) -> None:
    raw = f"To: Bob <{BOB.lower()}>\r\nSubject: x\r\n\r\nx".encode()
    submission.submit(anna, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)
    with db.connection():
        (entry,) = entries.list_entries()
    control.drop(entry.id)
    away(anna)
    away(ben)
    deliver(anna, ben)
    assert sorted(texts()) == ["Known.", "Stranger."]


def test_whoever_is_written_to_meanwhile_is_known_at_once(anna: Account) -> None:
    away(anna)
    raw = b"To: eve@example.net\r\nSubject: x\r\n\r\nx"
    submission.submit(anna, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)
    deliver(anna, sender="eve@example.net")
    assert texts()[-1] == "Known."


@pytest.mark.parametrize(
    ("silent", "told"),
    [
        ([Audience.UNKNOWN], []),
        ([Audience.KNOWN, Audience.INTERNAL], ["Stranger."]),
        (list(Audience), []),
    ],
)
def test_an_audience_that_shall_hear_nothing_does_not(
    anna: Account, silent: Sequence[Audience], told: list[str]
) -> None:
    replies = {
        name: replace(reply, is_enabled=name not in silent) for name, reply in EVERYBODY.replies.items()
    }
    away(anna, replace(EVERYBODY, replies=replies))
    deliver(anna)
    assert texts() == told


def test_an_enabled_audience_without_a_text_hears_nothing(anna: Account) -> None:
    away(anna, OutOfOffice(State.ON, replies={Audience.UNKNOWN: Reply(True, " \r\n")}))
    deliver(anna)
    assert queued() == []


def test_a_colleague_s_answer_lies_in_the_inbox(anna: Account, ben: Account) -> None:
    away(anna)
    away(ben)  # and does not answer the answer
    raw = f"To: {anna.address}\r\nSubject: Lunch?\r\n\r\nHi".encode()
    submission.submit(ben, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)
    assert mailbox.subjects(ben.id) == ["Automatic reply: Lunch?"]
    assert mailbox.subjects(anna.id) == ["Lunch?"]
    (answer,) = mailbox.listing(ben.id)
    assert b"Inside." in mailbox.raw_of(ben.id, answer.id)
    assert queued() == []


def test_a_hidden_recipient_does_not_give_itself_away(anna: Account, ben: Account) -> None:
    away(anna)
    raw = f"To: x@example.net\r\nBcc: {anna.address}\r\nSubject: Lunch?\r\n\r\nHi".encode()
    submission.submit(ben, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)
    assert mailbox.subjects(anna.id) == ["Lunch?"]
    assert mailbox.subjects(ben.id) == []


def test_an_alias_answers_in_its_own_name(anna: Account) -> None:
    accounts.add_alias(anna.id, "info@example.test")
    away(anna)
    deliver(anna, raw=letter("info+shop@example.test"))
    assert only_answer().raw("From") == "info@example.test"


def test_html_goes_out_with_a_text_beside_it(anna: Account) -> None:
    html = "<p>Bin im <b>Urlaub</b>: ☀</p>"
    away(anna, OutOfOffice(State.ON, replies={Audience.UNKNOWN: Reply(True, html, is_html=True)}))
    deliver(anna)
    assert only_answer().parameters("Content-Type")[0] == "multipart/alternative"
    ((_, _, raw),) = queued()
    assert raw.isascii()


def test_a_message_that_lies_in_a_file_is_answered_too(anna: Account) -> None:
    away(anna)
    deliver(anna, raw=letter(anna.address, size=300_000))
    assert texts() == ["Stranger."]


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        ("Auto-Submitted: auto-replied\r\n", BOB),
        ("List-Id: <x.example.net>\r\n", BOB),
        ("Precedence: bulk\r\n", BOB),
        ("", ""),
        ("", "noreply@example.net"),
        ("", "anna@example.test"),
        ("", "nobody.here@example.test"),  # our domain, and nobody of that name
        ("", "grüße@example.net"),  # an address that plain mail cannot carry
        ("", "not an address"),
        ("Return-Path: <eve@example.net>\r\n", ""),  # the sender's own Return-Path is not believed
    ],
)
def test_restraint_is_shown_and_the_mail_filed(anna: Account, header: str, sender: str) -> None:
    away(anna)
    deliver(anna, raw=letter(anna.address, header=header), sender=sender)
    assert queued() == []
    assert len(mailbox.listing(anna.id)) == 1


def test_a_header_full_of_nonsense_still_gets_an_orderly_answer(anna: Account) -> None:
    away(anna)
    raw = (
        f"To: {anna.address}\r\nSubject: =?utf-8?q?a=0D=0ABcc:_x=40example.net?= {'x' * 5_000}\r\n"
        "Message-ID: <ü@example.net>\r\nReferences: " + "<r@example.net> " * 500 + "\r\n\r\nHi\r\n"
    ).encode()
    deliver(anna, raw=raw)
    headers = only_answer()
    assert "Bcc" not in headers and "In-Reply-To" not in headers
    assert len(headers.get("Subject") or "") <= len("Automatic reply: ") + oof.SUBJECT_CHARS_MAX


def test_a_colleague_with_a_full_mailbox_gets_none_and_mail_still_comes(anna: Account) -> None:
    full = mailbox.account("full", quota_bytes=100)
    away(anna)
    raw = f"To: {anna.address}\r\nSubject: Lunch?\r\n\r\nHi".encode()
    submission.submit(full, raw, hostname=HOSTNAME, now=NOW, save_in_sent=False)
    assert mailbox.subjects(anna.id) == ["Lunch?"]
    assert mailbox.subjects(full.id) == []


def test_no_answer_leaves_when_the_message_is_not_filed(anna: Account) -> None:
    full = mailbox.account("full", quota_bytes=1)
    away(full)
    with pytest.raises(QuotaExceeded):
        deliver(full)
    assert queued() == []
    away(anna)
    deliver(anna, full)  # the first attempt is undone, the second files for one
    paths = [(path, parse_headers(raw).get("Subject")) for _, path, raw in queued()]
    assert sorted(subject for _, subject in paths if subject) == [
        "Automatic reply: Lunch?", "Message could not be delivered",
    ]  # fmt: skip


def test_each_who_is_away_answers_for_one_message_to_many(anna: Account, ben: Account) -> None:
    away(anna)
    away(ben)
    deliver(anna, ben, mailbox.account("carl"))
    assert sorted(parse_headers(raw).raw("From") or "" for _, _, raw in queued()) == [
        anna.address, ben.address,
    ]  # fmt: skip


def test_a_report_to_an_account_that_is_away_is_not_answered(anna: Account) -> None:
    away(anna)
    raw = b"To: nobody@example.test\r\nSubject: x\r\n\r\nx"
    submission.submit(anna, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)
    assert mailbox.subjects(anna.id) == ["Message could not be delivered"]
    assert queued() == []
    assert mailbox.subjects(anna.id, FolderType.SENT) == ["x"]
