"""DMARC: whose policy, what is aligned, what is asked for."""

import pytest

from appliance.mailauth import dmarc
from appliance.mailauth.dkim import DkimResult
from appliance.mailauth.dmarc import DmarcResult
from appliance.mailauth.domains import normal, organisational
from appliance.mailauth.spf import SpfResult
from tests.fixtures.sender_records import Asked

NOBODY = SpfResult("none", "", "mailfrom")
RECORDS = {
    ("_dmarc.example.net", "TXT"): ["v=DMARC1; p=reject; sp=quarantine; rua=mailto:d@example.net"],
    ("_dmarc.strict.example.org", "TXT"): ["v=DMARC1;p=reject;adkim=s;aspf=s"],
    ("_dmarc.example.org", "TXT"): ["v=DMARC1; p=none"],
    ("_dmarc.half.example.com", "TXT"): ["v=DMARC1; p=reject; pct=50"],
    ("_dmarc.two.example.com", "TXT"): ["v=DMARC1; p=reject", "v=DMARC1; p=none"],
    ("_dmarc.other.example.com", "TXT"): ["hello", "v=DMARC1; p=quarantine"],
    ("_dmarc.broken.example.com", "TXT"): ["v=DMARC1; p=maybe; rua=mailto:d@example.com"],
    ("_dmarc.nothing.example.com", "TXT"): ["v=DMARC1; p=maybe"],
    ("_dmarc.trouble.example.com", "TXT"): None,
}


def spf(result: str, domain: str) -> SpfResult:
    return SpfResult(result, domain, "mailfrom")


def signed(result: str, domain: str) -> DkimResult:
    return DkimResult(result, domain, "s1")


def evaluated(domain: str, spf: SpfResult = NOBODY, *signatures: DkimResult, sample: int = 0) -> DmarcResult:
    return dmarc.evaluate([domain], spf, signatures, Asked(RECORDS), sample=sample)


@pytest.mark.parametrize(
    ("domain", "spf", "signature", "result"),
    [
        ("example.net", spf("pass", "example.net"), None, "pass"),
        ("example.net", spf("pass", "bounce.example.net"), None, "pass"),
        ("news.example.net", spf("pass", "example.net"), None, "pass"),
        ("example.net", spf("pass", "example.com"), None, "fail"),
        ("example.net", spf("softfail", "example.net"), None, "fail"),
        ("example.net", NOBODY, signed("pass", "example.net"), "pass"),
        ("example.net", NOBODY, signed("pass", "mail.example.net"), "pass"),
        ("example.net", NOBODY, signed("policy", "example.net"), "fail"),
        ("example.net", NOBODY, signed("pass", "notexample.net"), "fail"),
        ("strict.example.org", spf("pass", "example.org"), signed("pass", "example.org"), "fail"),
        ("strict.example.org", NOBODY, signed("pass", "strict.example.org"), "pass"),
        ("EXAMPLE.NET", spf("pass", "example.net"), None, "pass"),
        ("example.net", spf("temperror", "example.net"), None, "temperror"),
        ("example.net", spf("temperror", "example.com"), None, "fail"),
        ("example.net", NOBODY, signed("temperror", "example.net"), "temperror"),
        ("trouble.example.com", NOBODY, None, "temperror"),
        ("unpublished.example.com", spf("fail", "unpublished.example.com"), None, "none"),
    ],
)
def test_alignment(domain: str, spf: SpfResult, signature: DkimResult | None, result: str) -> None:
    found = evaluated(domain, spf, *([signature] if signature else []))
    assert found.result == result
    assert found.disposition == "none" or result == "fail", "only a clear failure has consequences"


@pytest.mark.parametrize(
    ("domain", "sample", "disposition"),
    [
        ("example.net", 0, "reject"),
        ("sub.example.net", 0, "quarantine"),
        ("a.b.c.example.net", 99, "quarantine"),
        ("example.org", 0, "none"),
        ("half.example.com", 49, "reject"),
        ("half.example.com", 50, "quarantine"),
        ("other.example.com", 0, "quarantine"),
        ("broken.example.com", 0, "none"),
    ],
)
def test_what_is_asked_for(domain: str, sample: int, disposition: str) -> None:
    found = evaluated(domain, sample=sample)
    assert (found.result, found.disposition) == ("fail", disposition)


@pytest.mark.parametrize("domain", ["two.example.com", "nothing.example.com"])
def test_records_that_are_none(domain: str) -> None:
    assert evaluated(domain).result == "none"


def test_of_several_authors_the_strictest_domain_is_followed() -> None:
    lookup = Asked(RECORDS)
    found = dmarc.evaluate(["example.org", "example.net"], spf("pass", "example.org"), (), lookup)
    assert (found.domain, found.disposition) == ("example.net", "reject")
    many = [f"d{n}.example.com" for n in range(dmarc.DOMAINS_MAX + 1)]
    assert dmarc.evaluate(many, NOBODY, (), lookup).result == "permerror"
    assert dmarc.evaluate([], NOBODY, (), lookup).result == "permerror"
    assert dmarc.evaluate(["", "not a domain"], NOBODY, (), lookup).result == "permerror"


@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("a.b.example.com", "example.com"),
        ("example.com", "example.com"),
        ("shop.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("www.example.kawasaki.jp", "www.example.kawasaki.jp"),
        ("a.city.kawasaki.jp", "city.kawasaki.jp"),
        ("somebody.github.io", "somebody.github.io"),
        ("x.somebody.github.io", "somebody.github.io"),
        ("a.b.newsuffixnobodyknows", "b.newsuffixnobodyknows"),
        ("localhost", "localhost"),
        (normal("a.食狮.公司.cn"), normal("食狮.公司.cn")),
    ],
)
def test_organisations(domain: str, organisation: str) -> None:
    assert organisational(domain) == organisation
