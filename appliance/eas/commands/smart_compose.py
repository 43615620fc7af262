"""SmartReply and SmartForward: the server adds the original to what the phone wrote.

With ReplaceMime the phone has put the original in itself. The original is marked as replied to or
forwarded once the answer is on its way; a mark that fails is only logged, because the mail has been sent.

An invitation that is forwarded invites whoever gets it: to all of a series, or to the one occurrence an
InstanceId names. From 16.0 on a phone may leave the message to the server and say only to whom (Forwardees);
a copy of that is kept in Sent Items, since such a request cannot ask for one. Other mail is not forwarded so.

Source: MS-ASCMD 2.2.1.19 SmartForward, 2.2.1.20 SmartReply, 2.2.3.173 Source, 2.2.3.74 FolderId,
2.2.3.98.4 LongId.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial

from appliance import logs, offload
from appliance.accounts import accounts
from appliance.delivery import invitations
from appliance.delivery.invitations import NotAnswerable
from appliance.eas.commands import send_mail
from appliance.eas.context import Context
from appliance.eas.ids import item_id_of
from appliance.eas.meetings import parse_body, parse_instance
from appliance.eas.status import Common, ProtocolError
from appliance.eas.versions import at_least
from appliance.errors import ApplianceError, NotFound
from appliance.ical.invitation import read_invitation
from appliance.ical.occurrences import occurrence
from appliance.items.account import Account
from appliance.items.message import Message
from appliance.mime.addresses import Address, parse_addresses
from appliance.mime.compose import ComposeError, build_message, compose_forward, compose_reply
from appliance.mime.headers import parse_headers
from appliance.store import messages
from appliance.wbxml.codepages import AirSyncBase, ComposeMail, RightsManagement
from appliance.wbxml.element import Element, ElementError, Tag

log = logging.getLogger("appliance.eas")

VERB_REPLY, VERB_REPLY_ALL, VERB_FORWARD = 1, 2, 3  # MS-ASEMAIL 2.2.2.42 LastVerbExecuted
OFFLOAD_BYTES_MIN = 262_144  # larger messages are put together on a native thread
FORWARDEES_MAX = 500
FIRST_WITH_FORWARDEES = "16.0"

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
    request, source = _checked(context, request, ComposeMail.SmartReply)
    original = _original(context, source)
    _occurrence(original, source, must_recur=False)
    _send(context, request, original, compose_reply, VERB_REPLY)


def forward(context: Context, request: Element | None) -> None:
    """Send a message on, with the original's text and attachments, or what it invites to."""
    is_by_forwardees = _is_by_forwardees(context, request)
    request, source = _checked(context, request, ComposeMail.SmartForward)
    original = _original(context, source)
    one = _occurrence(original, source, must_recur=True)
    if is_by_forwardees:
        send_mail.send(context, request, _invite(context, request, original, one), save_in_sent=True)
        _mark(context, original, VERB_FORWARD)
    else:
        _send(context, request, original, partial(compose_forward, occurrence=one), VERB_FORWARD)


def _checked(context: Context, request: Element | None, root: Tag) -> tuple[Element, Element]:
    """Return the request and its Source."""
    if request is None or request.tag is not root:
        raise ProtocolError(Common.INVALID_XML, f"not a {root.name} document")
    send_mail.check(context, request)
    source = request.find(ComposeMail.Source)
    if source is None:
        raise ProtocolError(Common.INVALID_XML, "no Source")
    return request, source


def _send(context: Context, request: Element, original: Message, compose: Compose, verb: int) -> None:
    raw = send_mail.mime_of(request)
    if not request.flag_of(ComposeMail.ReplaceMime):
        raw = _composed(compose, raw, messages.raw(original))
    send_mail.send(context, request, raw)
    if verb == VERB_REPLY and _is_to_all(context.account, raw, original):
        verb = VERB_REPLY_ALL
    _mark(context, original, verb)


def _mark(context: Context, original: Message, verb: int) -> None:
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


def _is_to_all(account: Account, raw: bytes, original: Message) -> bool:
    """Return whether a reply goes to anybody else the original was sent to."""
    before = parse_addresses(original.to) + parse_addresses(original.cc)
    own = {account.address, *accounts.aliases(account.id)}
    others = {each.address.lower() for each in before if each.address} - own
    headers = parse_headers(raw)
    return any(each.address.lower() in others for name in ("To", "Cc") for each in headers.addresses(name))


def _original(context: Context, source: Element) -> Message:
    """Return the message a Source refers to.

    Raises ProtocolError: 105 unless it names exactly one, 106 and 104 for an id and a date that are none, 150
    when the message is gone.
    """
    item_id, long_id = source.text_of(ComposeMail.ItemId), source.text_of(ComposeMail.LongId)
    rest = source.text_of(ComposeMail.FolderId) or source.text_of(ComposeMail.InstanceId)
    if bool(item_id) == bool(long_id) or (long_id and rest):
        raise ProtocolError(Common.INVALID_COMBINATION, "a Source has an ItemId or a LongId alone")
    _instance(source)
    try:
        wanted = item_id_of(item_id or long_id or "")  # a LongId is the item's id, as Search hands it out
    except NotFound as error:
        raise ProtocolError(Common.INVALID_IDS, str(error)) from error
    try:
        return messages.current(context.account.id, wanted)
    except NotFound as error:
        raise ProtocolError(Common.ITEM_NOT_FOUND, "the original is gone") from error


# --- invitations ----------------------------------------------------------------------------------


def _instance(source: Element) -> datetime | None:
    text = source.text_of(ComposeMail.InstanceId)
    return parse_instance(text) if text else None


def _occurrence(original: Message, source: Element, *, must_recur: bool) -> str | None:
    """Return the invitation to the occurrence a request names; None when it names none, or it is other mail.

    Raises ProtocolError: 150 when the series has no such occurrence, 146 when what must recur does not.
    """
    instance = _instance(source)
    if instance is None or not invitations.is_request(original):
        return None
    calendar = invitations.calendar_text(original)
    invitation = read_invitation(calendar)
    if invitation is None or not invitation.is_series:
        if must_recur:
            raise ProtocolError(Common.NO_RECURRENCE, "an occurrence of a meeting that has only one")
        return None
    found = occurrence(calendar, instance)
    if found is None:
        raise ProtocolError(Common.ITEM_NOT_FOUND, "the series has no such occurrence")
    return found


def _is_by_forwardees(context: Context, request: Element | None) -> bool:
    """Tell whether a forward names only people and words; raises ProtocolError 178 when it is both."""
    if request is None or not at_least(context.version, FIRST_WITH_FORWARDEES):
        return False
    if not any(child.tag in _FOR_EVENTS for child in request):
        return False
    if any(child.tag in _NOT_FOR_EVENTS for child in request):
        raise ProtocolError(Common.INVALID_FORWARD_COMBINATION, "Forwardees or Body beside a message")
    return True


def _invite(context: Context, request: Element, original: Message, one: str | None) -> bytes:
    """Return a forward of an invitation put together by the server; raises ProtocolError 179."""
    try:
        text, html = parse_body(request.find(AirSyncBase.Body))
        people = [
            Address(
                each.text_of(ComposeMail.ForwardeeName, ""),
                each.require(ComposeMail.ForwardeeEmail).text.strip(),
            )
            for each in request.require(ComposeMail.Forwardees).find_all(ComposeMail.Forwardee)
        ]
        if not 0 < len(people) <= FORWARDEES_MAX:
            raise ProtocolError(Common.INVALID_FORWARD_PARAMETERS, f"1 to {FORWARDEES_MAX} Forwardees")
        return build_message(
            from_=Address(context.account.display_name, context.account.address),
            to=people,
            subject=f"FW: {original.subject}",
            text=text,
            html=html,
            calendar=("REQUEST", one or invitations.calendar_text(original)),
            message_id_domain=context.account.address.rpartition("@")[2],
            now=context.now,
        )
    except (ProtocolError, ElementError, ComposeError, NotAnswerable) as error:
        raise ProtocolError(Common.INVALID_FORWARD_PARAMETERS, str(error)) from error
