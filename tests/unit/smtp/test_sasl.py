"""AUTH exchanges: credentials out of base64, or a clear 5yz."""

import base64
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.smtp.reply import Reply
from appliance.smtp.sasl import (
    MECHANISMS,
    REASONS,
    BearerToken,
    Challenge,
    Credentials,
    SaslError,
    SaslExchange,
)


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


def test_plain_with_initial_response() -> None:
    exchange = SaslExchange("PLAIN")
    assert exchange.start(b64("\0alice\0secret")) == Credentials("alice", "secret")


def test_plain_after_an_empty_challenge() -> None:
    exchange = SaslExchange("PLAIN")
    assert exchange.start(None) == Challenge(b"")
    assert exchange.step(b64("alice\0alice\0sécret")) == Credentials("alice", "sécret")


def test_login_prompts() -> None:
    exchange = SaslExchange("LOGIN")
    challenge = exchange.start(None)
    assert isinstance(challenge, Challenge)
    assert challenge.to_reply().to_bytes() == b"334 VXNlcm5hbWU6\r\n"
    assert exchange.step(b64("alice")) == Challenge(b"Password:")
    assert exchange.step(b64("se cret")) == Credentials("alice", "se cret")


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (b"*", 501),
        (b"%%%", 501),
        (b"=", 501),
        (b64("alice\0secret"), 501),
        (b64("\0alice\0secret\0more"), 501),
        (b64("\0\0secret"), 501),
        (b64("\0alice\0"), 501),
        (b64("\0ali\rce\0secret"), 501),
        (base64.b64encode(b"\0alice\0\xff\xfe"), 501),
        (b64("bob\0alice\0secret"), 535),
    ],
)
def test_plain_refuses(response: bytes, code: int) -> None:
    exchange = SaslExchange("PLAIN")
    exchange.start(None)
    with pytest.raises(SaslError) as caught:
        exchange.step(response)
    assert caught.value.reply.code == code


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("alice", "secret"))


@given(st.sampled_from(sorted(MECHANISMS)), st.lists(st.binary(max_size=40), max_size=4))
def test_garbage_is_a_sasl_error(mechanism: str, lines: list[bytes]) -> None:
    with suppress(SaslError):
        exchange = SaslExchange(mechanism)
        result = exchange.start(lines[0] if lines else None)
        for line in lines[1:]:
            if isinstance(result, Credentials):
                break
            result = exchange.step(line)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        ("n,a=alice@x.test,\x01auth=Bearer tok.en-1==\x01\x01", BearerToken("alice@x.test", "tok.en-1==")),
        ("n,,\x01host=h\x01port=587\x01auth=bEARER  t\x01\x01", BearerToken("", "t")),
        ("y,a=a=2Cb=3Dc@x.test,\x01auth=Bearer t\x01\x01", BearerToken("a,b=c@x.test", "t")),
    ],
)
def test_oauthbearer(response: str, expected: BearerToken) -> None:
    assert SaslExchange("OAUTHBEARER").start(b64(response)) == expected


@pytest.mark.parametrize(
    ("mechanism", "response"),
    [
        ("OAUTHBEARER", ""),
        ("OAUTHBEARER", "n,,"),
        ("OAUTHBEARER", "n,,\x01\x01"),
        ("OAUTHBEARER", "n,,\x01auth=Bearer t\x01"),
        ("OAUTHBEARER", "n,,\x01auth=Basic t\x01\x01"),
        ("OAUTHBEARER", "n,,\x01auth=Bearer\x01\x01"),
        ("OAUTHBEARER", "n,,\x01auth=Bearer a\x01auth=Bearer b\x01\x01"),
        ("OAUTHBEARER", "n,,\x01auth=Bearer a\r\nb\x01\x01"),
        ("OAUTHBEARER", "p=tls-unique,,\x01auth=Bearer t\x01\x01"),
        ("OAUTHBEARER", "n,alice,\x01auth=Bearer t\x01\x01"),
        ("OAUTHBEARER", "n,a=x\r\ny,\x01auth=Bearer t\x01\x01"),
        ("XOAUTH2", "auth=Bearer t\x01\x01"),
        ("XOAUTH2", "user=a@x.test"),
        ("XOAUTH2", "user=a\0b\x01auth=Bearer t\x01\x01"),
    ],
)
def test_what_is_no_token(mechanism: str, response: str) -> None:
    with pytest.raises(SaslError) as caught:
        SaslExchange(mechanism).start(b64(response) or b"=")
    assert caught.value.reply.code == 501


@pytest.mark.parametrize("mechanism", REASONS)
def test_a_refused_token_is_explained(mechanism: str) -> None:
    exchange, reply = SaslExchange(mechanism), Reply(535, "5.7.8", "no")
    challenge = exchange.refuse(reply)
    assert challenge is not None and json.loads(challenge.data)["schemes"] == "bearer"
    assert exchange.refusal == reply
    assert SaslExchange("PLAIN").refuse(reply) is None


def test_a_token_is_not_shown() -> None:
    assert "secret" not in repr(BearerToken("alice", "secret"))
