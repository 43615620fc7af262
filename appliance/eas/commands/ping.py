"""Ping: hold the request until something changes in one of the folders, or the interval is over.

Theory of operation: parameters a device leaves out come from its last Ping, so they are stored. While
the request is held nothing is kept but the device's id and a tuple of folder ids. A folder without a
sync state is not watched, and one whose state holds a change is announced at once: "changed" is said
only when the next Sync delivers something, because both ask `collection`.

Source: MS-ASCMD 2.2.1.13 Ping.
"""

from collections.abc import Sequence

from appliance import db
from appliance.devices import devices, sync_states
from appliance.eas import collection, heartbeat
from appliance.eas.commands.folder_sync import changed_since
from appliance.eas.context import Context, Waiting
from appliance.eas.heartbeat import Ended
from appliance.eas.status import Ping as Status
from appliance.eas.status import ProtocolError
from appliance.errors import NotFound
from appliance.store import folders
from appliance.wbxml.codepages import Ping
from appliance.wbxml.element import Element, ElementError

type Watched = tuple[tuple[str, str], ...]  # (folder id, class)


def handle(context: Context, request: Element | None) -> Element | Waiting:
    """Answer faults of the parameters at once; everything else is held."""
    interval_s, watched = _parameters(context, request)
    limits = context.world.web
    if interval_s < limits.heartbeat_min_s or interval_s > limits.heartbeat_max_s:
        nearest = min(max(interval_s, limits.heartbeat_min_s), limits.heartbeat_max_s)
        return Ping.Ping(Ping.Status(Status.HEARTBEAT_OUT_OF_RANGE), Ping.HeartbeatInterval(nearest))
    folders_max = context.world.eas.folders_per_ping_max
    if len(watched) > folders_max:
        return Ping.Ping(Ping.Status(Status.TOO_MANY_FOLDERS), Ping.MaxFolders(folders_max))
    if (interval_s, watched) != (context.device.ping_heartbeat_s, context.device.ping_folders):
        devices.remember_ping(context.device.id, interval_s, watched)
    ids = tuple(folder_id for folder_id, _ in watched)
    return Waiting(lambda: _hold(context, ids, interval_s))


def _parameters(context: Context, request: Element | None) -> tuple[int, Watched]:
    """Return (interval in seconds, folders), each from the request or else from the last Ping."""
    interval_s, watched = context.device.ping_heartbeat_s, context.device.ping_folders
    if request is not None:
        if request.tag is not Ping.Ping:
            raise ProtocolError(Status.SYNTAX, "not a Ping document")
        try:
            interval_s = request.int_of(Ping.HeartbeatInterval, interval_s)
        except ElementError as error:
            raise ProtocolError(Status.SYNTAX, str(error)) from error
        listed = request.find(Ping.Folders)
        if listed is not None:
            watched = _folders(listed)
    if not interval_s or not watched:
        raise ProtocolError(Status.MISSING_PARAMETERS, "no interval or no folders, and none cached")
    return interval_s, watched


def _folders(listed: Element) -> Watched:
    watched = tuple(
        (folder.text_of(Ping.Id, ""), folder.text_of(Ping.Class, ""))
        for folder in listed.find_all(Ping.Folder)
    )
    if any(not folder_id for folder_id, _ in watched):
        raise ProtocolError(Status.SYNTAX, "a Folder has an Id")
    if len({folder_id for folder_id, _ in watched}) != len(watched):
        raise ProtocolError(Status.SYNTAX, "a folder is named twice")
    return watched


def _hold(context: Context, ids: Sequence[str], interval_s: int) -> Element:
    found = heartbeat.hold(
        lambda: _look(context, ids),
        account_id=context.account.id,
        device_id=context.device.id,
        folders=ids,
        interval_s=interval_s,
        recheck_s=context.world.web.recheck_interval_s,
        clock=context.world.clock,
    )
    return Ping.Ping(Ping.Status(Status.EXPIRED)) if isinstance(found, Ended) else found


def _look(context: Context, ids: Sequence[str]) -> Element | None:
    with db.snapshot():
        if _has_new_hierarchy(context):
            return Ping.Ping(Ping.Status(Status.HIERARCHY_CHANGED))
        changed = [folder_id for folder_id in ids if _has_changes(context, folder_id)]
    if not changed:
        return None
    return Ping.Ping(
        Ping.Status(Status.CHANGES), Ping.Folders([Ping.Folder(folder_id) for folder_id in changed])
    )


def _has_new_hierarchy(context: Context) -> bool:
    """Return whether the next FolderSync would tell the device something."""
    state = sync_states.load(context.device.id, sync_states.HIERARCHY)
    if state is None:
        return False
    cursor = int(state.cursor)
    if folders.hierarchy_modseq(context.account.id) <= cursor:
        return False
    return bool(changed_since(context.account.id, context.device.id, cursor))


def _has_changes(context: Context, folder_id: str) -> bool:
    try:
        folder = collection.find(context, folder_id)
    except NotFound:
        return False  # FolderSync has told the device, or is about to
    state = sync_states.load(context.device.id, folder.id)
    return state is not None and collection.has_changes(context, folder, state)
