"""What an invitation, its answer or its cancellation says. Pure.

Reads the first event of a calendar that came by mail (iMIP); recurrences as far as ActiveSync can say them.
Source: RFC 5545 3.6.1 Event Component, 3.8.5.3 Recurrence Rule; RFC 5546 3.2 Methods for VEVENT.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from appliance.ical.reading import Component, Property, read
from appliance.ical.zones import (
    UTC_RULES,
    WEEKDAYS,
    Rules,
    as_tzinfo,
    named_zone,
    rules_of_component,
    rules_of_zone,
)

UID_LENGTH_MAX = 1_000
ATTENDEES_MAX = 1_000
_MOMENT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?")
_DURATION = re.compile(
    r"([+-]?)P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?"
)
_DAY = re.compile(r"([+-]?\d{1,2})?(SU|MO|TU|WE|TH|FR|SA)")
_DAY_MAX = timedelta(days=3_650)


@dataclass(frozen=True, slots=True)
class Person:
    """Who is named in a calendar: display name and address, either may be empty."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A rule as MS-ASEMAIL has it; see MS-ASCAL 2.2.2.37 Recurrence for the numbers."""

    type: int
    interval: int = 1
    occurrences: int | None = None
    until: datetime | None = None
    week_of_month: int | None = None
    day_of_month: int | None = None
    day_of_week: int | None = None
    month_of_year: int | None = None
    first_day_of_week: int | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """One event. Moments are aware UTC; `reminder_s` seconds before the start.

    original: of a COUNTER, the time that the organizer had set; start and end are what is proposed.
    """

    method: str
    uid: str
    start: datetime
    end: datetime
    stamp: datetime | None
    is_all_day: bool
    summary: str
    location: str
    organizer: Person | None
    attendees: tuple[Person, ...]
    recurrence_id: datetime | None
    recurrence: Recurrence | None
    excluded: frozenset[datetime]
    is_series: bool
    reminder_s: int | None
    is_response_requested: bool
    sensitivity: int
    busy_status: int
    sequence: int
    disallows_counter: bool
    original: tuple[datetime, datetime] | None
    rules: Rules


def read_invitation(text: str) -> Invitation | None:
    """Return the event of a calendar, None when it has none with a start; never raises."""
    calendar = read(text)
    event = None if calendar is None else main_event(calendar)
    return None if calendar is None or event is None else of_event(calendar, event)


def main_event(calendar: Component) -> Component | None:
    """Return the event a calendar is about: the series rather than one of its exceptions."""
    events = calendar.all("VEVENT")
    return next((e for e in events if e.get("RECURRENCE-ID") is None), events[0] if events else None)


def of_event(calendar: Component, event: Component) -> Invitation | None:
    """Return what an event of a calendar says, None when it has no start; never raises."""
    try:
        return _invitation(calendar, event)
    except (ValueError, OverflowError):
        return None


def moment_of(found: Property | None, calendar: Component) -> datetime | None:
    """Return a DATE or DATE-TIME of a calendar as UTC, None when it is neither; never raises."""
    try:
        return None if found is None else _moment(found, calendar)
    except (ValueError, OverflowError):
        return None


def _invitation(calendar: Component, event: Component) -> Invitation | None:
    begins = event.get("DTSTART")
    start = None if begins is None else _moment(begins, calendar)
    if begins is None or start is None:
        return None
    is_all_day = "T" not in begins.value
    end = _end(event, calendar, start, is_all_day=is_all_day)
    repeated = event.get("RECURRENCE-ID")
    rule = event.text("RRULE")
    return Invitation(
        method=calendar.text("METHOD").upper(),
        uid=one_line(event.text("UID"), UID_LENGTH_MAX),
        start=start,
        end=max(start, end),
        stamp=moment_of(event.get("DTSTAMP"), calendar),
        is_all_day=is_all_day,
        summary=one_line(event.text("SUMMARY")),
        location=one_line(event.text("LOCATION"), 1_024),
        organizer=_person(event.get("ORGANIZER")),
        attendees=_attendees(event),
        recurrence_id=moment_of(repeated, calendar),
        recurrence=_recurrence(rule, begins, calendar) if rule else None,
        excluded=_excluded(event, calendar),
        is_series=bool(rule),
        reminder_s=_reminder(event),
        is_response_requested=_wants_answer(event),
        sensitivity={"PRIVATE": 2, "CONFIDENTIAL": 3}.get(event.text("CLASS").upper(), 0),
        busy_status=_busy_status(event),
        sequence=int(event.text("SEQUENCE")) if event.text("SEQUENCE")[:9].isdecimal() else 0,
        disallows_counter=event.text("X-MICROSOFT-DISALLOW-COUNTER").upper() == "TRUE",
        original=_original(event, calendar),
        rules=_rules(begins, calendar, start.year),
    )


def _zone_component(name: str, calendar: Component) -> Component | None:
    return next((zone for zone in calendar.all("VTIMEZONE") if zone.text("TZID") == name), None)


def _rules(begins: Property, calendar: Component, year: int) -> Rules:
    name = begins.parameters.get("TZID", "") or calendar.text("X-WR-TIMEZONE")
    zone = named_zone(name)
    if zone is not None:
        return rules_of_zone(zone, year)
    component = _zone_component(name, calendar)
    return (rules_of_component(component) if component is not None else None) or UTC_RULES


def _moment(found: Property, calendar: Component) -> datetime | None:
    """Return a DATE or DATE-TIME as UTC, None when it is neither. Raises ValueError, OverflowError."""
    match = _MOMENT.fullmatch(found.value.strip())
    if match is None:
        return None
    hour, minute, second = (int(match[n] or 0) for n in (4, 5, 6))
    clock = time(min(hour, 23), min(minute, 59), min(second, 59))
    local = datetime.combine(date(int(match[1]), int(match[2]), int(match[3])), clock)
    if match[7]:
        return local.replace(tzinfo=UTC)
    zone = named_zone(found.parameters.get("TZID", "") or calendar.text("X-WR-TIMEZONE"))
    if zone is None:
        zone = as_tzinfo(_rules(found, calendar, local.year), local)
    return local.replace(tzinfo=zone).astimezone(UTC)


def _end(event: Component, calendar: Component, start: datetime, *, is_all_day: bool) -> datetime:
    end = moment_of(event.get("DTEND"), calendar)
    if end is not None:
        return end
    length = _duration(event.text("DURATION"))
    return start + (length if length is not None else timedelta(days=1 if is_all_day else 0))


def _duration(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text.strip().upper())
    if match is None or not any(match.groups()[1:]):
        return None
    weeks, days, hours, minutes, seconds = (int(group or 0) for group in match.groups()[1:])
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return min(length, _DAY_MAX) * (-1 if match[1] == "-" else 1)


def _original(event: Component, calendar: Component) -> tuple[datetime, datetime] | None:
    start, end = (moment_of(event.get(f"X-MS-OLK-ORIGINAL{which}"), calendar) for which in ("START", "END"))
    return None if start is None or end is None else (start, end)


def _person(found: Property | None) -> Person | None:
    if found is None:
        return None
    value = found.value.strip()
    address = value[7:] if value[:7].lower() == "mailto:" else value
    return Person(one_line(found.parameters.get("CN", ""), 256), one_line(address, 254))


def _attendees(event: Component) -> tuple[Person, ...]:
    named = [found for found in event.properties if found.name == "ATTENDEE"][:ATTENDEES_MAX]
    return tuple(person for person in map(_person, named) if person is not None)


def _excluded(event: Component, calendar: Component) -> frozenset[datetime]:
    dates = [
        Property(found.name, value, found.parameters)
        for found in event.properties
        if found.name == "EXDATE"
        for value in found.value.split(",")
    ]
    return frozenset(moment for date in dates if (moment := moment_of(date, calendar)) is not None)


def _reminder(event: Component) -> int | None:
    for alarm in event.all("VALARM"):
        trigger = _duration(alarm.text("TRIGGER"))
        if trigger is not None and trigger <= timedelta():
            return int(-trigger.total_seconds())
    return None


def _wants_answer(event: Component) -> bool:
    attendees = [found for found in event.properties if found.name == "ATTENDEE"]
    asked = [a for a in attendees if "RSVP" in a.parameters]
    return not asked or any(a.parameters["RSVP"].upper() == "TRUE" for a in asked)


def _busy_status(event: Component) -> int:
    named = event.text("X-MICROSOFT-CDO-INTENDEDSTATUS") or event.text("X-MICROSOFT-CDO-BUSYSTATUS")
    found = {"FREE": 0, "TENTATIVE": 1, "BUSY": 2, "OOF": 3}.get(named.upper())
    if found is not None:
        return found
    return 0 if event.text("TRANSP").upper() == "TRANSPARENT" else 2


def _recurrence(rule: str, begins: Property, calendar: Component) -> Recurrence | None:
    """Return a rule, None for one ActiveSync has no words for."""
    values = dict(part.split("=", 1) for part in rule.upper().split(";") if "=" in part)
    local = _MOMENT.match(begins.value.strip())
    if local is None:
        return None
    days = [(int(m[1]) if m[1] else 0, WEEKDAYS.index(m[2])) for m in _DAY.finditer(values.get("BYDAY", ""))]
    mask = sum({1 << day for _, day in days})
    weeks = {week for week, _ in days if week} | {_number(values.get("BYSETPOS", "")) or 0} - {0}
    week = 5 if -1 in weeks else next(iter(weeks), 0)
    day_of_month = _number(values.get("BYMONTHDAY", "")) or int(local[3])
    month = _number(values.get("BYMONTH", "")) or int(local[2])
    weekday = 1 << (date(int(local[1]), int(local[2]), int(local[3])).isoweekday() % 7)
    interval = min(max(_number(values.get("INTERVAL", "")) or 1, 1), 999)
    until = values.get("UNTIL", "")
    ends = moment_of(Property("UNTIL", until, begins.parameters), calendar) if until else None
    count = _number(values.get("COUNT", ""))
    occurrences = min(count, 999) if count and count > 0 else None
    until_at = None if occurrences else ends
    frequency = values.get("FREQ", "")
    if len(weeks) > 1 or not (0 <= week <= 5 and -1 <= day_of_month <= 31 and 1 <= month <= 12):
        return None
    day_of_month = 31 if day_of_month == -1 else day_of_month
    if frequency == "DAILY":
        return Recurrence(0, interval, occurrences, until_at)
    if frequency == "WEEKLY":
        first = values.get("WKST", "MO")
        return Recurrence(
            1, interval, occurrences, until_at, day_of_week=mask or weekday,
            first_day_of_week=WEEKDAYS.index(first) if first in WEEKDAYS else 1,
        )  # fmt: skip
    if frequency not in ("MONTHLY", "YEARLY"):
        return None
    yearly = month if frequency == "YEARLY" else None
    if mask and week:
        kind = 3 if yearly is None else 6
        return Recurrence(
            kind, interval, occurrences, until_at, week_of_month=week, day_of_week=mask, month_of_year=yearly
        )
    if mask:
        return None
    kind = 2 if yearly is None else 5
    return Recurrence(kind, interval, occurrences, until_at, day_of_month=day_of_month, month_of_year=yearly)


def _number(text: str) -> int | None:
    match = re.fullmatch(r"[+-]?\d{1,4}", text)
    return None if match is None else int(match[0])


def one_line(text: str, chars_max: int = 2_000) -> str:
    """Return a text without line breaks and what cannot be printed, at most `chars_max` long."""
    words = " ".join(text[: 4 * chars_max].split())
    return "".join(c for c in words if c.isprintable())[:chars_max].strip()
