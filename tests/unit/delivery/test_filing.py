"""What rules, blocked senders and filters make of a message: a table, and what is then in the folders."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import db
from appliance.accounts import accounts, groups, out_of_office, rules, sender_lists
from appliance.accounts.forwards import Forward
from appliance.accounts.out_of_office import Audience, OutOfOffice, Reply, State
from appliance.delivery import filing, inbound, submission
from appliance.delivery.filing import JUNK, PLAIN, Facts, Filing
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.folder import JUNK_NAME, FolderType
from appliance.items.group import Senders
from appliance.items.rule import COMPARES_OF, Action, Compare, Condition, Deed, Field, Rule
from appliance.mime.headers import parse_headers
from appliance.queue import entries
from appliance.store import folders, messages
from tests.unit.store.mailbox import (
    DOMAIN,
    HOSTNAME,
    NOW,
    OUTSIDE,
    account,
    envelope,
    listing,
    mail,
    subjects,
)

HEADER = (
    "From: Ada Lovelace <Ada@Example.NET>\r\nTo: anna@example.test, Ben <ben@example.test>\r\n"
    "Cc: carl@example.org\r\nSubject: =?utf-8?q?Bericht_f=C3=BCr_M=C3=A4rz?=\r\n"
    "List-Id: Roof <roof.example.net>\r\nX-Ticket: URGENT 7\r\n\r\n"
)
FACTS = Facts(parse_headers(HEADER.encode()), size=5_000, has_attachments=True, detail="shop")


def when(field: str, test: str, value: str, header: str = "") -> Condition:
    return Condition(Field(field), Compare(test), value, header)


def rule(number: int, conditions: list[Condition], *actions: Action, is_enabled: bool = True) -> Rule:
    return Rule(number, number, "", is_enabled, tuple(conditions), actions)


READ, STOP, DISCARD = Action(Deed.MARK_READ), Action(Deed.STOP), Action(Deed.DISCARD)


def holds(*conditions: Condition) -> bool:
    return filing.judge(FACTS, [rule(1, list(conditions), READ)]).is_read


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (when("from", "equals", "ADA@example.net"), True),
        (when("from", "contains", "lovelace"), True),
        (when("from", "begins", "ada l"), True),
        (when("from", "equals", "ada"), False),
        (when("to", "equals", "ben@example.test"), True),
        (when("to", "contains", "carl@"), True),
        (when("to", "contains", "ada"), False),
        (when("subject", "contains", "für märz"), True),
        (when("subject", "begins", "MÄRZ"), False),
        (when("list-id", "equals", "roof.example.net"), True),
        (when("list-id", "contains", "roof.example"), True),
        (when("header", "begins", "urgent", "x-ticket"), True),
        (when("header", "contains", "urgent", "X-Other"), False),
        (when("detail", "equals", "SHOP"), True),
        (when("size", "over", "4999"), True),
        (when("size", "over", "5000"), False),
        (when("size", "under", "5001"), True),
        (when("attachment", "is", "yes"), True),
        (when("attachment", "is", "no"), False),
        (when("subject", "contains", ".*"), False),
    ],
)
def test_comparing(condition: Condition, expected: bool) -> None:
    assert holds(condition) is expected


def test_all_conditions_must_hold() -> None:
    both = [when("from", "contains", "ada"), when("size", "over", "1")]
    assert holds() and holds(*both)
    assert not holds(*both, when("attachment", "is", "no"))


def test_rules_follow_one_another() -> None:
    first = rule(1, [], Action(Deed.MOVE, "7"), Action(Deed.CATEGORISE, "Red"), Action(Deed.FLAG))
    second = rule(2, [], Action(Deed.MOVE, "8"), Action(Deed.CATEGORISE, "Red"), READ, STOP)
    third = rule(3, [], DISCARD)
    found = filing.judge(FACTS, [first, second, third])
    assert found == Filing(
        move=filing.Move(7, 1), is_read=True, is_flagged=True, categories=("Red",), rules=(1, 2)
    )
    assert filing.judge(FACTS, [rule(1, [], DISCARD, is_enabled=False)]) == PLAIN
    gone = filing.judge(FACTS, [third], forward=Forward("a@b.example", keeps_copy=True))
    assert (gone.is_kept, gone.sends, gone.answers) == (False, (), False)


@pytest.mark.parametrize(
    ("is_junk", "is_blocked", "is_filed_as_junk"),
    [
        (True, None, True),
        (True, False, False),
        (True, True, True),
        (False, True, True),
        (False, False, False),
        (False, None, False),
    ],
)
def test_junk_blocked_and_safe(is_junk: bool, is_blocked: bool | None, is_filed_as_junk: bool) -> None:
    sending = rule(1, [], Action(Deed.FORWARD, "x@example.org"), READ)
    found = filing.judge(
        FACTS, [sending], is_junk=is_junk, is_blocked=is_blocked, forward=Forward("y@example.org", True)
    )
    assert (found == JUNK) is is_filed_as_junk
    assert bool(found.sends) is not is_filed_as_junk


@pytest.mark.parametrize("is_blocked", [None, False, True])
def test_a_word_for_a_sender_is_none_for_who_takes_his_name(is_blocked: bool | None) -> None:
    sending = rule(1, [], Action(Deed.FORWARD, "x@example.org"), READ)
    found = filing.judge(FACTS, [sending], is_junk=True, is_disowned=True, is_blocked=is_blocked)
    assert found == JUNK


@given(
    st.lists(
        st.builds(
            lambda field, value, header: Condition(field, COMPARES_OF[field][0], value, header),
            st.sampled_from([f for f in Field if f not in (Field.SIZE, Field.ATTACHMENT)]),
            st.text(min_size=1, max_size=50),
            st.sampled_from(["Subject", "X-Ticket"]),
        ),
        max_size=5,
    ),
    st.binary(max_size=300),
)
def test_any_rule_judges_any_message(conditions: list[Condition], raw: bytes) -> None:
    facts = Facts(parse_headers(raw), len(raw), False)
    assert filing.judge(facts, [rule(1, conditions, READ)]).is_kept


# --- in the folders -------------------------------------------------------------------------------


def deliver(*names: str, raw: bytes | None = None, is_junk: bool = False) -> None:
    came = replace(envelope(*names), is_junk=is_junk)
    inbound.deliver(came, raw or mail("Plan"), hostname=HOSTNAME)


def folder(owner: Account, name: str = "Projects") -> int:
    return folders.create(owner.id, 0, name, FolderType.USER_MAIL).id


def junk(owner: Account) -> int:
    with db.connection():
        found = folders.by_name(owner.id, JUNK_NAME)
    assert found is not None
    return found.id


def test_a_rule_does_everything_it_says(anna: Account, ben: Account) -> None:
    projects = folder(anna)
    rules.add(
        anna.id,
        [when("subject", "contains", "plan")],
        [Action(Deed.MOVE, str(projects)), READ, Action(Deed.FLAG), Action(Deed.CATEGORISE, "Red")],
    )
    deliver("anna", "ben")
    (item,) = listing(anna.id, projects)
    assert (item.is_read, item.flag is not None, item.categories) == (True, True, ("Red",))
    assert (subjects(anna.id), subjects(ben.id)) == ([], ["Plan"])
    deliver("anna", raw=mail("Other"))
    assert subjects(anna.id) == ["Other"]


@pytest.mark.parametrize("way", ["submission", "group", "alias"])
def test_every_way_in_asks_the_rules(anna: Account, ben: Account, way: str) -> None:
    projects = folder(anna)
    rules.add(anna.id, [], [Action(Deed.MOVE, str(projects))])
    accounts.add_alias(anna.id, f"info@{DOMAIN}")
    groups.create(f"office@{DOMAIN}")
    groups.add_members(f"office@{DOMAIN}", [anna.address])
    to = {"submission": anna.address, "group": f"office@{DOMAIN}", "alias": f"info@{DOMAIN}"}[way]
    for who in (ben, anna):
        raw = f"From: {who.address}\r\nTo: {to}\r\nSubject: Plan\r\n\r\nx\r\n".encode()
        submission.submit(who, raw, hostname=HOSTNAME, now=NOW, save_in_sent=True)
    assert [found.subject for found in listing(anna.id, projects)] == ["Plan", "Plan"]
    assert subjects(anna.id) == []


def test_rules_see_what_a_list_says_of_itself(anna: Account, ben: Account) -> None:
    """The fields a group puts in front are part of the copy its members get."""
    groups.create(f"office@{DOMAIN}", senders=Senders.ANYONE)
    groups.add_members(f"office@{DOMAIN}", [anna.address, ben.address])
    rules.add(
        anna.id,
        [when("list-id", "equals", f"office.{DOMAIN}"), when("header", "contains", "office@", "List-Post")],
        [Action(Deed.MOVE, str(folder(anna)))],
    )
    deliver("office", raw=b"List-Id: <other.example.net>\r\n" + mail("Plan"))
    deliver("anna", raw=mail("Alone"))
    assert (subjects(anna.id), subjects(ben.id)) == (["Alone"], ["Plan"])


def test_the_detail_of_the_address_is_asked(anna: Account) -> None:
    rules.add(anna.id, [when("detail", "equals", "shop")], [Action(Deed.MOVE, str(folder(anna)))])
    deliver("anna+Shop")
    deliver("anna+bank", raw=mail("Bank"))
    assert subjects(anna.id) == ["Bank"]


def test_a_folder_that_is_gone_is_the_inbox_and_the_rule_says_so(anna: Account) -> None:
    projects = folder(anna)
    made = rules.add(anna.id, [], [Action(Deed.MOVE, str(projects)), READ])
    messages.delete_folder(anna.id, projects)
    deliver("anna")
    (item,) = listing(anna.id)
    assert item.is_read
    with db.connection():
        assert "folder is gone" in rules.get(anna.id, made.id).trouble


def test_discarded_mail_is_nowhere(anna: Account, ben: Account) -> None:
    rules.add(anna.id, [when("from", "equals", OUTSIDE)], [DISCARD])
    deliver("anna")
    deliver("anna", "ben")
    assert (listing(anna.id), subjects(ben.id)) == ([], ["Plan"])
    with db.connection():
        assert entries.list_entries() == []


def test_junk_goes_to_its_folder_and_nothing_answers(anna: Account) -> None:
    out_of_office.save(
        anna.id, OutOfOffice(State.ON, replies={each: Reply(True, "Away", False) for each in Audience})
    )
    deliver("anna", is_junk=True)
    sender_lists.put(anna.id, OUTSIDE.upper(), is_blocked=True)
    deliver("anna", raw=mail("Blocked"))
    assert sorted(item.subject for item in listing(anna.id, junk(anna))) == ["Blocked", "Plan"]
    with db.connection():
        assert entries.list_entries() == []
    sender_lists.put(anna.id, OUTSIDE, is_blocked=False)
    deliver("anna", raw=mail("Safe"), is_junk=True)
    assert subjects(anna.id) == ["Safe"]
    with db.connection():
        assert len(entries.list_entries()) == 1


def test_an_address_counts_more_than_its_domain(anna: Account) -> None:
    sender_lists.put(anna.id, "@Example.net", is_blocked=True)
    sender_lists.put(anna.id, OUTSIDE, is_blocked=False)
    deliver("anna")
    deliver("anna", raw=b"From: eve@example.net\r\nSubject: Eve\r\n\r\nx\r\n")
    assert (subjects(anna.id), len(listing(anna.id, junk(anna)))) == (["Plan"], 1)
    sender_lists.remove(anna.id, "@example.net")
    with pytest.raises(NotFound):
        sender_lists.remove(anna.id, "@example.net")


# --- what may be a rule ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "action"),
    [
        (when("subject", "contains", ""), READ),
        (when("subject", "over", "1"), READ),
        (when("subject", "contains", "a\r\nb"), READ),
        (when("subject", "contains", "x" * 300), READ),
        (when("size", "over", "much"), READ),
        (when("size", "over", "-1"), READ),
        (when("attachment", "is", "perhaps"), READ),
        (when("header", "contains", "x"), READ),
        (when("header", "contains", "x", "X-A: b\r\nBcc"), READ),
        (when("from", "contains", "x", "X-A"), READ),
        (when("from", "contains", "x"), Action(Deed.MARK_READ, "why")),
        (when("from", "contains", "x"), Action(Deed.MOVE, "Inbox")),
        (when("from", "contains", "x"), Action(Deed.FORWARD, "")),
        (when("from", "contains", "x"), Action(Deed.FORWARD, "a@b.example\r\nRCPT TO:<c@d.example>")),
        (when("from", "contains", "x"), Action(Deed.REDIRECT, "nobody")),
        (when("from", "contains", "x"), Action(Deed.CATEGORISE, "a\nb")),
    ],
)
def test_what_is_no_rule(anna: Account, condition: Condition, action: Action) -> None:
    with pytest.raises(InvalidInput):
        rules.add(anna.id, [condition], [action])
    with db.connection():
        assert rules.list_of(anna.id) == []


def test_ceilings(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    one = when("from", "contains", "x")
    for conditions, actions in (
        ([one] * 11, [READ]),
        ([one], []),
        ([one], [READ] * 9),
        ([one], [Action(Deed.FORWARD, f"a{n}@b.example") for n in range(4)]),
    ):
        with pytest.raises(InvalidInput):
            rules.add(anna.id, conditions, actions)
    monkeypatch.setattr(rules, "RULES_MAX", 1)
    rules.add(anna.id, [one], [READ])
    with pytest.raises(Conflict):
        rules.add(anna.id, [one], [READ])


def test_another_account_s_rules_and_folders_are_not_there(anna: Account, ben: Account) -> None:
    theirs = folder(ben)
    made = rules.add(ben.id, [], [READ])
    for attempt in (
        lambda: rules.add(anna.id, [], [Action(Deed.MOVE, str(theirs))]),
        lambda: rules.remove(anna.id, made.id),
        lambda: rules.move(anna.id, made.id, 1),
        lambda: rules.set_enabled(anna.id, made.id, False),
        lambda: rules.add(999, [], [READ]),
    ):
        with pytest.raises(NotFound):
            attempt()


def test_the_order_is_kept(anna: Account) -> None:
    first, second = (rules.add(anna.id, [], [READ], name=name).id for name in ("a", "b"))
    third = rules.add(anna.id, [], [READ], name="c", position=1).id

    def order() -> list[tuple[int, int]]:
        with db.connection():
            return [(each.id, each.position) for each in rules.list_of(anna.id)]

    assert order() == [(third, 1), (first, 2), (second, 3)]
    rules.move(anna.id, third, 99)
    rules.remove(anna.id, first)
    assert order() == [(second, 1), (third, 2)]


def test_a_full_mailbox_with_a_rule_is_full(anna: Account) -> None:
    full = account("full", quota_bytes=10)
    rules.add(full.id, [], [READ])
    deliver("anna", "full")
    assert subjects(anna.id) == ["Plan"]
    with db.connection():
        assert len(entries.list_entries()) == 1
