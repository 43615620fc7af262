"""Canonical form, fragments and limits."""

import time

import pytest

from appliance.wbxml.codec import Limits, WbxmlError, decode, encode, encode_fragment
from appliance.wbxml.codepages import AirSync, AirSyncBase, ComposeMail, Email
from appliance.wbxml.element import OPAQUE_WIRE_MAX, Element, Fragment
from appliance.wbxml.tokens import HEADER, multi_byte

Sync, Add, Status = AirSync.Sync, AirSync.Add, AirSync.Status


def body_of(root: Element) -> str:
    """Return what follows the header, as hex."""
    document = encode(root)
    assert document.startswith(HEADER)
    return document[len(HEADER) :].hex(" ")


def test_header() -> None:
    assert encode(Sync()) == bytes.fromhex("03 01 6a 00 05")


def test_the_page_is_switched_only_when_it_changes() -> None:
    root = Sync(Email.Subject("a"), Email.Read(True), Status(1), AirSyncBase.Body(Email.Flag()), Email.To())
    assert body_of(root) == (
        "45 00 02 54 03 61 00 01 55 03 31 00 01 00 00 4e 03 31 00 01 00 11 4a 00 02 3a 01 16 01"
    )


def test_a_directly_made_element_encodes_like_a_built_one() -> None:
    built = Sync(Status("1"), Add(), ComposeMail.Mime(b"\0\xff"), Email.To("ä\n" * 200))
    assert encode(decode(encode(built))) == encode(built)


def test_dirty_text_cannot_break_the_stream() -> None:
    root = Element(Sync, [Element(Status, "a\0b\x1fc\ud800"), Element(Add, "\0"), Element(Add, "\0" * 999)])
    assert decode(encode(root)) == Sync(Status("abc"), Add(), Add())


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (1, "01"),
        (127, "7f"),
        (128, "81 00"),
        (16_383, "ff 7f"),
        (16_384, "81 80 00"),
        (2_097_152, "81 80 80 00"),
    ],
)
def test_opaque_lengths(length: int, head: str) -> None:
    data = bytes(length)
    root = ComposeMail.Mime(data)
    prefix = HEADER + bytes.fromhex(f"00 15 50 c3 {head}")
    assert encode(root) == encode(Element(ComposeMail.Mime, data)) == prefix + data + b"\1"
    assert decode(encode(root)) == root
    assert multi_byte(length) == bytes.fromhex(head)


def test_a_large_opaque_is_not_held_twice() -> None:
    assert ComposeMail.Mime(bytes(OPAQUE_WIRE_MAX)).wire is not None
    assert ComposeMail.Mime(bytes(OPAQUE_WIRE_MAX + 1)).wire is None


def test_a_fragment_is_what_encoding_in_place_gives() -> None:
    items = [Add(Email.Subject(f"Mail {number}"), AirSyncBase.Type(1)) for number in range(3)]
    first, *rest = (encode_fragment([item], 0) for item in items)
    assert (first.entry_page, first.exit_page) == (0, 17)
    assert encode(Sync(encode_fragment(items, 0), Status(1))) == encode(Sync(items, Status(1)))
    # The later ones are entered on page 17 and need a switch to page 0, as the elements would in place.
    assert encode(Sync(first, rest, Status(1))) == encode(Sync(items, Status(1)))


def test_a_fragment_entered_from_another_page_gets_a_switch() -> None:
    subject = encode_fragment([Email.Subject("a")], Email.Subject.page)
    assert subject == Fragment(2, 2, bytes.fromhex("54 03 61 00 01"))
    assert encode(Sync(subject)) == encode(Sync(Email.Subject("a")))
    assert encode(Sync(Email.Read(), subject, subject)) == (
        encode(Sync(Email.Read(), Email.Subject("a"), Email.Subject("a")))
    )


def test_fragments_nest() -> None:
    inner = encode_fragment([Email.Subject("a")], 0)
    outer = encode_fragment([Add(inner), Status(1)], 0)
    assert encode(Sync(outer)) == encode(Sync(Add(Email.Subject("a")), Status(1)))
    assert outer.exit_page == 0


def test_an_empty_fragment_writes_nothing() -> None:
    nothing = encode_fragment([], 7)
    assert (nothing.entry_page, nothing.exit_page, nothing.data) == (7, 7, b"")
    assert encode(Element(Sync, [Status(1), nothing, Status(2)])) == encode(Sync(Status(1), Status(2)))


def test_trees_of_any_depth_encode_without_recursion() -> None:
    deep = Status(1)
    for _ in range(20_000):
        deep = Add(deep)
    assert encode(deep).count(b"\x47") == 20_000


def nested(levels: int, innermost: bytes) -> bytes:
    """Return a document of that many nested Add elements around some bytes."""
    return HEADER + b"\x47" * levels + innermost + b"\1" * levels


def test_depth_limit() -> None:
    limits = Limits(depth=5)
    assert decode(nested(5, b"\x0e"), limits).tag is Add
    with pytest.raises(WbxmlError, match="more than 5 levels of elements at offset 9"):
        decode(nested(6, b"\x0e"), limits)


def test_step_limit() -> None:
    limits = Limits(steps=10)
    assert len(decode(nested(1, b"\x0e" * 8), limits).children) == 8
    with pytest.raises(WbxmlError, match="more than 10 steps"):
        decode(nested(1, b"\x0e" * 9), limits)


def test_size_limit() -> None:
    document = encode(Sync("x" * 100))
    assert decode(document, Limits(size_bytes=len(document)))
    with pytest.raises(WbxmlError, match=f"document of {len(document)} bytes"):
        decode(document, Limits(size_bytes=len(document) - 1))


@pytest.mark.parametrize(
    "body",
    [
        HEADER + b"\x45" * 4_000_000,
        HEADER + b"\x45" + b"\x05" * 4_000_000,
        HEADER + b"\x45" + b"\0\0" * 2_000_000,
        HEADER + b"\x45" + b"\x03\0" * 2_000_000,
        HEADER + b"\x45" + b"\xc3\x01a" * 1_000_000,
        HEADER + b"\x45" + b"\x45\x03a" * 1_000_000,
        HEADER + b"\x45" + b"\x45\x03\0\0\0" * 1_000_000,
    ],
    ids=["open", "empty", "switch", "strings", "opaques", "never ending strings", "strings then switch"],
)
def test_hostile_documents_are_refused_quickly(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(WbxmlError):
        decode(body)
    assert time.process_time() - started < 2
