"""Messages that match a query, newest first.

Owns the SQL of a search and how much one may cost: at most `RESULTS_MAX` hits are looked at, counted and
paged through, whatever is asked. Text is `search_text`'s, freshness `search_index`'s. Nothing here writes
anything a device could notice: a search never touches synchronisation.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, assert_never

from appliance.db.tables import Item, to_microseconds
from appliance.items.message import Message
from appliance.items.search_query import HasAttachment, IsFlagged, IsRead, Query, Received
from appliance.store import search_index, search_text
from appliance.store.rows import MESSAGE_COLUMNS, message_of
from appliance.store.search_plan import Every, No, Node, Some, plan
from appliance.store.search_text import AllOf, AnyOf, Condition, Wanted

RESULTS_MAX: Final = 1_000


def find(
    account_id: int,
    query: Query,
    *,
    folders: Iterable[int] | None = None,
    received_from: datetime | None = None,
    received_before: datetime | None = None,
    conversation_id: bytes | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[list[Message], int]:
    """Return a page of the account's messages that match, newest first, and how many match.

    folders: ids to search in, None for all; somebody else's hold nothing. received_from is inclusive,
    received_before is not. Counting ends at RESULTS_MAX, and so do the pages. A query that asks for nothing
    finds nothing. Needs a connection and no snapshot. Raises TemporaryFailure.
    """
    search_index.catch_up(account_id)
    conditions = _conditions(account_id, folders, conversation_id)
    if received_from is not None or received_before is not None:
        conditions.append(_received(Received(received_from, received_before)))
    numbers = search_index.numbers_between(account_id, received_from, received_before)
    hits = _hits(account_id, query, numbers, conditions)
    return _messages(account_id, hits[max(offset, 0) :][: max(limit, 0)]), len(hits)


def _hits(
    account_id: int, query: Query, numbers: tuple[int, int], conditions: Sequence[Condition]
) -> list[int]:
    """Return the ids of the newest matching items, newest first. numbers: the documents to look at."""
    wanted = plan(query)
    if wanted is None:
        return []
    source, number = search_text.source(is_matching=wanted.text is not None)
    clauses: list[Condition] = [(f"{number} BETWEEN ? AND ?", list(numbers)), *conditions]
    if wanted.text is not None:
        clauses.insert(0, search_text.matching(account_id, wanted.text))
    clauses.extend(_condition(account_id, node) for node in wanted.conditions)
    where, values = _joined(" AND ", clauses)
    sql = (
        f"SELECT d.item_id, d.received_at FROM {source} WHERE {where}"
        f" ORDER BY {number} DESC LIMIT {RESULTS_MAX}"
    )
    rows = search_text.select(sql, values)
    # Within a minute the documents are in the order of filing.
    return [item_id for item_id, _ in sorted(rows, key=lambda row: (row[1], row[0]), reverse=True)]


def _messages(account_id: int, ids: Sequence[int]) -> list[Message]:
    # With the account as a condition SQLite would rather read all of its messages.
    rows = Item.select(*MESSAGE_COLUMNS).where(Item.id.in_(ids)).tuples()
    found = {message.id: message for message in map(message_of, rows) if message.account_id == account_id}
    return [found[item_id] for item_id in ids if item_id in found]


# --- conditions on rows of search_document d ----------------------------------------------------------


def _conditions(
    account_id: int, folders: Iterable[int] | None, conversation_id: bytes | None
) -> list[Condition]:
    conditions: list[Condition] = []
    if folders is not None:
        ids: list[object] = list(folders)
        marks = ", ".join("?" for _ in ids)
        conditions.append((f"d.folder_id IN ({marks})" if ids else "1 = 0", ids))
    if conversation_id is not None:
        sql = "d.item_id IN (SELECT id FROM item WHERE account_id = ? AND conversation_id = ?)"
        conditions.append((sql, [account_id, conversation_id]))
    return conditions


def _condition(account_id: int, node: Node) -> Condition:
    match node:
        case Wanted() | AllOf() | AnyOf():
            return search_text.contains(account_id, node)
        case Every(parts):
            return _joined(" AND ", [_condition(account_id, part) for part in parts], none="1 = 1")
        case Some(parts):
            return _joined(" OR ", [_condition(account_id, part) for part in parts])
        case No(part):
            sql, values = _condition(account_id, part)
            return f"NOT ({sql})", values
        case Received():
            return _received(node)
        case HasAttachment(wanted):
            return "d.has_attachments = ?", [wanted]
        case IsRead(wanted):
            return _of_item("i.is_read", wanted)
        case IsFlagged(wanted):
            return _of_item("i.flag <> ''", wanted)
        case _:
            assert_never(node)


def _received(received: Received) -> Condition:
    conditions: list[Condition] = []
    if received.since is not None:
        conditions.append(("d.received_at >= ?", [to_microseconds(received.since)]))
    if received.before is not None:
        conditions.append(("d.received_at < ?", [to_microseconds(received.before)]))
    return _joined(" AND ", conditions, none="1 = 1")


def _of_item(fact: str, wanted: bool) -> Condition:
    no = "" if wanted else "NOT "
    return f"EXISTS (SELECT 1 FROM item i WHERE i.id = d.item_id AND {no}({fact}))", []


def _joined(glue: str, conditions: Sequence[Condition], none: str = "") -> Condition:
    if not conditions:
        return none, []
    sql = "(" + glue.join(sql for sql, _ in conditions) + ")"
    return sql, [value for _, values in conditions for value in values]
