"""The folder tree as one device sees it: what it knows, what it must be told, what it changes.

Theory of operation. The tree is a collection like any other (folder 0): a key stands for what the device
knows. That is every folder as it was at `modseq`, and, because a command of the device must not wait for
its next FolderSync, what its own commands have done since:

    made      folders it created and was told the ids of: a later change of one is an Update, not an Add;
    absent    folders it has dropped, or may have, that live on: to be told anew, as Adds. A phone that
              deletes a folder forgets all it sees below it, which need not be what is there by now;
    untold    folders whose last change is its own, but which it cannot know of: to be told all the same;
    touched   what the command that handed out this key changed.

A change by the device itself (`Folder.changed_by`) is otherwise not echoed. When a device comes back with
the previous key and another request, it never got the last answer: whatever that command `touched` is then
`untold`. When it comes back with the same request, it gets the same answer: nothing is done twice.

Source: MS-ASCMD 3.1.5.3 Synchronizing a Folder Hierarchy, 2.2.1.3 to 2.2.1.6 (the folder commands).
"""

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from appliance import db
from appliance.devices import sync_states
from appliance.devices.sync_states import State
from appliance.eas.context import Context
from appliance.eas.ids import RECIPIENT_CACHE, item_id_of
from appliance.eas.status import FolderChange as Status
from appliance.eas.status import ProtocolError
from appliance.eas.sync_key import Verdict, judge, wire_key
from appliance.errors import Conflict, NotFound
from appliance.items.folder import Folder
from appliance.store import folders
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import FolderHierarchy as Names
from appliance.wbxml.element import Element, ElementError, Tag

ROOT = "0"
_NONE: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Known:
    """What a key stands for; see the theory of operation."""

    modseq: int
    made: frozenset[int] = _NONE
    absent: frozenset[int] = _NONE
    untold: frozenset[int] = _NONE
    touched: frozenset[int] = _NONE

    def holds(self, folder: Folder) -> bool:
        """Return whether the device has a folder, in whatever state."""
        if folder.id in self.absent:
            return False
        return folder.created_modseq <= self.modseq or folder.id in self.made

    def to_json(self) -> str:
        """Return the cursor for the state row; a bare number when nothing but `modseq` is set."""
        sets = {name: sorted(getattr(self, name)) for name in _SETS if getattr(self, name)}
        return json.dumps({"modseq": self.modseq} | sets if sets else self.modseq, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Known":
        """Return what `to_json` wrote."""
        found = json.loads(text)
        if isinstance(found, int):
            return cls(found)
        return cls(found["modseq"], *(frozenset(found.get(name, ())) for name in _SETS))


_SETS = ("made", "absent", "untold", "touched")


@dataclass(frozen=True, slots=True)
class News:
    """What a device must be told; deleted folders are only ids to it."""

    updated: tuple[Folder, ...]
    deleted: tuple[Folder, ...]
    added: tuple[Folder, ...]

    def __bool__(self) -> bool:
        return bool(self.updated or self.deleted or self.added)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a command did: the ids it touched, and how they bear on what the device knows.

    `server_id` goes into the answer.
    """

    touched: Collection[int] = ()
    made: Collection[int] = ()
    absent: Collection[int] = ()
    untold: Collection[int] = ()
    server_id: int | None = None


def news(account_id: int, device_id: int, known: Known) -> News:
    """Return what a device has not heard of. Needs `db.snapshot()`."""
    changed = {folder.id: folder for folder in folders.changes_since(account_id, known.modseq)}
    if known.absent - changed.keys():
        changed |= {f.id: f for f in folders.list_folders(account_id) if f.id in known.absent}
    updated: list[Folder] = []
    deleted: list[Folder] = []
    added: list[Folder] = []
    for folder in changed.values():
        is_own = folder.changed_by == device_id and folder.id not in known.untold | known.absent
        is_held = known.holds(folder)
        if is_own or (folder.is_deleted and not is_held and folder.id not in known.absent):
            continue
        (deleted if folder.is_deleted else updated if is_held else added).append(folder)
    return News(tuple(updated), tuple(deleted), tuple(added))


def known_before(state: State, verdict: Verdict) -> Known:
    """Return what a device knows that presents the current key (ADVANCE) or the previous one (REPLAY)."""
    if verdict is Verdict.ADVANCE:
        return Known.from_json(state.cursor)
    before, lost = Known.from_json(state.previous_cursor), Known.from_json(state.cursor).touched
    return replace(before, untold=before.untold | lost)


def next_state(state: State, verdict: Verdict, before: Known, after: Known, digest: bytes) -> State:
    """Return the state that hands out the next key; the previous one is the one that was presented."""
    return replace(
        state,
        current=state.current + 1,
        previous=state.current if verdict is Verdict.ADVANCE else state.previous,
        cursor=after.to_json(),
        previous_cursor=before.to_json(),
        request_digest=digest,
    )


def digest_of(request: Element) -> bytes:
    """Return the name of a request, by which a repeat is recognised."""
    return hashlib.sha256(encode(request)).digest()


# --- the device's own changes ---------------------------------------------------------------------


def carry_out(
    context: Context,
    request: Element,
    act: Callable[[Known], Effect],
    prepare: Callable[[], None] = lambda: None,
) -> Element:
    """Run a folder command under its SyncKey and return the answer; a repeat gets the first one again.

    act: the change, given what the device knows; it becomes durable together with the new key, or not at
    all. prepare: what has to be
    done before and may be done twice, outside of a transaction. Raises ProtocolError: 9 for a key that is
    not the device's, 10 for none, 6 when another request of the device was faster; and what act raises.
    """
    presented = text_in(request, Names.SyncKey)
    state = sync_states.load(context.device.id, sync_states.HIERARCHY)
    verdict = judge(state, presented)
    if state is None or verdict in (Verdict.PRIME, Verdict.RESET):
        raise ProtocolError(Status.INVALID_SYNC_KEY, "unknown hierarchy key")
    digest = digest_of(request)
    try:
        if verdict is Verdict.REPLAY and state.request_digest == digest:
            return decode(sync_states.answer(state))
        prepare()
        return _commit(context, request.tag, state, verdict, digest, act)
    except Conflict as error:
        raise ProtocolError(Status.SERVER_ERROR, str(error)) from error


@db.transaction
def _commit(
    context: Context, root: Tag, state: State, verdict: Verdict, digest: bytes, act: Callable[[Known], Effect]
) -> Element:
    before = known_before(state, verdict)
    effect = act(before)
    after = replace(
        before,
        made=before.made | set(effect.made),
        absent=before.absent | set(effect.absent),
        untold=(before.untold - set(effect.touched)) | set(effect.untold),
        touched=frozenset(effect.touched),
    )
    following = next_state(state, verdict, before, after, digest)
    answer = root(
        Names.Status(Status.SUCCESS),
        Names.SyncKey(wire_key(following.generation, following.current)),
        Names.ServerId(str(effect.server_id)) if effect.server_id is not None else None,
    )
    sync_states.store(following, context.now, answer=encode(answer))
    return answer


def checked(request: Element | None, root: Tag) -> Element:
    """Return the request of a folder command; raises ProtocolError 10 when it is another document."""
    if request is None or request.tag is not root or request.find(Names.Status) is not None:
        raise ProtocolError(Status.MALFORMED, f"not a {root.name} request")
    return request


def text_in(request: Element, tag: Tag) -> str:
    """Return the text of a required child; raises ProtocolError 10 when it is absent or empty."""
    text = request.text_of(tag)
    if not text:
        raise ProtocolError(Status.MALFORMED, f"no {tag.name}")
    return text


def number_in(request: Element, tag: Tag) -> int:
    """Return the integer in a required child; raises ProtocolError 10 for anything else."""
    text_in(request, tag)
    try:
        return request.int_of(tag, 0)
    except ElementError as error:
        raise ProtocolError(Status.MALFORMED, str(error)) from error


def folder_in(context: Context, request: Element) -> Folder:
    """Return the folder a request names; raises ProtocolError 4 for none of the account's."""
    folder_id = text_in(request, Names.ServerId)
    _check_no_cache(folder_id)
    try:
        return folders.get(context.account.id, item_id_of(folder_id))
    except NotFound as error:
        raise ProtocolError(Status.NO_SUCH_FOLDER, str(error)) from error


def parent_in(context: Context, request: Element) -> int:
    """Return the id of the parent a request names, 0 for the top; raises ProtocolError 5."""
    parent_id = text_in(request, Names.ParentId)
    if parent_id == ROOT:
        return 0
    _check_no_cache(parent_id)
    try:
        return folders.get(context.account.id, item_id_of(parent_id)).id
    except NotFound as error:
        raise ProtocolError(Status.NO_SUCH_PARENT, str(error)) from error


def _check_no_cache(folder_id: str) -> None:
    if folder_id == RECIPIENT_CACHE:
        raise ProtocolError(Status.SYSTEM_FOLDER, "the recipient information cache is the server's")
