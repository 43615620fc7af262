"""Why no test shows a requirement: `reasons/<document>.<kind>.toml`, groups of ids with one sentence each.

    [[group]]
    status = "client"
    reason = "Says what a client puts into a request."
    ids = ["R12", "R14"]
    sections = ["2.2.3.9"]

`sections` names everything of that kind in exactly these sections, "*" all of the document. A requirement
has one fate: naming it twice, or one that a test is marked with, is an error. What nobody names is open.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.requirements.catalogue import KINDS, requirements

PLACE = Path(__file__).with_name("reasons")
OPEN = "open"
STATUSES = {
    "not offered": "a feature this product deliberately lacks",
    "later": "belongs to a class of items that comes later",
    "client": "says what a client does, sends or keeps",
    "deviation": "done otherwise on purpose; the known deviations say where and why",
    "not observable": "nothing a test can see shows it",
    OPEN: "should be shown by a test and is not",
}
_FILES = {kind.lower().replace(" ", "-"): kind for kind in KINDS}


class ReasonError(ValueError):
    """A file of reasons that is not as described above; the message names file and group."""


@dataclass(frozen=True)
class Group:
    """Requirements of one document and kind that share their reason."""

    document: str
    verification: str
    status: str
    reason: str
    ids: tuple[str, ...]


@cache
def groups() -> tuple[Group, ...]:
    """Return all groups; raises ReasonError."""
    return tuple(group for path in sorted(PLACE.glob("*.toml")) for group in read(path))


def reasoned() -> dict[str, Group]:
    """Return the group of each id that has one."""
    return {name: group for group in groups() for name in group.ids}


def faults(found: tuple[Group, ...], marked: frozenset[str]) -> Iterator[str]:
    """Say which ids have no fate or more than one."""
    seen: dict[str, str] = {}
    for group in found:
        for name in group.ids:
            if name not in requirements():
                yield f"{name} ({group.reason}): no such requirement in the catalogue"
            elif requirements()[name].verification != group.verification:
                yield f"{name} ({group.reason}): is not verified by {group.verification}"
            elif name in seen:
                yield f"{name}: named under {seen[name]!r} and under {group.reason!r}"
            elif name in marked:
                yield f"{name} ({group.reason}): a test is marked with it"
            seen[name] = group.reason


def read(path: Path) -> list[Group]:
    """Return the groups of one file; raises ReasonError."""
    document, _, kind = path.stem.partition(".")
    if kind not in _FILES:
        raise ReasonError(f"{path.name}: the name is no document with one of {sorted(_FILES)}")
    with path.open("rb") as file:
        entries = tomllib.load(file).get("group", [])
    return [_group(path.name, document, _FILES[kind], entry) for entry in entries]


def _group(file: str, document: str, kind: str, entry: dict[str, object]) -> Group:
    match entry:
        case {"status": str(status), "reason": str(reason), **rest} if status in STATUSES and reason:
            pass
        case _:
            raise ReasonError(f"{file}: a group needs a reason and one of {sorted(STATUSES)}: {entry}")
    ids, sections = _texts(rest.pop("ids", [])), set(_texts(rest.pop("sections", [])))
    in_sections = [
        one.id
        for one in requirements().values()
        if (one.document, one.verification) == (document, kind) and {one.section, "*"} & sections
    ]
    if rest or not (ids or in_sections):
        raise ReasonError(f"{file}: {reason!r} names nothing, or has {sorted(rest)}")
    return Group(document, kind, status, reason, (*(f"{document}_{name}" for name in ids), *in_sections))


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
