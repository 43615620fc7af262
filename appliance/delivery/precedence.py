"""How urgent a message of our users is, by what it says of itself: a letter, a machine's, or bulk."""

from appliance.mime.headers import parse_headers
from appliance.queue.priority import Priority

BULK_RECIPIENTS_MIN = 100
"""Remote recipients from which on a message waits for those of others."""
_BULK = frozenset({"bulk", "list", "junk"})
_LIST_FIELDS = ("List-Id", "List-Post", "List-Unsubscribe")


def of(raw: bytes, recipients: int) -> Priority:
    """Return the priority of a message for so many remote recipients."""
    headers = parse_headers(raw)
    if recipients >= BULK_RECIPIENTS_MIN or any(name in headers for name in _LIST_FIELDS):
        return Priority.BULK
    if _word(headers.raw("Precedence")) in _BULK:
        return Priority.BULK
    if _word(headers.raw("Auto-Submitted")) not in ("", "no"):
        return Priority.AUTOMATIC
    return Priority.MAIL


def _word(value: str | None) -> str:
    return (value or "").partition(";")[0].partition("(")[0].strip().lower()
