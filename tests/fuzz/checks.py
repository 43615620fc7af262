"""What several targets demand of a result, each as an assertion that names the offender."""

import re
from itertools import pairwise

_XML_ILLEGAL = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]")


def is_xml(text: str, what: str) -> None:
    """Assert that a text may stand in an answer to a phone. Source: XML 1.0 2.2 Characters."""
    found = _XML_ILLEGAL.search(text)
    assert found is None, f"{what} holds {found.group()!r}, which no XML document may"


def is_one_line(text: str, what: str) -> None:
    """Assert that a text may stand in a list, a log or a header."""
    found = _CONTROL.search(text)
    assert found is None, f"{what} holds {found.group()!r}"


def has_only_crlf(octets: bytes, what: str) -> None:
    """Assert that every line end is CRLF."""
    pairs = octets.count(b"\r\n")
    assert pairs == octets.count(b"\r") == octets.count(b"\n"), f"{what} has a bare CR or LF"


def cuts(plan: int, length: int) -> list[int]:
    """Return ascending offsets at which to cut `length` bytes; a plan of 0 cuts nowhere, 1 everywhere."""
    if plan == 0:
        return []
    if plan == 1:
        return list(range(1, length))
    found: list[int] = []
    at, state = 0, plan * 2654435761 % 2**32
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        at += 1 + (state >> 16) % (3 if plan % 2 else 97)
        if at >= length:
            return found
        found.append(at)


def pieces(data: bytes, plan: int) -> list[bytes]:
    """Return the data cut by a plan (0 to 255); joined again they are the data."""
    ends = [0, *cuts(plan, len(data)), len(data)]
    return [data[start:stop] for start, stop in pairwise(ends) if stop > start]
