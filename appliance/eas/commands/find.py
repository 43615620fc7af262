"""Find (16.1): mail and people, with the few properties a list of hits shows.

Source: MS-ASCMD 2.2.1.2 Find, 2.2.3.139.1 Properties (Find), 2.2.3.143.1 Range, 2.2.3.177.2 Status.
"""

from collections.abc import Iterator, Sequence

from appliance.eas import address_list, mailbox_search, search_criteria
from appliance.eas.content.email import date_time
from appliance.eas.context import Context
from appliance.eas.search_criteria import MAIL, SEARCH_RESULTS_MAX, Unanswerable
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import Find as Status
from appliance.eas.status import FindResponse as ResponseStatus
from appliance.eas.versions import at_least
from appliance.errors import NotFound
from appliance.items.message import Message
from appliance.mime.addresses import format_names, parse_addresses
from appliance.store import search
from appliance.wbxml.codepages import AirSync, Email, Email2, Find, ItemOperations
from appliance.wbxml.element import Element, ElementError

SEARCH_ID_LENGTH_MAX = 64
STORE = "Mailbox"  # in answers about people, too


def handle(context: Context, request: Element | None) -> Element:
    """Carry out the one search there is in a request."""
    if not at_least(context.version, "16.1"):
        raise ProtocolError(Common.VERSION_NOT_SUPPORTED, "Find came with 16.1")
    if request is None or request.tag is not Find.Find:
        raise ProtocolError(Common.INVALID_XML, "not a Find document")
    search_id = request.text_of(Find.SearchId, "")
    execute = request.find(Find.ExecuteSearch)
    if not 0 < len(search_id) <= SEARCH_ID_LENGTH_MAX or execute is None or len(execute.children) != 1:
        raise ProtocolError(Status.INVALID_REQUEST, "one search with a SearchId is wanted")
    (criterion,) = execute.children
    try:
        if criterion.tag is Find.MailBoxSearchCriterion:
            return _mailbox(context, criterion)
        if criterion.tag is Find.GALSearchCriterion:
            return _address_list(context, criterion)
    except Unanswerable as error:
        raise ProtocolError(error.status, str(error)) from error
    except ElementError as error:
        raise ProtocolError(Status.INVALID_REQUEST, str(error)) from error
    except NotFound as error:
        raise ProtocolError(Status.FOLDER_SYNC_REQUIRED, str(error)) from error
    raise ProtocolError(Status.INVALID_REQUEST, "an unknown criterion")


def _mailbox(context: Context, criterion: Element) -> Element:
    criteria = search_criteria.of_find(criterion, context.now)
    try:
        rows = search_criteria.find_rows(criterion, search.RESULTS_MAX)
    except Unanswerable as error:
        return _refused(error)
    found, total = mailbox_search.messages(context, criteria, rows)
    results = [
        Find.Result(
            AirSync.Class(MAIL),
            AirSync.ServerId(str(message.id)),
            AirSync.CollectionId(str(message.folder_id)),
            Find.Properties(list(_properties(message))),
        )
        for message in found
    ]
    return _page(results, total)


def _properties(message: Message) -> Iterator[Element]:
    yield Email.Subject(message.subject)
    yield Email.DateReceived(date_time(message.received_at))
    if message.display_to:
        yield Email.DisplayTo(message.display_to)
    if message.cc:
        yield Find.DisplayCc(format_names(parse_addresses(message.cc)))
    if message.bcc:
        yield Find.DisplayBcc(format_names(parse_addresses(message.bcc)))
    yield Email.Importance(message.importance)
    yield Email.Read(message.is_read)
    if message.is_draft:
        yield Email2.IsDraft(1)
    if message.preview:
        yield Find.Preview(message.preview)
    yield Find.HasAttachments(message.has_attachments)
    yield Email.From(message.sender_from)


def _address_list(context: Context, criterion: Element) -> Element:
    text = criterion.text_of(Find.Query, "")
    if not text.strip():
        raise ProtocolError(Status.INVALID_REQUEST, "nothing to look for")
    try:
        rows = search_criteria.find_rows(criterion, SEARCH_RESULTS_MAX)
    except Unanswerable as error:
        return _refused(error)
    wish = address_list.picture_wish(
        criterion.find(Find.Options), Find.Picture, Find.MaxSize, Find.MaxPictures, context.version
    )
    found, total = address_list.entries(context, text, rows, wish)
    return _page([Find.Result(Find.Properties(entry)) for entry in found], total)


def _page(results: Sequence[Element], total: int) -> Element:
    """Return an answer; nothing found is no Result at all, unlike in Search."""
    return Find.Find(
        Find.Status(Status.SUCCESS),
        Find.Response(
            ItemOperations.Store(STORE),
            Find.Status(ResponseStatus.SUCCESS),
            list(results),
            Find.Range(f"0-{len(results) - 1}") if results else None,
            Find.Total(total),
        ),
    )


def _refused(error: Unanswerable) -> Element:
    return Find.Find(
        Find.Status(Status.SUCCESS),
        Find.Response(ItemOperations.Store(STORE), Find.Status(error.status)),
    )
