"""Which characters survive: exactly those of XML 1.0, whichever way the text is tested."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.wbxml.codec import clean_text
from appliance.wbxml.text import PRINTABLE_TEST_MAX, clean

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=PRINTABLE_TEST_MAX + 50)
FORBIDDEN = "\0\x01\x08\x0b\x0c\x0e\x1f\ud800\udfff\ufffe\uffff"
ALLOWED = "\t\n\r \x7f\x85\xa0\ud7ff\ue000\ufffd\U00010000\U0010ffff"
PADDING = ("", "x" * PRINTABLE_TEST_MAX, "ä" * PRINTABLE_TEST_MAX, "漢" * PRINTABLE_TEST_MAX)


def is_allowed(character: str) -> bool:
    """Return whether XML 1.0 2.2 lists the character; written down a second time on purpose."""
    code = ord(character)
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )


@pytest.mark.parametrize("padding", PADDING, ids=["none", "ascii", "latin", "wide"])
@pytest.mark.parametrize("character", FORBIDDEN, ids=lambda c: f"U+{ord(c):04X}")
def test_forbidden_characters_are_dropped(character: str, padding: str) -> None:
    text = f"{padding}a{character}{character}b"
    assert clean_text(text) == f"{padding}ab"
    assert clean(text) == (f"{padding}ab", f"{padding}ab".encode())


@pytest.mark.parametrize("padding", PADDING, ids=["none", "ascii", "latin", "wide"])
@pytest.mark.parametrize("character", ALLOWED, ids=lambda c: f"U+{ord(c):04X}")
def test_allowed_characters_stay_and_clean_text_is_the_same_object(character: str, padding: str) -> None:
    text = f"{padding}a{character}b"
    assert clean_text(text) is text


@given(ANY_TEXT)
def test_cleaning_keeps_exactly_the_allowed_characters(text: str) -> None:
    kept = "".join(filter(is_allowed, text))
    assert clean(text) == (kept, kept.encode())


@given(st.text(max_size=40).map(lambda text: text * 20))
def test_long_texts_are_cleaned_like_short_ones(text: str) -> None:
    assert clean_text(text) == "".join(filter(is_allowed, text))
