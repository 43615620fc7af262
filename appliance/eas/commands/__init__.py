"""The commands by name. One module each: parse, act, render. See `_skeleton` for a new one."""

from collections.abc import Mapping

from appliance.eas.commands import (
    folder_sync,
    get_item_estimate,
    item_operations,
    move_items,
    ping,
    provision,
    send_mail,
    settings,
    smart_compose,
    sync,
)
from appliance.eas.context import Command, Context
from appliance.eas.status import Common, ProtocolError
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

__all__ = ["COMMANDS", "Command"]


def _unsupported(context: Context, _request: Element | None) -> None:
    raise ProtocolError(Common.COMMAND_NOT_SUPPORTED, f"{context.request.command} is not available")


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
    Command("FolderCreate", _unsupported, lambda s: FolderHierarchy.FolderCreate(FolderHierarchy.Status(s))),
    Command("FolderDelete", _unsupported, lambda s: FolderHierarchy.FolderDelete(FolderHierarchy.Status(s))),
    Command("FolderUpdate", _unsupported, lambda s: FolderHierarchy.FolderUpdate(FolderHierarchy.Status(s))),
    Command("Search", _unsupported, lambda s: Search.Search(Search.Status(s))),
    Command("Find", _unsupported, lambda s: Find.Find(Find.Status(s))),
    Command(
        "MeetingResponse",
        _unsupported,
        lambda s: MeetingResponse.MeetingResponse(MeetingResponse.Result(MeetingResponse.Status(s))),
    ),
    Command(
        "ResolveRecipients",
        _unsupported,
        lambda s: ResolveRecipients.ResolveRecipients(ResolveRecipients.Status(s)),
    ),
    Command("ValidateCert", _unsupported, lambda s: ValidateCert.ValidateCert(ValidateCert.Status(s))),
)

COMMANDS: Mapping[str, Command] = {command.name: command for command in _TABLE}
