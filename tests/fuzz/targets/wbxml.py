"""WBXML: the bytes are a document.

Refused with WbxmlError and an offset inside it, or a tree that survives encoding and can be read with the
accessors. Small limits are used beside the normal ones, because no short input reaches those.
"""

import re
from contextlib import suppress

from appliance.wbxml.codec import DEFAULT_LIMITS, Limits, WbxmlError, decode, encode, encode_fragment
from appliance.wbxml.codepages import PAGES, REMOVED_PAGES
from appliance.wbxml.element import Element, ElementError, Fragment
from appliance.wbxml.text import clean_text
from tests.fuzz.checks import is_xml
from tests.fuzz.coverage import note
from tests.unit.wbxml import vectors

COVERS = ("appliance/wbxml/codec.py", "appliance/wbxml/element.py", "appliance/wbxml/text.py")
TOKENS = (
    b"\x03\x01\x6a\x00",
    b"\x01",
    b"\x01\x01\x01",
    b"\x03a\x00",
    b"\x031\x00\x01",
    b"\x03\xef\xbf\xbe\x00\x01",
    b"\x03\xed\xa0\x80\x00\x01",
    b"\xc3\x01b",
    b"\xc3\x00",
    b"\xc3\x81\x00",
    b"\xc3\x8f\xff\xff\xff\x7f",
    *(bytes((0, page)) for page in (0, 2, 4, 14, 17, 20, 24, 25, 3, 254)),
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9A-F]+")
SMALL = Limits(depth=5, steps=60, size_bytes=1_000)


def seeds() -> list[bytes]:
    folders = ("canonical", "accepted", "refused")
    return [
        vectors.unhex(path.read_text())
        for folder in folders
        for path in sorted((vectors.FOLDER / folder).glob("*.hex"))
    ]


def target(data: bytes) -> None:
    for limits in (SMALL, DEFAULT_LIMITS):
        try:
            tree = decode(data, limits)
        except WbxmlError as error:
            assert 0 <= error.offset <= max(len(data), limits.size_bytes), error
            note("refused", _NUMBER.sub("", str(error)))
            continue
        _survives(tree)


def _survives(tree: Element) -> None:
    document = encode(tree)
    note("bytes", len(document).bit_length(), "deep", str(tree).count("  ").bit_length())
    again = decode(document)
    assert again == cleaned(tree), "decoding what was encoded gives another tree"
    assert encode(again) == document, "the canonical form is not canonical"
    _is_readable(again)
    for page in (0, again.tag.page):
        fragment = encode_fragment([again], page)
        assert isinstance(fragment, Fragment)
        assert decode(encode(again.tag([fragment]))) == again.tag([again]), "a fragment means something else"


def cleaned(element: Element) -> Element:
    """Return the tree without the characters that never leave, and nothing where they were all."""
    content = element.content
    if isinstance(content, list):
        return Element(element.tag, [cleaned(child) for child in element] or None)
    if isinstance(content, str):
        return Element(element.tag, clean_text(content) or None)
    return Element(element.tag, content or None)


def _is_readable(element: Element) -> None:
    """Try every accessor on every element; ElementError is the only complaint they may have."""
    str(element), repr(element)
    waiting = [element]
    while waiting:
        parent = waiting.pop()
        assert parent.tag.page in PAGES.keys() - REMOVED_PAGES
        assert isinstance(parent.text, str)
        assert isinstance(parent.data, bytes)
        if isinstance(parent.content, str):
            is_xml(parent.content, str(parent.tag))
        for child in parent:
            waiting.append(child)
            assert parent.find(child.tag) in parent.find_all(child.tag)
            for read in (parent.int_of, parent.flag_of, parent.text_of):
                with suppress(ElementError):
                    read(child.tag)
