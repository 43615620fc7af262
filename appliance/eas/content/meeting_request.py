"""An invitation in the mail as the MeetingRequest element. Pure.

Owns the element, the GlobalObjId and the time zone of MS-ASDTYPE; what the calendar says is read by
`ical.invitation`. A calendar that cannot be read leaves the message an ordinary one.
Source: MS-ASEMAIL 2.2.2.48 MeetingRequest, 2.2.2.39 GlobalObjId; MS-ASDTYPE 2.7.6 TimeZone.
"""

import base64
import struct
from collections.abc import Iterator
from datetime import UTC, datetime

from appliance.eas.versions import at_least
from appliance.ical.invitation import Invitation, Recurrence, read_invitation
from appliance.ical.writing import compact
from appliance.ical.zones import Rules, Switch
from appliance.mime.addresses import Address, format_addresses_for_display
from appliance.mime.body import leaf_text
from appliance.mime.structure import Structure
from appliance.wbxml.codepages import AirSyncBase, Calendar, Email, Email2, MeetingResponse
from appliance.wbxml.element import Element

CLASS = "IPM.SCHEDULE.MEETING."
READ_BYTES_MAX = 262_144  # of the calendar; what is longer is a list of exceptions or an attack
_OBJECT_ID = bytes.fromhex("040000008200E00074C5B7101A82E008")
_SINGLE, _SERIES, _EXCEPTION = 0, 1, 3
_FIRST_REQUEST, _FULL_UPDATE = 1, 2
_OUTLOOK_ID_DIGITS_MIN = 80


def calendar_of(raw: bytes, structure: Structure, message_class: str) -> Invitation | None:
    """Return what the calendar in a meeting message says, None for any other message."""
    if structure.calendar_part is None or not message_class.upper().startswith(CLASS):
        return None
    return read_invitation(leaf_text(raw, structure.part(structure.calendar_part), READ_BYTES_MAX))


def meeting_request(invitation: Invitation, received_at: datetime, version: str) -> Element:
    """Return the element for an invitation that was received at a moment."""
    return Email.MeetingRequest(list(_children(invitation, received_at, version)))


def global_object_id(uid: str, instance: datetime | None) -> str:
    """Return the GlobalObjId of an iCalendar UID; one that Outlook made is its own."""
    date = bytes(4)
    if instance is not None:
        date = struct.pack(">HBB", instance.year, instance.month, instance.day)
    if len(uid) >= _OUTLOOK_ID_DIGITS_MIN and uid[:32].upper() == _OBJECT_ID.hex().upper():
        try:
            own = bytes.fromhex(uid)
            return base64.b64encode(own[:16] + date + own[20:]).decode()
        except ValueError:
            pass  # looks like one of Outlook's and is none
    data = b"vCal-Uid\1\0\0\0" + uid.encode("utf-8", "replace") + b"\0"
    head = _OBJECT_ID + date + bytes(16) + struct.pack("<I", len(data))
    return base64.b64encode(head + data).decode()


def time_zone(rules: Rules) -> str:
    """Return a zone as 172 bytes in base64, without names, as phones themselves write it."""
    has_summer = rules.to_standard is not None and rules.to_daylight is not None
    blob = struct.pack(
        "<i64s16si64s16si",
        -rules.standard,
        b"",
        _system_time(rules.to_standard if has_summer else None),
        0,
        b"",
        _system_time(rules.to_daylight if has_summer else None),
        rules.standard - rules.daylight if has_summer else 0,
    )
    return base64.b64encode(blob).decode()


def _system_time(switch: Switch | None) -> bytes:
    if switch is None:
        return bytes(16)
    return struct.pack("<8H", 0, switch.month, switch.weekday, switch.week, switch.hour, switch.minute, 0, 0)


def _children(invitation: Invitation, received_at: datetime, version: str) -> Iterator[Element]:
    """Yield the children in the order clients know."""
    is_exception = invitation.recurrence_id is not None
    start, end = invitation.original or (invitation.start, invitation.end)
    yield Email.AllDayEvent(invitation.is_all_day)
    yield Email.StartTime(_date_time(start))
    yield Email.DtStamp(_date_time(invitation.stamp or received_at))
    yield Email.EndTime(_date_time(end))
    yield Email.InstanceType(_EXCEPTION if is_exception else _SERIES if invitation.recurrence else _SINGLE)
    if invitation.location:
        yield _location(invitation.location, version)
    organizer = invitation.organizer
    people = [] if organizer is None else [Address(organizer.name, organizer.address)]
    yield Email.Organizer(format_addresses_for_display(people))
    if invitation.recurrence_id is not None:
        yield Email.RecurrenceId(_date_time(invitation.recurrence_id))
    if invitation.reminder_s is not None:
        yield Email.Reminder(invitation.reminder_s)
    yield Email.ResponseRequested(invitation.is_response_requested)
    if invitation.recurrence is not None and not is_exception:
        yield Email.Recurrences(_recurrence(invitation.recurrence))
    yield Email.Sensitivity(invitation.sensitivity)
    yield Email.BusyStatus(invitation.busy_status)
    yield Email.TimeZone(time_zone(invitation.rules))
    if not at_least(version, "16.0"):
        yield Email.GlobalObjId(global_object_id(invitation.uid, invitation.recurrence_id))
    yield Email.DisallowNewTimeProposal(invitation.disallows_counter)
    if invitation.method == "REQUEST":
        yield Email2.MeetingMessageType(_FULL_UPDATE if invitation.sequence else _FIRST_REQUEST)
    else:
        yield Email2.MeetingMessageType(0)
    if at_least(version, "16.0"):
        yield Calendar.UID(invitation.uid)
    if invitation.method == "COUNTER":
        yield MeetingResponse.ProposedStartTime(compact(invitation.start))
        yield MeetingResponse.ProposedEndTime(compact(invitation.end))


def _location(text: str, version: str) -> Element:
    if at_least(version, "16.0"):
        return AirSyncBase.Location(AirSyncBase.DisplayName(text))
    return Email.Location(text)


def _recurrence(rule: Recurrence) -> Element:
    """Return a Recurrence. Source: MS-ASEMAIL 2.2.2.60 Recurrence."""
    has_calendar = rule.type in (1, 2, 3, 5, 6)
    values = (
        (Email.Type, rule.type),
        (Email.Interval, rule.interval),
        (Email.Until, None if rule.until is None else _date_time(rule.until)),
        (Email.Occurrences, rule.occurrences),
        (Email.WeekOfMonth, rule.week_of_month),
        (Email.DayOfMonth, rule.day_of_month),
        (Email.DayOfWeek, rule.day_of_week),
        (Email.MonthOfYear, rule.month_of_year),
        (Email2.CalendarType, 0 if has_calendar else None),
        (Email2.IsLeapMonth, 0),  # no calendar with leap months is ever named
        (Email2.FirstDayOfWeek, rule.first_day_of_week),
    )
    return Email.Recurrence([tag(value) for tag, value in values if value is not None])


def _date_time(moment: datetime) -> str:
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"
