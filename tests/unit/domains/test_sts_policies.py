"""MTA-STS policies of other domains: their text, their names, their rows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance import db
from appliance.domains import sts_policies
from appliance.domains.mta_sts import Mode
from appliance.domains.sts_policies import Policy, PolicyInvalid
from tests.fixtures.database import Place
from tests.unit.store.mailbox import NOW

TEXT = b"version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.example.net\nmax_age: 604800\n"


def parsed(text: bytes) -> Policy:
    return sts_policies.parse(text, domain="example.com", policy_id="1", now=NOW)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_policy(ends: bytes) -> None:
    policy = parsed(TEXT.replace(b"\n", ends) + b"unknown: field" + ends)
    assert policy == Policy(
        "example.com", "1", Mode.ENFORCE, ("mail.example.com", "*.example.net"), 604_800, NOW
    )
    assert policy.expires_at == NOW + timedelta(days=7)
    assert policy.lines()[:3] == ["version: STSv1", "mode: enforce", "mx: mail.example.com"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        TEXT.replace(b"STSv1", b"STSv2"),
        TEXT.replace(b"enforce", b"strict"),
        TEXT.replace(b"max_age: 604800\n", b""),
        TEXT.replace(b"604800", b"-1"),
        TEXT.replace(b"604800", "٣".encode()),
        TEXT.replace(b"mail.example.com", b"mail_example com"),
        TEXT + b"mx: a.example\n" * 200,
        b"version: STSv1\nmode: enforce\nmax_age: 1\n",
        b"version STSv1\n",
    ],
)
def test_what_is_none(text: bytes) -> None:
    with pytest.raises(PolicyInvalid):
        parsed(text)


def test_none_needs_no_servers_and_no_age_is_for_ever() -> None:
    policy = parsed(b"version: STSv1\nmode: none\nmax_age: 9999999999\n")
    assert (policy.mode, policy.mx, policy.max_age_s) == (Mode.NONE, (), sts_policies.MAX_AGE_MAX_S)


@pytest.mark.parametrize(
    ("pattern", "host", "fits"),
    [
        ("mail.example.com", "MAIL.example.com.", True),
        ("mail.example.com", "other.example.com", False),
        ("*.example.com", "mail.example.com", True),
        ("*.example.com", "a.mail.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", ".example.com", False),
        ("*.example.com", "mail.example.com.evil.test", False),
    ],
)
def test_names(pattern: str, host: str, fits: bool) -> None:
    assert sts_policies.matches(pattern, host) is fits


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (["v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        (["v=spf1 -all", "v=STSv1;id=1"], "1"),
        (["v=STSv1; id=1;", "v=STSv1; id=2;"], None),
        (["v=STSv12; id=1;"], None),
        (["v=STSv1; id=not-alphanumeric;"], None),
        (["v=STSv1;"], None),
        ([], None),
    ],
)
def test_the_record(records: list[str], found: str | None) -> None:
    assert sts_policies.record_id(records) == found


def test_kept_until_its_age_ends(database: Place) -> None:
    policy = parsed(TEXT)
    sts_policies.keep(policy)
    newer = replace(policy, id="2", mode=Mode.TESTING, mx=())
    sts_policies.keep(newer)
    with db.connection():
        assert sts_policies.kept("example.com", NOW) == newer
        assert sts_policies.kept("example.com", policy.expires_at) is None
        assert sts_policies.kept("example.org", NOW) is None
    assert sts_policies.forget_expired(NOW) == 0
    assert sts_policies.forget_expired(policy.expires_at) == 1
