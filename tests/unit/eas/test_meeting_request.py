"""Invitations in the mail: times, people, recurrence and ids as phones want them; hostile ones harmless."""

import time

import pytest

from appliance.eas.content.meeting_request import global_object_id, time_zone
from appliance.ical.invitation import read_invitation
from appliance.ical.zones import named_zone, rules_of_zone
from appliance.wbxml.codepages import AirSync, AirSyncBase, Calendar, Email, Email2
from tests.covers import covers
from tests.unit.eas.world import Phone

UID = "7F2D14AA-0001-4321-99AA-0C0000000001"
GLOBAL_ID = (
    "BAAAAIIA4AB0xbcQGoLgCAAAAAAAAAAAAAAAAAAAAAAAAAAAMQAAAHZDYWwtVWlkAQAAADdGMkQxNEFBLTAwMDEtNDMyMS05OUFBLTBD"
    "MDAwMDAwMDAwMQA="
)
BERLIN = (
    "xP///wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAoAAAAFAAMAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAMAAAAFAAIAAAAAAAAAxP///w=="
)
ZONE = """BEGIN:VTIMEZONE
TZID:Office
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


def event(*lines, method="REQUEST", zone="Europe/Berlin"):
    return (
        f"BEGIN:VCALENDAR\nMETHOD:{method}\nBEGIN:VEVENT\nUID:{UID}\nDTSTAMP:20260303T072958Z\n"
        f"DTSTART;TZID={zone}:20260310T090000\nDTEND;TZID={zone}:20260310T100000\n"
        'ORGANIZER;CN="Jo B":mailto:jo@partner.example\n' + "".join(f"{line}\n" for line in lines)
    ) + f"END:VEVENT\n{ZONE}END:VCALENDAR\n"


def mail(calendar, method="REQUEST"):
    head = "From: jo@partner.example\r\nSubject: Jour fixe\r\nMIME-Version: 1.0\r\n"
    return (
        f'{head}Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\ntext\r\n--b\r\n"
        f"Content-Type: text/calendar; charset=utf-8; method={method}\r\n\r\n{calendar}\r\n--b--\r\n"
    ).encode()


def seen(phone, inbox, calendar, *, version="14.1", method="REQUEST"):
    """Return the ApplicationData of an invitation as a phone of that version gets it."""
    phone.server.file_raw(phone.account, inbox, mail(calendar, method))
    other = Phone(phone.server, phone.account, "device9", version)
    other.keys[inbox] = "0"
    other.sync(inbox)
    return other.sync(inbox).data(AirSync.Add)


@covers("MS-ASCMD_R5068", "MS-ASCMD_R5828", "MS-ASCMD_R5085", "MS-ASCMD_R5082")
def test_invitation_says_when_where_and_who(phone, inbox):
    alarm = ("BEGIN:VALARM", "TRIGGER:-PT15M", "END:VALARM")
    data = seen(phone, inbox, event("LOCATION:Raum 2", "RRULE:FREQ=WEEKLY;BYDAY=TU", *alarm))
    meeting = data.require(Email.MeetingRequest)
    values = {child.tag.name: child.text for child in meeting}
    assert values | {"Recurrences": "", "TimeZone": "", "GlobalObjId": ""} == {
        "AllDayEvent": "0",
        "StartTime": "2026-03-10T08:00:00.000Z",
        "DtStamp": "2026-03-03T07:29:58.000Z",
        "EndTime": "2026-03-10T09:00:00.000Z",
        "InstanceType": "1",
        "Location": "Raum 2",
        "Organizer": '"Jo B" <jo@partner.example>',
        "Reminder": "900",
        "ResponseRequested": "1",
        "Recurrences": "",
        "Sensitivity": "0",
        "BusyStatus": "2",
        "TimeZone": "",
        "GlobalObjId": "",
        "DisallowNewTimeProposal": "0",
        "MeetingMessageType": "1",
    }
    assert (values["TimeZone"], values["GlobalObjId"]) == (BERLIN, GLOBAL_ID)
    rule = meeting.require(Email.Recurrences).require(Email.Recurrence)
    assert [(child.tag.name, child.text) for child in rule] == [
        ("Type", "1"),
        ("Interval", "1"),
        ("DayOfWeek", "4"),
        ("CalendarType", "0"),
        ("IsLeapMonth", "0"),
        ("FirstDayOfWeek", "1"),
    ]
    assert data.text_of(Email.MessageClass) == "IPM.Schedule.Meeting.Request"
    assert data.text_of(Email.ContentClass) == "urn:content-classes:calendarmessage"


def test_version_16_has_other_forms_of_id_and_place(phone, inbox):
    meeting = seen(phone, inbox, event("LOCATION:Raum 2"), version="16.1").require(Email.MeetingRequest)
    assert meeting.text_of(Calendar.UID) == UID
    assert meeting.require(AirSyncBase.Location).text_of(AirSyncBase.DisplayName) == "Raum 2"
    assert meeting.find(Email.GlobalObjId) is None
    assert meeting.find(Email.Location) is None


def test_zone_of_the_calendar_itself_is_understood(phone, inbox):
    meeting = seen(phone, inbox, event(zone="Office")).require(Email.MeetingRequest)
    assert meeting.text_of(Email.StartTime) == "2026-03-10T08:00:00.000Z"
    assert meeting.text_of(Email.TimeZone) == BERLIN


def test_cancelled_instance_names_its_original_start(phone, inbox):
    calendar = event("RECURRENCE-ID:20260317T080000Z", "SEQUENCE:2", method="CANCEL")
    data = seen(phone, inbox, calendar, method="CANCEL")
    meeting = data.require(Email.MeetingRequest)
    assert data.text_of(Email.MessageClass) == "IPM.Schedule.Meeting.Canceled"
    assert meeting.text_of(Email.InstanceType) == "3"
    assert meeting.text_of(Email.RecurrenceId) == "2026-03-17T08:00:00.000Z"
    assert meeting.text_of(Email2.MeetingMessageType) == "0"


def test_answer_is_shown_as_one(phone, inbox):
    calendar = event("ATTENDEE;PARTSTAT=ACCEPTED:mailto:a@example.test", method="REPLY")
    data = seen(phone, inbox, calendar, method="REPLY")
    assert data.text_of(Email.MessageClass) == "IPM.Schedule.Meeting.Resp.Pos"
    assert data.require(Email.MeetingRequest).text_of(Email.StartTime) == "2026-03-10T08:00:00.000Z"


def test_update_is_told_from_the_first_request(phone, inbox):
    meeting = seen(phone, inbox, event("SEQUENCE:1")).require(Email.MeetingRequest)
    assert meeting.text_of(Email2.MeetingMessageType) == "2"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=5", (0, 5, None, None, None, None)),
        ("FREQ=MONTHLY;BYMONTHDAY=15", (2, None, None, 15, None, None)),
        ("FREQ=MONTHLY;BYDAY=2TU", (3, None, 2, None, 4, None)),
        ("FREQ=MONTHLY;BYDAY=FR;BYSETPOS=-1", (3, None, 5, None, 32, None)),
        ("FREQ=YEARLY", (5, None, None, 10, None, 3)),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=-1TH", (6, None, 5, None, 16, 11)),
    ],
)
def test_rules_become_patterns(rule, expected):
    found = read_invitation(event(f"RRULE:{rule}")).recurrence
    assert expected == (
        found.type,
        found.occurrences,
        found.week_of_month,
        found.day_of_month,
        found.day_of_week,
        found.month_of_year,
    )


@pytest.mark.parametrize(
    "rule", ["FREQ=SECONDLY", "FREQ=MONTHLY;BYDAY=1MO,3MO", "x", "FREQ=MONTHLY;BYDAY=MO"]
)
def test_rules_without_words_for_them_are_left_out(rule):
    found = read_invitation(event(f"RRULE:{rule}"))
    assert found.recurrence is None


def test_zones_agree_with_their_vectors():
    assert time_zone(rules_of_zone(named_zone("Europe/Berlin"), 2026)) == BERLIN
    assert time_zone(rules_of_zone(named_zone("W. Europe Standard Time"), 2026)) == BERLIN
    kolkata = time_zone(rules_of_zone(named_zone("Asia/Kolkata"), 2026))
    assert kolkata.startswith("tv7//wAA") and len(kolkata) == len(BERLIN)


def test_ids_of_outlook_are_their_own():
    head = "040000008200E00074C5B7101A82E00807EA0311"
    own = f"{head}{'00' * 16}1000000000112233445566778899AABBCCDDEEFF"
    assert global_object_id(own, None).startswith("BAAAAIIA4AB0xbcQGoLgCAAAAAAA")
    assert global_object_id(UID, None) == GLOBAL_ID


@pytest.mark.parametrize(
    "calendar",
    [
        "",
        "BEGIN:VCALENDAR\n" * 50_000,
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:99999999T999999Z\nEND:VEVENT\nEND:VCALENDAR",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:00010101T000000\nDURATION:P99999D\nEND:VEVENT\nEND:VCALENDAR",
        event("X" + ";A=" * 60_000 + ":b"),
        event("RRULE:" + "BYDAY=MO," * 20_000),
        event("SUMMARY:a\n " + "b\n " * 60_000),
        event('ORGANIZER;CN="' + "x" * 100_000),
        event(zone="../../etc/passwd"),
        event("SEQUENCE:" + "9" * 5_000, "BEGIN:VALARM", "TRIGGER:-P" + "9" * 5_000 + "D", "END:VALARM"),
    ],
)
def test_hostile_calendar_costs_milliseconds_and_blocks_nothing(phone, inbox, calendar):
    started = time.perf_counter()
    read_invitation(calendar)
    assert time.perf_counter() - started < 0.5
    data = seen(phone, inbox, calendar)
    assert data.text_of(Email.Subject) == "Jour fixe"
