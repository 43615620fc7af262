"""The values a WBXML document is made of: `Tag`, `Element` and `Fragment`.

Commands and class codecs build answers by calling tags, `AirSync.Status(1)`, and read requests with
`find`, `text_of`, `int_of` and `flag_of`. Owns the shape of the tree and the reading of simple values;
leaves the document's bytes to `codec` and the vocabulary to `codepages`.

A tag is one object per (page, token), so a comparison of tags is `is`. The content of an element is
one of: nothing, text, opaque bytes, or a list of children; there is no mixed content in ActiveSync.
An empty string and empty bytes are the same as nothing, because both travel as the empty tag.

Calling a tag with a value also makes the bytes of that element (`wire`), where the text has just been
checked and encoded; `codec.encode` then only strings ready bytes together. Hence an element is not changed
once it is built.
"""

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, overload

from appliance.wbxml.text import PRINTABLE_TEST_MAX, clean
from appliance.wbxml.tokens import CONTENT_BIT, END, OPAQUE, STR_I, SWITCH_PAGE, multi_byte

OPAQUE_WIRE_MAX = 1024
"""Longest OPAQUE whose wire bytes are made at once; a whole message is not held twice."""

INTEGER_DIGITS_MAX = 18
"""Longest integer read from a document, so that it always fits a 64-bit column; ActiveSync needs ten."""

FLAGS = {"": True, "1": True, "0": False, "true": True, "false": False}

_END = bytes((END,))
_TEXT_END = bytes((0, END))

type Body = str | bytes | list[Element | Fragment] | None
type Piece = str | int | bytes | Element | Fragment | None
type Content = Piece | Iterable[Piece]


class ElementError(ValueError):
    """An element is missing or its value has the wrong type; `tag` is the offending tag.

    The message names the tag and the rule, never the value: values are people's mail.
    """

    def __init__(self, tag: "Tag", rule: str) -> None:
        super().__init__(f"{tag}: {rule}")
        self.tag = tag


class Tag:
    """One element name of one code page; calling it builds an element.

    opaque: the specification types the content as a byte array. since, until: first and last protocol
    version that define the tag, None where no public version is known. `switch` (to the page), `open`,
    `open_text` and `empty` are the bytes the encoder needs, ready made.
    """

    __slots__ = (
        "empty",
        "name",
        "namespace",
        "opaque",
        "open",
        "open_text",
        "page",
        "since",
        "switch",
        "token",
        "until",
    )

    def __init__(
        self,
        page: int,
        token: int,
        name: str,
        namespace: str,
        *,
        opaque: bool = False,
        since: str | None = None,
        until: str | None = None,
    ) -> None:
        self.page = page
        self.token = token
        self.name = name
        self.namespace = namespace
        self.opaque = opaque
        self.since = since
        self.until = until
        self.switch = bytes((SWITCH_PAGE, page))
        self.open = bytes((token | CONTENT_BIT,))
        self.open_text = bytes((token | CONTENT_BIT, STR_I))
        self.empty = bytes((token,))

    def __call__(self, *content: Content) -> "Element":
        """Return an element with this tag.

        Text, integers (decimal) and booleans ("1", "0") are joined to text; bytes become OPAQUE; elements
        and fragments become children; None is skipped; other iterables are opened. Characters that must not
        travel are dropped from text (see `text`). Raises TypeError when the pieces do not belong together,
        which is a bug of the caller.
        """
        if len(content) == 1:
            value = content[0]
            if type(value) is int:
                value = str(value)
            if type(value) is str:
                if 0 < len(value) <= PRINTABLE_TEST_MAX and value.isprintable():
                    return Element(self, value, self.open_text + value.encode() + _TEXT_END)
                return _text_element(self, value)
        return _element(self, content)

    def __repr__(self) -> str:
        return f"{self.namespace}:{self.name}"


class Fragment:
    """Sibling elements that are already encoded, to be copied into documents as they are.

    The bytes assume `entry_page` as the current code page and leave `exit_page` behind. Made by
    `codec.encode_fragment`; a rendered item is kept in this form and sent many times.
    """

    __slots__ = ("data", "entry_page", "exit_page")

    tag: ClassVar[None] = None
    wire: ClassVar[None] = None

    def __init__(self, entry_page: int, exit_page: int, data: bytes) -> None:
        self.entry_page = entry_page
        self.exit_page = exit_page
        self.data = data

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fragment):
            return NotImplemented
        return (self.entry_page, self.exit_page, self.data) == (other.entry_page, other.exit_page, other.data)

    def __hash__(self) -> int:
        return hash((self.entry_page, self.exit_page, self.data))

    def __repr__(self) -> str:
        return f"<Fragment {self.entry_page}->{self.exit_page} {len(self.data)} bytes>"


class Element:
    """One element: a tag and its content. Build it by calling a tag; read it with the methods below.

    The constructor takes content that is already normalised and clean, as the decoder has it. wire: the
    element's bytes between two neighbours on its page, or None to let the encoder make them.
    """

    __slots__ = ("content", "tag", "wire")

    def __init__(self, tag: Tag, content: Body = None, wire: bytes | None = None) -> None:
        self.tag: Final = tag
        self.content: Final = content or None
        self.wire: Final = wire

    @property
    def text(self) -> str:
        """The text; OPAQUE content is decoded as UTF-8 with replacements; "" when empty or a container."""
        content = self.content
        if isinstance(content, str):
            return content
        return content.decode("utf-8", "replace") if isinstance(content, bytes) else ""

    @property
    def data(self) -> bytes:
        """The OPAQUE bytes, or the text as UTF-8; b"" when empty or a container."""
        content = self.content
        if isinstance(content, bytes):
            return content
        return content.encode("utf-8", "replace") if isinstance(content, str) else b""

    @property
    def children(self) -> "list[Element]":
        """The child elements in document order, without fragments; a new list."""
        return list(self)

    def __iter__(self) -> "Iterator[Element]":
        content = self.content
        if isinstance(content, list):
            for child in content:
                if isinstance(child, Element):
                    yield child

    def find(self, tag: Tag) -> "Element | None":
        """Return the first child with this tag, or None."""
        content = self.content
        if isinstance(content, list):
            for child in content:
                if child.tag is tag and isinstance(child, Element):
                    return child
        return None

    def find_all(self, tag: Tag) -> "list[Element]":
        """Return every child with this tag, in document order."""
        return [child for child in self if child.tag is tag]

    def require(self, tag: Tag) -> "Element":
        """Return the first child with this tag; raises ElementError when there is none."""
        child = self.find(tag)
        if child is None:
            raise ElementError(tag, f"required in {self.tag}")
        return child

    @overload
    def text_of(self, tag: Tag, default: str) -> str: ...
    @overload
    def text_of(self, tag: Tag, default: None = None) -> str | None: ...
    def text_of(self, tag: Tag, default: str | None = None) -> str | None:
        """Return the text of a child: `default` when it is absent, "" when it is an empty tag."""
        child = self.find(tag)
        return default if child is None else child.text

    @overload
    def int_of(self, tag: Tag, default: int) -> int: ...
    @overload
    def int_of(self, tag: Tag, default: None = None) -> int | None: ...
    def int_of(self, tag: Tag, default: int | None = None) -> int | None:
        """Return the integer in a child: `default` when it is absent or an empty tag.

        Phones send empty tags for "no value" (iOS: an empty Reminder). Raises ElementError when the text
        is not a decimal integer. Source: MS-ASDTYPE 2.6 integer Data Type.
        """
        child = self.find(tag)
        return default if child is None or child.content is None else _integer(child)

    def flag_of(self, tag: Tag, default: bool = False) -> bool:
        """Return the boolean in a child: `default` when it is absent, True when it is an empty tag.

        Raises ElementError on anything but 0, 1, false and true.
        Source: MS-ASDTYPE 2.1 boolean Data Type.
        """
        child = self.find(tag)
        if child is None:
            return default
        flag = None if isinstance(child.content, list) else FLAGS.get(child.text)
        if flag is None:
            raise ElementError(tag, "not a boolean")
        return flag

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Element):
            return NotImplemented
        return self.tag is other.tag and self.content == other.content

    def __repr__(self) -> str:
        return self.to_text(values=True)

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, *, values: bool = False) -> str:
        """Return the tree as indented lines, one element each.

        Without `values` only the length of each value is shown, which is what may go into a log.
        """
        return "\n".join(_lines(self, 0, values))


def _text_element(tag: Tag, text: str) -> Element:
    """Return an element that holds the text without forbidden characters."""
    text, utf8 = clean(text)
    return Element(tag, text, tag.open_text + utf8 + _TEXT_END if text else tag.empty)


def opaque_head(length: int) -> bytes:
    """Return the token and the length that stand before OPAQUE bytes."""
    return bytes((OPAQUE,)) + multi_byte(length)


def _element(tag: Tag, pieces: Iterable[Content]) -> Element:
    """Return the element for the pieces given to a tag."""
    children: list[Element | Fragment] = []
    values: list[str | bytes] = []
    _sort(pieces, children, values)
    if values:
        if children:
            raise TypeError(f"{tag} holds a value or children, not both")
        return _value_element(tag, values)
    return Element(tag, children, None if children else tag.empty)


def _sort(pieces: Iterable[Content], children: list[Element | Fragment], values: list[str | bytes]) -> None:
    """Append each piece to children or to values; open iterables."""
    for piece in pieces:
        if isinstance(piece, Element):
            children.append(piece)
        elif piece is None:
            continue
        elif isinstance(piece, str | bytes):
            values.append(piece)
        elif isinstance(piece, int):
            values.append(str(int(piece)))
        elif isinstance(piece, Fragment):
            if piece.data:
                children.append(piece)
        else:
            _sort(piece, children, values)


def _value_element(tag: Tag, values: list[str | bytes]) -> Element:
    """Return the element that holds the values joined; raises TypeError for text beside bytes."""
    texts = [value for value in values if isinstance(value, str)]
    if texts:
        if len(texts) != len(values):
            raise TypeError(f"{tag} holds text or bytes, not both")
        return _text_element(tag, "".join(texts))
    data = b"".join(value for value in values if isinstance(value, bytes))
    if not data:
        return Element(tag, None, tag.empty)
    if len(data) > OPAQUE_WIRE_MAX:
        return Element(tag, data)
    return Element(tag, data, b"".join((tag.open, opaque_head(len(data)), data, _END)))


def _integer(element: Element) -> int:
    """Return the decimal integer an element holds, or raise ElementError."""
    text = element.text.strip()
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > INTEGER_DIGITS_MAX:
        raise ElementError(element.tag, "not an integer")
    return int(text)


def _lines(element: Element, depth: int, values: bool) -> Iterator[str]:
    """Yield the lines of `Element.to_text`."""
    margin, content = "  " * depth, element.content
    if content is None:
        yield f"{margin}<{element.tag}/>"
    elif isinstance(content, list):
        yield f"{margin}<{element.tag}>"
        for child in content:
            if isinstance(child, Element):
                yield from _lines(child, depth + 1, values)
            else:
                yield f"{margin}  {child!r}"
    else:
        unit = "bytes" if isinstance(content, bytes) else "characters"
        yield f"{margin}<{element.tag}> " + (repr(content) if values else f"({len(content)} {unit})")
