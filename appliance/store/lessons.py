"""What users teach the filter by moving mail into the junk folder or out of it: a short queue.

A move writes the lesson in its own transaction and never waits for the filter; whoever teaches takes them
from here. Bounded: with LESSONS_MAX waiting, further ones are not written down.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance import db
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import JunkLesson as Row
from appliance.items.folder import JUNK_NAME, Folder, FolderType

LESSONS_MAX = 1_000
KEPT = timedelta(days=2)  # a filter that is away for longer misses them

_is_taught = False


@dataclass(frozen=True, slots=True)
class Lesson:
    """A message by the digest of its bytes, and what it is."""

    digest: bytes
    is_junk: bool


def configure(is_taught: bool) -> None:
    """Say whether there is a filter to be taught; without one nothing is written down."""
    global _is_taught  # one configuration per process
    _is_taught = is_taught


def moved(digest: bytes, source: Folder, target: Folder) -> None:
    """Note what a move says about a message. Needs a transaction.

    Out of the junk folder is only a lesson when it goes where mail is kept, not into the bin.
    """
    if not _is_taught or _is_junk(source) == _is_junk(target) or target.type == FolderType.DELETED:
        return
    if Row.select().count() >= LESSONS_MAX:
        return
    now = SYSTEM_CLOCK.now()
    row = Row.insert(digest=digest, is_junk=_is_junk(target), noted_at=now)
    row.on_conflict(
        conflict_target=[Row.digest], update={Row.is_junk: _is_junk(target), Row.noted_at: now}
    ).execute()


def waiting(limit: int) -> list[Lesson]:
    """Return the oldest lessons. Needs `db.connection()`."""
    rows = Row.select(Row.digest, Row.is_junk).order_by(Row.noted_at).limit(limit).tuples()
    return [Lesson(bytes(digest), is_junk) for digest, is_junk in rows]


@db.transaction
def done(lesson: Lesson) -> None:
    """Strike a lesson out, unless the user has changed their mind meanwhile."""
    Row.delete().where((Row.digest == lesson.digest) & (Row.is_junk == lesson.is_junk)).execute()


@db.transaction
def forget(now: datetime) -> int:
    """Remove lessons nobody could teach; returns how many."""
    return int(Row.delete().where(Row.noted_at < now - KEPT).execute())


def _is_junk(folder: Folder) -> bool:
    return folder.parent_id == 0 and folder.name.casefold() == JUNK_NAME.casefold()
