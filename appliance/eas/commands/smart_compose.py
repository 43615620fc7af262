"""SmartReply and SmartForward: the server adds the original to what the phone wrote.

With ReplaceMime the phone has put the original in itself. The original is marked as replied to or
forwarded once the answer is on its way; a mark that fails is only logged, because the mail has been sent.

An InstanceId names an occurrence of a meeting. A message holds a meeting as a whole or none at all, so that
is what goes out; only a forward that names an occurrence of a single meeting is refused. What 16.0 has for
forwarding events, Forwardees instead of a message, is refused for mail.

Source: MS-ASCMD 2.2.1.19 SmartForward, 2.2.1.20 SmartReply, 2.2.3.173 Source, 2.2.3.74 FolderId,
2.2.3.98.4 LongId.
"""

import logging
from collections.abc import Callable

from appliance import logs, offload
from appliance.eas import collection
from appliance.eas.commands import send_mail
from appliance.eas.content.email import parse_date_time
from appliance.eas.context import Context
from appliance.eas.ids import item_id_of
from appliance.eas.status import Common, ProtocolError
from appliance.eas.versions import at_least
from appliance.errors import ApplianceError, NotFound
from appliance.items.message import Message
from appliance.mime.compose import ComposeError, compose_forward, compose_reply
from appliance.store import messages
from appliance.wbxml.codepages import AirSyncBase, ComposeMail, RightsManagement
from appliance.wbxml.element import Element, Tag

log = logging.getLogger("appliance.eas")

VERB_REPLY, VERB_FORWARD = 1, 3  # MS-ASEMAIL 2.2.2.42 LastVerbExecuted
OFFLOAD_BYTES_MIN = 262_144  # larger messages are put together on a native thread

_FOR_EVENTS = (ComposeMail.Forwardees, AirSyncBase.Body)
_NOT_FOR_EVENTS = (
    ComposeMail.Mime,
    ComposeMail.SaveInSentItems,
    ComposeMail.ReplaceMime,
    RightsManagement.TemplateID,
)

type Compose = Callable[[bytes, bytes], bytes]


def reply(context: Context, request: Element | None) -> None:
    """Send a reply with the original quoted below it."""
    _send(context, request, ComposeMail.SmartReply, compose_reply, VERB_REPLY)


def forward(context: Context, request: Element | None) -> None:
    """Send a message on, with the original's text and attachments."""
    if request is not None and at_least(context.version, "16.0"):
        _check_forwardees(request)
    _send(context, request, ComposeMail.SmartForward, compose_forward, VERB_FORWARD)


def _send(context: Context, request: Element | None, root: Tag, compose: Compose, verb: int) -> None:
    if request is None or request.tag is not root:
        raise ProtocolError(Common.INVALID_XML, f"not a {root.name} document")
    send_mail.check(context, request)
    source = request.find(ComposeMail.Source)
    if source is None:
        raise ProtocolError(Common.INVALID_XML, "no Source")
    original = _original(context, source)
    if verb == VERB_FORWARD and source.text_of(ComposeMail.InstanceId):
        _check_recurrence(original)
    raw = send_mail.mime_of(request)
    if not request.flag_of(ComposeMail.ReplaceMime):
        raw = _composed(compose, raw, messages.raw(original))
    send_mail.send(context, request, raw)
    try:
        messages.set_last_verb(context.account.id, original.id, verb, context.now)
    except ApplianceError as error:
        logs.event(log, "verb_not_marked", level=logging.WARNING, item=original.id, reason=str(error))


def _composed(compose: Compose, raw: bytes, original: bytes) -> bytes:
    try:
        if len(raw) + len(original) < OFFLOAD_BYTES_MIN:
            return compose(raw, original)
        return offload.run(compose, raw, original)
    except ComposeError as error:
        raise ProtocolError(Common.INVALID_MIME, str(error)) from error


def _check_forwardees(request: Element) -> None:
    """Raise ProtocolError 178 or 179 for a forward by Forwardees: it is for events, and no message is one."""
    if not any(child.tag in _FOR_EVENTS for child in request):
        return
    if any(child.tag in _NOT_FOR_EVENTS for child in request):
        raise ProtocolError(Common.INVALID_FORWARD_COMBINATION, "Forwardees or Body beside a message")
    raise ProtocolError(Common.INVALID_FORWARD_PARAMETERS, "mail is forwarded by a message")


def _check_recurrence(original: Message) -> None:
    """Raise ProtocolError 146 when the original is a meeting that happens once."""
    invitation = collection.source(original).invitation
    if invitation is not None and not invitation.is_series:
        raise ProtocolError(Common.NO_RECURRENCE, "an occurrence of a meeting that has only one")


def _original(context: Context, source: Element) -> Message:
    """Return the message a Source refers to.

    Raises ProtocolError: 105 unless it names exactly one, 106 and 104 for an id and a date that are none, 150
    when the message is gone.
    """
    item_id, long_id = source.text_of(ComposeMail.ItemId), source.text_of(ComposeMail.LongId)
    rest = source.text_of(ComposeMail.FolderId) or source.text_of(ComposeMail.InstanceId)
    if bool(item_id) == bool(long_id) or (long_id and rest):
        raise ProtocolError(Common.INVALID_COMBINATION, "a Source has an ItemId or a LongId alone")
    try:
        parse_date_time(source.text_of(ComposeMail.InstanceId))
    except ProtocolError as error:
        raise ProtocolError(Common.INVALID_DATE_TIME, str(error)) from error
    try:
        wanted = item_id_of(item_id or long_id or "")  # a LongId is the item's id, as Search hands it out
    except NotFound as error:
        raise ProtocolError(Common.INVALID_IDS, str(error)) from error
    try:
        return _follow(context.account.id, wanted)
    except NotFound as error:
        raise ProtocolError(Common.ITEM_NOT_FOUND, "the original is gone") from error


def _follow(account_id: int, item_id: int) -> Message:
    """Return a message wherever it was moved since the phone last heard of it."""
    gone = messages.tombstone(account_id, item_id)
    if gone is not None and gone.moved_to is not None:
        item_id = gone.moved_to
    return messages.get(account_id, item_id)
