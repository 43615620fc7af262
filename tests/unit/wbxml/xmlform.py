"""The readable form of vectors: `Element` trees as XML, both ways.

The default namespace is the code page's; layout between elements does not count, text does. Content of a
tag that the tables mark as opaque is OPAQUE and written in base64. Where a document departs from that, an
attribute says so: as="text" for a string in an opaque tag, as="opaque" for OPAQUE in any other.
"""

import base64
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from appliance.wbxml.codepages import TAGS_BY_NAME
from appliance.wbxml.element import Body, Element

_ESCAPES = {"\r": "&#13;", "\t": "&#9;", "\n": "&#10;"}


def parse(xml: str) -> Element:
    """Return the tree that an XML text describes."""
    return _from_node(ElementTree.fromstring(xml.encode()))


def render(element: Element) -> str:
    """Return the tree as indented XML with a final newline."""
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _to_lines(element, "", 0)


def _from_node(node: ElementTree.Element) -> Element:
    namespace, _, name = node.tag[1:].partition("}")
    tag = TAGS_BY_NAME[namespace, name]
    content: Body = [_from_node(child) for child in node]
    if not content:
        kind = node.get("as", "opaque" if tag.opaque else "text")
        text = node.text or ""
        content = base64.b64decode(text) if kind == "opaque" else text
    return Element(tag, content)


def _to_lines(element: Element, namespace: str, depth: int) -> str:
    tag, content, margin = element.tag, element.content, "  " * depth
    start = tag.name if tag.namespace == namespace else f'{tag.name} xmlns="{tag.namespace}"'
    if content is None:
        return f"{margin}<{start}/>\n"
    if isinstance(content, list):
        inner = "".join(_to_lines(child, tag.namespace, depth + 1) for child in element)
        return f"{margin}<{start}>\n{inner}{margin}</{tag.name}>\n"
    kind = "opaque" if isinstance(content, bytes) else "text"
    if tag.opaque != (kind == "opaque"):
        start += f' as="{kind}"'
    text = base64.b64encode(content).decode() if isinstance(content, bytes) else escape(content, _ESCAPES)
    return f"{margin}<{start}>{text}</{tag.name}>\n"
