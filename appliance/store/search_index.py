"""The search index follows the change feed: what is indexed when, and how it stays exact.

Theory of operation. Filing a message writes nothing here. Each account has a change number up to which its
items are indexed (`SearchState`); what was added or given new bytes since is an item with a higher number
and no `SearchDocument`. `catch_up` indexes it, a batch to a transaction: before a search, and with every
`BATCH`th message filed for an account, inside that message's transaction, so that a search never finds more
than a few to do. Batches cost a third of one at a time. An account of an earlier version has no state, which
reads as zero: the same code indexes all of it.

What leaves is taken out at once (`forget`), with the same texts; what moves keeps its row and text, which
then belong to the new id (`moved`).

A document's number is the account, the minute of receipt and a counter within it, so that the primary key's
order is newest first:

    | account: 20 bits | minutes since 1970: 26 bits | counter: 17 bits |

The rare minute with more messages than the counter holds runs over into the next.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Final

import peewee

from appliance import db, logs
from appliance.db.tables import EPOCH, Account, Content, Item, SearchDocument, SearchState, to_microseconds
from appliance.db.tables import Folder as FolderRow
from appliance.errors import TemporaryFailure
from appliance.items.folder import CLASS_OF_TYPE
from appliance.metrics import counter
from appliance.store import modseq, search_text
from appliance.store.search_text import Texts
from appliance.store.statement import Statement

log = logging.getLogger("appliance.store")
INDEXED = counter("appliance_search_indexed_total", "Messages added to the search index.")

BATCH: Final = 32
CATCH_UP_AT_ONCE: Final = 256
CATCH_UP_S: Final = 10.0
"""How long one search works on what is not indexed yet; only after an upgrade is there that much."""

_MINUTE_SHIFT: Final = 17
_MINUTE: Final = timedelta(minutes=1)
_MINUTE_LAST: Final = (1 << 26) - (1 << 16)  # in 2097; the rest is room to run over
OVERRUN_MINUTES: Final = 1_440
"""How far numbers are looked for behind a moment: 188 million messages in one minute fit."""

_MAIL_TYPES: Final = [type_ for type_, class_ in CLASS_OF_TYPE.items() if class_ == "Email"]
_COUNTED_ACCOUNTS_MAX: Final = 10_000

_filed: dict[int, int] = {}
"""Messages filed by this process since it last indexed, by account; a rollback may leave it too high."""


# --- what the store calls ---------------------------------------------------------------------------


def filed(account_id: int) -> None:
    """Count a message that was added; index some with every BATCHth. Needs its transaction.

    Never the reason why a message is not accepted.
    """
    count = _filed.get(account_id)
    if count is None:  # begin anywhere, or mail to everybody would index everybody's at once
        count = account_id % BATCH
    if count + 1 < BATCH:
        if len(_filed) >= _COUNTED_ACCOUNTS_MAX:
            _filed.clear()
        _filed[account_id] = count + 1
        return
    _filed[account_id] = 0
    try:
        _index_some(account_id)
    except TemporaryFailure:
        raise
    except Exception as error:  # noqa: BLE001 - mail is filed although its words cannot be indexed
        # Without its text: PostgreSQL quotes what it cannot read, and that is somebody's mail.
        logs.event(log, "index_failed", level=logging.ERROR, account=account_id, reason=type(error).__name__)


def moved(item_id: int, new_id: int, folder_id: int) -> None:
    """Let the index follow an item to its new id and folder. Needs a transaction."""
    _MOVE.run(new_id, folder_id, item_id)


def forget(account_id: int, item_ids: Iterable[int]) -> None:
    """Take items out of the index, while they and their content are still there. Needs a transaction."""
    for some in batched(item_ids, CATCH_UP_AT_ONCE):
        found = _indexed(some)
        if found:
            search_text.erase(account_id, found)
            numbers = [number for number, _ in found]
            SearchDocument.delete().where(SearchDocument.id.in_(numbers)).execute()


# --- catching up ------------------------------------------------------------------------------------


def catch_up(account_id: int, *, seconds: float = CATCH_UP_S) -> bool:
    """Index what is not indexed yet, for about so many seconds; return whether that was all.

    Needs a connection. Writes only when there is something to do. Raises TemporaryFailure.
    """
    deadline = time.monotonic() + seconds
    while _missing(account_id, _state(account_id), limit=1):
        if time.monotonic() > deadline:
            return False
        _index_some(account_id)
    return True


@db.transaction
def _index_some(account_id: int) -> None:
    """Index the oldest changes that are not."""
    modseq.hold([account_id])
    rows = _missing(account_id, _state(account_id), limit=CATCH_UP_AT_ONCE)
    if rows:
        texts = _texts_of([bytes(row[_DIGEST]) for row in rows])
        numbers = _Numbers(account_id)
        documents = []
        for row in sorted(rows, key=lambda row: (row[_RECEIVED_AT], row[0])):
            number = numbers.take(row[_RECEIVED_AT])
            _INSERT.run(number, row[0], row[1], to_microseconds(row[_RECEIVED_AT]), row[_HAS_ATTACHMENTS])
            documents.append((number, _document(row, texts)))
        search_text.write(account_id, documents)
        INDEXED.inc(len(documents))
    is_done = len(rows) < CATCH_UP_AT_ONCE
    _set_state(account_id, _latest(account_id) if is_done else rows[-1][_MODSEQ])


_COLUMNS = (
    *(Item.id, Item.folder, Item.modseq, Item.received_at, Item.has_attachments, Item.blob),
    *(Item.subject, Item.sender_from, Item.sender, Item.to, Item.cc, Item.bcc),
)
_MODSEQ, _RECEIVED_AT, _HAS_ATTACHMENTS, _DIGEST, _FIRST_TEXT = range(2, 7)  # places in a row


def _missing(account_id: int, after: int, *, limit: int) -> list[tuple[Any, ...]]:
    """Return the first mail items changed after a change number that are not indexed, in change order."""
    changed = FolderRow.select(FolderRow.id).where(
        (FolderRow.account == account_id) & (FolderRow.items_modseq > after) & ~FolderRow.is_deleted
    )
    rows: list[tuple[Any, ...]] = []
    for (folder_id,) in list(changed.where(FolderRow.type.in_(_MAIL_TYPES)).tuples()):
        query = (
            Item.select(*_COLUMNS)
            .join(SearchDocument, peewee.JOIN.LEFT_OUTER, on=SearchDocument.item_id == Item.id)
            .where((Item.folder == folder_id) & (Item.modseq > after) & SearchDocument.id.is_null())
            .order_by(Item.modseq)
            .limit(limit)
        )
        rows.extend(query.tuples())
    return sorted(rows, key=lambda row: row[_MODSEQ])[:limit]


class _Numbers:
    """Hands out the numbers of new documents of one account."""

    def __init__(self, account_id: int) -> None:
        self._base, _ = search_text.row_range(account_id)
        self._last: dict[int, int] = {}

    def take(self, received_at: datetime) -> int:
        minute = _minute(received_at)
        while True:
            first = self._base + (minute << _MINUTE_SHIFT)
            end = first + (1 << _MINUTE_SHIFT)
            last = self._last.get(minute)
            if last is None:
                last = _LAST_BETWEEN.rows(first, end)[0][0]
            number = first if last is None else last + 1
            if number < end:
                self._last[minute] = number
                return number
            minute += 1


def numbers_between(account_id: int, since: datetime | None, before: datetime | None) -> tuple[int, int]:
    """Return the first and last number that documents received in this time can have.

    Few others are among them: how much a search by time reads depends on the time.
    """
    first, last = search_text.row_range(account_id)
    if before is not None:
        last = min(last, first + ((_minute(before) + OVERRUN_MINUTES) << _MINUTE_SHIFT))
    if since is not None:
        first += _minute(since) << _MINUTE_SHIFT
    return first, last


def _minute(moment: datetime) -> int:
    return min(max((moment - EPOCH) // _MINUTE, 0), _MINUTE_LAST)


# --- texts ------------------------------------------------------------------------------------------


def _document(row: Sequence[Any], texts: dict[bytes, tuple[str, str]]) -> Texts:
    """Return the texts of an item for a row of _COLUMNS."""
    subject, sender_from, sender, to, cc, bcc = row[_FIRST_TEXT:]
    body, attachment_names = texts.get(bytes(row[_DIGEST]), ("", ""))
    return subject, f"{sender_from}\n{sender}", to, f"{cc}\n{bcc}", attachment_names, body


def _texts_of(digests: list[bytes]) -> dict[bytes, tuple[str, str]]:
    query = Content.select(Content.digest, Content.text, Content.attachment_names)
    rows = query.where(Content.digest.in_(digests)).tuples()
    return {bytes(digest): (text, names) for digest, text, names in rows}


def _indexed(item_ids: Sequence[int]) -> list[tuple[int, Texts]]:
    """Return number and texts of those items that are indexed."""
    rows = list(
        Item.select(*_COLUMNS, SearchDocument.id)
        .join(SearchDocument, on=SearchDocument.item_id == Item.id)
        .where(Item.id.in_(item_ids))
        .tuples()
    )
    texts = _texts_of([bytes(row[_DIGEST]) for row in rows]) if search_text.erasing_needs_texts() else {}
    return [(row[-1], _document(row[:-1], texts)) for row in rows]


# --- rows -------------------------------------------------------------------------------------------

_INSERT = Statement(
    "INSERT INTO search_document (id, item_id, folder_id, received_at, has_attachments)"
    " VALUES (?, ?, ?, ?, ?)"
)
_LAST_BETWEEN = Statement("SELECT max(id) FROM search_document WHERE id >= ? AND id < ?")
_MOVE = Statement("UPDATE search_document SET item_id = ?, folder_id = ? WHERE item_id = ?")


def _state(account_id: int) -> int:
    row = SearchState.select(SearchState.modseq).where(SearchState.account == account_id).tuples().first()
    return 0 if row is None else int(row[0])


def _set_state(account_id: int, number: int) -> None:
    SearchState.insert(account=account_id, modseq=number).on_conflict(
        conflict_target=[SearchState.account], preserve=[SearchState.modseq]
    ).execute()


def _latest(account_id: int) -> int:
    row = Account.select(Account.modseq).where(Account.id == account_id).tuples().first()
    return 0 if row is None else int(row[0])
