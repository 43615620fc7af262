"""FolderSync: the folder tree, whole at first, then what changed in it.

The state is a row like any collection's (folder 0), so keys, replay and restarts work the same.
Source: MS-ASCMD 2.2.1.8 FolderSync, 3.1.5.2 (a failed command answers a Status alone).
"""

import secrets
from dataclasses import replace

from appliance import db
from appliance.devices import sync_states
from appliance.devices.sync_states import State
from appliance.eas.context import Context
from appliance.eas.status import FolderSync as Status
from appliance.eas.status import ProtocolError
from appliance.eas.sync_key import KEY_LENGTH_MAX, Verdict, judge, wire_key
from appliance.items.folder import Folder
from appliance.store import folders
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element


def handle(context: Context, request: Element | None) -> Element:
    """Answer with the changes since the presented key, or with everything for key 0."""
    if request is None or request.tag is not Tag.FolderSync:
        raise ProtocolError(Status.MALFORMED, "not a FolderSync document")
    presented = request.text_of(Tag.SyncKey)
    if not presented or len(presented) > KEY_LENGTH_MAX:
        raise ProtocolError(Status.MALFORMED, "FolderSync has a SyncKey")
    state = sync_states.load(context.device.id, sync_states.HIERARCHY)
    match judge(state, presented):
        case Verdict.PRIME:
            return _prime(context, state)
        case Verdict.ADVANCE:
            assert state is not None
            return _advance(context, state)
        case Verdict.REPLAY:
            assert state is not None and state.answer is not None
            return decode(state.answer)
        case _:
            raise ProtocolError(Status.INVALID_SYNC_KEY, "unknown hierarchy key")


def changed_since(account_id: int, device_id: int, cursor: int) -> list[Folder]:
    """Return the folders a device has not heard of, those it changed itself left out."""
    return [
        folder
        for folder in folders.changes_since(account_id, cursor)
        if folder.changed_by != device_id and not (folder.is_deleted and folder.created_modseq > cursor)
    ]


def _prime(context: Context, before: State | None) -> Element:
    generation = secrets.token_hex(4)
    with db.snapshot():
        latest = folders.hierarchy_modseq(context.account.id)
        known = folders.list_folders(context.account.id)
    answer = _render(wire_key(generation, 1), [Tag.Add(_entry(folder)) for folder in _parents_first(known)])
    sync_states.store(
        State(
            device=context.device.id,
            folder=sync_states.HIERARCHY,
            generation=generation,
            current=1,
            previous=None,
            cursor=str(latest),
            answer=encode(answer),
            revision=before.revision if before is not None else 0,
        ),
        context.now,
    )
    return answer


def _advance(context: Context, state: State) -> Element:
    cursor = int(state.cursor)
    with db.snapshot():
        latest = folders.hierarchy_modseq(context.account.id)
        changes = changed_since(context.account.id, context.device.id, cursor)
    if not changes:
        return _render(wire_key(state.generation, state.current), [])
    number = state.current + 1
    answer = _render(wire_key(state.generation, number), _in_order(changes, cursor))
    sync_states.store(
        replace(
            state,
            current=number,
            previous=state.current,
            cursor=str(latest),
            previous_cursor=state.cursor,
            answer=encode(answer),
        ),
        context.now,
    )
    return answer


def _in_order(changes: list[Folder], cursor: int) -> list[Element]:
    """Return updates, deletions, additions: the order of the schema."""
    live = [folder for folder in changes if not folder.is_deleted]
    return [
        *(Tag.Update(_entry(folder)) for folder in live if folder.created_modseq <= cursor),
        *(Tag.Delete(Tag.ServerId(str(folder.id))) for folder in changes if folder.is_deleted),
        *(Tag.Add(_entry(folder)) for folder in _parents_first(live) if folder.created_modseq > cursor),
    ]


def _entry(folder: Folder) -> list[Element]:
    return [
        Tag.ServerId(str(folder.id)),
        Tag.ParentId(str(folder.parent_id)),
        Tag.DisplayName(folder.name),
        Tag.Type(folder.type),
    ]


def _parents_first(known: list[Folder]) -> list[Folder]:
    """Return the folders so that each comes after its parent, as clients need them."""
    placed: dict[int, Folder] = {}
    waiting = list(known)
    while waiting:
        ready = [folder for folder in waiting if not folder.parent_id or folder.parent_id in placed]
        if not ready:  # a parent is missing: better at the end than never
            ready = waiting
        placed.update({folder.id: folder for folder in ready})
        waiting = [folder for folder in waiting if folder.id not in placed]
    return list(placed.values())


def _render(key: str, changes: list[Element]) -> Element:
    return Tag.FolderSync(
        Tag.Status(Status.SUCCESS), Tag.SyncKey(key), Tag.Changes(Tag.Count(len(changes)), changes)
    )
