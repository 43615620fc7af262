"""Autodiscover as a command: the same question and answer as at its own path, without a version."""

import pytest
from lxml import etree

from appliance import db
from appliance.autodiscover import BODY_BYTES_MAX, ENVELOPE, MOBILESYNC, MOBILESYNC_REQUEST
from appliance.db.tables import Device
from appliance.eas.request import RequestError, parse
from tests.covers import covers
from tests.unit.eas.world import request


def question(*, schema=MOBILESYNC, count=1):
    one = (
        "<Request><EMailAddress>anna@example.test</EMailAddress>"
        f"<AcceptableResponseSchema>{schema}</AcceptableResponseSchema></Request>"
    )
    return f'<Autodiscover xmlns="{MOBILESYNC_REQUEST}">{one * count}</Autodiscover>'.encode()


def ask(phone, body, **headers):
    given = {"version": "", "content_type": "text/xml"} | headers
    return phone.server.ask(phone.account, request("Autodiscover", body, **given))


@covers("MS-ASCMD_R8", "MS-ASCMD_R41", "MS-ASCMD_R3484", "MS-ASCMD_R703", "MS-ASCMD_R3482", "MS-ASCMD_R5718")
@covers("MS-ASCMD_R5823", "MS-ASCMD_R4001", "MS-ASCMD_R5123")
@pytest.mark.parametrize("version", ["", "2.5", "12.1", "16.1"])
@pytest.mark.parametrize("content_type", ["text/xml", "text/html"])
def test_where_the_server_is(phone, version, content_type):
    response = ask(phone, question(), version=version, content_type=content_type, host="127.0.0.1:8443")
    assert (response.status, response.content_type) == (200, "text/xml; charset=utf-8")
    root = etree.fromstring(response.body)
    url = "https://mail.example.test:8443/Microsoft-Server-ActiveSync"
    assert [node.text for node in root.iter(f"{{{MOBILESYNC}}}Url", f"{{{MOBILESYNC}}}Name")] == [url, url]
    assert root.findtext(f".//{{{MOBILESYNC}}}EMailAddress") == "anna@example.test"
    assert root.findtext(f".//{{{MOBILESYNC}}}Culture") == "en:us"
    assert root.find(f".//{{{MOBILESYNC}}}Status") is None


def test_without_a_port_it_is_the_usual_one(phone):
    assert b"<Url>https://mail.example.test/Microsoft-Server-ActiveSync</Url>" in ask(phone, question()).body


@covers("MS-ASCMD_R3799", "MS-ASCMD_R3818", "MS-ASCMD_R2285", "MS-ASCMD_R2286", "MS-ASCMD_R2287")
@covers("MS-ASCMD_R2288")
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "600"),
        (b"\x03\x01\x6a\x00", "600"),
        (question(count=0), "600"),
        (question(count=2), "600"),
        (question(schema="http://schemas.example.com/other"), "601"),
    ],
    ids=["empty", "wbxml", "none", "two", "schema"],
)
def test_what_is_no_question(phone, body, code):
    response = ask(phone, body)
    assert response.status == 200
    assert etree.fromstring(response.body).findtext(f".//{{{ENVELOPE}}}ErrorCode") == code


@pytest.mark.parametrize("body", [b"<!DOCTYPE a><a/>", b" " * (BODY_BYTES_MAX + 1)], ids=["doctype", "long"])
def test_what_nobody_honest_sends(phone, body):
    response = ask(phone, body)
    assert (response.status, response.body) == (400, b"")


def test_no_device_is_made_of_it(phone):
    ask(phone, question())
    with db.connection():
        assert not Device.select().exists()


def test_the_query_needs_no_version():
    asked = parse("POST", "Cmd=autodiscover&User=anna&DeviceId=d&DeviceType=t", {"Content-Type": "text/xml"})
    assert (asked.command, asked.version) == ("Autodiscover", "")
    with pytest.raises(RequestError):
        parse("POST", "Cmd=Sync&User=anna&DeviceId=d&DeviceType=t", {})
