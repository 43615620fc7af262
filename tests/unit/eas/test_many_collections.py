"""Three hundred folders in one request: all are answered, for a bounded price each, in a bounded answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest

from appliance import db
from appliance.items.folder import FolderType
from appliance.settings import Eas
from appliance.store import folders
from appliance.wbxml.codepages import AirSync, Ping
from tests.unit.eas.world import Phone, body_preference, collections_of

FOLDERS = 300
STATEMENTS_PER_FOLDER_MAX = 12  # of a Sync
STATEMENTS_PER_PING_MAX = 20


@pytest.fixture
def made(phone: Phone) -> list[int]:
    """As many folders, each synchronised and empty."""

    @db.transaction
    def make() -> list[int]:
        return [
            folders.create(phone.account.id, 0, f"folder {number}", FolderType.USER_MAIL).id
            for number in range(FOLDERS)
        ]

    ids = make()
    phone.folder_sync()
    answer = phone.sync_all(*(phone.collection(each) for each in ids))
    assert len(collections_of(answer)) == FOLDERS
    return ids


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that are run in the block."""
    seen: list[str] = []
    real = db.proxy.obj.execute_sql

    def execute(sql: str, *rest: object, **more: object) -> object:
        seen.append(sql)
        return real(sql, *rest, **more)

    with patch.object(db.proxy.obj, "execute_sql", execute):
        yield seen


def watch(ids: list[int]):
    watched = [Ping.Folder(Ping.Id(str(each)), Ping.Class("Email")) for each in ids]
    return Ping.Ping(Ping.HeartbeatInterval(600), Ping.Folders(watched))


def test_a_sync_of_them_costs_so_much_each_and_answers_what_is_new(phone, made):
    news = {made[3], made[200]}
    for each in sorted(news):
        phone.server.file(phone.account, each, "news")
    with counted() as statements:
        answer = phone.sync_all(*(phone.collection(each) for each in made))
    assert {int(each.text_of(AirSync.CollectionId, "")) for each in collections_of(answer)} == news
    assert len(statements) <= STATEMENTS_PER_FOLDER_MAX * FOLDERS
    assert phone.sync_all(*(phone.collection(each) for each in made)) is None
    assert phone.command("Sync") is None, "an empty request repeats all of it"


def test_a_ping_of_them_costs_the_same_whatever_their_number(phone, made):
    with counted() as statements:
        held = phone.hold("Ping", watch(made))
        held.until_waiting()
    assert len(statements) <= STATEMENTS_PER_PING_MAX
    phone.server.file(phone.account, made[-1], "news")
    answer = held.answer()
    assert [each.text for each in answer.require(Ping.Folders)] == [str(made[-1])]


def test_one_answer_has_a_ceiling_however_many_there_are(phone, made):
    """What does not fit comes with the next request; nothing is told twice, nothing is forgotten."""
    phone.server.eas = Eas(response_bytes_max=65_536)
    filled = made[:60]
    body = b"Subject: large\r\n\r\n" + b"x" * 5_000 + b"\r\n"
    expected = {phone.server.file_raw(phone.account, each, body) for each in filled}
    told: list[int] = []
    for _ in range(20):
        preference = AirSync.Options(body_preference(1, 100_000))
        answer = phone.sync_all(*(phone.collection(each, options=preference) for each in made))
        if answer is None:
            break
        for collection in collections_of(answer):
            commands = collection.find(AirSync.Commands)
            assert commands is not None or collection.find(AirSync.MoreAvailable) is None
            told += [int(each.text_of(AirSync.ServerId, "")) for each in commands or ()]
    assert sorted(told) == sorted(expected)
