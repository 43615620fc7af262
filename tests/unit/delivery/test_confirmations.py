"""NOTIFY for recipients here: arrivals confirmed, failures told or not, as the sender asked."""

import pytest

from appliance.accounts import accounts, domains, forwards, groups
from appliance.delivery import submission
from appliance.items.account import Account
from appliance.items.envelope import RecipientWishes, Wishes
from appliance.items.group import Senders
from tests.unit.store.mailbox import DOMAIN, HOSTNAME, NOW, account, listing, mail, raw_of, subjects

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
