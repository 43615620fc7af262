"""Which moments a series has, and one of them as an invitation of its own. Pure.

A moment is judged, not searched for: its day must be one of the pattern's, its time of day that of the
series in its zone. The zone's rules are those of the year in which the series begins.
Source: RFC 5545 3.8.4.4 Recurrence ID, 3.8.5.3 Recurrence Rule; MS-ASCAL 2.2.2.37 Recurrence.
"""

import calendar as months
from datetime import UTC, date, datetime, timedelta

from appliance.ical.invitation import Invitation, Recurrence, main_event, moment_of, of_event
from appliance.ical.reading import Component, Property, read
from appliance.ical.writing import calendar_of, date_property, moment_property, write
from appliance.ical.zones import Rules, as_tzinfo

YEARS_MAX = 30
"""How far from its start a series is followed; a count is found by walking over its days."""

_LAST_WEEK = 5
_DAY = timedelta(days=1)
_OF_A_SERIES = ("RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID", "DTSTART", "DTEND", "DURATION")


def occurs_at(invitation: Invitation, moment: datetime) -> bool:
    """Tell whether a series has, or had before an exception, an occurrence that starts at a moment.

    A pattern ActiveSync has no words for is taken at its time of day.
    """
    if not invitation.is_series or moment < invitation.start or moment in invitation.excluded:
        return False
    try:
        first, local = _local(invitation.start, invitation.rules), _local(moment, invitation.rules)
    except OverflowError:  # in the last hours of the year 9999
        return False
    if local.time() != first.time() or local.date() - first.date() > 366 * YEARS_MAX * _DAY:
        return False
    rule = invitation.recurrence
    return rule is None or _is_one_of(rule, first.date(), local.date(), moment)


def occurrence(text: str, start: datetime) -> str | None:
    """Return the invitation to one occurrence of the series in a calendar, by its original start.

    An exception that came with the series is taken as it is. None when there is no such occurrence.
    """
    calendar = read(text)
    event = None if calendar is None else main_event(calendar)
    series = None if calendar is None or event is None else of_event(calendar, event)
    if calendar is None or event is None or series is None or not occurs_at(series, start):
        return None
    for other in calendar.all("VEVENT"):
        if other is not event and moment_of(other.get("RECURRENCE-ID"), calendar) == start:
            return write(calendar_of("REQUEST", *calendar.all("VTIMEZONE"), other))
    try:
        return write(calendar_of("REQUEST", _single(event, series, start)))
    except OverflowError:
        return None


def _single(event: Component, series: Invitation, start: datetime) -> Component:
    end = start + (series.end - series.start)
    kept = [found for found in event.properties if found.name not in _OF_A_SERIES]
    times = (("RECURRENCE-ID", start), ("DTSTART", start), ("DTEND", end))
    own = [time_property(name, moment, series) for name, moment in times]
    return Component(event.name, own + kept, event.children)


def time_property(name: str, moment: datetime, invitation: Invitation) -> Property:
    """Return a time of an event: a moment, or the day in its zone when the event has no hours."""
    if invitation.is_all_day:
        return date_property(name, _local(moment, invitation.rules).date())
    return moment_property(name, moment)


def _local(moment: datetime, rules: Rules) -> datetime:
    """Return a moment on the clocks of a zone, without the zone."""
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    for minutes in (rules.daylight, rules.standard):
        local = naive + timedelta(minutes=minutes)
        if as_tzinfo(rules, local).utcoffset(None) == timedelta(minutes=minutes):
            return local
    return naive + timedelta(minutes=rules.standard)


def _is_one_of(rule: Recurrence, first: date, day: date, moment: datetime) -> bool:
    if rule.until is not None and moment > rule.until:
        return False
    if not _falls_on(rule, first, day):
        return False
    if rule.occurrences is None:
        return True
    days = ((first + number * _DAY) for number in range((day - first).days + 1))
    return sum(each == first or _falls_on(rule, first, each) for each in days) <= rule.occurrences


def _falls_on(rule: Recurrence, first: date, day: date) -> bool:
    """Tell whether a pattern that begins on one day falls on another."""
    if rule.type == 0:
        return (day - first).days % rule.interval == 0
    if rule.type == 1:
        return _weeks(first, day, rule.first_day_of_week or 0) % rule.interval == 0 and _has_day(rule, day)
    if rule.type in (2, 3):
        apart = 12 * (day.year - first.year) + day.month - first.month
        return apart % rule.interval == 0 and _has_place(rule, day)
    is_year = (day.year - first.year) % rule.interval == 0 and day.month == rule.month_of_year
    return is_year and _has_place(rule, day)


def _has_place(rule: Recurrence, day: date) -> bool:
    """Tell whether a day is the pattern's day of its month."""
    if rule.day_of_month is not None:
        return day.day == min(rule.day_of_month, _length(day))
    days = [each for n in range(_length(day)) if _has_day(rule, each := day.replace(day=n + 1))]
    week = rule.week_of_month or 1
    return day in (days[-1:] if week == _LAST_WEEK else days[week - 1 : week])


def _has_day(rule: Recurrence, day: date) -> bool:
    return bool((rule.day_of_week or 0) >> day.isoweekday() % 7 & 1)


def _weeks(first: date, day: date, first_day: int) -> int:
    """Return how many beginnings of a week lie between two days."""
    begin = first.toordinal() - (first.isoweekday() - first_day) % 7  # may lie before the first of all days
    return (day.toordinal() - begin) // 7


def _length(day: date) -> int:
    return months.monthrange(day.year, day.month)[1]
