"""Wrapped reverse-paths: they come back as they were, and nothing else does."""

from datetime import datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appliance.delivery import srs
from appliance.delivery.srs import NotOurs
from appliance.smtp.grammar import Address, SmtpSyntaxError, parse_address
from tests.unit.store.mailbox import NOW

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
OURS = "office.example"
DAY = timedelta(days=1)

local_parts = st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=24
) | st.sampled_from(["a", "a=b", "a+b=c", "=", "a b", '"', "SRS", "SRS9=x", "ünï"])
domains = st.sampled_from(["example.net", "a.b", "xn--bcher-kva.example", "bücher.example"])


def wrap(text: str, now: datetime = NOW) -> str | None:
    return srs.wrap(parse_address(text), OURS, KEY, now)


def unwrap(address: str, now: datetime = NOW, key: bytes = KEY) -> str:
    return srs.unwrap(parse_address(address).local_part, key, now).address


@given(local_parts, domains)
def test_what_goes_out_comes_back(local_part: str, domain: str) -> None:
    assume(local_part[:4].upper() not in ("SRS0", "SRS1"))  # see below
    try:
        address = Address(local_part, domain)
    except SmtpSyntaxError:
        assume(False)
    wrapped = srs.wrap(address, OURS, KEY, NOW)
    assume(wrapped is not None)
    assert wrapped is not None
    parsed = parse_address(wrapped)
    assert parsed.domain == OURS and srs.is_wrapped(parsed.local_part)
    assert unwrap(wrapped) == str(address)


@given(local_parts, st.integers(0, 60), st.integers(0, 255))
def test_one_changed_letter_is_noticed(local_part: str, position: int, replacement: int) -> None:
    try:
        wrapped = srs.wrap(Address(local_part, "example.net"), OURS, KEY, NOW)
    except SmtpSyntaxError:
        assume(False)
    assume(wrapped is not None)
    assert wrapped is not None
    original = parse_address(wrapped).local_part
    position %= len(original)
    forged = original[:position] + chr(replacement) + original[position + 1 :]
    assume(forged.lower() != original.lower())
    with pytest.raises(NotOurs):
        srs.unwrap(forged, KEY, NOW)


@given(st.text(max_size=80))
def test_any_text_is_refused_in_one_way(text: str) -> None:
    for candidate in (text, f"SRS0={text}", f"SRS1={text}", f"srs0=AAAAAAAA={text}"):
        with pytest.raises(NotOurs):
            srs.unwrap(candidate, KEY, NOW)


def test_another_server_s_key_opens_nothing() -> None:
    wrapped = wrap("ada@example.net")
    assert wrapped is not None
    with pytest.raises(NotOurs):
        unwrap(wrapped, key=OTHER_KEY)


@pytest.mark.parametrize("start", [NOW, NOW + 900 * DAY, NOW + 1023 * DAY])
@pytest.mark.parametrize(
    ("age_days", "is_good"), [(-2, False), (-1, True), (0, True), (21, True), (22, False), (500, False)]
)
def test_an_address_ages(start: datetime, age_days: int, is_good: bool) -> None:
    wrapped = wrap("ada@example.net", start)
    assert wrapped is not None
    if is_good:
        assert unwrap(wrapped, start + age_days * DAY) == "ada@example.net"
    else:
        with pytest.raises(NotOurs):
            unwrap(wrapped, start + age_days * DAY)


def test_letter_case_may_be_lost() -> None:
    wrapped = wrap("ada@example.net")
    assert wrapped is not None
    assert unwrap(wrapped.lower()) == unwrap(wrapped.upper()).lower() == "ada@example.net"


@pytest.mark.parametrize("separator", "=+-")
def test_what_others_wrapped_goes_back_to_them(separator: str) -> None:
    """A second hop does not grow: it keeps the first server's address as it is."""
    first = f"SRS0{separator}ab12=QX=example.net=ada@one.example"
    second = wrap(first)
    assert second is not None and second.startswith("SRS1=")
    assert f"=one.example={separator}ab12=" in second
    assert unwrap(second) == first
    third = wrap(second.replace(OURS, "two.example"))
    assert third is not None and "two.example" not in third
    assert unwrap(third) == first


def test_too_long_for_a_local_part() -> None:
    assert wrap(f"{'x' * 50}@example.net") is None
    numbered = srs.wrap_number(123, OURS, KEY, NOW)
    assert srs.unwrap(parse_address(numbered).local_part, KEY, NOW).number == 123
    with pytest.raises(NotOurs):
        srs.unwrap(parse_address(numbered.replace("=123@", "=124@")).local_part, KEY, NOW)
