"""Folding and cutting: what is stored for a text is part of the stored format, so it is pinned here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.store.search_terms import TERM_CHARS_MAX, fold, terms, wanted_terms


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", []),
        ("!? — …", []),
        ("Plan_v2-final.PDF", ["plan", "v2", "final", "pdf"]),
        ("Größe", ["grosse"]),
        ("İstanbul ısı", ["istanbul", "isi"]),
        ("Ørsted Łódź Æther œuvre Þór", ["orsted", "lodz", "aether", "oeuvre", "thor"]),
        ("ﬁle ½ ™", ["file", "1", "2", "tm"]),
        ("don’t", ["don", "t"]),
        ("co\u00adoperate zero\u200bwidth", ["cooperate", "zerowidth"]),
        ("שָׁלוֹם", ["שלום"]),
        ("مُحَمَّد", ["محمد"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("会議室", ["会議", "議室", "室"]),
        ("ｶﾞｷﾞ", ["ガギ", "ギ"]),
        ("iPhone15を買う", ["iphone15", "を買", "買う", "う"]),
        ("회의실", ["회의", "의실", "실"]),
        ("ประชุม", ["ปร", "ระ", "ะช", "ชุ", "ุม", "ม"]),
        ("𠮷野家", ["𠮷野", "野家", "家"]),
        ("x" * 100, ["x" * TERM_CHARS_MAX]),
    ],
)
def test_terms(text: str, stored: list[str]):
    assert terms(text) == stored


@pytest.mark.parametrize(
    ("text", "is_prefix", "wanted"),
    [
        ("plan", False, (["plan"], False)),
        ("plan", True, (["plan"], True)),
        ("p", True, (["p"], False)),
        ("the p", True, (["the", "p"], False)),
        ("会議室", False, (["会議", "議室"], False)),
        ("会議", True, (["会議"], False)),
        ("会", False, (["会"], True)),
        ("会 議", False, (["会", "議"], True)),
        ("会会", False, (["会会"], False)),
        ("議 室内", False, (["議", "室内"], False)),
        ("a会", False, (["a", "会"], True)),
        ("会a", False, (["会", "a"], False)),
        ("", True, ([], False)),
    ],
)
def test_wanted_terms(text: str, is_prefix: bool, wanted: tuple[list[str], bool]):
    assert wanted_terms(text, is_prefix=is_prefix) == wanted


def finds(wanted: str, text: str, *, is_prefix: bool = False) -> bool:
    """What both databases do with the terms."""
    row, is_beginning = wanted_terms(wanted, is_prefix=is_prefix)
    stored = terms(text)
    return any(
        stored[at : at + len(row) - 1] == row[:-1]
        and at + len(row) <= len(stored)
        and (
            stored[at + len(row) - 1] == row[-1]
            or (is_beginning and stored[at + len(row) - 1].startswith(row[-1]))
        )
        for at in range(len(stored) if row else 0)
    )


@given(st.text(max_size=200))
def test_terms_are_letters_and_digits_of_bounded_length(text: str):
    for term in terms(text):
        assert 0 < len(term) <= TERM_CHARS_MAX
        assert not set(term) & set(" \t\n\0'\"\\:*()&|!<>/")
        assert term == fold(term) or not term.isascii()


@given(st.text(min_size=1, max_size=60))
def test_a_text_finds_itself(text: str):
    assert finds(text, text) == bool(terms(text))


@given(st.text("abc äß会議室か", max_size=20), st.text("ab会議室か", min_size=1, max_size=5))
def test_the_beginning_of_a_text_finds_it_and_what_was_typed_so_far_does(after: str, text: str):
    assert finds(text, f"{text} {after}")
    if len(terms(text)[-1]) > 1:
        assert finds(text, text + after, is_prefix=True)


@given(st.text("会議室予約をがか", min_size=1, max_size=12), st.data())
def test_every_piece_of_a_spaceless_text_finds_it(text: str, data: st.DataObject):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert finds(text[start:end], text)
    other = data.draw(st.text("会議室予約をがか", min_size=1, max_size=6))
    assert finds(other, text) == (other in text)
