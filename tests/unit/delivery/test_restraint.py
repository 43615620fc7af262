"""When a program answers and when it must not: a table through the real delivery, in three audiences.

Source: RFC 3834 2 (when not to respond), 3.1 (what a response says), 4 (where it goes); RFC 5230 4.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from appliance import db
from appliance.accounts import accounts, domains, forwards, groups, out_of_office, rules, sender_lists
from appliance.accounts.out_of_office import Audience, OutOfOffice, Reply, State
from appliance.delivery import inbound, oof, submission
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.group import Senders
from appliance.items.rule import Action, Deed
from appliance.mime.headers import parse_headers
from appliance.queue import entries
from appliance.store import blobs
from tests.unit.store.mailbox import (
    DOMAIN,
    HOSTNAME,
    NOW,
    account,
    envelope,
    file,
    listing,
    special,
    subjects,
)

BOB = "bob@example.net"
EVERYBODY = OutOfOffice(State.ON, replies={each: Reply(True, f"For {each}.") for each in Audience})
_ids = count(1)


@pytest.fixture
def away(anna: Account) -> Account:
    out_of_office.save(anna.id, EVERYBODY)
    return anna


def letter(field: str = "", to: str = f"anna@{DOMAIN}", sender: str = BOB) -> bytes:
    head = f"From: {sender}\r\nTo: {to}\r\nSubject: Lunch?\r\nMessage-ID: <{next(_ids)}@example.net>\r\n"
    return f"{head}{field}{chr(13) + chr(10) if field else ''}\r\nHi\r\n".encode()


def deliver(
    raw: bytes, *to: str, sender: str = BOB, after: timedelta = timedelta(), junk: bool = False
) -> None:
    came = replace(envelope(*(to or ("anna",)), sender=sender), received_at=NOW + after, is_junk=junk)
    inbound.deliver(came, raw, hostname=HOSTNAME)


def answers() -> list[str]:
    """Return what was answered to people outside, by text."""
    with db.connection():
        raws = [blobs.read(entry.digest) for entry in entries.list_entries() if not entry.reverse_path]
    return [raw.partition(b"\r\n\r\n")[2].strip().decode() for raw in raws]


def is_answered(field: str = "", to: str = f"anna@{DOMAIN}", sender: str = BOB) -> bool:
    before = len(answers())
    deliver(letter(field, to, sender or BOB), sender=sender)
    return len(answers()) > before


@pytest.mark.parametrize(
    "field",
    [
        "",
        "Auto-Submitted: no",
        "Precedence: first-class",
        "Importance: high",
        "Disposition-Notification-To: bob@example.net",
        "Reply-To: other@example.org",
        "Sender: secretary@example.net",
        "X-Spam-Flag: NO",
        "Content-Type: text/calendar; method=REQUEST",
        "X-Auto-Response-Suppress: DR, RN",
        "Return-Path: <>",  # not ours: final delivery's is in front of it
    ],
)
def test_people_are_answered(away: Account, field: str) -> None:
    assert is_answered(field)


@pytest.mark.parametrize(
    ("field", "to", "sender"),
    [
        # 2: responses and notices of programs
        ("Auto-Submitted: auto-replied", "", BOB),
        ("Auto-Submitted: auto-generated", "", BOB),
        ("AUTO-SUBMITTED: Auto-Notified; owner-email=x@y.z", "", BOB),
        ("X-Auto-Response-Suppress: OOF", "", BOB),
        ("X-Autoreply: yes", "", BOB),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", "", BOB),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=b", "", BOB),
        # 2: lists and bulk
        ("List-Id: <roof.example.net>", "", BOB),
        ("List-Unsubscribe: <https://example.net/leave>", "", BOB),
        ("List-Post: NO", "", BOB),
        ("Precedence: list", "", BOB),
        ("Precedence: bulk", "", BOB),
        ("Precedence: junk", "", BOB),
        ("X-Spam-Flag: YES", "", BOB),
        # 2: no way back, or nobody there
        ("", "", ""),
        ("", "", "MAILER-DAEMON@example.net"),
        ("", "", "owner-roof@example.net"),
        ("", "", "roof-request@example.net"),
        ("", "", "roof-bounces+anna=example.test@example.net"),
        ("", "", "noreply@example.net"),
        # 2: oneself
        ("", "", f"anna@{DOMAIN}"),
        ("", "", f"Anna+work@{DOMAIN}"),
        ("", "", "anna@alias.example"),
        # 2, 5230 4.5: whoever is not named
        ("", "undisclosed-recipients:;", BOB),
        ("", "office@example.net", BOB),
        ("X-Original-To: anna@example.test", "office@example.net", BOB),
    ],
)
def test_others_are_not(away: Account, field: str, to: str, sender: str) -> None:
    domains.add_alias("alias.example", DOMAIN)
    assert not is_answered(field, to or away.address, sender)
    assert "Lunch?" in subjects(away.id), "the mail itself comes in"


@pytest.mark.parametrize("to", [f"ANNA@{DOMAIN}", f"anna+x@{DOMAIN}", "Anna@Alias.example", f"info@{DOMAIN}"])
def test_every_spelling_of_an_own_address_is_one(away: Account, to: str) -> None:
    domains.add_alias("alias.example", DOMAIN)
    accounts.add_alias(away.id, f"info@{DOMAIN}")
    assert is_answered(to=to)


def test_three_audiences(away: Account, ben: Account) -> None:
    file(
        away.id,
        special(away.id, FolderType.SENT),
        b"From: anna@example.test\r\nTo: known@example.net\r\n\r\nx\r\n",
    )
    deliver(letter(sender="known@example.net"), sender="known@example.net")
    deliver(letter(), sender=BOB)
    submission.submit(ben, letter(sender=ben.address), hostname=HOSTNAME, now=NOW, save_in_sent=False)
    assert answers() == ["For known.", "For unknown."]
    assert subjects(ben.id) == ["Automatic reply: Lunch?"]


def test_once_in_four_days_whatever_way_the_sender_is_spelled(away: Account) -> None:
    for hours, expected in ((0, 1), (1, 1), (95, 1), (96, 2), (97, 2)):
        deliver(letter(), sender="Bob@EXAMPLE.net" if hours % 2 else BOB, after=timedelta(hours=hours))
        assert len(answers()) == expected, hours


def test_a_flood_of_senders_is_answered_to_a_point(away: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forged senders would make us write to people who have never heard of us."""
    monkeypatch.setattr(oof, "ANSWERS_PER_HOUR_MAX", 3)
    for number in range(6):
        deliver(letter(sender=f"p{number}@example.net"), sender=f"p{number}@example.net")
    assert len(answers()) == 3
    deliver(letter(sender="late@example.net"), sender="late@example.net", after=timedelta(hours=1))
    assert len(answers()) == 4


def test_junk_blocked_and_discarded_mail_is_not_answered(away: Account) -> None:
    deliver(letter(), junk=True)
    sender_lists.put(away.id, BOB, is_blocked=True)
    deliver(letter())
    sender_lists.remove(away.id, BOB)
    discarding = rules.add(away.id, [], [Action(Deed.DISCARD)])
    deliver(letter())
    assert answers() == []
    rules.remove(away.id, discarding.id)
    deliver(letter())
    assert answers() == ["For unknown."]


def test_whoever_forwards_answers_for_oneself(away: Account) -> None:
    forwards.put(away.id, "anna@home.example", keeps_copy=False)
    deliver(letter())
    assert (answers(), listing(away.id)) == (["For unknown."], [])


def test_groups_are_never_answered_and_never_answer(away: Account, ben: Account) -> None:
    office = f"office@{DOMAIN}"
    groups.create(office, senders=Senders.ANYONE)
    groups.add_members(office, [away.address])
    groups.add_members(office, [ben.address], may_send_as=True)
    deliver(letter(to=f"{office}, {away.address}"), "office")
    submission.submit(ben, letter(sender=office), hostname=HOSTNAME, now=NOW, save_in_sent=False)
    assert answers() == []
    assert subjects(ben.id) == ["Lunch?"]  # as a member


def test_two_who_are_away_write_to_each_other_once(away: Account) -> None:
    """An answer cannot be answered: it says that it is one, and there is nobody to answer to."""
    ben = account("ben")
    out_of_office.save(ben.id, EVERYBODY)
    raw = letter(to=ben.address, sender=away.address)
    submission.submit(away, raw, hostname=HOSTNAME, now=NOW, save_in_sent=False)
    assert (len(subjects(ben.id)), len(subjects(away.id))) == (1, 1)


def test_what_an_answer_says_of_itself(away: Account) -> None:
    deliver(letter("References: <1@example.net>\r\nReply-To: other@example.org"), sender="Bob@example.net")
    with db.connection():
        (entry,) = entries.list_entries()
        headers = parse_headers(blobs.read(entry.digest))
    assert (entry.reverse_path, entry.forward_path) == ("", "Bob@example.net")  # 4: not Reply-To
    assert headers.raw("To") == "Bob@example.net"
    assert headers.addresses("From")[0].address == away.address
    assert headers.raw("Auto-Submitted") == "auto-replied"
    assert (headers.raw("Subject") or "").startswith("Automatic reply: ")
    assert headers.raw("In-Reply-To") in (headers.raw("References") or "")
    assert "Precedence" not in headers  # 3.1.8: not for responses
