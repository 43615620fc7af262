"""What each device holds of each collection: keys, cursors, the last answer.

The rule what a presented key means is `eas.sync_key`; what a cursor means is `eas.sync_delta`. Here
are the rows, and the one way to replace them: conditional on nobody else having done so meanwhile, so
that two requests of one device can never both advance a collection.

The last answer is a column that only `answer` reads and that `store` leaves alone unless given a new one:
it may be megabytes long, and a look whether anything has changed needs nothing of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from appliance import db
from appliance.db.tables import SyncState as Row
from appliance.errors import Conflict

HIERARCHY = 0  # the collection of FolderSync


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """One row: see `db.tables.SyncState`. `revision` is what `store` compares."""

    device: int
    folder: int
    generation: str
    current: int
    previous: int | None
    cursor: str
    previous_cursor: str = ""
    request_digest: bytes | None = None
    applied_digest: bytes | None = None
    applied_responses: str = ""
    client_ids: str = ""
    options: str = ""
    supported: str = ""
    revision: int = field(default=0, compare=False)


_FIELDS = (
    "generation",
    "current",
    "previous",
    "cursor",
    "previous_cursor",
    "request_digest",
    "applied_digest",
    "applied_responses",
    "client_ids",
    "options",
    "supported",
    "revision",
)
_BINARY = ("request_digest", "applied_digest")
NO_ANSWER = b""


def load(device: int, folder: int) -> State | None:
    """Return the state of a collection; None when it was never synchronised. Needs `db.connection()`."""
    row = (
        Row.select(*(getattr(Row, name) for name in _FIELDS))
        .where((Row.device == device) & (Row.folder == folder))
        .tuples()
        .first()
    )
    if row is None:
        return None
    values = dict(zip(_FIELDS, row, strict=True))
    for name in _BINARY:
        values[name] = None if values[name] is None else bytes(values[name])
    return State(device=device, folder=folder, **values)


def cursors(device: int) -> dict[int, str]:
    """Return the cursors of a device's collections by folder id. Needs `db.connection()`."""
    return dict(Row.select(Row.folder, Row.cursor).where(Row.device == device).tuples())


def answer(state: State) -> bytes:
    """Return what was said when the current key was handed out; NO_ANSWER when nothing is kept.

    Raises Conflict when another request of the device has written the collection since the load.
    """
    row = Row.select(Row.answer).where(_place(state) & (Row.revision == state.revision)).tuples().first()
    if row is None:
        raise Conflict("the collection was synchronised by another request meanwhile")
    return bytes(row[0]) if row[0] is not None else NO_ANSWER


@db.transaction
def store(state: State, now: datetime, *, answer: bytes | None = None) -> State:
    """Write a state that was loaded (or made new with revision 0) and changed; returns it as stored.

    answer: what is said with the current key; None leaves the stored one, NO_ANSWER drops it.
    Raises Conflict when another request of the device has written the collection since the load.
    """
    values = {name: getattr(state, name) for name in _FIELDS if name != "revision"}
    values["updated_at"] = now
    if answer is not None:
        values["answer"] = answer or None
    revision = state.revision + 1
    if state.revision == 0:
        new = Row.insert(device=state.device, folder=state.folder, revision=revision, **values)
        written = bool(list(new.on_conflict_ignore().returning(Row.revision).tuples()))
    else:
        update = Row.update(revision=revision, **values)
        written = bool(update.where(_place(state) & (Row.revision == state.revision)).execute())
    if not written:
        raise Conflict("the collection was synchronised by another request meanwhile")
    return replace(state, revision=revision)


@db.transaction
def forget(device: int) -> None:
    """Drop everything a device holds; its next request starts from key 0."""
    Row.delete().where(Row.device == device).execute()


@db.transaction
def forget_folders(folders: Iterable[int]) -> None:
    """Drop what any device holds of these folders."""
    Row.delete().where(Row.folder.in_(list(folders))).execute()


def as_before(state: State) -> State:
    """Return the state as its previous key stands for it; for looking, not for storing."""
    return replace(state, cursor=state.previous_cursor)


def _place(state: State) -> Any:
    return (Row.device == state.device) & (Row.folder == state.folder)
