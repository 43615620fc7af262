"""What an attendee answers an invitation: the REPLY, or the COUNTER that proposes another time. Pure.

The answer names the meeting as the invitation did: its UID, RECURRENCE-ID, SEQUENCE and ORGANIZER are
copied, because by these the organizer's calendar finds it. Who answers stands as he was invited.

Source: RFC 5546 3.2.3 REPLY, 3.2.7 COUNTER; MS-OXCICAL 2.1.3.1.1.20 (X-MS-OLK-ORIGINALSTART, …END).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from appliance.ical.invitation import Invitation, Person, main_event, of_event
from appliance.ical.occurrences import time_property
from appliance.ical.reading import Component, Property, read
from appliance.ical.writing import calendar_of, moment_property, text_property, write

COMMENT_CHARS_MAX = 10_000


class Participation(StrEnum):
    """RFC 5545 3.2.12 Participation Status, as far as an answer may have it."""

    ACCEPTED = "ACCEPTED"
    TENTATIVE = "TENTATIVE"
    DECLINED = "DECLINED"


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says to an invitation. proposed: start and end he would like better."""

    attendee: Person
    participation: Participation
    comment: str = ""
    proposed: tuple[datetime, datetime] | None = None

    @property
    def method(self) -> str:
        """The iTIP method that says it."""
        return "REPLY" if self.proposed is None else "COUNTER"


def write_answer(text: str, answer: Answer, now: datetime) -> str | None:
    """Return the calendar that answers the invitation in a calendar; None when there is none in it.

    now: aware, becomes the DTSTAMP by which a later answer is told from an earlier one.
    """
    calendar = read(text)
    event = None if calendar is None else main_event(calendar)
    invitation = None if calendar is None or event is None else of_event(calendar, event)
    if calendar is None or event is None or invitation is None:
        return None
    try:
        said = Component("VEVENT", list(_properties(event, invitation, answer, now)))
    except OverflowError:  # in the last hours of the year 9999
        return None
    return write(calendar_of(answer.method, *_zones(calendar, event), said))


def _properties(
    event: Component, invitation: Invitation, answer: Answer, now: datetime
) -> Iterator[Property]:
    for name in ("UID", "RECURRENCE-ID"):
        if (found := event.get(name)) is not None:
            yield found
    yield moment_property("DTSTAMP", now)
    if (organizer := event.get("ORGANIZER")) is not None:
        yield organizer
    yield Property("ATTENDEE", f"mailto:{answer.attendee.address}", _about(answer))
    yield event.get("SEQUENCE") or Property("SEQUENCE", "0", {})
    yield from _times(invitation, answer)
    for name in ("SUMMARY", "LOCATION"):
        if (found := event.get(name)) is not None:
            yield found
    if answer.comment.strip():
        yield text_property("COMMENT", answer.comment[:COMMENT_CHARS_MAX])


def _about(answer: Answer) -> dict[str, str]:
    name = {"CN": answer.attendee.name} if answer.attendee.name else {}
    return {"PARTSTAT": str(answer.participation)} | name


def _times(invitation: Invitation, answer: Answer) -> Iterator[Property]:
    if answer.proposed is None:
        yield time_property("DTSTART", invitation.start, invitation)
        yield time_property("DTEND", invitation.end, invitation)
        return
    start, end = answer.proposed
    yield moment_property("DTSTART", start)
    yield moment_property("DTEND", end)
    yield moment_property("X-MS-OLK-ORIGINALSTART", invitation.start)
    yield moment_property("X-MS-OLK-ORIGINALEND", invitation.end)


def _zones(calendar: Component, event: Component) -> list[Component]:
    """Return the time zone the RECURRENCE-ID is in; all other times are written in UTC."""
    repeated = event.get("RECURRENCE-ID")
    name = repeated.parameters.get("TZID") if repeated is not None else None
    return [zone for zone in calendar.all("VTIMEZONE") if name and zone.text("TZID") == name][:1]
