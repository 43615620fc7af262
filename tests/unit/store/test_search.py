"""Searching real rows, on both databases: what finds what, in which order, and nobody else's."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from appliance import db
from appliance.accounts import accounts, passwords
from appliance.db.tables import SearchDocument
from appliance.delivery import arrival
from appliance.items.folder import FolderType
from appliance.items.message import Flag
from appliance.items.search_query import (
    EVERYTHING,
    And,
    Field,
    HasAttachment,
    IsFlagged,
    IsRead,
    Not,
    Or,
    Phrase,
    Query,
    Received,
)
from appliance.settings import Passwords
from appliance.store import blobs, folders, messages, search, search_index
from appliance.store.search_plan import TERMS_IN_ROW_MAX
from tests.fixtures.database import Place

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


class Mailbox:
    """One account's messages by the names a test gives them."""

    def __init__(self, name: str = "anna") -> None:
        self.account = accounts.create(f"{name}@example.test", "a long enough password")
        self.names: dict[int, str] = {}

    def folder(self, type_: FolderType = FolderType.INBOX) -> int:
        with db.connection():
            return folders.special(self.account.id, type_).id

    def file(
        self,
        name: str,
        *,
        subject: str = "",
        body: str = "",
        sender: str = "x@example.net",
        to: str = "anna@example.test",
        cc: str = "",
        attachment: str = "",
        age: timedelta = timedelta(),
        folder: FolderType = FolderType.INBOX,
        is_read: bool = False,
    ) -> int:
        message = EmailMessage()
        message["From"] = sender
        message["To"] = to
        if cc:
            message["Cc"] = cc
        message["Subject"] = subject or name
        message.set_content(body)
        if attachment:
            message.add_attachment(b"%PDF", "application", "pdf", filename=attachment)
        item_id = messages.file(
            self.account.id,
            self.folder(folder),
            arrival.prepare(message.as_bytes()),
            received_at=NOON - age,
            is_read=is_read,
        )
        self.names[item_id] = name
        return item_id

    def moved(self, item_id: int, folder: FolderType) -> int:
        new_id = messages.move(self.account.id, item_id, self.folder(folder))
        self.names[new_id] = self.names.pop(item_id)
        return new_id

    def find(self, query: Query | str, **options: object) -> list[str]:
        """Return the names of what is found, in order. A text is one phrase."""
        wanted = Phrase(query) if isinstance(query, str) else query
        with db.connection():
            found, total = search.find(self.account.id, wanted, **options)  # type: ignore[arg-type]
        if "limit" not in options and "offset" not in options:
            assert total == len(found)
        return [self.names[message.id] for message in found]


@pytest.fixture(autouse=True)
def places(database: Place) -> Iterator[None]:
    blobs.configure(database.data_dir)
    passwords.configure(Passwords(passes=1, memory_kib=8, lanes=1))
    accounts.add_domain("example.test")
    yield


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


# --- what finds what ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Größe", "grosse"),
        ("groesse ist GROSSE", "größe"),
        ("résumé", "RESUME"),
        ("resume", "résumé"),
        ("Łódź", "lodz"),
        ("İzmir ve ısı", "izmir"),
        ("ΑΘΗΝΑ", "αθήνα"),
        ("ёлка", "елка"),
        ("Don’t forget", "don't"),
        ("ＦＵＬＬＷＩＤＴＨ", "fullwidth"),
        ("plan_v2-final.txt", "v2"),
        ("see <ines.okafor@example.net>", "ines.okafor@example.net"),
        ("1.234,50 EUR", "1.234,50"),
    ],
)
def test_letters_that_mean_the_same_find_each_other(box: Mailbox, text: str, wanted: str):
    box.file("it", subject=text)
    box.file("other", subject="nothing of that")
    assert box.find(wanted) == ["it"]
    assert box.find(wanted.upper()) == ["it"]


@pytest.mark.parametrize("wanted", ["会議室", "会議", "議室", "室の予約", "予", "議", "を"])
def test_scripts_without_spaces_are_found_anywhere_in_a_sentence(box: Mailbox, wanted: str):
    box.file("it", body="明日の会議室の予約をお願いします。")
    box.file("other", body="会社と議事録と教室")
    found = box.find(wanted)
    assert "it" in found
    assert (found == ["it"]) == (wanted not in ("議", "会"))


def test_korean_and_thai_words_are_found_inside_longer_ones(box: Mailbox):
    box.file("korean", body="회의실을 예약했습니다")
    box.file("thai", body="ขอเชิญประชุมพรุ่งนี้")
    assert box.find("회의실") == ["korean"]
    assert box.find("의실") == ["korean"]
    assert box.find("ประชุม") == ["thai"]


def test_a_row_of_words_is_found_only_in_that_order(box: Mailbox):
    box.file("yes", body="the quarterly figures are attached")
    box.file("no", body="figures of the last quarterly report")
    assert box.find("quarterly figures") == ["yes"]
    assert box.find("figures quarterly") == []


def test_of_a_long_row_the_beginning_is_looked_for(box: Mailbox):
    words = [f"word{number}" for number in range(TERMS_IN_ROW_MAX + 5)]
    box.file("it", body=" ".join(words))
    assert box.find(" ".join(words)) == ["it"]
    assert box.find(" ".join([*words[:TERMS_IN_ROW_MAX], "another"])) == ["it"]
    assert box.find(" ".join([*words[: TERMS_IN_ROW_MAX - 1], "another"])) == []


def test_a_beginning_finds_the_word_when_it_is_asked_for(box: Mailbox):
    box.file("it", body="Rechnungsnummer 4711")
    assert box.find(Phrase("rech", is_prefix=True)) == ["it"]
    assert box.find(Phrase("rech")) == []
    assert box.find(Phrase("rechnungsnummer 47", is_prefix=True)) == ["it"]
    assert box.find(Phrase("r", is_prefix=True)) == []


FIELDS = {
    Field.SUBJECT: "alpha",
    Field.FROM: "bravo",
    Field.TO: "charlie",
    Field.CC: "delta",
    Field.ATTACHMENT: "echo",
    Field.BODY: "foxtrot",
}


@pytest.mark.parametrize("field", Field)
def test_a_field_finds_only_what_is_in_it(box: Mailbox, field: Field):
    box.file(
        "it",
        subject="alpha",
        sender='"Bravo" <b@example.net>',
        to='"Charlie" <c@example.net>',
        cc='"Delta" <d@example.net>',
        attachment="echo.pdf",
        body="foxtrot",
    )
    for other, word in FIELDS.items():
        assert box.find(Phrase(word, field)) == (["it"] if field is other else [])
        assert box.find(Phrase(word[:3], field, is_prefix=True)) == (["it"] if field is other else [])
        assert box.find(word) == ["it"]


def test_a_row_of_words_does_not_go_over_the_border_of_two_fields(box: Mailbox):
    box.file("it", subject="one two", body="three four")
    assert box.find("two three") == []
    assert box.find("two x") == []


def test_queries_combine(box: Mailbox):
    box.file("a", body="apple banana", attachment="x.pdf")
    box.file("b", body="apple cherry", is_read=True)
    box.file("c", body="banana cherry")
    apple, banana, cherry = Phrase("apple"), Phrase("banana"), Phrase("cherry")
    cases: list[tuple[Query, set[str]]] = [
        (And((apple, banana)), {"a"}),
        (Or((apple, banana)), {"a", "b", "c"}),
        (And((apple, Not(banana))), {"b"}),
        (Not(apple), {"c"}),
        (Not(Not(apple)), {"a", "b"}),
        (And((Not(apple), Not(banana))), set()),
        (Not(And((apple, banana))), {"b", "c"}),
        (Or((And((apple, Not(banana))), And((banana, cherry)))), {"b", "c"}),
        (Or((Not(apple), banana)), {"a", "c"}),
        (And((Or((apple, cherry)), Not(Or((banana, IsRead()))))), set()),
        (HasAttachment(), {"a"}),
        (HasAttachment(wanted=False), {"b", "c"}),
        (And((apple, HasAttachment(wanted=False))), {"b"}),
        (Or((HasAttachment(), cherry)), {"a", "b", "c"}),
        (IsRead(), {"b"}),
        (And((apple, IsRead(wanted=False))), {"a"}),
        (EVERYTHING, {"a", "b", "c"}),
        (And((EVERYTHING, banana)), {"a", "c"}),
        (And((apple, Phrase("!!!"))), {"a", "b"}),
        (And((apple, Not(Phrase("—")))), {"a", "b"}),
        (Phrase("!!!"), set()),
        (Or(()), set()),
        (And((Or((apple, Not(cherry))), Not(IsRead()))), {"a"}),
    ]
    for query, expected in cases:
        assert set(box.find(query)) == expected, query


def test_flags_are_as_they_are_now(box: Mailbox):
    item_id = box.file("it", body="apple")
    assert box.find(IsFlagged()) == []
    messages.set_flag(box.account.id, item_id, Flag(status=2))
    assert box.find(IsFlagged()) == ["it"]
    messages.set_read(box.account.id, item_id, True)
    assert box.find(And((Phrase("apple"), IsRead()))) == ["it"]


# --- order, pages, restrictions ------------------------------------------------------------------------


def test_newest_first_whatever_the_order_of_filing(box: Mailbox):
    ages = [5, 1, 3, 0, 4, 2]
    for age in ages:
        box.file(f"{age}", body="word", age=timedelta(seconds=age))
    assert box.find("word") == ["0", "1", "2", "3", "4", "5"]
    assert box.find("word", limit=2, offset=3) == ["3", "4"]
    assert box.find("word", limit=2, offset=7) == []
    assert box.find(EVERYTHING, limit=1) == ["0"]


def test_time_restrictions_are_exact(box: Mailbox):
    for days in range(4):
        box.file(f"{days}", body="word", age=timedelta(days=days))
    moment = NOON - timedelta(days=2)
    for query in (Phrase("word"), EVERYTHING):
        assert box.find(query, received_from=moment) == ["0", "1", "2"]
        assert box.find(query, received_from=moment + timedelta(microseconds=1)) == ["0", "1"]
        assert box.find(query, received_before=moment) == ["3"]
        assert box.find(query, received_before=moment + timedelta(microseconds=1)) == ["2", "3"]
    assert box.find(And((Phrase("word"), Received(moment, NOON)))) == ["1", "2"]
    assert box.find(Or((Received(None, moment), Received(NOON, None)))) == ["0", "3"]
    assert box.find(Received(None, None)) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("year", [1, 1900, 1970, 2090, 2150, 9999])
def test_any_date_of_receipt_can_be_indexed_and_asked_for(box: Mailbox, year: int):
    moment = datetime(year, 1, 1, tzinfo=UTC)
    box.file("then", body="word", age=NOON - moment)
    box.file("now", body="word")
    assert set(box.find("word")) == {"then", "now"}
    assert "then" in box.find("word", received_from=moment, received_before=moment + timedelta(seconds=1))


def test_folders_restrict(box: Mailbox):
    box.file("in", body="word")
    box.file("sent", body="word", folder=FolderType.SENT)
    inbox, sent = box.folder(), box.folder(FolderType.SENT)
    assert box.find("word", folders=[inbox]) == ["in"]
    assert box.find("word", folders=[sent]) == ["sent"]
    assert set(box.find("word", folders=[inbox, sent])) == {"in", "sent"}
    assert box.find("word", folders=[]) == []


def test_a_conversation_restricts(box: Mailbox):
    first = box.file("first", subject="Plan", body="word")
    box.file("second", subject="Other", body="word")
    with db.connection():
        conversation = messages.get(box.account.id, first).conversation_id
    assert box.find("word", conversation_id=conversation) == ["first"]
    assert box.find(EVERYTHING, conversation_id=conversation) == ["first"]


def test_counting_and_paging_end_at_the_window(box: Mailbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "RESULTS_MAX", 5)
    for number in range(8):
        box.file(f"{number}", body="word", age=timedelta(hours=number))
    with db.connection():
        found, total = search.find(box.account.id, Phrase("word"), limit=100)
        assert (len(found), total) == (5, 5)
        assert search.find(box.account.id, Phrase("word"), limit=10, offset=5) == ([], 5)
    assert box.find("word", limit=3) == ["0", "1", "2"]


# --- whose ---------------------------------------------------------------------------------------------


def test_nobody_finds_what_another_account_has(box: Mailbox):
    other = Mailbox("ben")
    box.file("mine", body="apple banana", attachment="secret.pdf")
    other.file("theirs", body="cherry")
    both = [box.folder(), other.folder()]
    for query in (
        Phrase("apple"),
        Phrase("app", is_prefix=True),
        Phrase("secret", Field.ATTACHMENT),
        Not(Phrase("cherry")),
        HasAttachment(),
        Or((Phrase("apple"), HasAttachment())),
    ):
        assert other.find(query) == []
        assert other.find(query, folders=both) == []
    assert other.find(EVERYTHING, folders=both) == ["theirs"]
    with db.connection():
        conversation = messages.get(box.account.id, next(iter(box.names))).conversation_id
    assert other.find(EVERYTHING, conversation_id=conversation) == []
    assert box.find("apple") == ["mine"]


def test_accounts_whose_codes_begin_alike_stay_apart(monkeypatch: pytest.MonkeyPatch):
    boxes = [Mailbox(f"user{number}") for number in range(40)]  # codes 0001 … 0014 and more
    for number, box in enumerate(boxes):
        box.file(f"{number}", body=f"word {number:04d}word 0{number}")
    for number, box in enumerate(boxes):
        assert box.find("word") == [f"{number}"]
        assert box.find(Phrase("00", is_prefix=True)) == ([f"{number}"])


# --- freshness -----------------------------------------------------------------------------------------


def test_filing_indexes_by_the_batch(box: Mailbox):
    for number in range(search_index.BATCH * 2):
        box.file(f"{number}", body="word")
    with db.connection():
        indexed = SearchDocument.select().count()
    assert search_index.BATCH <= indexed <= 2 * search_index.BATCH
    assert len(box.find("word")) == search_index.BATCH * 2


def test_a_search_without_news_writes_nothing(box: Mailbox, monkeypatch: pytest.MonkeyPatch):
    box.file("it", body="word")
    assert box.find("word") == ["it"]
    monkeypatch.setattr(search_index, "_index_some", lambda account_id: pytest.fail("wrote"))
    assert box.find("word") == ["it"]
    assert box.find("nothing") == []


def test_catching_up_ends_in_time_and_goes_on_later(box: Mailbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search_index, "CATCH_UP_AT_ONCE", 3)
    for number in range(10):
        box.file(f"{number}", body="word")
    with db.connection():
        assert not search_index.catch_up(box.account.id, seconds=0)
        assert search_index.catch_up(box.account.id)
    assert len(box.find("word")) == 10


def test_a_message_is_filed_although_it_cannot_be_indexed(box: Mailbox, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as broken:
        broken.setattr(search_index.search_text, "write", lambda *arguments: 1 / 0)
        for number in range(search_index.BATCH + 1):
            box.file(f"{number}", body="word")
    assert len(box.find("word")) == search_index.BATCH + 1


def test_what_was_filed_before_the_index_existed_is_found(box: Mailbox):
    item_id = box.file("old", body="word", attachment="plan.pdf")
    box.find("word")
    with db.connection():
        assert messages.get(box.account.id, item_id)
    _as_if_new()
    assert box.find("word") == ["old"]
    assert box.find(Phrase("plan", Field.ATTACHMENT)) == ["old"]


@db.transaction
def _as_if_new() -> None:
    db.proxy.execute_sql("DELETE FROM search_document")
    db.proxy.execute_sql("DELETE FROM search_state")
    if db.is_sqlite():
        db.proxy.execute_sql("INSERT INTO search_text (search_text) VALUES ('delete-all')")
    else:
        db.proxy.execute_sql("DELETE FROM search_text")


# --- any text ------------------------------------------------------------------------------------------


def test_any_text_can_be_indexed_and_taken_out_again(box: Mailbox):
    dice = random.Random(1)
    ids = [
        box.file("many pairs", body="".join(chr(dice.randrange(0x4E00, 0x9FFF)) for _ in range(70_000))),
        box.file("rare pairs", body="".join(chr(dice.randrange(0x20000, 0x2A6DF)) for _ in range(70_000))),
        box.file("long words", body=" ".join(f"{dice.randrange(1 << 200):x}" for _ in range(2_000))),
        box.file("one word", body="word " * 20_000),
        box.file("quotes", body="'it''s' \\ \"quoted\" <tag> a:b & c | !d * ? %s %"),
        *(
            box.file("noise", body="".join(chr(dice.randrange(1, 0xD800)) for _ in range(500)))
            for _ in range(20)
        ),
    ]
    assert len(box.find(EVERYTHING)) == len(ids)
    assert box.find("quoted tag") == ["quotes"]
    assert box.find("word") == ["one word"]
    for item_id in ids:
        messages.delete(box.account.id, item_id)
    assert box.find(EVERYTHING) == []
    assert box.find("word") == []


@pytest.mark.parametrize(
    "text",
    [
        "' OR 1=1 --",
        '" OR rowid > 0',
        "a) OR (b",
        "subject : x",
        "a:*|b",
        "a & !b <-> c",
        "NEAR(a b)",
        "%s ?",
    ],
)
def test_what_is_typed_is_never_syntax(box: Mailbox, text: str):
    box.file("other", subject="unrelated", body="a text about something else")
    for field in (None, *Field):
        for is_prefix in (False, True):
            assert box.find(Phrase(text, field, is_prefix)) == []
    box.file("it", subject=text)
    assert box.find(Phrase(text)) == ["it"]
