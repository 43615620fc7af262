"""GetHierarchy (up to 12.1): the mail folders, without keys or state.

Source: MS-ASCMD 2.2.1.8 GetHierarchy; the answer's root is Folders, there is no GetHierarchy element;
2.2.3.186.4 Type (GetHierarchy).
"""

from appliance.eas.context import Context
from appliance.items.folder import CLASS_OF_TYPE, FolderType
from appliance.store import folders
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element

MAIL = "Email"
_EARLY_TYPES: dict[int, int] = {type_: type_ for type_ in FolderType if type_ <= FolderType.OUTBOX}
"""1 to 6 mean the same as in FolderSync; all other mail folders are plainly a user's (1)."""


def handle(context: Context, _request: Element | None) -> Element:
    """Answer with every mail folder; a request has no body, and one that has is not read."""
    return Tag.Folders(
        [
            Tag.Folder(
                Tag.DisplayName(folder.name),
                Tag.ServerId(str(folder.id)),
                Tag.Type(_EARLY_TYPES.get(folder.type, FolderType.USER)),
                Tag.ParentId(str(folder.parent_id)),
            )
            for folder in folders.list_folders(context.account.id)
            if CLASS_OF_TYPE.get(folder.type) == MAIL
        ]
    )
