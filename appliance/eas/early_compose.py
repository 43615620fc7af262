"""SendMail, SmartReply and SmartForward as versions before 14.0 send them, put into the later form.

Those send the bare message (`message/rfc822`) and say the rest in the query. They have no ClientId, and a
phone whose answer got lost sends the same bytes again: so the bytes are the identity, for a bounded time.
The time is counted in whole windows, the current one and the one before it: a repeat is recognised for
one window at least, two at most.

Source: MS-ASCMD 2.2.1.17 SendMail, 2.2.1.19 SmartForward, 2.2.1.20 SmartReply (12.1 and earlier);
MS-ASHTTP 2.2.1.1.1.1.3 Command Parameters.
"""

import hashlib
from datetime import datetime

from appliance.delivery import submission
from appliance.delivery.submission import ClientRequest
from appliance.eas.request import Request
from appliance.eas.status import Common, ProtocolError
from appliance.wbxml.codepages import ComposeMail
from appliance.wbxml.element import Element

ROOTS = {tag.name: tag for tag in (ComposeMail.SendMail, ComposeMail.SmartReply, ComposeMail.SmartForward)}
CONTENT_TYPE = "message/rfc822"
WINDOW_S = 86_400  # a phone that was out of reach for a night tries again in the morning
DIGEST_LENGTH = 24  # hexadecimal digits of 4 bits


def document(request: Request, device: int, now: datetime) -> Element:
    """Return the request as the document a later version would have sent. Needs `db.connection()`.

    Raises ProtocolError: 101 for another content type or no message.
    """
    if request.content_type not in (CONTENT_TYPE, ""):
        raise ProtocolError(Common.INVALID_CONTENT, f"content type {request.content_type}")
    if not request.body:
        raise ProtocolError(Common.INVALID_CONTENT, "no message")
    return ROOTS[request.command](
        ComposeMail.ClientId(_client_id(request, device, now)),
        _source(request),
        ComposeMail.SaveInSentItems() if request.save_in_sent else None,
        ComposeMail.Mime(request.body),
    )


def _source(request: Request) -> Element | None:
    params = request.params
    named = [
        tag(params[name])
        for name, tag in (
            ("CollectionId", ComposeMail.FolderId),
            ("ItemId", ComposeMail.ItemId),
            ("LongId", ComposeMail.LongId),
            ("Occurrence", ComposeMail.InstanceId),
        )
        if params.get(name)
    ]
    return ComposeMail.Source(named) if named else None


def _client_id(request: Request, device: int, now: datetime) -> str:
    """Return the identity of a request's content: the one it was sent under before, if it was."""
    window = int(now.timestamp()) // WINDOW_S
    digest = hashlib.sha256(request.body)
    digest.update(repr((request.command, sorted(request.params.items()))).encode())
    name = digest.hexdigest()[:DIGEST_LENGTH]
    before = f"{name}.{window - 1}"
    return before if submission.was_sent(ClientRequest(device, before)) else f"{name}.{window}"
