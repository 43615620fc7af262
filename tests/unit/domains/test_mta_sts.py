"""Our MTA-STS policy: what it says, where it is served, and that its id follows its text."""

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.domains import mta_sts
from appliance.domains.mta_sts import Mode
from appliance.errors import NotFound
from appliance.setup import settings


@pytest.fixture(autouse=True)
def domain(database):
    accounts.add_domain("example.test")
    settings.put(settings.HOSTNAME, "mail.example.test")


def policy():
    with db.connection():
        return mta_sts.policy("example.test")


def record():
    with db.connection():
        return mta_sts.record("example.test")


def test_it_begins_as_a_test():
    assert policy() == "version: STSv1\r\nmode: testing\r\nmx: mail.example.test\r\nmax_age: 86400\r\n"


def test_it_can_be_enforced_and_taken_back():
    mta_sts.choose("Example.test", Mode.ENFORCE)
    assert policy() == "version: STSv1\r\nmode: enforce\r\nmx: mail.example.test\r\nmax_age: 604800\r\n"
    mta_sts.choose("example.test", Mode.NONE)
    assert policy() == "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"


def test_the_id_changes_with_the_policy_and_only_then():
    before = record()
    assert before == record()
    assert before.startswith("v=STSv1; id=")
    mta_sts.choose("example.test", Mode.ENFORCE)
    enforced = record()
    settings.put(settings.HOSTNAME, "mx.example.test")
    assert len({before, enforced, record()}) == 3


@pytest.mark.parametrize(
    "host", ["mta-sts.example.test", "MTA-STS.Example.Test:8443", "mta-sts.example.test."]
)
def test_where_it_is_served(host):
    found = mta_sts.policy_of_host(host)
    assert found is None if host.endswith(".") else found == policy()


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.test",
        "mail.example.test",
        "mta-sts.other.test",
        "mta-sts.",
        "a b",
        "mta-sts.mta-sts.example.test",
    ],
)
def test_where_it_is_not(host):
    assert mta_sts.policy_of_host(host) is None


def test_only_our_domains_have_one():
    with pytest.raises(NotFound):
        mta_sts.choose("other.test", Mode.ENFORCE)
