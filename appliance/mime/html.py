"""HTML to plain text, and plain text to HTML.

An lxml walk for normal mail; a tag-stripping pass for documents that are too large or nested deeper
than the parser goes (libxml2 drops what lies below 256 levels). Both are linear. Makes text only:
nothing here decides whether HTML is safe to show.
"""

import re
from html import escape, unescape

from lxml import etree

from appliance.mime.characters import xml_safe

PARSED_CHARS_MAX = 1_000_000
"""Larger documents are tag-stripped: parsing costs about 90 ms a megabyte."""
DEPTH_MAX = 240
"""Below libxml2's own limit of 256, where it silently drops content."""

_DROPPED = frozenset({
    "head", "title", "style", "script", "noscript", "template", "object", "embed", "applet", "svg",
    "math", "select", "option", "audio", "video", "iframe", "canvas", "map", "colgroup",
})  # fmt: skip
_BLOCKS = frozenset({
    "address", "article", "aside", "body", "center", "dd", "details", "dialog", "dir", "div", "dl",
    "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6",
    "header", "hr", "html", "legend", "li", "main", "menu", "nav", "ol", "p", "pre", "section",
    "summary", "table", "tbody", "tfoot", "thead", "tr", "ul", "blockquote", "caption",
})  # fmt: skip
_PARAGRAPHS = frozenset({
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "table", "blockquote",
})  # fmt: skip
_CELLS = frozenset(("td", "th"))
_LEADING_BLANK = re.compile(r"^ ")
_LINES_OF_BLANKS = re.compile(r"\n{3,}")
_RAW_ELEMENT = re.compile(r"<(script|style|head|title|svg|math)\b", re.I)
_BREAKING_TAG = re.compile(r"</?(?:br|p|div|tr|li|h[1-6]|table|ul|ol|blockquote|hr)\b", re.I)
_ANY_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*+>")  # "<" excluded: unclosed tags must not be quadratic
_BODY_START = re.compile(r"<body\b[^<>]*+>", re.I)
_BODY_END = re.compile(r"</body\b", re.I)
_BODY_CLOSER = re.compile(r"</body\b[^<>]*+>?", re.I)
_DOCUMENT_END = re.compile(r"</html\b[^<>]*+>?", re.I)
_CLOSERS = {
    name: re.compile(f"</{name}\\b", re.I) for name in ("script", "style", "head", "title", "svg", "math")
}
_COMMENT_END = re.compile("-->")


def text_from_html(html: str) -> str:
    """Return the readable text of an HTML document, lines ended by LF, quotations marked with "> "."""
    if len(html) <= PARSED_CHARS_MAX:
        text = _parsed(html)
        if text is not None:
            return text
    return strip_tags(html)


def html_from_text(text: str) -> str:
    """Return an HTML document that shows plain text as it is: line breaks and runs of blanks kept."""
    return f"<html><body>{html_fragment(text)}</body></html>"


def html_fragment(text: str) -> str:
    """Return plain text as an escaped HTML fragment; line breaks and runs of blanks survive.

    Without style attributes, which readers and sanitisers drop.
    """
    escaped = escape(xml_safe(text), quote=False).replace("\r\n", "\n").replace("\r", "\n")
    lines = (_LEADING_BLANK.sub("&nbsp;", line.replace("  ", "&nbsp; ")) for line in escaped.split("\n"))
    return "<div>" + "<br>\r\n".join(lines) + "</div>"


def strip_tags(html: str) -> str:
    """Return the text of HTML by removing tags alone; linear for any input."""
    pieces: list[str] = []
    position = 0
    for start, end in _hidden_spans(html):
        pieces.append(html[position:start])
        position = end
    pieces.append(html[position:])
    visible = _BREAKING_TAG.sub(lambda match: "\n" + match.group(), "".join(pieces))
    text = unescape(_ANY_TAG.sub(" ", visible))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return _LINES_OF_BLANKS.sub("\n\n", "\n".join(lines)).strip()


def append_html(document: str, fragment: str) -> str:
    """Return the document with a fragment added at the end of its body."""
    position = len(document)
    for match in _BODY_END.finditer(document):
        position = match.start()
    return document[:position] + fragment + document[position:]


def body_fragment(document: str) -> str:
    """Return the inside of the body element, with the style sheets of the head in front of it.

    What a gateway wrote behind the end of the document counts as inside, as it does for browsers.
    """
    start = _BODY_START.search(document)
    if start is None:
        return document
    end = len(document)
    for match in _BODY_END.finditer(document, start.end()):
        end = match.start()
    behind = _DOCUMENT_END.sub(" ", _BODY_CLOSER.sub(" ", document[end:], count=1)).rstrip()
    return "".join(_style_sheets(document[: start.start()])) + document[start.end() : end] + behind


def _style_sheets(head: str) -> list[str]:
    """Return the complete style elements of a document's head."""
    sheets, position = [], 0
    for opener in re.finditer(r"<style\b", head, re.I):
        if opener.start() < position:
            continue
        closer = _CLOSERS["style"].search(head, opener.end())
        if closer is None:
            break
        position = closer.end()
        sheets.append(head[opener.start() : closer.start()] + "</style>")
    return sheets


def _hidden_spans(html: str) -> list[tuple[int, int]]:
    """Return the spans of comments and of elements whose content is not text, in order."""
    spans: list[tuple[int, int]] = []
    position = 0
    unclosed: set[str] = set()  # without this memory, many openers without a closer would be quadratic
    while (start := html.find("<", position)) >= 0:
        position = start + 1
        if html.startswith("<!--", start):
            name, closer = "!--", _COMMENT_END
        elif (element := _RAW_ELEMENT.match(html, start)) is not None:
            name = element[1].lower()
            closer = _CLOSERS[name]
        else:
            continue
        found = None if name in unclosed else closer.search(html, position)
        if found is None:
            unclosed.add(name)
            continue
        position = found.end()
        spans.append((start, position if name == "!--" else found.start()))
    return spans


def _parsed(html: str) -> str | None:
    """Return the text by walking the parsed tree, or None when the tree is incomplete."""
    if "\0" in html:
        html = html.replace("\0", "")
    # libxml2 drops what follows </html>; browsers show it, and gateways put their footers there.
    html = _DOCUMENT_END.sub(" ", html)
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    try:
        root = etree.fromstring(html.encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError):
        return None if html.strip() else ""
    if root is None:
        return None if html.strip() else ""
    return _Writer().write(root)


class _Writer:
    """Collects text runs into lines while the tree is walked; white space collapses as in a browser."""

    __slots__ = ("_blank_quote", "_line", "_lines", "_quote")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quote = 0
        self._blank_quote: int | None = None  # an empty line is due, at this quotation depth

    def write(self, root: etree._Element) -> str | None:
        """Return the text of the tree, or None when it is deeper than DEPTH_MAX."""
        depth = dropped = preformatted = 0  # dropped: depth at which a dropped element was entered
        for event, element in etree.iterwalk(root, events=("start", "end")):
            tag = element.tag
            if event == "start":
                depth += 1
                if depth > DEPTH_MAX:
                    return None
                if not dropped and (not isinstance(tag, str) or tag in _DROPPED):
                    dropped = depth
                if not dropped:
                    preformatted += tag == "pre"
                    self._enter(tag)
                    self._text(element.text, bool(preformatted))
                continue
            if dropped == depth:
                dropped = 0
            elif not dropped:
                preformatted -= tag == "pre"
                self._leave(tag)
            depth -= 1
            if not dropped:
                self._text(element.tail, bool(preformatted))
        self._break()
        return _LINES_OF_BLANKS.sub("\n\n", "\n".join(self._lines)).strip("\n")

    def _enter(self, tag: str) -> None:
        if tag == "br":
            self._lines.append(self._prefixed(self._take()))
        elif tag in _BLOCKS:
            self._break()
            self._want_blank(tag)
            if tag == "blockquote":
                self._quote += 1
            elif tag == "li":
                self._line.append("- ")

    def _leave(self, tag: str) -> None:
        if tag in _CELLS:
            self._line.append(" ")
        elif tag in _BLOCKS:
            self._break(collapse=tag != "pre")
            if tag == "blockquote":
                self._quote -= 1
            self._want_blank(tag)

    def _want_blank(self, tag: str) -> None:
        if tag in _PARAGRAPHS and self._lines:
            self._blank_quote = min(
                self._quote, self._quote if self._blank_quote is None else self._blank_quote
            )

    def _text(self, text: str | None, is_preformatted: bool) -> None:
        if not text:
            return
        if is_preformatted:
            first, *rest = text.replace("\r\n", "\n").split("\n")
            self._line.append(first)
            for line in rest:
                self._lines.append(self._prefixed(self._take(collapse=False)))
                self._line.append(line)
            return
        words = text.split()
        if not words:
            self._line.append(" ")
            return
        lead = " " if text[0].isspace() else ""
        trail = " " if text[-1].isspace() else ""
        self._line.append(lead + " ".join(words) + trail)

    def _take(self, *, collapse: bool = True) -> str:
        line = "".join(self._line)
        self._line.clear()
        return " ".join(line.split()) if collapse else line.rstrip()

    def _prefixed(self, line: str) -> str:
        if self._blank_quote is not None:
            if self._lines[-1].strip("> "):
                self._lines.append(">" * min(self._quote, self._blank_quote))
            self._blank_quote = None
        return ">" * self._quote + (" " if self._quote else "") + line

    def _break(self, *, collapse: bool = True) -> None:
        """End the line under way; white space alone makes no line."""
        line = self._take(collapse=collapse)
        if line:
            self._lines.append(self._prefixed(line))
