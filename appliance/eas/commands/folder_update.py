"""FolderUpdate: another name, another place, or both.

Source: MS-ASCMD 2.2.1.6 FolderUpdate, 2.2.3.177.6 Status (FolderUpdate).
"""

from appliance.eas import hierarchy
from appliance.eas.context import Context
from appliance.eas.hierarchy import Effect
from appliance.eas.status import FolderChange as Status
from appliance.eas.status import ProtocolError
from appliance.errors import Conflict, Denied, InvalidInput
from appliance.items.folder import FolderType
from appliance.store import folders
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element

SPECIAL_TYPES = range(FolderType.INBOX, FolderType.JOURNAL + 1)


def handle(context: Context, request: Element | None) -> Element:
    """Rename and move the folder of the request."""
    asked = hierarchy.checked(request, Tag.FolderUpdate)
    return hierarchy.carry_out(context, asked, lambda _known: _update(context, asked))


def _update(context: Context, asked: Element) -> Effect:
    name = hierarchy.text_in(asked, Tag.DisplayName)
    hierarchy.text_in(asked, Tag.ParentId)
    folder = hierarchy.folder_in(context, asked)
    if folder.type in SPECIAL_TYPES:
        raise ProtocolError(Status.NAME_EXISTS, "special folders keep their name and place")
    parent_id = hierarchy.parent_in(context, asked)
    if (folder.name, folder.parent_id) == (name, parent_id):
        return Effect(touched=(folder.id,))  # nobody else needs to hear of it
    try:
        folders.update(context.account.id, folder.id, parent_id, name, changed_by=context.device.id)
    except (Conflict, Denied) as error:
        raise ProtocolError(Status.NAME_EXISTS, str(error)) from error
    except InvalidInput as error:
        raise ProtocolError(Status.MALFORMED, str(error)) from error
    return Effect(touched=(folder.id,))
