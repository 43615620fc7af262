"""Which characters may leave this package, and where a text may be cut.

Owns the cleaning that every text passes once on its way from a message to a column or a phone:
an illegal XML character breaks the whole answer a phone reads, a control character in a one-line
field breaks logs, lists and headers. Leaves charset decoding to `charsets`.
Source: XML 1.0 section 2.2 Characters.
"""

import re

_XML_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NOT_ONE_LINE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]"  # controls, line separators, illegal in XML
    "|[\u202a-\u202e\u2066-\u2069]"  # bidirectional overrides: make "exe.fdp" look like "pdf.exe"
)
_SPACE_LIKE = {"\t": " ", "\n": " ", "\r": " ", "\x0b": " ", "\x0c": " ", "\x85": " ", "\u2028": " "}
_LINE_END = re.compile("\r\n|\r|\n")
_SPACES = re.compile(" {2,}")


def xml_safe(text: str) -> str:
    """Remove what XML 1.0 does not allow, lone surrogates included; tab, CR and LF stay."""
    return _XML_ILLEGAL.sub("", text) if _XML_ILLEGAL.search(text) else text


def crlf(text: str) -> str:
    """Return the text with every line end (CRLF, CR or LF) written as CRLF."""
    if "\r" in text:
        return _LINE_END.sub("\r\n", text)
    return text.replace("\n", "\r\n")


def one_line(text: str, chars_max: int = 2_000) -> str:
    """Return a trimmed text without control characters and line breaks, at most `chars_max` long.

    Folded white space becomes a single space, so the result can stand in a header, a log or a list.
    """
    if len(text) > 4 * chars_max:
        text = text[: 4 * chars_max]
    if not text.isprintable():
        text = _NOT_ONE_LINE.sub(lambda match: _SPACE_LIKE.get(match.group(), ""), text)
    if "  " in text:
        text = _SPACES.sub(" ", text)
    return text.strip()[:chars_max].rstrip()
