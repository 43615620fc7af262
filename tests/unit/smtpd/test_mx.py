"""Which servers, in which order. Source: RFC 5321 5.1, RFC 7505."""

from random import Random

import pytest

from appliance.net.resolver import LookupUnavailable
from smtpd.mx import NoRoute, host_addresses, mail_route
from tests.unit.smtpd.memory import MemoryResolver

RESOLVER = MemoryResolver(
    {
        "example.net": {"MX": ["20 c.example.net", "10 a.example.net", "10 b.example.net"]},
        "implicit.example.net": {"A": ["192.0.2.9"]},
        "null.example.net": {"MX": ["0 ."]},
        "half-null.example.net": {"MX": ["0 .", "10 a.example.net"]},
        "ours.example.net": {"MX": ["5 a.example.net", "10 MX.example.test", "20 c.example.net"]},
        "loop.example.net": {"MX": ["10 mx.example.test", "20 c.example.net"]},
        "many.example.net": {"MX": [f"{n} h{n}.example.net" for n in range(50)]},
        "unknown.example.net": None,
        "a.example.net": {"AAAA": ["2001:db8::1"], "A": ["192.0.2.1", "192.0.2.2"]},
        "six.example.net": {"AAAA": ["2001:db8::1"]},
        "zero.example.net": {"A": ["0.0.0.0"]},
    }
)


def hosts(domain: str, seed: int = 0) -> list[str]:
    return [host.name for host in mail_route(RESOLVER, domain, "mx.example.test", Random(seed)).hosts]


def test_preference_orders_and_equal_ones_are_shuffled() -> None:
    orders = {tuple(hosts("example.net", seed)) for seed in range(20)}
    assert orders == {
        ("a.example.net", "b.example.net", "c.example.net"),
        ("b.example.net", "a.example.net", "c.example.net"),
    }


def test_without_mx_the_domain_itself() -> None:
    assert hosts("implicit.example.net") == ["implicit.example.net"]


def test_our_own_host_and_worse_ones_are_left_out() -> None:
    assert hosts("ours.example.net") == ["a.example.net"]


def test_there_is_a_ceiling() -> None:
    assert len(hosts("many.example.net")) == 10


def test_a_null_record_among_others_is_ignored() -> None:
    assert hosts("half-null.example.net") == ["a.example.net"]


@pytest.mark.parametrize(
    ("domain", "reply"),
    [
        ("nowhere.example.org", "550 5.1.2"),
        ("null.example.net", "556 5.1.10"),
        ("loop.example.net", "554 5.4.6"),
        ("[192.0.2.1]", "550 5.1.2"),
        ("unknown.example.net", "451 4.4.3"),
    ],
)
def test_no_route(domain: str, reply: str) -> None:
    with pytest.raises(NoRoute) as caught:
        hosts(domain)
    assert str(caught.value.reply).startswith(reply)


def test_addresses_ipv4_first() -> None:
    assert host_addresses(RESOLVER, "a.example.net") == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]
    assert host_addresses(RESOLVER, "six.example.net") == ["2001:db8::1"]
    assert host_addresses(RESOLVER, "zero.example.net") == []
    assert host_addresses(RESOLVER, "nowhere.example.org") == []
    with pytest.raises(LookupUnavailable):
        host_addresses(RESOLVER, "unknown.example.net")
