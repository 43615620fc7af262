"""What a phone asks a Sync to change, and how it is written. Pure.

A change is a value that can be sent again unchanged when the answer was lost: the SyncKey and the
ClientId make the repeat harmless.
Source: MS-ASCMD 2.2.3.32 Commands (Sync).
"""

from dataclasses import dataclass, field

from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2
from appliance.wbxml.element import Element

FLAG_SET = 2
FLAG_TYPE = "Flag for follow up"


@dataclass(frozen=True)
class Add:
    """Create an item; `client_id` names it until the server has."""

    client_id: str
    properties: tuple[Element, ...]
    send: bool = False

    def element(self) -> Element:
        return AirSync.Add(
            AirSync.ClientId(self.client_id),
            Email2.Send() if self.send else None,
            AirSync.ApplicationData(self.properties),
        )


@dataclass(frozen=True)
class Change:
    """Set properties of an item; absent ones stay as they are."""

    server_id: str
    properties: tuple[Element, ...]
    send: bool = False
    instance_id: str | None = None

    def element(self) -> Element:
        return AirSync.Change(
            AirSync.ServerId(self.server_id),
            AirSyncBase.InstanceId(self.instance_id) if self.instance_id else None,
            Email2.Send() if self.send else None,
            AirSync.ApplicationData(self.properties),
        )


@dataclass(frozen=True)
class Delete:
    """Delete an item; the collection's DeletesAsMoves says whether it goes to Deleted Items."""

    server_id: str

    def element(self) -> Element:
        return AirSync.Delete(AirSync.ServerId(self.server_id))


@dataclass(frozen=True)
class Fetch:
    """Ask for the whole item."""

    server_id: str

    def element(self) -> Element:
        return AirSync.Fetch(AirSync.ServerId(self.server_id))


type Command = Add | Change | Delete | Fetch


def read(server_id: str, is_read: bool = True) -> Change:
    """Return the change that marks a message read or unread."""
    return Change(server_id, (Email.Read(is_read),))


def flag(server_id: str, is_flagged: bool = True) -> Change:
    """Return the change that sets or clears the follow-up flag. Source: MS-ASEMAIL 2.2.2.34 Flag."""
    if not is_flagged:
        return Change(server_id, (Email.Flag(),))
    return Change(server_id, (Email.Flag(Email.Status(FLAG_SET), Email.FlagType(FLAG_TYPE)),))


@dataclass(frozen=True)
class BodyPreference:
    """One kind of body the phone takes: 1 text, 2 HTML, 4 MIME; sizes in bytes, preview in characters."""

    type: int
    truncation_size: int | None = None
    preview: int | None = None

    def element(self) -> Element:
        return AirSyncBase.BodyPreference(
            AirSyncBase.Type(self.type),
            None if self.truncation_size is None else AirSyncBase.TruncationSize(self.truncation_size),
            None if self.preview is None else AirSyncBase.Preview(self.preview),
        )


@dataclass(frozen=True)
class Options:
    """What of a folder the phone wants and in which form; None leaves an element out."""

    filter_type: int | None = None
    body: tuple[BodyPreference, ...] = (BodyPreference(1, 500),)
    mime_support: int | None = None
    conflict: int | None = None

    def element(self) -> Element:
        return AirSync.Options(
            None if self.filter_type is None else AirSync.FilterType(self.filter_type),
            None if self.conflict is None else AirSync.Conflict(self.conflict),
            None if self.mime_support is None else AirSync.MIMESupport(self.mime_support),
            [preference.element() for preference in self.body],
        )


@dataclass(frozen=True)
class CollectionRequest:
    """One collection of a Sync request, exactly as it goes out and, after a loss, goes out again.

    class_name: only written up to 12.1. sync_key "0" primes: no options, changes or GetChanges go along.
    """

    folder_id: str
    sync_key: str
    class_name: str | None = None
    commands: tuple[Command, ...] = ()
    options: Options | None = None
    window_size: int | None = None
    get_changes: bool | None = None
    deletes_as_moves: bool | None = None
    supported: tuple[Element, ...] = field(default=())

    def element(self) -> Element:
        """Return the Collection in the strict order of MS-ASCMD 2.2.3.29.2 Collection (Sync)."""
        return AirSync.Collection(
            AirSync.Class(self.class_name) if self.class_name else None,
            AirSync.SyncKey(self.sync_key),
            AirSync.CollectionId(self.folder_id),
            AirSync.Supported(self.supported) if self.supported else None,
            None if self.deletes_as_moves is None else AirSync.DeletesAsMoves(self.deletes_as_moves),
            None if self.get_changes is None else AirSync.GetChanges(self.get_changes),
            None if self.window_size is None else AirSync.WindowSize(self.window_size),
            self.options.element() if self.options else None,
            AirSync.Commands([command.element() for command in self.commands]) if self.commands else None,
        )
