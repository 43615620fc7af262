"""Allowances of networks."""

from smtpd import rates
from smtpd.rates import Allowance, Rates, network_of


def test_a_bucket_is_spent_and_fills_again() -> None:
    now = [100.0]
    found = Rates({"messages": Allowance(3, 60.0)}, lambda: now[0])
    assert [found.take("messages", "a") for _ in range(5)] == [True, True, True, False, False]
    assert found.is_spent("messages", "a")
    assert not found.is_spent("messages", "b")
    now[0] += 20
    assert not found.is_spent("messages", "a")
    assert [found.take("messages", "a") for _ in range(2)] == [True, False]
    now[0] += 3600
    assert [found.take("messages", "a") for _ in range(4)] == [True, True, True, False]


def test_memory_has_a_ceiling() -> None:
    found = Rates({"messages": Allowance(1, 60.0)}, lambda: 0.0)
    for n in range(rates.BUCKETS_MAX + 10):
        found.take("messages", str(n))
    assert len(found._buckets) == rates.BUCKETS_MAX
    assert not found.is_spent("messages", "0")
    assert found.is_spent("messages", str(rates.BUCKETS_MAX))


def test_networks() -> None:
    assert network_of("192.0.2.77") == "192.0.2.0/24"
    assert network_of("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
