"""Components and properties as iCalendar text. Pure; the counterpart of `reading`.

Source: RFC 5545 3.1 Content Lines, 3.2 Property Parameters, 3.3.5 Date-Time, 3.3.11 Text.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime

from appliance.ical.reading import Component, Property

LINE_OCTETS_MAX = 75
PRODUCT = "-//365 Email Appliance//EN"

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
_SPECIAL = re.compile(r"[\\;,]")
_NEEDS_QUOTES = re.compile(r"[:;,]")


def write(component: Component) -> str:
    """Return a component as folded lines, each ended by CRLF."""
    return "".join(f"{folded(line)}\r\n" for line in _lines(component))


def calendar_of(method: str, *children: Component) -> Component:
    """Return a VCALENDAR of an iTIP method."""
    properties = [
        Property("PRODID", PRODUCT, {}),
        Property("VERSION", "2.0", {}),
        Property("METHOD", method, {}),
    ]
    return Component("VCALENDAR", properties, list(children))


def text_property(name: str, text: str) -> Property:
    """Return a property whose value is text, escaped."""
    value = _SPECIAL.sub(r"\\\g<0>", "\n".join(text.splitlines()).strip())
    return Property(name, value.replace("\n", "\\n"), {})


def moment_property(name: str, moment: datetime) -> Property:
    """Return a property whose value is a moment, in UTC."""
    return Property(name, compact(moment), {})


def date_property(name: str, day: date) -> Property:
    """Return a property whose value is a day."""
    return Property(name, f"{day.year:04}{day:%m%d}", {"VALUE": "DATE"})


def compact(moment: datetime) -> str:
    """Return a moment in the basic form, UTC: 20260414T130000Z."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04}{utc:%m%dT%H%M%SZ}"


def folded(line: str) -> str:
    """Return a line broken where it is longer than 75 octets, never inside a character."""
    octets = line.encode("utf-8", "replace")
    pieces, room = [], LINE_OCTETS_MAX
    while len(octets) > room:
        end = room
        while octets[end] & 0xC0 == 0x80:  # inside a character
            end -= 1
        pieces.append(octets[:end])
        octets, room = octets[end:], LINE_OCTETS_MAX - 1  # the blank that continues a line counts
    return b"\r\n ".join([*pieces, octets]).decode()


def _lines(component: Component) -> Iterator[str]:
    yield f"BEGIN:{component.name}"
    for found in component.properties:
        parameters = "".join(f";{name}={_parameter(value)}" for name, value in found.parameters.items())
        yield f"{found.name}{parameters}:{_CONTROL.sub('', found.value)}"
    for child in component.children:
        yield from _lines(child)
    yield f"END:{component.name}"


def _parameter(value: str) -> str:
    """Return a parameter's value; it has no way to hold a quotation mark."""
    clean = _CONTROL.sub("", value).replace('"', "'")
    return f'"{clean}"' if _NEEDS_QUOTES.search(clean) else clean
