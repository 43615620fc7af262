"""FolderCreate: a new folder, once whatever is repeated.

Source: MS-ASCMD 2.2.1.3 FolderCreate, 2.2.3.186.2 Type (FolderCreate), 2.2.3.177.3 Status.
"""

from appliance.eas import hierarchy
from appliance.eas.context import Context
from appliance.eas.hierarchy import Effect
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import FolderChange as Status
from appliance.errors import Conflict, InvalidInput, QuotaExceeded
from appliance.items.folder import FolderType
from appliance.store import folders
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element

TYPES = frozenset((FolderType.USER, *range(FolderType.USER_MAIL, FolderType.USER_NOTES + 1)))
"""What a device may create; the others are special, or unknown."""


def handle(context: Context, request: Element | None) -> Element:
    """Create the folder of the request and answer with its id."""
    asked = hierarchy.checked(request, Tag.FolderCreate)
    return hierarchy.carry_out(context, asked, lambda _known: _create(context, asked))


def _create(context: Context, asked: Element) -> Effect:
    account_id = context.account.id
    name, type_ = hierarchy.text_in(asked, Tag.DisplayName), hierarchy.number_in(asked, Tag.Type)
    if type_ not in TYPES:
        raise ProtocolError(Status.MALFORMED, "a type that no device may create")
    parent_id = hierarchy.parent_in(context, asked)
    try:
        made = folders.create(account_id, parent_id, name, type_, changed_by=context.device.id)
    except QuotaExceeded as error:
        raise ProtocolError(Common.TOO_MANY_FOLDERS, str(error)) from error
    except Conflict as error:
        raise ProtocolError(Status.NAME_EXISTS, str(error)) from error
    except InvalidInput as error:
        raise ProtocolError(Status.MALFORMED, str(error)) from error
    return Effect(touched=(made.id,), made=(made.id,), server_id=made.id)
