"""The Oof property of Settings: out-of-office read and set from a phone.

Owns the elements; what the settings mean is `accounts.out_of_office`. What a Set does not mention stays
as it is: a phone that shows two audiences must not silence the third.

Deviation: a ReplyMessage without BodyType is plain text, as its absence says nothing else; the
specification wants both. Known and unknown senders may hear different things here, which no phone is
obliged to offer.

Source: MS-ASCMD 2.2.3.122 Oof, 2.2.3.123 OofMessage, 2.2.3.177.15 Status (Settings).
"""

from dataclasses import replace
from datetime import datetime

from appliance.accounts import out_of_office
from appliance.accounts.out_of_office import Audience, OutOfOffice, Reply, State
from appliance.eas.content.email import date_time, parse_date_time
from appliance.eas.context import Context
from appliance.eas.status import ProtocolError
from appliance.eas.status import Settings as Status
from appliance.errors import InvalidInput
from appliance.mime.html import html_from_text, text_from_html
from appliance.wbxml.codepages import Settings
from appliance.wbxml.element import Element, ElementError, Tag

_APPLIES_TO = {
    Audience.INTERNAL: Settings.AppliesToInternal,
    Audience.KNOWN: Settings.AppliesToExternalKnown,
    Audience.UNKNOWN: Settings.AppliesToExternalUnknown,
}
_AUDIENCES = {tag: audience for audience, tag in _APPLIES_TO.items()}
_IS_HTML = {"text": False, "html": True}


def answer(context: Context, element: Element) -> Element:
    """Answer a Get or a Set of the Oof property."""
    asked, wanted = element.find(Settings.Get), element.find(Settings.Set)
    try:
        if (asked is None) == (wanted is None):
            raise ProtocolError(Status.PROTOCOL_ERROR, "Oof has either Get or Set")
        if asked is not None:
            return Settings.Oof(Settings.Status(Status.SUCCESS), _shown(context, asked))
        assert wanted is not None
        out_of_office.save(context.account.id, _changed(out_of_office.get(context.account.id), wanted))
    except ProtocolError as error:
        return Settings.Oof(Settings.Status(error.status))
    except (ElementError, InvalidInput):
        return Settings.Oof(Settings.Status(Status.INVALID_ARGUMENTS))
    return Settings.Oof(Settings.Status(Status.SUCCESS))


# --- Get ------------------------------------------------------------------------------------------


def _shown(context: Context, asked: Element) -> Element:
    as_html = _is_html(asked)
    found = out_of_office.get(context.account.id)
    return Settings.Get(
        Settings.OofState(found.state),
        Settings.StartTime(date_time(found.starts_at)) if found.starts_at is not None else None,
        Settings.EndTime(date_time(found.ends_at)) if found.ends_at is not None else None,
        [_message(tag, found.replies[audience], as_html) for audience, tag in _APPLIES_TO.items()],
    )


def _message(applies_to: Tag, reply: Reply, as_html: bool) -> Element:
    """Return what one audience hears; all three are always told, a silent one too."""
    return Settings.OofMessage(
        applies_to(),
        Settings.Enabled(reply.is_enabled),
        [Settings.ReplyMessage(_converted(reply, as_html)), Settings.BodyType("HTML" if as_html else "Text")]
        if reply.text
        else None,
    )


def _converted(reply: Reply, as_html: bool) -> str:
    if reply.is_html == as_html:
        return reply.text
    return html_from_text(reply.text) if as_html else text_from_html(reply.text)


# --- Set ------------------------------------------------------------------------------------------


def _changed(before: OutOfOffice, wanted: Element) -> OutOfOffice:
    """Return the settings after a Set; raises ProtocolError, ElementError."""
    replies = dict(before.replies)
    seen: set[Audience] = set()
    for message in wanted.find_all(Settings.OofMessage):
        audience = _audience(message)
        if audience in seen:
            raise ProtocolError(Status.CONFLICTING_ARGUMENTS, "two messages for one audience")
        seen.add(audience)
        replies[audience] = _reply(replies[audience], message)
    starts_at, ends_at = _window(wanted)
    state = _state(wanted, before.state)
    if state is not State.TIMED:
        return OutOfOffice(state, replies=replies)
    if starts_at is None or ends_at is None:
        if wanted.find(Settings.OofState) is not None or before.state is not State.TIMED:
            raise ProtocolError(Status.PROTOCOL_ERROR, "OofState 2 needs StartTime and EndTime")
        starts_at, ends_at = before.starts_at, before.ends_at
    elif ends_at <= starts_at:
        raise ProtocolError(Status.CONFLICTING_ARGUMENTS, "EndTime is not after StartTime")
    return OutOfOffice(state, starts_at, ends_at, replies)


def _state(wanted: Element, before: State) -> State:
    value = wanted.int_of(Settings.OofState, int(before))
    try:
        return State(value)
    except ValueError as error:
        raise ProtocolError(Status.INVALID_ARGUMENTS, "OofState is 0, 1 or 2") from error


def _window(wanted: Element) -> tuple[datetime | None, datetime | None]:
    texts = wanted.text_of(Settings.StartTime), wanted.text_of(Settings.EndTime)
    if (texts[0] is None) != (texts[1] is None):
        raise ProtocolError(Status.PROTOCOL_ERROR, "StartTime and EndTime come together")
    try:
        return parse_date_time(texts[0]), parse_date_time(texts[1])
    except ProtocolError as error:
        raise ProtocolError(Status.INVALID_ARGUMENTS, str(error)) from error


def _audience(message: Element) -> Audience:
    """Return the one audience of an OofMessage."""
    named = [_AUDIENCES[child.tag] for child in message if child.tag in _AUDIENCES]
    if not named:
        raise ProtocolError(Status.PROTOCOL_ERROR, "an OofMessage for nobody")
    if len(named) > 1:
        raise ProtocolError(Status.CONFLICTING_ARGUMENTS, "an OofMessage has one audience")
    return named[0]


def _reply(before: Reply, message: Element) -> Reply:
    enabled = message.find(Settings.Enabled)
    if enabled is not None and enabled.text not in ("0", "1"):
        raise ProtocolError(Status.INVALID_ARGUMENTS, "Enabled is 0 or 1")
    reply = before if enabled is None else replace(before, is_enabled=enabled.text == "1")
    text = message.text_of(Settings.ReplyMessage)
    is_html = _is_html(message)
    return reply if text is None else replace(reply, text=text, is_html=is_html)


def _is_html(element: Element) -> bool:
    """Return whether BodyType says HTML; text when it is absent."""
    named = element.text_of(Settings.BodyType, "Text").lower()
    if named not in _IS_HTML:
        raise ProtocolError(Status.INVALID_ARGUMENTS, "BodyType is Text or HTML")
    return _IS_HTML[named]
