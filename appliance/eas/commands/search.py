"""Search: mail by its words, people by their names; documents are never looked for.

Errors of a store are its own Status inside a successful Search. No mail found is one empty Result, nobody
found is none. A search for documents by the path of a share is refused without a look at the path: such
requests let a phone read a company's file servers.

Source: MS-ASCMD 2.2.1.16 Search, 2.2.3.155.3 Result (Search), 2.2.3.143.3 Range, 2.2.3.177.14 Status.
"""

from collections.abc import Iterator, Sequence
from itertools import batched

from appliance.eas import address_list, collection, mailbox_search, search_criteria, sync_options
from appliance.eas.context import Context
from appliance.eas.search_criteria import MAIL, Rows, Unanswerable
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import SearchStore as Status
from appliance.eas.sync_options import PLAIN, BodyPreference, Options
from appliance.errors import NotFound
from appliance.items.message import Message
from appliance.store import messages
from appliance.wbxml.codec import encode_fragment
from appliance.wbxml.codepages import AirSync, Search
from appliance.wbxml.element import Element, ElementError, Fragment

SUCCESS = 1
SEARCH_PAGE = Search.Search.page
BODY_BYTES_DEFAULT = 4_096
"""Of a body when the device does not say which it wants: a hundred of them must not be a flood."""


def handle(context: Context, request: Element | None) -> Element:
    """Search the store that is named; of several the first, as Exchange does."""
    store = request.find(Search.Store) if request is not None and request.tag is Search.Search else None
    if store is None:
        raise ProtocolError(Common.INVALID_XML, "not a Search of a Store")
    try:
        answer = _answer(context, store)
    except Unanswerable as error:
        answer = [Search.Status(error.status)]
    except ProtocolError as error:
        is_own = error.status == Common.BODY_PART_TYPE_NOT_SUPPORTED
        answer = [Search.Status(error.status if is_own else Status.INVALID_REQUEST)]
    except ElementError:
        answer = [Search.Status(Status.INVALID_REQUEST)]
    except NotFound:
        answer = [Search.Status(Status.FOLDER_SYNC_REQUIRED)]
    return Search.Search(Search.Status(SUCCESS), Search.Response(Search.Store(answer)))


def _answer(context: Context, store: Element) -> list[Element | Fragment]:
    name = store.text_of(Search.Name, "").lower()
    if name == "documentlibrary":
        raise Unanswerable(Status.ACCESS_BLOCKED, "documents are not available")
    query = store.require(Search.Query)
    options = store.find(Search.Options)
    if name == "mailbox":
        return _mailbox(context, query, options)
    if name == "gal":
        return _address_list(context, query, options)
    raise Unanswerable(Status.INVALID_REQUEST, "an unknown store")


def _mailbox(context: Context, query: Element, options: Element | None) -> list[Element | Fragment]:
    criteria = search_criteria.of_search(query, options, context.now)
    rows = search_criteria.search_rows(options)
    wanted = _options(options)
    found, total = mailbox_search.messages(context, criteria, rows)
    if not total:
        return [Search.Status(Status.SUCCESS), Search.Result(), Search.Total(0)]
    results: list[Element | Fragment] = []
    room = context.world.eas.response_bytes_max
    for result in _results(context, found, wanted):
        room -= len(result.data)
        if results and room < 0:
            break  # fewer than asked for; Range says which
        results.append(result)
    return _page(results, rows, total)


def _results(context: Context, found: Sequence[Message], wanted: Options) -> Iterator[Fragment]:
    """Yield the results, encoded."""
    for some in batched(found, collection.BATCH):
        contents = messages.contents([message.digest for message in some])
        for message in some:
            result = Search.Result(
                AirSync.Class(MAIL),
                Search.LongId(str(message.id)),
                AirSync.CollectionId(str(message.folder_id)),
                Search.Properties(collection.application_data(context, message, wanted, contents).children),
            )
            yield encode_fragment([result], SEARCH_PAGE)


def _address_list(context: Context, query: Element, options: Element | None) -> list[Element | Fragment]:
    text = query.text
    if not text.strip():
        raise Unanswerable(Status.INVALID_REQUEST, "nothing to look for")
    rows = search_criteria.search_rows(options)
    wish = address_list.picture_wish(
        options, Search.Picture, Search.MaxSize, Search.MaxPictures, context.version
    )
    found, total = address_list.entries(context, text, rows, wish)
    if not total:
        return [Search.Status(Status.SUCCESS), Search.Total(0)]
    return _page([Search.Result(Search.Properties(entry)) for entry in found], rows, total)


def _options(options: Element | None) -> Options:
    """Return which bodies are wanted; raises ProtocolError, ElementError."""
    if options is None:
        return Options(bodies=(BodyPreference(PLAIN, BODY_BYTES_DEFAULT),))
    bodies = sync_options.body_preferences(options)
    return Options(
        mime_support=options.int_of(AirSync.MIMESupport, 0),
        bodies=bodies or (BodyPreference(PLAIN, BODY_BYTES_DEFAULT),),
        body_part=sync_options.body_part_preference(options),
    )


def _page(results: Sequence[Element | Fragment], rows: Rows, total: int) -> list[Element | Fragment]:
    """Return the content of a Store that was searched."""
    if not results:
        raise Unanswerable(Status.OUT_OF_RANGE, "a Range beyond the last result")
    last = rows.first + len(results) - 1
    return [
        Search.Status(Status.SUCCESS),
        *results,
        Search.Range(f"{rows.first}-{last}"),
        Search.Total(total),
    ]
