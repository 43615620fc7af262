"""How long a phone waits for its search, and what the index costs on arrival.

One account with 50,000 messages of an office's length, written in words as frequent and as rare as those of a
language (Zipf), beside another account of the same words; then Search and Find as a phone sends them, through
the real commands, in this process. `run()` returns rows; `python -m tests.bench.bench_search` prints them,
with `--postgresql` for that database.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from appliance import db
from appliance.delivery import arrival
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.store import messages, search_index
from appliance.wbxml.codepages import AirSync, AirSyncBase, Find, Search
from appliance.wbxml.element import Element
from tests.bench.measure import Row, percentile, spread_ms, table
from tests.fakes.postgres import PostgresServer
from tests.unit.eas.world import Server, request

MESSAGES, OTHERS = 50_000, 5_000
MEASURED = 2_000
GROUP = 20
"""Messages in one transaction, as a busy server groups them."""
ROUNDS = 40
AIM_S = 0.1
AT_ONCE = 200
VOCABULARY = 60_000
LETTERS = "eeeeaaiioonnrrttsslldmcupbgvfhkwzyjxqäöü"
SENDERS = 200


class Writer:
    """Writes messages; the same ones in every run."""

    def __init__(self) -> None:
        self._dice = random.Random(365)
        lengths = (3, 4, 5, 6, 7, 8, 9, 10, 12)
        self.words = [
            "".join(self._dice.choices(LETTERS, k=self._dice.choice((1, 2, 3, 4) if rank < 50 else lengths)))
            for rank in range(VOCABULARY)
        ]
        self._weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(VOCABULARY)))

    def some(self, count: int) -> list[str]:
        return self._dice.choices(self.words, cum_weights=self._weights, k=count)

    def sender(self, number: int) -> str:
        return f"{self.words[number * 7 + 100].title()} {self.words[number * 11 + 300].title()}"

    def message(self, number: int) -> bytes:
        body = self.some(int(min(3_000, self._dice.lognormvariate(4.7, 0.9))) + 5)
        lines = "\r\n".join(" ".join(line) for line in itertools.batched(body, 12))
        who = number % SENDERS
        head = (
            f'From: "{self.sender(who)}" <writer{who}@example.net>\r\nTo: anna@example.test\r\n'
            f"Subject: {' '.join(self.some(5))} {number}\r\nMessage-ID: <{number}@example.net>\r\n"
            "MIME-Version: 1.0\r\n"
        )
        if number % 6:
            return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{lines}\r\n".encode()
        return (
            f'{head}Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
            f"Content-Type: text/plain; charset=utf-8\r\n\r\n{lines}\r\n--b\r\n"
            f'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="plan-{number}.pdf"'
            "\r\n\r\n%PDF\r\n--b--\r\n"
        ).encode()


def queries(writer: Writer) -> dict[str, list[str]]:
    """Return texts to search for by what is hard about them."""
    words = writer.words
    return {
        "a rare word": [words[rank] for rank in range(3_000, 3_000 + ROUNDS)],
        "a word in every second message": [words[rank] for rank in range(2, 8)],
        "two words": [f"{words[rank]} {words[rank * 9]}" for rank in range(60, 60 + ROUNDS)],
        "two letters typed": [words[rank][:2] for rank in range(400, 400 + ROUNDS)],
        "four letters typed": [words[rank][:4] for rank in range(400, 400 + ROUNDS)],
        "a row of frequent words": [f'"{words[rank]} {words[rank + 1]}"' for rank in range(2, 12)],
        'from:"A B"': [f'from:"{writer.sender(number)}"' for number in range(ROUNDS)],
        "from, subject, not": [
            f"from:writer{number} -{words[number + 5]} hasattachment:true" for number in range(ROUNDS)
        ],
        "hasattachment and a date": ["hasattachment:true received<2025-12-01"],
        "nothing there": ["qqqqqqqq", "xyxyxyx zzzzzzzz"],
    }


class Office:
    """A server with a full mailbox, filled a minute of its clock per message."""

    def __init__(self, directory: Path) -> None:
        self.server = Server(directory)
        self.writer = Writer()
        self.anna = self.server.account("anna")
        self.ben = self.server.account("ben")
        self._number = 0

    def prepared(self, count: int) -> list[Arrival]:
        """Return the next messages."""
        first = self._number
        self._number += count
        return [arrival.prepare(self.writer.message(number)) for number in range(first, first + count)]

    def file(self, account: Account, type_: FolderType, made: Sequence[Arrival]) -> float:
        """File messages, a group to a transaction, and return the processor seconds each took."""
        folder_id = self.server.folder(account, type_)
        began = time.process_time()
        for group in itertools.batched(made, GROUP):
            self._file(account.id, folder_id, group)
        return (time.process_time() - began) / len(made)

    @db.transaction
    def _file(self, account_id: int, folder_id: int, made: Sequence[Arrival]) -> None:
        for one in made:
            self.server.clock.step(timedelta(minutes=1))
            messages.file(account_id, folder_id, one, received_at=self.server.clock.now())

    def fill(self, account: Account, count: int) -> None:
        """File many; every fiftieth batch is sent mail."""
        for batch in range(count // AT_ONCE):
            type_ = FolderType.SENT if batch % 50 == 0 else FolderType.INBOX
            self.file(account, type_, self.prepared(AT_ONCE))

    def timed(self, name: str, document: Element) -> tuple[float, float]:
        """Return the seconds a phone waits for a command, and those of the processor in them."""
        asked = request(name, document)
        began, worked = time.perf_counter(), time.process_time()
        response = self.server.ask(self.anna, asked)
        spent = time.perf_counter() - began, time.process_time() - worked
        assert response.status == 200
        return spent


def run(*, count: int = MESSAGES, others: int = OTHERS, url: str = "sqlite") -> Iterator[Row]:
    """Yield the rows of the table."""
    with tempfile.TemporaryDirectory() as directory:
        db.open(url, Path(directory))
        try:
            office = Office(Path(directory))
            office.fill(office.ben, others)
            office.fill(office.anna, count - 2 * MEASURED)
            yield from _filing(office)
            if db.is_sqlite():
                yield Row("search index", "size", f"{_index_bytes() / (count + others):.0f} B/message")
            yield from _searches(office)
        finally:
            db.close()


def _filing(office: Office) -> Iterator[Row]:
    """Yield what filing into a large mailbox costs the writer without and with the index."""
    plain, indexed = office.prepared(MEASURED), office.prepared(MEASURED)
    with patch.object(search_index, "filed", lambda account_id: None):
        without_s = office.file(office.anna, FolderType.INBOX, plain)
    with db.connection():
        search_index.catch_up(office.anna.id, seconds=600)
    with_s = office.file(office.anna, FolderType.INBOX, indexed)
    yield Row("filing", "a message, index aside", f"{without_s * 1e6:.0f} µs", "of the writer's time")
    more = f"{with_s / without_s:.1f} × as much"
    yield Row("filing", f"a message, indexed by {search_index.BATCH}", f"{with_s * 1e6:.0f} µs", more)


def _index_bytes() -> int:
    sql = "SELECT sum(length(block)) FROM search_text_data"
    with db.connection():
        return int(next(iter(db.proxy.execute_sql(sql)))[0])


def _searches(office: Office) -> Iterator[Row]:
    for name, document in (("Search", _search), ("Find", _find)):
        everything: list[tuple[float, float]] = []
        for what, texts in queries(office.writer).items():
            spent = [office.timed(name, document(text)) for text in _repeated(texts)]
            everything += spent
            yield Row(name, what, *_spread(spent))
        waited, worked = _spread(everything)
        aim = "under" if percentile([each[0] for each in everything], 0.99) < AIM_S else "OVER"
        yield Row(name, "all of these", waited, f"{worked}; {aim} the aim of {AIM_S * 1000:.0f} ms")
    folder = AirSync.CollectionId(str(office.server.folder(office.anna, FolderType.SENT)))
    spent = [office.timed("Search", _search(text, folder)) for text in _repeated(office.writer.words[2:8])]
    yield Row("special cases", "a frequent word in a rare folder", *_spread(spent))
    with patch.object(search_index, "filed", lambda account_id: None):
        spent = []
        for text in office.writer.words[3_000:3_020]:
            office.file(office.anna, FolderType.INBOX, office.prepared(1))
            spent.append(office.timed("Find", _find(text)))
    yield Row("special cases", "a rare word, with one message to index", *_spread(spent))


def _spread(spent: Sequence[tuple[float, float]]) -> tuple[str, str]:
    """Return how long was waited, and how long the processor worked: on a busy machine they differ."""
    waited, worked = zip(*spent, strict=True)
    return spread_ms(waited), f"{spread_ms(worked)} CPU"


def _repeated(texts: Sequence[str]) -> Iterator[str]:
    return itertools.islice(itertools.cycle(texts), ROUNDS)


def _search(text: str, *scope: Element) -> Element:
    """Return a Search as a phone sends it: fifty results with the beginning of their text."""
    preference = AirSyncBase.BodyPreference(AirSyncBase.Type(1), AirSyncBase.TruncationSize(500))
    return Search.Search(
        Search.Store(
            Search.Name("Mailbox"),
            Search.Query(Search.And(AirSync.Class("Email"), list(scope), Search.FreeText(text))),
            Search.Options(Search.RebuildResults(), Search.DeepTraversal(), Search.Range("0-49"), preference),
        )
    )


def _find(text: str) -> Element:
    """Return a Find as a phone sends it: a hundred results."""
    criterion = Find.MailBoxSearchCriterion(
        Find.Query(AirSync.Class("Email"), Find.FreeText(text)),
        Find.Options(Find.Range("0-99"), Find.DeepTraversal()),
    )
    return Find.Find(Find.SearchId("2C1B7E52-3A0B-4C57-9F53-6E9E1B5A7D10"), Find.ExecuteSearch(criterion))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=MESSAGES)
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server made for this")
    chosen = parser.parse_args()
    if not chosen.postgresql:
        print(table(run(count=chosen.messages)))
        return 0
    server = PostgresServer(durable=True)
    try:
        server.start()
        print(table(run(count=chosen.messages, url=server.new_database(migrated=False))))
    finally:
        server.remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
