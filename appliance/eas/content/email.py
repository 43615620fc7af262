"""A stored message as the Email class of ActiveSync. Pure.

Source: MS-ASEMAIL 2.2.2 Elements; MS-ASEMAIL 3.2.5.4 for what a Change carries.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from appliance.eas.content import airsyncbase
from appliance.eas.content.airsyncbase import Source
from appliance.eas.content.meeting_request import meeting_request
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_delta import Part
from appliance.eas.sync_options import Options
from appliance.eas.versions import at_least
from appliance.items.message import Flag, Message
from appliance.mime.voice import Voice
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2, Tasks
from appliance.wbxml.element import Element, Tag

FLAG_ACTIVE, FLAG_COMPLETE, FLAG_CLEARED = 2, 1, 0
CATEGORIES_MAX = 300
CATEGORY_LENGTH_MAX = 255
CPID_UTF_8 = 65001  # bodies always travel as UTF-8, whatever the sender wrote
ADDRESSES_LENGTH_MAX = 32_768  # characters of To, Cc and From
FLAG_TEXT_LENGTH_MAX = 1_024  # kept of a flag's texts, which a device may make as long as it likes

_FLAG_DATES: tuple[tuple[Tag, str], ...] = (
    (Email.CompleteTime, "complete_time"),
    (Tasks.DateCompleted, "date_completed"),
    (Tasks.StartDate, "start_date"),
    (Tasks.DueDate, "due_date"),
    (Tasks.UtcStartDate, "utc_start_date"),
    (Tasks.UtcDueDate, "utc_due_date"),
    (Tasks.ReminderTime, "reminder_time"),
    (Tasks.OrdinalDate, "ordinal_date"),
)


def application_data(source: Source, options: Options, version: str) -> Element:
    """Return the ApplicationData of a whole message."""
    return AirSync.ApplicationData(list(properties(source, options, version)))


def properties(source: Source, options: Options, version: str) -> Iterator[Element]:
    """Yield the elements of a message, in the order clients know."""
    message = source.message
    yield from _headers(message)
    yield from _content(source, options, version)
    yield from _conversation(message, source.voice)
    if at_least(version, "16.0"):
        yield from _draft(message)


def changed_parts(message: Message, parts: Part) -> Element:
    """Return the ApplicationData of a message of which only Read, Flag or Categories changed.

    Anything else is one part with the content: when it changed, the whole item is sent.
    """
    return AirSync.ApplicationData(
        Email.Read(message.is_read) if parts & Part.READ else None,
        flag_element(message.flag) if parts & Part.FLAG else None,
        categories_element(message.categories) if parts & Part.CATEGORIES else None,
    )


def placeholder(message: Message) -> Element:
    """Return ApplicationData for a message that cannot be rendered, so that it never blocks its folder."""
    text = "This message could not be prepared for your device. Please open it in a browser."
    return AirSync.ApplicationData(
        Email.Subject("(message could not be shown)"),
        Email.DateReceived(date_time(message.received_at)),
        Email.Importance(1),
        Email.Read(message.is_read),
        AirSyncBase.Body(
            AirSyncBase.Type(1), AirSyncBase.EstimatedDataSize(len(text)), AirSyncBase.Data(text)
        ),
        Email.MessageClass("IPM.Note"),
        Email.InternetCPID(CPID_UTF_8),
        AirSyncBase.NativeBodyType(1),
        Email2.ConversationId(message.conversation_id),
        Email2.ConversationIndex(message.conversation_index),
    )


def flag_element(flag: Flag | None) -> Element:
    """Return the Flag element; empty when there is no flag. Source: MS-ASEMAIL 2.2.2.34."""
    if flag is None:
        return Email.Flag()
    return Email.Flag(
        Tasks.Subject(flag.subject) if flag.subject else None,
        Email.Status(flag.status),
        Email.FlagType(flag.flag_type) if flag.flag_type else None,
        [tag(date_time(moment)) for tag, name in _FLAG_DATES if (moment := getattr(flag, name)) is not None],
        Tasks.ReminderSet(flag.reminder_set) if flag.reminder_set is not None else None,
        Tasks.SubOrdinalDate(flag.sub_ordinal_date) if flag.sub_ordinal_date else None,
    )


def parse_flag(element: Element, before: Flag | None) -> Flag | None:
    """Return the flag a client sets; None clears it.

    Raises ProtocolError with the item status 6 when the values contradict each other or one of them is
    useless without another.
    Deviation: a flag that is set without FlagType and dates is taken, as phones leave them out.
    Source: MS-ASEMAIL 2.2.2.34 Flag, 3.1.5.3.2 Updating E-Mail Flags.
    """
    status = element.int_of(Email.Status, FLAG_CLEARED)
    if status == FLAG_CLEARED:
        return None
    if status not in (FLAG_ACTIVE, FLAG_COMPLETE):
        raise ProtocolError(Status.CONVERSION_ERROR, "Flag Status is 0, 1 or 2")
    dates = {name: parse_date_time(element.text_of(tag)) for tag, name in _FLAG_DATES}
    reminder = None if element.find(Tasks.ReminderSet) is None else element.flag_of(Tasks.ReminderSet)
    _check_flag(status, dates, is_reminding=reminder is True)
    default_type = before.flag_type if before is not None else "Flag for follow up"
    return Flag(
        status=status,
        flag_type=element.text_of(Email.FlagType, "")[:FLAG_TEXT_LENGTH_MAX] or default_type,
        subject=element.text_of(Tasks.Subject, "")[:FLAG_TEXT_LENGTH_MAX] or None,
        reminder_set=reminder,
        sub_ordinal_date=element.text_of(Tasks.SubOrdinalDate, "")[:FLAG_TEXT_LENGTH_MAX] or None,
        **dates,
    )


def _check_flag(status: int, dates: Mapping[str, datetime | None], *, is_reminding: bool) -> None:
    pairs = ("start_date", "due_date"), ("utc_start_date", "utc_due_date")
    if len({dates[name] is None for pair in pairs for name in pair}) > 1:
        raise ProtocolError(Status.CONVERSION_ERROR, "a flag has all of its four dates or none")
    for start, due in pairs:
        first, last = dates[start], dates[due]
        if first is not None and last is not None and first > last:
            raise ProtocolError(Status.CONVERSION_ERROR, "a flag starts after it is due")
    if is_reminding and dates["reminder_time"] is None:
        raise ProtocolError(Status.CONVERSION_ERROR, "a reminder has a time")
    if status == FLAG_COMPLETE and (dates["complete_time"] is None or dates["date_completed"] is None):
        raise ProtocolError(Status.CONVERSION_ERROR, "what is complete says since when")


def categories_element(categories: tuple[str, ...]) -> Element:
    """Return the Categories element; empty when there are none."""
    return Email.Categories([Email.Category(name) for name in categories])


def parse_categories(element: Element) -> tuple[str, ...]:
    """Return the categories a client sets, each once."""
    names = (child.text[:CATEGORY_LENGTH_MAX] for child in element.find_all(Email.Category))
    return tuple(dict.fromkeys(name for name in names if name))[:CATEGORIES_MAX]


def date_time(moment: datetime) -> str:
    """Return a dateTime as Email, Tasks and Settings write it. Source: MS-ASDTYPE 2.3."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def parse_date_time(text: str | None) -> datetime | None:
    """Return the moment of a dateTime in either of the protocol's forms; None for none.

    Raises ProtocolError with the item status 6 on anything else.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ProtocolError(Status.CONVERSION_ERROR, "not a date and time") from error


def _headers(message: Message) -> Iterator[Element]:
    yield Email.To(message.to[:ADDRESSES_LENGTH_MAX])
    if message.cc:
        yield Email.Cc(message.cc[:ADDRESSES_LENGTH_MAX])
    yield Email.From(message.sender_from[:ADDRESSES_LENGTH_MAX])
    yield Email.Subject(message.subject)
    if message.reply_to:
        yield Email.ReplyTo(message.reply_to)
    yield Email.DateReceived(date_time(message.received_at))
    if message.display_to:
        yield Email.DisplayTo(message.display_to)
    yield Email.ThreadTopic(message.thread_topic)
    yield Email.Importance(message.importance)
    yield Email.Read(message.is_read)


def _content(source: Source, options: Options, version: str) -> Iterator[Element]:
    message = source.message
    attached = airsyncbase.attachments(source.structure, message.id, source.voice)
    if attached is not None:
        yield attached
    part = options.body_part if at_least(version, "14.1") else None
    if part is None or options.bodies:
        yield airsyncbase.body(source, options)
    if part is not None:
        yield airsyncbase.body_part(source, part)
    yield Email.MessageClass(message.message_class)
    meeting = source.invitation
    if meeting is not None:
        yield meeting_request(meeting, message.received_at, version)
    yield Email.InternetCPID(CPID_UTF_8)
    yield flag_element(message.flag)
    kind = "message" if meeting is None else "calendarmessage"
    yield Email.ContentClass(f"urn:content-classes:{kind}")
    yield AirSyncBase.NativeBodyType(message.native_body_type)


def _conversation(message: Message, voice: Voice | None) -> Iterator[Element]:
    yield Email2.ConversationId(message.conversation_id)
    yield Email2.ConversationIndex(message.conversation_index)
    if message.last_verb and message.last_verb_at is not None:
        yield Email2.LastVerbExecuted(message.last_verb)
        yield Email2.LastVerbExecutionTime(date_time(message.last_verb_at))
    if message.received_as_bcc:
        yield Email2.ReceivedAsBcc(1)
    if message.sender:
        yield Email2.Sender(message.sender)
    if voice is not None and voice.caller:
        yield Email2.UmCallerID(voice.caller)
    yield categories_element(message.categories)


def _draft(message: Message) -> Iterator[Element]:
    if message.is_draft:
        yield Email2.IsDraft(1)
    if message.bcc:
        yield Email2.Bcc(message.bcc)
