"""The rules of answers, read from the texts in `answers/`.

A line is an element; what is indented below it are its children:

    Name  how often  type  {values}  when Other=1,2  since 14.0  | CMD 12-15 19; 14.1 AIRS 7

Name: with its code page and a colon where that is not its parent's.
How often: 1, ?, *, + or 0..300.
Type: one of `values.TYPES`, `string(64)` with its longest length, or a container: `seq` (children in the
    order of the lines), `all` (in any order); `filled` behind it: never without children; `orEmpty`:
    without children nothing is required; `orAlone`: the same for the only one of its kind.
Values: the only ones allowed; `common` stands for the statuses of all commands.
when: at least one if the sibling Other is there, or has one of these values; !Other: if it is not there.
unless: none if one of these is there.
since, until: the versions that have the element; in others it is forbidden.
Behind the bar: the requirements that the line shows, by document. What stands before a document is a
version or a command in whose answers the element has to be seen for these.
`@name`: the lines of the text of that name stand here, too.

What a line does not allow is forbidden. The line of a fragment is one rule wherever it is used.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from appliance.eas.versions import at_least
from tests.grammar.values import TYPES
from tests.requirements.catalogue import expanded

PLACE = Path(__file__).with_name("answers")
DOCUMENTS = {name: f"MS-AS{name}" for name in ("CMD", "AIRS", "EMAIL", "CON", "PROV", "DTYPE", "WBXML")}
COMMON = frozenset(map(str, range(101, 184)))
CONTAINERS = ("seq", "all")
_COUNTS = {"1": (1, 1), "?": (0, 1), "*": (0, None), "+": (1, None)}
_LINE = re.compile(
    r"(?P<name>[\w:]+)\s+(?P<count>[1?*+]|\d\.\.\d+)\s+(?P<type>\w+)(?:\((?P<length>\d+)\))?"
    r"(?:\s+(?P<flag>filled|orEmpty|orAlone))?(?:\s+\{(?P<values>[^}]*)\})?(?:\s+when\s+(?P<when>\S+))?"
    r"(?:\s+unless\s+(?P<unless>\S+))?(?:\s+since\s+(?P<since>\S+))?(?:\s+until\s+(?P<until>\S+))?"
    r"(?:\s+@(?P<fragment>\w+))?"
)


@dataclass(eq=False)
class Rule:
    """What an element must be where it stands."""

    source: str
    tag: str
    least: int
    most: int | None
    type: str
    length_max: int | None
    flag: str
    values: frozenset[str]
    condition: tuple[str, frozenset[str], bool] | None
    excluded_by: tuple[str, ...]
    since: str
    until: str
    shown: tuple[tuple[str, str], ...]
    children: list["Rule"] = field(default_factory=list)

    @property
    def requirements(self) -> tuple[str, ...]:
        """The ids the rule shows."""
        return tuple(name for _, name in self.shown)

    @property
    def is_container(self) -> bool:
        """Whether it holds elements instead of a value."""
        return self.type in CONTAINERS

    def exists_in(self, version: str) -> bool:
        """Whether a version has the element."""
        return (not self.since or at_least(version, self.since)) and (
            not self.until or at_least(self.until, version)
        )

    def child(self, tag: str) -> "Rule | None":
        """Return the rule for a child with this tag, None when there must be none."""
        return next((rule for rule in self.children if rule.tag == tag), None)

    def __str__(self) -> str:
        return self.source


@cache
def roots() -> dict[str, Rule]:
    """Return the rules of whole answers by the tag of their root."""
    found = [
        rule for path in sorted(PLACE.glob("*.txt")) for rule in _text(path.stem) if path.stem[0].isupper()
    ]
    return {rule.tag: rule for rule in found}


@cache
def every() -> tuple[Rule, ...]:
    """Return every rule once."""
    return tuple(dict.fromkeys(rule for root in roots().values() for rule in _below(root)))


def _below(rule: Rule) -> Iterator[Rule]:
    yield rule
    for child in rule.children:
        yield from _below(child)


@cache
def _text(name: str) -> list[Rule]:
    """Return the outermost rules of a text."""
    outermost: list[Rule] = []
    stack: list[tuple[int, Rule]] = []
    for number, line in enumerate((PLACE / f"{name}.txt").read_text("utf-8").splitlines(), 1):
        bare = line.partition("#")[0].rstrip()
        if not bare:
            continue
        depth = len(bare) - len(bare.lstrip())
        while stack and stack[-1][0] >= depth:
            stack.pop()
        siblings = stack[-1][1].children if stack else outermost
        if bare.lstrip().startswith("@"):
            siblings += _text(bare.strip()[1:])
            continue
        rule = _rule(f"{name}.txt:{number}", bare.strip(), stack[-1][1].tag if stack else "")
        siblings.append(rule)
        stack.append((depth, rule))
    return outermost


def _rule(place: str, line: str, parent: str) -> Rule:
    form, _, ids = line.partition("|")
    found = _LINE.fullmatch(form.strip())
    if found is None or found["type"] not in (*TYPES, *CONTAINERS):
        raise ValueError(f"{place}: not a rule: {line}")
    tag = _tag(found["name"], parent)
    least, most = _COUNTS.get(found["count"]) or tuple(map(int, found["count"].split("..")))
    rule = Rule(
        f"{place} {tag.partition(':')[2]}",
        tag,
        least,
        most,
        found["type"],
        int(found["length"]) if found["length"] else None,
        found["flag"] or "",
        frozenset(_values(found["values"] or "")),
        _condition(found["when"], parent) if found["when"] else None,
        tuple(_tag(each, parent) for each in (found["unless"] or "").split(",") if each),
        found["since"] or "",
        found["until"] or "",
        tuple(_shown(place, ids)),
    )
    if found["fragment"]:
        rule.children += _text(found["fragment"])
    return rule


def _condition(text: str, parent: str) -> tuple[str, frozenset[str], bool]:
    """Return tag, values and whether it has to be there."""
    sibling, _, wanted = text.partition("=")
    return _tag(sibling.removeprefix("!"), parent), frozenset(wanted.split(",")) - {""}, sibling[0] != "!"


def _tag(name: str, parent: str) -> str:
    return name if ":" in name else f"{parent.partition(':')[0]}:{name}"


def _values(text: str) -> Iterator[str]:
    for word in text.split():
        if word == "common":
            yield from COMMON
        elif re.fullmatch(r"\d+(-\d+)?", word):
            yield from map(str, expanded(word))
        else:
            yield word


def _shown(place: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield (version, command or "", id) of what stands behind the bar."""
    for part in filter(None, map(str.strip, text.split(";"))):
        found = re.fullmatch(r"(?:(\d+\.\d|[A-Z][a-z]\w+) )?([A-Z]+) ([\d\- ]+)", part)
        if found is None:
            raise ValueError(f"{place}: not a list of requirements: {part}")
        yield from ((found[1] or "", f"{DOCUMENTS[found[2]]}_R{n}") for n in expanded(found[3]))
