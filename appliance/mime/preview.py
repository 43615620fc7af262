"""The few words of a message that a list shows below the subject.

Source: MS-ASAIRS Preview (at most 255 characters of plain text).
"""

import re

PREVIEW_CHARS_MAX = 255
READ_CHARS_MAX = 8_192
"""Only the beginning of a body is looked at."""

_URL = re.compile(r"[<(\[]?\b(?:https?|ftp|mailto|cid):[^\s<>\")\]]++[>)\]]?", re.I)
_IMAGE_MARK = re.compile(r"\[(?:image|cid|logo)[^\]\n]{0,200}\]", re.I)
_QUOTE_MARKS = re.compile(r"^[> ]+", re.M)
_RULE = re.compile(r"([-_=*~#.+\u2013\u2014\u2500])\1{3,}")
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2060-\u2064\ufeff]")
_ATTRIBUTION = re.compile(
    r"(?:On|Am|Le|El|Il|Op|Em|Den|Dnia|W dniu)\b.{5,200}"
    r"(?:wrote|schrieb|écrit|escribió|ha scritto|schreef|escreveu|skrev|napisał)[^:\n]{0,100}:\s*\Z",
    re.I,
)
_FORWARD_MARK = re.compile(
    r"-{2,}\s*(?:original message|forwarded message|ursprüngliche nachricht|message d'origine)\s*-{2,}\s*\Z"
    r"|begin forwarded message:\s*\Z",
    re.I,
)


def preview(text: str, chars_max: int = PREVIEW_CHARS_MAX) -> str:
    """Return at most `chars_max` characters that say what the sender wrote.

    Quoted lines, attribution lines, the signature, addresses of pages and rules are left out; when that
    leaves nothing, the text as it is.
    """
    head = _INVISIBLE.sub("", text[:READ_CHARS_MAX])
    own = _squeeze("\n".join(_own_lines(head)))
    return _cut(own or _squeeze(_QUOTE_MARKS.sub("", head)), chars_max)


def _own_lines(text: str) -> list[str]:
    """Return the lines in front of the signature that are not quoted."""
    lines: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if line.rstrip("\r\n") in ("-- ", "--"):
            break
        if stripped.startswith(">") or _FORWARD_MARK.match(stripped):
            continue
        if stripped.endswith(":") and _ATTRIBUTION.match(stripped):
            continue
        lines.append(line)
    return lines


def _squeeze(text: str) -> str:
    if ":" in text:
        text = _URL.sub(" ", text)
    if "[" in text:
        text = _IMAGE_MARK.sub(" ", text)
    return " ".join(_RULE.sub(" ", text).split())


def _cut(text: str, chars_max: int) -> str:
    """Cut at a blank when one is near the end."""
    if len(text) <= chars_max:
        return text
    blank = text.rfind(" ", chars_max - 30, chars_max + 1)
    return text[: blank if blank > 0 else chars_max].rstrip()
