"""What each device holds of each collection: keys, cursors, the last answer.

The rule what a presented key means is `eas.sync_key`; what a cursor means is `eas.sync_delta`. Here
are the rows, and the one way to replace them: conditional on nobody else having done so meanwhile, so
that two requests of one device can never both advance a collection.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

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
    answer: bytes | None = None
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
    "answer",
    "applied_digest",
    "applied_responses",
    "client_ids",
    "options",
    "supported",
    "revision",
)
_BINARY = ("request_digest", "answer", "applied_digest")


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


@db.transaction
def store(state: State, now: datetime) -> State:
    """Write a state that was loaded (or made new with revision 0) and changed; returns it as stored.

    Raises Conflict when another request of the device has written the collection since the load.
    """
    values = {name: getattr(state, name) for name in _FIELDS if name != "revision"}
    values["updated_at"] = now
    place = (Row.device == state.device) & (Row.folder == state.folder)
    if state.revision == 0:
        Row.delete().where(place).execute()
        revision = 1
        Row.create(device=state.device, folder=state.folder, revision=revision, **values)
    else:
        revision = state.revision + 1
        written = (
            Row.update(revision=revision, **values).where(place & (Row.revision == state.revision)).execute()
        )
        if not written:
            raise Conflict("the collection was synchronised by another request meanwhile")
    return State(
        device=state.device,
        folder=state.folder,
        revision=revision,
        **{name: getattr(state, name) for name in _FIELDS if name != "revision"},
    )


@db.transaction
def forget(device: int) -> None:
    """Drop everything a device holds; its next request starts from key 0."""
    Row.delete().where(Row.device == device).execute()


def as_before(state: State) -> State:
    """Return the state as its previous key stands for it; for looking, not for storing."""
    return replace(state, cursor=state.previous_cursor)
