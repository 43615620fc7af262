"""What a Search or a Find command asks for, out of its elements. Pure.

Owns the shape of queries and ranges and the Status for what is wrong with them; carries nothing out. What
people typed is read by `search_query`.

Source: MS-ASCMD 2.2.1.16 Search, 2.2.3.142.2 Query (Search), 2.2.3.10 And, 2.2.1.2 Find, 2.2.3.143 Range.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appliance.eas.content.email import parse_date_time
from appliance.eas.search_query import parse
from appliance.eas.status import Find as FindStatus
from appliance.eas.status import FindResponse as FindResponseStatus
from appliance.eas.status import ProtocolError
from appliance.eas.status import SearchStore as Status
from appliance.errors import ApplianceError
from appliance.items.search_query import EVERYTHING, And, Or, Phrase, Query
from appliance.wbxml.codepages import AirSync, Email, Find, Search
from appliance.wbxml.element import Element, Tag

CLASSES: Final = frozenset({"Email", "Calendar", "Contacts", "Tasks", "Notes", "SMS"})
MAIL: Final = "Email"
SEARCH_RESULTS_MAX: Final = 100
"""The most one answer may be asked for. Source: MS-ASCMD 2.2.3.143.3 Range (Search)."""

_RANGE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_NOTHING = Phrase("")
_ONLY_IN_AND: Final = (
    AirSync.Class,
    AirSync.CollectionId,
    Search.ConversationId,
    Search.FreeText,
    Search.GreaterThan,
    Search.LessThan,
)


class Unanswerable(ApplianceError):
    """A store's query cannot be answered; `status` says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = int(status)


@dataclass(frozen=True, slots=True)
class Rows:
    """Which results are wanted, counted from 0; `last` is one of them."""

    first: int
    last: int

    @property
    def count(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What messages are looked for. wants_mail: the classes asked for include mail.

    collection_ids: as the device wrote them, none for everywhere; is_deep: with the folders below.
    """

    query: Query
    wants_mail: bool = True
    collection_ids: tuple[str, ...] = ()
    is_deep: bool = False
    conversation_id: bytes | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None


# --- Search -----------------------------------------------------------------------------------------


def of_search(query: Element, options: Element | None, now: datetime) -> Criteria:
    """Return the criteria of a mailbox Query; raises Unanswerable with the Status of the store."""
    groups = query.children
    if any(child.tag in _ONLY_IN_AND or child.tag is Search.Or for child in groups) or len(groups) > 1:
        raise Unanswerable(Status.TOO_COMPLEX, "conditions belong into one And")
    if not groups or groups[0].tag is not Search.And:
        raise Unanswerable(Status.INVALID_REQUEST, "a mailbox is searched with And")
    group = groups[0]
    if group.find(Search.And) is not None:
        raise Unanswerable(Status.TOO_COMPLEX, "And inside And")
    if any(child.tag not in (*_ONLY_IN_AND, Search.Or) for child in group):
        raise Unanswerable(Status.INVALID_REQUEST, f"a condition {Search.And} does not know")
    texts = _texts(group, now)
    conversation = _only(group, Search.ConversationId)
    since, before = _date(group, Search.GreaterThan), _date(group, Search.LessThan)
    if texts is None and conversation is None and since is None and before is None:
        raise Unanswerable(Status.INVALID_REQUEST, "nothing to look for")
    return Criteria(
        query=EVERYTHING if texts is None else texts,
        wants_mail=_wants_mail(group.find_all(AirSync.Class), Status.INVALID_REQUEST),
        collection_ids=tuple(child.text for child in group.find_all(AirSync.CollectionId)),
        is_deep=options is not None and options.flag_of(Search.DeepTraversal),
        conversation_id=None if conversation is None else conversation.data,
        received_from=None if since is None else since + timedelta(microseconds=1),
        received_before=before,
    )


def search_rows(options: Element | None) -> Rows:
    """Return the rows a Search asks for; raises Unanswerable (2 malformed, 12 too many)."""
    text = None if options is None else options.text_of(Search.Range)
    if text is None:
        return Rows(0, SEARCH_RESULTS_MAX - 1)
    rows = _rows(text)
    if rows is None:
        raise Unanswerable(Status.INVALID_REQUEST, "malformed Range")
    if rows.count > SEARCH_RESULTS_MAX:
        raise Unanswerable(Status.OUT_OF_RANGE, f"more than {SEARCH_RESULTS_MAX} results")
    return rows


def _texts(group: Element, now: datetime) -> Query | None:
    """Return what the FreeText elements ask for, those of an Or as alternatives; None when there is none."""
    parts = [_text(child, now) for child in group.find_all(Search.FreeText)]
    for alternatives in group.find_all(Search.Or):
        if any(child.tag is not Search.FreeText for child in alternatives):
            raise Unanswerable(Status.TOO_COMPLEX, "Or of anything but FreeText")
        parts.append(Or(tuple(_text(child, now) for child in alternatives)))
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _text(element: Element, now: datetime) -> Query:
    return parse(element.text, now) or _NOTHING


def _date(group: Element, tag: Tag) -> datetime | None:
    comparison = _only(group, tag)
    if comparison is None:
        return None
    if comparison.find(Email.DateReceived) is None:
        raise Unanswerable(Status.INVALID_REQUEST, "only DateReceived can be compared")
    try:
        moment = parse_date_time(comparison.text_of(Search.Value))
    except ProtocolError as error:
        raise Unanswerable(Status.INVALID_REQUEST, str(error)) from error
    if moment is None:
        raise Unanswerable(Status.INVALID_REQUEST, "a comparison without a Value")
    return moment


def _only(group: Element, tag: Tag) -> Element | None:
    found = group.find_all(tag)
    if len(found) > 1:
        raise Unanswerable(Status.INVALID_REQUEST, f"more than one {tag.name}")
    return found[0] if found else None


# --- Find -------------------------------------------------------------------------------------------


def of_find(criterion: Element, now: datetime) -> Criteria:
    """Return the criteria of a MailBoxSearchCriterion; raises Unanswerable with the Status of Find."""
    query, options = criterion.find(Find.Query), criterion.find(Find.Options)
    if query is None or len(query.find_all(Find.FreeText)) != 1:
        raise Unanswerable(FindStatus.INVALID_REQUEST, "one FreeText is wanted")
    return Criteria(
        query=_text(query.require(Find.FreeText), now),
        wants_mail=_wants_mail(query.find_all(AirSync.Class), FindStatus.INVALID_REQUEST),
        collection_ids=tuple(child.text for child in query.find_all(AirSync.CollectionId)),
        is_deep=options is not None and options.flag_of(Find.DeepTraversal),
    )


def find_rows(criterion: Element, results_max: int) -> Rows:
    """Return the rows a Find asks for, at most so many from the first.

    Raises Unanswerable with the Status of its Response (2 malformed, 4 not from the beginning).
    """
    options = criterion.find(Find.Options)
    text = None if options is None else options.text_of(Find.Range)
    rows = Rows(0, SEARCH_RESULTS_MAX - 1) if text is None else _rows(text)
    if rows is None:
        raise Unanswerable(FindResponseStatus.INVALID_REQUEST, "malformed Range")
    if rows.first:
        raise Unanswerable(FindResponseStatus.RANGE_NOT_FROM_ZERO, "a Range begins with 0")
    return Rows(0, min(rows.last, results_max - 1))


# ----------------------------------------------------------------------------------------------------


def _wants_mail(classes: Iterable[Element], invalid: int) -> bool:
    """Return whether mail is among the classes; without any all are meant."""
    names = {element.text for element in classes}
    if not names <= CLASSES:
        raise Unanswerable(invalid, "an unknown Class")
    return not names or MAIL in names


def _rows(text: str) -> Rows | None:
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return None
    rows = Rows(int(found[1]), int(found[2]))
    return rows if rows.first <= rows.last else None
