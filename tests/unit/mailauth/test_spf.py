"""SPF: the words, the limits, and the public suite when it is there."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.mailauth import spf
from appliance.mailauth.lookups import LookupFailed
from tests.fixtures.sender_records import Asked

SUITE = Path(__file__).parents[4] / "shared" / "corpora" / "spf" / "rfc7208-tests.yml"
CLIENT, OTHER = "192.0.2.1", "198.51.100.7"
RECORDS = {
    ("example.net", "TXT"): ["something else", "v=spf1 ip4:192.0.2.0/28 include:more.example.net -all"],
    ("more.example.net", "TXT"): ["v=spf1 a:out.example.net mx ~all"],
    ("more.example.net", "MX"): ["10 mx.example.net"],
    ("mx.example.net", "A"): ["198.51.100.8"],
    ("out.example.net", "A"): ["198.51.100.9"],
    ("out.example.net", "AAAA"): ["2001:db8::9"],
    ("two.example.net", "TXT"): ["v=spf1 -all", "v=spf1 +all"],
    ("soft.example.net", "TXT"): ["v=spf1 ~all"],
    ("trouble.example.net", "TXT"): None,
    ("halfway.example.net", "TXT"): ["v=spf1 include:trouble.example.net -all"],
    ("words.example.net", "TXT"): ["v=spf1 -all exp=why.example.net"],
    ("why.example.net", "TXT"): ["%{i} may not send for %{d}"],
    ("loop.example.net", "TXT"): ["v=spf1 include:loop.example.net -all"],
    ("void.example.net", "TXT"): ["v=spf1 a:n1.example.net a:n2.example.net a:n3.example.net -all"],
    ("xn--bcher-kva.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("helo.example.net", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
    ("broken.example.net", "TXT"): ["v=spf1 ip4:no -all"],
}


@pytest.mark.parametrize(
    ("client", "sender", "result"),
    [
        (CLIENT, "a@example.net", "pass"),
        (OTHER, "a@example.net", "fail"),
        ("198.51.100.8", "a@example.net", "pass"),
        ("2001:db8::9", "a@example.net", "pass"),
        ("::ffff:192.0.2.1", "a@example.net", "pass"),
        (OTHER, "a@soft.example.net", "softfail"),
        (OTHER, "a@nothing.example.net", "none"),
        (OTHER, "a@two.example.net", "permerror"),
        (OTHER, "a@broken.example.net", "permerror"),
        (OTHER, "a@trouble.example.net", "temperror"),
        (OTHER, "a@halfway.example.net", "temperror"),
        (OTHER, "a@loop.example.net", "permerror"),
        (OTHER, "a@void.example.net", "permerror"),
        (CLIENT, "a@bücher.example", "pass"),
        (CLIENT, "a@[192.0.2.1]", "none"),
        (CLIENT, "a@" + "x" * 64 + ".example.net", "none"),
        (CLIENT, "a b@example.net", "pass"),
    ],
)
def test_results(client: str, sender: str, result: str) -> None:
    assert spf.check(client, sender, "mail.example.org", Asked(RECORDS)).result == result


def test_the_null_path_is_judged_by_the_name_of_the_client() -> None:
    found = spf.check(CLIENT, "", "helo.example.net", Asked(RECORDS))
    assert (found.result, found.scope, found.domain) == ("pass", "helo", "helo.example.net")
    assert spf.check(OTHER, "", "helo.example.net", Asked(RECORDS)).result == "fail"
    assert spf.check(OTHER, "", "[198.51.100.7]", Asked(RECORDS)).result == "none"
    assert spf.check(OTHER, "", "", Asked(RECORDS)).result == "none"


def test_a_domain_may_say_why() -> None:
    found = spf.check(OTHER, "a@words.example.net", "x.example.org", Asked(RECORDS))
    assert found.explanation == f"{OTHER} may not send for words.example.net"
    assert spf.check(OTHER, "a@example.net", "x.example.org", Asked(RECORDS)).explanation == ""


def test_questions_are_limited_whatever_the_record_wants() -> None:
    greedy = {(f"n{n}.example.net", "TXT"): [f"v=spf1 include:n{n + 1}.example.net -all"] for n in range(40)}
    asked = Asked(greedy)
    assert spf.check(OTHER, "a@n0.example.net", "x.example.org", asked).result == "permerror"
    assert len(asked.questions) <= 11
    many = Asked(
        {
            ("example.net", "TXT"): ["v=spf1 mx -all"],
            ("example.net", "MX"): [f"10 m{n}.example.net" for n in range(50)],
        }
    )
    assert spf.check(OTHER, "a@example.net", "x.example.org", many).result == "permerror"
    assert len(many.questions) <= 3


def suite_cases() -> Iterator[Any]:
    if not SUITE.exists():
        return
    for scenario in yaml.safe_load_all(SUITE.read_text()):
        for name, case in scenario["tests"].items():
            yield pytest.param(scenario["zonedata"], case, id=name)


@pytest.mark.skipif(not SUITE.exists(), reason="the public suite is not beside this checkout")
@pytest.mark.parametrize(("zone", "case"), list(suite_cases()))
def test_public_suite(zone: Mapping[str, list[Any]], case: Mapping[str, Any]) -> None:
    found = spf.check(case["host"], case.get("mailfrom", ""), case["helo"], SuiteZone(zone))
    wanted = [case["result"]] if isinstance(case["result"], str) else case["result"]
    assert found.result in wanted
    if case.get("explanation", "DEFAULT") != "DEFAULT":
        assert found.explanation == case["explanation"]


class SuiteZone:
    """The suite's notation: TIMEOUT instead of an answer, SPF records that count as TXT, aliases."""

    def __init__(self, zone: Mapping[str, list[Any]]) -> None:
        self._zone = {name.lower(): records for name, records in zone.items()}

    def __call__(self, name: str, record_type: str, depth: int = 0) -> Sequence[str]:
        records = self._zone.get(name.lower().removesuffix("."), [])
        pairs = [next(iter(record.items())) for record in records if record != "TIMEOUT"]
        has_txt = any(kind == "TXT" for kind, _ in pairs)
        pairs = [("TXT" if kind == "SPF" and not has_txt else kind, value) for kind, value in pairs]
        mine = [value for kind, value in pairs if kind == record_type]
        found = [self._text(value) for value in mine if value not in ("TIMEOUT", "NONE")]
        if found:
            return found
        if "TIMEOUT" in records or "TIMEOUT" in mine:
            raise LookupFailed(name)
        aliases = [value for kind, value in pairs if kind == "CNAME"]
        if aliases and depth > 10:
            raise LookupFailed("aliases in a circle")
        return self(aliases[0], record_type, depth + 1) if aliases else ()

    @staticmethod
    def _text(value: Any) -> str:
        if not isinstance(value, list):
            return str(value)
        is_exchange = bool(value) and isinstance(value[0], int)
        return f"{value[0]} {value[1]}" if is_exchange else "".join(value)
