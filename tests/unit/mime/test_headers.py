"""Fields, encoded words, parameters, addresses, dates, message ids."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.mime.addresses import ADDRESSES_MAX
from appliance.mime.encoded_words import WORD_BYTES_MAX, decode_words, encode_phrase, encode_words
from appliance.mime.headers import (
    MESSAGE_IDS_MAX,
    Address,
    format_addresses_for_display,
    format_names,
    header_block,
    message_ids,
    parse_addresses,
    parse_date,
    parse_headers,
    parse_parameters,
)


def test_fields_keep_their_order_and_names_ignore_case() -> None:
    headers = parse_headers(b"A: 1\r\nb:2\r\nA :  3 \r\n folded\r\n\r\nC: no\r\n")
    assert [name for name, _ in headers.fields] == ["A", "b", "A"]
    assert headers.get("a") == "1"
    assert headers.get("B") == "2"
    assert headers.get_all("A") == ["1", "3 folded"]
    assert headers.get("C") is None
    assert "c" not in headers


def test_a_broken_line_between_fields_is_skipped() -> None:
    block = header_block(b"A: 1\nrubbish\nB: 2\n\nbody", 0, 24)
    assert [name for name, _ in block.fields] == ["A", "B"]
    assert block.defects == ("header-line",)


def test_a_long_block_is_capped_and_its_body_still_found() -> None:
    raw = b"X: y\r\n" * 1_000 + b"\r\nbody"
    block = header_block(raw, 0, len(raw), block_max=100)
    assert len(block.fields) <= 17
    assert raw[block.body_start :] == b"body"
    assert block.defects == ("headers-too-long",)


@pytest.mark.parametrize("block_max", range(100, 116))
def test_a_long_block_is_one_wherever_it_is_cut(block_max: int) -> None:
    raw = b"X-Name: y\r\n" * 1_000 + b"\r\nbody"
    block = header_block(raw, 0, len(raw), block_max=block_max)
    assert raw[block.body_start :] == b"body"
    assert block.defects == ("headers-too-long",)


def test_a_long_field_is_capped() -> None:
    raw = b"X: " + b"y" * 100 + b"\r\n\r\n"
    block = header_block(raw, 0, len(raw), field_max=10)
    assert block.fields == (("X", b"y" * 10),)
    assert block.defects == ("header-too-long",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("=?utf-8?Q?a_b=20c?=", "a b c"),
        ("=?UTF-8?b?w6Q=?=", "ä"),
        ("=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        ("=?utf-8?q?a?=\t =?iso-8859-1?q?=E4?=", "aä"),
        ("=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        ("x=?utf-8?q?a?=y", "xay"),
        ("=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"),
        ("=?utf-8*de?q?=C3=A4?=", "ä"),
        ("=?utf-8?q?with blanks inside?=", "with blanks inside"),
        ("=?utf-8?b?w6Q?=", "ä"),
        ("=?utf-8?b?!!!?=", ""),
        ("=?no-such-charset?q?=C3=A4?=", "ä"),
        ("=?iso-8859-1?q?Fr\xf6sche?=", "Frösche"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?never closed", "=?utf-8?q?never closed"),
        ("=?", "=?"),
        ("=?=?=?=", "=?=?=?="),
        ("=?utf-8?q??=", ""),
    ],
)
def test_encoded_words(text: str, expected: str) -> None:
    assert decode_words(text) == expected


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=200))
def test_encoded_words_round_trip_in_short_ascii_lines(text: str) -> None:
    encoded = encode_words(text)
    assert encoded.isascii()
    assert all(len(line) <= 78 for line in encoded.split("\r\n"))
    assert decode_words(encoded) == text
    assert WORD_BYTES_MAX * 4 // 3 + len("=?utf-8?b??=") <= 75


@given(st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=80))
def test_a_display_name_survives_header_and_back(name: str) -> None:
    encoded = encode_phrase(name)
    (address,) = parse_addresses(encoded.replace("\r\n", "") + " <a@example.com>")
    assert address.address == "a@example.com"
    assert address.name == " ".join(name.split(" ")).strip() or "  " in name or not name.strip()


@pytest.mark.parametrize(
    ("value", "main", "parameters"),
    [
        ("text/plain", "text/plain", {}),
        ("Text/HTML; Charset=UTF-8", "text/html", {"charset": "UTF-8"}),
        ("text/plain (comment); charset=a", "text/plain", {"charset": "a"}),
        ('a/b; x="1;2"; y="q\\"q"', "a/b", {"x": "1;2", "y": 'q"q'}),
        ('a/b; x="never closed', "a/b", {"x": "never closed"}),
        ("a/b; x=1; x=2", "a/b", {"x": "1"}),
        ("a/b;;; =; ;x = 1 ;", "a/b", {"x": "1"}),
        ("a/b; n*=utf-8''%E2%82%AC; n=eur", "a/b", {"n": "€"}),
        ("a/b; n*0*=''%41; n*1=B; n*2*=%43", "a/b", {"n": "ABC"}),
        ("a/b; n*=bogus", "a/b", {"n": "bogus"}),
        ("", "", {}),
    ],
)
def test_parameters(value: str, main: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(value) == (main, parameters)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.test", [("", "a@b.test")]),
        ("Al <a@b.test>", [("Al", "a@b.test")]),
        ('"Last, First" <a@b.test>, c@d.test', [("Last, First", "a@b.test"), ("", "c@d.test")]),
        ('"a \\"b\\"" <a@b.test>', [('a "b"', "a@b.test")]),
        ("a@b.test (Al (the) Great)", [("Al (the) Great", "a@b.test")]),
        (
            "Team: a@b.test, Bo <b@b.test>;, c@d.test",
            [("", "a@b.test"), ("Bo", "b@b.test"), ("", "c@d.test")],
        ),
        ("undisclosed-recipients:;", []),
        ("a@b.test; c@d.test", [("", "a@b.test"), ("", "c@d.test")]),
        ("<@relay.test,@x.test:a@b.test>", [("", "a@b.test")]),
        ('"a b"@c.test', [("", '"a b"@c.test')]),
        ("a @ b.test", [("", "a@b.test")]),
        ("Joe Doe joe@b.test", [("Joe Doe", "joe@b.test")]),
        ("=?utf-8?q?B=2C_C?= <a@b.test>", [("B, C", "a@b.test")]),
        ("=?utf-8?q?M=C3=BC?=\r\n =?utf-8?q?ller?= <a@b.test>", [("Müller", "a@b.test")]),
        ("Al <a@b.test, c@d.test", [("Al", "a@b.test")]),
        ("<a@b.test", [("", "a@b.test")]),
        ("root", [("root", "")]),
        ("<>", []),
        ("a@[192.0.2.1]", [("", "a@[192.0.2.1]")]),
        ("a@[IPv6:2001:db8::1]", [("", "a@[IPv6:2001:db8::1]")]),
        ("(((", []),
        ('"', []),
        (",,;;,:", []),
    ],
)
def test_addresses(value: str, expected: list[tuple[str, str]]) -> None:
    assert [(a.name, a.address) for a in parse_addresses(value)] == expected


def test_addresses_are_capped() -> None:
    assert len(parse_addresses("a@b.test," * (ADDRESSES_MAX + 5))) == ADDRESSES_MAX
    assert len(parse_addresses("a@b.test, c@d.test", 1)) == 1


def test_display_form() -> None:
    people = [Address('A "x", B', "a@b.test"), Address("", "c@d.test"), Address("Only name", "")]
    assert format_addresses_for_display(people) == '"A \\"x\\", B" <a@b.test>, c@d.test, "Only name"'
    assert format_names(people) == 'A "x", B;c@d.test;Only name'
    assert format_addresses_for_display(people, 30) == '"A \\"x\\", B" <a@b.test>'


@given(st.text(max_size=300))
def test_nothing_read_from_an_address_field_can_break_a_line(value: str) -> None:
    for address in parse_addresses(value):
        assert not set(address.name + address.address) & set("\r\n\0\x7f\u2028\u2029")
    shown = format_addresses_for_display(parse_addresses(value))
    assert "\n" not in shown
    assert "\r" not in shown


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Sat, 14 Mar 2026 10:30:05 +0100", datetime(2026, 3, 14, 9, 30, 5, tzinfo=UTC)),
        ("14 Mar 2026 10:30 -0500 (EST)", datetime(2026, 3, 14, 15, 30, tzinfo=UTC)),
        ("Sat, 14 Mar 26 10:30:05 GMT", datetime(2026, 3, 14, 10, 30, 5, tzinfo=UTC)),
        ("Sat, 14 Mar 99 10:30:05 EDT", datetime(1999, 3, 14, 14, 30, 5, tzinfo=UTC)),
        ("14-Mar-2026 10.30.05 UT", datetime(2026, 3, 14, 10, 30, 5, tzinfo=UTC)),
        ("2026-03-14T10:30:05.123Z", datetime(2026, 3, 14, 10, 30, 5, tzinfo=UTC)),
        ("2026-03-14 10:30:05 +01:00", datetime(2026, 3, 14, 9, 30, 5, tzinfo=UTC)),
        ("Sat Mar 14 10:30:05 2026", datetime(2026, 3, 14, 10, 30, 5, tzinfo=UTC)),
        ("March 14, 2026 10:30 PM", datetime(2026, 3, 14, 22, 30, tzinfo=UTC)),
        ("31 Dec 2016 23:59:60 +0000", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("31 Feb 2026 10:00:00 +0000", None),
        ("1 Jan 0001 00:00:00 +1400", None),
        ("1 Jan 2026 99:00:00 +0000", None),
        ("tomorrow", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(value: str | None, expected: datetime | None) -> None:
    assert parse_date(value) == expected


@given(st.text(alphabet="0123456789 :-+,.JanFebMarZT()", max_size=60))
def test_no_date_text_raises(value: str) -> None:
    moment = parse_date(value)
    assert moment is None or moment.tzinfo is UTC


def test_message_ids() -> None:
    assert message_ids("<a@b> (x) <c@d>\t<e f>") == ["<a@b>", "<c@d>"]
    assert message_ids("a@b c") == ["<a@b>"]
    assert message_ids(None) == message_ids("") == []
    many = message_ids(" ".join(f"<{n}@x>" for n in range(500)))
    assert len(many) == MESSAGE_IDS_MAX
    assert many[0] == "<0@x>"
    assert many[-1] == "<499@x>"
