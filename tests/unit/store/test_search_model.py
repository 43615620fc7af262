"""The index stays exact: whatever is filed, moved, replaced and deleted, in any order, on both databases."""

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Item, SearchDocument
from appliance.items.folder import FolderType
from appliance.items.search_query import And, Field, Not, Or, Phrase, Query
from appliance.store import folders, messages, search, search_index
from appliance.store.search_terms import terms
from tests.fixtures.database import Place
from tests.unit.store import mailbox

WORDS = ("alpha", "beta", "gamma", "délta", "会議", "epsilon")
FOLDERS = (FolderType.INBOX, FolderType.SENT, FolderType.DELETED)


class Model:
    """What one account should find: texts by item, kept beside the store."""

    def __init__(self, dice: random.Random, name: str) -> None:
        self.dice = dice
        self.account_id = mailbox.account(name).id
        self.folders = [mailbox.special(self.account_id, type_) for type_ in FOLDERS]
        self.texts: dict[int, tuple[str, str]] = {}

    def step(self) -> None:
        action = self.dice.choices(
            [self.file, self.move, self.replace, self.delete, self.read, self.empty, self.drop_folder],
            [10, 3, 3, 3, 2, 0.5, 0.5],
        )[0]
        if action in (self.file, self.drop_folder) or self.texts:
            action()

    def some_text(self) -> tuple[str, str]:
        return " ".join(self.dice.choices(WORDS, k=2)), " ".join(self.dice.choices(WORDS, k=3))

    def file(self, folder_id: int | None = None) -> int:
        subject, text = self.some_text()
        where = self.dice.choice(self.folders) if folder_id is None else folder_id
        at = mailbox.NOW - self.dice.randrange(5) * timedelta(seconds=40)
        raw = mailbox.mail(subject, text=text)
        item_id = mailbox.file(self.account_id, where, raw, at)
        self.texts[item_id] = (subject, text)
        return item_id

    def move(self) -> None:
        item_id = self.dice.choice(list(self.texts))
        others = [f for f in self.folders if f != mailbox.message(self.account_id, item_id).folder_id]
        new_id = messages.move(self.account_id, item_id, self.dice.choice(others))
        self.texts[new_id] = self.texts.pop(item_id)

    def replace(self) -> None:
        item_id = self.dice.choice(list(self.texts))
        subject, text = self.some_text()
        messages.replace(self.account_id, item_id, mailbox.prepared(mailbox.mail(subject, text=text)))
        self.texts[item_id] = (subject, text)

    def delete(self) -> None:
        item_id = self.dice.choice(list(self.texts))
        messages.delete(self.account_id, item_id)
        del self.texts[item_id]

    def read(self) -> None:
        messages.set_read(self.account_id, self.dice.choice(list(self.texts)), self.dice.random() < 0.5)

    def empty(self) -> None:
        folder_id = self.dice.choice(self.folders)
        for found in mailbox.listing(self.account_id, folder_id):
            del self.texts[found.id]
        messages.empty_folder(self.account_id, folder_id)

    def drop_folder(self) -> None:
        folder = folders.create(self.account_id, 0, f"made {self.dice.random()}", FolderType.USER_MAIL)
        ids = [self.file(folder.id) for _ in range(3)]
        if self.dice.random() < 0.5:
            self.find(Phrase("alpha"))
        messages.delete_folder(self.account_id, folder.id)
        for item_id in ids:
            del self.texts[item_id]

    def find(self, query: Query) -> set[int]:
        with db.connection():
            found, total = search.find(self.account_id, query, limit=1_000)
        assert total == len(found)
        moments = [message.received_at for message in found]
        assert moments == sorted(moments, reverse=True)
        return {message.id for message in found}

    def expected(self, query: Query) -> set[int]:
        return {item_id for item_id, texts in self.texts.items() if matches(query, texts)}

    def check(self) -> None:
        one, two, three = (Phrase(self.dice.choice(WORDS)) for _ in range(3))
        subject = Phrase(one.text, Field.SUBJECT)
        row = Phrase(f"{one.text} {two.text}")
        beginning = Phrase(one.text[:2], is_prefix=True)
        for query in (
            *(one, subject, row, beginning, Phrase(one.text, Field.BODY), Not(one), And((one, Not(two)))),
            *(Or((And((one, two)), Not(three))), And((subject, Or((two, three))))),
        ):
            assert self.find(query) == self.expected(query), query


def matches(query: Query, texts: tuple[str, str]) -> bool:
    """Return what a search should say of a message with this subject and body."""
    match query:
        case And(parts):
            return all(matches(part, texts) for part in parts)
        case Or(parts):
            return any(matches(part, texts) for part in parts)
        case Not(part):
            return not matches(part, texts)
        case Phrase(text, field, is_prefix):
            chosen = {Field.SUBJECT: texts[:1], Field.BODY: texts[1:], None: texts}[field]
            return any(_holds(text, is_prefix, one) for one in chosen)
    raise AssertionError(query)


def _holds(text: str, is_prefix: bool, inside: str) -> bool:
    wanted, words = text.split(), inside.split()
    rows = [words[at : at + len(wanted)] for at in range(len(words))]
    return wanted in rows or (is_prefix and any(word.startswith(text) for word in words))


@pytest.mark.parametrize("seed", range(3))
def test_searches_agree_with_a_model(store: Place, seed: int, monkeypatch: pytest.MonkeyPatch):
    dice = random.Random(seed)
    monkeypatch.setattr(search_index, "BATCH", 5)
    monkeypatch.setattr(search_index, "CATCH_UP_AT_ONCE", 3)
    models = [Model(dice, name) for name in ("anna", "ben")]
    for number in range(150):
        dice.choice(models).step()
        if number % 10 == 9:
            for model in models:
                model.check()
    check_index()


def check_index() -> None:
    """Assert that every live mail item has exactly one document, and that it says the truth."""
    with db.connection():
        rows = Item.select(Item.id, Item.folder, Item.received_at, Item.has_attachments)
        documents = SearchDocument.select(
            SearchDocument.item_id,
            SearchDocument.folder_id,
            SearchDocument.received_at,
            SearchDocument.has_attachments,
        )
        assert sorted(documents.tuples()) == sorted(rows.tuples())


def vocabulary() -> Sequence[str]:
    """Return the terms that are stored, without the account in front."""
    if db.is_sqlite():
        _make_vocabulary_table()
        sql = "SELECT term FROM search_vocabulary"
    else:
        sql = "SELECT word FROM ts_stat('SELECT vector FROM search_text')"
    with db.connection():
        return sorted({row[0][4:].rpartition("/")[2] for row in db.proxy.execute_sql(sql)})


@db.transaction
def _make_vocabulary_table() -> None:
    db.proxy.execute_sql(
        "CREATE VIRTUAL TABLE IF NOT EXISTS search_vocabulary USING fts5vocab(search_text, row)"
    )


def test_no_word_outlives_its_message(store: Place):
    anna, ben = mailbox.account("anna"), mailbox.account("ben")
    kept = mailbox.file(anna.id, raw=mailbox.mail("kept", text="staying words 会議"))
    ids = [mailbox.file(anna.id, raw=mailbox.mail(f"going {n}", text=f"secret{n} 機密")) for n in range(40)]
    mailbox.file(ben.id, raw=mailbox.mail("theirs", text="foreign"))
    with db.connection():
        assert search_index.catch_up(anna.id)
        assert search_index.catch_up(ben.id)
    assert {"secret7", "機密", "foreign"} <= set(vocabulary())
    messages.delete(anna.id, ids.pop())
    messages.replace(anna.id, ids[-1], mailbox.prepared(mailbox.mail("going", text="other")))
    for item_id in ids[:2]:
        messages.move(anna.id, item_id, mailbox.special(anna.id, FolderType.DELETED))
    messages.move(anna.id, kept, mailbox.special(anna.id, FolderType.SENT))
    messages.empty_folder(anna.id, mailbox.special(anna.id))
    messages.empty_folder(anna.id, mailbox.special(anna.id, FolderType.DELETED))
    accounts.delete(ben.id)
    stays = terms(f"kept staying words 会議 {mailbox.OUTSIDE} anna@{mailbox.DOMAIN}")
    assert vocabulary() == sorted(set(stays))
    check_index()


def test_a_new_account_does_not_find_what_a_deleted_one_had(store: Place):
    anna = mailbox.account("anna")
    mailbox.file(anna.id, raw=mailbox.mail("secret"))
    with db.connection():
        search_index.catch_up(anna.id)
    accounts.delete(anna.id)
    again = mailbox.account("anna")
    with db.connection():
        assert search.find(again.id, Phrase("secret")) == ([], 0)
