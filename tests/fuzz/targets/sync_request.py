"""The Sync request as a document, as `documents` reads bytes.

Refused with ProtocolError, or a SyncRequest inside its limits that means the same when it is sent again. Two
requests are separated by the marker; the second is the cached one that completes the first.
"""

from contextlib import suppress

from appliance.eas import sync_options, sync_request
from appliance.eas.status import ProtocolError
from appliance.eas.sync_request import CollectionRequest, Limits
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email
from appliance.wbxml.element import Element
from tests.fuzz.coverage import note
from tests.fuzz.documents import Vocabulary, document
from tests.fuzz.targets import wbxml

COVERS = ("appliance/eas/sync_request.py", "appliance/eas/sync_options.py")
MARKER = b"\xff\xfe\xfd"
LIMITS = Limits(collections_max=4, heartbeat_min_s=60, heartbeat_max_s=3540, window_size_max=100)
CONTAINERS = (
    AirSync.Collections,
    AirSync.Collection,
    AirSync.Commands,
    AirSync.Options,
    AirSync.Add,
    AirSync.Change,
    AirSync.Delete,
    AirSync.Fetch,
    AirSync.ApplicationData,
    AirSync.Supported,
    AirSyncBase.BodyPreference,
)
LEAVES = (
    AirSync.SyncKey,
    AirSync.CollectionId,
    AirSync.ClientId,
    AirSync.ServerId,
    AirSync.Class,
    AirSync.WindowSize,
    AirSync.Wait,
    AirSync.HeartbeatInterval,
    AirSync.Partial,
    AirSync.GetChanges,
    AirSync.DeletesAsMoves,
    AirSync.FilterType,
    AirSync.Conflict,
    AirSync.MIMESupport,
    AirSync.MIMETruncation,
    AirSync.Truncation,
    AirSync.MaxItems,
    AirSyncBase.Type,
    AirSyncBase.TruncationSize,
    AirSyncBase.AllOrNone,
    AirSyncBase.Preview,
    Email.Read,
)
VALUES = (
    None, "0", "1", "2", "3", "4", "8", "9", "59", "60", "512", "3540", "3541", "-1",
    "99999999999999999999", "a", "b", " 1 ", "true", "\u0661", "SMS", "x" * 64, "x" * 65, b"\xff\0", "",
)  # fmt: skip
VOCABULARY = Vocabulary(CONTAINERS, LEAVES, VALUES)
TOKENS = (MARKER, *wbxml.TOKENS)


def seeds() -> list[bytes]:
    found = [data for data in wbxml.seeds() if data[:5] == b"\x03\x01\x6a\x00\x45"]
    open_collection = bytes((0, 1))
    add = bytes((2, 4, 0x80 + 2, 11, 0xFF, 0xFF))
    options = bytes((3, 0x80 + 11, 2, 10, 0x80 + 17, 2, 0x80 + 18, 10, 0xFF, 0xFF))
    whole = open_collection + bytes((0x80, 2, 0x81, 3)) + add + options + bytes((0xFF, 0xFF, 0x86, 2))
    return [*found, whole, whole + MARKER + bytes((0x88, 2)) + whole]


def target(data: bytes) -> None:
    first, _, second = data.partition(MARKER)
    request = document(first, AirSync.Sync, VOCABULARY)
    if request is None:
        return
    _parse(request)
    with suppress(ProtocolError):
        note("partial", sync_request.is_partial(request))
    cached = document(second, AirSync.Sync, VOCABULARY)
    if cached is not None:
        _parse(sync_request.merge(request, cached))


def _parse(request: Element) -> None:
    try:
        parsed = sync_request.parse(request, LIMITS)
    except ProtocolError as error:
        note("refused", str(error)[:28], error.status)
        return
    assert 0 < len(parsed.collections) <= LIMITS.collections_max
    assert 0 <= parsed.wait_s <= LIMITS.heartbeat_max_s
    assert 0 < parsed.window_size <= LIMITS.window_size_max
    assert len({c.collection_id for c in parsed.collections}) == len(parsed.collections)
    assert sum(len(c.commands) for c in parsed.collections) <= sync_request.COMMANDS_MAX
    for collection in parsed.collections:
        _is_sound(collection)
    sent = decode(encode(request))
    if sent == request:  # else it holds characters that may come in but do not go out
        again = sync_request.parse(sent, LIMITS)
        assert again.collections == parsed.collections, "sent again, it means something else"


def _is_sound(collection: CollectionRequest) -> None:
    assert 0 < len(collection.collection_id) <= sync_request.ID_LENGTH_MAX
    assert 0 < collection.window_size <= LIMITS.window_size_max
    assert len(collection.digest) == 32
    assert bool(collection.commands_digest) or not collection.commands
    note(collection.options is None, collection.get_changes, len(collection.commands).bit_length())
    options = collection.options
    if options is not None:
        assert sync_options.Options.from_json(options.to_json()) == options
        assert len({body.type for body in options.bodies}) == len(options.bodies) <= 4
