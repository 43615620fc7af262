"""What people and phones write into a search field, as a query. Pure.

A tolerant reading of KQL: any text is a query, none is an error. Words are looked for in every field,
`from:anna` in one; quotes keep words in a row; `AND`, `OR`, `NOT` (in capitals), `-word` and brackets
combine; `wor*` is a beginning, and so is the last word if it stands without quotes, because people search
while they type. Two restrictions of the same property side by side mean either of them. What looks like a
property and is none (`Re: offer`, `12:30`) is looked for as it stands.

One pass over at most `TEXT_CHARS_MAX` characters, at most `PHRASES_MAX` restrictions and `DEPTH_MAX` brackets
inside one another; what goes beyond is left out.

Source: Keyword Query Language (KQL) syntax reference; MS-ASCMD 2.2.3.80.1 FreeText (Find).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from appliance.eas import search_dates
from appliance.items.search_query import And, Field, HasAttachment, IsFlagged, IsRead, Not, Or, Phrase, Query

TEXT_CHARS_MAX: Final = 1_024
PHRASES_MAX: Final = 16
DEPTH_MAX: Final = 8

_FIELDS: Final[dict[str, tuple[Field, ...]]] = {
    "from": (Field.FROM,),
    "sender": (Field.FROM,),
    "to": (Field.TO,),
    "cc": (Field.CC,),
    "bcc": (Field.CC,),
    "recipients": (Field.TO, Field.CC),
    "participants": (Field.FROM, Field.TO, Field.CC),
    "subject": (Field.SUBJECT,),
    "body": (Field.BODY,),
    "attachment": (Field.ATTACHMENT,),
    "attachments": (Field.ATTACHMENT,),
    "attachmentnames": (Field.ATTACHMENT,),
    "filename": (Field.ATTACHMENT,),
}
_FACTS: Final[dict[str, Callable[[bool], Query]]] = {
    "hasattachment": HasAttachment,
    "hasattachments": HasAttachment,
    "isread": IsRead,
    "read": IsRead,
    "isflagged": IsFlagged,
}
_DATES: Final = frozenset({"received", "sent", "date"})
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})

# Phones put typographic quotes where people type straight ones.
_QUOTES: Final = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))
_TOKEN: Final = re.compile(
    r'(?P<space>\s+)|(?P<open>\()|(?P<close>\))|(?P<quoted>"[^"]*"?\*?)|(?P<minus>[-+](?=[^\s+-]))'
    r'|(?P<property>[A-Za-z]{2,20})(?P<operator>:|<>|>=|<=|=|>|<)\s*|(?P<word>[^\s()"]+)|(?P<rest>.)',
    re.S,
)


def parse(text: str, now: datetime) -> Query | None:
    """Return the query of a text; None when nothing is asked. Never raises. now: what "today" means."""
    return _Parser(text[:TEXT_CHARS_MAX].translate(_QUOTES), now).query()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    operator: str = ""
    is_last: bool = False


class _Parser:
    """One text being read. `_at` is the next token."""

    def __init__(self, text: str, now: datetime) -> None:
        self._tokens = list(_tokens(text))
        self._now = now
        self._at = 0
        self._phrases_left = PHRASES_MAX

    def query(self) -> Query | None:
        parts = []
        while self._at < len(self._tokens):
            part = self._group((), 0)
            if part is not None:
                parts.append(part)
            self._at += 1  # a bracket that closes nothing
        return _all_of(parts)

    def _group(self, fields: tuple[Field, ...], depth: int) -> Query | None:
        """Read up to the closing bracket or the end. fields: where words are looked for, () for anywhere."""
        group = _Group()
        while (token := self._peek()) is not None and token.kind != "close":
            self._at += 1
            if token.kind == "word" and token.text == "OR":
                group.begin_alternative()
            elif token.kind == "word" and token.text == "AND":
                group.is_joined = True
            elif (token.kind == "word" and token.text == "NOT") or token.kind == "minus":
                group.is_negated ^= token.text != "+"
            elif token.kind == "open":
                group.add(self._nested(fields, depth))
            elif token.kind == "property":
                group.add(self._property(token, fields, depth), token.text.lower())
            else:
                group.add(self._phrase(token, fields))
        return group.query()

    def _nested(self, fields: tuple[Field, ...], depth: int) -> Query | None:
        if depth >= DEPTH_MAX:
            return None  # what is inside is read as if it stood here
        query = self._group(fields, depth + 1)
        self._at += 1
        return query

    def _property(self, token: _Token, fields: tuple[Field, ...], depth: int) -> Query | None:
        """Return the restriction of a property; what it is compared with follows."""
        name = token.text.lower()
        value = self._peek()
        if value is None or value.kind not in ("word", "quoted", "open"):
            return None  # still being typed
        self._at += 1
        if value.kind == "open":
            return self._nested(_FIELDS.get(name, fields), depth)
        text = value.text.strip('"*')
        restriction: Query | None = None
        if name in _DATES:
            restriction = search_dates.received(token.operator, text, self._now)
        elif name in _FACTS and text.lower() in _YES | _NO:
            restriction = _FACTS[name](text.lower() in _YES)
        elif name in _FIELDS:
            restriction = self._phrase(value, _FIELDS[name])
        if restriction is None:
            return self._phrase(_Token(value.kind, f"{name} {text}", is_last=value.is_last), fields)
        return Not(restriction) if token.operator == "<>" and name not in _DATES else restriction

    def _phrase(self, token: _Token, fields: tuple[Field, ...]) -> Query | None:
        self._phrases_left -= 1
        if self._phrases_left < 0:
            return None
        is_prefix = token.text.endswith("*") or (token.kind == "word" and token.is_last)
        phrases = [Phrase(token.text.strip('"*'), field, is_prefix) for field in fields or (None,)]
        return phrases[0] if len(phrases) == 1 else Or(tuple(phrases))

    def _peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None


class _Group:
    """What stands between two brackets: alternatives of conjunctions."""

    def __init__(self) -> None:
        self.is_joined = False  # by AND, to what comes next
        self.is_negated = False
        self._alternatives: list[Query] = []
        self._parts: list[Query] = []
        self._of_property: dict[str, int] = {}

    def add(self, part: Query | None, property_name: str = "") -> None:
        """Add a restriction; property_name: it stands beside others of its property as an alternative."""
        is_alternative = bool(property_name) and not self.is_joined and not self.is_negated
        if part is not None:
            if self.is_negated:
                part = Not(part)
            place = self._of_property.get(property_name) if is_alternative else None
            if place is not None and property_name not in _DATES:
                before = self._parts[place]
                self._parts[place] = Or((*(before.parts if isinstance(before, Or) else (before,)), part))
            else:
                if is_alternative:
                    self._of_property[property_name] = len(self._parts)
                self._parts.append(part)
        self.is_joined = self.is_negated = False

    def begin_alternative(self) -> None:
        part = _all_of(self._parts)
        if part is not None:
            self._alternatives.append(part)
        self._parts, self._of_property = [], {}
        self.is_joined = self.is_negated = False

    def query(self) -> Query | None:
        self.begin_alternative()
        if len(self._alternatives) > 1:
            return Or(tuple(self._alternatives))
        return self._alternatives[0] if self._alternatives else None


def _all_of(parts: list[Query]) -> Query | None:
    if len(parts) > 1:
        return And(tuple(parts))
    return parts[0] if parts else None


def _tokens(text: str) -> Iterator[_Token]:
    """Yield the tokens without blanks. A property that is none is a word up to the next blank."""
    position, end = 0, len(text.rstrip())
    starts_word = True
    while position < end:
        found = _TOKEN.match(text, position)
        assert found is not None, "the last alternative takes any character"
        kind = found.lastgroup or ""
        if kind == "operator":
            kind = "property" if _is_property(found["property"]) else "word"
        if kind == "word" or (kind == "minus" and not starts_word):
            stop = _word_end(text, position)
            yield _Token("word", text[position:stop], is_last=stop >= end)
            position = stop
        else:
            if kind == "property":
                yield _Token(kind, found["property"], found["operator"])
            elif kind not in ("space", "rest"):
                yield _Token(kind, found.group())
            position = found.end()
        starts_word = kind in ("space", "open", "close", "minus", "property")


def _is_property(name: str) -> bool:
    name = name.lower()
    return name in _FIELDS or name in _FACTS or name in _DATES


_WORD_END: Final = re.compile(r'[\s()"]')


def _word_end(text: str, position: int) -> int:
    found = _WORD_END.search(text, position)
    return len(text) if found is None else found.start()
