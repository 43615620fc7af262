"""GetAttachment (up to 12.1): the bytes of one attachment, named in the query.

Any failure is HTTP 500, which phones take for "not available"; only a request without a name is 400.
The answer is marked as a download: shown in a browser, a page someone has mailed would otherwise run
under this server's name.

Source: MS-ASCMD 2.2.1.7 GetAttachment, MS-ASHTTP 2.2.1.1.1.1.3 (AttachmentName).
"""

import re

from appliance.eas import attachment
from appliance.eas.context import Context
from appliance.eas.response import Response
from appliance.eas.status import Common, ProtocolError
from appliance.errors import NotFound
from appliance.wbxml.element import Element

_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}", re.IGNORECASE)
UNKNOWN_TYPE = "application/octet-stream"


def handle(context: Context, _request: Element | None) -> Response:
    """Answer with an attachment's bytes and type."""
    name = context.request.params.get("AttachmentName", "")
    if not name:
        raise ProtocolError(Common.INVALID_CONTENT, "no AttachmentName")
    try:
        found = attachment.find(context.account.id, name)
    except NotFound as error:
        raise ProtocolError(Common.SERVER_ERROR, str(error)) from error
    is_type = _MEDIA_TYPE.fullmatch(found.content_type) is not None
    return Response(
        body=found.data(),
        content_type=found.content_type if is_type else UNKNOWN_TYPE,
        headers=(("Content-Disposition", "attachment"),),
    )
