"""The Sync conversation of a phone: priming, pages, repeats after a loss, starting over.

Owns which request goes out next and what each Status makes the phone do. Leaves the bookkeeping to
`mailbox`, the document of one collection to `changes`, HTTP to the caller's `send`.
Source: MS-ASCMD 3.1.5.4 Synchronizing Inbox, Calendar, Contacts, and Tasks Folders.
"""

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from appliance.phone.changes import CollectionRequest, Command, Options
from appliance.phone.errors import ProtocolError, StatusError
from appliance.phone.mailbox import Collection, Delta, Mailbox
from appliance.phone.transport import Lose
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.element import Element

OK, INVALID_KEY, OBJECT_NOT_FOUND, HIERARCHY_CHANGED, INCOMPLETE, RETRY = 1, 3, 8, 12, 13, 16
RESETS_MAX = 2
RETRIES_MAX = 5
RETRY_PAUSE_S = 0.2
WINDOW_SIZE = 100
ANY_CLASS_OPTIONS = Options(body=(), filter_type=None)


class SendSync(Protocol):
    """Sends a Sync document and returns the answer's document, None for an empty one."""

    def __call__(
        self, document: Element | None, *, timeout_s: float | None = None, lose: Lose | None = None
    ) -> Element | None: ...


class Syncing:
    """Drives Sync for one mailbox."""

    def __init__(
        self,
        mailbox: Mailbox,
        send: SendSync,
        folder_sync: Callable[[], int],
        *,
        class_in_collection: bool = False,
    ) -> None:
        """class_in_collection: up to 12.1 each Collection starts with its Class."""
        self.mailbox = mailbox
        self._send = send
        self._folder_sync = folder_sync
        self._class_in_collection = class_in_collection

    def folder(
        self,
        folder_id: str,
        commands: Iterable[Command] = (),
        *,
        options: Options | None = None,
        window_size: int = WINDOW_SIZE,
        deletes_as_moves: bool | None = None,
        get_changes: bool | None = None,
        pages_max: int | None = None,
        lose: Lose | None = None,
    ) -> Delta:
        """Synchronise one folder until nothing is left, or for `pages_max` answers; return what happened.

        commands go out with the first request after priming. A request whose answer was lost is
        repeated first, exactly as it was. Raises StatusError, LostResponse; after a loss the same call
        can be made again without `commands`.
        """
        delta = Delta()
        waiting = tuple(commands)
        while True:
            collection = self.mailbox.collection(folder_id)
            request = collection.unanswered
            if request is None:
                first, waiting = waiting, ()
                request = self._request(
                    collection, first, options, window_size, deletes_as_moves, get_changes
                )
                if collection.sync_key == "0":
                    waiting = first
            resets = delta.resets
            is_done = self._exchange(collection, request, delta, lose)
            if delta.resets > resets:
                waiting = request.commands + waiting
            if pages_max is not None and delta.pages >= pages_max and not waiting:
                return delta
            if is_done and not waiting:
                return delta

    def _request(
        self,
        collection: Collection,
        commands: tuple[Command, ...],
        options: Options | None,
        window_size: int,
        deletes_as_moves: bool | None,
        get_changes: bool | None,
    ) -> CollectionRequest:
        class_name = collection.content_class if self._class_in_collection else None
        if collection.sync_key == "0":
            return CollectionRequest(collection.folder_id, "0", class_name)
        if options is None:
            options = Options() if collection.content_class == "Email" else ANY_CLASS_OPTIONS
        return CollectionRequest(
            collection.folder_id,
            collection.sync_key,
            class_name,
            commands,
            options,
            window_size,
            get_changes,
            deletes_as_moves,
        )

    def _exchange(
        self, collection: Collection, request: CollectionRequest, delta: Delta, lose: Lose | None
    ) -> bool:
        """Do one round; return True when the server has nothing more."""
        collection.unanswered = request
        document = AirSync.Sync(AirSync.Collections(request.element()))
        answer = self._answered(document, lose=lose)
        if answer is None:
            collection.unanswered = None
            delta.more = False
            delta.pages += 1
            if request.commands or request.sync_key == "0":
                self.mailbox.anomalies.append(
                    f"Sync of {request.folder_id}: empty answer to a request with work"
                )
            return True
        found = _collections(answer)
        if len(found) != 1 or found[0].text_of(AirSync.CollectionId, "") != request.folder_id:
            raise ProtocolError(f"Sync: asked for folder {request.folder_id}, got {len(found)} others")
        if self._is_refused(collection, found[0], delta):
            return False
        self.mailbox.apply_collection(request, found[0], delta)
        return request.sync_key != "0" and not delta.more

    def _is_refused(self, collection: Collection, answer: Element, delta: Delta) -> bool:
        """Handle a collection's Status; True when the phone has to start this folder over."""
        status = answer.int_of(AirSync.Status, OK)
        if status == OK:
            return False
        collection.unanswered = None
        if status != INVALID_KEY:
            raise StatusError("Sync", status, f"folder {collection.folder_id}")
        delta.resets += 1
        if delta.resets > RESETS_MAX:
            raise StatusError("Sync", status, "again, after starting over from key 0")
        collection.sync_key = "0"
        collection.items.clear()
        return True

    def _answered(
        self, document: Element | None, *, timeout_s: float | None = None, lose: Lose | None = None
    ) -> Element | None:
        """Send a Sync and deal with the Status of the whole answer: FolderSync on 12, retry on 16."""
        had_folder_sync = False
        for _attempt in range(RETRIES_MAX):
            answer = self._send(document, timeout_s=timeout_s, lose=lose)
            status = OK if answer is None else answer.int_of(AirSync.Status, OK)
            if status == OK:
                return answer
            if status == HIERARCHY_CHANGED and not had_folder_sync:
                had_folder_sync = True
                self._folder_sync()
            elif status == RETRY:
                time.sleep(RETRY_PAUSE_S)
            else:
                raise self._refused(answer, status)
        raise StatusError("Sync", status, "several times")

    def _refused(self, answer: Element | None, status: int) -> StatusError:
        for collection in self.mailbox.collections.values():
            collection.unanswered = None
        limit = answer.text_of(AirSync.Limit, "") if answer is not None else ""
        return StatusError("Sync", status, f"limit {limit}" if limit else "")

    def wait(
        self,
        folder_ids: Iterable[str],
        *,
        heartbeat_s: int | None = None,
        wait_minutes: int | None = None,
        timeout_s: float | None = None,
        options: Options | None = None,
    ) -> Delta:
        """Hold a Sync of several primed folders until something changes or the time is over.

        Exactly one of heartbeat_s (14.0+) and wait_minutes is sent. An empty answer leaves everything as
        it was. Raises StatusError.
        """
        requests = {
            folder_id: self._request(self.mailbox.collection(folder_id), (), options, WINDOW_SIZE, None, None)
            for folder_id in folder_ids
        }
        document = AirSync.Sync(
            AirSync.Collections([request.element() for request in requests.values()]),
            None if wait_minutes is None else AirSync.Wait(wait_minutes),
            None if heartbeat_s is None else AirSync.HeartbeatInterval(heartbeat_s),
        )
        held_s = heartbeat_s or 60 * (wait_minutes or 0)
        answer = self._answered(document, timeout_s=timeout_s or held_s + 30)
        return self._apply_all(answer, requests)

    def repeat(self, *, timeout_s: float | None = None) -> Delta:
        """Send the empty Sync, which repeats the last request that carried no commands (12.1+)."""
        return self._apply_all(self._answered(None, timeout_s=timeout_s), {})

    def _apply_all(self, answer: Element | None, requests: dict[str, CollectionRequest]) -> Delta:
        delta = Delta()
        for found in _collections(answer) if answer is not None else ():
            folder_id = found.text_of(AirSync.CollectionId, "")
            if not self._is_refused(self.mailbox.collection(folder_id), found, delta):
                self.mailbox.apply_collection(requests.get(folder_id), found, delta)
        return delta


def _collections(answer: Element) -> list[Element]:
    """Return the Collection elements. Raises ProtocolError on a form that crashes iPhones."""
    container = answer.find(AirSync.Collections)
    if container is None or not container.children:
        raise ProtocolError("Sync: an answer without collections must be an empty body")
    return container.find_all(AirSync.Collection)
