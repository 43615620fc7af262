"""Content-Transfer-Encoding of one leaf: decoding, and the decoded size without decoding.

Everything is linear and tolerant: what cannot be decoded is skipped or passed through, never raised.
Source: RFC 2045 6 Content-Transfer-Encoding Header Field; uuencode as in POSIX.
"""

import binascii
import re

ENCODINGS = {
    "7bit": "7bit",
    "8bit": "8bit",
    "binary": "binary",
    "base64": "base64",
    "quoted-printable": "quoted-printable",
    "x-uuencode": "uuencode",
    "uuencode": "uuencode",
    "x-uue": "uuencode",
    "uue": "uuencode",
}
"""Every name we know to the name we use; anything else is treated as 8bit."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64) - {ord("=")})
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} [^\r\n]*\r?\n", re.M)


def decode(data: bytes, encoding: str) -> bytes:
    """Return the decoded bytes; `encoding` is a value of ENCODINGS. Never raises."""
    if encoding == "base64":
        return decode_base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    if encoding == "uuencode":
        return _decode_uu(data)
    return data


def decode_base64(data: bytes) -> bytes:
    """Return what base64 text stands for, skipping foreign characters; stops at the padding.

    The first "=" ends it wherever it stands: the library passes over some and not over others, so that a
    cut text could begin differently than the whole.
    """
    padding = data.find(b"=")
    text = data if padding < 0 else data[:padding]
    try:
        return binascii.a2b_base64(text + b"==")  # more padding than is needed does no harm
    except binascii.Error:  # one letter is left over and carries six bits: not a byte
        letters = text.translate(None, _NOT_BASE64)
        return binascii.a2b_base64(letters[:-1])


def decoded_size(raw: bytes, start: int, end: int, encoding: str) -> int:
    """Return the size in bytes that raw[start:end] decodes to; exact for well-formed bodies.

    Counts characters in C and copies nothing, except for uuencode, which is rare and decoded.
    """
    if encoding == "base64":
        blanks = sum(raw.count(blank, start, end) for blank in (b"\r", b"\n", b" ", b"\t"))
        padding = raw.count(b"=", max(start, end - 128), end)
        return max(0, (end - start - blanks - padding) * 3 // 4)
    if encoding == "quoted-printable":
        soft_crlf, soft_lf = raw.count(b"=\r\n", start, end), raw.count(b"=\n", start, end)
        escapes = raw.count(b"=", start, end) - soft_crlf - soft_lf
        return max(0, end - start - 3 * soft_crlf - 2 * soft_lf - 2 * escapes)
    if encoding == "uuencode":
        return len(_decode_uu(raw[start:end]))
    return end - start


def _decode_uu(data: bytes) -> bytes:
    """Return the first uuencoded file in `data`, or `data` itself when there is none."""
    begin = _UU_BEGIN.search(data)
    if begin is None:
        return data
    out = []
    for line in data[begin.end() :].split(b"\n"):
        line = line.rstrip(b"\r")
        if line == b"end":
            break
        if not line:
            continue
        length = (line[0] - 32) & 63
        if length == 0:
            break
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:  # trailing garbage, as some encoders leave: take what the length byte says
            body = line[: 1 + (length * 4 + 2) // 3]
            try:
                out.append(binascii.a2b_uu(body))
            except binascii.Error:
                continue
    return b"".join(out)
