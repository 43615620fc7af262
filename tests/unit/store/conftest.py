"""Either database, empty but for a domain, with blobs in their place."""

from collections.abc import Iterator

import pytest

from appliance.items.account import Account
from tests.fixtures.database import Place
from tests.unit.store import mailbox


@pytest.fixture
def store(database: Place) -> Iterator[Place]:
    """An open store; its invariants are checked when the test is over."""
    with mailbox.configured(database.data_dir):
        yield database
        mailbox.check_invariants()


@pytest.fixture
def anna(store: Place) -> Account:
    return mailbox.account("anna")


@pytest.fixture
def ben(store: Place) -> Account:
    return mailbox.account("ben")
