"""ItemOperations: fetch an item or an attachment by its id, empty a folder.

Operations are carried out in order, each with its own Status. When the device accepts it, binary data
travels beside the document instead of as base64 inside it.

Source: MS-ASCMD 2.2.1.10 ItemOperations, 2.2.1.10.1 (multipart answers).
"""

import base64
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.eas import collection, sync_options
from appliance.eas.content.airsyncbase import parse_file_reference
from appliance.eas.context import Context
from appliance.eas.response import MULTIPART, Response
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import ItemOperations as Status
from appliance.eas.sync_apply import item_id_of
from appliance.eas.sync_options import Options
from appliance.errors import ApplianceError, NotFound
from appliance.items.message import Message
from appliance.mime.body import decode_leaf
from appliance.store import messages
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSync, AirSyncBase, ItemOperations, Search
from appliance.wbxml.element import Element

OPERATIONS_MAX = 100  # MS-ASCMD 3.1.5.8


class _Failed(ApplianceError):
    """One operation failed with a Status of its own."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


@dataclass(slots=True)
class _Parts:
    """Binary data that travels beside the document; empty when the device wants it inside."""

    is_wanted: bool
    data: list[bytes] = field(default_factory=list)

    def element(self, data: bytes) -> Element:
        """Return the element that stands for the data in the document."""
        if not self.is_wanted:
            return ItemOperations.Data(base64.b64encode(data).decode("ascii"))
        self.data.append(data)
        return ItemOperations.Part(len(self.data))


def handle(context: Context, request: Element | None) -> Element | Response:
    """Carry out every operation and answer each."""
    if request is None or request.tag is not ItemOperations.ItemOperations:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not an ItemOperations document")
    operations = request.children
    if not operations:
        raise ProtocolError(Status.PROTOCOL_ERROR, "no operation")
    if len(operations) > OPERATIONS_MAX:
        raise ProtocolError(Status.TOO_LARGE, f"more than {OPERATIONS_MAX} operations")
    parts = _Parts(context.request.accept_multipart)
    answers = [_operation(context, operation, parts) for operation in operations]
    document = ItemOperations.ItemOperations(
        ItemOperations.Status(Status.SUCCESS), ItemOperations.Response(answers)
    )
    return _multipart(document, parts.data) if parts.is_wanted else document


def _operation(context: Context, operation: Element, parts: _Parts) -> Element:
    if operation.tag is ItemOperations.Fetch:
        return _fetch(context, operation, parts)
    if operation.tag is ItemOperations.EmptyFolderContents:
        return _empty_folder(context, operation)
    if operation.tag is ItemOperations.Move:
        raise ProtocolError(Common.COMMAND_NOT_SUPPORTED, "moving conversations is not available")
    raise ProtocolError(Status.PROTOCOL_ERROR, "unknown operation")


def _fetch(context: Context, fetch: Element, parts: _Parts) -> Element:
    names = [
        AirSync.CollectionId(fetch.text_of(AirSync.CollectionId))
        if fetch.find(AirSync.CollectionId)
        else None,
        AirSync.ServerId(fetch.text_of(AirSync.ServerId)) if fetch.find(AirSync.ServerId) else None,
        Search.LongId(fetch.text_of(Search.LongId)) if fetch.find(Search.LongId) else None,
    ]
    reference = fetch.text_of(AirSyncBase.FileReference)
    try:
        if fetch.text_of(ItemOperations.Store, "").lower() != "mailbox":
            raise _Failed(Status.UNKNOWN_STORE)
        if reference is not None:
            names.append(AirSyncBase.FileReference(reference))
            properties = _attachment(context, fetch, reference, parts)
        else:
            properties = _item(context, fetch)
            names.append(AirSync.Class("Email"))
    except _Failed as error:
        return ItemOperations.Fetch(ItemOperations.Status(error.status), names)
    except NotFound:
        return ItemOperations.Fetch(ItemOperations.Status(Status.NOT_FOUND), names)
    return ItemOperations.Fetch(ItemOperations.Status(Status.SUCCESS), names, properties)


def _item(context: Context, fetch: Element) -> Element:
    message = _message(context, fetch)
    options = fetch.find(ItemOperations.Options)
    wanted = Options() if options is None else _options(options)
    data = collection.application_data(context, message, wanted, {})
    return ItemOperations.Properties(data.children)


def _message(context: Context, fetch: Element) -> Message:
    account_id = context.account.id
    long_id = fetch.text_of(Search.LongId)
    if long_id:
        return messages.get(account_id, item_id_of(long_id))
    folder_id = item_id_of(fetch.text_of(AirSync.CollectionId, ""))
    return messages.in_folder(account_id, folder_id, item_id_of(fetch.text_of(AirSync.ServerId, "")))


def _options(block: Element) -> Options:
    return Options(
        mime_support=block.int_of(AirSync.MIMESupport, 0), bodies=sync_options.body_preferences(block)
    )


def _attachment(context: Context, fetch: Element, reference: str, parts: _Parts) -> Element:
    parsed = parse_file_reference(reference)
    if parsed is None:
        raise _Failed(Status.INVALID_ATTACHMENT)
    item_id, number = parsed
    try:
        source = collection.source(messages.get(context.account.id, item_id))
        if number not in source.structure.attachments:
            raise _Failed(Status.INVALID_ATTACHMENT)
    except NotFound as error:
        raise _Failed(Status.INVALID_ATTACHMENT) from error
    part = source.structure.part(number)
    data = decode_leaf(source.raw, part)
    options = fetch.find(ItemOperations.Options)
    asked = None if options is None else options.text_of(ItemOperations.Range)
    return ItemOperations.Properties(list(_data(data, part.content_type, asked, parts)))


def _data(data: bytes, content_type: str, asked: str | None, parts: _Parts) -> Iterator[Element]:
    """Yield the properties of an attachment; Range and Total only for a device that asked for a range."""
    if asked is not None:
        first, last = _range(asked, len(data))
        yield ItemOperations.Range(f"{first}-{last}")
        yield ItemOperations.Total(len(data))
        data = data[first : last + 1]
    yield AirSyncBase.ContentType(content_type)
    yield parts.element(data)


def _range(asked: str, size: int) -> tuple[int, int]:
    """Return the first and last byte of a Range within the data; both count. Raises _Failed 8."""
    first, dash, last = asked.partition("-")
    if not (dash and first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        raise _Failed(Status.INVALID_RANGE)
    begin, end = int(first), min(int(last), size - 1)
    if begin > end:
        raise _Failed(Status.INVALID_RANGE)
    return begin, end


def _empty_folder(context: Context, operation: Element) -> Element:
    collection_id = operation.text_of(AirSync.CollectionId, "")
    options = operation.find(ItemOperations.Options)
    with_folders = options is not None and options.flag_of(ItemOperations.DeleteSubFolders)
    try:
        folder = collection.find(context, collection_id)
        messages.empty_folder(context.account.id, folder.id, with_folders=with_folders)
        status = Status.SUCCESS
    except NotFound:
        status = Status.NOT_FOUND
    return ItemOperations.EmptyFolderContents(
        ItemOperations.Status(status), AirSync.CollectionId(collection_id)
    )


def _multipart(document: Element, data: list[bytes]) -> Response:
    """Return a multipart answer: counts and (offset, length) pairs, then the document, then the data."""
    pieces = [encode(document), *data]
    offset = 4 + 8 * len(pieces)
    header = [struct.pack("<i", len(pieces))]
    for piece in pieces:
        header.append(struct.pack("<ii", offset, len(piece)))
        offset += len(piece)
    return Response(body=b"".join([*header, *pieces]), content_type=MULTIPART)
