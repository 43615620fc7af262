"""How a mail program finds this server from an address: Autodiscover requests and answers. Pure.

Owns both protocols: v1, XML posted to `/autodiscover/autodiscover.xml` ("POX"), answered for the
mobilesync schema that phones ask with; and v2, a JSON answer to a GET. Also owns what a host name
may look like, because the answer is built from one. Leaves to `web/autodiscover`: URLs, credentials,
HTTP. Source: MS-ASCMD 2.2.1.1 Autodiscover; MS-OXDSCLI for the errors.

Nothing here tells whether an address exists: v2 is asked without a password and answers alike for all.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zlib import crc32

from lxml import etree

BODY_BYTES_MAX: Final = 65_536
"""No honest request has a fiftieth of this."""

MOBILESYNC_REQUEST: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
MOBILESYNC: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
ENVELOPE: Final = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"

INVALID_REQUEST: Final = 600
NO_PROVIDER: Final = 601

EAS_PATH: Final = "/Microsoft-Server-ActiveSync"
POX_PATH: Final = "/autodiscover/autodiscover.xml"

_PROTOCOLS: Final[Mapping[str, tuple[str, str]]] = {
    "activesync": ("ActiveSync", EAS_PATH),
    "autodiscoverv1": ("AutodiscoverV1", POX_PATH),
}
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST: Final = re.compile(
    rf"(?P<host>(?:{_LABEL}\.){{0,31}}{_LABEL}|\[[0-9A-Fa-f:.]{{2,45}}\])(?::(?P<port>[0-9]{{1,5}}))?"
)


class HostileXml(Exception):
    """The document is over the ceiling or declares a document type; no mail program sends either."""


class PoxError(Exception):
    """A request that gets an error document; `code` is MS-OXDSCLI's ErrorCode."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class PoxRequest:
    """A posted request for the mobilesync schema."""

    address: str


@dataclass(frozen=True, slots=True)
class Host:
    """Where clients reach this server; `port` is None for the scheme's own."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        return self.name if self.port in (None, 443) else f"{self.name}:{self.port}"


def parse_host(text: str) -> Host | None:
    """Return the value of a Host header as name and port, or None when it is not one."""
    match = _HOST.fullmatch(text)
    if match is None or len(match["host"]) > 253:
        return None
    port = int(match["port"]) if match["port"] else None
    return Host(match["host"].lower(), port) if port is None or 0 < port < 65536 else None


def parse_pox(body: bytes) -> PoxRequest:
    """Return what a POX request asks for.

    Raises HostileXml (answer 400), PoxError 600 for what is not a request, 601 for a schema other
    than mobilesync (Outlook's, for instance).
    """
    root = _parsed(body)
    requests = [child for child in root if _local_name(child) == "Request"]
    if _local_name(root) != "Autodiscover" or len(requests) != 1:
        raise PoxError(INVALID_REQUEST, "Invalid Request")
    (request,) = requests
    fields = {_local_name(child): (child.text or "").strip() for child in request}
    if not fields.get("EMailAddress") or not fields.get("AcceptableResponseSchema"):
        raise PoxError(INVALID_REQUEST, "Invalid Request")
    if fields["AcceptableResponseSchema"].lower() != MOBILESYNC:
        raise PoxError(NO_PROVIDER, "Provider is not available")
    return PoxRequest(fields["EMailAddress"])


def mobilesync_document(host: Host, address: str, display_name: str) -> bytes:
    """Return the answer that sends a phone to this server. Source: MS-ASCMD 2.2.1.1 Autodiscover."""
    url = f"https://{host}{EAS_PATH}"
    response = _root("Response", MOBILESYNC)
    _element(response, "Culture", "en:us")
    user = _element(response, "User")
    _element(user, "DisplayName", display_name or address)
    _element(user, "EMailAddress", address)
    server = _element(_element(_element(response, "Action"), "Settings"), "Server")
    for name, text in (("Type", "MobileSync"), ("Url", url), ("Name", url)):
        _element(server, name, text)
    return _document(response)


def error_document(error: PoxError, host: Host, moment: datetime) -> bytes:
    """Return the document for a refused request; its Id is the same for all answers of one host.

    Source: MS-ASCMD 2.2.3.63 Error (Time with seven decimal places, Id a number for the server).
    """
    response = _root("Response", ENVELOPE)
    node = _element(response, "Error")
    node.set("Time", moment.strftime("%H:%M:%S.%f0"))
    node.set("Id", str(crc32(host.name.encode())))
    _element(node, "ErrorCode", str(error.code))
    _element(node, "Message", error.message)
    _element(node, "DebugData")
    return _document(response)


def json_answer(host: Host, address: str, protocol: str) -> tuple[int, dict[str, str]]:
    """Return HTTP status and JSON object for a v2 question; `protocol` counts in any letter case.

    The address only has to look like one: known and unknown ones get the same answer.
    """
    if not protocol:
        return 400, _refusal("MandatoryParameterMissing", "The parameter 'Protocol' must be given.")
    if "@" not in address:
        return 400, _refusal("MandatoryParameterMissing", "A mail address must be given.")
    found = _PROTOCOLS.get(protocol.lower())
    if found is None:
        known = ",".join(name for name, _ in _PROTOCOLS.values())
        shown = "".join(char for char in protocol[:40] if char.isalnum())
        return 400, _refusal(
            "InvalidProtocol",
            f"The given protocol value '{shown}' is invalid. Supported values are '{known}'",
        )
    name, path = found
    return 200, {"Protocol": name, "Url": f"https://{host}{path}"}


def _refusal(code: str, message: str) -> dict[str, str]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _parsed(body: bytes) -> etree._Element:
    """Return the root element; entities are never resolved and nothing is ever fetched."""
    if len(body) > BODY_BYTES_MAX:
        raise HostileXml(f"more than {BODY_BYTES_MAX} bytes")
    if b"<!DOCTYPE" in body:  # cheaper than letting libxml2 read the declarations first
        raise HostileXml("a document type declaration")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise PoxError(INVALID_REQUEST, "Invalid Request") from None
    if root.getroottree().docinfo.internalDTD is not None:  # written in another encoding
        raise HostileXml("a document type declaration")
    return root


def _local_name(node: etree._Element) -> str:
    """Return the tag without its namespace; comments and processing instructions have none."""
    return etree.QName(node).localname if isinstance(node.tag, str) else ""


def _root(name: str, namespace: str) -> etree._Element:
    return etree.fromstring(f'<{name} xmlns="{namespace}"/>'.encode())


def _element(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    node = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{name}")
    if text is not None:
        node.text = "".join(char for char in text if char.isprintable())
    return node


def _document(response: etree._Element) -> bytes:
    root = _root("Autodiscover", ENVELOPE)
    root.append(response)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")
