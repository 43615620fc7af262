"""The field readers believe: how ours looks, and whose are taken out."""

import email.policy
from email import message_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.mailauth import results
from appliance.mailauth.results import Method

US = "mail.example.com"
REST = b"From: ada@example.net\r\n\r\nAuthentication-Results: mail.example.com; spf=pass in the body\r\n"


def test_the_field() -> None:
    field = results.build(
        US,
        [
            Method("spf", "pass", {"smtp.mailfrom": "example.net"}),
            Method("dkim", "fail", {"header.d": "example.net", "header.s": "s 1"}, 'body "hash"'),
            Method("dmarc", "none", {"header.from": ""}),
        ],
    )
    assert field == (
        b"Authentication-Results: mail.example.com;\r\n\tspf=pass smtp.mailfrom=example.net;\r\n"
        b'\tdkim=fail reason="body \\"hash\\"" header.d=example.net header.s="s 1";\r\n\tdmarc=none\r\n'
    )
    assert results.build(US, []) == b"Authentication-Results: mail.example.com;\r\n\tnone\r\n"
    assert results.signs(3.5, ["spf_fail", "no_date"]) == b"X-Junk-Signs: 3.5 (spf_fail, no_date)\r\n"
    assert results.signs(0, []) == b"X-Junk-Signs: 0.0 (none)\r\n"


@given(st.text(max_size=400))
def test_no_value_can_leave_its_place(value: str) -> None:
    field = results.build(US, [Method("dkim", "pass", {"header.d": value}, value)])
    message = message_from_bytes(field + REST, policy=email.policy.compat32)
    assert message.keys() == ["Authentication-Results", "From"]
    assert list(results.claims(message["Authentication-Results"])) == ["dkim"]


@pytest.mark.parametrize(
    "forged",
    [
        b"Authentication-Results: mail.example.com; spf=pass\r\n",
        b"authentication-results:MAIL.example.COM;\r\n\tspf=pass;\r\n dkim=pass\r\n",
        b"Authentication-Results : mail.example.com 1; spf=pass\r\n",
        b"Authentication-Results: (a (b) c) mail.example.com (x); spf=pass\r\n",
        b'Authentication-Results: "mail.example.com"; spf=pass\r\n',
        b"Authentication-Results:\r\n\tmail.example.com; none\r\n",
        b"X-Junk-Signs: 0.0 (none)\r\n",
    ],
)
def test_fields_under_our_name_are_taken_out(forged: bytes) -> None:
    before, after = b"Received: x\r\n", b"Subject: hello\r\n"
    assert results.without_forged(before + forged + after + REST, US) == (before + after + REST, 1)
    assert results.without_forged(forged * 3 + REST, US) == (REST, 3)


@pytest.mark.parametrize(
    "kept",
    [
        b"Authentication-Results: mx.example.net; spf=pass\r\n",
        b"Authentication-Results: xmail.example.com; spf=pass\r\n",
        b"Authentication-Results: (mail.example.com) mx.example.net; spf=pass\r\n",
        b"ARC-Authentication-Results: i=1; mail.example.com; spf=pass\r\n",
        b"X-Authentication-Results: mail.example.com; spf=pass\r\n",
        b"Subject: Authentication-Results: mail.example.com\r\n",
        b"",
    ],
)
def test_everything_else_stays_byte_for_byte(kept: bytes) -> None:
    assert results.without_forged(kept + REST, US) == (kept + REST, 0)


def test_claims_are_read_outside_comments_and_quotes() -> None:
    value = (
        'mx.example.net 1; spf=pass smtp.mailfrom=a; dkim=fail reason="; dmarc=pass"; arc=none (; dmarc=pass)'
    )
    assert results.claims(value) == {"spf": "pass", "dkim": "fail", "arc": "none"}
    assert results.claims("mx.example.net; none") == {}
    assert results.claims("dmarc=pass") == {}, "without a name it is nobody's claim"
