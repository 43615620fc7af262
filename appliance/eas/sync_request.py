"""The Sync request as values: collections, commands, how long it may wait. Pure.

Owns the grammar and its global errors, and what an empty or partial request leaves out; leaves keys and
items to the commands. Source: MS-ASCMD 2.2.1.21 Sync, 2.2.3.133 Partial.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from appliance.eas import sync_options
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_key import PRIMING
from appliance.eas.sync_options import Options
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.element import Element, ElementError, Tag

COMMANDS_MAX = 200  # MS-ASCMD 3.1.5.8, Add + Change + Delete + Fetch of one request
WINDOW_DEFAULT = 100
WINDOW_MAX = 512
WAIT_MINUTES_MAX = 59


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
    is_partial: bool = False
    element: Element = field(default_factory=lambda: AirSync.Sync(), compare=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """The ceilings of a request, from the configuration."""

    collections_max: int
    heartbeat_min_s: int
    heartbeat_max_s: int


def parse(request: Element, limits: Limits) -> SyncRequest:
    """Return the request; raises ProtocolError with a global Status on a breach of the grammar."""
    if request.tag is not AirSync.Sync:
        raise ProtocolError(Status.PROTOCOL_ERROR, "not a Sync document")
    try:
        return _parse(request, limits)
    except ElementError as error:
        raise ProtocolError(Status.PROTOCOL_ERROR, str(error)) from error


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


def without_commands(request: Element) -> Element:
    """Return what is worth caching of a request: all but its changes and its keys (see `with_keys`)."""
    collections = [
        AirSync.Collection(
            AirSync.SyncKey(PRIMING),
            [child for child in collection.children if child.tag not in (AirSync.Commands, AirSync.SyncKey)],
        )
        for collection in _collections(request)
    ]
    tail = [child for child in request.children if child.tag in _TAIL]
    return AirSync.Sync(AirSync.Collections(collections), tail)


def with_keys(request: SyncRequest, keys: dict[str, str]) -> SyncRequest:
    """Return the request with the collections' current keys, as an empty request implies them."""
    return replace(
        request,
        collections=tuple(
            replace(c, sync_key=keys.get(c.collection_id, c.sync_key)) for c in request.collections
        ),
    )


_TAIL = (AirSync.Wait, AirSync.HeartbeatInterval, AirSync.WindowSize)


def _parse(request: Element, limits: Limits) -> SyncRequest:
    collections = _collections(request)
    is_partial = request.flag_of(AirSync.Partial)
    if not collections and not is_partial:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Sync has Collections")
    if len(collections) > limits.collections_max:
        raise OutOfLimit(Status.TOO_MANY_COLLECTIONS, limits.collections_max)
    parsed = tuple(_collection(element) for element in collections)
    if len({c.collection_id for c in parsed}) != len(parsed):
        raise ProtocolError(Status.PROTOCOL_ERROR, "a collection is named twice")
    if sum(len(c.commands) for c in parsed) > COMMANDS_MAX:
        raise ProtocolError(Status.PROTOCOL_ERROR, f"more than {COMMANDS_MAX} commands")
    return SyncRequest(
        collections=parsed,
        wait_s=_wait(request, limits),
        window_size=_window(request, WINDOW_MAX),
        is_partial=is_partial,
        element=request,
    )


def _collection(element: Element) -> CollectionRequest:
    collection_id = element.text_of(AirSync.CollectionId)
    sync_key = element.text_of(AirSync.SyncKey)
    if not collection_id or not sync_key:
        raise ProtocolError(Status.PROTOCOL_ERROR, "a Collection has SyncKey and CollectionId")
    block = element.find(AirSync.Commands)
    commands = () if block is None else tuple(block.children)
    if any(command.tag not in _COMMANDS for command in commands):
        raise ProtocolError(Status.PROTOCOL_ERROR, "an unknown command")
    changes = element.find(AirSync.GetChanges)
    return CollectionRequest(
        collection_id=collection_id,
        sync_key=sync_key,
        window_size=_window(element, WINDOW_DEFAULT),
        get_changes=None if changes is None else element.flag_of(AirSync.GetChanges),
        deletes_as_moves=element.flag_of(AirSync.DeletesAsMoves, True),
        options=sync_options.parse(element.find_all(AirSync.Options)),
        supported=element.find(AirSync.Supported),
        commands=commands,
        digest=hashlib.sha256(encode(element)).digest(),
        commands_digest=hashlib.sha256(sync_key.encode() + encode(block)).digest()
        if block is not None
        else b"",
    )


_COMMANDS = (AirSync.Add, AirSync.Change, AirSync.Delete, AirSync.Fetch)


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
        if not limits.heartbeat_min_s <= seconds <= limits.heartbeat_max_s:
            low, high = limits.heartbeat_min_s, limits.heartbeat_max_s
            raise OutOfLimit(Status.INVALID_WAIT, low if seconds < low else high)
        return seconds
    return 0


def _window(element: Element, default: int) -> int:
    """Return the WindowSize; 0 and values above the maximum count as the maximum."""
    size = element.int_of(AirSync.WindowSize, default)
    return size if 0 < size <= WINDOW_MAX else WINDOW_MAX


def _collections(request: Element) -> list[Element]:
    block = request.find(AirSync.Collections)
    return [] if block is None else block.find_all(AirSync.Collection)


def _first(request: Element, tags: Iterable[Tag]) -> Element | None:
    return next((child for child in request.children if child.tag in tags), None)
