"""What a device writes of a draft, as an edit of a message. Pure.

Owns the elements a device may send in an Add or a Change of a draft (16.0 and later) and what they may
hold; leaves the message to `mime.draft` and how drafts are kept and sent to `eas.drafts`.
Source: MS-ASEMAIL 2.2.2 Elements, 3.1.5.5 (drafts); MS-ASAIRS 2.2.2.2 Add, 2.2.2.22 Delete, 2.2.2.9 Body.
"""

import re
from collections.abc import Callable, Iterator

from appliance.eas.content.airsyncbase import (
    METHOD_EMBEDDED,
    METHOD_NORMAL,
    file_reference,
    parse_file_reference,
)
from appliance.eas.content.email import date_time
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_options import HTML, MIME, PLAIN
from appliance.items.message import Message
from appliance.mime.characters import one_line
from appliance.mime.draft import Edit, File, Text
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2
from appliance.wbxml.element import Element

FILES_MAX = 100  # added by one command
FIELD_LENGTH_MAX = 32_768  # characters, MS-ASEMAIL 2.2.2.78 To
CLIENT_ID_LENGTH_MAX = 255

_FIELDS = (
    (Email.To, "To"),
    (Email.Cc, "Cc"),
    (Email2.Bcc, "Bcc"),
    (Email.ReplyTo, "Reply-To"),
    (Email.Subject, "Subject"),
)
_CONTENT = (
    *(tag for tag, _ in _FIELDS),
    *(Email.Importance, AirSyncBase.Body, AirSyncBase.Attachments),
)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_NO_ID = re.compile(r"[<>\s]")
_TEXTS: dict[int, Callable[[Element], Text]] = {
    PLAIN: lambda data: Text(plain=data.text),
    HTML: lambda data: Text(html=data.text),
    MIME: lambda data: Text(mime=data.data),
}


def is_edited(data: Element | None) -> bool:
    """Return whether ApplicationData holds something of a draft's own, beside Read, Flag and Categories."""
    return data is not None and any(child.tag in _CONTENT for child in data)


def parse(data: Element, item_id: int | None) -> Edit:
    """Return the edit a device asks for; item_id: of the draft it changes, None for a new one.

    What is absent stays as it is. Raises ProtocolError with the item's Status 6, ElementError.
    """
    importance = data.int_of(Email.Importance)
    if importance is not None and importance not in (0, 1, 2):
        raise ProtocolError(Status.CONVERSION_ERROR, "Importance is 0, 1 or 2")
    attachments = data.find(AirSyncBase.Attachments)
    return Edit(
        fields={name: _field(child) for tag, name in _FIELDS if (child := data.find(tag)) is not None},
        importance=importance,
        text=_text(data.find(AirSyncBase.Body)),
        added=() if attachments is None else _added(attachments),
        removed=() if attachments is None else tuple(_removed(attachments, item_id)),
    )


def response_data(message: Message, uploaded: dict[str, str], *, is_new: bool) -> Element:
    """Return the ApplicationData with which a device learns what the server made of its draft.

    uploaded: part number by the ClientId of each file that came with the command.
    """
    return AirSync.ApplicationData(
        Email.DateReceived(date_time(message.received_at)) if is_new else None,
        Email2.ConversationId(message.conversation_id) if is_new else None,
        Email2.ConversationIndex(message.conversation_index) if is_new else None,
        Email2.IsDraft(1) if is_new else None,
        AirSyncBase.Attachments([_uploaded(message.id, *entry) for entry in uploaded.items()])
        if uploaded
        else None,
    )


def _uploaded(item_id: int, client_id: str, number: str) -> Element:
    return AirSyncBase.Attachment(
        AirSyncBase.ClientId(client_id), AirSyncBase.FileReference(file_reference(item_id, number))
    )


def _field(element: Element) -> str:
    if len(element.text) > FIELD_LENGTH_MAX:
        raise ProtocolError(Status.CONVERSION_ERROR, f"{element.tag.name} is too long")
    return element.text


def _text(body: Element | None) -> Text | None:
    """Return the new body, None to leave the old one; RTF is none of ours."""
    if body is None:
        return None
    make = _TEXTS.get(body.int_of(AirSyncBase.Type, 0))
    if make is None:
        raise ProtocolError(Status.CONVERSION_ERROR, "a draft is plain text, HTML or MIME")
    return make(body.find(AirSyncBase.Data) or AirSyncBase.Data(""))


def _added(attachments: Element) -> tuple[File, ...]:
    files = tuple(_file(element) for element in attachments.find_all(AirSyncBase.Add))
    if len(files) > FILES_MAX or len({new.client_id for new in files}) != len(files):
        raise ProtocolError(Status.CONVERSION_ERROR, "too many files, or two of one ClientId")
    return files


def _file(element: Element) -> File:
    client_id = element.require(AirSyncBase.ClientId).text
    method = element.int_of(AirSyncBase.Method, METHOD_NORMAL)
    if not 0 < len(client_id) <= CLIENT_ID_LENGTH_MAX or method not in (METHOD_NORMAL, METHOD_EMBEDDED):
        raise ProtocolError(Status.CONVERSION_ERROR, "a file has a ClientId and Method 1 or 5")
    content_type = element.text_of(AirSyncBase.ContentType, "").strip().lower()
    return File(
        client_id=client_id,
        filename=one_line(element.text_of(AirSyncBase.DisplayName, ""), 200) or "attachment",
        content_type=content_type if _MEDIA_TYPE.fullmatch(content_type) else "application/octet-stream",
        data=element.require(AirSyncBase.Content).data,
        content_id=_NO_ID.sub("", one_line(element.text_of(AirSyncBase.ContentId, ""), 255)),
        content_location=one_line(element.text_of(AirSyncBase.ContentLocation, ""), 255),
        is_inline=element.flag_of(AirSyncBase.IsInline),
        is_message=method == METHOD_EMBEDDED,
    )


def _removed(attachments: Element, item_id: int | None) -> Iterator[str]:
    """Yield the part numbers of what goes; a file that is none of this draft's has gone already."""
    for element in attachments.find_all(AirSyncBase.Delete):
        reference = parse_file_reference(element.require(AirSyncBase.FileReference).text)
        if reference is not None and reference[0] == item_id:
            yield reference[1]
