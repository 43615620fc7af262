"""Answers as trees of nodes: WBXML read token by token, independently of the product, and XML.

Only the names of tags come from the product's table; `test_tokens` holds that table against others.
Source: WBXML 1.3 5; MS-ASWBXML 2.1.2 (the tokens that ActiveSync uses).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from appliance.wbxml.codepages import TAGS

HEADER = bytes((0x03, 0x01, 0x6A, 0x00))
"""WBXML 1.3, public id unknown, UTF-8, no string table."""
SWITCH_PAGE, END, STR_I, OPAQUE = 0x00, 0x01, 0x03, 0xC3
_HAS_CONTENT, _TOKEN = 0x40, 0x3F


class WireError(AssertionError):
    """Bytes that are no document of this protocol; the message says where."""


@dataclass(eq=False)
class Node:
    """An element: children, or text (an inline string), or bytes (opaque), or None."""

    tag: str
    children: list["Node"] = field(default_factory=list)
    value: str | bytes | None = None

    @property
    def namespace(self) -> str:
        """What stands before the colon of the tag."""
        return self.tag.partition(":")[0]

    def walk(self) -> Iterator["Node"]:
        """Yield this node and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()

    def copy(self) -> "Node":
        """Return the same tree of other nodes."""
        return Node(self.tag, [child.copy() for child in self.children], self.value)

    def __str__(self) -> str:
        return "\n".join(self._lines(""))

    def _lines(self, margin: str) -> Iterator[str]:
        yield f"{margin}{self.tag}{'' if self.value is None else f' {self.value!r:.60}'}"
        for child in self.children:
            yield from child._lines(margin + "  ")


def read(document: bytes) -> Node:
    """Return the root of a WBXML document; raises WireError."""
    if document[:4] != HEADER:
        raise WireError(f"the header is {document[:4].hex()}")
    root, end, _ = _element(document, 4, 0)
    if end != len(document):
        raise WireError(f"{len(document) - end} bytes behind the root")
    return root


def read_xml(document: bytes, namespaces: Mapping[str, str]) -> Node:
    """Return the root of an XML document; namespaces: short names by URI."""
    return _of_xml(ElementTree.fromstring(document), namespaces)


def _element(data: bytes, at: int, page: int) -> tuple[Node, int, int]:
    """Return an element, the offset behind it, and the code page there."""
    while data[at] == SWITCH_PAGE:
        page, at = data[at + 1], at + 2
    token = data[at]
    tag = TAGS.get((page, token & _TOKEN))
    if tag is None or token & ~(_HAS_CONTENT | _TOKEN):
        raise WireError(f"page {page} has no tag 0x{token:02X} (offset {at})")
    node, at = Node(str(tag)), at + 1
    if not token & _HAS_CONTENT:
        return node, at, page
    while data[at] != END:
        if data[at] == STR_I:
            stop = data.index(0, at + 1)
            _give(node, data[at + 1 : stop].decode("utf-8"))
            at = stop + 1
        elif data[at] == OPAQUE:
            size, start = _number(data, at + 1)
            _give(node, data[start : start + size])
            at = start + size
        else:
            child, at, page = _element(data, at, page)
            node.children.append(child)
    if node.children and node.value is not None:
        raise WireError(f"{node.tag} has children and a value (offset {at})")
    return node, at + 1, page


def _give(node: Node, value: str | bytes) -> None:
    if node.value is not None:
        raise WireError(f"{node.tag} has two values")
    node.value = value


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return the multi-byte integer at an offset, and the offset behind it."""
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7F
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def _of_xml(element: ElementTree.Element, namespaces: Mapping[str, str]) -> Node:
    uri, _, name = element.tag[1:].partition("}")
    children = [_of_xml(child, namespaces) for child in element]
    return Node(f"{namespaces[uri]}:{name}", children, None if children else element.text)
