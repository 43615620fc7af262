"""Text as the search index knows it: folded letters, cut into terms. Pure.

The same folding and cutting is applied to what is stored and to what is looked for, so it decides what
finds what:

- Letter case and accents do not count, in either direction: `Größe`, `GROSSE` and `grosse` are one word.
  Vowel signs of Indic scripts and kana voicing marks do count: they make other words.
- A word is a run of letters and digits; everything else separates, so `a_plan-v2.pdf` is four words and an
  address is its parts in a row.
- Scripts that write without spaces (Chinese, Japanese, Korean, Thai, …) are cut into overlapping pairs of
  characters, the last one alone: 会議室 is 会議, 議室, 室. Looking for 会議 or 議室 finds it, as a row of
  pairs; a single character is looked for as the beginning of a pair. (Korean does write spaces, but joins
  particles and compounds to its words.)

Changing any of this makes the stored index wrong: write a migration that empties `search_text`,
`search_document` and `search_state`, and the index is made anew as accounts are searched.
"""

import re
import unicodedata
from typing import Final

TERM_CHARS_MAX: Final = 40
"""Longer runs are noise (keys, encoded data); they are cut in text and query alike."""

PREFIX_CHARS_MIN: Final = 2
"""One letter begins half of all words: it is looked for as a word of its own."""

_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640"
    "\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff"
    "\u20d0-\u20ff\ufe20-\ufe2f\u00ad\u200b-\u200f\u2060\ufe00-\ufe0f\ufeff]+"
)
"""Combining marks of alphabets that are read without them, and characters nobody sees."""

_LETTERS = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that Unicode does not take apart although a keyboard without them writes these."""

_SPACELESS = (
    "\u0e01-\u0e4e\u0e81-\u0edf\u1000-\u109f\u1780-\u17df\u2e80-\u2fdf\u3005-\u3007\u3031-\u3035\u3041-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
_SIGNS = "\u0900-\u0963\u0966-\u0dff\u0f18-\u0f39\u0f71-\u0fbc"
"""Scripts whose vowel signs stand inside words without being letters to Unicode."""

_RUN = re.compile(rf"([{_SPACELESS}]+)|((?:[^\W_{_SPACELESS}]|[{_SIGNS}])+)")
_PLAIN_RUN = re.compile(r"[^\W_]+")
_ASCII_RUN = re.compile("[a-z0-9]+")
_BEYOND_PLAIN = re.compile(f"[{_SPACELESS}{_SIGNS}]")


def fold(text: str) -> str:
    """Return text with what does not count taken away: case, accents, width, ligatures."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart)).translate(_LETTERS)


def terms(text: str) -> list[str]:
    """Return the terms of a text in order, as they are stored."""
    folded = fold(text)
    if folded.isascii():  # the next two are several times faster, and most mail
        return [word[:TERM_CHARS_MAX] for word in _ASCII_RUN.findall(folded)]
    if not _BEYOND_PLAIN.search(folded):
        return [word[:TERM_CHARS_MAX] for word in _PLAIN_RUN.findall(folded)]
    found: list[str] = []
    for spaceless, word in _RUN.findall(folded):
        if word:
            found.append(word[:TERM_CHARS_MAX])
        else:
            found.extend(spaceless[at : at + 2] for at in range(len(spaceless)))
    return found


def wanted_terms(text: str, *, is_prefix: bool = False) -> tuple[list[str], bool]:
    """Return the terms to look for in a row, and whether the last one is a beginning."""
    wanted = terms(text)
    if not wanted:
        return [], False
    last = wanted[-1]
    if not _is_spaceless(last):
        return wanted, is_prefix and len(last) >= PREFIX_CHARS_MIN
    if len(wanted) > 1 and len(wanted[-2]) == 2 and _is_spaceless(wanted[-2]) and wanted[-2][1] == last:
        return wanted[:-1], False  # the pair before says it already, and the text may go on
    return wanted, True


def _is_spaceless(term: str) -> bool:
    run = _RUN.match(term)
    return run is not None and run.lastindex == 1
