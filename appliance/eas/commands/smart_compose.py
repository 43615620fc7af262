"""SmartReply and SmartForward: the server adds the original to what the phone wrote.

With ReplaceMime the phone has put the original in itself. The original is marked as replied to or
forwarded once the answer is on its way; a mark that fails is only logged, because the mail has been sent.

Source: MS-ASCMD 2.2.1.19 SmartForward, 2.2.1.20 SmartReply, 2.2.3.167 Source.
"""

import logging
from collections.abc import Callable

from appliance import logs, offload
from appliance.eas.commands import send_mail
from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.eas.sync_apply import item_id_of
from appliance.errors import ApplianceError, NotFound
from appliance.items.message import Message
from appliance.mime.compose import ComposeError, compose_forward, compose_reply
from appliance.store import messages
from appliance.wbxml.codepages import ComposeMail
from appliance.wbxml.element import Element, Tag

log = logging.getLogger("appliance.eas")

VERB_REPLY, VERB_FORWARD = 1, 3  # MS-ASEMAIL 2.2.2.42 LastVerbExecuted
OFFLOAD_BYTES_MIN = 262_144  # larger messages are put together on a native thread

type Compose = Callable[[bytes, bytes], bytes]


def reply(context: Context, request: Element | None) -> None:
    """Send a reply with the original quoted below it."""
    _send(context, request, ComposeMail.SmartReply, compose_reply, VERB_REPLY)


def forward(context: Context, request: Element | None) -> None:
    """Send a message on, with the original's text and attachments."""
    _send(context, request, ComposeMail.SmartForward, compose_forward, VERB_FORWARD)


def _send(context: Context, request: Element | None, root: Tag, compose: Compose, verb: int) -> None:
    if request is None or request.tag is not root:
        raise ProtocolError(Common.INVALID_XML, f"not a {root.name} document")
    send_mail.check(context, request)
    original = _original(context, request)
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


def _original(context: Context, request: Element) -> Message:
    """Return the message a request refers to; raises ProtocolError 150 when it is gone."""
    source = request.find(ComposeMail.Source)
    if source is None:
        raise ProtocolError(Common.INVALID_XML, "no Source")
    # A LongId is the item's id, as Search and Find hand it out.
    item_id = source.text_of(ComposeMail.ItemId) or source.text_of(ComposeMail.LongId) or ""
    try:
        return _follow(context.account.id, item_id_of(item_id))
    except NotFound as error:
        raise ProtocolError(Common.ITEM_NOT_FOUND, "the original is gone") from error


def _follow(account_id: int, item_id: int) -> Message:
    """Return a message wherever it was moved since the phone last heard of it."""
    gone = messages.tombstone(account_id, item_id)
    if gone is not None and gone.moved_to is not None:
        item_id = gone.moved_to
    return messages.get(account_id, item_id)
