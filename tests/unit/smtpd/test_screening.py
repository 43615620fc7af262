"""What becomes of strangers' mail: refused as its domain asks, junk by the sum of signs, or taken."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import gevent
import pytest

from appliance.items.envelope import Envelope
from appliance.mailauth import results
from appliance.mailauth.lookups import LookupFailed
from appliance.net.resolver import LookupUnavailable, NameNotFound
from appliance.net.rspamd import FilterUnavailable, Opinion
from appliance.settings import Filter, Reception
from smtpd import evidence
from smtpd import screening as module
from smtpd.screening import Screening, Verdict
from smtpd.sender_dns import SenderDns
from tests.clients.dialog import HOSTNAME
from tests.fixtures.signer import Signer
from tests.fixtures.strangers import Zones, everybody
from tests.unit.smtpd.memory import MemoryResolver

CLIENT, OTHER = "192.0.2.1", "198.51.100.7"
SIGNER, LIST = Signer("example.net"), Signer("lists.example.org", "s2")
ZONES: Zones = {
    "example.net": {"TXT": ["v=spf1 ip4:192.0.2.0/28 -all"]},
    "_dmarc.example.net": {"TXT": ["v=DMARC1; p=reject"]},
    SIGNER.name: {"TXT": [SIGNER.record]},
    LIST.name: {"TXT": [LIST.record]},
    "mild.example.org": {"TXT": ["v=spf1 -all"]},
    "_dmarc.mild.example.org": {"TXT": ["v=DMARC1; p=quarantine"]},
    "half.example.org": {},
    "_dmarc.half.example.org": {"TXT": ["v=DMARC1; p=reject; pct=30"]},
    "_dmarc.away.example.org": None,
    "1.2.0.192.in-addr.arpa": {"PTR": ["mx.example.net"]},
    "mx.example.net": {"A": ["192.0.2.1"]},
}
LETTER = (
    b"From: Ada <ada@example.net>\r\nTo: mia@example.com\r\nSubject: plans\r\nDate: x\r\n"
    b"Message-ID: <1@x>\r\n\r\nHello.\r\n"
)


def judged(
    screening: Screening,
    raw: bytes,
    *,
    ip: str = CLIENT,
    sender: str = "ada@example.net",
    helo: str = "mx.example.net",
) -> Verdict:
    """Let a stranger send a message."""
    visitor = screening.visitor(ip)
    assert visitor is not None
    try:
        assert visitor.mail(sender, helo) is None
        envelope = Envelope(
            reverse_path=sender,
            forward_paths=("mia@example.com",),
            received_at=datetime.now(UTC),
            helo=helo,
            client_ip=ip,
        )
        return visitor.judge(envelope, raw)
    finally:
        visitor.leave()


def as_from(address: str) -> bytes:
    return LETTER.replace(b"ada@example.net", address.encode())


def test_good_mail_is_taken_with_the_findings_in_front() -> None:
    verdict = judged(everybody(ZONES), SIGNER.sign(LETTER))
    assert (verdict.reply, verdict.is_junk) == (None, False)
    assert verdict.raw == SIGNER.sign(LETTER)
    assert (
        verdict.fields
        == (
            f"Authentication-Results: {HOSTNAME};\r\n\tspf=pass smtp.mailfrom=example.net;\r\n"
            "\tdkim=pass header.d=example.net header.s=s1;\r\n\tdmarc=pass header.from=example.net;\r\n"
            "\tarc=none smtp.remote-ip=192.0.2.1;\r\n\tiprev=pass policy.iprev=192.0.2.1\r\n"
            "X-Junk-Signs: 0.0 (none)\r\n"
        ).encode()
    )


def test_what_a_domain_disowns_is_refused_unless_the_administrator_only_wants_to_know() -> None:
    verdict = judged(everybody(ZONES), LETTER, ip=OTHER)
    assert verdict.reply is not None
    assert (verdict.reply.code, verdict.reply.enhanced) == (550, "5.7.26")
    assert "example.net" in str(verdict.reply)
    told = judged(everybody(ZONES, filter_=Filter(dmarc="report", junk_score=0)), LETTER, ip=OTHER)
    assert (told.reply, told.is_junk) == (None, False)
    assert b"dmarc=fail header.from=example.net" in told.fields


@pytest.mark.parametrize(
    ("spf", "sender", "is_signed", "is_doubtful"),
    [
        ("-all", "ada@example.net", True, True),  # a signature vouches for From, not for the envelope
        ("~all", "ada@example.net", True, True),
        ("?all", "ada@example.net", True, False),
        ("ip4:198.51.100.7", "ada@example.net", False, False),
        ("ip4:198.51.100.7", "me@spammer.example", False, True),  # DMARC: From is somebody else's
    ],
)
def test_to_whom_nothing_is_sent_back(spf: str, sender: str, is_signed: bool, is_doubtful: bool) -> None:
    zones = {
        **ZONES,
        "example.net": {"TXT": [f"v=spf1 {spf}"]},
        "spammer.example": {"TXT": ["v=spf1 ip4:198.51.100.7 -all"]},
    }
    screening = everybody(zones, filter_=Filter(dmarc="report"))
    raw = SIGNER.sign(LETTER) if is_signed else LETTER
    assert judged(screening, raw, ip=OTHER, sender=sender).is_sender_doubtful is is_doubtful


def test_a_forged_from_with_a_good_envelope_is_refused() -> None:
    zones = {**ZONES, "spammer.example": {"TXT": ["v=spf1 ip4:198.51.100.7 -all"]}}
    verdict = judged(everybody(zones), LETTER, ip=OTHER, sender="me@spammer.example")
    assert verdict.reply is not None


def test_a_milder_policy_is_junk_and_a_share_is_a_share() -> None:
    raw = as_from("ada@mild.example.org")
    assert judged(everybody(ZONES), raw).is_junk
    half = as_from("ada@half.example.org")
    assert judged(everybody(ZONES, sample=29), half).reply is not None
    beyond = judged(everybody(ZONES, sample=30), half)
    assert (beyond.reply, beyond.is_junk) == (None, True)


HOME = Signer("home.example", "s3")
AT_HOME: Zones = {
    **ZONES,
    "spammer.example": {"TXT": ["v=spf1 ip4:198.51.100.7 -all"]},
    "home.example": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
    HOME.name: {"TXT": [HOME.record]},
    "away.home.example": None,
}
BOSS = LETTER.replace(b"ada@example.net", b"boss@home.example")


@pytest.mark.parametrize(
    ("raw", "sender", "ip"),
    [
        (BOSS, "me@spammer.example", OTHER),
        (BOSS, "boss@home.example", OTHER),
        (BOSS, "", OTHER),
        (LETTER.replace(b"example.net", b"spammer.example"), "boss@home.example", OTHER),
        (BOSS.replace(b"From: Ada", b"From: <x@spammer.example>, Ada"), "me@spammer.example", OTHER),
        (HOME.sign(BOSS).replace(b"Hello", b"Pay me"), "me@spammer.example", OTHER),
        (BOSS.replace(b"home.example", b"hr.home.example"), "me@spammer.example", OTHER),
        (BOSS.replace(b"home.example", b"HOME.example."), "me@spammer.example", OTHER),
    ],
    ids=[
        "its own envelope",
        "ours",
        "null",
        "only the envelope",
        "one of two",
        "changed",
        "below",
        "spelled",
    ],
)
def test_a_stranger_who_says_he_is_one_of_us_is_junk_for_everybody(raw: bytes, sender: str, ip: str) -> None:
    verdict = judged(everybody(AT_HOME, ours="home.example"), raw, ip=ip, sender=sender)
    assert (verdict.reply, verdict.is_junk, verdict.is_disowned) == (None, True, True)
    assert b"claims_to_be_us" in verdict.fields
    only_told = everybody(AT_HOME, ours="home.example", filter_=Filter(dmarc="report", junk_score=0))
    told = judged(only_told, raw, ip=ip, sender=sender)
    assert (told.is_junk, told.is_disowned) == (False, False)


@pytest.mark.parametrize(
    ("raw", "sender", "ip"),
    [
        (BOSS, "boss@home.example", CLIENT),
        (HOME.sign(BOSS), "me@spammer.example", OTHER),
        (LETTER, "ada@example.net", CLIENT),
        (SIGNER.sign(LETTER), "SRS0=abcd=XY=example.net=ada@home.example", OTHER),
        (SIGNER.sign(LETTER), "team-bounces@home.example", OTHER),
        (BOSS, "boss@away.home.example", OTHER),
    ],
    ids=[
        "a server our record names",
        "our signature",
        "somebody else",
        "sent back",
        "from a group",
        "no DNS",
    ],
)
def test_who_may_speak_for_us_may(raw: bytes, sender: str, ip: str) -> None:
    verdict = judged(everybody(AT_HOME, ours="home.example"), raw, ip=ip, sender=sender)
    assert not verdict.is_disowned
    assert b"claims_to_be_us" not in verdict.fields


@pytest.mark.parametrize(
    "author",
    [
        b"ceo@example.net, a@b1.example, a@b2.example, a@b3.example, a@b4.example",
        b"ceo@example.net <>",
        b"=?utf-8?q?ceo@example.net?=",
        b"ceo@example.net\r\nFrom: x@b1.example",
        b"ceo",
        b"ceo@localhost",
        b"",
    ],
    ids=[
        "a crowd",
        "nobody in brackets",
        "an encoded word",
        "two of them",
        "no domain",
        "no real one",
        "empty",
    ],
)
def test_an_author_who_cannot_be_judged_is_not_believed(author: bytes) -> None:
    raw = LETTER.replace(b"Ada <ada@example.net>", author)
    verdict = judged(everybody(ZONES), raw)
    assert verdict.reply is not None or (verdict.is_junk and verdict.is_disowned)


def test_a_list_we_believe_saves_what_it_has_seen_pass() -> None:
    findings = "mx.lists.example.org; dmarc=pass header.from=example.net"
    raw = LIST.seal(LETTER.replace(b"Hello.", b"Hello.\r\n-- a footer"), findings)
    believed = everybody(ZONES, filter_=Filter(arc_sealers=("lists.example.org",)))
    verdict = judged(believed, raw, ip=OTHER, sender="list@lists.example.org", helo="mx.example.net")
    assert (verdict.reply, verdict.is_junk) == (None, False)
    assert b'dmarc=fail reason="saved by arc"' in verdict.fields
    assert judged(everybody(ZONES), raw, ip=OTHER).reply is not None, "a list nobody believes"
    failed = LIST.seal(LETTER, findings.replace("dmarc=pass", "dmarc=fail"))
    assert judged(believed, failed, ip=OTHER).reply is not None, "a list that saw it fail"
    broken = raw.replace(b"a footer", b"an advert")
    assert judged(believed, broken, ip=OTHER).reply is not None, "a chain that is broken"


def test_results_under_our_name_are_not_let_in() -> None:
    forged = f"Authentication-Results: {HOSTNAME}; dkim=pass header.d=bank.example\r\n".encode()
    verdict = judged(everybody(ZONES), forged + LETTER)
    assert verdict.raw == LETTER


def test_signs_add_up_and_none_decides_alone() -> None:
    zones = {**ZONES, "plain.example": {"TXT": ["v=spf1 -all"]}}
    raw = as_from("ada@plain.example")
    one = judged(everybody(zones), raw, sender="a@plain.example")
    assert b"X-Junk-Signs: 2.5 (spf_fail)" in one.fields
    assert not one.is_junk
    all_ = judged(
        everybody(zones), raw.replace(b"Date: x\r\n", b""), ip=OTHER, sender="a@plain.example", helo="pc"
    )
    assert b"X-Junk-Signs: 5.5 (spf_fail, no_reverse_name, no_date, helo_not_a_name)" in all_.fields
    assert all_.is_junk
    never = everybody(zones, filter_=Filter(junk_score=0))
    assert not judged(never, raw, ip=OTHER, sender="a@plain.example", helo=HOSTNAME).is_junk


def test_a_dns_in_trouble_neither_refuses_nor_loses_mail() -> None:
    dark = dict.fromkeys(("example.net", "_dmarc.example.net", SIGNER.name, "1.2.0.192.in-addr.arpa"))
    verdict = judged(everybody(dark), SIGNER.sign(LETTER))
    assert (verdict.reply, verdict.is_junk) == (None, False)
    for word in (b"spf=temperror", b"dkim=temperror", b"dmarc=temperror", b"iprev=temperror"):
        assert word in verdict.fields


class Hanging:
    """A resolver that never answers about some names, by default about none."""

    def __init__(self, *names: str, zones: Zones | None = None) -> None:
        self.names = names
        self.known = MemoryResolver(zones or {})

    def resolve(self, name: str, record_type: str) -> tuple[str, ...]:
        if not self.names or name in self.names:
            gevent.sleep(60)
            raise NameNotFound(name)
        return self.known.resolve(name, record_type)


def shorten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "CHECKS_S", 0.2)
    monkeypatch.setattr(evidence, "POLICY_S", 0.2)
    monkeypatch.setattr(module, "IPREV_S", 0.2)


@pytest.mark.parametrize("silent", ["example.net", SIGNER.name])
def test_a_check_without_an_answer_is_no_failure(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)
    screening = everybody({})
    screening.dns = SenderDns(Hanging(silent, zones=ZONES))
    raw = SIGNER.sign(LETTER) if silent == SIGNER.name else LETTER
    verdict = judged(screening, raw, ip=OTHER if silent == SIGNER.name else CLIENT)
    assert verdict.reply is None, "reject is asked for, but nobody knows that it failed"
    assert b"dmarc=temperror" in verdict.fields


def test_a_dns_that_hangs_costs_its_deadline_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch)
    screening = everybody({})
    screening.dns = SenderDns(Hanging())
    began = time.monotonic()
    verdict = judged(screening, SIGNER.sign(LETTER))
    assert time.monotonic() - began < 20
    assert (verdict.reply, verdict.is_junk) == (None, False)
    assert b"spf=temperror" in verdict.fields
    assert b"dmarc=temperror" in verdict.fields


class Counting:
    """A resolver in trouble that counts how often it is asked."""

    def __init__(self) -> None:
        self.count = 0

    def resolve(self, name: str, record_type: str) -> tuple[str, ...]:
        self.count += 1
        raise LookupUnavailable(name)


def test_trouble_is_remembered_for_a_while() -> None:
    resolver, now = Counting(), [0.0]
    dns = SenderDns(resolver, lambda: now[0])
    for seconds, asked in ((0, 1), (59, 1), (61, 2)):
        now[0] = seconds
        with pytest.raises(LookupFailed):
            dns.lookup("example.net", "TXT")
        assert resolver.count == asked


def test_one_message_may_ask_only_so_much() -> None:
    many: dict[str, dict[str, Sequence[str]]] = {}
    raw = LETTER
    for n in range(8):
        signer = Signer(f"d{n}.example.net", f"k{n}")
        raw = signer.sign(raw)
    screening = everybody({**ZONES, **many})
    lookup = screening.dns.limited(3)
    for n in range(3):
        assert lookup(f"n{n}.example.net", "TXT") == ()
    with pytest.raises(LookupFailed):
        lookup("n4.example.net", "TXT")
    assert judged(screening, raw).fields.count(b"dkim=") == 8


def test_a_large_message_is_verified_beside_the_hub() -> None:
    raw = SIGNER.sign(LETTER + b"line of text\r\n" * 20_000)
    assert b"dkim=pass" in judged(everybody(ZONES), raw).fields


def test_known_clients_are_left_alone() -> None:
    screening = everybody(ZONES)
    assert screening.visitor("127.0.0.1") is not None
    screening.config = replace(screening.config, unchecked=(ip_network("127.0.0.0/8"), ip_network("::1/128")))
    assert screening.visitor("127.0.0.1") is None
    assert screening.visitor("::1") is None
    assert screening.visitor("127.0.0.1".replace("127", "128")) is not None


def test_a_network_has_its_allowance() -> None:
    screening = everybody(
        ZONES,
        reception=Reception(
            messages_per_minute_max=2, recipients_per_minute_max=3, unknown_recipients_per_hour_max=2
        ),
    )
    first, neighbour, stranger = (screening.visitor(ip) for ip in (CLIENT, "192.0.2.77", OTHER))
    assert first is not None and neighbour is not None and stranger is not None
    assert first.mail("a@example.net", "x.example") is None
    assert neighbour.mail("a@example.net", "x.example") is None
    refused = first.mail("a@example.net", "x.example")
    assert refused is not None and refused.code == 451
    assert stranger.mail("a@example.net", "x.example") is None
    assert [first.recipient() is None for _ in range(4)] == [True, True, True, False]
    for _ in range(2):
        stranger.named_nobody()
    harvested = stranger.recipient()
    assert harvested is not None and harvested.code == 421
    for visitor in (first, neighbour, stranger):
        visitor.leave()


class Says:
    """A filter of one opinion; None for one that is away."""

    def __init__(self, action: str | None, text: str = "") -> None:
        self.action, self.text = action, text
        self.about: list[tuple[str, str]] = []

    def check(self, raw: bytes, about: Iterable[tuple[str, str]]) -> Opinion:
        self.about = list(about)
        if self.action is None:
            raise FilterUnavailable("away")
        return Opinion(self.action, 7.0, self.text)


@pytest.mark.parametrize(
    ("action", "code", "is_junk"),
    [
        ("no action", None, False),
        ("add header", None, True),
        ("rewrite subject", None, True),
        ("quarantine", None, True),
        ("reject", 550, False),
        ("discard", 550, False),
        ("soft reject", 451, False),
        ("greylist", None, False),
        (None, None, False),
    ],
)
def test_what_the_filter_says_is_done(action: str | None, code: int | None, is_junk: bool) -> None:
    screening = everybody(ZONES)
    screening.filter = filter_ = Says(action)
    verdict = judged(screening, SIGNER.sign(LETTER))
    assert (None if verdict.reply is None else verdict.reply.code, verdict.is_junk) == (code, is_junk)
    assert (b"filter_doubts" in verdict.fields) is (action == "greylist")
    assert (b"filter_junk" in verdict.fields) is is_junk
    told = dict(filter_.about)
    assert (told["IP"], told["From"], told["Rcpt"]) == (CLIENT, "ada@example.net", "mia@example.com")


def test_the_filter_may_say_why() -> None:
    screening = everybody(ZONES)
    screening.filter = Says("reject", "Gtube pattern")
    reply = judged(screening, SIGNER.sign(LETTER)).reply
    assert str(reply) == "550 5.7.1 Gtube pattern"


LIES: dict[str, Zones] = {
    "line breaks": {
        "example.net": {"TXT": ["v=spf1 " + "\r\nX-Evil: yes " * 5, "\x00\xff"]},
        "_dmarc.example.net": {"TXT": ["v=DMARC1; p=\r\n"]},
        "1.2.0.192.in-addr.arpa": {"PTR": ["a\r\nX-Evil: yes", "x" * 300, ""]},
    },
    "long": {
        "example.net": {"TXT": ["v=spf1 include:" + "x" * 5_000 + " -all"]},
        "_dmarc.example.net": {"TXT": ["v=DMARC1" * 900]},
        SIGNER.name: {"TXT": ["v=DKIM1; p=" + "A" * 60_000]},
    },
    "macros": {
        "example.net": {
            "TXT": ["v=spf1 ip4:999.1.1.1 mx a:%{z} exists:%{ir}.%{v} ~all"],
            "MX": ["x", "10", "10 ..", "-1 a"],
        }
    },
    "addresses": {"example.net": {"TXT": ["v=spf1 a -all"], "A": ["no address", "::1", "999.9.9.9"]}},
}


@pytest.mark.parametrize("zones", LIES.values(), ids=LIES)
def test_a_dns_that_lies_gets_nothing_into_the_header(zones: Zones) -> None:
    verdict = judged(everybody(zones), SIGNER.sign(LETTER))
    assert b"X-Evil" not in verdict.fields
    lines = verdict.fields.split(b"\r\n")
    assert lines.pop() == b""
    assert all(line.startswith((b"\t", b"Authentication-Results: ", b"X-Junk-Signs: ")) for line in lines)


@pytest.mark.parametrize(
    "field",
    [
        b"DKIM-Signature: v=1; a=rsa-sha256; d=evil.example\x0b\x0c; s=a b; h=from; bh=AA==; b=AA==\r\n",
        b'DKIM-Signature: v=1; a=rsa-sha256; d=e"; dkim=pass header.d=b.org; s=x; h=from; bh=AA==; b=A=\r\n',
        "DKIM-Signature: v=1; a=rsa-sha256; d=bücher.example; s=ü; h=from; bh=AA==; b=AA==\r\n".encode(),
        b"ARC-Seal: i=1; a=rsa-sha256; cv=none; d=x; s=y; b=AA==\r\n" * 60,
        b"From: <a@b@c>, =?utf-8?q?=0d=0aX-Evil:_yes?= <x@y\r\n",
    ],
)
def test_a_header_that_lies_gets_nothing_into_ours(field: bytes) -> None:
    verdict = judged(everybody(ZONES), field + LETTER)
    ours, _, signs = verdict.fields.partition(b"X-Junk-Signs: ")
    assert ours.count(b"\r\n") == ours.count(b"\r\n\t") + 1
    assert signs.count(b"\r\n") == 1
    assert b"X-Evil" not in verdict.fields
    assert results.claims(ours.partition(b": ")[2].decode())["dkim"] != "pass"


def test_clients_that_all_have_one_private_address_are_pointed_out(caplog: pytest.LogCaptureFixture) -> None:
    def lines(*addresses: str) -> int:
        caplog.clear()
        screening = everybody(ZONES)
        for ip in addresses:
            screening.visitor(ip)
        return caplog.text.count("clients_hidden")

    many = module.HIDDEN_MIN * 3
    assert lines(*["172.17.0.1"] * many) == 1
    assert lines("8.8.8.8", *["172.17.0.1"] * many) == 0
    assert lines(*["172.17.0.1", "172.17.0.2"] * many) == 0
    assert lines(*["8.8.8.8"] * many) == 0
    assert lines(*["172.17.0.1"] * (module.HIDDEN_MIN - 1)) == 0
