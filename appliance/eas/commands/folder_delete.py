"""FolderDelete: a mail folder goes below Deleted Items with all it holds; there, it goes for good.

What a user deletes by a swipe can be taken back, as with messages. Moving costs the same whatever the
folder holds, and it keeps its id, so that other devices only hear of its new place. The device that
deleted it has dropped the folder and those below it: its next FolderSync brings them as new ones.

Folders of calendars, contacts, tasks and notes are deleted for good at once: a phone lists all of them,
wherever they are, and a calendar that comes back as soon as it is deleted is no use to anybody.

Source: MS-ASCMD 2.2.1.4 FolderDelete, 2.2.3.177.4 Status (FolderDelete).
"""

from appliance.devices import devices
from appliance.eas import hierarchy
from appliance.eas.context import Context
from appliance.eas.hierarchy import Effect, Known
from appliance.eas.status import FolderChange as Status
from appliance.eas.status import ProtocolError
from appliance.errors import Denied, NotFound
from appliance.items.folder import Folder, FolderType
from appliance.store import folders, messages
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element

MAIL = "Email"


def handle(context: Context, request: Element | None) -> Element:
    """Delete the folder of the request."""
    asked = hierarchy.checked(request, Tag.FolderDelete)
    return hierarchy.carry_out(
        context, asked, lambda known: _delete(context, asked, known), lambda: _prepare(context, asked)
    )


def _prepare(context: Context, asked: Element) -> None:
    """Empty what is to be deleted for good, step by step: one transaction for all would stop everybody."""
    folder = hierarchy.folder_in(context, asked)
    if _goes_for_good(context, folder):
        for member in _tree(context, folder):
            messages.empty_folder(context.account.id, member.id)


def _delete(context: Context, asked: Element, known: Known) -> Effect:
    account_id, device_id = context.account.id, context.device.id
    folder = hierarchy.folder_in(context, asked)
    ids = [member.id for member in _tree(context, folder)]
    # What others have moved since, the phone may have seen below the folder, and dropped with it.
    moved: set[int] = set()
    for other in hierarchy.news(account_id, device_id, known).updated:
        moved.update((other.id, *(below.id for below in folders.below(account_id, other))))
    if not _goes_for_good(context, folder):
        deleted_items = folders.special(account_id, FolderType.DELETED)
        folders.bring_below(account_id, folder.id, deleted_items.id, changed_by=device_id)
        return Effect(touched=(folder.id,), absent=moved.union(ids))
    messages.delete_folder(account_id, folder.id, changed_by=device_id)
    # The kept request of an empty Sync may name the folder: it would be refused for ever.
    devices.remember_sync_request(device_id, None)
    return Effect(touched=ids, untold=ids[1:], absent=moved.difference(ids))


def _goes_for_good(context: Context, folder: Folder) -> bool:
    if folder.content_class != MAIL:
        return True
    deleted_items = folders.special(context.account.id, FolderType.DELETED)
    return folder.id in {below.id for below in folders.below(context.account.id, deleted_items)}


def _tree(context: Context, folder: Folder) -> list[Folder]:
    """Return a folder and those below it; raises ProtocolError 3 for a special one."""
    try:
        return folders.deletable(context.account.id, folder.id)
    except Denied as error:
        raise ProtocolError(Status.SYSTEM_FOLDER, str(error)) from error
    except NotFound as error:
        raise ProtocolError(Status.NO_SUCH_FOLDER, str(error)) from error
