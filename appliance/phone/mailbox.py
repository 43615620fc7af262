"""What a phone holds of a mailbox: folders, items, keys. Plain data and how answers change it. Pure.

Owns the bookkeeping of FolderSync and Sync answers; leaves the conversation to `syncing`. Everything here
is strings, dicts and lists, so that a test can compare it with the truth.

A phone believes its server. Where an answer contradicts what the phone already holds, it goes on as a
real phone would and writes a line into `anomalies`: a test asserts that there is none.
"""

from dataclasses import dataclass, field

from appliance.phone.changes import Add, Change, CollectionRequest, Delete
from appliance.wbxml.codepages import AirSync, FolderHierarchy
from appliance.wbxml.element import Element

type Value = str | bytes | dict[str, Value] | list[Value]

INBOX, DRAFTS, DELETED_ITEMS, SENT_ITEMS = "2", "3", "4", "5"

CLASS_OF_TYPE = {
    "7": "Tasks",
    "8": "Calendar",
    "9": "Contacts",
    "10": "Notes",
    "13": "Calendar",
    "14": "Contacts",
    "15": "Tasks",
    "17": "Notes",
}
MAIL_TYPES = {"1", "2", "3", "4", "5", "6", "12"}

LISTS = {
    "Attachments",
    "Attendees",
    "Categories",
    "Children",
    "Exceptions",
    "Forwardees",
    "Recurrences",
}
"""Containers whose children are read as a list, one or many."""


@dataclass
class Folder:
    """A folder as FolderSync describes it; `type` is the number of MS-ASCMD 2.2.3.186 as text."""

    id: str
    parent_id: str
    name: str
    type: str

    @property
    def content_class(self) -> str:
        """The class of its items; "" for a folder a phone does not synchronise."""
        return "Email" if self.type in MAIL_TYPES else CLASS_OF_TYPE.get(self.type, "")


@dataclass
class Collection:
    """A folder that is synchronised: the key, the items by ServerId, and the request without an answer."""

    folder_id: str
    content_class: str = "Email"
    sync_key: str = "0"
    items: dict[str, dict[str, Value]] = field(default_factory=dict)
    unanswered: CollectionRequest | None = None


@dataclass
class Delta:
    """What one Sync did: ServerIds by kind of change, answers to commands, counts."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    soft_deleted: list[str] = field(default_factory=list)
    created: dict[str, str] = field(default_factory=dict)
    """ServerId by ClientId."""
    statuses: dict[str, int] = field(default_factory=dict)
    """Status by ServerId or ClientId, for the commands the server answered one by one."""
    fetched: dict[str, dict[str, Value]] = field(default_factory=dict)
    pages: int = 0
    """Answers that could carry items; the priming answer cannot."""
    resets: int = 0
    more: bool = False

    @property
    def count(self) -> int:
        """The number of changes the server sent."""
        return len(self.added) + len(self.changed) + len(self.deleted) + len(self.soft_deleted)


@dataclass
class Mailbox:
    """Everything the phone holds of one account."""

    hierarchy_key: str = "0"
    folders: dict[str, Folder] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    anomalies: list[str] = field(default_factory=list)

    def collection(self, folder_id: str) -> Collection:
        """Return the collection of a folder, which is a new one with key 0 the first time."""
        if folder_id not in self.collections:
            folder = self.folders.get(folder_id)
            name = folder.content_class if folder else ""
            self.collections[folder_id] = Collection(folder_id, name or "Email")
        return self.collections[folder_id]

    def of_type(self, type_: str) -> Folder | None:
        """Return the first folder of a type."""
        return next((folder for folder in self.folders.values() if folder.type == type_), None)

    def named(self, name: str) -> Folder | None:
        """Return the first folder with this display name."""
        return next((folder for folder in self.folders.values() if folder.name == name), None)

    def forget(self) -> None:
        """Drop everything, as a wipe or a new set-up does; the anomalies stay."""
        self.hierarchy_key = "0"
        self.folders.clear()
        self.collections.clear()

    def apply_hierarchy(self, answer: Element) -> int:
        """Apply a successful FolderSync answer; return the number of changes."""
        changes = answer.find(FolderHierarchy.Changes)
        if self.hierarchy_key == "0":
            self.folders.clear()
        self.hierarchy_key = answer.text_of(FolderHierarchy.SyncKey, self.hierarchy_key)
        count = sum(self._apply_folder(change) for change in changes or ())
        announced = changes.int_of(FolderHierarchy.Count, 0) if changes else 0
        if announced != count:
            self.anomalies.append(f"FolderSync announces {announced} changes and sends {count}")
        for folder_id in set(self.collections) - set(self.folders):
            del self.collections[folder_id]
        return count

    def _apply_folder(self, change: Element) -> int:
        folder_id = change.text_of(FolderHierarchy.ServerId, "")
        if change.tag is FolderHierarchy.Delete:
            if self.folders.pop(folder_id, None) is None:
                self.anomalies.append(f"FolderSync deletes the unknown folder {folder_id}")
            return 1
        if change.tag not in (FolderHierarchy.Add, FolderHierarchy.Update):
            return 0
        if (change.tag is FolderHierarchy.Add) == (folder_id in self.folders):
            self.anomalies.append(f"FolderSync: {change.tag.name} of folder {folder_id} does not fit")
        self.folders[folder_id] = Folder(
            folder_id,
            change.text_of(FolderHierarchy.ParentId, ""),
            change.text_of(FolderHierarchy.DisplayName, ""),
            change.text_of(FolderHierarchy.Type, ""),
        )
        return 1

    def apply_collection(self, request: CollectionRequest | None, answer: Element, delta: Delta) -> None:
        """Apply one successful Collection of a Sync answer and add what it did to the delta.

        request: what was asked of this collection; None after an empty request.
        """
        collection = self.collection(answer.text_of(AirSync.CollectionId, ""))
        collection.sync_key = answer.text_of(AirSync.SyncKey, collection.sync_key)
        collection.unanswered = None
        if request is None or request.sync_key != "0":
            delta.pages += 1
        delta.more = answer.find(AirSync.MoreAvailable) is not None
        responses = answer.find(AirSync.Responses)
        for response in responses or ():
            self._note_response(collection, response, delta)
        if request is not None:
            _apply_own(collection, request, delta)
        before = delta.count
        for command in answer.find(AirSync.Commands) or ():
            self._apply_command(collection, command, delta)
        if delta.more and delta.count == before:
            self.anomalies.append(f"Sync of {collection.folder_id}: MoreAvailable without items")

    def _note_response(self, collection: Collection, response: Element, delta: Delta) -> None:
        server_id = response.text_of(AirSync.ServerId, "")
        client_id = response.text_of(AirSync.ClientId, "")
        delta.statuses[client_id or server_id] = response.int_of(AirSync.Status, 0)
        if response.tag is AirSync.Add and server_id:
            delta.created[client_id] = server_id
        if response.tag is AirSync.Fetch and (data := response.find(AirSync.ApplicationData)):
            delta.fetched[server_id] = properties(data)
            collection.items.setdefault(server_id, {}).update(delta.fetched[server_id])

    def _apply_command(self, collection: Collection, command: Element, delta: Delta) -> None:
        """Apply an Add, Change, Delete or SoftDelete of the server."""
        server_id = command.text_of(AirSync.ServerId, "")
        known = server_id in collection.items
        if known == (command.tag is AirSync.Add):
            self.anomalies.append(
                f"Sync of {collection.folder_id}: {command.tag.name} of {server_id}, "
                f"which the phone {'already holds' if known else 'does not hold'}"
            )
        data = command.find(AirSync.ApplicationData)
        if command.tag is AirSync.Add:
            collection.items[server_id] = properties(data)
            delta.added.append(server_id)
        elif command.tag is AirSync.Change:
            # Mail changes carry only what changed; the other classes send the whole item.
            kept = collection.items.get(server_id, {}) if collection.content_class == "Email" else {}
            collection.items[server_id] = kept | properties(data)
            delta.changed.append(server_id)
        else:
            collection.items.pop(server_id, None)
            (delta.deleted if command.tag is AirSync.Delete else delta.soft_deleted).append(server_id)


def _apply_own(collection: Collection, request: CollectionRequest, delta: Delta) -> None:
    """Do to the phone's own copy what the server has accepted; silence means success."""
    for command in request.commands:
        if isinstance(command, Add):
            server_id = delta.created.get(command.client_id)
            if server_id and not command.send:
                collection.items[server_id] = _own_properties(command.properties)
        elif isinstance(command, Change | Delete) and delta.statuses.get(command.server_id, 1) == 1:
            if isinstance(command, Delete):
                collection.items.pop(command.server_id, None)
            elif command.server_id in collection.items and not command.instance_id:
                collection.items[command.server_id] |= _own_properties(command.properties)


def _own_properties(elements: tuple[Element, ...]) -> dict[str, Value]:
    return {element.tag.name: plain(element) for element in elements}


def properties(data: Element | None) -> dict[str, Value]:
    """Return the children of ApplicationData or Properties as plain values by element name."""
    return {child.tag.name: plain(child) for child in data or ()}


def plain(element: Element) -> Value:
    """Return an element as text, bytes, a dict of its children or, for known containers, a list."""
    if element.tag.name in LISTS:
        return [plain(child) for child in element]
    if isinstance(element.content, bytes):
        return element.content
    if isinstance(element.content, list):
        return {child.tag.name: plain(child) for child in element}
    return element.text
