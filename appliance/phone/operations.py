"""Reading the answers of the commands that are not about keys. Pure.

Each function takes the answer's document and returns plain values, or raises StatusError (the server
says no) or ProtocolError (the answer is not one).
"""

import base64
import binascii
from dataclasses import dataclass

from appliance.phone.errors import ProtocolError, StatusError
from appliance.phone.mailbox import Value, properties
from appliance.wbxml.codepages import (
    AirSyncBase,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Settings,
)
from appliance.wbxml.element import Element

OK = 1
MOVE_OK = 3
PING_TIME_OVER, PING_CHANGES, PING_INCOMPLETE, PING_HEARTBEAT, PING_HIERARCHY = 1, 2, 3, 5, 7


@dataclass(frozen=True)
class PingAnswer:
    """What Ping said.

    status: 1 the time is over, 2 changes in `folder_ids`, 5 use `heartbeat_s`, 6 at most `folders_max`.
    """

    status: int
    folder_ids: tuple[str, ...] = ()
    heartbeat_s: int | None = None
    folders_max: int | None = None


@dataclass(frozen=True)
class Attachment:
    """A fetched attachment; first, last and total are set when a range was asked for."""

    content_type: str
    data: bytes
    byte_range: str | None = None
    total: int | None = None


@dataclass(frozen=True)
class FetchedItem:
    """A fetched item: its properties, and the body's bytes wherever they travelled."""

    properties: dict[str, Value]
    body_type: int
    body: bytes
    truncated: bool


def ping(answer: Element) -> PingAnswer:
    """Read a Ping answer; every Status is a normal result for the caller to act on."""
    status = answer.int_of(Ping.Status, 0)
    folders = answer.find(Ping.Folders)
    watched = tuple(folder.text for folder in folders.find_all(Ping.Folder)) if folders else ()
    if (status == PING_CHANGES) != bool(watched):
        raise ProtocolError(f"Ping: Status {status} with {len(watched)} folders")
    return PingAnswer(
        status,
        watched,
        answer.int_of(Ping.HeartbeatInterval),
        answer.int_of(Ping.MaxFolders),
    )


def estimate(answer: Element) -> int:
    """Return the number of pending changes of the one collection asked for."""
    status = answer.int_of(GetItemEstimate.Status, OK)
    response = answer.find(GetItemEstimate.Response)
    if status == OK and response is not None:
        status = response.int_of(GetItemEstimate.Status, OK)
        collection = response.find(GetItemEstimate.Collection)
        if status == OK and collection is not None:
            found = collection.int_of(GetItemEstimate.Estimate)
            if found is not None:
                return found
    if status == OK:
        raise ProtocolError("GetItemEstimate: no estimate in the answer")
    raise StatusError("GetItemEstimate", status)


def moves(answer: Element) -> dict[str, tuple[int, str | None]]:
    """Return Status and new ServerId by the old ServerId. Success is 3."""
    status = answer.int_of(Move.Status, MOVE_OK)
    if status != MOVE_OK:
        raise StatusError("MoveItems", status)
    return {
        response.text_of(Move.SrcMsgId, ""): (
            response.int_of(Move.Status, 0),
            response.text_of(Move.DstMsgId),
        )
        for response in answer.find_all(Move.Response)
    }


def meeting_answered(answer: Element) -> str | None:
    """Return the ServerId of the meeting in the calendar, None when there is none; raises StatusError."""
    result = answer.require(MeetingResponse.Result)
    status = result.int_of(MeetingResponse.Status, 0)
    if status != OK:
        raise StatusError("MeetingResponse", status)
    return result.text_of(MeetingResponse.CalendarId)


def item(answer: Element, parts: tuple[bytes, ...]) -> FetchedItem:
    """Read the answer to a Fetch of an item."""
    data = _fetched(answer)
    body = data.find(AirSyncBase.Body)
    if body is None:
        return FetchedItem(properties(data), 0, b"", truncated=False)
    part = body.int_of(ItemOperations.Part)
    return FetchedItem(
        properties(data),
        body.int_of(AirSyncBase.Type, 0),
        _inline(body) if part is None else _part(parts, part),
        body.flag_of(AirSyncBase.Truncated),
    )


def _inline(body: Element) -> bytes:
    data = body.find(AirSyncBase.Data)
    return data.data if data is not None else b""


def attachment(answer: Element, parts: tuple[bytes, ...]) -> Attachment:
    """Read the answer to a Fetch of an attachment: inline base64 or a part."""
    data = _fetched(answer)
    if data.find(ItemOperations.Part) is not None:
        content = _part(parts, data.int_of(ItemOperations.Part, 0))
    else:
        try:
            content = base64.b64decode(data.text_of(ItemOperations.Data, ""), validate=True)
        except binascii.Error:
            raise ProtocolError("ItemOperations: the attachment is not base64") from None
    return Attachment(
        data.text_of(AirSyncBase.ContentType, ""),
        content,
        data.text_of(ItemOperations.Range),
        data.int_of(ItemOperations.Total),
    )


def _fetched(answer: Element) -> Element:
    """Return the Properties of the one Fetch in the answer."""
    status = answer.int_of(ItemOperations.Status, OK)
    response = answer.find(ItemOperations.Response)
    fetch = response.find(ItemOperations.Fetch) if response else None
    if status == OK and fetch is not None:
        status = fetch.int_of(ItemOperations.Status, 0)
    if status != OK:
        raise StatusError("ItemOperations", status)
    found = fetch.find(ItemOperations.Properties) if fetch else None
    if found is None:
        raise ProtocolError("ItemOperations: no Properties in the answer")
    return found


def _part(parts: tuple[bytes, ...], number: int) -> bytes:
    """Return a part by its number; the document is part 0 and not in `parts`."""
    if not 1 <= number <= len(parts):
        raise ProtocolError(f"ItemOperations: part {number} of {len(parts)}")
    return parts[number - 1]


def emptied(answer: Element) -> None:
    """Raise StatusError unless EmptyFolderContents succeeded."""
    response = answer.find(ItemOperations.Response)
    done = response.find(ItemOperations.EmptyFolderContents) if response else None
    status = answer.int_of(ItemOperations.Status, 0)
    if done is not None and status == OK:
        status = done.int_of(ItemOperations.Status, 0)
    if status != OK:
        raise StatusError("ItemOperations", status)


def addresses(answer: Element) -> list[str]:
    """Return the addresses of a Settings answer to UserInformation, primary first if it is named."""
    information = answer.find(Settings.UserInformation)
    status = answer.int_of(Settings.Status, 0)
    if status == OK and information is not None:
        status = information.int_of(Settings.Status, 0)
    if status != OK:
        raise StatusError("Settings", status)
    found: list[str] = []
    for holder in _address_holders(information):
        primary = holder.text_of(Settings.PrimarySmtpAddress)
        found += [primary] if primary else []
        found += [smtp.text for smtp in holder.find_all(Settings.SMTPAddress) if smtp.text not in found]
    return found


def _address_holders(information: Element | None) -> list[Element]:
    """Return the EmailAddresses elements: below Get up to 14.0, below each Account from 14.1 on."""
    get = information.find(Settings.Get) if information else None
    accounts = get.find(Settings.Accounts) if get else None
    holders = list(accounts.find_all(Settings.Account)) if accounts else [get] if get else []
    found = [holder.find(Settings.EmailAddresses) for holder in holders]
    return [element for element in found if element is not None]


def device_information_accepted(answer: Element) -> None:
    """Raise StatusError unless Settings accepted the DeviceInformation."""
    information = answer.find(Settings.DeviceInformation)
    status = answer.int_of(Settings.Status, 0)
    if status == OK and information is not None:
        status = information.int_of(Settings.Status, 0)
    if status != OK or information is None:
        raise StatusError("Settings", status, "DeviceInformation")
