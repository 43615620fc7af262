"""AUTH exchanges: credentials out of base64, or a clear 5yz."""

import base64
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.smtp.sasl import MECHANISMS, Challenge, Credentials, SaslError, SaslExchange


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
