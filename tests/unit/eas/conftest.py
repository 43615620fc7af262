"""What the tests of ActiveSync share: a server, an account with a phone, a bus of its own."""

from collections.abc import Iterator

import pytest

from appliance import bus
from appliance.items.folder import FolderType
from tests.fixtures.database import Place
from tests.unit.eas.world import Phone, Server


@pytest.fixture(autouse=True)
def own_bus() -> Iterator[bus.Bus]:
    """A bus that no other test has drained or still watches."""
    fresh = bus.LocalBus()
    before = bus.use(fresh)
    yield fresh
    bus.use(before)


@pytest.fixture
def server(sqlite_database: Place) -> Server:
    return Server(sqlite_database.data_dir)


@pytest.fixture
def phone(server: Server) -> Phone:
    return Phone(server, server.account("anna"))


@pytest.fixture
def inbox(phone: Phone) -> int:
    return phone.folder(FolderType.INBOX)


@pytest.fixture
def either_phone(database: Place) -> Phone:
    """A phone of a server on SQLite, and on PostgreSQL."""
    server = Server(database.data_dir)
    return Phone(server, server.account("anna"))
