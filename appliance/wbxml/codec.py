"""WBXML bytes to `Element` trees and back, for the subset of WBXML 1.3 that ActiveSync uses.

Owns the order of tokens, the limits and the canonical form of what we send. Leaves names to `codepages`,
the bytes of single elements to `element`, and the meaning of values to whoever reads the tree.

Decoding is one loop over the bytes with an explicit stack: no recursion, no objects per token, strings
cut out with `bytes.find`. Whatever the bytes are, the only exception is `WbxmlError`, with the offset of
the token at fault.

Encoding is canonical, so equal trees give equal bytes: SWITCH_PAGE only where the page changes, one
inline string per text, the empty tag for no content, no string table, no forbidden characters.

Source: MS-ASWBXML 2.1.2 Abstract Data Model, 2.1.3 Processing Rules; WBXML 1.3 (WAP-192) 5.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from appliance.wbxml.codepages import PAGES, REMOVED_PAGES
from appliance.wbxml.element import Element, Fragment, Tag, opaque_head
from appliance.wbxml.text import clean, clean_text
from appliance.wbxml.tokens import (
    ATTRIBUTE_BIT,
    CHARSET_UTF_8,
    CONTENT_BIT,
    END,
    HEADER,
    MULTI_BYTE_MAX,
    OPAQUE,
    PUBLIC_ID_IN_STRING_TABLE,
    REFUSED,
    STR_I,
    SWITCH_PAGE,
    VERSIONS,
)

__all__ = ["DEFAULT_LIMITS", "Limits", "WbxmlError", "clean_text", "decode", "encode", "encode_fragment"]

type Children = list[Element | Fragment]
type Pieces = list[str | bytes]


class WbxmlError(ValueError):
    """The bytes are not an ActiveSync document; `offset` is the position of the token at fault."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} at offset {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one document. Strings and OPAQUE need none: they cannot be longer than the document.

    depth: elements open at once. The deepest that phones send, an attendee of an exception, has 11. An
    element that holds one string closes in the same step and is not counted.
    steps: turns of the decoder's loop. A container takes two, any other element, value or page switch one;
    a Sync of 512 events with 100 fields each stays below a third of the default.
    size_bytes: a SendMail or draft with the largest message and its attachments.
    """

    depth: int = 32
    steps: int = 300_000
    size_bytes: int = 64 * 1024 * 1024


DEFAULT_LIMITS = Limits()


def _by_byte(tags: dict[int, Tag]) -> list[Tag | None]:
    """Return one page's tags indexed by the byte of the tag, with and without content; None elsewhere."""
    return [tags.get(byte & ~CONTENT_BIT) if byte < ATTRIBUTE_BIT else None for byte in range(256)]


_TABLES = {page: _by_byte(tags) for page, tags in PAGES.items() if page not in REMOVED_PAGES}
_END = bytes((END,))
_TEXT_END = bytes((0, END))


def decode(body: bytes, limits: Limits = DEFAULT_LIMITS) -> Element:
    """Return the root element of a document. Raises WbxmlError, and nothing else, on anything unusual.

    Adjacent strings are joined; a string or OPAQUE of no length is no content; white space beside child
    elements is dropped. The page that a SWITCH_PAGE selects stays in force across END.
    """
    if len(body) > limits.size_bytes:
        raise WbxmlError(f"document of {len(body)} bytes", limits.size_bytes)
    root, end = _root(body, _header(body), limits)
    if end != len(body):
        raise WbxmlError("bytes after the root element", end)
    return root


def encode(root: Element) -> bytes:
    """Return the document for a tree, in canonical form."""
    parts = [HEADER]
    _write(parts, (root,), 0)
    return b"".join(parts)


def encode_fragment(elements: Iterable[Element | Fragment], entry_page: int) -> Fragment:
    """Return sibling elements encoded for a place where `entry_page` is the current code page.

    Copied into such a place the bytes equal what encoding the elements there would give.
    """
    parts: list[bytes] = []
    exit_page = _write(parts, elements, entry_page)
    return Fragment(entry_page, exit_page, b"".join(parts))


def _header(body: bytes) -> int:
    """Return the offset behind the header. A string table is skipped; whatever refers to it is refused."""
    if not body:
        raise WbxmlError("empty document", 0)
    if body[0] not in VERSIONS:
        raise WbxmlError(f"WBXML version byte 0x{body[0]:02X}", 0)
    public_id, position = _number(body, 1)
    if public_id == PUBLIC_ID_IN_STRING_TABLE:
        _, position = _number(body, position)
    charset, after = _number(body, position)
    if charset != CHARSET_UTF_8:
        raise WbxmlError(f"charset {charset}, not UTF-8", position)
    table_bytes, start = _number(body, after)
    if table_bytes > len(body) - start:
        raise WbxmlError("string table longer than the document", after)
    return start + table_bytes


def _number(body: bytes, position: int) -> tuple[int, int]:
    """Return the mb_u_int32 at position and the offset behind it. Source: WBXML 1.3 5.1."""
    value = 0
    for index in range(position, position + MULTI_BYTE_MAX):
        if index >= len(body):
            raise WbxmlError("document ends inside a number", len(body))
        value = value << 7 | body[index] & 0x7F
        if body[index] < 0x80:
            return value, index + 1
    raise WbxmlError("number of more than five bytes", position)


def _root(body: bytes, position: int, limits: Limits) -> tuple[Element, int]:
    """Return the root element and the offset behind it.

    One flat loop, because a call per token would double the time. Each turn takes one token, except that
    an element holding a single inline string, by far the most frequent shape, is taken whole. `owner`,
    `children` and `pieces` describe the innermost open element; they wait on the stack while a child is
    open, and at the level of the document there is no owner. Positions only grow, so an IndexError means
    that the bytes have run out; the only dictionary is that of the pages.
    """
    find, depth, pages = body.find, limits.depth, _TABLES
    switch_page, end, string, with_content = SWITCH_PAGE, END, STR_I, CONTENT_BIT  # an eighth of the time
    tags = pages[0]
    owner: Tag | None = None
    children: Children = []
    pieces: Pieces = []
    stack: list[tuple[Tag | None, Children, Pieces]] = []
    try:
        for _ in range(limits.steps):
            token = body[position]
            if tag := tags[token]:
                if token < with_content:
                    position += 1
                    if owner is None:
                        return Element(tag), position
                    children.append(Element(tag))
                    continue
                if body[position + 1] == string and owner is not None:
                    stop = find(0, position + 2)
                    if stop > 0 and body[stop + 1] == end:
                        children.append(Element(tag, body[position + 2 : stop].decode()))
                        position = stop + 2
                        continue
                if len(stack) >= depth:
                    raise WbxmlError(f"more than {depth} levels of elements", position)
                stack.append((owner, children, pieces))
                owner, children, pieces = tag, [], []
                position += 1
            elif token == end:
                if owner is None:
                    raise WbxmlError("END outside an element", position)
                element = Element(owner, _joined(children, pieces, position) if pieces else children)
                position += 1
                owner, children, pieces = stack.pop()
                if owner is None:
                    return element, position
                children.append(element)
            elif token == switch_page:
                tags = pages[body[position + 1]]
                position += 2
            elif owner is not None and token in (STR_I, OPAQUE):
                piece, position = _string(body, position) if token == string else _opaque(body, position)
                pieces.append(piece)
            else:
                raise WbxmlError(_refusal(token), position)
    except IndexError:
        raise WbxmlError("document ends inside an element", len(body)) from None
    except KeyError:
        raise WbxmlError(f"unknown code page {body[position + 1]}", position) from None
    except UnicodeDecodeError:
        raise WbxmlError("string is not UTF-8", position + (body[position] != STR_I)) from None
    raise WbxmlError(f"more than {limits.steps} steps", position)


def _string(body: bytes, position: int) -> tuple[str, int]:
    """Return the text of the STR_I at position and the offset behind it."""
    stop = body.find(0, position + 1)
    if stop < 0:
        raise WbxmlError("string without an end", position)
    return body[position + 1 : stop].decode(), stop + 1


def _opaque(body: bytes, position: int) -> tuple[bytes, int]:
    """Return the bytes of the OPAQUE at position and the offset behind them."""
    length, start = body[position + 1], position + 2
    if length >= 0x80:
        length, start = _number(body, position + 1)
    if length > len(body) - start:
        raise WbxmlError("OPAQUE longer than the document", position)
    return body[start : start + length], start + length


def _joined(children: Children, pieces: Pieces, position: int) -> str | bytes | Children:
    """Return the content of the element that ends at position and holds strings or OPAQUE."""
    if len(pieces) == 1 and not children:
        return pieces[0]
    if children:
        if any(piece.strip() if isinstance(piece, str) else piece for piece in pieces):
            raise WbxmlError("text beside elements", position)
        return children
    texts = [piece for piece in pieces if isinstance(piece, str)]
    if len(texts) == len(pieces):
        return "".join(texts)
    if texts:
        raise WbxmlError("string beside OPAQUE", position)
    return b"".join(piece for piece in pieces if isinstance(piece, bytes))


def _refusal(token: int) -> str:
    """Return why a token that is neither a known tag nor allowed here is refused."""
    if token in (STR_I, OPAQUE):
        return "text outside an element"
    if token in REFUSED:
        return f"{REFUSED[token]} is not used by ActiveSync"
    if token >= ATTRIBUTE_BIT:
        return "ActiveSync uses no attributes"
    return f"unknown tag token 0x{token & ~CONTENT_BIT:02X}"


def _write(parts: list[bytes], nodes: Iterable[Element | Fragment], page: int) -> int:
    """Append the encoded nodes to parts, entered with `page` current; return the page current afterwards.

    Elements that bring their wire bytes are the common case and come first.
    """
    append = parts.append
    waiting: list[Iterator[Element | Fragment]] = []
    siblings = iter(nodes)
    while True:
        for node in siblings:
            if (wire := node.wire) is not None and (tag := node.tag) is not None:
                if tag.page != page:
                    page = tag.page
                    append(tag.switch)
                append(wire)
            elif isinstance(node, Fragment):
                if node.data:
                    if node.entry_page != page:
                        append(bytes((SWITCH_PAGE, node.entry_page)))
                    append(node.data)
                    page = node.exit_page
            else:
                tag, content = node.tag, node.content
                if tag.page != page:
                    page = tag.page
                    append(tag.switch)
                if isinstance(content, list):
                    append(tag.open)
                    waiting.append(siblings)
                    siblings = iter(content)
                    break
                append(_leaf(tag, content))
        else:
            if not waiting:
                return page
            append(_END)
            siblings = waiting.pop()


def _leaf(tag: Tag, content: str | bytes | None) -> bytes:
    """Return the bytes of an element without children that was not built by calling its tag."""
    if isinstance(content, bytes):
        return b"".join((tag.open, opaque_head(len(content)), content, _END))
    utf8 = clean(content)[1] if content else b""
    return tag.open_text + utf8 + _TEXT_END if utf8 else tag.empty
