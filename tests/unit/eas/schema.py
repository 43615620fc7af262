"""Answers checked against Microsoft's response schemas, where these are at hand.

The schemas lie beside the repository in `shared/eas/xsd`; without them nothing is checked and `is_at_hand`
says so. They are written for a tool that loads all of them as one set: they refer to each other without
importing each other, and one namespace is spread over several files. A resolver makes them what other
tools accept.
"""

import base64
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lxml import etree

from appliance.wbxml.codec import decode, encode
from appliance.wbxml.element import Element

PLACE = Path(__file__).parents[4] / "shared" / "eas" / "xsd"
XS = "http://www.w3.org/2001/XMLSchema"
_SCHEME = "eas:"
_EARLY = "//s:Collection/s:Class | //e:Collection/e:Class"
"""Up to 12.1 a collection says its class; the schemas describe only what came later."""
_LATE = "//s:Responses/s:Change/s:ApplicationData"
"""From 16.0 on a draft's Change is answered with the names of its new files, which no schema knows."""


class SchemaError(AssertionError):
    """An answer that breaks the schema; the message says where."""


def is_at_hand() -> bool:
    """Tell whether answers can be checked here."""
    return (PLACE / "SyncResponse.xsd").exists()


def check(answer: Element) -> None:
    """Raise SchemaError when an answer breaks the schema of its command; does nothing without schemas."""
    if not is_at_hand():
        return
    document = to_xml(decode(encode(answer)))  # encoded once, so that fragments are elements again
    for early in document.xpath(f"{_EARLY} | {_LATE}", namespaces={"s": "AirSync", "e": "GetItemEstimate"}):
        early.getparent().remove(early)
    found = _schema(answer.tag.namespace)
    if not found.validate(document):
        faults = "\n".join(f"line {fault.line}: {fault.message}" for fault in found.error_log)
        raise SchemaError(f"{faults}\n{etree.tostring(document, pretty_print=True).decode()}")


def to_xml(element: Element) -> etree._Element:
    """Return a decoded document as namespaced XML; opaque content as base64."""
    node = etree.Element(f"{{{element.tag.namespace}}}{element.tag.name}")
    if isinstance(element.content, bytes):
        node.text = base64.b64encode(element.content).decode()
    elif isinstance(element.content, str):
        node.text = element.content
    node.extend([to_xml(child) for child in element])
    return node


@cache
def _schema(namespace: str) -> etree.XMLSchema:
    parser = etree.XMLParser(no_network=True)
    parser.resolvers.add(_Schemas())
    start = f'<xs:import namespace="{namespace}" schemaLocation="{_SCHEME}{namespace}"/>'
    return etree.XMLSchema(etree.fromstring(f'<xs:schema xmlns:xs="{XS}">{start}</xs:schema>', parser))


class _Schemas(etree.Resolver):
    """Gives every namespace as one schema that imports all the others."""

    def resolve(self, url: str, public_id: str, context: object) -> object:
        if not url.startswith(_SCHEME):
            return None
        return self.resolve_string(_merged(url.removeprefix(_SCHEME)), context)


@cache
def _files() -> dict[str, list[Path]]:
    """Return the schema files of ActiveSync by namespace."""
    files = defaultdict(list)
    for path in sorted(PLACE.glob("*.xsd")):
        if not path.name.startswith(("MS-OX", "Autodiscover")):
            files[etree.parse(path).getroot().get("targetNamespace")].append(path)
    return files


def _merged(namespace: str) -> str:
    """Return the schema of a namespace: the children of all its files, and imports."""
    prefixes = " ".join(f'xmlns:{_prefix(other)}="{other}"' for other in _files())
    imports = "".join(
        f'<xs:import namespace="{other}" schemaLocation="{_SCHEME}{other}"/>'
        for other in _files()
        if other != namespace
    )
    definitions = "".join(text for path in _files()[namespace] for text in _definitions(path))
    return (
        f'<xs:schema xmlns:xs="{XS}" {prefixes} targetNamespace="{namespace}" elementFormDefault="qualified">'
        f"{imports}{definitions}</xs:schema>"
    )


def _definitions(path: Path) -> Iterator[str]:
    """Yield a file's top-level definitions with references by the prefixes of `_prefix`."""
    root = etree.parse(path).getroot()
    for node in root.iter(f"{{{XS}}}*"):
        for attribute in ("ref", "type", "base", "memberTypes"):
            names = node.get(attribute)
            if names is not None:
                node.set(attribute, " ".join(_renamed(name, node) for name in names.split()))
        if node.tag == f"{{{XS}}}choice" and node.get("maxOccurs") == "unbounded":
            _determined(node)
    for child in root:
        if isinstance(child.tag, str):
            yield re.sub(r' xmlns(:\w+)?="[^"]*"', "", etree.tostring(child, with_tail=False).decode())


def _renamed(name: str, node: etree._Element) -> str:
    prefix, _, local = name.rpartition(":")
    space = node.nsmap.get(prefix or None)
    return f"xs:{local}" if space == XS else f"{_prefix(str(space))}:{local}"


def _determined(choice: etree._Element) -> None:
    """Drop what an endless choice makes pointless, and what one reader in two calls ambiguous."""
    for child in choice:
        if isinstance(child.tag, str):
            child.attrib.pop("minOccurs", None)
            child.attrib.pop("maxOccurs", None)


def _prefix(namespace: str) -> str:
    return f"n-{namespace.lower()}"
