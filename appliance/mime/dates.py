"""The Date field in every form that occurs, as an aware UTC datetime.

Source: RFC 5322 3.3 Date and Time Specification, 4.3 Obsolete Date and Time; asctime; ISO 8601.
"""

import re
from datetime import UTC, datetime, timedelta

DATE_CHARS_MAX = 200
_MONTHS = {"jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
           "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12}  # fmt: skip
_ZONES = {"EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480,
          "PDT": -420, "CET": 60, "MET": 60, "CEST": 120, "MEST": 120, "EET": 120, "EEST": 180,
          "BST": 60, "IST": 330, "JST": 540}  # fmt: skip
_CLOCK = r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<second>\d{2}))?(?:[.,]\d{1,9})?"
_ZONE = r"\s*(?P<half>[AaPp][Mm])?\s*(?P<zone>[+-]\s?\d{2}:?\d{2}|[A-Za-z]{1,5})?"
_FORMS = tuple(
    re.compile(form)
    for form in (
        rf"(?P<day>\d{{1,2}})[\s-]+(?P<month>[A-Za-z]{{3}})[a-z]{{0,6}}\.?[\s,-]+(?P<year>\d{{2,4}})[\s,]+{_CLOCK}{_ZONE}",
        rf"(?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}})[T\s]+{_CLOCK}{_ZONE}",
        rf"(?P<month>[A-Z][a-z]{{2}})\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s+(?P<year>\d{{4}})(?P<half>)(?P<zone>)",
        rf"(?P<month>[A-Z][a-z]{{2}})[a-z]{{0,6}}\s+(?P<day>\d{{1,2}}),\s+(?P<year>\d{{4}})[\s,]+{_CLOCK}{_ZONE}",
    )
)


def parse_date(value: str | None) -> datetime | None:
    """Return the moment a Date field names as aware UTC, or None; never raises.

    A missing or unknown zone is read as UTC; a second of 60 as 59. Looks at DATE_CHARS_MAX characters.
    """
    text = (value or "")[:DATE_CHARS_MAX]
    for form in _FORMS:
        match = form.search(text)
        if match is not None:
            return _moment(match)
    return None


def _moment(match: re.Match[str]) -> datetime | None:
    month = match["month"]
    number = int(month) if month.isdigit() else _MONTHS.get(month[:3].lower(), 0)
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"].lower() == "pm" else 0)
    try:
        local = datetime(
            _year(match["year"]), number, int(match["day"]), hour,
            int(match["minute"]), min(59, int(match["second"] or 0)), tzinfo=UTC,
        )  # fmt: skip
        return local - timedelta(minutes=_offset(match["zone"] or ""))
    except (ValueError, OverflowError):
        return None


def _year(text: str) -> int:
    """Widen short years as RFC 5322 4.3 asks: 00-49 are 20xx, other two and three digits are 19xx."""
    year = int(text)
    if len(text) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(text) == 3 else year


def _offset(zone: str) -> int:
    """Return the minutes east of UTC; 0 for an unknown name."""
    if zone[:1] in ("+", "-"):
        digits = zone[1:].strip().replace(":", "")
        minutes = int(digits[:2]) * 60 + int(digits[2:])
        return -minutes if zone[0] == "-" else minutes
    return _ZONES.get(zone.upper(), 0)
