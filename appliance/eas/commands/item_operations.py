"""ItemOperations: fetch an item or an attachment by its id, empty a folder.

Operations are carried out in order, each with its own Status; the answer groups them by kind, as its
schema wants. When the device accepts it, binary data travels beside the document (`parts`) instead of as
base64 inside it. An answer has a ceiling: what would come after it is refused with Status 11, and the
device asks for it alone.

Source: MS-ASCMD 2.2.1.10 ItemOperations, 2.2.1.10.1 (multipart answers).
"""

from collections.abc import Callable, Iterator, Mapping

from appliance.eas import attachment, collection, sync_options
from appliance.eas.context import Context
from appliance.eas.ids import RECIPIENT_CACHE, item_id_of
from appliance.eas.multipart import Parts, multipart, with_part
from appliance.eas.response import Response
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import ItemOperations as Status
from appliance.eas.sync_options import Options
from appliance.eas.vocabulary import is_known
from appliance.errors import ApplianceError, Denied, NotFound
from appliance.items.message import Message
from appliance.store import conversations, messages
from appliance.wbxml.codepages import AirSync, AirSyncBase, ItemOperations, Search
from appliance.wbxml.element import Element, ElementError, Tag

OPERATIONS_MAX = 100  # MS-ASCMD 3.1.5.8
ANSWER_BYTES_MAX = 67_108_864  # of bodies and attachments; the first of them is sent whatever its size
RANGE_DIGITS_MAX = 18

_OWN_COMMON = (Common.BODY_PART_TYPE_NOT_SUPPORTED,)
_NAMES = (AirSync.CollectionId, AirSync.ServerId, Search.LongId)


class _Failed(ApplianceError):
    """One operation failed with a Status of its own."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def handle(context: Context, request: Element | None) -> Element | Response:
    """Carry out every operation and answer each."""
    if request is None or request.tag is not ItemOperations.ItemOperations:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not an ItemOperations document")
    operations = request.children
    known = {tag for tag in _OPERATIONS if is_known(tag, context.version)}
    if not operations or any(operation.tag not in known for operation in operations):
        raise ProtocolError(Status.PROTOCOL_ERROR, "no operation, or an unknown one")
    if len(operations) > OPERATIONS_MAX:
        raise ProtocolError(Status.TOO_LARGE, f"more than {OPERATIONS_MAX} operations")
    parts = Parts(is_wanted=context.request.accept_multipart, bytes_left=ANSWER_BYTES_MAX)
    answers = [_OPERATIONS[operation.tag](context, operation, parts) for operation in operations]
    answers.sort(key=lambda answer: tuple(_OPERATIONS).index(answer.tag))
    document = ItemOperations.ItemOperations(
        ItemOperations.Status(Status.SUCCESS), ItemOperations.Response(answers)
    )
    return multipart(document, parts.data) if parts.is_wanted else document


def _move(context: Context, operation: Element, _parts: Parts) -> Element:
    """Move a conversation, with all that will come of it. Source: MS-ASCON 3.2.5.3.2."""
    element = operation.find(ItemOperations.ConversationId)
    conversation = b"" if element is None else element.data
    status = Status.PROTOCOL_ERROR if element is None else _moved(context, operation, conversation)
    return ItemOperations.Move(
        ItemOperations.Status(status),
        ItemOperations.ConversationId(conversation),
    )


def _moved(context: Context, operation: Element, conversation: bytes) -> int:
    options = operation.find(ItemOperations.Options)
    try:
        if options is None or not options.flag_of(ItemOperations.MoveAlways):
            return Common.MOVE_NEEDS_MOVE_ALWAYS
        target_id = operation.require(ItemOperations.DstFldId).text
        if target_id == RECIPIENT_CACHE:
            return Common.INVALID_COMBINATION
        target = collection.find(context, target_id)
        if target.content_class != "Email":
            return Common.MOVE_DESTINATION_INVALID
        conversations.move_always(context.account.id, conversation, target.id)
    except ElementError:
        return Status.PROTOCOL_ERROR
    except NotFound:
        return Status.NOT_FOUND
    return Status.SUCCESS


def _empty_folder(context: Context, operation: Element, _parts: Parts) -> Element:
    collection_id = operation.text_of(AirSync.CollectionId, "")
    options = operation.find(ItemOperations.Options)
    try:
        with_folders = options is not None and options.flag_of(ItemOperations.DeleteSubFolders)
        folder = collection.find(context, collection_id)
        messages.empty_folder(context.account.id, folder.id, with_folders=with_folders)
        status = Status.SUCCESS
    except ElementError:
        status = Status.PROTOCOL_ERROR
    except NotFound:
        status = Status.NOT_FOUND
    except Denied:
        status = Status.ACCESS_DENIED
    return ItemOperations.EmptyFolderContents(
        ItemOperations.Status(status), AirSync.CollectionId(collection_id)
    )


def _fetch(context: Context, fetch: Element, parts: Parts) -> Element:
    names = [tag(fetch.text_of(tag)) for tag in _NAMES if fetch.find(tag) is not None]
    reference = fetch.text_of(AirSyncBase.FileReference)
    status: int
    try:
        if fetch.text_of(ItemOperations.Store, "").lower() != "mailbox":
            raise _Failed(Status.UNKNOWN_STORE)
        if len(fetch.find_all(AirSyncBase.FileReference)) > 1:
            raise _Failed(Status.PROTOCOL_ERROR)
        if parts.bytes_left <= 0:
            raise _Failed(Status.TOO_LARGE)
        if reference is not None:
            names.append(AirSyncBase.FileReference(reference))
            properties = _attachment(context, fetch, reference, parts)
        else:
            properties = _item(context, fetch, parts)
            names.append(AirSync.Class("Email"))
        return ItemOperations.Fetch(ItemOperations.Status(Status.SUCCESS), names, properties)
    except _Failed as error:
        status = error.status
    except NotFound:
        status = Status.NOT_FOUND
    except ProtocolError as error:
        status = error.status if error.status in _OWN_COMMON else Status.PROTOCOL_ERROR
    except ElementError:
        status = Status.PROTOCOL_ERROR
    return ItemOperations.Fetch(ItemOperations.Status(status), names)


def _item(context: Context, fetch: Element, parts: Parts) -> Element:
    message = _message(context, fetch)
    options = fetch.find(ItemOperations.Options)
    wanted = Options() if options is None else _options(options)
    data = collection.application_data(context, message, wanted, {}).children
    schema = None if options is None else options.find(ItemOperations.Schema)
    if schema is not None:
        named = {child.tag for child in schema}
        data = [child for child in data if child.tag in named]
    return ItemOperations.Properties([with_part(child, parts) for child in data])


def _message(context: Context, fetch: Element) -> Message:
    account_id = context.account.id
    long_id = fetch.text_of(Search.LongId)
    if long_id:
        return messages.get(account_id, item_id_of(long_id))
    folder_id = item_id_of(fetch.text_of(AirSync.CollectionId, ""))
    return messages.in_folder(account_id, folder_id, item_id_of(fetch.text_of(AirSync.ServerId, "")))


def _options(block: Element) -> Options:
    return Options(
        mime_support=block.int_of(AirSync.MIMESupport, 0),
        bodies=sync_options.body_preferences(block),
        body_part=sync_options.body_part_preference(block),
    )


def _attachment(context: Context, fetch: Element, reference: str, parts: Parts) -> Element:
    try:
        found = attachment.find(context.account.id, reference)
    except NotFound as error:
        raise _Failed(Status.INVALID_ATTACHMENT) from error
    options = fetch.find(ItemOperations.Options)
    asked = None if options is None else options.text_of(ItemOperations.Range)
    return ItemOperations.Properties(list(_data(found.data(), found.content_type, asked, parts)))


def _data(data: bytes, content_type: str, asked: str | None, parts: Parts) -> Iterator[Element]:
    """Yield the properties of an attachment; Range and Total only for a device that asked for a range.

    iOS refuses an attachment with a Range it has not asked for.
    """
    if asked is not None:
        first, last = _range(asked, len(data))
        yield ItemOperations.Range(f"{first}-{last}")
        yield ItemOperations.Total(len(data))
        data = data[first : last + 1]
    yield parts.element(data)
    yield AirSyncBase.ContentType(content_type)


def _range(asked: str, size: int) -> tuple[int, int]:
    """Return the first and last byte of a Range within the data; both count. Raises _Failed 8."""
    first, _, last = asked.partition("-")
    if not all(0 < len(n) <= RANGE_DIGITS_MAX and n.isascii() and n.isdigit() for n in (first, last)):
        raise _Failed(Status.INVALID_RANGE)
    begin, end = int(first), min(int(last), size - 1)
    if begin > end:
        raise _Failed(Status.INVALID_RANGE)
    return begin, end


_OPERATIONS: Mapping[Tag, Callable[[Context, Element, Parts], Element]] = {
    ItemOperations.Move: _move,
    ItemOperations.EmptyFolderContents: _empty_folder,
    ItemOperations.Fetch: _fetch,
}
"""In the order in which an answer lists them."""
