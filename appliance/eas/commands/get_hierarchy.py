"""GetHierarchy (up to 12.1): the mail folders, without keys or state.

Source: MS-ASCMD 2.2.1.8 GetHierarchy; the answer's root is Folders, there is no GetHierarchy element.
"""

from appliance.eas.context import Context
from appliance.items.folder import CLASS_OF_TYPE
from appliance.store import folders
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element

MAIL = "Email"


def handle(context: Context, _request: Element | None) -> Element:
    """Answer with every mail folder; a request has no body, and one that has is not read."""
    return Tag.Folders(
        [
            Tag.Folder(
                Tag.DisplayName(folder.name),
                Tag.ServerId(str(folder.id)),
                Tag.Type(folder.type),
                Tag.ParentId(str(folder.parent_id)),
            )
            for folder in folders.list_folders(context.account.id)
            if CLASS_OF_TYPE.get(folder.type) == MAIL
        ]
    )
