"""Whom a message is given to when somebody demands more than TLS with whoever answers.

MTA-STS, DANE, smarthosts with a login, REQUIRETLS: each against servers that are as they should be, and
that are not. Source: RFC 8461 5, RFC 7672 2 and 3, RFC 8689.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.clock import SYSTEM_CLOCK
from appliance.domains.sts_policies import Policy
from appliance.items.next_hop import HopTls, NextHop
from appliance.net.fetch import Fetcher
from appliance.net.resolver import DnsResolver
from smtpd.body import body_in_memory
from smtpd.calling import Contexts
from smtpd.outcome import Delivered, Failed, Outcome, Retry
from smtpd.relay import Relay, RelayConfig, RelayMessage
from smtpd.remote import RelayDeadlines
from smtpd.security import PolicyFacts
from smtpd.sts import StsPolicies
from smtpd.tls import opportunistic_context
from tests.fakes.dns import SERVFAIL, FakeDns
from tests.fakes.https import FakeHttps, document
from tests.fakes.mx import FakeMx
from tests.fakes.pki import Issued
from tests.fixtures.tls_names import Authority

HOST, DOMAIN = "one.example.net", "example.net"
QUICK = RelayDeadlines(connect_s=2, greeting_s=5, command_s=5, final_s=5, handshake_s=5, attempt_s=30)
LETTER = RelayMessage("alice@example.test", body_in_memory(b"Subject: x\r\n\r\nhi\r\n"))
ENFORCE = b"version: STSv1\r\nmode: enforce\r\nmx: one.example.net\r\nmax_age: 86400\r\n"
SECURE = ("PIPELINING", "REQUIRETLS")


@dataclass
class Counting:
    """Remembers what would be reported."""

    good: list[PolicyFacts] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)

    def succeeded(self, facts: PolicyFacts) -> None:
        self.good.append(facts)

    def failed(self, facts: PolicyFacts, result: str, host: str, address: str) -> None:
        self.bad.append((facts.type, result))


class MemoryPolicies:
    """Policies without a database."""

    def __init__(self) -> None:
        self.all: dict[str, Policy] = {}

    def kept(self, domain: str) -> Policy | None:
        found = self.all.get(domain)
        return found if found is not None and found.expires_at > SYSTEM_CLOCK.now() else None

    def keep(self, policy: Policy) -> None:
        self.all[policy.domain] = policy


@dataclass
class World:
    """DNS, policies and what is reported; the relay trusts one authority."""

    authority: Authority
    zones: dict[str, dict[str, Sequence[str]] | str] = field(default_factory=dict)
    policies: MemoryPolicies = field(default_factory=MemoryPolicies)
    seen: Counting = field(default_factory=Counting)
    https_port: int = 1
    is_signed: bool = False

    @contextmanager
    def relay(self, port: int) -> Iterator[Relay]:
        """A relay that finds the only server of example.net on this port."""
        zones = {DOMAIN: {"MX": [f"10 {HOST}."]}, HOST: {"A": ["127.0.0.1"]}} | self.zones
        with FakeDns(zones, is_authentic=self.is_signed) as dns:
            resolver = DnsResolver("127.0.0.1", dns.port, lifetime_s=2)
            trusting = self.authority.trusting()
            fetcher = Fetcher(resolver, context=trusting, port=self.https_port, timeout_s=3)
            failed = lambda _domain, word: self.seen.bad.append(("sts", word))  # noqa: E731
            sts = StsPolicies(resolver, fetcher, self.policies, SYSTEM_CLOCK, failed)
            relay = Relay(
                resolver,
                RelayConfig("mx.example.test", port, QUICK),
                contexts=Contexts(opportunistic_context(), trusting),
                sts=sts,
                reporter=self.seen,
                random=Random(1),
            )
            try:
                yield relay
            finally:
                relay.close()

    def deliver(self, port: int, message: RelayMessage = LETTER, recipient: str = "x@example.net") -> Outcome:
        """Deliver to example.net."""
        with self.relay(port) as relay:
            return relay.deliver(DOMAIN, [recipient], message)[0]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(Authority(tmp_path))


def server(world: World, name: str = HOST, *, days: int = 90, **options: object) -> FakeMx:
    context = world.authority.server(world.authority.issued(name, days=days))
    return FakeMx(tls=context, **options)  # type: ignore[arg-type]  # the fake's own options


# --- MTA-STS --------------------------------------------------------------------------------------


@contextmanager
def policy(world: World, text: bytes = ENFORCE, *, policy_id: str = "1") -> Iterator[FakeHttps]:
    """Publish a policy for example.net."""
    name = "mta-sts.example.net"
    with FakeHttps(world.authority.server(world.authority.issued(name)), document(text)) as https:
        world.zones[name] = {"A": ["127.0.0.1"]}
        world.zones["_mta-sts.example.net"] = {"TXT": [f'"v=STSv1; id={policy_id};"']}
        world.https_port = https.port
        yield https


def test_a_server_that_meets_the_policy_gets_the_mail(world: World) -> None:
    with server(world) as mx, policy(world) as https:
        assert isinstance(world.deliver(mx.port), Delivered)
    assert mx.messages[0].is_encrypted
    assert https.requests[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.net")
    assert [facts.type for facts in world.seen.good] == ["sts"]
    assert world.policies.all[DOMAIN].id == "1"


@pytest.mark.parametrize(
    ("name", "days", "result"),
    [("other.example.net", 90, "certificate-host-mismatch"), (HOST, -1, "certificate-expired")],
)
def test_a_server_that_does_not_is_not_given_it(world: World, name: str, days: int, result: str) -> None:
    with server(world, name, days=days) as mx, policy(world):
        outcome = world.deliver(mx.port)
    assert isinstance(outcome, Retry)
    assert outcome.reply.startswith("451 4.7.5")
    assert (mx.messages, world.seen.bad) == ([], [("sts", result)])


def test_a_server_without_tls_is_not_given_it(world: World) -> None:
    with FakeMx() as mx, policy(world):
        assert isinstance(world.deliver(mx.port), Retry)
    assert (mx.messages, world.seen.bad) == ([], [("sts", "starttls-not-supported")])


def test_a_server_whose_starttls_is_refused_is_not_given_it(world: World) -> None:
    with server(world, script={"STARTTLS": "454 4.7.0 not now"}) as mx, policy(world):
        assert isinstance(world.deliver(mx.port), Retry)
    assert mx.messages == []


def test_a_server_the_policy_does_not_name_is_not_called(world: World) -> None:
    with server(world) as mx, policy(world, ENFORCE.replace(b"one.", b"two.")):
        outcome = world.deliver(mx.port)
    assert isinstance(outcome, Retry)
    assert (mx.connections, world.seen.bad) == (0, [("sts", "certificate-host-mismatch")])


@pytest.mark.parametrize("script", [{}, {"STARTTLS": "454 4.7.0 no"}], ids=str)
def test_testing_never_fails_mail(world: World, script: dict[str, str]) -> None:
    """What would have failed is reported, and the mail goes."""
    testing = ENFORCE.replace(b"enforce", b"testing")
    with server(world, "other.example.net", script=script) as mx, policy(world, testing):
        assert isinstance(world.deliver(mx.port), Delivered)
    expected = "starttls-not-supported" if script else "certificate-host-mismatch"
    assert ("sts", expected) in world.seen.bad
    with FakeMx() as plain, policy(world, testing.replace(b"one.", b"two."), policy_id="2"):
        assert isinstance(world.deliver(plain.port), Delivered)


@pytest.mark.parametrize(
    ("names", "certificate", "has_tls", "result"),
    [
        ("two", HOST, True, "certificate-host-mismatch"),
        ("two", "other.example.net", True, "certificate-host-mismatch"),
        ("two", HOST, False, "starttls-not-supported"),
        ("one", "other.example.net", True, "certificate-host-mismatch"),
        ("one", HOST, False, "starttls-not-supported"),
    ],
)
def test_testing_reports_each_session_as_one_failure(
    world: World, names: str, certificate: str, has_tls: bool, result: str
) -> None:
    """RFC 8461 5: a server the policy does not name is one, however good its certificate."""
    text = ENFORCE.replace(b"enforce", b"testing").replace(b"one.", names.encode() + b".")
    mx = server(world, certificate) if has_tls else FakeMx()
    with mx, policy(world, text):
        assert isinstance(world.deliver(mx.port), Delivered)
    assert (world.seen.bad, world.seen.good) == ([("sts", result)], [])
    assert [message.is_encrypted for message in mx.messages] == [has_tls]


def test_a_session_without_policy_whose_handshake_fails_is_one_failure(world: World) -> None:
    """It goes on in the clear, but the server did offer TLS."""
    with FakeMx(tls=_NoHandshake()) as mx:  # type: ignore[arg-type]  # a stand-in whose handshake fails
        assert isinstance(world.deliver(mx.port), Delivered)
    assert (world.seen.bad, world.seen.good) == ([("no-policy-found", "validation-failure")], [])


class _NoHandshake:
    def wrap_socket(self, *_: object, **__: object) -> None:
        raise OSError("no handshake today")


def test_a_policy_in_force_outlives_its_web_server_and_its_record(world: World) -> None:
    with server(world) as mx, policy(world):
        world.deliver(mx.port)
    for record in ({"TXT": ['"v=STSv1; id=2;"']}, SERVFAIL, {"TXT": ['"nothing"']}):
        world.zones["_mta-sts.example.net"] = record  # type: ignore[assignment]  # a fake's zone
        with FakeMx() as plain:
            assert isinstance(world.deliver(plain.port), Retry)
        assert plain.messages == []


def test_a_new_record_brings_the_new_policy(world: World) -> None:
    with server(world) as mx, policy(world):
        world.deliver(mx.port)
    with FakeMx() as plain, policy(world, ENFORCE.replace(b"enforce", b"none"), policy_id="2"):
        assert isinstance(world.deliver(plain.port), Delivered)


@pytest.mark.parametrize(
    ("reply", "word"),
    [
        (document(ENFORCE, status="404 Not Found"), "sts-policy-fetch-error"),
        (
            document(b"", status="301 Moved", more="Location: https://mta-sts.example.net/x\r\n"),
            "sts-policy-fetch-error",
        ),
        (document(ENFORCE + b"x: y\r\n" * 20_000), "sts-policy-fetch-error"),
        (document(ENFORCE, kind="text/html"), "sts-policy-invalid"),
        (document(b"version: STSv2\r\n"), "sts-policy-invalid"),
        (b"", "sts-policy-fetch-error"),
        (b"nonsense\r\n\r\n", "sts-policy-fetch-error"),
    ],
    ids=["404", "redirect", "too large", "html", "version", "silence", "nonsense"],
)
def test_what_is_no_policy_demands_nothing(world: World, reply: bytes, word: str) -> None:
    with FakeMx() as mx, policy(world) as https:
        https.reply = reply
        assert isinstance(world.deliver(mx.port), Delivered)
    assert ("sts", word) in world.seen.bad
    assert len(https.requests) == 1


def test_a_policy_from_a_web_server_nobody_vouches_for_is_none(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other")
    with (
        FakeMx() as mx,
        policy(world),
        FakeHttps(stranger.server(stranger.issued("elsewhere.example")), document(ENFORCE)) as https,
    ):
        world.https_port = https.port
        assert isinstance(world.deliver(mx.port), Delivered)
    assert ("sts", "sts-webpki-invalid") in world.seen.bad


# --- DANE -----------------------------------------------------------------------------------------


def tlsa(issued: Issued, usage: int, selector: int = 1) -> str:
    key = issued.certificate.public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if selector else issued.der
    return f"{usage} {selector} 1 {hashlib.sha256(der).hexdigest()}"


def with_records(world: World, port: int, *records: str) -> None:
    world.is_signed = True
    world.zones[f"_{port}._tcp.{HOST}"] = {"TLSA": records}


@pytest.mark.parametrize("selector", [0, 1])
def test_the_servers_own_key_is_enough(world: World, selector: int) -> None:
    """Usage 3: neither the name nor the dates count."""
    own = world.authority.issued("whatever.example", days=-1)
    with FakeMx(tls=world.authority.server(own, with_root=False)) as mx:
        with_records(world, mx.port, tlsa(own, 3, selector))
        assert isinstance(world.deliver(mx.port), Delivered)
    assert mx.messages[0].is_encrypted
    assert [facts.type for facts in world.seen.good] == ["tlsa"]


def test_an_authority_in_the_chain_is_enough_for_its_names(world: World) -> None:
    """Usage 2."""
    for name, kind in ((HOST, Delivered), (DOMAIN, Delivered), ("other.example.net", Retry)):
        with server(world, name) as mx:
            with_records(world, mx.port, tlsa(world.authority.root, 2))
            assert isinstance(world.deliver(mx.port), kind), name


def test_another_key_is_not_given_the_mail(world: World) -> None:
    with server(world) as mx:
        with_records(world, mx.port, tlsa(world.authority.issued("somebody.example"), 3))
        outcome = world.deliver(mx.port)
    assert isinstance(outcome, Retry)
    assert (mx.messages, world.seen.bad) == ([], [("tlsa", "validation-failure")])


def test_no_tls_where_records_demand_it(world: World) -> None:
    with FakeMx() as mx:
        with_records(world, mx.port, tlsa(world.authority.root, 3))
        assert isinstance(world.deliver(mx.port), Retry)
    assert mx.messages == []


def test_records_that_nobody_can_use_demand_encryption_only(world: World) -> None:
    with server(world, "other.example.net") as mx:
        with_records(world, mx.port, tlsa(world.authority.root, 1))
        assert isinstance(world.deliver(mx.port), Delivered)
    with FakeMx() as plain:
        with_records(world, plain.port, tlsa(world.authority.root, 1))
        assert isinstance(world.deliver(plain.port), Retry)


def test_records_that_cannot_be_had_defer(world: World) -> None:
    """An attacker who suppresses the answer must not get plain text."""
    with FakeMx() as mx:
        world.is_signed = True
        world.zones[f"_{mx.port}._tcp.{HOST}"] = SERVFAIL
        outcome = world.deliver(mx.port)
    assert isinstance(outcome, Retry)
    assert (mx.connections, world.seen.bad) == (0, [("tlsa", "dnssec-invalid")])


def test_records_without_dnssec_demand_nothing(world: World) -> None:
    with FakeMx() as mx:
        with_records(world, mx.port, tlsa(world.authority.root, 3))
        world.is_signed = False
        assert isinstance(world.deliver(mx.port), Delivered)


def test_dane_beats_mta_sts(world: World) -> None:
    own = world.authority.issued("not.the.policys.name")
    with FakeMx(tls=world.authority.server(own)) as mx, policy(world, ENFORCE.replace(b"one.", b"two.")):
        with_records(world, mx.port, tlsa(own, 3))
        assert isinstance(world.deliver(mx.port), Delivered)


# --- REQUIRETLS -----------------------------------------------------------------------------------

STRICT = replace(LETTER, requires_tls=True)


def test_requiretls_goes_with_the_message(world: World) -> None:
    with server(world, extensions=SECURE) as mx, policy(world):
        assert isinstance(world.deliver(mx.port, STRICT), Delivered)
    assert mx.messages[0].mail == "<alice@example.test> REQUIRETLS"


def test_requiretls_is_refused_where_it_is_not_kept(world: World) -> None:
    with server(world, extensions=()) as mx, policy(world):
        outcome = world.deliver(mx.port, STRICT)
    assert isinstance(outcome, Failed)
    assert outcome.reply.startswith("550 5.7.30")
    assert mx.messages == []


def test_requiretls_needs_somebody_who_vouches_for_the_server(world: World) -> None:
    with server(world, extensions=SECURE) as mx:
        outcome = world.deliver(mx.port, STRICT)
    assert isinstance(outcome, Failed)
    assert (outcome.reply[:10], mx.connections) == ("550 5.7.30", 0)


def test_requiretls_makes_testing_serious(world: World) -> None:
    testing = ENFORCE.replace(b"enforce", b"testing")
    with server(world, "other.example.net", extensions=SECURE) as mx, policy(world, testing):
        assert isinstance(world.deliver(mx.port, STRICT), Retry)
    assert mx.messages == []


def test_a_message_may_say_that_tls_does_not_matter(world: World) -> None:
    """RFC 8689 5: such as the report that TLS is broken."""
    report = replace(LETTER, body=body_in_memory(b"Subject: x\r\nTLS-Required: No\r\n\r\nhi\r\n"))
    with FakeMx() as mx, policy(world):
        assert isinstance(world.deliver(mx.port, report), Delivered)
        body = body_in_memory(b"Subject: x\r\n\r\nTLS-Required: No\r\n")
        assert isinstance(world.deliver(mx.port, replace(LETTER, body=body)), Retry)


def strictly_to(port: int, tls: HopTls = HopTls.OPPORTUNISTIC) -> RelayMessage:
    return replace(STRICT, next_hop=NextHop(HOST, port, tls))


@pytest.mark.parametrize("tls", list(HopTls))
def test_requiretls_holds_over_a_named_server(world: World, tls: HopTls) -> None:
    with server(world, extensions=SECURE, is_implicit_tls=tls is HopTls.IMPLICIT) as hop:
        assert isinstance(world.deliver(1, strictly_to(hop.port, tls)), Delivered)
    assert (hop.messages[0].is_encrypted, hop.messages[0].mail) == (True, "<alice@example.test> REQUIRETLS")


def test_a_named_server_that_promises_in_the_clear_is_not_believed(world: World) -> None:
    with FakeMx(extensions=SECURE) as hop:
        outcome = world.deliver(1, strictly_to(hop.port))
    assert isinstance(outcome, Retry)
    assert (outcome.reply[:9], hop.messages) == ("451 4.7.5", [])


def test_a_named_server_must_be_who_it_is(world: World) -> None:
    with server(world, "other.example.net", extensions=SECURE) as hop:
        outcome = world.deliver(1, strictly_to(hop.port))
        assert isinstance(world.deliver(1, to_hop(hop.port, HopTls.OPPORTUNISTIC, "")), Delivered)
    assert isinstance(outcome, Retry)
    assert (outcome.reply[:9], len(hop.messages)) == ("451 4.7.5", 1)


def test_what_a_named_server_said_before_tls_counts_for_nothing(world: World) -> None:
    script = {"EHLO": ["250-hop\r\n250-STARTTLS\r\n250 REQUIRETLS", "250-hop\r\n250 PIPELINING"]}
    with server(world, script=script) as hop:
        outcome = world.deliver(1, strictly_to(hop.port))
    assert isinstance(outcome, Failed)
    assert (outcome.reply[:10], hop.messages) == ("550 5.7.30", [])


def test_a_strict_message_uses_no_connection_kept_from_a_relaxed_one(world: World) -> None:
    """Both to the same server, which is not who it says."""
    with server(world, "other.example.net", extensions=SECURE) as hop, world.relay(1) as relay:
        relaxed = to_hop(hop.port, HopTls.OPPORTUNISTIC, "")
        assert isinstance(relay.deliver(DOMAIN, ["x@example.net"], relaxed)[0], Delivered)
        assert isinstance(relay.deliver(DOMAIN, ["x@example.net"], strictly_to(hop.port))[0], Retry)
    assert len(hop.messages) == 1


# --- a smarthost ----------------------------------------------------------------------------------


def to_hop(port: int, tls: HopTls, username: str = "office") -> RelayMessage:
    return replace(LETTER, next_hop=NextHop(HOST, port, tls, username, "pass word" if username else ""))


@pytest.mark.parametrize("tls", [HopTls.STARTTLS, HopTls.IMPLICIT])
def test_logged_in_over_verified_tls(world: World, tls: HopTls) -> None:
    with server(
        world,
        is_implicit_tls=tls is HopTls.IMPLICIT,
        extensions=["AUTH PLAIN LOGIN"],
        script={"AUTH": "235 2.7.0 in"},
    ) as hop:
        assert isinstance(world.deliver(1, to_hop(hop.port, tls)), Delivered)
    secret = base64.b64encode(b"\0office\0pass word").decode()
    assert f"AUTH PLAIN {secret}" in hop.commands
    assert hop.messages[0].is_encrypted


def test_login_where_that_is_all_there_is(world: World) -> None:
    name, word = (base64.b64encode(text).decode() for text in (b"office", b"pass word"))
    script = {"AUTH": "334 VXNlcm5hbWU6", name.upper(): "334 UGFzc3dvcmQ6", word.upper(): "235 in"}
    with server(world, extensions=["AUTH LOGIN"], script=script) as hop:
        assert isinstance(world.deliver(1, to_hop(hop.port, HopTls.STARTTLS)), Delivered)
    assert [command for command in hop.commands if command in ("AUTH LOGIN", name, word)] == [
        *("AUTH LOGIN", name, word)
    ]


@pytest.mark.parametrize("reply", ["535 5.7.8 wrong", "334 huh?", "454 4.7.0 later"])
def test_a_refused_login_bounces_nobodys_mail(world: World, reply: str) -> None:
    script = {"AUTH": reply, "*": "501 5.7.0 cancelled"}
    with server(world, extensions=["AUTH PLAIN"], script=script) as hop:
        outcome = world.deliver(1, to_hop(hop.port, HopTls.STARTTLS))
    assert isinstance(outcome, Retry)
    assert outcome.reply.startswith("451 4.7.8")
    assert "pass word" not in outcome.reply


@pytest.mark.parametrize("tls", list(HopTls))
def test_a_password_never_leaves_in_the_clear_or_to_a_stranger(world: World, tls: HopTls) -> None:
    is_implicit = tls is HopTls.IMPLICIT
    with (
        FakeMx(extensions=["AUTH PLAIN LOGIN"]) as plain,
        server(
            world, "other.example.net", extensions=["AUTH PLAIN"], is_implicit_tls=is_implicit
        ) as stranger,
    ):
        for hop in (plain, stranger):
            assert isinstance(world.deliver(1, to_hop(hop.port, tls)), Retry)
            assert not any(command.startswith("AUTH") for command in hop.commands)


def test_a_hop_without_login_and_without_tls(world: World) -> None:
    with FakeMx() as hop:
        message = replace(LETTER, next_hop=NextHop("127.0.0.1", hop.port))
        assert world.deliver(1, message) == Delivered("250 2.0.0 OK", "127.0.0.1")
