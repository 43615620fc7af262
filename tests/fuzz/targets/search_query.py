"""What people type into a search field; the bytes are the text in UTF-8.

Any text is a query. The query is small, says the same when it is asked twice, and its dates are aware.
"""

from datetime import UTC, datetime
from random import Random

from appliance.eas.search_query import DEPTH_MAX, PHRASES_MAX, parse
from appliance.items.search_query import And, Not, Or, Phrase, Query, Received
from tests.fuzz.coverage import note

COVERS = ("appliance/eas/search_query.py",)
NOW = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
WORDS = (
    "anna", "from:", "to:anna", "participants:(", "subject:\"a b\"", "body<>x", "received:today",
    "received>=2026-02-30", "received:0001-01-01..9999-12-31", "sent<12/31/9999", "date:\"last week\"",
    "date:31.12.0001", "hasattachment:true", "isread:no", "AND", "OR", "NOT", "-", "+", "(", ")", "\"", "*",
    "wor*", "Re:", "12:30", "\u201cx\u201d", "\u00df", "\u0130",
)  # fmt: skip
TOKENS = tuple(f"{word} ".encode() for word in WORDS) + tuple(word.encode() for word in WORDS)
NESTING_MAX = 4 * DEPTH_MAX + 8


def seeds() -> list[bytes]:
    return [
        b'from:anna subject:(offer OR "last price") -spam received>=2026-01-01 wor*',
        b"NOT (a AND (b OR c)) hasattachments:yes isflagged:1 date:today..tomorrow",
    ]


def make(rng: Random) -> bytes:
    return "".join(rng.choice(WORDS) + rng.choice((" ", "")) for _ in range(rng.randrange(1, 60))).encode()


def target(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    query = parse(text, NOW)
    assert parse(text, NOW) == query
    if query is None:
        return
    phrases = _phrases(query, 0)
    assert phrases <= 3 * PHRASES_MAX
    note(type(query).__name__, phrases.bit_length())


def _phrases(query: Query, depth: int) -> int:
    """Return how many words are looked for; assert that the tree is sound."""
    assert depth <= NESTING_MAX, "a query nested without end"
    match query:
        case And(parts) | Or(parts):
            assert parts
            return sum(_phrases(part, depth + 1) for part in parts)
        case Not(part):
            return _phrases(part, depth + 1)
        case Received(since, before):
            assert since is not None or before is not None
            assert all(moment.utcoffset() is not None for moment in (since, before) if moment is not None)
            return 0
        case Phrase(words):
            assert len(words) <= 1_100
            return 1
        case _:
            return 0
