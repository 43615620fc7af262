"""One folder as one device sees it: found, compared with what the device holds, rendered.

What Sync delivers, what Ping announces and what GetItemEstimate counts all come from `walk` over the
same feed, so that the three can never disagree.
"""

import errno
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import assert_never

from appliance import logs, offload
from appliance.devices import sync_states
from appliance.devices.sync_states import State
from appliance.eas import vocabulary
from appliance.eas.content import email
from appliance.eas.content.airsyncbase import Source, body_bytes
from appliance.eas.context import Context
from appliance.eas.sync_apply import item_id_of
from appliance.eas.sync_delta import (
    Add,
    Change,
    Cursor,
    Delete,
    Outgoing,
    Part,
    Position,
    SoftDelete,
    Step,
    cutoff_for,
    walk,
)
from appliance.eas.sync_options import Options
from appliance.errors import ApplianceError, NotFound, TemporaryFailure
from appliance.items.folder import Folder
from appliance.items.message import Content, Message, Tombstone
from appliance.metrics import counter
from appliance.mime.scan import scan
from appliance.store import changes, conversations, folders, messages
from appliance.store.changes import Forgotten
from appliance.wbxml.codec import encode_fragment
from appliance.wbxml.codepages import AirSync, Email
from appliance.wbxml.element import Element, Fragment

log = logging.getLogger("appliance.eas")
ITEMS = counter("appliance_eas_sync_items_total", "Changes sent to devices.", ["kind"])
POISONED = counter("appliance_eas_placeholders_total", "Items that could not be rendered and were replaced.")

BATCH = 32  # items whose content is fetched together; others get their turn after each batch
OFFLOAD_BYTES_MIN = 262_144  # a body that takes this many bytes of the message is prepared on a native thread
AIRSYNC_PAGE = 0


class StoreFeed:
    """One folder's feeds, for `sync_delta.walk`. Walk it inside `db.snapshot()`."""

    __slots__ = ("_folder_id",)

    def __init__(self, folder_id: int) -> None:
        self._folder_id = folder_id

    def latest(self) -> int:
        return changes.latest(self._folder_id)

    def changed(self, *, after: int, created_max: int) -> Iterator[Message | Tombstone]:
        return changes.changed(self._folder_id, after=after, created_max=created_max)

    def created(self, *, after: int) -> Iterator[Message]:
        return changes.created(self._folder_id, after=after)

    def newest_first(
        self, *, before: Position, down_to: Position | None, created_max: int
    ) -> Iterator[Message]:
        return changes.newest_first(self._folder_id, before=before, down_to=down_to, created_max=created_max)

    def oldest_first(
        self, *, start: Position, until: Position, created_max: int
    ) -> Iterator[tuple[Position, int]]:
        return changes.oldest_first(self._folder_id, start=start, until=until, created_max=created_max)

    def conversations(self, floor: Position) -> list[Message]:
        return conversations.reaching_back(self._folder_id, floor[0])

    def present(self, ids: Collection[int]) -> set[int]:
        return changes.present(self._folder_id, ids)


@dataclass(slots=True)
class Page:
    """What one answer says of a folder, and the cursor once the device has it."""

    cursor: Cursor
    commands: list[Fragment] = field(default_factory=list)
    size_bytes: int = 0
    has_more: bool = False


def find(context: Context, collection_id: str) -> Folder:
    """Return the account's folder of a CollectionId; raises NotFound for anything else."""
    return folders.get(context.account.id, item_id_of(collection_id))


def collect(
    context: Context, folder: Folder, cursor: Cursor, options: Options, *, items_max: int, bytes_max: int
) -> Page:
    """Return the next commands for a device, rendered, up to a number of items and about as many bytes.

    At least one item is sent whatever its size. Needs `db.snapshot()`.
    """
    page = Page(cursor)
    cutoff = _cutoff(context, folder, options)
    walked = _walk(context, folder, cursor, cutoff, whole_conversations=options.conversation_mode)
    for steps in batched(walked, BATCH):
        contents = _contents(steps)
        for step in steps:
            if step.outgoing is not None:
                if len(page.commands) >= items_max or (page.commands and page.size_bytes >= bytes_max):
                    page.has_more = True
                    return page
                fragment = render(context, step.outgoing, options, contents)
                page.commands.append(fragment)
                page.size_bytes += len(fragment.data)
            page.cursor = step.cursor
        time.sleep(0)  # a long page shares the worker with everybody else's requests
    return page


def _cutoff(context: Context, folder: Folder, options: Options) -> datetime | None:
    """Return the oldest `received_at` the options let in, None for no limit: only mail has such a window."""
    return cutoff_for(options.filter_type, context.now) if folder.content_class == "Email" else None


def news(context: Context, collection_ids: Collection[str]) -> dict[str, bool]:
    """Return whether the next Sync of each collection would deliver something. Needs `db.snapshot()`.

    A collection that is gone, or that the device has no state of, is left out. The filter's window stays
    where it is: a message that grows too old is no reason to wake a phone.
    """
    cursors = sync_states.cursors(context.device.id)
    return {
        str(folder.id): _has_news(context, folder, Cursor.from_json(cursors[folder.id]))
        for folder in folders.list_folders(context.account.id)
        if folder.id in cursors and str(folder.id) in collection_ids
    }


def _walk(
    context: Context, folder: Folder, cursor: Cursor, cutoff: datetime | None, *, whole_conversations: bool
) -> Iterator[Step]:
    """Yield the steps of the folder's feed; a change the version has no words for is none.

    Source: MS-ASCMD 2.2.3.36.2 ConversationMode (Sync).
    """
    feed, device = StoreFeed(folder.id), context.device.id
    for step in walk(cursor, feed, cutoff, device, whole_conversations=whole_conversations):
        if isinstance(step.outgoing, Change) and not step.outgoing.parts & ~_unspeakable(context.version):
            yield Step(None, step.cursor)
        else:
            yield step


def _unspeakable(version: str) -> Part:
    return Part(0) if vocabulary.is_known(Email.Categories, version) else Part.CATEGORIES


def _has_news(context: Context, folder: Folder, cursor: Cursor) -> bool:
    is_whole = cursor.paging is None or not folder.total  # nothing is still to be paged through
    if is_whole and folder.items_modseq <= min(cursor.modseq, cursor.created):
        return False
    cutoff = None if cursor.floor is None else cursor.floor[0]
    is_whole = cursor.beyond is not None
    steps = _walk(context, folder, cursor, cutoff, whole_conversations=is_whole)
    try:
        return any(step.outgoing is not None for step in steps)
    except Forgotten:
        return True  # the next Sync says Status 3, and the device starts the folder over


def estimate(context: Context, folder: Folder, state: State, options: Options) -> int:
    """Return how many changes the next Syncs would deliver. Needs `db.snapshot()`."""
    cursor = Cursor.from_json(state.cursor)
    cutoff = _cutoff(context, folder, options)
    counted = 0
    if cursor.paging is not None and not cursor.beyond:
        down_to = None if cutoff is None else (cutoff, 0)
        counted = changes.count(folder.id, before=cursor.paging, down_to=down_to, created_max=cursor.snapshot)
        cursor = Cursor(cursor.modseq, cursor.created, down_to, beyond=cursor.beyond)
    steps = _walk(context, folder, cursor, cutoff, whole_conversations=options.conversation_mode)
    return counted + sum(step.outgoing is not None for step in steps)


def source(message: Message, content: Content | None = None) -> Source:
    """Return a message's content; its bytes are read from the store when they are needed.

    Raises NotFound when they are lost, TemporaryFailure when they cannot be read now.
    """
    known = content if content is not None else _read(lambda: messages.content(message.digest))
    return Source(message, known, lambda: _read(lambda: messages.raw(message)), scan)


def _read[T](fetch: Callable[[], T]) -> T:
    """Return what is fetched from the store; tells an item's own trouble (NotFound) from ours."""
    try:
        return fetch()
    except ApplianceError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EIO:
            raise NotFound("the disk has lost the message's bytes") from error
        raise TemporaryFailure("the message cannot be read now") from error


def render(
    context: Context, outgoing: Outgoing, options: Options, contents: dict[bytes, Content]
) -> Fragment:
    """Return one command, encoded. A message that cannot be rendered becomes a placeholder."""
    match outgoing:
        case Add(message):
            element = AirSync.Add(
                AirSync.ServerId(str(message.id)), application_data(context, message, options, contents)
            )
        case Change(message, parts):
            data = application_data(context, message, options, contents, parts)
            element = AirSync.Change(AirSync.ServerId(str(message.id)), data)
        case Delete(item_id):
            element = AirSync.Delete(AirSync.ServerId(str(item_id)))
        case SoftDelete(item_id):
            element = AirSync.SoftDelete(AirSync.ServerId(str(item_id)))
        case _:
            assert_never(outgoing)
    ITEMS.labels(element.tag.name).inc()
    return encode_fragment([element], AIRSYNC_PAGE)


def application_data(
    context: Context,
    message: Message,
    options: Options,
    contents: dict[bytes, Content],
    parts: Part | None = None,
) -> Element:
    """Return a message's ApplicationData, or that of its placeholder when it cannot be rendered.

    parts: what of it is sent; None for all of it. Says nothing the version of the request does not define.
    Needs `db.connection()`.
    """
    return vocabulary.of_version(
        _application_data(context, message, options, contents, parts), context.version
    )


def _application_data(
    context: Context,
    message: Message,
    options: Options,
    contents: dict[bytes, Content],
    parts: Part | None,
) -> Element:
    try:
        if parts is not None and not parts & Part.CONTENT:
            return email.changed_parts(message, parts)
        return _whole(source(message, contents.get(message.digest)), options, context.version)
    except TemporaryFailure:
        raise  # a placeholder would stay on the phone when our trouble has long been over
    except Exception as error:  # noqa: BLE001 - one poisoned item must never block its folder
        POISONED.inc()
        level = logging.WARNING if isinstance(error, NotFound) else logging.ERROR
        logs.event(log, "placeholder", level=level, item=message.id, exc_info=error)
        return email.placeholder(message)


def _whole(origin: Source, options: Options, version: str) -> Element:
    if body_bytes(origin, options) < OFFLOAD_BYTES_MIN:
        return email.application_data(origin, options, version)
    _ = origin.raw  # read here: a native thread has no database connection
    return offload.run(email.application_data, origin, options, version)


def _contents(steps: Iterable[Step]) -> dict[bytes, Content]:
    digests = [
        step.outgoing.message.digest
        for step in steps
        if isinstance(step.outgoing, Add)
        or (isinstance(step.outgoing, Change) and step.outgoing.parts & Part.CONTENT)
    ]
    return messages.contents(digests) if digests else {}
