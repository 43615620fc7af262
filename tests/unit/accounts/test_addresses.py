"""One normal form for every spelling of an address; nothing invisible gets in."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.accounts import addresses
from appliance.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Anna@Example.COM", "anna@example.com"),
        (" anna@example.com ", "anna@example.com"),
        ('"anna"@example.com', "anna@example.com"),
        ('"an na"@example.com', '"an na"@example.com'),
        ("JÖRG@bücher.example", "jörg@xn--bcher-kva.example"),
        (unicodedata.normalize("NFD", "jörg") + "@example.com", "jörg@example.com"),
        ("a@BÜCHER。example", "a@xn--bcher-kva.example"),
        ("a@faß.example", "a@xn--fa-hia.example"),
        ("a@ＥＸＡＭＰＬＥ.com", "a@example.com"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("Anna+News@example.com", "anna+news@example.com"),
    ],
)
def test_spellings_of_one_address_have_one_form(written: str, normal: str) -> None:
    assert addresses.normalise(written) == normal
    assert addresses.normalise(normal) == normal


@pytest.mark.parametrize(
    "written",
    [
        "", "@", "anna", "anna@", "@example.com", "postmaster", "a b@example.com", "a@b@example.com",
        "a@example..com", "a@-x.com", "a@example.com.", "a@\u2100b.com", "a@[nonsense]",
        "a\r\n@example.com", "a@example.com\r\n", "a\0@example.com", "\x1b[2J@example.com",
        "a\u200b@example.com", "a@ex\u200bample.com", "a@ex\u00adample.com", "a\u202e@example.com",
        "a\ud800@example.com", "x" * 65 + "@example.com", "a@" + "x" * 64 + ".com", "a" * 10_000,
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_in_one_printable_line(written: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        addresses.normalise(written)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 600


@given(st.text(max_size=80))
def test_any_text_is_an_address_in_normal_form_or_refused(text: str) -> None:
    for written in (text, f"{text}@example.com", f"a@{text}"):
        try:
            normal = addresses.normalise(written)
        except InvalidInput:
            continue
        assert addresses.normalise(normal) == normal
        assert normal.isprintable()
        assert addresses.domain_of(normal).isascii()


@pytest.mark.parametrize(
    ("address", "base"),
    [
        ("anna+news@example.com", "anna@example.com"),
        ("anna+a+b@example.com", "anna@example.com"),
        ("anna@example.com", "anna@example.com"),
        ("+news@example.com", "+news@example.com"),
        ('"an na+x"@example.com', '"an na+x"@example.com'),
    ],
)
def test_a_subaddress_belongs_to_its_base(address: str, base: str) -> None:
    assert addresses.base_address(address) == base


@pytest.mark.parametrize(
    "address", ["anna+news@example.com", '"an na"@example.com', "a@[192.0.2.1]", '"a@b"@example.com']
)
def test_an_account_gets_a_plain_address_only(address: str) -> None:
    addresses.normalise(address)
    with pytest.raises(InvalidInput):
        addresses.for_account(address)


@pytest.mark.parametrize(
    "name", ["com", "", ".", "a..b", "under_score.com", "192.0.2.1/24", "x y.com", "-a.com"]
)
def test_what_is_no_domain_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        addresses.normalise_domain(name)


def test_a_long_label_is_refused_before_it_costs_anything() -> None:
    with pytest.raises(InvalidInput):
        addresses.normalise_host("ü" * 100_000)
