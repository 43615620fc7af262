"""The full-text tables: FTS5 on SQLite, tsvector on PostgreSQL, behind the same four functions.

Every term is stored with its account in front of it (`000hvertrag`), so a term of one account is simply not
a term of another: no ranking, filter or planner decides what an account sees, and the cost of a search does
not depend on what others keep. Rows are numbered so that newer messages have higher numbers within their
account (`row_range`), which both databases walk backwards without sorting.

The FTS5 table is contentless: it keeps terms and positions, no text. To take a row out, the text it was made
from is needed once more; `search_index` has it.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from appliance import db
from appliance.items.search_query import Field
from appliance.store.search_terms import terms
from appliance.store.statement import Statement

ACCOUNTS_MAX: Final = 1 << 20
_ACCOUNT_SHIFT: Final = 43
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_CODE_LENGTH: Final = 4  # 36^4 > ACCOUNTS_MAX; one length, so that no code and term read like another pair

FIELDS: Final = (Field.SUBJECT, Field.FROM, Field.TO, Field.CC, Field.ATTACHMENT, Field.BODY)
"""The columns, in their order."""

type Texts = tuple[str, str, str, str, str, str]
"""The texts of one message, as FIELDS."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Terms in a row, never none; in any field or in one."""

    terms: tuple[str, ...]
    field: Field | None
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of the first, which is never empty, and none of the second."""

    parts: tuple["Text", ...]
    but: tuple["Text", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of these, which are never none."""

    parts: tuple["Text", ...]


type Text = Wanted | AllOf | AnyOf
"""What the full-text tables can answer by themselves."""

type Condition = tuple[str, list[object]]
"""SQL with `?` for each value."""


def row_range(account_id: int) -> tuple[int, int]:
    """Return the first and the last row number of an account."""
    if not 0 <= account_id < ACCOUNTS_MAX:
        raise ValueError(f"account {account_id}: the index numbers {ACCOUNTS_MAX} accounts")
    return account_id << _ACCOUNT_SHIFT, ((account_id + 1) << _ACCOUNT_SHIFT) - 1


def write(account_id: int, rows: Sequence[tuple[int, Texts]]) -> None:
    """Add rows that are not there. Needs a transaction."""
    _engine().write(_code(account_id), sorted(rows))


def erase(account_id: int, rows: Sequence[tuple[int, Texts]]) -> None:
    """Take rows out again, with the texts they were written with. Needs a transaction."""
    _engine().erase(_code(account_id), sorted(rows))


def erasing_needs_texts() -> bool:
    """Return whether `erase` looks at the texts it is given."""
    return db.is_sqlite()


def matching(account_id: int, text: Text) -> Condition:
    """Return the condition that finds rows by their text; one of a query, beside all others."""
    return _engine().matching(_code(account_id), text)


def contains(account_id: int, text: Text) -> Condition:
    """Return the condition that a row contains something; may stand anywhere in a query."""
    return _engine().contains(_code(account_id), text)


def source(*, is_matching: bool) -> tuple[str, str]:
    """Return the FROM clause and the row number in it; is_matching: `matching` is one of the conditions."""
    return _engine().source(is_matching=is_matching)


def select(sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    """Return the rows of a query made with the conditions above; `?` stands for a value."""
    return _engine().select(sql, values)


class _Engine(Protocol):
    def write(self, code: str, rows: Iterable[tuple[int, Texts]]) -> None: ...
    def erase(self, code: str, rows: Iterable[tuple[int, Texts]]) -> None: ...
    def matching(self, code: str, text: Text) -> Condition: ...
    def contains(self, code: str, text: Text) -> Condition: ...
    def source(self, *, is_matching: bool) -> tuple[str, str]: ...
    def select(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]: ...


# --- SQLite ---------------------------------------------------------------------------------------

_COLUMNS: Final = {
    Field.SUBJECT: "subject",
    Field.FROM: "sender",
    Field.TO: "recipient",
    Field.CC: "copied",
    Field.ATTACHMENT: "attachment",
    Field.BODY: "body",
}
_NAMES: Final = ", ".join(_COLUMNS[field] for field in FIELDS)
_MARKS: Final = ", ".join("?" for _ in FIELDS)


class _Fts5:
    """SQLite: one virtual table with a column for each field."""

    _insert = Statement(f"INSERT INTO search_text (rowid, {_NAMES}) VALUES (?, {_MARKS})")
    _delete = Statement(
        f"INSERT INTO search_text (search_text, rowid, {_NAMES}) VALUES ('delete', ?, {_MARKS})"
    )

    def write(self, code: str, rows: Iterable[tuple[int, Texts]]) -> None:
        for number, texts in rows:
            self._insert.run(number, *(_joined(code, text) for text in texts))

    def erase(self, code: str, rows: Iterable[tuple[int, Texts]]) -> None:
        for number, texts in rows:
            self._delete.run(number, *(_joined(code, text) for text in texts))

    def matching(self, code: str, text: Text) -> Condition:
        return "search_text MATCH ?", [_fts5(code, text)]

    def contains(self, code: str, text: Text) -> Condition:
        sql = "d.id IN (SELECT rowid FROM search_text WHERE search_text MATCH ?)"
        return sql, [_fts5(code, text)]

    def source(self, *, is_matching: bool) -> tuple[str, str]:
        if not is_matching:
            return "search_document d", "d.id"
        # CROSS: the full-text table comes first and its order is the answer's.
        joined = "search_text CROSS JOIN search_document d ON d.id = search_text.rowid"
        return joined, "search_text.rowid"

    def select(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return Statement(sql).rows(*values)


def _joined(code: str, text: str) -> str:
    """Return the terms of a text with the account in front of each; the tokenizer splits at the blanks."""
    found = terms(text)
    return f"{code}{f' {code}'.join(found)}" if found else ""


def _fts5(code: str, text: Text) -> str:
    """Return an FTS5 query. Terms are letters and digits, so quotes are enough."""
    if isinstance(text, Wanted):
        column = f"{_COLUMNS[text.field]} : " if text.field is not None else ""
        row = " ".join(code + term for term in text.terms)
        return f'{column}"{row}"{" *" if text.is_prefix else ""}'
    if isinstance(text, AnyOf):
        return "(" + " OR ".join(_fts5(code, part) for part in text.parts) + ")"
    wanted = "(" + " AND ".join(_fts5(code, part) for part in text.parts) + ")"
    if not text.but:
        return wanted
    return f"({wanted} NOT {_fts5(code, AnyOf(text.but))})"


# --- PostgreSQL -----------------------------------------------------------------------------------

_POSITION_MAX: Final = 16_383  # PostgreSQL 12.11 Limitations of text search
_LEXEMES_BYTES_MAX: Final = 900_000  # of 1 MB, the rest is for what PostgreSQL adds

_LETTERS: Final = {
    Field.SUBJECT: "s",
    Field.FROM: "f",
    Field.TO: "t",
    Field.CC: "c",
    Field.ATTACHMENT: "a",
}
"""Four weights are not enough for six fields: all but the body is stored a second time, marked."""


class _Tsvector:
    """PostgreSQL: one row with one vector; weight D is the body, A everything else."""

    _insert = Statement("INSERT INTO search_text (id, vector) VALUES (?, CAST(? AS tsvector))")
    _delete = Statement("DELETE FROM search_text WHERE id = ?")

    def write(self, code: str, rows: Iterable[tuple[int, Texts]]) -> None:
        for number, texts in rows:
            self._insert.run(number, _vector(code, texts))

    def erase(self, code: str, rows: Iterable[tuple[int, Texts]]) -> None:  # noqa: ARG002 - FTS5 needs it
        for number, _ in rows:
            self._delete.run(number)

    def matching(self, code: str, text: Text) -> Condition:
        return "t.vector @@ CAST(? AS tsquery)", [_tsquery(code, text)]

    contains = matching

    def source(self, *, is_matching: bool) -> tuple[str, str]:
        number = "t.id" if is_matching else "d.id"
        return "search_document d JOIN search_text t ON t.id = d.id", number

    def select(self, sql: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        # Planned anew each time: which plan is quick depends on the words, and a prepared statement would
        # soon be given one for any words at all.
        connection = db.proxy.connection()
        return list(connection.execute(sql.replace("?", "%s"), values, prepare=False))


def _vector(code: str, texts: Texts) -> str:
    """Return a tsvector as text: lexemes with their positions, `'000hplan':3A,17`."""
    places: dict[str, list[str]] = {}
    position = size = 0
    for field, text in zip(FIELDS, texts, strict=True):
        letter = _LETTERS.get(field)
        weight = "" if letter is None else "A"
        position += 1  # so that no row of words goes over the border of two fields
        for term in terms(text):
            position = min(position + 1, _POSITION_MAX)
            for lexeme in (code + term,) if letter is None else (code + term, f"{code}/{letter}/{term}"):
                if size > _LEXEMES_BYTES_MAX:
                    break
                size += 4 + (0 if lexeme in places else len(lexeme.encode()) + 4)
                places.setdefault(lexeme, []).append(f"{position}{weight}")
    return " ".join(f"'{lexeme}':{','.join(at)}" for lexeme, at in places.items())


def _tsquery(code: str, text: Text) -> str:
    """Return a tsquery."""
    if isinstance(text, AnyOf):
        return "(" + " | ".join(_tsquery(code, part) for part in text.parts) + ")"
    if isinstance(text, AllOf):
        wanted = [_tsquery(code, part) for part in text.parts]
        return "(" + " & ".join([*wanted, *(f"!{_tsquery(code, part)}" for part in text.but)]) + ")"
    mark = f"/{_LETTERS[text.field]}/" if text.field in _LETTERS else ""
    weight = "D" if text.field is Field.BODY else ""
    lexemes = [f"'{code}{mark}{term}'" + (f":{weight}" if weight else "") for term in text.terms]
    if text.is_prefix:
        lexemes[-1] += "*" if weight else ":*"
    return "(" + " <-> ".join(lexemes) + ")"


# --------------------------------------------------------------------------------------------------

_FTS5: Final = _Fts5()
_TSVECTOR: Final = _Tsvector()


def _engine() -> _Engine:
    return _FTS5 if db.is_sqlite() else _TSVECTOR


@functools.lru_cache(maxsize=1_024)
def _code(account_id: int) -> str:
    """Return the account as it stands in front of its terms."""
    row_range(account_id)
    digits = ""
    for _ in range(_CODE_LENGTH):
        account_id, digit = divmod(account_id, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
