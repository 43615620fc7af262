"""Cutting a body to the size a phone asked for.

Source: MS-ASAIRS TruncationSize (bytes of the UTF-8 text); a cut inside a tag, an entity or a script
would show markup as text.
"""

import re

_TAG = re.compile(r"""</?[a-zA-Z](?:[^>"']++|"[^"]*+"|'[^']*+')*+>""")
_RAW_NAME = re.compile(r"<(script|style|title|textarea|xmp)\b", re.I)
_CLOSERS = {
    name: re.compile(f"</{name}\\b[^>]*+>", re.I) for name in ("script", "style", "title", "textarea", "xmp")
}
_CUT_ENTITY = re.compile(r"&#?[A-Za-z0-9]{0,31}\Z")
_ENTITY_CHARS_MAX = 33


def truncate_utf8(text: str, size_bytes: int) -> tuple[str, bool]:
    """Return the longest beginning whose UTF-8 form has at most `size_bytes`, and whether it was cut."""
    if size_bytes < 0:
        size_bytes = 0
    if len(text) <= size_bytes // 4:
        return text, False
    head = text[: size_bytes + 1]
    encoded = head.encode("utf-8", "replace")
    if len(encoded) <= size_bytes:
        return text, False
    return encoded[:size_bytes].decode("utf-8", "ignore"), True


def truncate_html(html: str, size_bytes: int) -> tuple[str, bool]:
    """Cut HTML to at most `size_bytes` of UTF-8, in front of any construct the cut would split.

    Never ends inside a tag, comment, entity, script or style; elements may stay open, which every
    reader closes. Linear: the first construct that does not end in time ends the walk.
    """
    head, is_cut = truncate_utf8(html, size_bytes)
    if not is_cut:
        return html, False
    position = 0
    while (start := head.find("<", position)) >= 0:
        end = _construct_end(head, start)
        if end is None:
            return head[:start], True
        position = end
    entity = _CUT_ENTITY.search(head, max(0, len(head) - _ENTITY_CHARS_MAX))
    return head[: entity.start()] if entity else head, True


def _construct_end(html: str, start: int) -> int | None:
    """Return where the markup at `start` ends, or None when it does not end at all.

    A "<" that opens no markup is text and ends behind itself, unless it is the last character.
    """
    if html.startswith("<!--", start):
        end = html.find("-->", start + 4)
        return None if end < 0 else end + 3
    following = html[start + 1 : start + 2]
    if following in ("!", "?"):
        end = html.find(">", start)
        return None if end < 0 else end + 1
    if following in ("", "/") or following.isalpha():
        raw = _RAW_NAME.match(html, start)
        tag = _TAG.match(html, start)
        if tag is None:
            return None if following != "/" or html[start + 2 : start + 3].isalpha() else _after(html, start)
        if raw is None:
            return tag.end()
        closer = _CLOSERS[raw[1].lower()].search(html, tag.end())
        return None if closer is None else closer.end()
    return start + 1


def _after(html: str, start: int) -> int | None:
    """Return the end of a bogus closing tag such as "</>"."""
    end = html.find(">", start)
    return None if end < 0 else end + 1
