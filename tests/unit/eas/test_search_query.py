"""What people type, read as a query: every form once, and no text that breaks it."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.eas.search_query import DEPTH_MAX, PHRASES_MAX, TEXT_CHARS_MAX, parse
from appliance.items.search_query import (
    And,
    Field,
    HasAttachment,
    IsFlagged,
    IsRead,
    Not,
    Or,
    Phrase,
    Query,
    Received,
)

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)  # a Wednesday
A, B, C = Phrase("a"), Phrase("b"), Phrase("c")


def last(text: str, field: Field | None = None) -> Phrase:
    return Phrase(text, field, is_prefix=True)


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("vertrag", last("vertrag")),
        ("  vertrag  ", last("vertrag")),
        ("a b", And((A, last("b")))),
        ('"a b"', Phrase("a b")),
        ('"a b', Phrase("a b")),
        ("“a b” c", And((Phrase("a b"), last("c")))),
        ("„a b“", Phrase("a b")),
        ("a* b", And((last("a"), last("b")))),
        ('"a b*" "c"', And((Phrase("a b"), C))),
        ('"a b"*', last("a b")),
        ("a AND b", And((A, last("b")))),
        ("a OR b", Or((A, last("b")))),
        ("a or b", And((A, Phrase("or"), last("b")))),
        ("a OR b c", Or((A, And((B, last("c")))))),
        ("OR a OR OR b OR", Or((A, B))),
        ("(a OR b) c", And((Or((A, B)), last("c")))),
        ("((a))", A),
        (")a(", A),
        ("NOT a b", And((Not(A), last("b")))),
        ("NOT NOT a b", And((A, last("b")))),
        ("-a b", And((Not(A), last("b")))),
        ("+a -b", And((A, Not(last("b"))))),
        ('-"a b" c', And((Not(Phrase("a b")), last("c")))),
        ("-(a OR b) c", And((Not(Or((A, B))), last("c")))),
        ("e-mail a", And((Phrase("e-mail"), last("a")))),
        ("Re: offer", And((Phrase("Re:"), last("offer")))),
        ("12:30", last("12:30")),
        ("http://example.com/a", last("http://example.com/a")),
        ("anna@example.com", last("anna@example.com")),
        ("a<b>c", last("a<b>c")),
    ],
)
def test_words(text: str, query: Query):
    assert parse(text, NOW) == query


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ('from:"Jonas Brandt"', Phrase("Jonas Brandt", Field.FROM)),
        ("FROM:jonas", last("jonas", Field.FROM)),
        ("from: jonas", last("jonas", Field.FROM)),
        ("from=jonas", last("jonas", Field.FROM)),
        ("subject:x", last("x", Field.SUBJECT)),
        ("to:a cc:b", And((Phrase("a", Field.TO), last("b", Field.CC)))),
        ("body:a*", last("a", Field.BODY)),
        ("attachment:plan.pdf", last("plan.pdf", Field.ATTACHMENT)),
        ("recipients:a b", And((Or((Phrase("a", Field.TO), Phrase("a", Field.CC))), last("b")))),
        (
            "participants:a",
            Or((last("a", Field.FROM), last("a", Field.TO), last("a", Field.CC))),
        ),
        ("from:a from:b", Or((Phrase("a", Field.FROM), last("b", Field.FROM)))),
        (
            "from:a c from:b",
            And((Or((Phrase("a", Field.FROM), last("b", Field.FROM))), C)),
        ),
        ("from:a AND from:b", And((Phrase("a", Field.FROM), last("b", Field.FROM)))),
        ("from:a -from:b", And((Phrase("a", Field.FROM), Not(last("b", Field.FROM))))),
        ("from<>a b", And((Not(Phrase("a", Field.FROM)), last("b")))),
        ("from:(a OR b) c", And((Or((Phrase("a", Field.FROM), Phrase("b", Field.FROM))), last("c")))),
        ("from:", None),
        ("a from:", A),
        ("from:)", None),
        ("hasattachment:true", HasAttachment()),
        ("HasAttachments:No", HasAttachment(wanted=False)),
        ("-hasattachment:true", Not(HasAttachment())),
        ("isread:false a", And((IsRead(wanted=False), last("a")))),
        ("isflagged:1", IsFlagged()),
        ("hasattachment:maybe", last("hasattachment maybe")),
    ],
)
def test_properties(text: str, query: Query | None):
    assert parse(text, NOW) == query


@pytest.mark.parametrize(
    ("text", "since", "before"),
    [
        ("received>=2026-01-01", "2026-01-01", None),
        ("received>2026-01-01", "2026-01-02", None),
        ("received<2026-01-01", None, "2026-01-01"),
        ("received<=2026-01-01", None, "2026-01-02"),
        ("received:2026-01-01", "2026-01-01", "2026-01-02"),
        ("received=01/31/2026", "2026-01-31", "2026-02-01"),
        ("sent:31.1.2026", "2026-01-31", "2026-02-01"),
        ("date:2026-01-01..2026-01-31", "2026-01-01", "2026-02-01"),
        ("received>=2026-01-01T10:00:00Z", "2026-01-01T10:00:00", None),
        ("received>=2026-01-01T10:00:00+02:00", "2026-01-01T08:00:00", None),
        ("received:today", "2026-03-04", "2026-03-05"),
        ("received:yesterday", "2026-03-03", "2026-03-04"),
        ('received:"this week"', "2026-03-02", "2026-03-09"),
        ('received:"last week"', "2026-02-23", "2026-03-02"),
        ('received:"this month"', "2026-03-01", "2026-04-01"),
        ('received:"last month"', "2026-02-01", "2026-03-01"),
        ('received:"this year"', "2026-01-01", "2027-01-01"),
        ('received:"Last  Year"', "2025-01-01", "2026-01-01"),
    ],
)
def test_dates(text: str, since: str | None, before: str | None):
    expected = Received(since and day(since), before and day(before))  # type: ignore[arg-type]
    assert parse(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["received:soon", "received:2026-13-01", "received:9999-12-31", "received:0/0/2026", "date:1..2"]
)
def test_what_is_no_date_is_looked_for_as_it_stands(text: str):
    name, _, value = text.partition(":")
    assert parse(text, NOW) == last(f"{name} {value}")


@pytest.mark.parametrize("text", ["", "   ", "()", "((((", "NOT", "OR", "AND OR", "-", "from:()"])
def test_nothing_is_asked(text: str):
    query = parse(text, NOW)
    assert query is None or not any(c.isalnum() for p in phrases(query) for c in p.text)


def phrases(query: Query | None) -> list[Phrase]:
    match query:
        case Phrase():
            return [query]
        case And(parts) | Or(parts):
            return [phrase for part in parts for phrase in phrases(part)]
        case Not(part):
            return phrases(part)
    return []


def depth(query: Query | None) -> int:
    match query:
        case And(parts) | Or(parts):
            return 1 + max((depth(part) for part in parts), default=0)
        case Not(part):
            return 1 + depth(part)
    return 0


KQL = st.lists(
    st.sampled_from(
        [
            *('"', "(", ")", " ", "-", "+", "*", ":", "..", "<>", ">=", "OR", "AND", "NOT", "from"),
            *("received", "hasattachment", "true", "2026-01-01", "today", "a", "ß", "会議", "“", "\0", "\n"),
        ]
    ),
    max_size=60,
).map("".join)


@given(st.text(max_size=2_000) | KQL)
def test_any_text_is_a_bounded_query(text: str):
    query = parse(text, NOW)
    assert len(phrases(query)) <= 3 * PHRASES_MAX
    assert depth(query) <= 4 * (DEPTH_MAX + 1)
    assert sum(len(phrase.text) for phrase in phrases(query)) <= 3 * (TEXT_CHARS_MAX + 20)


@given(st.lists(st.text("abcdeäöü会議", min_size=1, max_size=8), min_size=1, max_size=8))
def test_plain_words_are_all_looked_for_and_only_the_last_is_a_beginning(words: list[str]):
    found = phrases(parse(" ".join(words), NOW))
    assert [phrase.text for phrase in found] == words
    assert [phrase.is_prefix for phrase in found] == [False] * (len(words) - 1) + [True]


@pytest.mark.parametrize(
    "piece", ["(", ")", '"', "-", "a ", "from:", "a OR ", "NOT ", "from:(", ":", "*", "received:"]
)
def test_the_length_of_a_text_has_no_price(piece: str):
    began = time.thread_time()
    parse(piece * 1_000_000, NOW)
    assert time.thread_time() - began < 2  # an exponential or quadratic reading takes minutes


def test_the_time_is_read_in_utc():
    zone = NOW.astimezone(tz=None) + timedelta(0)
    assert parse("received:today", zone) == Received(day("2026-03-04"), day("2026-03-05"))
