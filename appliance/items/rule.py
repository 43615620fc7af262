"""A rule for arriving mail as everything above the database speaks of it: plain comparisons, no patterns."""

from dataclasses import dataclass
from enum import StrEnum


class Field(StrEnum):
    """What a condition looks at."""

    FROM = "from"
    TO = "to"  # To and Cc
    SUBJECT = "subject"
    LIST_ID = "list-id"
    HEADER = "header"  # the field `Condition.header`
    DETAIL = "detail"  # what followed the plus sign of the address
    SIZE = "size"
    ATTACHMENT = "attachment"


class Compare(StrEnum):
    """How it compares; letter case never counts."""

    CONTAINS = "contains"
    EQUALS = "equals"
    BEGINS = "begins"
    OVER = "over"  # bytes, for SIZE
    UNDER = "under"
    IS = "is"  # "yes" or "no", for ATTACHMENT


COMPARES_OF: dict[Field, tuple[Compare, ...]] = {
    **dict.fromkeys(Field, (Compare.CONTAINS, Compare.EQUALS, Compare.BEGINS)),
    Field.SIZE: (Compare.OVER, Compare.UNDER),
    Field.ATTACHMENT: (Compare.IS,),
}


class Deed(StrEnum):
    """What a rule does."""

    MOVE = "move"  # value: folder id
    MARK_READ = "mark-read"
    FLAG = "flag"
    CATEGORISE = "categorise"  # value: the category
    FORWARD = "forward"  # value: an address; the message stays
    REDIRECT = "redirect"  # value: an address that gets it instead
    DISCARD = "discard"
    STOP = "stop"  # no later rule is looked at


WITH_VALUE = frozenset({Deed.MOVE, Deed.CATEGORISE, Deed.FORWARD, Deed.REDIRECT})


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison; `header` names the field for Field.HEADER."""

    field: Field
    test: Compare
    value: str
    header: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do; what `value` means is said at the deed."""

    deed: Deed
    value: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions that must all hold (none: always), and what is done then, in order.

    trouble: why it could not do what it says when it last applied, "" when it could.
    """

    id: int
    position: int
    name: str
    is_enabled: bool
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]
    trouble: str = ""
