"""Which moments belong to a series, and one of them as an invitation of its own."""

from datetime import UTC, datetime

import pytest

from appliance.ical.invitation import read_invitation
from appliance.ical.occurrences import occurrence, occurs_at

BERLIN = "DTSTART;TZID=Europe/Berlin:20260310T090000"  # a Tuesday, before summer time


def calendar(rule, *lines, start=BERLIN):
    return (
        f"BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:u\n{start}\nDURATION:PT1H\nRRULE:{rule}\n"
        + "".join(f"{line}\n" for line in lines)
        + "END:VEVENT\nEND:VCALENDAR\n"
    )


def at(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ("FREQ=DAILY", ["2026-03-10 08:00", "2026-03-29 07:00"], ["2026-03-10 07:00", "2026-03-29 08:00"]),
        ("FREQ=DAILY;INTERVAL=3", ["2026-03-13 08:00"], ["2026-03-12 08:00", "2026-03-09 08:00"]),
        ("FREQ=DAILY;COUNT=2", ["2026-03-11 08:00"], ["2026-03-12 08:00"]),
        ("FREQ=DAILY;UNTIL=20260312T080000Z", ["2026-03-12 08:00"], ["2026-03-13 08:00"]),
        ("FREQ=WEEKLY", ["2026-03-17 08:00", "2026-03-31 07:00"], ["2026-03-18 08:00"]),
        ("FREQ=WEEKLY;BYDAY=TU,FR;COUNT=3", ["2026-03-13 08:00", "2026-03-17 08:00"], ["2026-03-20 08:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU", ["2026-03-23 08:00"], ["2026-03-16 08:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=SU", ["2026-03-22 08:00"], ["2026-03-15 08:00"]),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=MO", ["2026-03-15 08:00"], ["2026-03-22 08:00"]),
        ("FREQ=MONTHLY", ["2026-04-10 07:00"], ["2026-04-14 07:00"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31", ["2026-03-31 07:00"], ["2026-05-30 07:00"]),
        ("FREQ=MONTHLY;BYDAY=2TU", ["2026-04-14 07:00"], ["2026-04-07 07:00"]),
        ("FREQ=MONTHLY;BYDAY=-1TU", ["2026-04-28 07:00"], ["2026-04-21 07:00"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1", ["2026-05-01 07:00"], ["2026-05-04 07:00"]),
        ("FREQ=YEARLY", ["2027-03-10 08:00"], ["2027-03-11 08:00", "2060-03-10 08:00"]),
        ("FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", ["2026-11-26 08:00"], ["2026-11-19 08:00"]),
        ("FREQ=SECONDLY", ["2026-03-11 08:00"], ["2026-03-11 09:00"]),
    ],
)
def test_the_moments_of_a_series(rule, yes, no):
    series = read_invitation(calendar(rule))
    assert [occurs_at(series, at(text)) for text in yes] == [True] * len(yes)
    assert [occurs_at(series, at(text)) for text in no] == [False] * len(no)


def test_what_is_excluded_does_not_occur():
    series = read_invitation(
        calendar("FREQ=DAILY", "EXDATE;TZID=Europe/Berlin:20260311T090000,20260312T090000")
    )
    assert not occurs_at(series, at("2026-03-11 08:00"))
    assert not occurs_at(series, at("2026-03-12 08:00"))
    assert occurs_at(series, at("2026-03-13 08:00"))


def test_what_does_not_recur_has_no_occurrences():
    single = read_invitation(calendar("").replace("RRULE:\n", ""))
    assert not occurs_at(single, at("2026-03-10 08:00"))
    assert occurrence(calendar("").replace("RRULE:\n", ""), at("2026-03-10 08:00")) is None


def test_an_occurrence_is_an_invitation_of_its_own():
    found = read_invitation(occurrence(calendar("FREQ=WEEKLY", "SUMMARY:Tea"), at("2026-03-31 07:00")))
    assert (found.method, found.uid, found.summary) == ("REQUEST", "u", "Tea")
    assert found.recurrence_id == found.start == at("2026-03-31 07:00")
    assert found.end == at("2026-03-31 08:00")
    assert not found.is_series


def test_the_end_of_the_calendar_is_no_reason_to_fail():
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert not occurs_at(read_invitation(calendar("FREQ=DAILY")), last)
    late = calendar("FREQ=DAILY", start="DTSTART:99991231T233000Z")
    assert occurrence(late, last.replace(minute=30, second=0)) is None


def test_an_exception_is_taken_as_it_is():
    moved = "END:VEVENT\nBEGIN:VEVENT\nUID:u\nRECURRENCE-ID:20260317T080000Z\nDTSTART:20260318T100000Z"
    found = read_invitation(occurrence(calendar("FREQ=WEEKLY", moved), at("2026-03-17 08:00")))
    assert (found.recurrence_id, found.start) == (at("2026-03-17 08:00"), at("2026-03-18 10:00"))


def test_an_occurrence_of_whole_days_has_no_hours():
    text = calendar("FREQ=DAILY", start="DTSTART;VALUE=DATE:20260310").replace("PT1H", "P1D")
    written = occurrence(text, at("2026-03-12 00:00"))
    for line in ("RECURRENCE-ID", "DTSTART"):
        assert f"{line};VALUE=DATE:20260312" in written
    assert "DTEND;VALUE=DATE:20260313" in written
