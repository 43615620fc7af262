"""The Sync request as values: collections, commands, how long it may wait. Pure.

Owns the grammar and its global errors, and how a partial request is completed; leaves keys and items to
the commands, and which request is kept to `sync_cache`.
Source: MS-ASCMD 2.2.1.21 Sync, 2.2.3.133 Partial.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from appliance.eas import sync_options
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_key import KEY_LENGTH_MAX
from appliance.eas.sync_options import Options
from appliance.eas.versions import is_early
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.element import Element, ElementError, Tag

COMMANDS_MAX = 200  # MS-ASCMD 3.1.5.8, Add + Change + Delete + Fetch of one request
WINDOW_DEFAULT = 100
WINDOW_MAX = 512
WAIT_MINUTES_MAX = 59
ID_LENGTH_MAX = 64  # characters of a CollectionId, ServerId or ClientId, MS-ASCMD 2.2.3


class OutOfLimit(ProtocolError):
    """A number is outside the limits; `limit` is the nearest one allowed, in the unit the device used."""

    def __init__(self, status: Status, limit: int) -> None:
        super().__init__(status, f"out of range, nearest is {limit}")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class CollectionRequest:
    """What a request says of one collection. options: None when it says nothing about them.

    `digest` names the request for this collection, `commands_digest` the changes it carries under this
    key: a repeat of either is recognised by it.
    """

    collection_id: str
    sync_key: str
    window_size: int = WINDOW_DEFAULT
    get_changes: bool | None = None
    deletes_as_moves: bool = True
    options: Options | None = None
    conversation_mode: bool | None = None
    supported: Element | None = None
    commands: tuple[Element, ...] = ()
    digest: bytes = b""
    commands_digest: bytes = b""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """A whole request. wait_s: how long it may be held, 0 for not at all."""

    collections: tuple[CollectionRequest, ...]
    wait_s: int = 0
    window_size: int = WINDOW_MAX
    element: Element = field(default_factory=lambda: AirSync.Sync(), compare=False)

    @property
    def has_commands(self) -> bool:
        """Whether the device changes anything with it."""
        return any(collection.commands for collection in self.collections)


@dataclass(frozen=True, slots=True)
class Limits:
    """The ceilings of a request, from the configuration, and the version it is made in."""

    collections_max: int
    heartbeat_min_s: int
    heartbeat_max_s: int
    window_size_max: int = WINDOW_MAX
    version: str = ""


def parse(request: Element, limits: Limits) -> SyncRequest:
    """Return a complete request; raises ProtocolError with a global Status on a breach of the grammar."""
    if request.tag is not AirSync.Sync:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not a Sync document")
    try:
        return _parse(request, limits)
    except ElementError as error:
        raise ProtocolError(Status.PROTOCOL_ERROR, str(error)) from error


def is_partial(request: Element) -> bool:
    """Return whether a request relies on the cached one; raises ProtocolError when it says nothing else."""
    try:
        partial = request.flag_of(AirSync.Partial)
    except ElementError as error:
        raise ProtocolError(Status.PROTOCOL_ERROR, str(error)) from error
    if partial and len(request.children) == 1:
        raise ProtocolError(Status.PROTOCOL_ERROR, "Partial and nothing else")
    return partial


def merge(partial: Element, cached: Element) -> Element:
    """Return a partial request completed by the cached one: collections it leaves out, wait and window.

    The collections of the request come first, in their order.
    """
    given = _collections(partial)
    named = {collection.text_of(AirSync.CollectionId) for collection in given}
    rest = [c for c in _collections(cached) if c.text_of(AirSync.CollectionId) not in named]
    tail = [
        element
        for tags in ((AirSync.Wait, AirSync.HeartbeatInterval), (AirSync.WindowSize,))
        if (element := _first(partial, tags) or _first(cached, tags)) is not None
    ]
    return AirSync.Sync(AirSync.Collections(given, rest), tail)


def _parse(request: Element, limits: Limits) -> SyncRequest:
    collections = _collections(request)
    if not collections:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Sync has Collections")
    if len(collections) > limits.collections_max:
        raise OutOfLimit(Status.TOO_MANY_COLLECTIONS, limits.collections_max)
    parsed = tuple(_collection(element, limits) for element in collections)
    if len({c.collection_id for c in parsed}) != len(parsed):
        raise ProtocolError(Status.PROTOCOL_ERROR, "a collection is named twice")
    if sum(len(c.commands) for c in parsed) > COMMANDS_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"more than {COMMANDS_MAX} commands")
    return SyncRequest(
        collections=parsed,
        wait_s=_wait(request, limits),
        window_size=_window(request, WINDOW_MAX, limits.window_size_max),
        element=request,
    )


def _collection(element: Element, limits: Limits) -> CollectionRequest:
    collection_id = element.text_of(AirSync.CollectionId)
    sync_key = element.text_of(AirSync.SyncKey)
    if not collection_id or not sync_key:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Collection has SyncKey and CollectionId")
    if len(collection_id) > ID_LENGTH_MAX or len(sync_key) > KEY_LENGTH_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a SyncKey or CollectionId is too long")
    block = element.find(AirSync.Commands)
    commands = () if block is None else tuple(block.children)
    for command in commands:
        _check_command(command)
    changes = element.find(AirSync.GetChanges)
    return CollectionRequest(
        collection_id=collection_id,
        sync_key=sync_key,
        window_size=_window(element, WINDOW_DEFAULT, limits.window_size_max),
        get_changes=None if changes is None else element.flag_of(AirSync.GetChanges),
        deletes_as_moves=element.flag_of(AirSync.DeletesAsMoves, True),
        options=sync_options.parse(element.find_all(AirSync.Options)),
        conversation_mode=None
        if element.find(AirSync.ConversationMode) is None
        else element.flag_of(AirSync.ConversationMode),
        supported=element.find(AirSync.Supported),
        commands=commands,
        # With the version: an answer made for another one may say what this one does not know.
        digest=hashlib.sha256(limits.version.encode() + encode(element)).digest(),
        commands_digest=hashlib.sha256(sync_key.encode() + encode(block)).digest()
        if block is not None
        else b"",
    )


_NAMED_BY = {
    AirSync.Add: AirSync.ClientId,
    AirSync.Change: AirSync.ServerId,
    AirSync.Delete: AirSync.ServerId,
    AirSync.Fetch: AirSync.ServerId,
}


def _check_command(command: Element) -> None:
    """Raise ProtocolError for a command that cannot be answered, because it does not name its item."""
    named_by = _NAMED_BY.get(command.tag)
    if named_by is None:
        raise ProtocolError(Status.PROTOCOL_ERROR, "an unknown command")
    if not 0 < len(command.text_of(named_by, "")) <= ID_LENGTH_MAX:
        raise ProtocolError(
            Status.PROTOCOL_ERROR, f"{command.tag} has a {named_by.name} of 1 to 64 characters"
        )


def _wait(request: Element, limits: Limits) -> int:
    minutes, seconds = request.int_of(AirSync.Wait), request.int_of(AirSync.HeartbeatInterval)
    if minutes is not None and seconds is not None:
        raise ProtocolError(Status.PROTOCOL_ERROR, "both Wait and HeartbeatInterval")
    if minutes is not None:
        highest = min(WAIT_MINUTES_MAX, limits.heartbeat_max_s // 60)
        if not 1 <= minutes <= highest:
            raise OutOfLimit(Status.INVALID_WAIT, 1 if minutes < 1 else highest)
        return minutes * 60
    if seconds is not None:
        if limits.version and is_early(limits.version):
            raise ProtocolError(Status.PROTOCOL_ERROR, "HeartbeatInterval came with 14.0")
        if not limits.heartbeat_min_s <= seconds <= limits.heartbeat_max_s:
            low, high = limits.heartbeat_min_s, limits.heartbeat_max_s
            raise OutOfLimit(Status.INVALID_WAIT, low if seconds < low else high)
        return seconds
    return 0


def _window(element: Element, default: int, highest: int) -> int:
    """Return the WindowSize; 0 and values above the maximum count as the maximum."""
    size = element.int_of(AirSync.WindowSize, default)
    return min(size if 0 < size <= WINDOW_MAX else WINDOW_MAX, highest)


def _collections(request: Element) -> list[Element]:
    block = request.find(AirSync.Collections)
    return [] if block is None else block.find_all(AirSync.Collection)


def _first(request: Element, tags: Iterable[Tag]) -> Element | None:
    return next((child for child in request.children if child.tag in tags), None)
