"""A mailbox brought along from a real IMAP server: everything, once, and from where it stopped."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.delivery import arrival
from appliance.errors import Denied, InvalidInput, TemporaryFailure
from appliance.importing import filing, imap
from appliance.importing.filing import Filer, Report
from appliance.items.account import Account
from appliance.items.folder import ARCHIVE_NAME
from appliance.items.message import Message
from appliance.net import imap as net
from appliance.net.imap import Mailbox, Security, Server
from appliance.store import blobs, folders, messages
from tests.fakes.dovecot import Dovecot, why_not
from tests.fixtures.database import Place

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

THEN = datetime(2020, 5, 17, 8, 30, tzinfo=UTC)


def letter(subject: str, body: str = "hello") -> bytes:
    return f"From: ada@example.net\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture
def user(dovecot: Dovecot, request: pytest.FixtureRequest) -> str:
    """A name on the other server that nobody had before."""
    return "".join(c for c in request.node.name if c.isalnum()).lower()[-60:]


@pytest.fixture
def account(database: Place) -> Account:
    blobs.configure(database.data_dir)
    accounts.add_domain("example.test")
    return accounts.create("anna@example.test", "a long enough password")


def server_of(dovecot: Dovecot, user: str, **rest: object) -> Server:
    values: dict[str, object] = {
        "port": dovecot.port,
        "security": Security.NONE,
        "password": dovecot.password,
    }
    return Server(host="127.0.0.1", user=user, **(values | rest))  # type: ignore[arg-type]


def bring(account: Account, server: Server, **rest: object) -> Report:
    filer = Filer(account)
    with Mailbox(server) as mailbox:
        imap.bring(mailbox, filer, account.id, server.name, tell=lambda _: None, **rest)  # type: ignore[arg-type]
    filer.flush()
    return filer.report


def here(account: Account) -> dict[str, list[Message]]:
    """Return what lies in the account by the path of its folder, leaving empty ones out."""
    with db.connection():
        tree = {folder.id: folder for folder in folders.list_folders(account.id)}
        found = {}
        for folder in tree.values():
            path, parent = folder.name, folder.parent_id
            while parent:
                path, parent = f"{tree[parent].name}/{path}", tree[parent].parent_id
            found[path] = messages.list_page(account.id, folder.id, limit=1_000)
    return {path: items for path, items in found.items() if items}


def subjects(account: Account) -> dict[str, list[str]]:
    return {path: sorted(item.subject for item in items) for path, items in here(account).items()}


def fill(dovecot: Dovecot, user: str) -> None:
    client = dovecot.client(user)
    for name in ("Gesendet", "Drafts", "Weg", "Archive", "Projekte", "Projekte/Zürich", "Leer"):
        client.create_folder(name)
    client.append("INBOX", letter("new"), [], THEN)
    client.append("INBOX", letter("read"), ["\\Seen", "\\Answered"], THEN + timedelta(days=1))
    client.append("INBOX", letter("flagged"), ["\\Seen", "\\Flagged"], THEN)
    client.append("INBOX", letter("forwarded"), ["\\Seen", "$Forwarded"], THEN)
    client.append("INBOX", letter("gone"), ["\\Deleted"], THEN)
    client.append("Gesendet", letter("sent"), ["\\Seen"], THEN)
    client.append("Drafts", letter("draft"), ["\\Draft"], THEN)
    client.append("Weg", letter("rubbish"), ["\\Seen"], THEN)
    client.append("Archive", letter("old"), ["\\Seen"], THEN)
    client.append("Projekte/Zürich", letter("plan"), ["\\Seen"], THEN)
    client.logout()


ALL = {
    "Inbox": ["flagged", "forwarded", "new", "read"],
    "Sent Items": ["sent"],
    "Drafts": ["draft"],
    "Deleted Items": ["rubbish"],
    ARCHIVE_NAME: ["old"],
    "Projekte/Zürich": ["plan"],
}


def test_everything_comes_with_its_place_its_date_and_its_marks(
    dovecot: Dovecot, account: Account, user: str
) -> None:
    fill(dovecot, user)
    report = bring(account, server_of(dovecot, user))
    assert (report.imported, report.skipped, report.failed) == (9, 1, [])
    assert subjects(account) == ALL
    inbox = {item.subject: item for item in here(account)["Inbox"]}
    assert {name: (item.is_read, item.last_verb, item.flag is not None) for name, item in inbox.items()} == {
        "new": (False, 0, False),
        "read": (True, 1, False),
        "flagged": (True, 0, True),
        "forwarded": (True, 3, False),
    }
    assert inbox["read"].received_at == THEN + timedelta(days=1)
    (draft,) = here(account)["Drafts"]
    assert draft.is_draft
    with db.connection():
        assert messages.raw(inbox["new"]) == letter("new")


def test_nothing_is_changed_there(dovecot: Dovecot, account: Account, user: str) -> None:
    fill(dovecot, user)
    bring(account, server_of(dovecot, user))
    client = dovecot.client(user)
    client.select_folder("INBOX", readonly=True)
    flags = [
        set(found[b"FLAGS"]) - {b"\\Recent"} for found in client.fetch(client.search(), ["FLAGS"]).values()
    ]
    assert flags == [
        set(),
        {b"\\Seen", b"\\Answered"},
        {b"\\Seen", b"\\Flagged"},
        {b"\\Seen", b"$Forwarded"},
        {b"\\Deleted"},
    ]
    client.logout()


def test_a_second_time_only_what_is_new_comes(dovecot: Dovecot, account: Account, user: str) -> None:
    fill(dovecot, user)
    bring(account, server_of(dovecot, user))
    client = dovecot.client(user)
    client.append("INBOX", letter("later"), [], THEN)
    client.logout()
    with db.connection():
        (read,) = [item for item in here(account)["Inbox"] if item.subject == "read"]
    messages.delete(account.id, read.id)
    report = bring(account, server_of(dovecot, user))
    assert (report.imported, report.already_there) == (1, 0)
    assert subjects(account)["Inbox"] == ["flagged", "forwarded", "later", "new"], "what was deleted stays so"


def test_an_import_that_stops_goes_on_behind_what_was_filed(
    dovecot: Dovecot, account: Account, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net, "PORTION_MESSAGES", 3)
    client = dovecot.client(user)
    for number in range(10):
        client.append("INBOX", letter(f"m{number}"), [], THEN)
    client.logout()
    server, filer = server_of(dovecot, user), Filer(account)
    asked: list[int] = []
    with Mailbox(server) as mailbox:
        fetched = mailbox._fetched

        def once_too_often(portion: list[tuple[int, bool]]) -> object:
            asked.extend(uid for uid, _ in portion)
            if len(asked) > 6:
                raise TemporaryFailure("the line is dead")
            return fetched(portion)

        monkeypatch.setattr(mailbox, "_fetched", once_too_often)
        with pytest.raises(TemporaryFailure):
            imap.bring(mailbox, filer, account.id, server.name, tell=lambda _: None)
    assert len(subjects(account)["Inbox"]) == 6
    report = bring(account, server)
    assert (report.imported, report.already_there) == (4, 0)
    assert subjects(account)["Inbox"] == sorted(f"m{number}" for number in range(10))


@pytest.mark.parametrize("where", ["prepare", "commit"])
def test_trouble_of_our_own_loses_nothing(
    dovecot: Dovecot, account: Account, user: str, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    client = dovecot.client(user)
    for number in range(3):
        client.append("INBOX", letter(f"m{number}"), [], THEN)
    client.logout()
    place, name = (arrival, "prepare") if where == "prepare" else (filing, "_commit")
    does, calls = getattr(place, name), iter(range(10))

    def fails_once(*given: Any) -> object:
        if next(calls) == (1 if where == "prepare" else 0):
            raise TemporaryFailure("the disk is full")
        return does(*given)

    monkeypatch.setattr(place, name, fails_once)
    with pytest.raises(TemporaryFailure):
        bring(account, server_of(dovecot, user))
    report = bring(account, server_of(dovecot, user))
    assert report.failed == []
    assert subjects(account) == {"Inbox": ["m0", "m1", "m2"]}


def test_a_folder_that_is_numbered_anew_is_read_again_and_nothing_comes_twice(
    dovecot: Dovecot, account: Account, user: str
) -> None:
    client = dovecot.client(user)
    client.create_folder("Box")
    client.append("Box", letter("one"), [], THEN)
    bring(account, server_of(dovecot, user))
    client.delete_folder("Box")
    client.create_folder("Box")
    client.append("Box", letter("two"), [], THEN)
    client.append("Box", letter("one"), [], THEN)
    client.logout()
    report = bring(account, server_of(dovecot, user))
    assert (report.imported, report.already_there) == (1, 1)
    assert subjects(account)["Box"] == ["one", "two"]


def test_a_folder_that_shows_others_brings_nothing_twice(
    dovecot: Dovecot, account: Account, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = dovecot.client(user)
    client.create_folder("Everything")
    for folder in ("INBOX", "Everything"):
        client.append(folder, letter("both"), [], THEN)
    client.append("Everything", letter("only archived"), [], THEN)
    client.logout()
    monkeypatch.setattr(imap, "_shows_others", lambda folder: folder.name == "Everything")
    bring(account, server_of(dovecot, user))
    assert subjects(account) == {"Inbox": ["both"], "Everything": ["only archived"]}


def test_folders_can_be_left_out(dovecot: Dovecot, account: Account, user: str) -> None:
    fill(dovecot, user)
    bring(account, server_of(dovecot, user), without=frozenset({"INBOX", "Weg"}))
    assert set(subjects(account)) == set(ALL) - {"Inbox", "Deleted Items"}


def test_over_tls_the_certificate_is_looked_at(dovecot: Dovecot, account: Account, user: str) -> None:
    client = dovecot.client(user)
    client.append("INBOX", letter("secret"), [], THEN)
    client.logout()
    for security, port in ((Security.TLS, dovecot.tls_port), (Security.STARTTLS, dovecot.port)):
        with pytest.raises(InvalidInput, match="certificate"):
            Mailbox(server_of(dovecot, user, security=security, port=port))
        bring(account, server_of(dovecot, user, security=security, port=port, verifies=False))
    assert subjects(account) == {"Inbox": ["secret"]}


def test_what_can_be_wrong_with_the_other_server(dovecot: Dovecot, user: str) -> None:
    with pytest.raises(Denied, match="does not let"):
        Mailbox(server_of(dovecot, user, password="guess"))
    with pytest.raises(InvalidInput, match="no host"):
        Mailbox(Server("no.such.host.invalid", 993, user, "x"))
    with pytest.raises(TemporaryFailure):
        Mailbox(server_of(dovecot, user, port=1))


def test_a_message_too_large_is_named_and_the_others_come(
    dovecot: Dovecot, account: Account, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net, "MESSAGE_BYTES_MAX", 1_000)
    client = dovecot.client(user)
    client.append("INBOX", letter("small"), [], THEN)
    client.append("INBOX", letter("large", "x" * 2_000), [], THEN)
    client.append("INBOX", letter("small too"), [], THEN)
    client.logout()
    report = bring(account, server_of(dovecot, user))
    assert [failed["source"] for failed in report.failed] == ["INBOX UID 2"]
    assert subjects(account)["Inbox"] == ["small", "small too"]
    assert bring(account, server_of(dovecot, user)).done == 0, "it is not asked for again"
