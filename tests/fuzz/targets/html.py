"""HTML to text and cutting: two bytes are a size, the rest is a document in UTF-8.

Any document gives text in bounded time; a cut is a beginning of the document, no longer than asked, and what
is made from plain text reads as that text.
"""

import re
from random import Random

from appliance.mime.characters import crlf, one_line, xml_safe
from appliance.mime.flowed import unflow
from appliance.mime.html import append_html, body_fragment, html_from_text, strip_tags, text_from_html
from appliance.mime.preview import PREVIEW_CHARS_MAX, preview
from appliance.mime.truncate import truncate_html, truncate_utf8
from tests.fuzz.checks import has_only_crlf, is_one_line, is_xml
from tests.fuzz.coverage import ROOT, note

COVERS = tuple(
    f"appliance/mime/{name}.py" for name in ("html", "truncate", "flowed", "preview", "characters")
)
NAMES = (
    "p", "div", "br", "blockquote", "ul", "li", "table", "tr", "td", "pre", "script", "style", "title",
    "svg", "select", "option", "textarea", "xmp", "body", "head", "html", "b", "h1", "a", "math",
    "template",
)  # fmt: skip
TOKENS = (
    *(f"<{name}>".encode() for name in NAMES), *(f"</{name}>".encode() for name in NAMES), b"<!--", b"-->",
    b"<![CDATA[", b"]]>", b"<!DOCTYPE html>", b"<?xml?>", b"&nbsp;", b"&lt;", b"&#0;", b"&#55296;",
    b"&#x110000;", b"&amp", b"<a href='", b'<a b="', b"\r\n", b" \r\n", b"-- \r\n", b"> ", b">>", b"\0",
    b"\x1b", "\u2028\u202e\ufeff\ufffe".encode(), "\U0001f600".encode(), b"\xed\xa0\x80", b"On a wrote:",
    b"https://a.test/", b"----", b"[image: x]",
)  # fmt: skip
MARK = "WHAT-FOLLOWS"
_HIDES = re.compile(
    r"[\"'\0]|<[/\s]*(?:!|\?|head|title|style|script|noscript|template|object|embed|applet|svg|math|select|option|"
    r"audio|video|iframe|canvas|map|colgroup|textarea|xmp|plaintext|listing|frame|noframes|noembed)",
    re.I,
)
"""Elements that are not shown, and quotes, about whose meaning inside a broken tag parsers differ."""
BYTES_MAX = 65_536
DEADLINE_S = 3.0


def seeds() -> list[bytes]:
    page = b"<html><head><title>t</title><style>p{}</style></head><body><p>one <b>two</b><br>three</p>"
    rest = b"<ul><li>a</li></ul><pre>x\n  y</pre><table><tr><td>c</td></tr></table><blockquote>q</blockquote>"
    mail = (ROOT / "tests/vectors/mime/016-newsletter.eml").read_bytes()
    return [b"\x00\x40" + page + rest + b"</body></html>", b"\x00\x80" + mail]


def make(rng: Random) -> bytes:
    """Build a soup of tags, texts and references."""
    return rng.randbytes(2) + b"".join(
        rng.choice((rng.choice(TOKENS), b"word ", b"\xc3\xa4 ")) for _ in range(rng.randrange(60))
    )


def target(data: bytes) -> None:
    size, html = int.from_bytes(data[:2], "big"), data[2:].decode("utf-8", "replace")
    text = text_from_html(html)
    note("lines", text.count("\n").bit_length(), "quotes", text.count(">").bit_length())
    note("words", len(text).bit_length(), "of", len(html).bit_length())
    strip_tags(html)
    is_xml(crlf(xml_safe(text)), "text")
    _cut(html, size)
    _shown(html)
    fragment = body_fragment(html)
    assert len(append_html(html, "<i>x</i>")) == len(html) + 8
    assert len(fragment) <= len(html) + 8 * html.lower().count("<style")
    unflow(html)
    unflow(html, delsp=True)
    line = one_line(html, 200)
    is_one_line(line, "one_line")
    assert len(line) <= 200
    short = preview(xml_safe(html))
    assert len(short) <= PREVIEW_CHARS_MAX
    assert "\n" not in short


def _cut(html: str, size: int) -> None:
    for cut in (truncate_utf8, truncate_html):
        head, is_cut = cut(html, size)
        assert html.startswith(head)
        assert is_cut == (len(html.encode()) > size), "cut is said wrongly"
        assert len(head.encode()) <= size or not is_cut
        assert is_cut or head == html
    note("cut", is_cut, len(head) == 0)
    if is_cut:
        _loses_nothing(head)


def _loses_nothing(head: str) -> None:
    """What follows a cut must be read as text: neither the cut nor the parser may swallow it."""
    if _HIDES.search(head):
        return
    assert MARK in text_from_html(f"{head}<p>{MARK}</p>"), "text behind a cut is lost"
    assert MARK in strip_tags(f"{head}<p>{MARK}</p>"), "text behind a cut is lost in tag stripping"
    assert MARK in text_from_html(append_html(head, f"<p>{MARK}</p>")), "an addition is lost"


def _shown(text: str) -> None:
    """What plain text becomes must show the same words."""
    clean = xml_safe(text)
    has_only_crlf(crlf(clean).encode(), "crlf")
    page = html_from_text(clean)
    if len(page) < 20_000:
        assert text_from_html(page).split() == clean.replace("\xa0", " ").split(), (
            "text reads differently as HTML"
        )
