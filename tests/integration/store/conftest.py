"""The store's fixtures, and one for tests of what only PostgreSQL does."""

from collections.abc import Iterator

import pytest

from tests.fixtures.database import Place
from tests.unit.store import mailbox
from tests.unit.store.conftest import anna, ben, store

__all__ = ["anna", "ben", "store", "store_on_postgresql"]


@pytest.fixture
def store_on_postgresql(postgresql_database: Place) -> Iterator[None]:
    """A store on PostgreSQL whose invariants are checked when the test is over."""
    with mailbox.configured(postgresql_database.data_dir):
        yield
        mailbox.check_invariants()
