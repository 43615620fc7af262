"""The commands by name. One module each: parse, act, render. See `_skeleton` for a new one."""

from collections.abc import Mapping

from appliance.eas.commands import (
    find,
    folder_create,
    folder_delete,
    folder_sync,
    folder_update,
    get_attachment,
    get_hierarchy,
    get_item_estimate,
    item_operations,
    meeting_response,
    move_items,
    ping,
    provision,
    resolve_recipients,
    search,
    send_mail,
    settings,
    smart_compose,
    sync,
    validate_cert,
)
from appliance.eas.context import Command
from appliance.wbxml.codepages import (
    AirSync,
    ComposeMail,
    Find,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Provision,
    ResolveRecipients,
    Search,
    Settings,
    ValidateCert,
)
from appliance.wbxml.element import Element

__all__ = ["COMMANDS", "EARLY_COMMANDS", "Command"]


def _no_document(status: int) -> Element:
    raise AssertionError(f"these versions have HTTP statuses, not Status {status}")


_TABLE = (
    Command("Sync", sync.handle, lambda s: AirSync.Sync(AirSync.Status(s))),
    Command("SendMail", send_mail.handle, lambda s: ComposeMail.SendMail(ComposeMail.Status(s))),
    Command("SmartReply", smart_compose.reply, lambda s: ComposeMail.SmartReply(ComposeMail.Status(s))),
    Command("SmartForward", smart_compose.forward, lambda s: ComposeMail.SmartForward(ComposeMail.Status(s))),
    Command(
        "FolderSync", folder_sync.handle, lambda s: FolderHierarchy.FolderSync(FolderHierarchy.Status(s))
    ),
    Command("MoveItems", move_items.handle, lambda s: Move.MoveItems(Move.Status(s))),
    Command(
        "GetItemEstimate",
        get_item_estimate.handle,
        lambda s: GetItemEstimate.GetItemEstimate(GetItemEstimate.Status(s)),
    ),
    Command(
        "ItemOperations",
        item_operations.handle,
        lambda s: ItemOperations.ItemOperations(ItemOperations.Status(s)),
    ),
    Command("Settings", settings.handle, lambda s: Settings.Settings(Settings.Status(s))),
    Command("Ping", ping.handle, lambda s: Ping.Ping(Ping.Status(s)), needs_policy=False),
    Command(
        "Provision", provision.handle, lambda s: Provision.Provision(Provision.Status(s)), needs_policy=False
    ),
    Command(
        "FolderCreate",
        folder_create.handle,
        lambda s: FolderHierarchy.FolderCreate(FolderHierarchy.Status(s)),
    ),
    Command(
        "FolderDelete",
        folder_delete.handle,
        lambda s: FolderHierarchy.FolderDelete(FolderHierarchy.Status(s)),
    ),
    Command(
        "FolderUpdate",
        folder_update.handle,
        lambda s: FolderHierarchy.FolderUpdate(FolderHierarchy.Status(s)),
    ),
    Command("Search", search.handle, lambda s: Search.Search(Search.Status(s))),
    Command("Find", find.handle, lambda s: Find.Find(Find.Status(s))),
    Command(
        "MeetingResponse",
        meeting_response.handle,
        lambda s: MeetingResponse.MeetingResponse(MeetingResponse.Result(MeetingResponse.Status(s))),
    ),
    Command(
        "ResolveRecipients",
        resolve_recipients.handle,
        lambda s: ResolveRecipients.ResolveRecipients(ResolveRecipients.Status(s)),
    ),
    Command(
        "ValidateCert", validate_cert.handle, lambda s: ValidateCert.ValidateCert(ValidateCert.Status(s))
    ),
)

COMMANDS: Mapping[str, Command] = {command.name: command for command in _TABLE}

EARLY_COMMANDS: Mapping[str, Command] = {
    "GetAttachment": Command("GetAttachment", get_attachment.handle, _no_document),
    "GetHierarchy": Command("GetHierarchy", get_hierarchy.handle, _no_document),
}
"""Those of `versions.EARLY_COMMANDS`: they have no document that could carry a Status, nor need one."""
