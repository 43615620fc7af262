"""A mailbox from before the search index: migrated, its old messages are found."""

from email.message import EmailMessage

from appliance import db
from appliance.accounts import accounts, passwords
from appliance.db.tables import Content
from appliance.delivery import arrival
from appliance.items.folder import FolderType
from appliance.items.search_query import Field, Phrase
from appliance.settings import Passwords
from appliance.store import blobs, folders, messages, search
from tests.fixtures.database import Place


@db.transaction
def _undo_migration() -> None:
    """Leave the database as the version before left it."""
    for table in ("search_text", "search_document", "search_state"):
        db.proxy.execute_sql(f"DROP TABLE {table}")
    db.proxy.execute_sql("ALTER TABLE content DROP COLUMN attachment_names")
    db.proxy.execute_sql("DELETE FROM schema_migration WHERE name = '0002_search'")


def _message(subject: str, *attachments: str) -> bytes:
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content("the body\n")
    for name in attachments:
        message.add_attachment(b"%PDF", "application", "pdf", filename=name)
    return message.as_bytes()


def test_messages_from_before_the_index_are_found(database: Place):
    blobs.configure(database.data_dir)
    passwords.configure(Passwords(passes=1, memory_kib=8, lanes=1))
    accounts.add_domain("example.test")
    account = accounts.create("anna@example.test", "a long enough password")
    with db.connection():
        inbox = folders.special(account.id, FolderType.INBOX).id
    raws = [_message("plain"), _message("two", "Größe v2.pdf", "plan.pdf"), _message("nameless", "")]
    for raw in raws:
        messages.file(account.id, inbox, arrival.prepare(raw))
    with db.connection():
        names = sorted(Content.select(Content.attachment_names).tuples())
    _undo_migration()
    database.reopen()
    with db.connection():
        assert sorted(Content.select(Content.attachment_names).tuples()) == names
        assert names[-1] == ("Größe v2.pdf\nplan.pdf",)
        found, total = search.find(account.id, Phrase("plan", Field.ATTACHMENT))
        assert ([message.subject for message in found], total) == (["two"], 1)
        assert search.find(account.id, Phrase("body"))[1] == len(raws)


def test_structures_that_cannot_be_read_have_no_names(database: Place):
    @db.transaction
    def insert() -> None:
        for number, structure in enumerate(("", "[]", "{}", '{"v":1,"p":[[1]],"a":[1]}', '{"a":3,"p":4}')):
            Content.create(digest=bytes([number]), structure=structure, text="", is_text_complete=True)

    insert()
    _undo_migration()
    database.reopen()
    with db.connection():
        assert set(Content.select(Content.attachment_names).tuples()) == {("",)}
