"""NOTIFY for recipients here: arrivals confirmed, failures told or not, as the sender asked."""

from appliance.delivery import submission
from appliance.items.account import Account
from appliance.items.envelope import RecipientWishes, Wishes
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
