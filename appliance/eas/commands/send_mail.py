"""SendMail: accepted durably, then answered with an empty 200; delivery follows.

A ClientId that was seen is answered with Status 118 and nothing is sent again.
Source: MS-ASCMD 2.2.1.17 SendMail.
"""

from appliance.delivery import submission
from appliance.delivery.submission import ClientRequest
from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.errors import QuotaExceeded, TooLarge
from appliance.mime.compose import ComposeError, NoRecipients
from appliance.wbxml.codepages import ComposeMail, RightsManagement
from appliance.wbxml.element import Element

CLIENT_ID_LENGTH_MAX = 40  # characters, MS-ASCMD 2.2.3.28.2 ClientId
NO_TEMPLATE = "00000000-0000-0000-0000-000000000000"  # MS-ASRM, TemplateID: rights management off


def handle(context: Context, request: Element | None) -> None:
    """Send the message of the request."""
    if request is None or request.tag is not ComposeMail.SendMail:
        raise ProtocolError(Common.INVALID_XML, "not a SendMail document")
    send(context, request, mime_of(request))


def mime_of(request: Element) -> bytes:
    """Return the message in a request; raises ProtocolError 107 when there is none."""
    mime = request.find(ComposeMail.Mime)
    if mime is None or not mime.data:
        raise ProtocolError(Common.INVALID_MIME, "no Mime")
    return mime.data


def check(context: Context, request: Element) -> ClientRequest:
    """Return the request's identity; raises ProtocolError: 118 when it was carried out before.

    What cannot be done as asked is refused, not left out: another account to send from (166), rights
    management (168).
    """
    if request.text_of(ComposeMail.AccountId):
        raise ProtocolError(Common.INVALID_ACCOUNT_ID, "no AccountId was ever handed out")
    if request.text_of(RightsManagement.TemplateID, "") not in ("", NO_TEMPLATE):
        raise ProtocolError(Common.IRM_FEATURE_DISABLED, "no rights management")
    client_id = request.text_of(ComposeMail.ClientId)
    if not client_id or len(client_id) > CLIENT_ID_LENGTH_MAX:
        raise ProtocolError(Common.INVALID_XML, f"a ClientId has 1 to {CLIENT_ID_LENGTH_MAX} characters")
    identity = ClientRequest(context.device.id, client_id)
    if submission.was_sent(identity):
        raise ProtocolError(Common.MESSAGE_PREVIOUSLY_SENT, "this ClientId was sent before")
    return identity


def send(context: Context, request: Element, raw: bytes, *, save_in_sent: bool | None = None) -> None:
    """Submit a message under the request's ClientId; raises ProtocolError with what the phone is told.

    save_in_sent: None does as the request says.
    """
    identity = check(context, request)
    if save_in_sent is None:
        save_in_sent = request.flag_of(ComposeMail.SaveInSentItems)
    try:
        outcome = submission.submit(
            context.account,
            raw,
            hostname=context.world.hostname(),
            now=context.now,
            save_in_sent=save_in_sent,
            request=identity,
        )
    except NoRecipients as error:
        raise ProtocolError(Common.MESSAGE_HAS_NO_RECIPIENT, str(error)) from error
    except ComposeError as error:
        raise ProtocolError(Common.INVALID_MIME, str(error)) from error
    except TooLarge as error:
        raise ProtocolError(Common.MAIL_SUBMISSION_FAILED, str(error)) from error
    except QuotaExceeded as error:
        raise ProtocolError(Common.MAILBOX_QUOTA_EXCEEDED, str(error)) from error
    if outcome.is_repeat:
        raise ProtocolError(Common.MESSAGE_PREVIOUSLY_SENT, "this ClientId was sent before")
