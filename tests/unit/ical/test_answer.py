"""Answers to invitations: they name the meeting as it was named, and no text breaks out of its line."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.ical.answer import Answer, Participation, write_answer
from appliance.ical.invitation import Person, read_invitation
from appliance.ical.reading import read
from appliance.ical.writing import folded, text_property, write

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANNA = Person("Anna", "anna@example.test")
ZONE = """BEGIN:VTIMEZONE
TZID:Office
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""


def calendar(*lines, start="DTSTART:20260310T080000Z", uid="one@x.example"):
    return (
        f"BEGIN:VCALENDAR\nMETHOD:REQUEST\n{ZONE}BEGIN:VEVENT\nUID:{uid}\n{start}\n"
        'ORGANIZER;SENT-BY="mailto:desk@x.example";CN="Jo, the boss":mailto:jo@x.example\nSUMMARY:Tea\n'
        + "".join(f"{line}\n" for line in lines)
        + "END:VEVENT\nEND:VCALENDAR\n"
    )


def said(text, **rest):
    answer = Answer(ANNA, Participation.ACCEPTED, **rest)
    written = write_answer(text, answer, NOW)
    assert written is not None
    return written.replace("\r\n ", "").splitlines()


def test_a_reply_is_complete():
    assert said(calendar("DURATION:PT1H", "SEQUENCE:2")) == [
        "BEGIN:VCALENDAR",
        "PRODID:-//365 Email Appliance//EN",
        "VERSION:2.0",
        "METHOD:REPLY",
        "BEGIN:VEVENT",
        "UID:one@x.example",
        "DTSTAMP:20260302T120000Z",
        'ORGANIZER;SENT-BY="mailto:desk@x.example";CN="Jo, the boss":mailto:jo@x.example',
        "ATTENDEE;PARTSTAT=ACCEPTED;CN=Anna:mailto:anna@example.test",
        "SEQUENCE:2",
        "DTSTART:20260310T080000Z",
        "DTEND:20260310T090000Z",
        "SUMMARY:Tea",
        "END:VEVENT",
        "END:VCALENDAR",
    ]


def test_a_day_stays_a_day():
    lines = said(calendar(start="DTSTART;VALUE=DATE:20260310"))
    assert "DTSTART;VALUE=DATE:20260310" in lines
    assert "DTEND;VALUE=DATE:20260311" in lines


def test_the_first_year_has_four_figures():
    assert "DTSTART;VALUE=DATE:00010101" in said(calendar(start="DTSTART;VALUE=DATE:00010101"))


def test_the_zone_of_an_occurrence_comes_along():
    lines = said(calendar("RECURRENCE-ID;TZID=Office:20260310T090000"))
    assert "RECURRENCE-ID;TZID=Office:20260310T090000" in lines
    assert lines.count("TZID:Office") == 1
    assert "BEGIN:VTIMEZONE" not in said(calendar())


def test_a_series_is_answered_as_a_whole():
    exception = "END:VEVENT\nBEGIN:VEVENT\nUID:one@x.example\nDTSTART:20260318T080000Z"
    text = calendar("RRULE:FREQ=WEEKLY", exception, "RECURRENCE-ID:20260317T080000Z")
    assert not any(line.startswith("RECURRENCE-ID") for line in said(text))


def test_a_proposal_says_what_it_replaces():
    proposed = (datetime(2026, 3, 11, 8, tzinfo=UTC), datetime(2026, 3, 11, 9, tzinfo=UTC))
    lines = said(calendar("DTEND:20260310T083000Z"), proposed=proposed)
    for line in (
        "METHOD:COUNTER",
        "DTSTART:20260311T080000Z",
        "DTEND:20260311T090000Z",
        "X-MS-OLK-ORIGINALSTART:20260310T080000Z",
        "X-MS-OLK-ORIGINALEND:20260310T083000Z",
    ):
        assert line in lines


@pytest.mark.parametrize("text", ["", "BEGIN:VCALENDAR\nEND:VCALENDAR", calendar(start="DTSTART:never")])
def test_what_is_no_invitation_has_no_answer(text):
    assert write_answer(text, Answer(ANNA, Participation.DECLINED), NOW) is None


@pytest.mark.parametrize("uid", ["040000008200E00074C5B7101A82E008" + "0" * 90, "a\\,b\\;c\\\\d", "ü" * 200])
def test_the_uid_is_the_same_to_the_letter(uid):
    (line,) = (line for line in said(calendar(uid=uid)) if line.startswith("UID:"))
    assert line == f"UID:{uid}"
    assert read_invitation("\n".join(said(calendar(uid=uid)))).uid == read_invitation(calendar(uid=uid)).uid


@given(st.text(max_size=300), st.text(max_size=100), st.text(max_size=60))
def test_no_comment_or_name_breaks_out_of_its_line(comment, name, address):
    answer = Answer(Person(name, address), Participation.TENTATIVE, comment)
    written = write_answer(calendar(), answer, NOW)
    assert written is not None
    assert all(len(line.encode("utf-8")) <= 75 for line in written.split("\r\n"))
    found = read(written)
    assert [prop.name for prop in found.properties] == ["PRODID", "VERSION", "METHOD"]
    (event,) = found.all("VEVENT")
    assert event.text("UID") == "one@x.example"
    names = [prop.name for prop in event.properties]
    assert names.count("ATTENDEE") == 1 and names.count("COMMENT") <= 1


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=300))
def test_folding_loses_nothing(line):
    pieces = folded(line).split("\r\n ")
    assert "".join(pieces) == line
    assert all(len(piece.encode()) <= 75 for piece in pieces)


def test_text_comes_back_as_it_was():
    text = "one, two; three\\four\nfive"
    lines = "\n".join(("BEGIN:VCALENDAR", "X:y", "END:VCALENDAR"))
    document = read(lines)
    document.properties.append(text_property("COMMENT", text))
    assert read(write(document)).text("COMMENT") == text
