"""The Received field is one field, whatever the client called itself."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.items.envelope import Envelope
from smtpd.trace import hop_count, received_field

ENVELOPE = Envelope(
    reverse_path="a@client.example",
    forward_paths=("alice@example.test",),
    received_at=datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC),
    client_ip="192.0.2.1",
    client_port=4242,
    helo="client.example",
    protocol="ESMTPS",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
)


def field_for(**changes: object) -> bytes:
    return received_field(replace(ENVELOPE, **changes), "mx.example.test", "c0ffee.1")  # type: ignore[arg-type]  # fields by name


def test_the_whole_field() -> None:
    assert field_for() == (
        b"Received: from client.example ([192.0.2.1])\r\n"
        b"\tby mx.example.test with ESMTPS\r\n"
        b"\t(TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n"
        b"\tid c0ffee.1\r\n"
        b"\tfor <alice@example.test>;\r\n"
        b"\tSun, 01 Mar 2026 12:30:05 +0000\r\n"
    )


def test_several_recipients_are_not_named() -> None:
    assert b"for <" not in field_for(forward_paths=("alice@example.test", "bob@example.test"))


def test_a_non_ascii_recipient_only_with_smtputf8() -> None:
    assert b"for <" not in field_for(forward_paths=("jürgen@example.test",))
    assert "for <jürgen@example.test>".encode() in field_for(
        forward_paths=("jürgen@example.test",), smtputf8=True
    )


@pytest.mark.parametrize("name", ["", "(evil)", "a;b", "a b", "localhost..", "jürgen.example", "x\r\nBcc: y"])
def test_a_name_that_is_none_gives_way_to_the_address(name: str) -> None:
    assert field_for(helo=name).startswith(b"Received: from [192.0.2.1] ([192.0.2.1])\r\n")


def test_ipv6() -> None:
    field = field_for(client_ip="2001:db8::1", helo="[IPv6:2001:db8::1]")
    assert field.startswith(b"Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n")


@given(st.text(max_size=100), st.text(max_size=60))
def test_it_is_always_one_field(helo: str, tls: str) -> None:
    field = field_for(helo=helo, tls=tls)
    lines = field.split(b"\r\n")
    assert lines.pop() == b""
    assert lines[0].startswith(b"Received: ")
    assert all(re.match(rb"\t[^\r\n]+\Z", line) for line in lines[1:])


def test_hops_are_counted_in_the_header_only() -> None:
    raw = b"Received: a\r\n\tReceived: folded\r\nRECEIVED : b\r\nX-Received: c\r\n\r\nReceived: body\r\n"
    assert hop_count(raw) == 2
    assert hop_count(b"Received: a\r\n" * 60) == 60
    assert hop_count(b"") == 0
