"""The bodies of a message as text, cut out of the raw bytes with a stored structure.

Owns what "the plain body" and "the HTML body" of a message are; transfer decoding, charsets, flowed
text, HTML conversion and truncation have their own modules. Plain text ends its lines with CRLF and
everything returned is legal XML text, as ActiveSync needs.
"""

import re

from appliance.mime import charsets, tnef, transfer
from appliance.mime.characters import crlf, xml_safe
from appliance.mime.flowed import unflow
from appliance.mime.headers import Headers, header_block
from appliance.mime.html import append_html, body_fragment, html_fragment, html_from_text, text_from_html
from appliance.mime.structure import PACKED, Part, Structure
from appliance.mime.truncate import truncate_html, truncate_utf8

__all__ = [
    "decode_leaf",
    "html_body",
    "html_from_text",
    "leaf_text",
    "part_headers",
    "plain_body",
    "truncate_html",
    "truncate_utf8",
]

_META_CHARSET = re.compile(rb"<meta\b[^<>]{0,300}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.I)
META_BYTES_MAX = 2_048
_ENCODED_SHARE = {"base64": 1.5, "quoted-printable": 3.1, "uuencode": 1.5}


def decode_leaf(raw: bytes, part: Part, bytes_max: int | None = None) -> bytes:
    """Return the decoded body of a leaf, at most `bytes_max` of it; never raises.

    With `bytes_max` only as much of the encoded body is touched as that needs.
    """
    if part.is_packed:
        carrier = transfer.decode(raw[part.start : part.end], part.encoding.removeprefix(PACKED))
        return tnef.leaf(carrier, part.number.rpartition(":")[2])[:bytes_max]
    end = part.end
    if bytes_max is not None:
        end = min(end, part.start + int(bytes_max * _ENCODED_SHARE.get(part.encoding, 1)) + 8)
    return transfer.decode(raw[part.start : end], part.encoding)[:bytes_max]


def leaf_text(raw: bytes, part: Part, bytes_max: int | None = None) -> str:
    """Return the text of a text leaf: charset decoded, flowed lines joined, line ends CRLF."""
    data = decode_leaf(raw, part, bytes_max)
    label = part.charset
    if label is None and part.content_type == "text/html":
        meta = _META_CHARSET.search(data, 0, META_BYTES_MAX)
        label = meta[1].decode("ascii") if meta else None
        if label is not None and (charsets.codec(label) or "").startswith("utf_16"):
            label = None  # a meta element that could be read as ASCII is not in UTF-16
    text = xml_safe(charsets.decode(data, label))
    if part.format_flowed:
        text = unflow(text, delsp=part.delsp)
    return crlf(text)


def plain_body(raw: bytes, structure: Structure, bytes_max: int | None = None) -> str:
    """Return the body as plain text with CRLF line ends; HTML is converted where there is nothing else.

    `bytes_max` bounds what is decoded of every leaf.
    """
    texts = [_as_plain(raw, structure.part(number), bytes_max) for number in structure.text_parts]
    if not any(text.strip() for text in texts) and structure.html_part is not None:
        texts = [_as_plain(raw, structure.part(number), bytes_max) for number in structure.html_parts]
    return _join(texts)


def html_body(raw: bytes, structure: Structure) -> str | None:
    """Return the body as an HTML document, made from the plain text if need be; None without any body."""
    if structure.html_part is None:
        return html_from_text(plain_body(raw, structure)) if structure.text_parts else None
    document: str | None = None
    for number in structure.html_parts:
        part = structure.part(number)
        text = leaf_text(raw, part)
        is_html = part.content_type == "text/html"
        if document is None:
            document = text if is_html else html_from_text(text)
        elif text.strip():
            document = append_html(document, body_fragment(text) if is_html else html_fragment(text))
    return document


def part_headers(raw: bytes, part: Part) -> Headers:
    """Return the header fields of one part."""
    return Headers(header_block(raw, part.header_start, part.start).fields)


def _as_plain(raw: bytes, part: Part, bytes_max: int | None) -> str:
    text = leaf_text(raw, part, bytes_max)
    return crlf(xml_safe(text_from_html(text))) if part.content_type == "text/html" else text


def _join(texts: list[str]) -> str:
    """Join leaves so that each starts on its own line."""
    if len(texts) == 1:
        return texts[0]
    filled = [text for text in texts if text.strip()]
    ended = [text if text.endswith("\r\n") else text + "\r\n" for text in filled[:-1]]
    return "".join([*ended, *filled[-1:]])
