"""ARC: chains of other hands, what breaks them, and the public suite when it is there."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.mailauth import arc
from appliance.mailauth.letter import Letter
from tests.fixtures.signer import Signer

SUITE = Path(__file__).parents[4] / "shared" / "corpora" / "arc" / "arc-draft-validation-tests.yml"
RAW = b"From: ada@example.net\r\nTo: list@lists.example.org\r\nSubject: hello\r\n\r\nHello.\r\n"
LIST, FORWARDER = Signer("lists.example.org"), Signer("forward.example.com", "s2")
FINDINGS = "mx.lists.example.org; spf=pass smtp.mailfrom=example.net; dmarc=pass header.from=example.net"
RECORDS = {signer.name: [signer.record] for signer in (LIST, FORWARDER)}


def test_no_chain() -> None:
    assert arc.validate(Letter(RAW), {}) == arc.ArcResult("none")
    assert arc.key_names(Letter(RAW)) == []


def test_one_set_passes_and_says_what_was_seen() -> None:
    letter = Letter(LIST.seal(RAW, FINDINGS))
    assert arc.key_names(letter) == [LIST.name]
    assert arc.validate(letter, RECORDS) == arc.ArcResult("pass", "", ("lists.example.org",), FINDINGS)


def test_two_sets_pass_and_the_newest_comes_first() -> None:
    raw = FORWARDER.seal(LIST.seal(RAW, FINDINGS), "forward.example.com; arc=pass", instance=2, cv="pass")
    found = arc.validate(Letter(raw), RECORDS)
    assert (found.result, found.sealers) == ("pass", ("forward.example.com", "lists.example.org"))
    assert found.findings == "forward.example.com; arc=pass"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello.", b"Buy now!"),
        (b"Subject: hello", b"Subject: offer"),
        (b"dmarc=pass", b"dmarc=fail"),
        (b"cv=none", b"cv=pass"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=2"),
        (b"ARC-Message-Signature:", b"X-Gone:"),
        (b"i=1; mx", b"i=1000; mx"),
    ],
)
def test_what_was_changed_fails(old: bytes, new: bytes) -> None:
    raw = LIST.seal(RAW, FINDINGS)
    assert old in raw
    assert arc.validate(Letter(raw.replace(old, new, 1)), RECORDS).result == "fail"


def test_a_dns_in_trouble_is_no_verdict() -> None:
    assert arc.validate(Letter(LIST.seal(RAW, FINDINGS)), {LIST.name: None}).result == "temperror"
    assert arc.validate(Letter(LIST.seal(RAW, FINDINGS)), {LIST.name: []}).result == "fail"


def test_a_chain_has_a_ceiling() -> None:
    raw = LIST.seal(RAW, FINDINGS)
    chain = raw[: raw.index(b"From:")]
    assert arc.validate(Letter(chain * 60 + RAW), RECORDS).result == "fail"
    other = [Signer("example.org", f"s{n}").seal(RAW, FINDINGS) for n in range(30)]
    many = b"".join(one[: one.index(b"From:")] for one in other) + RAW
    assert len(arc.key_names(Letter(many))) == arc.KEYS_MAX


def suite_cases() -> Iterator[Any]:
    if not SUITE.exists():
        return
    for scenario in yaml.safe_load_all(SUITE.read_text()):
        for name, case in scenario["tests"].items():
            yield pytest.param(scenario.get("txt-records") or {}, case, id=name)


# The suite was written for a draft in which a chain that says of itself "fail" had no status any more;
# RFC 8617 5.2 step 2 calls it failed.
ENDED = {"failing message i=i as cv=fail", "i=2 base1 cv2=fail", "i=2 base1 as(1) cv=fail"}


@pytest.mark.skipif(not SUITE.exists(), reason="the public suite is not beside this checkout")
@pytest.mark.parametrize(("records", "case"), list(suite_cases()))
def test_public_suite(records: Mapping[str, str], case: Mapping[str, Any]) -> None:
    letter = Letter(case["message"].replace("\r\n", "\n").replace("\n", "\r\n").encode())
    keys = {name: [records[name]] if name in records else [] for name in arc.key_names(letter)}
    wanted = "fail" if case["description"] in ENDED else (case["cv"] or "None").lower()
    assert arc.validate(letter, keys).result == wanted
