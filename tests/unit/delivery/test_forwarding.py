"""Mail sent on: under which name it leaves, what comes back, and that it does not go round in circles."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from appliance import db
from appliance.accounts import accounts, forwards, groups, rules
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import ReturnPath
from appliance.delivery import inbound, posting, return_paths, settle, submission
from appliance.delivery.posting import Sender
from appliance.delivery.routing import RouteKind
from appliance.errors import InvalidInput, NotFound, PermanentFailure
from appliance.items.account import Account
from appliance.items.group import Senders
from appliance.items.rule import Action, Deed
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
    mail,
    subjects,
)

HOME = "anna@home.example"


def deliver(*names: str, raw: bytes | None = None, sender: str = OUTSIDE) -> None:
    inbound.deliver(envelope(*names, sender=sender), raw or mail("Plan"), hostname=HOSTNAME)


def queued() -> list[Entry]:
    with db.connection():
        return entries.list_entries()


def bytes_of(entry: Entry) -> bytes:
    with db.connection():
        return blobs.read(entry.digest)


def judged(path: str, reverse_path: str = "") -> posting.Route:
    with db.connection():
        return posting.judge(path, Sender(reverse_path))


@pytest.fixture
def away(anna: Account) -> Account:
    forwards.put(anna.id, HOME, keeps_copy=True)
    return anna


# --- out ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_copy", [True, False])
def test_mail_is_sent_on_from_an_address_of_ours(anna: Account, keeps_copy: bool) -> None:
    forwards.put(anna.id, HOME, keeps_copy=keeps_copy)
    raw = mail("Plan")
    deliver("anna+x", raw=raw)
    (entry,) = queued()
    assert (entry.forward_path, entry.domain) == (HOME, "home.example")
    assert entry.reverse_path.startswith("SRS0=") and entry.reverse_path.endswith(
        f"=example.net=outside@{DOMAIN}"
    )
    assert bytes_of(entry) == b"Delivered-To: anna@example.test\r\n" + raw  # signatures of it still hold
    assert subjects(anna.id) == (["Plan"] if keeps_copy else [])


def test_our_own_people_s_mail_and_reports_keep_their_reverse_path(away: Account, ben: Account) -> None:
    raw = f"From: {ben.address}\r\nTo: {away.address}\r\nSubject: x\r\n\r\nx\r\n".encode()
    submission.submit(ben, raw, hostname=HOSTNAME, now=NOW, save_in_sent=False)
    deliver("anna", sender="")
    assert [entry.reverse_path for entry in queued()] == [ben.address, ""]


def test_sent_on_to_somebody_here(anna: Account, ben: Account) -> None:
    forwards.put(anna.id, f"Ben+anna@{DOMAIN}", keeps_copy=False)
    deliver("anna", "ben")
    assert (subjects(anna.id), subjects(ben.id), queued()) == ([], ["Plan"], [])


def test_sent_on_to_nobody_stays(anna: Account, ben: Account) -> None:
    forwards.put(anna.id, ben.address, keeps_copy=False)
    accounts.delete(ben.id)
    deliver("anna")
    assert (subjects(anna.id), queued()) == (["Plan"], [])


def test_sent_on_to_a_group_and_through_one(anna: Account, ben: Account) -> None:
    groups.create(f"office@{DOMAIN}", senders=Senders.ANYONE)
    groups.add_members(f"office@{DOMAIN}", [ben.address, anna.address, "carl@example.org"])
    forwards.put(anna.id, f"office@{DOMAIN}", keeps_copy=False)
    deliver("anna")
    assert subjects(ben.id) == ["Plan"] and subjects(anna.id) == []
    (entry,) = queued()
    assert entry.reverse_path == f"office-bounces@{DOMAIN}"
    forwards.put(anna.id, HOME, keeps_copy=False)
    deliver("office", raw=mail("More"))
    found = {entry.forward_path: entry for entry in queued() if b"More" in bytes_of(entry)}
    assert found[HOME].reverse_path == f"office-bounces@{DOMAIN}"
    assert bytes_of(found[HOME]).startswith(
        b"Delivered-To: anna@example.test\r\nDelivered-To: office@example.test\r\nList-Id: "
    )


# --- circles --------------------------------------------------------------------------------------


def test_two_who_forward_to_each_other(anna: Account, ben: Account) -> None:
    forwards.put(anna.id, ben.address, keeps_copy=False)
    forwards.put(ben.id, anna.address, keeps_copy=False)
    deliver("anna")
    assert sorted([*subjects(anna.id), *subjects(ben.id)]) == ["Plan"], "once, and not lost"


def test_a_circle_among_other_recipients_loses_nobody_s_mail(anna: Account, ben: Account) -> None:
    """Whoever keeps nothing sends it to somebody who has it, or keeps it after all."""
    carl, dora = account("carl"), account("dora")
    groups.create(f"self@{DOMAIN}", senders=Senders.ANYONE)
    groups.add_members(f"self@{DOMAIN}", [dora.address])
    forwards.put(anna.id, ben.address, keeps_copy=False)
    forwards.put(ben.id, anna.address, keeps_copy=False)
    forwards.put(dora.id, f"self@{DOMAIN}", keeps_copy=False)
    deliver("carl", "anna", "dora")
    assert subjects(carl.id) == subjects(dora.id) == ["Plan"]
    assert len([*subjects(anna.id), *subjects(ben.id)]) == 1
    forwards.put(ben.id, carl.address, keeps_copy=False)
    deliver("carl", "anna", raw=mail("More"))
    assert subjects(carl.id) == ["More", "Plan"]
    assert "More" not in [*subjects(anna.id), *subjects(ben.id)]


def test_a_chain_that_is_too_long_ends_with_somebody(store: object) -> None:
    chain = [account(f"c{number}") for number in range(12)]
    for one, other in itertools.pairwise(chain):
        forwards.put(one.id, other.address, keeps_copy=False)
    deliver("c0")
    assert [subjects(each.id) for each in chain].count(["Plan"]) == 1


def test_what_comes_back_stays(anna: Account) -> None:
    forwards.put(anna.id, HOME, keeps_copy=False)
    deliver("anna")
    deliver("anna", raw=bytes_of(queued()[0]), sender="someone@home.example")
    assert len(queued()) == 1
    assert subjects(anna.id) == ["Plan"]


def test_nobody_forwards_to_oneself(anna: Account) -> None:
    accounts.add_alias(anna.id, f"info@{DOMAIN}")
    for own in (f"Info+x@{DOMAIN}", "no address", "x@example.net\r\nBcc: e@example.org", ""):
        with pytest.raises(InvalidInput):
            forwards.put(anna.id, own, keeps_copy=True)
    with pytest.raises(NotFound):
        forwards.remove(anna.id)


# --- what comes back ------------------------------------------------------------------------------


def wrapped(sender: str = OUTSIDE) -> str:
    return return_paths.rewritten(sender, DOMAIN, SYSTEM_CLOCK.now())


@pytest.mark.parametrize("sender", ["Ada+x=y@Example.NET", f"{'long' * 14}+tag=1@example.net"])
def test_a_report_finds_the_sender(away: Account, sender: str) -> None:
    path = wrapped(sender)
    found = judged(path)
    assert (found.kind, found.address, found.domain) == (RouteKind.RETURN, sender, "example.net")
    inbound.deliver(envelope(path, sender=""), mail("Report"), hostname=HOSTNAME)
    (entry,) = queued()
    assert (entry.reverse_path, entry.forward_path, entry.domain) == ("", sender, "example.net")
    assert subjects(away.id) == []


def test_a_report_of_our_own_finds_the_sender(away: Account) -> None:
    """The other server refuses what we sent on: whoever wrote hears of it, not whoever forwards."""
    now = SYSTEM_CLOCK.now()
    inbound.deliver(replace(envelope("anna"), received_at=now), mail(), hostname=HOSTNAME)
    (entry,) = entries.claim(now, limit=1, lease_s=60)
    settle.failed(entry, "550 5.1.1 no such user", "mx.home.example", hostname=HOSTNAME, now=now)
    (report,) = queued()
    assert (report.reverse_path, report.forward_path) == ("", OUTSIDE)
    assert f"To: {OUTSIDE}".encode() in bytes_of(report) and b"SRS0" not in bytes_of(report)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.replace("outside", "victim"),
        lambda path: path.replace("example.net", "example.org"),
        lambda path: "SRS0=AAAAAAAA" + path[13:],
        lambda path: path.replace("SRS0", "SRS1"),
        lambda path: path[:14] + "AA" + path[16:],
        lambda path: f"SRS0=x@{DOMAIN}",
        lambda path: f"SRS1=a=b==c@{DOMAIN}",
    ],
)
def test_forged_and_stale_ones_are_nobody_s(anna: Account, change: object) -> None:
    path = change(wrapped())  # type: ignore[operator]
    assert judged(path).kind is RouteKind.UNKNOWN
    with pytest.raises(PermanentFailure):
        inbound.deliver(envelope(path, sender=""), mail(), hostname=HOSTNAME)
    old = return_paths.rewritten(OUTSIDE, DOMAIN, SYSTEM_CLOCK.now() - timedelta(days=30))
    assert judged(old).kind is RouteKind.UNKNOWN


@pytest.mark.parametrize("sender", [OUTSIDE, f"anna@{DOMAIN}", "eve@example.org"])
def test_only_reports_come_back_this_way(anna: Account, sender: str) -> None:
    """Or whoever was sent such an address could have us relay for three weeks."""
    assert judged(wrapped(), sender).kind is RouteKind.NOT_ALLOWED
    with pytest.raises(PermanentFailure):
        inbound.deliver(envelope(wrapped(), sender=sender), mail(), hostname=HOSTNAME)
    with db.connection():
        assert posting.judge(wrapped(), Sender(anna.address, anna)).kind is RouteKind.NOT_ALLOWED
    assert queued() == []


def test_long_reverse_paths_are_kept_once_and_forgotten(anna: Account) -> None:
    long = f"{'x' * 60}@example.net"
    assert wrapped(long).split("==")[1] == wrapped(long).split("==")[1]
    later = SYSTEM_CLOCK.now() + timedelta(days=60)
    return_paths.rewritten(f"{'y' * 60}@example.net", DOMAIN, later)
    with db.connection():
        assert [row[0][0] for row in ReturnPath.select(ReturnPath.address).tuples()] == ["y"]


# --- restraint ------------------------------------------------------------------------------------


def test_junk_is_not_sent_on(away: Account) -> None:
    rules.add(away.id, [], [Action(Deed.FORWARD, "carl@example.org")])
    inbound.deliver(replace(envelope("anna"), is_junk=True), mail("Plan"), hostname=HOSTNAME)
    assert (queued(), subjects(away.id)) == ([], [])


def test_one_copy_however_many_ways_lead_there(away: Account) -> None:
    rules.add(away.id, [], [Action(Deed.FORWARD, HOME), Action(Deed.FORWARD, "anna@HOME.example")])
    groups.create(f"office@{DOMAIN}", senders=Senders.ANYONE)
    groups.add_members(f"office@{DOMAIN}", [HOME, away.address])
    deliver("anna", "office")
    assert [entry.forward_path for entry in queued()] == [HOME]
    assert subjects(away.id) == ["Plan"]
