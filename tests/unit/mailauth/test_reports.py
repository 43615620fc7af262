"""Reports of strangers: read as reporters write them, and refused within milliseconds when they are bombs."""

import gzip
import io
import json
import zipfile
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.mailauth import dmarc_report, tls_report
from appliance.mailauth.unpacking import BYTES_MAX, PACKED_BYTES_MAX, Unreadable, unpacked

ROW = """<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated>
<disposition>{fate}</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row></record>"""


def dmarc(rows, namespace=""):
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<feedback{namespace}><version>1.0</version><report_metadata><org_name>receiver.example</org_name>
<email>x@receiver.example</email><report_id> 1234 </report_id>
<date_range><begin>1772409600</begin><end>1772495999</end></date_range></report_metadata>
<policy_published><domain>example.test</domain><p>none</p></policy_published>{rows}</feedback>""".encode()


TLS = {
    "organization-name": "Receiver",
    "date-range": {"start-datetime": "2026-03-01T00:00:00Z", "end-datetime": "2026-03-01T23:59:59Z"},
    "report-id": "2026-03-01T00:00:00Z_example.test",
    "policies": [
        {
            "policy": {"policy-type": "sts", "policy-domain": "example.test"},
            "summary": {"total-successful-session-count": 90, "total-failure-session-count": 10},
            "failure-details": [
                {
                    "result-type": "certificate-expired",
                    "sending-mta-ip": "192.0.2.1",
                    "receiving-mx-hostname": "mail.example.test",
                    "failed-session-count": 10,
                }
            ],
        },
        {
            "policy": {"policy-type": "tlsa", "policy-domain": "example.test"},
            "summary": {"total-successful-session-count": 1, "total-failure-session-count": 0},
        },
    ],
}


def test_a_dmarc_report():
    good = ROW.format(ip="192.0.2.1", count=3, fate="none", dkim="pass", spf="fail")
    bad = ROW.format(ip="2001:DB8::1", count=5, fate="reject", dkim="fail", spf="fail")
    report = dmarc_report.read(dmarc(good + bad + good))
    assert (report.domain, report.organisation, report.report_id) == (
        "example.test",
        "receiver.example",
        "1234",
    )
    assert report.begins_at == datetime(2026, 3, 2, tzinfo=UTC)
    assert (report.passed, report.failed) == (6, 5)
    assert [(s.ip, s.messages, s.disposition, s.is_aligned) for s in report.sources] == [
        ("192.0.2.1", 6, "none", True),
        ("2001:db8::1", 5, "reject", False),
    ]


def test_a_dmarc_report_in_a_namespace():
    assert dmarc_report.read(dmarc("", ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"')).passed == 0


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not xml",
        b"<feedback/>",
        b"<other/>",
        dmarc("").replace(b"1772495999", b"9" * 18),
        dmarc("").replace(b"<domain>example.test</domain>", b""),
        b'<!DOCTYPE f [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + dmarc("")[38:],
        b'<!DOCTYPE f SYSTEM "file:///etc/passwd">' + dmarc("")[38:],
        b"<a>" * 100_000,
    ],
    ids=["empty", "text", "bare", "other", "no time", "no domain", "entities", "external", "deep"],
)
def test_no_dmarc_report(data):
    with pytest.raises(Unreadable):
        dmarc_report.read(data)


def test_too_many_rows():
    row = ROW.format(ip="192.0.2.1", count=1, fate="none", dkim="pass", spf="pass")
    with pytest.raises(Unreadable, match="rows"):
        dmarc_report.read(dmarc(row * (dmarc_report.ROWS_MAX + 1)))


def test_a_tls_report():
    (report,) = tls_report.read(json.dumps(TLS).encode())
    assert (report.domain, report.organisation, report.passed, report.failed) == (
        "example.test",
        "Receiver",
        91,
        10,
    )
    (failure,) = report.failures
    assert (failure.policy_type, failure.result, failure.sessions) == ("sts", "certificate-expired", 10)


@pytest.mark.parametrize(
    "change",
    [
        {"policies": []},
        {"policies": "many"},
        {"report-id": 7},
        {"date-range": None},
        {"date-range": {"start-datetime": "soon", "end-datetime": "later"}},
    ],
)
def test_no_tls_report(change):
    with pytest.raises(Unreadable):
        tls_report.read(json.dumps(TLS | change).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_no_json(data):
    with pytest.raises(Unreadable):
        tls_report.read(data)


def test_counts_and_texts_of_strangers_are_tamed():
    counts = {"total-successful-session-count": -5, "total-failure-session-count": True}
    policy = TLS["policies"][0] | {"summary": counts}
    odd = TLS | {"organization-name": "A\r\nB" + "x" * 1_000, "policies": [policy]}
    (report,) = tls_report.read(json.dumps(odd).encode())
    assert (report.passed, report.failed) == (0, 0)
    assert report.organisation.startswith("A Bx")
    assert len(report.organisation) == tls_report.TEXT_LENGTH_MAX


def zipped(*files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return made.getvalue()


def test_what_is_packed_comes_out():
    assert unpacked(gzip.compress(b"x")) == unpacked(zipped(("../../a.xml", b"x"))) == unpacked(b"x") == b"x"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(bytes(BYTES_MAX + 1)),
        zipped(("a", bytes(BYTES_MAX + 1))),
        gzip.compress(b"a report")[:-3],
        zipped(("a", b"x"), ("b", b"y")),
        zipped(),
        b"PK\x03\x04 and nothing",
        b"\x1f\x8b and nothing",
        b"x" * (PACKED_BYTES_MAX + 1),
    ],
    ids=["gzip bomb", "zip bomb", "cut off", "two files", "no file", "no zip", "no gzip", "large"],
)
def test_what_does_not_come_out(data):
    with pytest.raises(Unreadable):
        unpacked(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\x03\x04", b"<feedback>", b"{"]))
def test_garbage_is_unreadable_and_nothing_else(data, start):
    for read in (dmarc_report.read, tls_report.read):
        with suppress(Unreadable):
            read(unpacked(start + data))
