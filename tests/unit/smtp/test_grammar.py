"""Paths, addresses and parameters: what is accepted, what is refused, and that nothing else can pass."""

from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.smtp.grammar import Address, SmtpSyntaxError, parse_address, parse_mail, parse_rcpt

VALID = [
    ("a@b", "a@b"),
    ("first.last+tag@sub.example.com", "first.last+tag@sub.example.com"),
    ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
    ('"a"@example.com', "a@example.com"),
    ('"a b"@example.com', '"a b"@example.com'),
    (r'"a\"b\\c"@example.com', r'"a\"b\\c"@example.com'),
    ('"a@b"@example.com', '"a@b"@example.com'),
    ('"<>,:;"@example.com', '"<>,:;"@example.com'),
    ('""@example.com', '""@example.com'),
    (r'"\a"@example.com', "a@example.com"),
    ("a@[192.0.2.1]", "a@[192.0.2.1]"),
    ("a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]"),
    ("a@[tag:content]", "a@[tag:content]"),
    ("jürgen@bücher.example", "jürgen@bücher.example"),
    ("αλίκη@παράδειγμα.δοκιμή", "αλίκη@παράδειγμα.δοκιμή"),
    ("Postmaster", "Postmaster"),
    ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
]

INVALID = [
    "",
    "a",
    "@example.com",
    "a@",
    "a@b@c",
    "a b@example.com",
    ".a@example.com",
    "a.@example.com",
    "a..b@example.com",
    "a@.example.com",
    "a@example.com.",
    "a@example..com",
    "a@-example.com",
    "a@example-.com",
    "a@exam ple.com",
    '"a@example.com',
    '"a"b@example.com',
    '"a\\"@example.com',
    "a@[300.0.0.1]",
    "a@[192.0.2.1",
    "a@[IPv6:xyz]",
    "a@[IPv6:fe80::1%eth0]",
    "a@[]",
    "a@example.com\r\nRCPT TO:<b@example.com>",
    "a\r\n@example.com",
    "a\0@example.com",
    '"a\0"@example.com',
    '"a\n"@example.com',
    "a@exam\0ple.com",
    "a\x7f@example.com",
    "a\u0085b@example.com",
    "a\u2028b@example.com",
    "a" * 65 + "@example.com",
    "a@" + "b" * 64 + ".com",
    "a@" + ".".join(["b" * 60] * 5),
    "a" * 60 + "@" + ".".join(["b" * 63] * 3) + ".bb",
    "a@(comment)example.com",
]


@pytest.mark.parametrize(("text", "written"), VALID)
def test_accepts_and_writes_back(text: str, written: str) -> None:
    address = parse_address(text)
    assert str(address) == written
    assert parse_address(written) == address
    assert parse_rcpt(f"TO:<{text}>").forward_path == address


@pytest.mark.parametrize("text", INVALID)
def test_refuses(text: str) -> None:
    with pytest.raises(SmtpSyntaxError):
        parse_address(text)
    with pytest.raises(SmtpSyntaxError):
        parse_rcpt(f"TO:<{text}>")


def test_an_address_is_254_octets_at_most() -> None:
    domain = ".".join(["b" * 62] * 3 + ["com"])
    room = 254 - len(domain) - 1
    assert room <= 64
    assert len(str(parse_address("a" * room + "@" + domain))) == 254
    with pytest.raises(SmtpSyntaxError, match="254"):
        parse_address("a" * (room + 1) + "@" + domain)


def test_the_null_path_belongs_to_mail_only() -> None:
    assert parse_mail("FROM:<>").reverse_path is None
    with pytest.raises(SmtpSyntaxError):
        parse_rcpt("TO:<>")


def test_postmaster_needs_no_domain_as_recipient_only() -> None:
    assert parse_rcpt("TO:<postMASTER>").forward_path == Address("postMASTER", "")
    with pytest.raises(SmtpSyntaxError):
        parse_mail("FROM:<postmaster>")
    with pytest.raises(SmtpSyntaxError):
        Address("root", "")


@pytest.mark.parametrize("route", ["@a.example:", "@a.example,@b.example:", "@[192.0.2.1]:"])
def test_source_route_is_dropped(route: str) -> None:
    assert str(parse_rcpt(f"TO:<{route}user@c.example>").forward_path) == "user@c.example"


@pytest.mark.parametrize("route", ["@:", "@a.example", "@a.example,:", "@a.example,b.example:", "@a..b:"])
def test_broken_source_route(route: str) -> None:
    with pytest.raises(SmtpSyntaxError):
        parse_rcpt(f"TO:<{route}user@c.example>")


def test_parameters() -> None:
    parsed = parse_mail("FROM:<a@example.com> size=123 BODY=8BITMIME SMTPUTF8")
    assert parsed.params == {"SIZE": "123", "BODY": "8BITMIME", "SMTPUTF8": None}


@pytest.mark.parametrize(
    "tail",
    [
        *("SIZE=1", " SIZE=", " =1", " -A", " SIZE=1 size=2", " A=b=c", " A=\x01", " A\tB", " A=1 A=1"),
        " " + " ".join(f"X{n}" for n in range(17)),
    ],
)
def test_broken_parameters(tail: str) -> None:
    with pytest.raises(SmtpSyntaxError):
        parse_mail("FROM:<a@example.com>" + tail)


def test_blank_after_colon() -> None:
    assert str(parse_mail("FROM: <a@example.com>").reverse_path) == "a@example.com"


def test_underscore_in_domain() -> None:
    assert parse_address("root@host_1.example.com").domain == "host_1.example.com"


def test_an_error_says_where() -> None:
    with pytest.raises(SmtpSyntaxError) as caught:
        parse_rcpt("TO:<a@example.com> !")
    assert caught.value.position == 19


def test_quoted_and_plain_are_the_same_address() -> None:
    assert parse_address('"alice"@example.com') == parse_address("alice@example.com")


@given(st.text(max_size=80), st.text(max_size=80))
@example("a", "b\r\nX: y")
def test_whatever_the_type_accepts_is_one_line_and_parses_back(local_part: str, domain: str) -> None:
    with suppress(SmtpSyntaxError):
        address = Address(local_part, domain)
        written = str(address)
        assert len(written.splitlines()) == 1
        assert parse_address(written) == address
        assert parse_rcpt(f"TO:<{written}> X=1").forward_path == address


@given(st.text(alphabet='FROMTO:<>@ab.,"\\[]= \r\n\0é', max_size=60))
def test_garbage_is_a_syntax_error(text: str) -> None:
    for parse in (parse_mail, parse_rcpt, parse_address):
        with suppress(SmtpSyntaxError):
            parse(text)
