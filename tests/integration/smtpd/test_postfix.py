"""Debian's Postfix on both sides of us: it takes what we relay, and we take what it relays.

A private one on loopback (`tests/bench/postfix.py`), its own configuration and queue.
"""

import smtplib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appliance.items.envelope import RecipientWishes
from appliance.items.next_hop import HopTls, NextHop
from appliance.net.resolver import DnsResolver
from appliance.net.tls import Certificate
from smtpd.body import body_in_memory
from smtpd.calling import Contexts
from smtpd.outcome import Delivered, Failed, Retry
from smtpd.relay import Relay, RelayConfig, RelayMessage
from smtpd.tls import opportunistic_context
from tests.bench.postfix import DOMAIN, PostfixMissing, PrivatePostfix
from tests.fakes.dns import FakeDns
from tests.fixtures.tls_names import Authority
from tests.integration.smtpd.world import RECEPTION, edge

USER, HOST = "reception", "mx.example.com"
ADDRESS = f"{USER}@{DOMAIN}"
RAW = b"From: alice@example.test\r\nSubject: x\r\n\r\n.dot\r\n..two\r\n" + "é".encode() * 400 + b"\r\n"
LETTER = RelayMessage("alice@example.test", body_in_memory(RAW))
ZONES = {DOMAIN: {"MX": [f"10 {HOST}."]}, HOST: {"A": ["127.0.0.1"]}}
PATIENCE_S = 60


def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "never became true"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def postfix(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivatePostfix]:
    """One that offers STARTTLS with a certificate for its name."""
    issued = authority.issued(HOST)
    key = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = tmp_path_factory.mktemp("postfix") / "chain.pem"
    chain.write_bytes(key + issued.pem + authority.root.pem)
    settings = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": str(chain),
        "message_size_limit": "1000000",
    }
    try:
        with PrivatePostfix(USER, settings) as running:
            yield running
    except PostfixMissing as reason:
        pytest.skip(f"Postfix {reason}")


@pytest.fixture
def relay(postfix: PrivatePostfix, authority: Authority) -> Iterator[Relay]:
    with FakeDns(ZONES) as dns:
        one = Relay(
            DnsResolver("127.0.0.1", dns.port, lifetime_s=2),
            RelayConfig("mail.example.test", postfix.port),
            contexts=Contexts(opportunistic_context(), authority.trusting()),
            random=Random(1),
        )
        yield one
        one.close()


def test_it_takes_our_mail_over_one_connection_as_it_is(postfix: PrivatePostfix, relay: Relay) -> None:
    before = postfix.delivered()
    for _ in range(3):
        (outcome,) = relay.deliver(DOMAIN, [ADDRESS], LETTER)
        assert isinstance(outcome, Delivered), outcome
    eventually(lambda: postfix.delivered() == before + 3)
    stored = postfix.messages()[-1]
    assert stored.split(b"\n\n", 1)[1] == RAW.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]
    assert b"with ESMTPS" in stored
    assert " connect from localhost[127.0.0.1]" in postfix.log()
    assert postfix.log().count("disconnect from") <= 1, "a connection for each message"


def test_it_judges_each_recipient(relay: Relay) -> None:
    unknown = f"nobody@{DOMAIN}"
    known, refused = relay.deliver(DOMAIN, [ADDRESS, unknown], LETTER)
    assert isinstance(known, Delivered)
    assert isinstance(refused, Failed)
    assert refused.reply.startswith("550 5.1.1")


def test_it_is_told_what_the_sender_wants_to_hear(postfix: PrivatePostfix, relay: Relay) -> None:
    """And reports success itself, which it does not do unasked."""
    reported = "sender delivery status notification"
    before = postfix.log().count(reported)
    for notify in ("NEVER", "SUCCESS"):
        wishes = {ADDRESS: RecipientWishes(notify, "rfc822;old@example.com")}
        message = replace(LETTER, ret="HDRS", envid="E+2B1", wishes=wishes)
        (outcome,) = relay.deliver(DOMAIN, [ADDRESS], message)
        assert isinstance(outcome, Delivered)
        assert outcome.reports_itself
    eventually(lambda: postfix.log().count(reported) == before + 1)


def test_a_message_it_would_refuse_is_not_sent(relay: Relay) -> None:
    large = replace(LETTER, body=body_in_memory(b"Subject: x\r\n\r\n" + b"x" * 998 + b"\r\n" * 600_000))
    (outcome,) = relay.deliver(DOMAIN, [ADDRESS], large)
    assert isinstance(outcome, Failed)
    assert outcome.reply.startswith("552 5.3.4")


@pytest.mark.parametrize(("host", "kind"), [(HOST, Delivered), ("localhost.example.com", Retry)])
def test_as_a_next_hop_it_must_prove_its_name(
    postfix: PrivatePostfix, authority: Authority, host: str, kind: type[object]
) -> None:
    with FakeDns({host: {"A": ["127.0.0.1"]}}) as dns:
        one = Relay(
            DnsResolver("127.0.0.1", dns.port, lifetime_s=2),
            RelayConfig("mail.example.test"),
            contexts=Contexts(opportunistic_context(), authority.trusting()),
        )
        hop = NextHop(host, postfix.port, HopTls.STARTTLS)
        (outcome,) = one.deliver("anywhere.example", [ADDRESS], replace(LETTER, next_hop=hop))
        one.close()
    assert isinstance(outcome, kind), outcome


def test_we_take_what_it_relays(certificate: Certificate, tmp_path: Path) -> None:
    with edge(RECEPTION, certificate) as ours:
        settings = {"relayhost": f"[127.0.0.1]:{ours.number}", "smtp_tls_security_level": "may"}
        try:
            with PrivatePostfix(USER, settings) as sending, smtplib.SMTP("127.0.0.1", sending.port) as inject:
                inject.sendmail(
                    "ada@example.net", ["alice@example.test"], RAW, mail_options=["BODY=8BITMIME"]
                )
                eventually(lambda: ours.services.accepted)
        except PostfixMissing as reason:
            pytest.skip(f"Postfix {reason}")
        ((envelope, raw),) = ours.services.accepted
    assert envelope.reverse_path == "ada@example.net"
    assert envelope.forward_paths == ("alice@example.test",)
    assert (envelope.protocol, envelope.body) == ("ESMTPS", "8BITMIME")
    assert raw.endswith(RAW.split(b"\r\n\r\n", 1)[1])
