"""Flags as devices set them: for follow up, as a task, complete, cleared; and what is refused."""

from datetime import UTC, datetime

import pytest

from appliance import db
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, Email, Tasks
from tests.covers import covers
from tests.unit.eas.world import Phone

MONDAY, FRIDAY = "2026-03-02T09:00:00.000Z", "2026-03-06T17:00:00.000Z"
START, DUE = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 6, 17, tzinfo=UTC)
ACTIVE = (Email.Status(2), Email.FlagType("Flag for follow up"))
DATES = (
    *(Tasks.StartDate(MONDAY), Tasks.DueDate(FRIDAY)),
    *(Tasks.UtcStartDate(MONDAY), Tasks.UtcDueDate(FRIDAY)),
)
REMINDER = (Tasks.ReminderSet(1), Tasks.ReminderTime(MONDAY))
DONE = (Email.Status(1), Email.CompleteTime(FRIDAY), Tasks.DateCompleted(FRIDAY))
INVITATION = (
    b"Subject: meet\r\nMIME-Version: 1.0\r\nContent-Type: text/calendar; method=%s\r\n\r\n"
    b"BEGIN:VCALENDAR\r\nMETHOD:%s\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260310T080000Z\r\n"
    b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:x@example.net\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@pytest.fixture
def item(phone, inbox):
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    return item


def flagged(phone, inbox, item, *children):
    """Flag a message on the phone; return the item's Status and the flag that is stored then."""
    data = AirSync.ApplicationData(Email.Flag(*children))
    told = phone.sync(inbox, commands=[AirSync.Change(AirSync.ServerId(str(item)), data)])
    (status,) = [r.int_of(AirSync.Status) for r in told.responses] or [1]
    with db.connection():
        return status, messages.get(phone.account.id, item).flag


def as_seen_by_another(phone, inbox):
    other = Phone(phone.server, phone.account, "device2")
    other.keys[inbox] = "0"
    other.sync(inbox)
    flag = other.sync(inbox).data(AirSync.Add).require(Email.Flag)
    return {child.tag.name: child.text for child in flag}


@covers("MS-ASEMAIL_R940", "MS-ASEMAIL_R1021")
def test_mail_is_flagged_with_its_dates(phone, inbox, item):
    status, flag = flagged(phone, inbox, item, *ACTIVE, *DATES)
    assert (status, flag.status, flag.start_date, flag.utc_due_date) == (1, 2, START, DUE)
    assert as_seen_by_another(phone, inbox) == {
        "Status": "2",
        "FlagType": "Flag for follow up",
        "StartDate": MONDAY,
        "DueDate": FRIDAY,
        "UtcStartDate": MONDAY,
        "UtcDueDate": FRIDAY,
    }


@covers("MS-ASEMAIL_R942", "MS-ASEMAIL_R692", "MS-ASEMAIL_R1007")
def test_mail_becomes_a_task_with_a_reminder(phone, inbox, item):
    order = Tasks.OrdinalDate(MONDAY), Tasks.SubOrdinalDate("anything: 5555")
    flagged(phone, inbox, item, *ACTIVE, *DATES, *REMINDER, Tasks.Subject("call back"), *order)
    seen = as_seen_by_another(phone, inbox)
    assert (seen["Subject"], seen["ReminderSet"], seen["ReminderTime"]) == ("call back", "1", MONDAY)
    assert (seen["OrdinalDate"], seen["SubOrdinalDate"]) == (MONDAY, "anything: 5555")


@covers("MS-ASEMAIL_R1072", "MS-ASEMAIL_R693")
@pytest.mark.parametrize("reminder", [(), (Tasks.ReminderSet(0),)], ids=["absent", "0"])
def test_no_reminder(phone, inbox, item, reminder):
    flagged(phone, inbox, item, *ACTIVE, *DATES, *reminder)
    assert as_seen_by_another(phone, inbox).get("ReminderSet", "0") == "0"


@covers("MS-ASEMAIL_R334", "MS-ASEMAIL_R336", "MS-ASEMAIL_R87")
def test_a_task_is_completed_with_both_of_its_dates(phone, inbox, item):
    flagged(phone, inbox, item, *ACTIVE, *DATES, *REMINDER, Tasks.Subject("call back"))
    for missing in (DONE[:2], (DONE[0], DONE[2]), DONE[:1]):
        status, flag = flagged(phone, inbox, item, *missing)
        assert (status, flag.status) == (6, 2)
    status, flag = flagged(phone, inbox, item, *DONE)
    assert (status, flag.status, flag.complete_time, flag.date_completed) == (1, 1, DUE, DUE)
    seen = as_seen_by_another(phone, inbox)
    assert (seen["Status"], seen["CompleteTime"], seen["DateCompleted"]) == ("1", FRIDAY, FRIDAY)


@covers("MS-ASEMAIL_R89", "MS-ASEMAIL_R8900")
@pytest.mark.parametrize("cleared", [(), (Email.Status(0),)], ids=["empty", "0"])
def test_a_task_is_cleared(phone, inbox, item, cleared):
    flagged(phone, inbox, item, *ACTIVE, *DATES, *REMINDER, Tasks.Subject("call back"))
    assert flagged(phone, inbox, item, *cleared) == (1, None)
    assert as_seen_by_another(phone, inbox) == {}


@covers("MS-ASEMAIL_R90", "MS-ASEMAIL_R91")
@pytest.mark.parametrize("task", [(), (*REMINDER, Tasks.Subject("before"))], ids=["mail", "task"])
def test_details_are_changed(phone, inbox, item, task):
    flagged(phone, inbox, item, *ACTIVE, *DATES, *task)
    later = (*ACTIVE, *DATES[:1], Tasks.DueDate("2026-03-09T17:00:00.000Z"), *DATES[2:])
    flagged(phone, inbox, item, *later, Tasks.Subject("after"))
    seen = as_seen_by_another(phone, inbox)
    assert (seen["Subject"], seen["DueDate"]) == ("after", "2026-03-09T17:00:00.000Z")


@covers("MS-ASEMAIL_R470", "MS-ASEMAIL_R1058")
@pytest.mark.parametrize("method", [b"REQUEST", b"REPLY"])
def test_a_meeting_message_needs_no_type(phone, inbox, method):
    item = phone.server.file_raw(phone.account, inbox, INVITATION % (method, method))
    phone.prime(inbox)
    status, flag = flagged(phone, inbox, item, Email.Status(2))
    assert (status, flag.status) == (1, 2)


def dates(start=MONDAY, due=FRIDAY, utc_start=MONDAY, utc_due=FRIDAY):
    pairs = zip(
        (Tasks.StartDate, Tasks.DueDate, Tasks.UtcStartDate, Tasks.UtcDueDate),
        (start, due, utc_start, utc_due),
        strict=True,
    )
    return [tag(text) for tag, text in pairs if text is not None]


@covers("MS-ASEMAIL_R406", "MS-ASEMAIL_R407", "MS-ASEMAIL_R738", "MS-ASEMAIL_R739", "MS-ASEMAIL_R741")
@covers("MS-ASEMAIL_R850", "MS-ASEMAIL_R851", "MS-ASEMAIL_R861", "MS-ASEMAIL_R862")
@covers("MS-ASEMAIL_R409", "MS-ASEMAIL_R853", "MS-ASEMAIL_R864", "MS-ASEMAIL_R702", "MS-ASEMAIL_R757")
@pytest.mark.parametrize(
    "children",
    [
        (*ACTIVE, *dates(start=FRIDAY, due=MONDAY)),
        (*ACTIVE, *dates(utc_start=FRIDAY, utc_due=MONDAY)),
        (*ACTIVE, *dates(start=None)),
        (*ACTIVE, *dates(due=None)),
        (*ACTIVE, *dates(utc_start=None)),
        (*ACTIVE, *dates(utc_due=None)),
        (*ACTIVE, *dates(), Tasks.ReminderSet(1)),
        (Email.Status(3),),
        (Email.Status(-1),),
    ],
    ids=["order", "UTC order", "start", "due", "UTC start", "UTC due", "reminder", "3", "-1"],
)
def test_what_contradicts_itself_is_refused_and_changes_nothing(phone, inbox, item, children):
    before = flagged(phone, inbox, item, *ACTIVE)[1]
    assert flagged(phone, inbox, item, *children) == (6, before)


@covers("MS-ASEMAIL_R581", "MS-ASEMAIL_R634", "MS-ASEMAIL_R697", "MS-ASEMAIL_R706", "MS-ASEMAIL_R746")
@covers("MS-ASEMAIL_R761", "MS-ASEMAIL_R777", "MS-ASEMAIL_R858", "MS-ASEMAIL_R869")
@pytest.mark.parametrize(
    "twice",
    [
        *DATES,
        *REMINDER,
        *(Email.Status(2), Tasks.OrdinalDate(MONDAY), Tasks.SubOrdinalDate("a")),
    ],
    ids=lambda element: element.tag.name,
)
def test_a_child_that_comes_twice_is_no_fault(phone, inbox, item, twice):
    children = [child for child in (*ACTIVE, *DATES, *REMINDER) if child.tag is not twice.tag]
    status, flag = flagged(phone, inbox, item, *children, twice, twice)
    assert (status, flag.status) == (1, 2)
