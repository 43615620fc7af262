"""What a document may say in a protocol version: nothing that came later or has gone. Pure.

Theory of operation: the code pages know for every tag the first and the last version that define it. From
that a set of foreign tags is made once per version, and a document is freed of them by one walk that
copies only what it changes. Codecs and commands therefore need not ask for the version element by
element; they still decide where a version says the same in another form.

Two places use it: `collection` for the content of items, which is encoded at once, and `dispatch` for
every answer as a whole (it does not look into what is encoded).

Source: MS-ASWBXML 2.1.2.1 Code Pages, MS-ASHTTP 3.2.5.1 (an answer keeps to the version of its request).
"""

from appliance.eas.versions import OFFERED, at_least
from appliance.wbxml.codepages import PAGES
from appliance.wbxml.element import Element, Fragment, Tag


def is_known(tag: Tag, version: str) -> bool:
    """Return whether a version defines a tag."""
    if tag.since is None or not at_least(version, tag.since):
        return False
    return tag.until is None or at_least(tag.until, version)


def of_version(element: Element, version: str) -> Element:
    """Return a document without the elements a version does not define; itself when it has none.

    The root stays. An unknown version allows everything.
    """
    foreign = _FOREIGN.get(version)
    return element if foreign is None else _without(element, foreign)


def _without(element: Element, foreign: frozenset[Tag]) -> Element:
    content = element.content
    if not isinstance(content, list):
        return element
    kept: list[Element | Fragment] = []
    is_changed = False
    for child in content:
        if child.tag in foreign:
            is_changed = True
            continue
        # An element with wire bytes holds a value; only the others can have children.
        if child.wire is None and isinstance(child, Element):
            same = _without(child, foreign)
            is_changed = is_changed or same is not child
            child = same
        kept.append(child)
    return Element(element.tag, kept) if is_changed else element


_FOREIGN = {
    version: frozenset(tag for tags in PAGES.values() for tag in tags.values() if not is_known(tag, version))
    for version in OFFERED
}
