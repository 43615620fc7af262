"""Reverse names that lead back, and those that do not."""

import pytest

from appliance.mailauth import iprev
from tests.fixtures.sender_records import Asked

RECORDS = {
    ("1.2.0.192.in-addr.arpa", "PTR"): ["mx.example.net."],
    ("mx.example.net", "A"): ["192.0.2.1"],
    ("2.2.0.192.in-addr.arpa", "PTR"): ["mx.example.net"],
    ("3.2.0.192.in-addr.arpa", "PTR"): None,
    ("4.2.0.192.in-addr.arpa", "PTR"): ["trouble.example.net"],
    ("trouble.example.net", "A"): None,
    ("5.2.0.192.in-addr.arpa", "PTR"): ["a b", "..", "bad.example.net"],
    ("bad.example.net", "A"): ["no address"],
    ("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ["six.example.net"],
    ("six.example.net", "AAAA"): ["2001:0db8::0001"],
    ("6.2.0.192.in-addr.arpa", "PTR"): [f"n{n}.example.net" for n in range(1000)],
}


@pytest.mark.parametrize(
    ("client", "result", "name"),
    [
        ("192.0.2.1", "pass", "mx.example.net"),
        ("192.0.2.2", "fail", ""),
        ("192.0.2.3", "temperror", ""),
        ("192.0.2.4", "temperror", ""),
        ("192.0.2.5", "fail", ""),
        ("192.0.2.9", "fail", ""),
        ("2001:db8::1", "pass", "six.example.net"),
    ],
)
def test_results(client: str, result: str, name: str) -> None:
    assert iprev.check(client, Asked(RECORDS)) == iprev.IprevResult(result, name)


def test_few_names_are_tried() -> None:
    asked = Asked(RECORDS)
    assert iprev.check("192.0.2.6", asked).result == "fail"
    assert len(asked.questions) == 1 + iprev.NAMES_MAX
