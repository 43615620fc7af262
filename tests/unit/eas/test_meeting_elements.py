"""The elements of an invitation one by one, and the parts of its GlobalObjId."""

import base64

import pytest

from appliance.wbxml.codepages import AirSync, Calendar, Email, Email2
from tests.covers import covers
from tests.unit.eas.test_meeting_request import UID, event, seen


def meeting(phone, inbox, *lines, version="14.1", **kind):
    return seen(phone, inbox, event(*lines, **kind), version=version).require(Email.MeetingRequest)


def whole_day(start, end):
    return (
        event()
        .replace(";TZID=Europe/Berlin:20260310T090000", f";VALUE=DATE:{start}")
        .replace(";TZID=Europe/Berlin:20260310T100000", f";VALUE=DATE:{end}")
    )


@covers("MS-ASEMAIL_R235", "MS-ASEMAIL_R236")
def test_all_day(phone, inbox):
    found = seen(phone, inbox, whole_day("20260310", "20260311")).require(Email.MeetingRequest)
    assert found.text_of(Email.AllDayEvent) == "1"


VALUES = [
    # what the calendar says, the element, its value
    ((), Email.AllDayEvent, "0"),
    ((), Email.BusyStatus, "2"),
    (("TRANSP:TRANSPARENT",), Email.BusyStatus, "0"),
    (("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE",), Email.BusyStatus, "1"),
    ((), Email.DisallowNewTimeProposal, "0"),
    (("X-MICROSOFT-DISALLOW-COUNTER:TRUE",), Email.DisallowNewTimeProposal, "1"),
    (("BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM"), Email.Reminder, "900"),
    ((), Email.Reminder, None),
    (("ATTENDEE;RSVP=TRUE:mailto:anna@example.test",), Email.ResponseRequested, "1"),
    (("ATTENDEE;RSVP=FALSE:mailto:anna@example.test",), Email.ResponseRequested, "0"),
    (("CLASS:PRIVATE",), Email.Sensitivity, "2"),
    ((), Email.Sensitivity, "0"),
    (("SEQUENCE:3",), Email2.MeetingMessageType, "2"),
    ((), Email2.MeetingMessageType, "1"),
    ((), Email.RecurrenceId, None),
    (("RRULE:FREQ=DAILY",), Email.RecurrenceId, None),
    (("RECURRENCE-ID;TZID=Europe/Berlin:20260303T090000",), Email.RecurrenceId, "2026-03-03T08:00:00.000Z"),
]


@covers("MS-ASEMAIL_R270", "MS-ASEMAIL_R389", "MS-ASEMAIL_R390", "MS-ASEMAIL_R687", "MS-ASEMAIL_R715")
@covers("MS-ASEMAIL_R716", "MS-ASEMAIL_R727", "MS-ASEMAIL_R535", "MS-ASEMAIL_R935", "MS-ASEMAIL_R936")
@covers("MS-ASEMAIL_R679", "MS-ASEMAIL_R1493", "MS-ASEMAIL_R16")
@pytest.mark.parametrize(
    ("lines", "tag", "value"), VALUES, ids=[f"{tag.name}={value}" for _, tag, value in VALUES]
)
def test_values(phone, inbox, lines, tag, value):
    assert meeting(phone, inbox, *lines).text_of(tag) == value


RULES = [
    ("FREQ=WEEKLY;BYDAY=TU;WKST=SU", {"Type": "1", "DayOfWeek": "4", "FirstDayOfWeek": "0"}),
    ("FREQ=DAILY;COUNT=5", {"Type": "0", "Occurrences": "5"}),
    ("FREQ=MONTHLY;BYMONTHDAY=10;INTERVAL=2", {"Type": "2", "DayOfMonth": "10", "Interval": "2"}),
    ("FREQ=MONTHLY;BYDAY=2TU", {"Type": "3", "DayOfWeek": "4", "WeekOfMonth": "2"}),
    ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=10", {"Type": "5", "DayOfMonth": "10", "MonthOfYear": "3"}),
    ("FREQ=YEARLY;BYMONTH=3;BYDAY=-1TU", {"Type": "6", "WeekOfMonth": "5", "MonthOfYear": "3"}),
]


@covers("MS-ASEMAIL_R650", "MS-ASEMAIL_R1067", "MS-ASEMAIL_R417", "MS-ASEMAIL_R625", "MS-ASEMAIL_R365")
@covers("MS-ASEMAIL_R870", "MS-ASEMAIL_R873", "MS-ASEMAIL_R620", "MS-ASEMAIL_R291")
@pytest.mark.parametrize(("rule", "expected"), RULES, ids=[rule for rule, _ in RULES])
def test_when_and_how_often(phone, inbox, rule, expected):
    recurrence = meeting(phone, inbox, f"RRULE:{rule}").require(Email.Recurrences).require(Email.Recurrence)
    values = {child.tag.name: child.text for child in recurrence}
    assert expected.items() <= values.items()
    needs_calendar = expected["Type"] in ("2", "3", "5", "6")
    assert ("CalendarType" in values) or not needs_calendar


@covers("MS-ASEMAIL_R121", "MS-ASEMAIL_R20000", "MS-ASEMAIL_R20011", "MS-ASEMAIL_R1000", "MS-ASEMAIL_R10000")
@covers(
    "MS-ASEMAIL_R1001", "MS-ASEMAIL_R20013", "MS-ASEMAIL_R20016", "MS-ASEMAIL_R20018", "MS-ASEMAIL_R20019"
)
@covers("MS-ASEMAIL_R20021", "MS-ASEMAIL_R20022", "MS-ASEMAIL_R1002", "MS-ASEMAIL_R20001")
@covers("MS-ASEMAIL_R20003", "MS-ASEMAIL_R20005", "MS-ASEMAIL_R20007", "MS-ASEMAIL_R20009")
@pytest.mark.parametrize(
    ("lines", "instance"),
    [((), bytes(4)), (("RECURRENCE-ID;TZID=Europe/Berlin:20260303T090000",), bytes([0x07, 0xEA, 3, 3]))],
    ids=["series", "instance"],
)
def test_the_parts_of_an_object_id(phone, inbox, lines, instance):
    value = base64.b64decode(meeting(phone, inbox, *lines).text_of(Email.GlobalObjId, ""))
    data = b"vCal-Uid" + b"\x01\x00\x00\x00" + UID.encode() + b"\x00"
    assert value[:16].hex().upper() == "040000008200E00074C5B7101A82E008"
    assert value[16:20] == instance
    assert value[20:36] == bytes(16), "when it was made is not known; reserved bytes"
    assert int.from_bytes(value[36:40], "little") == len(data)
    assert value[40:] == data


@covers("MS-ASEMAIL_R20015")
def test_an_id_of_outlook_is_its_own_data(phone, inbox):
    own = "040000008200E00074C5B7101A82E008" + "0" * 40 + "10000000" + "AB" * 16
    calendar = event().replace(UID, own)
    found = seen(phone, inbox, calendar).require(Email.MeetingRequest)
    assert base64.b64decode(found.text_of(Email.GlobalObjId, "")).hex().upper() == own


@covers("MS-ASEMAIL_R531")
def test_the_kind_of_an_invitation_stays_when_a_newer_one_comes(phone, inbox):
    phone.prime(inbox)
    first = meeting(phone, inbox)
    told = phone.sync(inbox)
    meeting(phone, inbox, "SEQUENCE:1")
    again = phone.sync(inbox)
    assert first.text_of(Email2.MeetingMessageType) == "1"
    assert (len(told.of(AirSync.Add)), len(again.of(AirSync.Add))) == (1, 1)
    assert again.of(AirSync.Change) == []


def test_version_16_has_the_plain_id(phone, inbox):
    found = meeting(phone, inbox, version="16.1")
    assert (found.text_of(Calendar.UID), found.find(Email.GlobalObjId)) == (UID, None)
