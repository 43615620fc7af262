"""NOTIFY for recipients here: arrivals confirmed, failures told or not, as the sender asked."""

from dataclasses import replace

import pytest

from appliance import db
from appliance.accounts import accounts, domains, forwards, groups
from appliance.delivery import inbound, submission
from appliance.items.account import Account
from appliance.items.envelope import RecipientWishes, Wishes
from appliance.items.group import Senders
from appliance.queue import entries
from appliance.queue.entries import Entry
from appliance.store import blobs
from tests.unit.store.mailbox import (
    DOMAIN,
    HOSTNAME,
    NOW,
    OUTSIDE,
    account,
    envelope,
    listing,
    mail,
    raw_of,
    subjects,
)

BEN, NOBODY = f"ben@{DOMAIN}", f"nobody@{DOMAIN}"


def submit(sender: Account, *recipients: str, envid: str = "", **notify: str) -> None:
    """Send as a mail program. notify: by the local part."""
    wishes = Wishes(
        envid=envid,
        recipients={
            f"{name}@{DOMAIN}": RecipientWishes(words, f"rfc822;{name}@old.example")
            for name, words in notify.items()
        },
    )
    submission.submit(
        sender,
        mail(subject="plans"),
        hostname=HOSTNAME,
        now=NOW,
        save_in_sent=False,
        recipients=recipients,
        wishes=wishes,
    )


def reports_to(sender: Account) -> list[bytes]:
    return [raw_of(sender.id, found.id) for found in listing(sender.id)]


def test_an_arrival_is_confirmed_on_request(anna: Account) -> None:
    ben = account("ben")
    submit(anna, BEN, envid="QQ+2B1", ben="SUCCESS")
    assert subjects(ben.id) == ["plans"]
    (report,) = reports_to(anna)
    assert b"Subject: Message was delivered" in report
    for line in (b"Action: delivered", b"Status: 2.1.5", b"Original-Recipient: rfc822; ben@old.example"):
        assert line in report
    assert b"Original-Envelope-Id: QQ+1" in report


def test_who_asked_for_nothing_hears_nothing(anna: Account) -> None:
    account("ben")
    submit(anna, BEN)
    submit(anna, BEN, ben="FAILURE,DELAY")
    assert reports_to(anna) == []


def test_never_is_never(anna: Account) -> None:
    submit(anna, NOBODY, nobody="NEVER")
    submit(anna, NOBODY, nobody="SUCCESS")
    assert reports_to(anna) == []
    submit(anna, NOBODY, nobody="FAILURE")
    (report,) = reports_to(anna)
    assert b"Action: failed" in report
    assert b"Original-Recipient: rfc822; nobody@old.example" in report


def test_both_at_once(anna: Account) -> None:
    account("ben")
    submit(anna, BEN, NOBODY, ben="SUCCESS,FAILURE")
    assert sorted(b"Action: failed" in report for report in reports_to(anna)) == [False, True]


# --- however somebody is named --------------------------------------------------------------------


@pytest.fixture
def spelled(anna: Account) -> tuple[Account, list[str]]:
    """A full mailbox, and every kind of name that leads to it."""
    full = account("full", quota_bytes=10, is_admin=True)
    accounts.add_alias(full.id, f"info@{DOMAIN}")
    domains.add_alias("alias.test", DOMAIN)
    accounts.add_domain("other.test")
    domains.set_catch_all("other.test", full.address)
    names = [f"full@{DOMAIN}", f"FULL@{DOMAIN}", f"info@{DOMAIN}", f"full+x@{DOMAIN}", "full@alias.test"]
    return full, [*names, "postmaster", f"abuse@{DOMAIN}", "anybody@other.test"]


def submit_to(sender: Account, **notify: str) -> None:
    """Send to addresses; notify: by the address."""
    recipients = {path: RecipientWishes(words, f"rfc822;to-{path}") for path, words in notify.items()}
    submission.submit(
        sender,
        mail(subject="plans"),
        hostname=HOSTNAME,
        now=NOW,
        save_in_sent=False,
        recipients=list(notify),
        wishes=Wishes(recipients=recipients),
    )


def test_a_wish_holds_under_every_name(anna: Account, spelled: tuple[Account, list[str]]) -> None:
    for path in spelled[1]:
        submit_to(anna, **{path: "NEVER"})
        assert reports_to(anna) == [], path
    for number, path in enumerate(spelled[1], 1):
        submit_to(anna, **{path: "FAILURE"})
        report = reports_to(anna)[0]
        assert len(reports_to(anna)) == number
        assert f"Original-Recipient: rfc822; to-{path}\r\n".encode() in report
        assert f"Final-Recipient: rfc822; {path}\r\n".encode() in report


def test_an_arrival_is_confirmed_under_every_name(anna: Account, spelled: tuple[Account, list[str]]) -> None:
    accounts.set_quota(spelled[0].id, 0)
    submit_to(anna, **dict.fromkeys(spelled[1], "SUCCESS"))
    (report,) = reports_to(anna)
    for path in spelled[1]:
        assert f"Original-Recipient: rfc822; to-{path}\r\n".encode() in report
    assert len(listing(spelled[0].id)) == 1


def test_two_names_of_one_mailbox_have_their_own_wishes(
    anna: Account, spelled: tuple[Account, list[str]]
) -> None:
    submit_to(anna, **{f"full@{DOMAIN}": "NEVER", f"info@{DOMAIN}": "FAILURE"})
    (report,) = reports_to(anna)
    assert (report.count(b"Final-Recipient:"), report.count(b"rfc822; to-info@")) == (1, 1)


def test_nobody_under_another_spelling(anna: Account) -> None:
    domains.add_alias("alias.test", DOMAIN)
    for path in (f"Nobody@{DOMAIN}", "nobody@alias.test", f"nobody+x@{DOMAIN}"):
        submit_to(anna, **{path: "NEVER"})
    assert reports_to(anna) == []


@pytest.mark.parametrize("senders", list(Senders))
def test_a_group_answers_for_its_members(
    anna: Account, spelled: tuple[Account, list[str]], senders: Senders
) -> None:
    """Arrival there is arrival; what becomes of members is told as far as it was asked of the group."""
    office = f"office@{DOMAIN}"
    ben = account("ben")
    groups.create(office, senders=senders)
    groups.add_members(office, [ben.address, spelled[0].address, anna.address])
    submit_to(anna, **{f"office+x@{DOMAIN}": "NEVER"})
    assert [b"Action:" in raw for raw in reports_to(anna)] == [False]  # a member's copy
    submit_to(anna, **{office: "SUCCESS"})
    told = [raw for raw in reports_to(anna) if b"Action:" in raw]
    assert [raw.count(b"Final-Recipient:") for raw in told] == [1]
    assert b"Action: delivered" in told[0]
    assert f"Final-Recipient: rfc822; {office}".encode() in told[0]
    assert len(listing(ben.id)) == 2


def test_an_empty_group_is_told_as_its_name_was_asked(anna: Account) -> None:
    groups.create(f"office@{DOMAIN}", senders=Senders.INTERNAL)
    domains.add_alias("alias.test", DOMAIN)
    submit_to(anna, **{"office@alias.test": "NEVER"})
    assert reports_to(anna) == []
    submit_to(anna, **{"office@alias.test": "FAILURE"})
    (report,) = reports_to(anna)
    assert b"Final-Recipient: rfc822; office@alias.test" in report


def test_who_only_forwards_lets_the_next_one_answer(
    anna: Account, spelled: tuple[Account, list[str]]
) -> None:
    ben = account("ben")
    forwards.put(ben.id, spelled[0].address, keeps_copy=False)
    submit_to(anna, **{BEN: "NEVER"})
    submit_to(anna, **{BEN: "SUCCESS"})
    assert reports_to(anna) == []
    submit_to(anna, **{BEN: "SUCCESS,FAILURE"})
    (report,) = reports_to(anna)
    assert b"Action: failed" in report
    assert b"full" not in report.partition(b"Original-Recipient")[2].partition(b"Diagnostic")[0]
    accounts.set_quota(spelled[0].id, 0)
    submit_to(anna, **{BEN: "SUCCESS"})
    assert sum(b"Action: delivered" in raw for raw in reports_to(anna)) == 1


def test_who_keeps_a_copy_answers_and_who_is_behind_fails_as_asked(
    anna: Account, spelled: tuple[Account, list[str]]
) -> None:
    ben = account("ben")
    forwards.put(ben.id, spelled[0].address, keeps_copy=True)
    submit_to(anna, **{BEN: "NEVER"})
    assert reports_to(anna) == []
    submit_to(anna, **{BEN: "SUCCESS"})
    (report,) = reports_to(anna)
    assert (b"Action: delivered" in report, report.count(b"Final-Recipient:")) == (True, 1)


def test_accounts_that_forward_in_a_circle_answer_once(anna: Account) -> None:
    ben, carl = account("ben"), account("carl")
    forwards.put(ben.id, carl.address, keeps_copy=False)
    forwards.put(carl.id, ben.address, keeps_copy=False)
    submit_to(anna, **{BEN: "SUCCESS"})
    (report,) = reports_to(anna)
    assert report.count(b"Final-Recipient: rfc822; ben@") == 1


# --- strangers ask, too ---------------------------------------------------------------------------


def deliver(*names: str, sender: str = OUTSIDE, is_doubtful: bool = False, **notify: str) -> None:
    """Receive from outside. notify: by the local part."""
    wanted = {f"{name}@{DOMAIN}": RecipientWishes(words, f"rfc822;{name}") for name, words in notify.items()}
    wishes = Wishes("FULL", "QQ", recipients=wanted)
    asked = replace(envelope(*names, sender=sender), wishes=wishes, is_sender_doubtful=is_doubtful)
    inbound.deliver(asked, mail(subject="plans"), hostname=HOSTNAME)


def queued() -> list[Entry]:
    with db.connection():
        return entries.list_entries()


def sent_back() -> list[bytes]:
    with db.connection():
        return [blobs.read(each.digest) for each in queued() if each.forward_path == OUTSIDE]


def test_a_stranger_hears_of_an_arrival_on_request(anna: Account) -> None:
    ben = account("ben")
    deliver("anna", "ben", anna="SUCCESS", ben="FAILURE")
    (report,) = sent_back()
    assert queued()[0].reverse_path == ""
    for line in (b"Action: delivered", b"Original-Recipient: rfc822; anna", b"Original-Envelope-Id: QQ"):
        assert line in report
    assert b"ben" not in report
    assert (subjects(anna.id), subjects(ben.id)) == (["plans"], ["plans"])


def test_a_stranger_s_never_is_never(anna: Account) -> None:
    account("full", quota_bytes=10)
    for words in ("NEVER", "SUCCESS", "DELAY"):
        deliver("anna", "full", full=words)
    assert queued() == []
    deliver("anna", "full", full="FAILURE", anna="SUCCESS")
    assert sorted(b"Action: failed" in report for report in sent_back()) == [False, True]
    failure = next(report for report in sent_back() if b"Action: failed" in report)
    assert b"Original-Envelope-Id: QQ" in failure
    assert b"Content-Type: message/rfc822" in failure, "RET=FULL"


def test_a_sender_of_ours_without_a_login_finds_both_reports_in_the_inbox(anna: Account) -> None:
    account("ben")
    account("full", quota_bytes=10)
    deliver("ben", "full", sender=anna.address, ben="SUCCESS")
    assert len(reports_to(anna)) == 2


def test_nothing_goes_to_whom_nobody_bears_out(anna: Account) -> None:
    account("full", quota_bytes=10)
    deliver("anna", "full", is_doubtful=True, anna="SUCCESS,FAILURE", full="SUCCESS,FAILURE")
    deliver("anna", sender="", anna="SUCCESS")
    assert (len(subjects(anna.id)), queued()) == (2, [])


@pytest.mark.parametrize(
    ("asked", "is_doubtful", "passed_on"),
    [
        ("SUCCESS,FAILURE,DELAY", False, "FAILURE,DELAY"),
        ("SUCCESS", False, "NEVER"),
        ("NEVER", False, "NEVER"),
        ("DELAY", False, "DELAY"),
        ("SUCCESS,FAILURE,DELAY", True, "FAILURE"),
        ("DELAY", True, "NEVER"),
    ],
)
@pytest.mark.parametrize("keeps_copy", [True, False])
def test_what_is_forwarded_fails_as_asked_and_success_is_told_here(
    anna: Account, asked: str, is_doubtful: bool, passed_on: str, keeps_copy: bool
) -> None:
    forwards.put(anna.id, "anna@home.example", keeps_copy=keeps_copy)
    deliver("anna", is_doubtful=is_doubtful, anna=asked)
    (going,) = (each for each in queued() if each.forward_path != OUTSIDE)
    assert (going.notify, going.orcpt, going.envid, going.ret) == (passed_on, "rfc822;anna", "QQ", "FULL")
    told = sent_back()
    assert len(told) == ("SUCCESS" in asked and not is_doubtful)
    assert all(b"home.example" not in report for report in told)


def test_a_list_asks_for_its_owner_and_not_for_the_sender(anna: Account) -> None:
    groups.create(f"office@{DOMAIN}", senders=Senders.ANYONE)
    groups.add_members(f"office@{DOMAIN}", [anna.address, "carl@example.org"])
    forwards.put(anna.id, "anna@home.example", keeps_copy=True)
    deliver("office", office="SUCCESS,FAILURE")
    going = [each for each in queued() if each.forward_path != OUTSIDE]
    assert len(going) == 2
    assert {(each.notify, each.orcpt, each.envid, each.ret) for each in going} == {("", "", "", "")}
    (report,) = sent_back()
    assert b"Final-Recipient: rfc822; office@" in report


def test_a_user_s_wishes_travel_with_what_leaves(anna: Account) -> None:
    submit_to(anna, **{"carl@example.org": "SUCCESS", "dora@example.org": "NEVER"})
    found = {each.forward_path: (each.notify, each.orcpt) for each in queued()}
    assert found == {
        "carl@example.org": ("SUCCESS", "rfc822;to-carl@example.org"),
        "dora@example.org": ("NEVER", "rfc822;to-dora@example.org"),
    }
