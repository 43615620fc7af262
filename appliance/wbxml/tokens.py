"""The bytes of WBXML itself: global tokens, the header, multi-byte integers.

Everything here is the same for every code page; the tags are in `codepages`.
Source: WBXML 1.3 (WAP-192) 5 Binary XML Content Structure, 7.1 Global Tokens.
"""

SWITCH_PAGE = 0x00
END = 0x01
STR_I = 0x03
OPAQUE = 0xC3

CONTENT_BIT = 0x40
"""Set in a tag that has content."""
ATTRIBUTE_BIT = 0x80
"""Set in a tag that has attributes; never in ActiveSync."""
TOKEN_FIRST = 0x05
"""The smallest tag token."""
TOKEN_MASK = 0x3F

VERSIONS = (0x01, 0x02, 0x03)
"""WBXML 1.1 to 1.3, which do not differ in what ActiveSync uses."""
CHARSET_UTF_8 = 106
PUBLIC_ID_IN_STRING_TABLE = 0
HEADER = bytes((0x03, 0x01, CHARSET_UTF_8, 0x00))
"""What we send: WBXML 1.3, public id unknown, UTF-8, no string table."""

MULTI_BYTE_MAX = 5
"""Bytes in the longest mb_u_int32."""

REFUSED = {
    0x02: "ENTITY",
    0x04: "LITERAL",
    0x40: "EXT_I_0",
    0x41: "EXT_I_1",
    0x42: "EXT_I_2",
    0x43: "PI",
    0x44: "LITERAL_C",
    0x80: "EXT_T_0",
    0x81: "EXT_T_1",
    0x82: "EXT_T_2",
    0x83: "STR_T",
    0x84: "LITERAL_A",
    0xC0: "EXT_0",
    0xC1: "EXT_1",
    0xC2: "EXT_2",
    0xC4: "LITERAL_AC",
}
"""Global tokens that ActiveSync does not use."""


def multi_byte(value: int) -> bytes:
    """Return a number as mb_u_int32: seven bits per byte, high bit set on all but the last."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))
