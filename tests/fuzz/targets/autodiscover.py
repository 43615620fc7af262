"""Autodiscover: the first line is a Host header and a v2 question, the rest a posted XML document.

Refused with HostileXml or PoxError, or answers that are well-formed and name the address asked for. The
line is `host protocol address`, separated by blanks.
"""

import json
from datetime import UTC, datetime

from lxml import etree

from appliance.autodiscover import (
    BODY_BYTES_MAX,
    Host,
    HostileXml,
    PoxError,
    error_document,
    json_answer,
    mobilesync_document,
    parse_host,
    parse_pox,
)
from tests.fuzz.coverage import ROOT, note

COVERS = ("appliance/autodiscover.py",)
TOKENS = (
    b"<?xml version='1.0' encoding='utf-16'?>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"<!ENTITY % a SYSTEM 'file:///etc/hostname'>",
    b"<![CDATA[",
    b"]]>",
    b"&#0;",
    b"&#x10FFFF;",
    b"<!--",
    b"-->",
    b"<?a b?>",
    b"<Autodiscover><Request>",
    b"<EMailAddress>",
    b"</EMailAddress>",
    b"<AcceptableResponseSchema>",
    b" xmlns:a='urn:b'",
    b"\xff\xfe",
)
HOST = Host("mail.example.com")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
BYTES_MAX = 8_192


def seeds() -> list[bytes]:
    lines = (
        b"mail.example.com:8443 ActiveSync a@example.com",
        b"[::1]:443 autodiscoverv1 a",
        b"a.test  x@y.z",
    )
    bodies = [path.read_bytes() for path in sorted((ROOT / "tests/vectors/autodiscover").glob("*.xml"))]
    utf_16 = bodies[-1].decode().replace("utf-8", "utf-16").encode("utf-16")
    return [line + b"\n" + body for line in lines for body in [*bodies, utf_16]]


def target(data: bytes) -> None:
    line, _, body = data.partition(b"\n")
    host, protocol, address = [*line.decode("latin-1").split(" ", 2), "", "", ""][:3]
    _asked(parse_host(host), protocol, address)
    try:
        request = parse_pox(body)
    except HostileXml as error:
        note("hostile", len(body) > BODY_BYTES_MAX, str(error)[:20])
        return
    except PoxError as error:
        note("refused", error.code)
        etree.fromstring(error_document(error, HOST, MOMENT))
        return
    note("answered")
    assert request.address
    document = etree.fromstring(mobilesync_document(HOST, request.address, address))
    found = [node.text or "" for node in document.iter("{*}EMailAddress")]
    assert found == ["".join(char for char in request.address if char.isprintable())]


def _asked(host: Host | None, protocol: str, address: str) -> None:
    if host is not None:
        note("host", host.port is None, host.name.startswith("["))
        assert parse_host(str(host)) in (host, Host(host.name)), "a Host header does not survive"
    status, answer = json_answer(host or HOST, address, protocol)
    assert status in (200, 400)
    assert json.loads(json.dumps(answer)) == answer
    note("v2", status, answer.get("ErrorCode"))
