"""The quoted original below a reply or a forward, as plain text and as HTML.

Owns the wording and the markup; where it is put is for `compose`.
"""

from dataclasses import dataclass
from email.utils import format_datetime
from html import escape

from appliance.mime.addresses import format_addresses_for_display
from appliance.mime.body import html_body, plain_body
from appliance.mime.characters import one_line
from appliance.mime.dates import parse_date
from appliance.mime.headers import Headers, parse_headers
from appliance.mime.html import body_fragment
from appliance.mime.structure import Structure

QUOTE_CHARS_MAX = 1_000_000
"""A longer original is quoted up to here."""
_ADDRESSES_CHARS_MAX = 4_096
_QUOTE_STYLE = "margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex"


@dataclass(frozen=True, slots=True)
class Quotation:
    """What is appended to the new text, once per form; both start with their own line break."""

    plain: str
    html: str


def quote_for_reply(raw: bytes, structure: Structure) -> Quotation:
    """Return the original as the quotation of an answer, introduced by who wrote it when."""
    headers = parse_headers(raw)
    author = format_addresses_for_display(headers.addresses("From"), _ADDRESSES_CHARS_MAX)
    date = parse_date(headers.raw("Date"))
    when = f"On {format_datetime(date)}, " if date else ""
    intro = f"{when}{author or 'the sender'} wrote:"
    text = plain_body(raw, structure)[:QUOTE_CHARS_MAX].rstrip("\r\n")
    quoted = "".join(_quoted_line(line) for line in text.split("\r\n"))
    return Quotation(
        plain=f"\r\n\r\n{intro}\r\n{quoted}",
        html=f"<br><br>\r\n<div>{escape(intro, quote=False)}</div>\r\n"
        f'<blockquote type="cite" style="{_QUOTE_STYLE}">{_html(raw, structure)}</blockquote>\r\n',
    )


def quote_for_forward(raw: bytes, structure: Structure) -> Quotation:
    """Return the original under a short header block, not indented."""
    rows = _header_rows(parse_headers(raw))
    block = "".join(f"{name}: {value}\r\n" for name, value in rows)
    cells = "".join(
        f"<b>{name}:</b> {escape(value, quote=False)}<br>\r\n"
        for name, value in rows
    )  # fmt: skip
    text = plain_body(raw, structure)[:QUOTE_CHARS_MAX]
    return Quotation(
        plain=f"\r\n\r\n-------- Forwarded message --------\r\n{block}\r\n{text}",
        html=f"<br><br>\r\n<div>-------- Forwarded message --------<br>\r\n{cells}</div><br>\r\n"
        f"<div>{_html(raw, structure)}</div>\r\n",
    )


def _quoted_line(line: str) -> str:
    """Return a line one level deeper; deeper levels get no blank, as RFC 3676 4.5 asks."""
    return f">{line}\r\n" if line.startswith(">") else f"> {line}".rstrip() + "\r\n"


def _html(raw: bytes, structure: Structure) -> str:
    document = html_body(raw, structure)
    return "" if document is None else body_fragment(document)[:QUOTE_CHARS_MAX]


def _header_rows(headers: Headers) -> list[tuple[str, str]]:
    """Return the fields worth showing above a forwarded text."""
    date = parse_date(headers.raw("Date"))
    rows = [
        ("From", format_addresses_for_display(headers.addresses("From"), _ADDRESSES_CHARS_MAX)),
        ("Date", format_datetime(date) if date else ""),
        ("Subject", one_line(headers.get("Subject") or "")),
        ("To", format_addresses_for_display(headers.addresses("To"), _ADDRESSES_CHARS_MAX)),
        ("Cc", format_addresses_for_display(headers.addresses("Cc"), _ADDRESSES_CHARS_MAX)),
    ]
    return [row for row in rows if row[1]]
