"""One folder as one device sees it: found, compared with what the device holds, rendered.

What Sync delivers, what Ping announces and what GetItemEstimate counts all come from `walk` over the
same feed, so that the three can never disagree.
"""

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import batched
from typing import assert_never

from appliance import logs
from appliance.devices.sync_states import State
from appliance.eas.content import email
from appliance.eas.content.airsyncbase import Source
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
from appliance.errors import NotFound
from appliance.items.folder import Folder
from appliance.items.message import Content, Message, Tombstone
from appliance.metrics import counter
from appliance.mime.scan import scan
from appliance.store import changes, folders, messages
from appliance.wbxml.codec import encode_fragment
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.element import Element, Fragment

log = logging.getLogger("appliance.eas")
ITEMS = counter("appliance_eas_sync_items_total", "Changes sent to devices.", ["kind"])
POISONED = counter("appliance_eas_placeholders_total", "Items that could not be rendered and were replaced.")

BATCH = 32  # items whose content is fetched together; others get their turn after each batch
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
    cutoff = cutoff_for(options.filter_type, context.now)
    for steps in batched(walk(cursor, StoreFeed(folder.id), cutoff, context.device.id), BATCH):
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


def has_changes(context: Context, folder: Folder, state: State) -> bool:
    """Return whether the next Sync of the folder would deliver something. Needs `db.snapshot()`.

    The filter's window stays where it is: a message that grows too old is no reason to wake a phone.
    """
    cursor = Cursor.from_json(state.cursor)
    if cursor.paging is None and changes.latest(folder.id) <= min(cursor.modseq, cursor.created):
        return False
    cutoff = None if cursor.floor is None else cursor.floor[0]
    steps = walk(cursor, StoreFeed(folder.id), cutoff, context.device.id)
    return any(step.outgoing is not None for step in steps)


def estimate(context: Context, folder: Folder, state: State, options: Options) -> int:
    """Return how many changes the next Syncs would deliver. Needs `db.snapshot()`."""
    cursor = Cursor.from_json(state.cursor)
    cutoff = cutoff_for(options.filter_type, context.now)
    counted = 0
    if cursor.paging is not None:
        down_to = None if cutoff is None else (cutoff, 0)
        counted = changes.count(folder.id, before=cursor.paging, down_to=down_to, created_max=cursor.snapshot)
        cursor = Cursor(cursor.modseq, cursor.created, down_to)
    steps = walk(cursor, StoreFeed(folder.id), cutoff, context.device.id)
    return counted + sum(step.outgoing is not None for step in steps)


def source(message: Message, content: Content | None = None) -> Source:
    """Return a message's content, read from the store as it is needed."""
    known = content if content is not None else messages.content(message.digest)
    return Source(message, known, lambda: messages.raw(message), scan)


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
    """Return a message's ApplicationData, or that of its placeholder when it cannot be rendered."""
    try:
        return email.application_data(
            source(message, contents.get(message.digest)), options, context.version, parts
        )
    except Exception as error:  # noqa: BLE001 - one poisoned item must never block its folder
        POISONED.inc()
        level = logging.WARNING if isinstance(error, NotFound) else logging.ERROR
        logs.event(log, "placeholder", level=level, item=message.id, exc_info=error)
        return email.placeholder(message)


def _contents(steps: Iterable[Step]) -> dict[bytes, Content]:
    digests = [step.outgoing.message.digest for step in steps if isinstance(step.outgoing, Add | Change)]
    return messages.contents(digests) if digests else {}
