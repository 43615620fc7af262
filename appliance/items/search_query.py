"""What is looked for among messages: a small tree of values that every search speaks.

Parsers make it (`eas.search_query` from what people type), `store.search` answers it. Texts are as the
person wrote them; which letters count as the same is for the store to know.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum


class Field(Enum):
    """The parts of a message that can be searched apart from the others."""

    SUBJECT = "subject"
    FROM = "from"
    TO = "to"
    CC = "cc"
    ATTACHMENT = "attachment"
    BODY = "body"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One word, or several in this order; in any field, or in one.

    is_prefix: the last word may be the beginning of a longer one. A text without any letter or digit asks
    for nothing: it is left out of what it stands in.
    """

    text: str
    field: Field | None = None
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class HasAttachment:
    """Whether a list shows a paper clip."""

    wanted: bool = True


@dataclass(frozen=True, slots=True)
class IsRead:
    """Whether it was read."""

    wanted: bool = True


@dataclass(frozen=True, slots=True)
class IsFlagged:
    """Whether there is a follow-up flag, done or not."""

    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Received:
    """Received at `since` or later, and earlier than `before`; None leaves a side open."""

    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class And:
    """All of these; of no parts: every message."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of these."""

    parts: tuple["Query", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """All other messages."""

    part: "Query"


type Query = Phrase | HasAttachment | IsRead | IsFlagged | Received | And | Or | Not

EVERYTHING = And(())
