"""Time zones of a calendar: moments with an offset, and the two rules of a year. Pure.

A TZID is looked for among the zones the system knows, then among Windows names, then in the calendar's own
VTIMEZONE (its latest standard and daylight rule); what nobody knows is UTC.
Source: RFC 5545 3.6.5 Time Zone Component, MS-ASDTYPE 2.7.6 TimeZone (what a device needs of a zone).
"""

import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache

from appliance.ical.reading import Component

_WINDOWS = {
    "W. Europe Standard Time": "Europe/Berlin",
    "Central Europe Standard Time": "Europe/Budapest",
    "Central European Standard Time": "Europe/Warsaw",
    "Romance Standard Time": "Europe/Paris",
    "GMT Standard Time": "Europe/London",
    "Greenwich Standard Time": "Atlantic/Reykjavik",
    "E. Europe Standard Time": "Europe/Chisinau",
    "FLE Standard Time": "Europe/Kyiv",
    "GTB Standard Time": "Europe/Bucharest",
    "Turkey Standard Time": "Europe/Istanbul",
    "Russian Standard Time": "Europe/Moscow",
    "Eastern Standard Time": "America/New_York",
    "Central Standard Time": "America/Chicago",
    "Mountain Standard Time": "America/Denver",
    "Pacific Standard Time": "America/Los_Angeles",
    "India Standard Time": "Asia/Kolkata",
    "China Standard Time": "Asia/Shanghai",
    "Tokyo Standard Time": "Asia/Tokyo",
    "AUS Eastern Standard Time": "Australia/Sydney",
}
_NAME = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})(?:\d{2})?")
_BY_DAY = re.compile(r"(?:^|;)BYDAY=([+-]?\d)(SU|MO|TU|WE|TH|FR|SA)(?:;|$)", re.I)
_BY_MONTH = re.compile(r"(?:^|;)BYMONTH=(\d{1,2})(?:;|$)", re.I)
_START_TIME = re.compile(r"T(\d{2})(\d{2})")
WEEKDAYS = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch of every year: the nth (5: last) weekday (0: Sunday) of a month, local time before it."""

    month: int
    week: int
    weekday: int
    hour: int
    minute: int


@dataclass(frozen=True, slots=True)
class Rules:
    """A zone as two rules. Offsets in minutes east of UTC; no switches: no summer time."""

    standard: int
    daylight: int = 0
    to_standard: Switch | None = None
    to_daylight: Switch | None = None


UTC_RULES = Rules(0)


def named_zone(name: str) -> tzinfo | None:
    """Return a zone the system knows by this name or its Windows name."""
    name = _WINDOWS.get(name, name)
    if not _NAME.fullmatch(name):
        return None
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


def rules_of_component(zone: Component) -> Rules | None:
    """Return the latest rules of a VTIMEZONE, None when it has none."""
    standard, daylight = (_latest(zone, name) for name in ("STANDARD", "DAYLIGHT"))
    base = standard or daylight
    if base is None:
        return None
    offset = _minutes(base.text("TZOFFSETTO"))
    if standard is None or daylight is None:
        return Rules(offset)
    to_standard, to_daylight = _switch(standard), _switch(daylight)
    if to_standard is None or to_daylight is None:
        return Rules(offset)
    return Rules(offset, _minutes(daylight.text("TZOFFSETTO")), to_standard, to_daylight)


@lru_cache(maxsize=256)
def rules_of_zone(zone: tzinfo, year: int) -> Rules:
    """Return the rules a zone follows in a year, found from its offsets day by day."""
    day, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    changes: list[tuple[datetime, int, int]] = []
    while day < end:
        following = day + timedelta(days=1)
        before, after = _east(zone, day), _east(zone, following)
        if before != after:
            changes.append((_moment(zone, day, following), before, after))
        day = following
    if len(changes) != 2 or changes[0][2] != changes[1][1]:
        return Rules(_east(zone, end))
    up = next((change for change in changes if change[2] > change[1]), changes[0])
    down = next(change for change in changes if change is not up)
    return Rules(up[1], up[2], _as_switch(down), _as_switch(up))


def as_tzinfo(rules: Rules, local: datetime) -> tzinfo:
    """Return the fixed zone that holds at a local time under these rules."""
    minutes = rules.standard
    if rules.to_standard is not None and rules.to_daylight is not None:
        begins = _in_year(rules.to_daylight, local.year)
        ends = _in_year(rules.to_standard, local.year)
        is_summer = begins <= local < ends if begins < ends else not ends <= local < begins
        minutes = rules.daylight if is_summer else rules.standard
    return timezone(timedelta(minutes=minutes))


def _in_year(switch: Switch, year: int) -> datetime:
    first = datetime.combine(date(year, switch.month, 1), time(switch.hour, switch.minute))
    day = first + timedelta(days=(switch.weekday - first.isoweekday() % 7) % 7 + 7 * (switch.week - 1))
    while day.month != switch.month:
        day -= timedelta(days=7)
    return day


def _east(zone: tzinfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    return int(offset.total_seconds()) // 60


def _moment(zone: tzinfo, low: datetime, high: datetime) -> datetime:
    """Return the minute at which the offset changes between two moments."""
    before = _east(zone, low)
    while high - low > timedelta(minutes=1):
        middle = low + timedelta(minutes=((high - low) // timedelta(minutes=1)) // 2)
        low, high = (middle, high) if _east(zone, middle) == before else (low, middle)
    return high


def _as_switch(change: tuple[datetime, int, int]) -> Switch:
    moment, before, _ = change
    local = (moment + timedelta(minutes=before)).replace(tzinfo=None)
    is_last = (local + timedelta(days=7)).month != local.month
    week = 5 if is_last else (local.day - 1) // 7 + 1
    return Switch(local.month, week, local.isoweekday() % 7, local.hour, local.minute)


def _latest(zone: Component, name: str) -> Component | None:
    return max(zone.all(name), key=lambda part: part.text("DTSTART"), default=None)


def _minutes(text: str) -> int:
    match = _OFFSET.fullmatch(text)
    if match is None or int(match[2]) > 18:
        return 0
    minutes = int(match[2]) * 60 + int(match[3]) % 60
    return -minutes if match[1] == "-" else minutes


def _switch(part: Component) -> Switch | None:
    rule, start = part.text("RRULE"), _START_TIME.search(part.text("DTSTART"))
    day, month = _BY_DAY.search(rule), _BY_MONTH.search(rule)
    if day is None or month is None or start is None or not 1 <= int(month[1]) <= 12:
        return None
    week = int(day[1])
    return Switch(
        int(month[1]),
        5 if week < 0 else min(max(week, 1), 5),
        WEEKDAYS.index(day[2].upper()),
        int(start[1]) % 24,
        int(start[2]) % 60,
    )
