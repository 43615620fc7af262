"""iCalendar text as components and properties. Pure, tolerant, with ceilings.

Source: RFC 5545 3.1 Content Lines, 3.2 Property Parameters, 3.3.11 Text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

LINES_MAX = 5_000
LINE_CHARS_MAX = 20_000
DEPTH_MAX = 8

_FOLD = re.compile(r"\r?\n[ \t]")
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")
_PARAMETER = re.compile(r';([A-Za-z0-9-]{1,64})=("[^"\r\n]*"|[^;:,"\r\n]*)(?:,(?:"[^"\r\n]*"|[^;:,"\r\n]*))*')
_ESCAPE = re.compile(r"\\([nN\\;,])")


@dataclass(frozen=True, slots=True)
class Property:
    """One content line. parameters: upper-case names, the first value of each, without quotes."""

    name: str
    value: str
    parameters: dict[str, str]

    @property
    def text(self) -> str:
        """The value with its escapes undone."""
        return _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], self.value)


@dataclass(frozen=True, slots=True)
class Component:
    """A BEGIN … END block."""

    name: str
    properties: list[Property] = field(default_factory=list)
    children: list["Component"] = field(default_factory=list)

    def get(self, name: str) -> Property | None:
        """Return the first property of that name."""
        return next((found for found in self.properties if found.name == name), None)

    def text(self, name: str) -> str:
        """Return a property's text, "" when there is none."""
        found = self.get(name)
        return "" if found is None else found.text.strip()

    def all(self, name: str) -> list["Component"]:
        """Return the child components of that name."""
        return [child for child in self.children if child.name == name]


def read(text: str) -> Component | None:
    """Return the first VCALENDAR of a text, None when there is none; never raises."""
    root = Component("")
    stack = [root]
    for line in _lines(text):
        found = _property(line)
        if found is None:
            continue
        if found.name == "BEGIN":
            child = Component(found.value.strip().upper())
            if len(stack) <= DEPTH_MAX:
                stack[-1].children.append(child)
            stack.append(child)
        elif found.name == "END":
            if len(stack) > 1:
                stack.pop()
        else:
            stack[-1].properties.append(found)
        if len(stack) > 4 * DEPTH_MAX:
            break
    return next(iter(root.all("VCALENDAR")), None)


def _lines(text: str) -> Iterator[str]:
    unfolded = _FOLD.sub("", text[: LINES_MAX * 200])
    for count, line in enumerate(unfolded.splitlines()):
        if count >= LINES_MAX:
            return
        if 0 < len(line) <= LINE_CHARS_MAX:
            yield line


def _property(line: str) -> Property | None:
    name = _NAME.match(line)
    if name is None:
        return None
    parameters: dict[str, str] = {}
    position = name.end()
    while (parameter := _PARAMETER.match(line, position)) is not None:
        parameters.setdefault(parameter[1].upper(), parameter[2].strip('"'))
        position = parameter.end()
    if line[position : position + 1] != ":":
        return None
    return Property(name[0].upper(), line[position + 1 :], parameters)
