"""Look-ups against a DNS server of our own: records as text, three kinds of nothing, and a deadline."""

import time

import pytest

from appliance.net.resolver import DnsResolver, LookupUnavailable, NameNotFound, NoRecords
from tests.fakes.dns import SERVFAIL, SILENCE, FakeDns

ZONES = {
    "example.net": {"MX": ["20 b.example.net.", "10 a.example.net."], "TXT": ['"v=spf1 " "-all"']},
    "a.example.net": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "null.example.net": {"MX": ["0 ."]},
    "big.example.net": {"TXT": [f'"{n} {"x" * 240}"' for n in range(20)]},
    "xn--bcher-kva.example.net": {"A": ["192.0.2.2"]},
    "broken.example.net": SERVFAIL,
    "slow.example.net": SILENCE,
}


def test_records_are_text() -> None:
    with FakeDns(ZONES) as dns:
        resolver = DnsResolver("127.0.0.1", dns.port)
        assert set(resolver.resolve("example.net", "MX")) == {"10 a.example.net", "20 b.example.net"}
        assert resolver.resolve("null.example.net", "MX") == ("0 .",)
        assert resolver.resolve("example.net", "TXT") == ("v=spf1 -all",)
        assert resolver.resolve("a.example.net", "A") == ("192.0.2.1",)
        assert resolver.resolve("a.example.net", "AAAA") == ("2001:db8::1",)
        assert resolver.resolve("bücher.example.net", "A") == ("192.0.2.2",)


def test_answers_are_kept() -> None:
    with FakeDns(ZONES) as dns:
        resolver = DnsResolver("127.0.0.1", dns.port)
        for _ in range(3):
            resolver.resolve("a.example.net", "A")
        assert dns.questions == ["a.example.net A"]


def test_a_long_answer_comes_over_tcp() -> None:
    with FakeDns(ZONES) as dns:
        assert len(DnsResolver("127.0.0.1", dns.port).resolve("big.example.net", "TXT")) == 20
        assert dns.questions == ["big.example.net TXT"] * 2


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("nowhere.example.org", NameNotFound),
        ("x" * 64 + ".example.net", NameNotFound),
        ("a..example.net", NameNotFound),
        ("", NameNotFound),
        ("example.net", NoRecords),
        ("broken.example.net", LookupUnavailable),
    ],
)
def test_three_kinds_of_nothing(name: str, failure: type[Exception]) -> None:
    with FakeDns(ZONES) as dns, pytest.raises(failure):
        DnsResolver("127.0.0.1", dns.port).resolve(name, "AAAA")


def test_a_silent_server_costs_the_lifetime_and_no_more() -> None:
    with FakeDns(ZONES) as dns:
        began = time.monotonic()
        with pytest.raises(LookupUnavailable):
            DnsResolver("127.0.0.1", dns.port, lifetime_s=0.3).resolve("slow.example.net", "A")
        assert time.monotonic() - began < 1


def test_no_server_at_all() -> None:
    with FakeDns({}) as dns:
        port = dns.port
    with pytest.raises(LookupUnavailable):
        DnsResolver("127.0.0.1", port, lifetime_s=0.5).resolve("example.net", "A")
