"""`appliance dkim` and `appliance domain records|mta-sts|reports`: what a domain tells others."""

from datetime import UTC, datetime

import pytest

from appliance import db
from appliance.cli import dkim as command
from appliance.domains import reports
from appliance.mailauth.dmarc_report import DmarcReport, Source
from appliance.net.resolver import NameNotFound
from tests.unit.cli.conftest import Cli

NOW = datetime(2026, 3, 2, tzinfo=UTC)


class Dns:
    """Answers TXT questions from a dictionary."""

    records: dict[str, str] = {}  # noqa: RUF012 - one world for the commands of a test

    def __init__(self, *_settings):
        pass

    def resolve(self, name, record_type):
        assert record_type == "TXT"
        if name not in self.records:
            raise NameNotFound(f"{name} TXT: no such name")
        return (self.records[name],)


@pytest.fixture
def dns(monkeypatch):
    monkeypatch.setattr(command, "DnsResolver", Dns)
    monkeypatch.setattr(Dns, "records", {})
    return Dns.records


def test_the_setup_leaves_nothing_to_do_for_signatures(ready: Cli) -> None:
    keys = ready.ok("dkim", "list", "--json").json
    assert [(key["algorithm"], key["state"]) for key in keys] == [
        ("rsa-sha256", "active"),
        ("ed25519-sha256", "active"),
    ]
    assert "r20" in ready.ok("dkim", "list", "example.com").out


def test_a_domain_that_is_added_signs_too(ready: Cli) -> None:
    ready.ok("domain", "add", "other.example")
    assert len(ready.ok("dkim", "list", "other.example", "--json").json) == 2


def test_keys_are_replaced_when_dns_has_them(ready: Cli, dns: dict[str, str]) -> None:
    said = ready.ok("dkim", "rotate", "example.com").out
    pending = [k for k in ready.ok("dkim", "list", "--json").json if k["state"] == "pending"]
    assert all(f'{key["name"]}. IN TXT "{key["record"]}"' in said for key in pending)

    refused = ready("dkim", "activate", "example.com")
    assert (refused.status, "not in DNS yet" in refused.err) == (1, True)
    dns[pending[0]["name"]] = "v=DKIM1; k=rsa; p="
    refused = ready("dkim", "activate", "example.com")
    assert (refused.status, "says something else" in refused.err) == (1, True)

    dns.update({key["name"]: key["record"].replace("; ", ";") for key in pending})
    assert "Leave r20" in ready.ok("dkim", "activate", "example.com").err
    assert [k["state"] for k in ready.ok("dkim", "list", "--json").json] == ["retired"] * 2 + ["active"] * 2
    assert ready("dkim", "activate", "example.com").status == 1


def test_the_records_of_a_domain(ready: Cli) -> None:
    found = {
        (r["name"], r["type"]): r["value"]
        for r in ready.ok("domain", "records", "example.com", "--json").json
    }
    assert found["example.com", "MX"] == "10 mail.example.com"
    assert found["example.com", "TXT"] == "v=spf1 mx -all"
    assert found["_dmarc.example.com", "TXT"].startswith("v=DMARC1; p=none; rua=mailto:dmarc-reports@")
    assert found["mta-sts.example.com", "CNAME"] == "mail.example.com"
    assert found["_mta-sts.example.com", "TXT"].startswith("v=STSv1; id=")
    keys = ready.ok("dkim", "list", "--json").json
    assert all(found[key["name"], "TXT"] == key["record"] for key in keys)

    zone = ready.ok("domain", "records", "example.com").out
    assert "example.com. IN MX 10 mail.example.com." in zone
    strings = [text for line in zone.splitlines() for text in line.split('"')[1::2]]
    assert max(map(len, strings)) <= 255, "a string of a TXT record has at most 255 octets"
    assert ready("domain", "records", "other.example").status == 1


def test_the_policy_for_tls(ready: Cli) -> None:
    before = ready.ok("domain", "mta-sts", "example.com").out
    assert "mode: testing\n" in before
    after = ready.ok("domain", "mta-sts", "example.com", "enforce").out
    assert "mode: enforce\n" in after
    assert before.splitlines()[-1] != after.splitlines()[-1]
    assert ready("domain", "mta-sts", "example.com", "sometimes").status == 2
    assert ready("domain", "mta-sts", "other.example", "enforce").status == 1


def test_reports_are_listed(ready: Cli) -> None:
    source = Source("192.0.2.1", 3, "none", "pass", "fail")
    report = DmarcReport("example.com", "receiver.example", "7", NOW, NOW, (source,), 3, 0)
    db.open("sqlite", ready.data)
    try:
        assert reports.keep_dmarc(report, NOW)
        assert not reports.keep_dmarc(report, NOW)
    finally:
        db.close()
    (found,) = ready.ok("domain", "reports", "example.com", "--json").json["dmarc"]
    assert (found["organisation"], found["passed"], found["sources"][0]["ip"]) == (
        "receiver.example",
        3,
        "192.0.2.1",
    )
    assert "receiver.example" in ready.ok("domain", "reports", "example.com").out
    assert ready("domain", "reports", "other.example").status == 1
