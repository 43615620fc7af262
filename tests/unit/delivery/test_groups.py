"""Groups: everybody once, nobody for ever, and only for whom they are meant."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.accounts import accounts, groups
from appliance.db.tables import MailGroup, MailGroupMember
from appliance.delivery import expansion, inbound, posting, submission
from appliance.delivery.posting import Sender
from appliance.delivery.routing import RouteKind
from appliance.errors import Conflict, InvalidInput, NotFound, PermanentFailure, TooLarge
from appliance.items.account import Account
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

OFFICE = f"office@{DOMAIN}"


def group(name: str, *members: str, senders: Senders = Senders.ANYONE) -> str:
    address = f"{name}@{DOMAIN}"
    groups.create(address, name="The Office", senders=senders)
    if members:
        groups.add_members(address, members)
    return address


def deliver(*names: str, raw: bytes | None = None, sender: str = OUTSIDE) -> None:
    inbound.deliver(envelope(*names, sender=sender), raw or mail("Plan"), hostname=HOSTNAME)


def send(who: Account, *to: str, subject: str = "Plan") -> submission.Submitted:
    raw = f"From: {who.address}\r\nTo: {', '.join(to)}\r\nSubject: {subject}\r\n\r\nx\r\n".encode()
    return submission.submit(who, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)


def queued() -> list[Entry]:
    with db.connection():
        return entries.list_entries()


def bytes_of(entry: Entry) -> bytes:
    with db.connection():
        return blobs.read(entry.digest)


def kind(path: str, reverse_path: str = OUTSIDE, who: Account | None = None) -> RouteKind:
    with db.connection():
        return posting.judge(path, Sender(reverse_path, who)).kind


def people(*addresses: str) -> set[object]:
    with db.connection():
        found = expansion.expand([groups.require(address) for address in addresses])
    assert len(found) == len({expansion.identity(each.route) for each in found})
    return {expansion.identity(each.route) for each in found}


# --- who gets it ----------------------------------------------------------------------------------


def test_members_here_and_outside_get_one_copy_each(anna: Account, ben: Account) -> None:
    accounts.add_alias(anna.id, f"info@{DOMAIN}")
    inner = group("inner", anna.address, "Carl@Example.NET", OUTSIDE)
    group("office", ben.address, f"info@{DOMAIN}", inner, "Carl@example.net")
    deliver("office", "inner", "anna", raw=mail("Plan"))
    assert subjects(anna.id) == subjects(ben.id) == ["Plan"]
    found = {(entry.forward_path, entry.domain, entry.reverse_path) for entry in queued()}
    assert found == {
        ("Carl@example.net", "example.net", f"office-bounces@{DOMAIN}"),
        (OUTSIDE, "example.net", f"inner-bounces@{DOMAIN}"),
    }
    assert raw_of(anna.id, listing(anna.id)[0].id).startswith(b"Return-Path: <outside@example.net>\r\nFrom:")


def test_an_open_group_says_that_it_is_a_list(anna: Account) -> None:
    group("office", anna.address, "carl@example.net")
    raw = b"List-Id: <inner.example.net>\r\nprecedence: bulk\r\n" + mail("Plan")
    deliver("office", raw=raw)
    (entry,) = queued()
    here = raw_of(anna.id, listing(anna.id)[0].id)
    for copy in (bytes_of(entry), here.partition(b"\r\n")[2]):
        assert copy.startswith(
            b'Delivered-To: office@example.test\r\nList-Id: "The Office"\r\n <office.example.test>\r\n'
            b"List-Post: <mailto:office@example.test>\r\nPrecedence: list\r\nFrom: "
        )
        assert b"inner.example.net" not in copy and b"bulk" not in copy


def test_a_group_for_ourselves_is_no_list(anna: Account, ben: Account) -> None:
    group("office", anna.address, ben.address, senders=Senders.INTERNAL)
    send(anna, OFFICE)
    raw = raw_of(ben.id, listing(ben.id)[0].id)
    assert raw.startswith(b"Delivered-To: office@example.test\r\nFrom: ") and b"List-Id" not in raw
    assert subjects(anna.id) == ["Plan"]


def test_two_groups_with_the_same_people_are_both_delivered(anna: Account) -> None:
    group("one", anna.address)
    group("two", anna.address)
    deliver("one", "two")
    assert subjects(anna.id) == ["Plan"]
    assert queued() == []  # and nobody is told that a group had no members


def test_a_group_without_members_is_reported(anna: Account) -> None:
    group("office")
    with pytest.raises(PermanentFailure):
        deliver("office")
    deliver("office", "anna")
    (entry,) = queued()
    assert (entry.reverse_path, entry.forward_path) == ("", OUTSIDE)
    assert b"The group has no members." in bytes_of(entry)


def test_members_who_have_gone_are_left_out(anna: Account, ben: Account) -> None:
    group("office", anna.address, ben.address)
    accounts.set_enabled(ben.id, False)
    deliver("office")
    assert (subjects(anna.id), subjects(ben.id), queued()) == (["Plan"], [], [])


def test_whoever_gets_the_address_later_is_not_in_the_group(anna: Account, ben: Account) -> None:
    group("office", anna.address, ben.address)
    accounts.delete(ben.id)
    later = account("ben")
    deliver("office")
    assert (subjects(later.id), subjects(anna.id)) == ([], ["Plan"])


def test_a_full_member_of_an_open_list_is_not_reported_to_strangers(anna: Account) -> None:
    full = account("full", quota_bytes=10)
    group("office", anna.address, full.address)
    deliver("office")
    assert (subjects(anna.id), queued()) == (["Plan"], [])


def test_a_full_member_of_a_group_of_ours_is_reported_to_the_colleague(anna: Account, ben: Account) -> None:
    full = account("full", quota_bytes=10)
    group("office", ben.address, full.address, senders=Senders.INTERNAL)
    send(anna, OFFICE)
    assert subjects(ben.id) == ["Plan"]
    assert subjects(anna.id) == ["Message could not be delivered"]


def test_junk_for_a_list_is_filed_as_junk_here_and_not_sent_to_others(anna: Account) -> None:
    group("office", anna.address, "carl@example.net")
    came = replace(envelope("office"), is_junk=True)
    inbound.deliver(came, mail("Win"), hostname=HOSTNAME)
    assert (subjects(anna.id), queued()) == ([], [])


# --- circles --------------------------------------------------------------------------------------


def test_groups_in_a_circle(anna: Account, ben: Account) -> None:
    one, two = group("one", anna.address), group("two", ben.address)
    groups.add_members(one, [two])
    groups.add_members(two, [one])
    deliver("one")
    assert subjects(anna.id) == subjects(ben.id) == ["Plan"]


@pytest.mark.parametrize("field", [f"Delivered-To: Office@{DOMAIN.upper()}", f"List-Id: x <office.{DOMAIN}>"])
def test_what_was_at_a_group_before_is_refused(anna: Account, field: str) -> None:
    group("office", anna.address)
    with pytest.raises(PermanentFailure):
        deliver("office", raw=field.encode() + b"\r\n" + mail("Plan"))
    assert subjects(anna.id) == []


def test_a_copy_that_comes_back_stops(anna: Account) -> None:
    group("office", anna.address, "carl@example.net")
    deliver("office")
    with pytest.raises(PermanentFailure):
        deliver("office", raw=bytes_of(queued()[0]), sender=f"office-bounces@{DOMAIN}")


def test_any_graph_of_groups_ends_and_reaches_everybody_once(anna: Account) -> None:
    """The model: reachability in a graph, bounded by the depth of the guard."""
    names = [f"g{number}@{DOMAIN}" for number in range(5)]
    for name in names:
        groups.create(name, senders=Senders.ANYONE)
    outside = [f"p{number}@example.net" for number in range(4)]

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.lists(st.tuples(st.sampled_from(names), st.sampled_from([*names, *outside])), max_size=15))
    def check(edges: list[tuple[str, str]]) -> None:
        _write(edges)
        reached, level = set(), {names[0]}
        opened = set(level)
        while level:
            below = {to for start, to in edges if start in level and start != to}
            reached |= below - set(names)
            level = below & set(names) - opened
            opened |= level
        assert people(names[0]) == {(each.partition("@")[0], "example.net") for each in reached}

    @db.transaction
    def _write(edges: list[tuple[str, str]]) -> None:
        MailGroupMember.delete().execute()
        for start, to in edges:
            if start != to:
                groups.add_members(start, [to])

    check()


def test_the_depth_of_groups_is_bounded(anna: Account) -> None:
    names = [group(f"level{number}") for number in range(expansion.DEPTH_MAX + 2)]
    for outer, inner in itertools.pairwise(names):
        groups.add_members(outer, [inner])
    groups.add_members(names[-1], [anna.address])
    assert people(names[0]) == set()
    assert people(names[2]) == {anna.id}


def test_a_large_group_costs_a_few_reads(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    group("office", anna.address, *(f"p{number}@example.net" for number in range(600)))
    execute, statements = db.proxy.execute_sql, []

    def counted(sql: str, *arguments: object, **options: object) -> object:
        statements.append(sql)
        return execute(sql, *arguments, **options)

    monkeypatch.setattr(db.proxy.obj, "execute_sql", counted)
    assert len(people(OFFICE)) == 601
    assert len(statements) <= 8


def test_there_is_a_ceiling(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "RECIPIENTS_MAX", 2)
    group("office", "a@example.net", "b@example.net", "c@example.net")
    with pytest.raises(TooLarge):
        deliver("office")


# --- who may write to it --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("senders", "stranger", "outside_member", "forger", "colleague", "member"),
    [
        (Senders.ANYONE, True, True, True, True, True),
        (Senders.INTERNAL, False, False, False, True, True),
        (Senders.MEMBERS, False, True, False, False, True),
    ],
)
def test_who_may_write_to_a_group(
    anna: Account,
    ben: Account,
    senders: Senders,
    stranger: bool,
    outside_member: bool,
    forger: bool,
    colleague: bool,
    member: bool,
) -> None:
    group("office", anna.address, "carl@example.net", senders=senders)
    may = {True: RouteKind.GROUP, False: RouteKind.NOT_ALLOWED}
    assert kind(OFFICE, "eve@example.org") is may[stranger]
    assert kind(OFFICE, "Carl@EXAMPLE.net") is may[outside_member]
    assert kind(OFFICE, anna.address) is may[forger]  # nobody is signed in
    assert kind(OFFICE, ben.address, ben) is may[colleague]
    assert kind(OFFICE, anna.address, anna) is may[member]


def test_a_letter_to_a_group_that_is_not_for_the_sender_is_reported(anna: Account, ben: Account) -> None:
    group("office", ben.address, senders=Senders.MEMBERS)
    outcome = send(anna, OFFICE)
    assert (outcome.local, outcome.refused) == (0, 1)
    assert (subjects(ben.id), subjects(anna.id)) == ([], ["Message could not be delivered"])


def test_reports_never_reach_members(anna: Account, ben: Account) -> None:
    boss = account("boss", is_admin=True)
    group("office", anna.address, senders=Senders.INTERNAL)
    deliver("office", sender="")
    deliver("office-bounces", sender="mailer@example.net")
    assert (subjects(anna.id), len(subjects(boss.id))) == ([], 2)
    groups.change(OFFICE, owner=ben)
    deliver("office-bounces", sender="")
    assert subjects(ben.id) == ["Plan"]
    accounts.set_enabled(ben.id, False)
    deliver("office-bounces", sender="")
    assert len(subjects(boss.id)) == 3


def test_writing_in_the_name_of_a_group(anna: Account, ben: Account) -> None:
    group("office", anna.address, ben.address)
    groups.add_members(OFFICE, [anna.address], may_send_as=True)
    raw = f"From: Office <{OFFICE}>\r\nTo: carl@example.net\r\nSubject: x\r\n\r\nx\r\n".encode()
    for who, name in ((anna, OFFICE), (ben, ben.address)):
        submission.submit(who, raw, hostname=HOSTNAME, now=NOW, save_in_sent=False)
        entry = queued()[-1]
        assert f"<{name}>".encode() in bytes_of(entry) or name.encode() in bytes_of(entry)
        assert entry.reverse_path == who.address
    with db.connection():
        assert posting.may_send_as(anna, OFFICE.upper()) and not posting.may_send_as(ben, OFFICE)


# --- keeping them ---------------------------------------------------------------------------------


def test_an_address_is_somebody_s_or_a_group_s(anna: Account) -> None:
    group("office")
    for taken in (OFFICE, f"office-bounces@{DOMAIN}"):
        with pytest.raises(Conflict):
            accounts.add_alias(anna.id, taken)
    with pytest.raises(Conflict):
        groups.create(anna.address)
    accounts.add_alias(anna.id, f"team-bounces@{DOMAIN}")
    with pytest.raises(Conflict):
        groups.create(f"team@{DOMAIN}")
    with pytest.raises(InvalidInput):
        groups.create("office@example.net")
    groups.remove(OFFICE)
    accounts.add_alias(anna.id, OFFICE)


def test_what_cannot_be_a_member(anna: Account) -> None:
    group("office")
    with pytest.raises(NotFound):
        groups.add_members(OFFICE, [f"nobody@{DOMAIN}"])
    for wrong in (OFFICE, "no address", "x@example.net\r\nBcc: eve@example.org", "a@b\0"):
        with pytest.raises(InvalidInput):
            groups.add_members(OFFICE, [wrong])
    with pytest.raises(NotFound):
        groups.remove_member(OFFICE, anna.address)


@pytest.mark.parametrize("name", ["x\r\nBcc: eve@example.org", "a\nb", "\0", "a\x85b", "x" * 300])
def test_a_name_cannot_add_fields(store: object, name: str) -> None:
    with pytest.raises(InvalidInput):
        groups.create(OFFICE, name=name)


@pytest.mark.parametrize("name", ['Büro "Nord" <eve@example.org>', "=?utf-8?q?x?=", "a,b;c:d", "日本"])
def test_any_name_is_one_field(anna: Account, name: str) -> None:
    groups.create(OFFICE, name=name, senders=Senders.ANYONE)
    groups.add_members(OFFICE, [anna.address])
    deliver("office")
    raw = raw_of(anna.id, listing(anna.id)[0].id)
    head = raw.partition(b"\r\nPrecedence: list\r\n")[0].split(b"\r\n")
    assert [line.split(b":")[0] for line in head if not line.startswith(b" ")] == [
        b"Return-Path", b"Delivered-To", b"List-Id", b"List-Post",
    ]  # fmt: skip
    assert raw.count(b"<office.example.test>") == 1


def test_removing_a_group_leaves_nothing(anna: Account) -> None:
    inner = group("inner", anna.address)
    group("office", inner)
    groups.remove(inner)
    with db.connection():
        assert not MailGroupMember.select().exists()
        assert MailGroup.select().count() == 1
