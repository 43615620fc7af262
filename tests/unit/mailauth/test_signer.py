"""Signatures made by us, checked by somebody else's verifier."""

import re
from datetime import UTC, datetime

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.mailauth import canonical, signer
from appliance.mailauth.signer import SigningKey, signatures
from appliance.smtp.data import DataWriter

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEYS = [SigningKey("example.test", "s1", signer.generate(signer.RSA)),
        SigningKey("example.test", "s2", signer.generate(signer.ED25519))]  # fmt: skip
LETTER = (
    b"From: Anna <anna@example.test>\r\nTo: ben@example.net\r\nSubject:  A   folded\r\n\t subject \r\n"
    b"Date: Mon, 2 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n"
    b"Received: from a\r\nReceived: from b\r\n\r\nHello  Ben, \r\n\r\n  bye\t\r\n\r\n\r\n"
)


def look_up(name, timeout=5):
    """Answer a TXT question as the world's DNS would."""
    selector = name.decode().split(".")[0]
    return next((signer.record(k.key).encode() for k in KEYS if k.selector == selector), None)


def on_the_wire(raw):
    """Return the octets a receiver stores: after our line ends, without the dots."""
    writer = DataWriter()
    sent = writer.feed(raw) + writer.finish()
    return sent.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")


def is_valid(raw, number=0):
    try:
        return dkim.DKIM(raw).verify(idx=number, dnsfunc=look_up)
    except dkim.ValidationError:
        return False


def test_both_signatures_are_good_for_a_verifier():
    signed = signatures(LETTER, KEYS, NOW) + LETTER
    assert signed.count(b"DKIM-Signature:") == 2
    assert is_valid(signed, 0)
    assert is_valid(signed, 1)


def test_what_it_says():
    text = signatures(LETTER, KEYS[:1], NOW).decode()
    value = dict(tag.strip().split("=", 1) for tag in re.sub(r"\s+", "", text.split(":", 1)[1]).split(";"))
    assert (value["a"], value["c"], value["d"], value["s"]) == (
        "rsa-sha256",
        "relaxed/relaxed",
        "example.test",
        "s1",
    )
    assert value["t"] == str(int(NOW.timestamp()))
    names = value["h"].split(":")
    assert names.count("from") == names.count("subject") == 2
    assert names.count("reply-to") == 1
    assert "received" not in names
    assert all(len(line) <= 78 for line in text.split("\r\n"))


@pytest.mark.parametrize(
    "change",
    [
        (b"From: Anna", b"From: Bnna"),
        (b"bye", b"by"),
        (b"Subject:", b"Subject: x\r\nSubject:"),
        (b"To: ben", b"From: Boss <boss@example.org>\r\nTo: ben"),
        (b"\r\n\r\nHello", b"\r\nReply-To: <thief@example.org>\r\n\r\nHello"),
        (b"\r\n\r\nHello", b"\r\nContent-Type: text/html\r\n\r\nHello"),
    ],
    ids=["from", "body", "second subject", "second from", "reply-to added", "content-type added"],
)
def test_changes_that_must_show(change):
    signed = signatures(LETTER, KEYS, NOW) + LETTER.replace(*change)
    assert not is_valid(signed, 0)
    assert not is_valid(signed, 1)


@pytest.mark.parametrize(
    "change",
    [
        (b"Hello  Ben, ", b"Hello Ben,"),
        (b"\r\n\r\n\r\n", b"\r\n"),
        (b"Received: from a", b"Received: from c\r\nReceived: from a"),
        (b"A   folded\r\n\t subject ", b"A folded subject"),
    ],
    ids=["spaces", "empty lines at the end", "another hop", "unfolded"],
)
def test_changes_on_the_way_that_do_no_harm(change):
    assert is_valid(signatures(LETTER, KEYS, NOW) + LETTER.replace(*change))


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@example.test\r\n\r\n",
        b"From: a@example.test\r\n",
        b"From: a@example.test",
        b"From: a@example.test\r\n\r\n\r\n\r\n",
        b"From: a@example.test\r\n\r\n \t\r\n\r\n",
        b"From: a@example.test\r\n\r\nno line end",
        b"From: a@example.test\r\n\r\nends with CR\r",
        b"From: a@example.test\n\nbare\nline ends\rof all kinds\r\n.\n",
        b"From: a@example.test\r\nSubject:\r\n\r\n.dot\r\n",
    ],
)  # fmt: skip
def test_odd_messages_are_signed_as_they_go_out(raw):
    assert is_valid(on_the_wire(signatures(raw, KEYS, NOW) + raw))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"\r\n", b"\n", b"\r", b" ", b"\t", b"a", b".", b"\xff", b"  \r\n"]), max_size=40
    )
)
def test_any_line_ends_are_signed_as_they_go_out(parts):
    raw = b"From: a@example.test\r\n\r\n" + b"".join(parts)
    assert is_valid(on_the_wire(signatures(raw, KEYS[1:], NOW) + raw))


def test_what_is_no_field_is_passed_over():
    fields = canonical.header_fields(b"A: 1\r\nno field\r\n b: c\r\nB :2\r\n")
    assert fields == [(b"A", b" 1\r"), (b"B", b"2\r")]


def test_keys_survive_being_stored():
    for key in KEYS:
        again = signer.load(signer.dump(key.key))
        assert signer.record(again) == signer.record(key.key)


def test_no_key_no_signature():
    assert signatures(LETTER, [], NOW) == b""
