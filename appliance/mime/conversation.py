"""Which thread a message belongs to, and where in it, as ActiveSync clients want to know.

Both values are digests of what the message itself says, so they are the same on every server, after
a restore and for messages that arrive in any order.
Source: MS-ASEMAIL 2.2.2.19 ConversationId, 2.2.2.20 ConversationIndex; MS-OXOMSG 2.2.1.3 (layout).
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from appliance.mime.message import thread_topic

CONVERSATION_ID_BYTES = 16
HEADER_BYTES = 5
LEVEL_BYTES = 5
LEVELS_MAX = 50
"""Reply levels written; clients only use the length to indent."""

_FILETIME_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_TICKS_PER_MICROSECOND = 10


def conversation_id(
    message_id: str | None, references: Sequence[str], in_reply_to: str | None, subject: str
) -> bytes:
    """Return 16 bytes that all messages of one thread share.

    The thread is named by its root: the first reference, else what is replied to, else the message
    itself, else the subject without reply and forward prefixes.
    """
    root = next(iter(references), None) or in_reply_to or message_id
    name = f"id:{root.strip()}" if root else f"topic:{thread_topic(subject).casefold()}"
    return hashlib.sha256(name.encode("utf-8", "replace")).digest()[:CONVERSATION_ID_BYTES]


def conversation_index(
    sent_at: datetime,
    references: Sequence[str] = (),
    in_reply_to: str | None = None,
    started_at: datetime | None = None,
) -> bytes:
    """Return the header (upper 5 bytes of the FILETIME at which the thread began) and 5 bytes a level.

    sent_at: aware; of this message. started_at: of the thread's first message where the caller knows
    it, else this message's own time stands in. A level's bytes come from the id of the message replied
    to, so that siblings share their beginning.
    """
    ancestors = list(references) or ([in_reply_to] if in_reply_to else [])
    header = _filetime(started_at or sent_at)[:HEADER_BYTES]
    levels = [_level(ancestor) for ancestor in ancestors[:LEVELS_MAX]]
    return header + b"".join(levels)


def _level(ancestor: str) -> bytes:
    """Return 31 bits standing for the time difference and a random byte, here both from the id."""
    digest = hashlib.sha256(ancestor.encode("utf-8", "replace")).digest()[:LEVEL_BYTES]
    return bytes((digest[0] & 0x7F,)) + digest[1:]


def _filetime(moment: datetime) -> bytes:
    """Return the 100 ns ticks since 1601 as 8 big-endian bytes; a time before that as 0."""
    ticks = (moment - _FILETIME_EPOCH) // timedelta(microseconds=1) * _TICKS_PER_MICROSECOND
    return max(0, ticks).to_bytes(8, "big")
