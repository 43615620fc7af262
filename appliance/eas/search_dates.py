"""When something was received, as people write it: `>=2026-01-01`, `:"last week"`, `:1.1.2026..31.1.2026`.

Pure. A day is one of UTC: nothing in a request says where the phone is. Days and months in figures are
read as `month/day/year` and as `day.month.year`, whatever the language.

Source: Keyword Query Language (KQL) syntax reference, date values and intervals.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.items.search_query import Not, Query, Received

_DAY: Final = timedelta(days=1)
_MONTH_FIRST: Final = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def received(operator: str, text: str, now: datetime) -> Query | None:
    """Return the restriction of a date property; None when the text is no date."""
    first, dots, last = text.partition("..")
    try:
        start, stop = _span(first, now)
        if dots:
            return Received(start, _span(last, now)[1])
    except (ValueError, OverflowError):
        return None
    match operator:
        case ">=":
            return Received(start, None)
        case ">":
            return Received(stop, None)
        case "<":
            return Received(None, start)
        case "<=":
            return Received(None, stop)
        case "<>":
            return Not(Received(start, stop))
        case _:
            return Received(start, stop)


def _span(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the first moment of a date and the first after it; raises ValueError, OverflowError."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    month = today.replace(day=1)
    monday = today - today.weekday() * _DAY
    match " ".join(text.lower().split()):
        case "today":
            return today, today + _DAY
        case "yesterday":
            return today - _DAY, today
        case "this week":
            return monday, monday + 7 * _DAY
        case "last week":
            return monday - 7 * _DAY, monday
        case "this month":
            return month, _next_month(month)
        case "last month":
            return (month - _DAY).replace(day=1), month
        case "this year":
            return month.replace(month=1), month.replace(month=1, year=month.year + 1)
        case "last year":
            return month.replace(month=1, year=month.year - 1), month.replace(month=1)
    return _day_or_moment(text)


def _day_or_moment(text: str) -> tuple[datetime, datetime]:
    for form, order in ((_MONTH_FIRST, (2, 0, 1)), (_DAY_FIRST, (2, 1, 0))):
        if found := form.fullmatch(text):
            year, month, day = (int(found.groups()[place]) for place in order)
            start = datetime(year, month, day, tzinfo=UTC)
            return start, start + _DAY
    moment = datetime.fromisoformat(text)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if len(text) <= len("2026-01-01"):
        return moment, moment + _DAY
    return moment, moment + timedelta(seconds=1)


def _next_month(first: datetime) -> datetime:
    return (first + 32 * _DAY).replace(day=1)
