"""Strangers who have to come back once."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.db.tables import Greylisted
from appliance.delivery import greylist
from appliance.items.account import Account
from tests.unit.store.mailbox import NOW

NETWORK = "192.0.2.0/24"


@pytest.fixture(autouse=True)
def place(anna: Account) -> None:
    """A database."""


def passes(
    sender: str = "ada@example.net", *, after_s: int = 0, network: str = NETWORK, to: str = "anna@example.com"
) -> bool:
    return greylist.may_pass(network, sender, to, now=NOW + timedelta(seconds=after_s), delay_s=300)


def test_a_stranger_comes_back_after_the_delay() -> None:
    assert [passes(after_s=seconds) for seconds in (0, 1, 299, 300, 301)] == [False, False, False, True, True]
    assert not passes(after_s=300, to="ben@example.com"), "another recipient"
    assert not passes(after_s=300, network="198.51.100.0/24"), "another network"
    assert passes("ADA@Example.net", after_s=400), "letter case is no difference"


def test_a_network_that_came_back_is_trusted() -> None:
    for n in range(greylist.TRUSTED_FROM):
        assert not passes(f"s{n}@example.net")
        assert passes(f"s{n}@example.net", after_s=300)
    assert passes("never.seen@example.org", after_s=301)
    assert not passes("never.seen@example.org", after_s=301, network="198.51.100.0/24")


def test_what_means_nothing_any_more_is_forgotten() -> None:
    passes("gone@example.net")
    passes("kept@example.net")
    passes("kept@example.net", after_s=300)
    assert greylist.forget(NOW + timedelta(days=1)) == 0
    assert greylist.forget(NOW + timedelta(days=3)) == 1
    assert greylist.forget(NOW + timedelta(days=36)) == 1
    with db.connection():
        assert Greylisted.select().count() == 0
