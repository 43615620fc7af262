"""Where is the ActiveSync server of an address? The two questions an iPhone asks.

Version 2 is a GET answered in JSON without credentials, version 1 a POST of XML with them.
Source: MS-ASCMD 2.2.1.1 Autodiscover; MS-OXDSCLI 3.1.5 for the places to look.
"""

import json
from urllib.parse import quote
from xml.etree import ElementTree

from appliance.phone.errors import HttpError, ProtocolError
from appliance.phone.transport import Answer, Transport

JSON_PATH = "/autodiscover/autodiscover.json"
XML_PATH = "/autodiscover/autodiscover.xml"
REQUEST_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
RESPONSE_SCHEMA = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
SETTINGS_AGENT = "Preferences/1 CFNetwork"
HTTP_OK = 200


def by_json(transport: Transport, address: str) -> str:
    """Return the ActiveSync URL by Autodiscover version 2. Raises HttpError, ProtocolError."""
    target = f"{JSON_PATH}?Email={quote(address)}&Protocol=ActiveSync&RedirectCount=1"
    answer = transport.request("GET", target, {"User-Agent": SETTINGS_AGENT, "Accept": "application/json"})
    _must_be_ok(answer)
    try:
        found = json.loads(answer.body)
    except ValueError:
        raise ProtocolError("Autodiscover: the answer is not JSON") from None
    url = found.get("Url") if isinstance(found, dict) else None
    if not isinstance(url, str) or found.get("Protocol", "").lower() != "activesync":
        raise ProtocolError("Autodiscover: the answer has no ActiveSync Url")
    return url


def by_xml(transport: Transport, address: str, authorization: str) -> str:
    """Return the ActiveSync URL by Autodiscover version 1. Raises HttpError, ProtocolError."""
    headers = {
        "Authorization": authorization,
        "User-Agent": SETTINGS_AGENT,
        "Content-Type": "text/xml",
        "Accept": "*/*",
    }
    answer = transport.request("POST", XML_PATH, headers, _question(address))
    _must_be_ok(answer)
    return url_in(answer.body)


def url_in(document: bytes) -> str:
    """Return the MobileSync URL of an Autodiscover answer. Raises ProtocolError."""
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise ProtocolError("Autodiscover: the answer declares a document type")
    try:
        root = ElementTree.fromstring(document)
    except ElementTree.ParseError as error:
        raise ProtocolError(f"Autodiscover: the answer is not XML: {error}") from None
    for server in root.iter(f"{{{RESPONSE_SCHEMA}}}Server"):
        if server.findtext(f"{{{RESPONSE_SCHEMA}}}Type") == "MobileSync":
            url = server.findtext(f"{{{RESPONSE_SCHEMA}}}Url")
            if url:
                return url
    raise ProtocolError("Autodiscover: no MobileSync server in the answer")


def _question(address: str) -> bytes:
    root = ElementTree.Element("Autodiscover", {"xmlns": REQUEST_SCHEMA})
    request = ElementTree.SubElement(root, "Request")
    ElementTree.SubElement(request, "EMailAddress").text = address
    ElementTree.SubElement(request, "AcceptableResponseSchema").text = RESPONSE_SCHEMA
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _must_be_ok(answer: Answer) -> None:
    if answer.status != HTTP_OK:
        raise HttpError("Autodiscover", answer.status, answer.reason, answer.headers, answer.body)
