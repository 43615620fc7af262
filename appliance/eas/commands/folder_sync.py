"""FolderSync: the folder tree, whole at first, then what changed in it.

The state is a row like any collection's (folder 0), so keys, replay and restarts work the same; what a
key stands for is `hierarchy`. Source: MS-ASCMD 2.2.1.5 FolderSync, 3.1.5.3 (a failed command answers a
Status alone).
"""

import secrets
from collections.abc import Iterable

from appliance import db
from appliance.devices import sync_states
from appliance.devices.sync_states import State
from appliance.eas import hierarchy
from appliance.eas.context import Beginning, Context
from appliance.eas.hierarchy import Known, News
from appliance.eas.status import FolderSync as Status
from appliance.eas.status import ProtocolError
from appliance.eas.sync_key import KEY_LENGTH_MAX, Verdict, judge, wire_key
from appliance.items.folder import Folder
from appliance.store import folders
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element


def handle(context: Context, request: Element | None) -> Element | Beginning:
    """Answer with the changes since the presented key, or with everything for key 0."""
    if request is None or request.tag is not Tag.FolderSync:
        raise ProtocolError(Status.MALFORMED, "not a FolderSync document")
    presented = request.text_of(Tag.SyncKey)
    if not presented or len(presented) > KEY_LENGTH_MAX:
        raise ProtocolError(Status.MALFORMED, "FolderSync has a SyncKey")
    state = sync_states.load(context.device.id, sync_states.HIERARCHY)
    verdict = judge(state, presented)
    if verdict is Verdict.PRIME:
        return Beginning(_prime(context, state))
    if state is None or verdict is Verdict.RESET:
        raise ProtocolError(Status.INVALID_SYNC_KEY, "unknown hierarchy key")
    digest = hierarchy.digest_of(request)
    # A row from before digests were kept has none; then only FolderSync handed out keys.
    if verdict is Verdict.REPLAY and state.request_digest in (digest, None):
        return decode(sync_states.answer(state))
    return _changes(context, state, verdict, digest)


def has_news(context: Context, *, is_unknown: bool = False) -> bool:
    """Return whether the next FolderSync would tell the device something. Needs `db.snapshot()`.

    is_unknown: what to say of a device that never asked for the tree, or whose state was forgotten.
    """
    cursor = sync_states.cursors(context.device.id).get(sync_states.HIERARCHY)
    if cursor is None:
        return is_unknown
    known = Known.from_json(cursor)
    if folders.hierarchy_modseq(context.account.id) <= known.modseq:
        return False
    return bool(hierarchy.news(context.account.id, context.device.id, known))


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
            cursor=Known(latest).to_json(),
            revision=before.revision if before is not None else 0,
        ),
        context.now,
        answer=sync_states.NO_ANSWER,
    )
    return answer


def _changes(context: Context, state: State, verdict: Verdict, digest: bytes) -> Element:
    before = hierarchy.known_before(state, verdict)
    with db.snapshot():
        latest = folders.hierarchy_modseq(context.account.id)
        news = hierarchy.news(context.account.id, context.device.id, before)
    if not news and verdict is Verdict.ADVANCE:
        return _render(wire_key(state.generation, state.current), [])
    following = hierarchy.next_state(state, verdict, before, Known(latest), digest)
    answer = _render(wire_key(following.generation, following.current), _in_order(news))
    sync_states.store(following, context.now, answer=encode(answer))
    return answer


def _in_order(news: News) -> list[Element]:
    """Return updates, deletions, additions: the order of the schema."""
    return [
        *(Tag.Update(_entry(folder)) for folder in _parents_first(news.updated)),
        *(Tag.Delete(Tag.ServerId(str(folder.id))) for folder in news.deleted),
        *(Tag.Add(_entry(folder)) for folder in _parents_first(news.added)),
    ]


def _entry(folder: Folder) -> list[Element]:
    return [
        Tag.ServerId(str(folder.id)),
        Tag.ParentId(str(folder.parent_id)),
        Tag.DisplayName(folder.name),
        Tag.Type(folder.type),
    ]


def _parents_first(known: Iterable[Folder]) -> list[Folder]:
    """Return the folders so that each comes after its parent, where that is among them.

    Clients put a folder below one they have heard of.
    """
    waiting = {folder.id: folder for folder in known}
    placed: list[Folder] = []
    while waiting:
        ready = [folder for folder in waiting.values() if folder.parent_id not in waiting]
        ready = ready or list(waiting.values())  # a circle: better in any order than never
        placed += ready
        for folder in ready:
            del waiting[folder.id]
    return placed


def _render(key: str, changes: list[Element]) -> Element:
    return Tag.FolderSync(
        Tag.Status(Status.SUCCESS), Tag.SyncKey(key), Tag.Changes(Tag.Count(len(changes)), changes)
    )
