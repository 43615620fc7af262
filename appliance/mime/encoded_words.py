"""RFC 2047 encoded words, both ways.

Decoding accepts what mailers really send: words glued to text, blanks inside, unknown charsets, a
character cut in two by adjacent words. Encoding is for the few header values we write ourselves.
Source: RFC 2047 2 Syntax of encoded-words, 6.2 Display of encoded-words; RFC 2231 5 (language suffix).
"""

import binascii
import re

from appliance.mime import charsets, transfer

_OPENING = re.compile(r"=\?([^?\s]{1,64})\?([bBqQ])\?")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~.,:;@()<>\[\]-]*\Z")
WORD_BYTES_MAX = 42
"""UTF-8 bytes in one encoded word: 56 base64 characters plus frame stay under the 75 of RFC 2047."""


def decode_words(text: str) -> str:
    """Return `text` with its encoded words decoded; anything that is not one stays as it is.

    White space between adjacent words disappears, and adjacent words of one charset are joined as
    bytes before decoding. Linear: every search either moves forward or is the last one.
    """
    if "=?" not in text:
        return text
    out: list[str] = []
    run: list[bytes] = []  # decoded bytes of adjacent words that share `label`
    label = ""
    done = search = 0
    while (start := text.find("=?", search)) >= 0:
        opening = _OPENING.match(text, start)
        if opening is None:
            search = start + 2
            continue
        close = text.find("?=", opening.end())
        if close < 0:
            break
        gap = text[done:start]
        if run and (gap.strip() or opening[1].lower() != label):
            out.append(charsets.decode(b"".join(run), label))
            run.clear()
            gap = gap if gap.strip() else ""
        elif run:
            gap = ""
        if gap:
            out.append(gap)
        label = opening[1].lower()
        run.append(_payload(opening[2], text[opening.end() : close], label))
        done = search = close + 2
    if run:
        out.append(charsets.decode(b"".join(run), label))
    out.append(text[done:])
    return "".join(out)


def encode_phrase(text: str) -> str:
    """Return `text` as a display name for a header: a quoted string, or folded encoded words.

    The text must not hold control characters (see `characters.one_line`).
    """
    if _PLAIN_PHRASE.match(text) and "=?" not in text:
        return f'"{text}"'
    if text.isascii() and "=?" not in text:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return encode_words(text)


def encode_words(text: str) -> str:
    """Return `text` as base64 encoded words in UTF-8, folded with CRLF SPACE, never splitting a character."""
    words: list[str] = []
    chunk = b""
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(chunk) + len(encoded) > WORD_BYTES_MAX:
            words.append(_word(chunk))
            chunk = b""
        chunk += encoded
    words.append(_word(chunk))
    return "\r\n ".join(words)


def _word(chunk: bytes) -> str:
    return "=?utf-8?b?" + binascii.b2a_base64(chunk, newline=False).decode("ascii") + "?="


def _payload(kind: str, text: str, label: str) -> bytes:
    """Return the bytes of one word in its own charset; raw 8-bit characters inside it are tolerated."""
    if text.isascii():
        data = text.encode("ascii")
    else:
        codec = charsets.codec(label) or "utf_8"
        data = text.encode("utf_8" if codec.startswith("utf") else codec, "replace")
    if kind in "bB":
        return transfer.decode_base64(data)
    return binascii.a2b_qp(data, header=True)
