"""Which characters may travel as text, and the UTF-8 of what is left.

XML 1.0 forbids NUL, most control characters, lone surrogates, U+FFFE and U+FFFF. A NUL would end an inline
string early and shift everything behind it; the rest makes some phones refuse the whole answer. Mail
contains all of them, so they are left out here, in one place, and always in the same way.

Source: XML 1.0 2.2 Characters; MS-ASDTYPE 2.7 string Data Type.
"""

import re

PRINTABLE_TEST_MAX = 200
"""Characters up to which `str.isprintable` is the cheapest proof that a text is clean (measured)."""

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r"))


def clean_text(text: str) -> str:
    """Return the text without the characters that must not travel; the same object when there are none."""
    return clean(text)[0]


def clean(text: str) -> tuple[str, bytes]:
    """Return `clean_text(text)` and its UTF-8, which the fast test for long texts needs anyway."""
    if len(text) <= PRINTABLE_TEST_MAX and text.isprintable():
        return text, text.encode()
    try:
        utf8 = text.encode()
    except UnicodeEncodeError:  # lone surrogates
        return _without_forbidden(text)
    # Deleting is the fastest pass over bytes that Python has: half a nanosecond each.
    if len(utf8.translate(None, _CONTROLS)) != len(utf8) or "\ufffe" in text or "\uffff" in text:
        return _without_forbidden(text)
    return text, utf8


def _without_forbidden(text: str) -> tuple[str, bytes]:
    """Return the text without forbidden characters, and its UTF-8."""
    text = _FORBIDDEN.sub("", text)
    return text, text.encode()
