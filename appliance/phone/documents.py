"""The request documents of every command but Sync, as elements. Pure.

One function per document, in the element order of the schema. Sync is in `changes`.
Source: MS-ASCMD 2.2.1 Commands; MS-ASPROV 2.2 Provisioning.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from appliance.phone.changes import BodyPreference
from appliance.phone.identity import Identity
from appliance.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    ComposeMail,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Provision,
    Settings,
)
from appliance.wbxml.element import Element, Tag

POLICY_TYPE = "MS-EAS-Provisioning-WBXML"
STORE_MAILBOX = "Mailbox"


def folder_sync(sync_key: str) -> Element:
    """FolderSync."""
    return FolderHierarchy.FolderSync(FolderHierarchy.SyncKey(sync_key))


def folder_create(sync_key: str, parent_id: str, name: str, type_: int) -> Element:
    """FolderCreate."""
    return FolderHierarchy.FolderCreate(
        FolderHierarchy.SyncKey(sync_key),
        FolderHierarchy.ParentId(parent_id),
        FolderHierarchy.DisplayName(name),
        FolderHierarchy.Type(type_),
    )


def folder_update(sync_key: str, folder_id: str, parent_id: str, name: str) -> Element:
    """FolderUpdate: rename, move or both."""
    return FolderHierarchy.FolderUpdate(
        FolderHierarchy.SyncKey(sync_key),
        FolderHierarchy.ServerId(folder_id),
        FolderHierarchy.ParentId(parent_id),
        FolderHierarchy.DisplayName(name),
    )


def folder_delete(sync_key: str, folder_id: str) -> Element:
    """FolderDelete."""
    return FolderHierarchy.FolderDelete(
        FolderHierarchy.SyncKey(sync_key), FolderHierarchy.ServerId(folder_id)
    )


def item_estimate(
    folder_id: str, sync_key: str, *, class_name: str | None = None, filter_type: int | None = None
) -> Element:
    """GetItemEstimate of one collection; class_name selects the order of 12.1."""
    window = None if filter_type is None else AirSync.FilterType(filter_type)
    if class_name is not None:
        collection = GetItemEstimate.Collection(
            GetItemEstimate.Class(class_name),
            GetItemEstimate.CollectionId(folder_id),
            window or AirSync.FilterType(0),
            AirSync.SyncKey(sync_key),
        )
    else:
        collection = GetItemEstimate.Collection(
            AirSync.SyncKey(sync_key),
            GetItemEstimate.CollectionId(folder_id),
            AirSync.Options(window) if window else None,
        )
    return GetItemEstimate.GetItemEstimate(GetItemEstimate.Collections(collection))


def ping(heartbeat_s: int | None, folders: Iterable[tuple[str, str]]) -> Element | None:
    """Ping for (folder id, class) pairs; None, an empty body, when neither part is given."""
    watched = [Ping.Folder(Ping.Id(folder_id), Ping.Class(class_name)) for folder_id, class_name in folders]
    if heartbeat_s is None and not watched:
        return None
    return Ping.Ping(
        None if heartbeat_s is None else Ping.HeartbeatInterval(heartbeat_s),
        Ping.Folders(watched) if watched else None,
    )


@dataclass(frozen=True)
class Source:
    """The message a reply or forward starts from."""

    folder_id: str
    server_id: str

    def element(self) -> Element:
        return ComposeMail.Source(ComposeMail.FolderId(self.folder_id), ComposeMail.ItemId(self.server_id))


def compose(
    tag: Tag, client_id: str, mime: bytes, *, save: bool, replace: bool, source: Source | None
) -> Element:
    """SendMail, SmartReply or SmartForward as 14.0 and later write them; `tag` is the root."""
    return tag(
        ComposeMail.ClientId(client_id),
        source.element() if source else None,
        ComposeMail.SaveInSentItems() if save else None,
        ComposeMail.ReplaceMime() if replace else None,
        ComposeMail.Mime(mime),
    )


def move_items(moves: Iterable[tuple[str, str, str]]) -> Element:
    """MoveItems for (server id, source folder, destination folder) triples."""
    return Move.MoveItems(
        Move.Move(Move.SrcMsgId(item), Move.SrcFldId(source), Move.DstFldId(destination))
        for item, source, destination in moves
    )


def meeting_response(folder_id: str, server_id: str, response: int, *, sends: bool) -> Element:
    """MeetingResponse to one invitation: 1 accepts, 2 does so tentatively, 3 declines; sends since 16.0."""
    return MeetingResponse.MeetingResponse(
        MeetingResponse.Request(
            MeetingResponse.UserResponse(response),
            MeetingResponse.CollectionId(folder_id),
            MeetingResponse.RequestId(server_id),
            MeetingResponse.SendResponse() if sends else None,
        )
    )


def fetch_item(folder_id: str, server_id: str, body: BodyPreference, mime_support: int | None) -> Element:
    """ItemOperations Fetch of an item with one body preference."""
    return _fetch(
        AirSync.CollectionId(folder_id),
        AirSync.ServerId(server_id),
        ItemOperations.Options(
            None if mime_support is None else AirSync.MIMESupport(mime_support), body.element()
        ),
    )


def fetch_attachment(file_reference: str, byte_range: str | None) -> Element:
    """ItemOperations Fetch of an attachment; byte_range is "first-last", inclusive."""
    return _fetch(
        AirSyncBase.FileReference(file_reference),
        ItemOperations.Options(ItemOperations.Range(byte_range)) if byte_range else None,
    )


def _fetch(*what: Element | None) -> Element:
    return ItemOperations.ItemOperations(ItemOperations.Fetch(ItemOperations.Store(STORE_MAILBOX), *what))


def empty_folder(folder_id: str) -> Element:
    """ItemOperations EmptyFolderContents."""
    return ItemOperations.ItemOperations(ItemOperations.EmptyFolderContents(AirSync.CollectionId(folder_id)))


def device_information(identity: Identity) -> Element:
    """The DeviceInformation that Provision and Settings carry."""
    return Settings.DeviceInformation(
        Settings.Set(
            Settings.Model(identity.model),
            Settings.IMEI(),
            Settings.FriendlyName(identity.friendly_name),
            Settings.OS(identity.system),
            Settings.OSLanguage(identity.language),
            Settings.PhoneNumber(),
            Settings.UserAgent(identity.user_agent),
        )
    )


def settings(identity: Identity | None, *, user_information: bool) -> Element:
    """Settings: set the device information, ask for the user information, or both."""
    return Settings.Settings(
        device_information(identity) if identity else None,
        Settings.UserInformation(Settings.Get()) if user_information else None,
    )


def provision(identity: Identity | None) -> Element:
    """Provision, first phase: ask for the policies; identity goes along from 14.1 on."""
    return Provision.Provision(
        device_information(identity) if identity else None,
        Provision.Policies(Provision.Policy(Provision.PolicyType(POLICY_TYPE))),
    )


def provision_acknowledge(policy_key: str, status: int) -> Element:
    """Provision, second phase: say what became of the policies (1 applied, 2 partly, 3 not)."""
    return Provision.Provision(
        Provision.Policies(
            Provision.Policy(
                Provision.PolicyType(POLICY_TYPE),
                Provision.PolicyKey(policy_key),
                Provision.Status(status),
            )
        )
    )


def wipe_request() -> Element:
    """Provision without content: what a phone sends when it was told of a wipe."""
    return Provision.Provision()


def wipe_done(account_only: bool) -> Element:
    """Provision that confirms a wipe."""
    tag = Provision.AccountOnlyRemoteWipe if account_only else Provision.RemoteWipe
    return Provision.Provision(tag(Provision.Status(1)))
