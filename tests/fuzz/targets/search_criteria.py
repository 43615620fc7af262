"""The conditions of Search and Find as documents, as `documents` reads bytes; the first byte chooses which.

Refused with Unanswerable or ElementError, or criteria and rows inside their limits.
"""

from datetime import UTC, datetime
from functools import partial

from appliance.eas.search_criteria import (
    SEARCH_RESULTS_MAX,
    Unanswerable,
    find_rows,
    of_find,
    of_search,
    search_rows,
)
from appliance.wbxml.codepages import AirSync, Email, Find, Search
from appliance.wbxml.element import ElementError
from tests.fuzz.coverage import note
from tests.fuzz.documents import Vocabulary, document
from tests.fuzz.targets import wbxml

COVERS = ("appliance/eas/search_criteria.py",)
TOKENS = wbxml.TOKENS
NOW = datetime(2026, 1, 1, tzinfo=UTC)
VOCABULARY = Vocabulary(
    (Search.And, Search.Or, Search.GreaterThan, Search.LessThan, Find.Query, Find.Options),
    (
        Search.FreeText,
        AirSync.Class,
        AirSync.CollectionId,
        Search.ConversationId,
        Search.Value,
        Search.Range,
        Search.DeepTraversal,
        Email.DateReceived,
        Find.FreeText,
        Find.Range,
        Find.DeepTraversal,
    ),
    (None, "anna", "Email", "SMS", "Nonsense", "1", "0-9", "0-999", "9-0", "5-9", "x-y", b"\0\xff",
     "2026-01-01T00:00:00.000Z", "20260101T000000Z",
     "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "from:", "("),
)  # fmt: skip


def seeds() -> list[bytes]:
    search = bytes((0, 0, 0x80, 1, 0x81, 2, 0x82, 5, 2, 0x87, 0, 0x84, 12, 0xFF, 0xFF))
    find = bytes((1, 4, 0x88, 1, 0x81, 2, 0xFF, 5, 0x89, 6, 0x8A, 0, 0xFF))
    return [search, find, bytes((0, 0x85, 7)), bytes((0, 0, 1, 0x80, 1, 0x80, 2, 0xFF, 0xFF))]


def target(data: bytes) -> None:
    root = Find.MailBoxSearchCriterion if data[:1] == b"\1" else Search.Query
    element = document(data[1:], root, VOCABULARY)
    if element is None:
        return
    for read in (of_search, of_find):
        try:
            criteria = read(element, NOW) if read is of_find else of_search(element, element, NOW)
        except (Unanswerable, ElementError) as error:
            note(read.__name__, str(error)[:24])
            continue
        note(read.__name__, criteria.wants_mail, criteria.is_deep, len(criteria.collection_ids).bit_length())
        for moment in (criteria.received_from, criteria.received_before):
            assert moment is None or moment.utcoffset() is not None
    for rows_of in (search_rows, partial(find_rows, results_max=30)):
        try:
            rows = rows_of(element)
        except Unanswerable:
            continue
        assert 0 < rows.count <= SEARCH_RESULTS_MAX
