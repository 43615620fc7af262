"""Autodiscover: what phones ask, what they are told, and what hostile XML gets."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from appliance import autodiscover
from appliance.autodiscover import (
    ENVELOPE,
    MOBILESYNC,
    Host,
    HostileXml,
    PoxError,
    error_document,
    json_answer,
    mobilesync_document,
    parse_host,
    parse_pox,
)
from tests.covers import covers

VECTORS = Path(__file__).parents[1] / "vectors" / "autodiscover"
HOST = Host("mail.example.com")
URL = "https://mail.example.com/Microsoft-Server-ActiveSync"


def vector(name: str) -> bytes:
    return (VECTORS / name).read_bytes()


def texts(document: bytes, namespace: str) -> dict[str, str]:
    root = etree.fromstring(document)
    return {
        etree.QName(node).localname: node.text or ""
        for node in root.iter(f"{{{namespace}}}*")
        if not len(node)
    }


def test_a_phone_is_understood() -> None:
    assert parse_pox(vector("mobilesync-request.xml")).address == "lena@example.com"


def test_a_phone_is_sent_to_this_server() -> None:
    document = mobilesync_document(HOST, "lena@example.com", "Lena <3 & Co")
    root = etree.fromstring(document)
    assert root.tag == f"{{{ENVELOPE}}}Autodiscover"
    assert root[0].tag == f"{{{MOBILESYNC}}}Response"
    assert texts(document, MOBILESYNC) == {
        "Culture": "en:us",
        "DisplayName": "Lena <3 & Co",
        "EMailAddress": "lena@example.com",
        "Type": "MobileSync",
        "Url": URL,
        "Name": URL,
    }


def test_a_port_other_than_https_is_kept() -> None:
    document = mobilesync_document(Host("localhost", 8443), "lena@example.com", "")
    found = texts(document, MOBILESYNC)
    assert found["Url"] == "https://localhost:8443/Microsoft-Server-ActiveSync"
    assert found["DisplayName"] == "lena@example.com"


def test_outlook_is_told_that_its_schema_is_not_served() -> None:
    with pytest.raises(PoxError) as refused:
        parse_pox(vector("outlook-request.xml"))
    assert refused.value.code == 601


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<Autodiscover/>",
        b"<html><Request/></html>",
        b"<Autodiscover><Request><EMailAddress>a@example.com</EMailAddress></Request></Autodiscover>",
        b"<Autodiscover><Request><AcceptableResponseSchema>x</AcceptableResponseSchema></Request></Autodiscover>",
        b"<?xml version='1.0' encoding='klingon'?><Autodiscover/>",
        b"<Autodiscover><!-- --><?pi?><Request",
    ],
)
def test_what_is_no_request_gets_error_600(body: bytes) -> None:
    with pytest.raises(PoxError) as refused:
        parse_pox(body)
    assert refused.value.code == 600


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_billion_laughs_is_refused(encoding: str) -> None:
    text = vector("billion-laughs.xml").decode()
    text = text.replace('version="1.0"', f'version="1.0" encoding="{encoding}"')
    with pytest.raises((HostileXml, PoxError)):
        parse_pox(text.encode(encoding))


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE a SYSTEM "file:///etc/hostname">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]>',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_document_type_is_refused_and_nothing_is_read(declaration: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>{declaration}<Autodiscover><Request/></Autodiscover>'
    with pytest.raises((HostileXml, PoxError)) as refused:
        parse_pox(text.encode(encoding))
    assert "hostname" not in str(refused.value)


def test_a_document_over_the_ceiling_is_refused_unread() -> None:
    with pytest.raises(HostileXml):
        parse_pox(b"<Autodiscover>" + b" " * autodiscover.BODY_BYTES_MAX)


@given(st.binary(max_size=400))
def test_garbage_is_an_error_not_a_crash(body: bytes) -> None:
    with suppress(PoxError, HostileXml):
        parse_pox(body)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_name_makes_a_document(address: str, name: str) -> None:
    found = texts(mobilesync_document(HOST, address, name), MOBILESYNC)
    assert found["Url"] == URL


@covers("MS-ASCMD_R5698", "MS-ASCMD_R5547", "MS-ASCMD_R5545")
def test_error_document() -> None:
    moment = datetime(2026, 3, 1, 10, 21, 33, 123456, UTC)
    refusal = PoxError(601, "Provider is not available")
    document = error_document(refusal, HOST, moment)
    root = etree.fromstring(document)
    assert root[0].tag == f"{{{ENVELOPE}}}Response"
    assert root[0][0].attrib == {"Time": "10:21:33.1234560", "Id": "3184197375"}
    later = etree.fromstring(error_document(refusal, HOST, moment + timedelta(seconds=5)))
    other = etree.fromstring(error_document(refusal, Host("mail.example.org"), moment))
    assert later[0][0].attrib == {"Time": "10:21:38.1234560", "Id": "3184197375"}, "it names the server"
    assert other[0][0].get("Id") != "3184197375"
    assert texts(document, ENVELOPE) == {
        "ErrorCode": "601",
        "Message": "Provider is not available",
        "DebugData": "",
    }


@pytest.mark.parametrize("protocol", ["ActiveSync", "activesync", "ACTIVESYNC"])
def test_json_in_any_letter_case(protocol: str) -> None:
    assert json_answer(HOST, "lena@example.com", protocol) == (200, {"Protocol": "ActiveSync", "Url": URL})


def test_json_names_the_xml_service() -> None:
    status, answer = json_answer(HOST, "lena@example.com", "AutodiscoverV1")
    assert (status, answer["Url"]) == (200, "https://mail.example.com/autodiscover/autodiscover.xml")


@pytest.mark.parametrize(
    ("address", "protocol", "code"),
    [
        ("lena@example.com", "EWS", "InvalidProtocol"),
        ("lena@example.com", "<script>", "InvalidProtocol"),
        ("lena@example.com", "", "MandatoryParameterMissing"),
        ("", "ActiveSync", "MandatoryParameterMissing"),
        ("lena", "ActiveSync", "MandatoryParameterMissing"),
    ],
)
def test_json_refusals(address: str, protocol: str, code: str) -> None:
    status, answer = json_answer(HOST, address, protocol)
    assert (status, answer["ErrorCode"]) == (400, code)
    assert "<" not in answer["ErrorMessage"]


def test_an_unknown_address_gets_the_answer_of_a_known_one() -> None:
    assert json_answer(HOST, "nobody@example.com", "ActiveSync") == json_answer(
        HOST, "lena@example.com", "ActiveSync"
    )


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("mail.example.com", Host("mail.example.com")),
        ("Mail.Example.COM:8443", Host("mail.example.com", 8443)),
        ("127.0.0.1:443", Host("127.0.0.1", 443)),
        ("[::1]:8443", Host("[::1]", 8443)),
        ("localhost", Host("localhost")),
        ("", None),
        ("mail.example.com:0", None),
        ("mail.example.com:99999", None),
        ("mail.example.com/evil", None),
        ("mail.example.com@evil.test", None),
        ("-mail.example.com", None),
        ("mail..example.com", None),
        ("mail.example.com\n", None),
        ("x" * 64 + ".example.com", None),
        (".".join(["abcdefgh"] * 31), None),
    ],
)
def test_host_names(text: str, host: Host | None) -> None:
    assert parse_host(text) == host


def test_the_usual_port_is_not_written() -> None:
    assert str(Host("mail.example.com", 443)) == "mail.example.com"
