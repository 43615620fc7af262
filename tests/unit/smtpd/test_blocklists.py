"""Block lists: what counts as a listing, and lists that cannot be used."""

from collections.abc import Sequence

import pytest

from appliance.settings import Filter
from smtpd.blocklists import TEST_AGAIN_S, Blocklists
from tests.fixtures.sender_records import Asked, Records
from tests.fixtures.strangers import everybody

CLIENT = "192.0.2.99"


def zone(
    name: str, *listed: str, test: Sequence[str] = ("127.0.0.2",)
) -> dict[tuple[str, str], Sequence[str]]:
    """Return a list's records: its test entry, and the clients it names."""
    records = {(f"2.0.0.127.{name}", "A"): test}
    for ip in listed:
        records[(".".join(reversed(ip.split("."))) + f".{name}", "A")] = ("127.0.0.4",)
    return records


def lists(records: Records, *zones: str) -> tuple[Blocklists, Asked]:
    asked = Asked(records)
    return Blocklists(zones, asked), asked


def test_listings_in_their_order() -> None:
    records = {**zone("a.example", CLIENT), **zone("b.example"), **zone("c.example", CLIENT)}
    found, _ = lists(records, "c.example", "b.example", "a.example")
    assert found.listings(CLIENT) == ("c.example", "a.example")
    assert found.listings("192.0.2.98") == ()


def test_no_lists_ask_nobody() -> None:
    found, asked = lists({})
    assert found.listings(CLIENT) == ()
    assert asked.questions == []


@pytest.mark.parametrize("answer", ["127.255.255.254", "127.255.255.252", "192.0.2.1", "127.1.0.2"])
def test_an_answer_that_is_none_is_never_a_listing(answer: str) -> None:
    records = zone("a.example", CLIENT)
    records[("99.2.0.192.a.example", "A")] = (answer,)
    assert lists(records, "a.example")[0].listings(CLIENT) == ()


@pytest.mark.parametrize(
    "records",
    [
        zone("a.example", CLIENT, test=("127.255.255.254",)),
        zone("a.example", CLIENT, test=()),
        zone("a.example", CLIENT, "127.0.0.1"),
        {**zone("a.example", CLIENT), ("2.0.0.127.a.example", "A"): None},
    ],
    ids=["refuses us", "gone", "names everybody", "no answer"],
)
def test_a_list_that_fails_its_test_is_not_asked(records: Records) -> None:
    found, asked = lists(records, "a.example")
    assert found.test() == ()
    assert found.listings(CLIENT) == ()
    assert "99.2.0.192.a.example A" not in asked.questions


def test_a_list_is_tried_again_after_an_hour() -> None:
    now, asked = [0.0], Asked(zone("a.example", CLIENT, test=()))
    found = Blocklists(("a.example",), asked, lambda: now[0])
    assert found.listings(CLIENT) == ()
    asked.records = zone("a.example", CLIENT)
    now[0] = TEST_AGAIN_S - 1
    assert found.listings(CLIENT) == ()
    now[0] = TEST_AGAIN_S + 1
    assert found.listings(CLIENT) == ("a.example",)


def test_ipv6_is_asked_by_nibbles() -> None:
    name = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.a.example"
    found, _ = lists({**zone("a.example"), (name, "A"): ("127.0.0.3",)}, "a.example")
    assert found.listings("2001:db8::1") == ("a.example",)


@pytest.mark.parametrize(
    ("needed", "zones", "is_refused"),
    [
        (2, ("a.example", "b.example"), True),
        (2, ("a.example", "c.example"), False),
        (1, ("a.example",), True),
        (2, ("a.example",), False),
        (0, ("a.example", "b.example"), False),
    ],
)
def test_one_list_alone_refuses_nobody_unless_the_administrator_says_so(
    needed: int, zones: tuple[str, ...], is_refused: bool
) -> None:
    records = {**zone("a.example", CLIENT), **zone("b.example", CLIENT), **zone("c.example")}
    dns: dict[str, dict[str, Sequence[str]]] = {
        name: {kind: found} for (name, kind), found in records.items()
    }
    screening = everybody(dns, filter_=Filter(blocklists=zones, blocklists_to_refuse=needed))
    visitor = screening.visitor(CLIENT)
    assert visitor is not None
    assert visitor.mail("ada@example.net", "mx.example.net") is None
    reply = visitor.recipient()
    assert (reply is not None and reply.code == 554) is is_refused
    visitor.leave()
