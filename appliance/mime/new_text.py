"""What a message says itself, without the older mail quoted below it.

Owns how quotations at the end of a message are recognised. Answers written between the lines of a quotation
belong to the message, so that one is left whole: only what has nothing but quotation behind it is cut.
Linear in the length of the text. The opposite, making quotations, is `quoting`.
"""

import re

from appliance.mime.html import strip_tags

_MARKERS = re.compile(
    r"<div\b[^<>]{0,300}?\bid=[\"']?(?:divRplyFwdMsg|appendonsend|mail-editor-reference-message-container)"
    r"|<div\b[^<>]{0,300}?\bclass=[\"'][^\"'<>]{0,100}?\b(?:gmail_quote|moz-cite-prefix|yahoo_quoted)\b"
    r"|<div\b[^<>]{0,300}?border-top:\s?solid #(?:E1E1E1|B5C4DF)\b"
    r"|<(?:div|p)\b[^<>]{0,300}>(?:\s|<br\b[^<>]{0,20}>){0,5}"
    r"-{2,12} ?(?:Original|Forwarded) [Mm]essage ?-{2,12}"
    r"|<div\b[^<>]{0,300}>On [^<>]{0,400}? wrote:</div>\s{0,10}<blockquote\b"
    r"|<blockquote\b",
    re.I,
)
_QUOTE_TAG = re.compile(r"<(/?)blockquote\b", re.I)
_TAG_END = re.compile(r">")
_INTRO_LINE = re.compile(r"(?:[^\n]{0,300}(?:wrote|schrieb|écrit|escribió|scrisse|schreef)[^\n]{0,40}:\s*)\Z")
_SEPARATOR_LINE = re.compile(
    r"^[ \t]*(?:-{2,12} ?(?:Original|Forwarded) [Mm]essage ?-{2,12}|_{20,})[ \t]*\r?$", re.M
)
TAGS_MAX = 2_000


def new_html(html: str) -> str:
    """Return an HTML document up to the quotation that ends it; all of it when there is none."""
    for marker in _MARKERS.finditer(html):
        start = marker.start()
        is_quote = html[start : start + 11].lower() == "<blockquote"
        if is_quote or "blockquote" in marker[0].lower():
            end = _quote_end(html, html.lower().index("<blockquote", start))
            if end is None or strip_tags(html[end:]).strip():
                continue
        return html[:start]
    return html


def new_plain(text: str) -> str:
    """Return a plain text up to the quotation that ends it, without the line that introduces it."""
    separator = _SEPARATOR_LINE.search(text)
    if separator is not None:
        return text[: separator.start()].rstrip() + "\r\n"
    lines = text.split("\n")
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].startswith(">")):
        end -= 1
    if not any(line.startswith(">") for line in lines[end:]):
        return text
    if end and _INTRO_LINE.fullmatch(lines[end - 1].rstrip("\r")):
        end -= 1
    return "\n".join(lines[:end]).rstrip() + "\r\n"


def _quote_end(html: str, start: int) -> int | None:
    """Return where the quotation that begins at `start` ends; None when it never does."""
    depth = 0
    for count, tag in enumerate(_QUOTE_TAG.finditer(html, start)):
        depth += -1 if tag[1] else 1
        if depth == 0:
            closer = _TAG_END.search(html, tag.end())
            return closer.end() if closer is not None else len(html)
        if count >= TAGS_MAX:
            break
    return None
