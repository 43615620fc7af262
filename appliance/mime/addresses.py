"""Address lists of header fields: tolerant linear reading, and the form a phone displays.

Reading works on the *undecoded* field, because an encoded word may hide commas and quotes; display
names are decoded afterwards. Owns no policy: whether an address may be used is for `compose` and
the SMTP grammar.
Source: RFC 5322 3.4 Address Specification, 4.4 Obsolete Addressing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from appliance.mime.characters import one_line
from appliance.mime.encoded_words import decode_words

ADDRESSES_MAX = 1_000
"""Addresses read from one field; the rest is ignored."""
NAME_CHARS_MAX = 256
ADDRESS_CHARS_MAX = 998
DISPLAY_CHARS_MAX = 32_768
"""Longest To, Cc or From an ActiveSync answer may hold (MS-ASEMAIL)."""

_TOKEN = re.compile(
    r'(?P<quoted>"(?:[^"\\]|\\.)*+"?)'
    r'|(?P<angle><(?:"(?:[^"\\]|\\.)*+"|[^"<>])*+>?)'
    r"|(?P<comment>\()"
    r"|(?P<separator>[,;][,;\s]*)"
    r"|(?P<group>:)"
    r'|(?P<atom>(?:\[[^\]\s]{0,64}\]|[^\s"(),:;<])++)'
    r"|(?P<space>\s+)",
    re.S,
)
_COMMENT_PIECE = re.compile(r"[^()\\]+|\\.|[()\\]", re.S)
_ESCAPE = re.compile(r"\\(.)", re.S)


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of an address field: decoded display name and addr-spec, either may be empty."""

    name: str
    address: str


@dataclass(slots=True)
class _Pending:
    """What has been read of the address under way."""

    words: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)  # the same tokens, quotes kept, for an addr-spec
    comments: list[str] = field(default_factory=list)
    angle: str | None = None


def parse_addresses(value: str, addresses_max: int = ADDRESSES_MAX) -> list[Address]:
    """Return the addresses of an undecoded field value, at most `addresses_max`; never raises.

    Group names are dropped, their members kept. An entry without "@" comes back as a name only.
    """
    found: list[Address] = []
    pending = _Pending()
    position = 0
    while position < len(value) and len(found) < addresses_max:
        token = _TOKEN.match(value, position)
        if token is None:  # a character no rule wants, such as a stray ")"
            position += 1
            continue
        position = token.end()
        kind, text = token.lastgroup, token.group()
        if kind == "comment":
            comment, position = _comment(value, position)
            pending.comments.append(comment)
        elif kind == "separator":
            found.extend(_finish(pending))
            pending = _Pending()
        elif kind == "group":
            pending = _after_colon(pending)
        elif kind == "angle":
            pending.angle = text.strip("<>").strip()
        elif kind != "space":
            pending.bare.append(text)
            pending.words.append(_ESCAPE.sub(r"\1", text[1:].removesuffix('"')) if kind == "quoted" else text)
    if len(found) < addresses_max:
        found.extend(_finish(pending))
    return found


def format_addresses_for_display(addresses: Sequence[Address], chars_max: int = DISPLAY_CHARS_MAX) -> str:
    """Return `"A" <a@b>, "B" <b@c>` in real Unicode, cut between addresses at `chars_max`."""
    pieces: list[str] = []
    length = 0
    for address in addresses:
        piece = _display(address)
        if not piece:
            continue
        if length + len(piece) + 2 > chars_max:
            break
        pieces.append(piece)
        length += len(piece) + 2
    return ", ".join(pieces)


def format_names(addresses: Sequence[Address], chars_max: int = DISPLAY_CHARS_MAX) -> str:
    """Return the display names (or bare addresses) separated by semicolons."""
    names = (address.name or address.address for address in addresses)
    return ";".join(name.replace(";", ",") for name in names if name)[:chars_max]


def _display(address: Address) -> str:
    if not address.name:
        return address.address
    name = address.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}" <{address.address}>' if address.address else f'"{name}"'


def _comment(value: str, position: int) -> tuple[str, int]:
    """Return the text of a comment whose "(" ends at `position`, and where it stops. Any nesting depth."""
    depth = 1
    pieces: list[str] = []
    for piece in _COMMENT_PIECE.finditer(value, position):
        text = piece.group()
        if text == "(":
            depth += 1
        elif text == ")":
            depth -= 1
            if depth == 0:
                return "".join(pieces), piece.end()
        pieces.append(text[1:] if len(text) == 2 and text[0] == "\\" else text)
    return "".join(pieces), len(value)


def _after_colon(pending: _Pending) -> _Pending:
    """Forget a group name; a colon inside something that already is an address is just skipped."""
    if pending.angle is not None or any("@" in word for word in pending.bare):
        return pending
    return _Pending()


def _finish(pending: _Pending) -> Iterator[Address]:
    """Yield the address collected so far, if it is one."""
    if pending.angle is not None:
        address = pending.angle
        if address.startswith("@") and ":" in address:  # obsolete source route <@relay:user@host>
            address = address.rpartition(":")[2]
        elif not address.startswith('"'):  # a bracket that was never closed swallows no second address
            address = address.partition(",")[0]
        name = " ".join(pending.words) or " ".join(pending.comments)
    elif any("@" in word for word in pending.bare):
        name, address = _without_angle(pending)
    else:
        name, address = " ".join(pending.words), ""
    name = one_line(decode_words(name), NAME_CHARS_MAX)
    address = one_line(address, ADDRESS_CHARS_MAX)
    if name or address:
        yield Address("" if name == address else name, address)


def _without_angle(pending: _Pending) -> tuple[str, str]:
    """Split words that hold an addr-spec without angle brackets into (name, address).

    `user @ host` and `"a b"@host` are one addr-spec; `Joe Doe joe@host` is a name that lost its brackets.
    """
    whole = [index for index, word in enumerate(pending.bare) if 0 < word.find("@") < len(word) - 1]
    if len(pending.bare) > 1 and whole and not pending.bare[whole[0]].startswith('"'):
        names = [word for index, word in enumerate(pending.words) if index != whole[0]]
        return " ".join(names), pending.bare[whole[0]]
    return " ".join(pending.comments), "".join(pending.bare)
