"""Ping: hold the request until something changes in one of the folders, or the interval is over.

Theory of operation: interval and folders are stored, each on its own, as soon as the device has named
acceptable ones; what it leaves out next time comes from there. While the request is held nothing is kept
but the device and a tuple of folder ids. A folder that is gone or has no sync state is not watched, and
one whose state holds a change is announced at once: "changed" is said only when the next Sync delivers
something, because both ask `collection`. A device of which nothing is held any more, because it was away for
long, is sent to FolderSync, where it starts over.

Source: MS-ASCMD 2.2.1.13 Ping.
"""

from appliance import db
from appliance.devices import devices
from appliance.eas import collection, heartbeat, tracing
from appliance.eas.commands import folder_sync
from appliance.eas.context import Context, Waiting
from appliance.eas.heartbeat import Ended
from appliance.eas.status import Ping as Status
from appliance.eas.status import ProtocolError
from appliance.eas.sync_request import ID_LENGTH_MAX
from appliance.wbxml.codepages import Ping
from appliance.wbxml.element import Element, ElementError

CLASS_LENGTH_MAX = 16  # characters kept of a Class; the longest is "Calendar"

type Watched = tuple[tuple[str, str], ...]  # (folder id, class)


def handle(context: Context, request: Element | None) -> Element | Waiting:
    """Answer faults of the parameters at once; everything else is held."""
    asked_s, asked_folders = _asked(request)
    low, high = context.world.web.heartbeat_min_s, context.world.web.heartbeat_max_s
    folders_max = context.world.eas.folders_per_ping_max
    is_in_range = asked_s is None or low <= asked_s <= high
    is_too_many = len(asked_folders) > folders_max
    interval_s, watched = _remember(
        context, asked_s if is_in_range else None, () if is_too_many else asked_folders
    )
    if asked_s is not None and not is_in_range:
        nearest = min(max(asked_s, low), high)
        return Ping.Ping(Ping.Status(Status.HEARTBEAT_OUT_OF_RANGE), Ping.HeartbeatInterval(nearest))
    if is_too_many:
        return Ping.Ping(Ping.Status(Status.TOO_MANY_FOLDERS), Ping.MaxFolders(folders_max))
    if not interval_s or not watched:
        raise ProtocolError(Status.MISSING_PARAMETERS, "no interval or no folders, and none cached")
    ids = tuple(folder_id for folder_id, _ in watched)
    return Waiting(lambda: _hold(context, ids, min(max(interval_s, low), high)))


def _asked(request: Element | None) -> tuple[int | None, Watched]:
    """Return what the request says: interval in seconds, folders; None and () for what it leaves out."""
    if request is None:
        return None, ()
    if request.tag is not Ping.Ping:
        raise ProtocolError(Status.SYNTAX, "not a Ping document")
    try:
        interval_s = request.int_of(Ping.HeartbeatInterval)
    except ElementError as error:
        raise ProtocolError(Status.SYNTAX, str(error)) from error
    listed = request.find(Ping.Folders)
    return interval_s, () if listed is None else _folders(listed)


def _remember(context: Context, asked_s: int | None, asked_folders: Watched) -> tuple[int, Watched]:
    """Store what is new and return what now holds: 0 and () for what was never named."""
    device = context.device
    before = (device.ping_heartbeat_s, device.ping_folders)
    interval_s, watched = (asked_s or before[0], asked_folders or before[1])
    if (interval_s, watched) != before:
        devices.remember_ping(device.id, interval_s, watched)
    return interval_s, watched


def _folders(listed: Element) -> Watched:
    watched = tuple(
        (folder.text_of(Ping.Id, ""), folder.text_of(Ping.Class, "")[:CLASS_LENGTH_MAX])
        for folder in listed.find_all(Ping.Folder)
    )
    if any(not 0 < len(folder_id) <= ID_LENGTH_MAX for folder_id, _ in watched):
        raise ProtocolError(Status.SYNTAX, f"a Folder has an Id of 1 to {ID_LENGTH_MAX} characters")
    if len({folder_id for folder_id, _ in watched}) != len(watched):
        raise ProtocolError(Status.SYNTAX, "a folder is named twice")
    return watched


def _hold(context: Context, ids: tuple[str, ...], interval_s: int) -> Element:
    ids, asked_at = tracing.trusted(context, ids), context.now
    found = heartbeat.hold(
        lambda: _look(context, ids),
        account_id=context.account.id,
        device_id=context.device.id,
        folders=ids,
        interval_s=heartbeat.shortened(context, interval_s),
        recheck_s=context.world.web.recheck_interval_s,
        clock=context.world.clock,
    )
    if isinstance(found, Ended):
        return Ping.Ping(Ping.Status(Status.EXPIRED))
    return tracing.announced(context, found, asked_at)


def _look(context: Context, ids: tuple[str, ...]) -> Element | None:
    with db.snapshot():
        news = collection.news(context, ids)
        if folder_sync.has_news(context, is_unknown=bool(ids) and not news):
            return Ping.Ping(Ping.Status(Status.HIERARCHY_CHANGED))
    changed = [folder_id for folder_id in ids if news.get(folder_id)]
    if not changed:
        return None
    return Ping.Ping(
        Ping.Status(Status.CHANGES), Ping.Folders([Ping.Folder(folder_id) for folder_id in changed])
    )
