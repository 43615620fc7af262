"""MeetingResponse: an invitation in the mail is accepted, tentatively accepted or declined.

The invitation moves to Deleted Items, also when the answer is sent by the phone itself (up to 14.1); from
16.0 on the server mails the organizer when SendResponse asks for it. A repeated request is answered like the
first and tells nobody anything twice (`delivery.invitations`). CalendarId names the calendar item of a
meeting; a meeting that exists as mail only has none.

Each Request is judged on its own: what is wrong with one is the Status of its Result.

Source: MS-ASCMD 2.2.1.11 MeetingResponse, 2.2.3.92.1 InstanceId, 2.2.3.158 SendResponse,
2.2.3.177.9 Status, 3.1.5.10 (at most 100 requests).
"""

from datetime import datetime
from typing import Final

from appliance.delivery import invitations
from appliance.delivery.invitations import NotAnswerable, Request, Words
from appliance.eas.context import Context
from appliance.eas.ids import item_id_of
from appliance.eas.meetings import is_instance_id, parse_body, parse_compact, parse_instance
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import MeetingResponse as Status
from appliance.eas.sync_request import ID_LENGTH_MAX
from appliance.eas.versions import at_least
from appliance.errors import NotFound, QuotaExceeded, TooLarge
from appliance.ical.answer import Answer, Participation
from appliance.items.message import Message
from appliance.mime.edit import ComposeError
from appliance.store import messages
from appliance.wbxml.codepages import AirSyncBase, MeetingResponse, Search
from appliance.wbxml.element import Element, ElementError

REQUESTS_MAX: Final = 100
FIRST_WITH_INSTANCES, FIRST_THAT_SENDS, FIRST_WITH_PROPOSALS = "14.1", "16.0", "16.1"

_PARTICIPATION = {1: Participation.ACCEPTED, 2: Participation.TENTATIVE, 3: Participation.DECLINED}


def handle(context: Context, request: Element | None) -> Element:
    """Answer every invitation of the request."""
    if request is None or request.tag is not MeetingResponse.MeetingResponse:
        raise ProtocolError(Common.INVALID_XML, "not a MeetingResponse document")
    asked = request.find_all(MeetingResponse.Request)
    if not 0 < len(asked) <= REQUESTS_MAX:
        raise ProtocolError(Common.INVALID_XML, f"1 to {REQUESTS_MAX} requests")
    return MeetingResponse.MeetingResponse([_result(context, each) for each in asked])


def _result(context: Context, asked: Element) -> Element:
    """Carry out one request and answer it; its fault does not concern the others."""
    request_id = asked.text_of(MeetingResponse.RequestId)
    instance_id = asked.text_of(MeetingResponse.InstanceId)
    if request_id is not None and len(request_id) > ID_LENGTH_MAX:
        raise ProtocolError(Common.INVALID_XML, f"a RequestId has at most {ID_LENGTH_MAX} characters")
    status = _answer(context, asked)
    return MeetingResponse.Result(
        MeetingResponse.RequestId(request_id) if request_id else None,
        MeetingResponse.Status(status),
        MeetingResponse.InstanceId(instance_id) if instance_id and is_instance_id(instance_id) else None,
    )


def _answer(context: Context, asked: Element) -> int:
    try:
        participation = _PARTICIPATION.get(asked.int_of(MeetingResponse.UserResponse, 0))
        if participation is None:
            return Status.INVALID_REQUEST
        instance = _instance(context, asked)
        request = invitations.read_request(context.account, _message(context, asked))
        _check_instance(request, instance)
        said, words = _said(context, asked, request, participation)
        invitations.answer(
            context.account, request, said, words, hostname=context.world.hostname(), now=context.now
        )
    except ProtocolError as error:
        return error.status
    except QuotaExceeded:
        return Common.MAILBOX_QUOTA_EXCEEDED
    except TooLarge:
        return Common.MAIL_SUBMISSION_FAILED
    except (NotFound, NotAnswerable, ComposeError, ElementError):
        return Status.INVALID_REQUEST
    return Status.SUCCESS


def _message(context: Context, asked: Element) -> Message:
    """Return the message a request names, where it lies now; raises NotFound, ProtocolError.

    It must lie in the folder the request names, or have lain there until it was moved.
    """
    account_id = context.account.id
    request_id, long_id = asked.text_of(MeetingResponse.RequestId), asked.text_of(Search.LongId)
    if bool(request_id) == bool(long_id):
        raise ProtocolError(Status.INVALID_REQUEST, "one of RequestId and LongId")
    item_id = item_id_of(request_id or long_id or "")
    message = messages.current(account_id, item_id)
    folder = asked.text_of(MeetingResponse.CollectionId)
    gone = messages.tombstone(account_id, item_id)
    was_in = message.folder_id if gone is None else gone.folder_id
    if request_id and folder is not None and item_id_of(folder) != was_in:
        raise NotFound("no such message in this folder")
    return message


def _instance(context: Context, asked: Element) -> datetime | None:
    """Return the occurrence a request is about, None for the meeting itself; raises ProtocolError."""
    text = asked.text_of(MeetingResponse.InstanceId)
    if text is None:
        return None
    if not text or not at_least(context.version, FIRST_WITH_INSTANCES):
        raise ProtocolError(Status.INVALID_REQUEST, "no InstanceId in this version, or an empty one")
    return parse_instance(text)


def _check_instance(request: Request, instance: datetime | None) -> None:
    """Raise ProtocolError for an occurrence: calendar items have them, mail is about all of a meeting."""
    if instance is None:
        return
    if not request.invitation.is_series:
        raise ProtocolError(Common.NO_RECURRENCE, "the meeting does not recur")
    raise ProtocolError(Status.INVALID_REQUEST, "an InstanceId goes with a calendar item")


def _said(
    context: Context, asked: Element, request: Request, participation: Participation
) -> tuple[Answer, Words | None]:
    """Return what is answered, and the words the organizer is mailed with it, None for no mail."""
    send = asked.find(MeetingResponse.SendResponse)
    if send is None:
        return Answer(request.attendee, participation), None
    if not at_least(context.version, FIRST_THAT_SENDS):
        raise ProtocolError(Status.INVALID_REQUEST, "no SendResponse in this version")
    words = Words(*parse_body(send.find(AirSyncBase.Body)))
    return Answer(request.attendee, participation, words.text, _proposed(context, send, request)), words


def _proposed(context: Context, send: Element, request: Request) -> tuple[datetime, datetime] | None:
    """Return the time the attendee would like better; raises ProtocolError."""
    tags = (MeetingResponse.ProposedStartTime, MeetingResponse.ProposedEndTime)
    texts = [text for tag in tags if (text := send.text_of(tag)) is not None]
    if not texts:
        return None
    if len(texts) != len(tags) or not at_least(context.version, FIRST_WITH_PROPOSALS):
        raise ProtocolError(Status.INVALID_REQUEST, "a start and an end, from 16.1 on")
    if request.invitation.disallows_counter:
        raise ProtocolError(Status.INVALID_REQUEST, "the organizer takes no proposals")
    start, end = map(parse_compact, texts)
    if end <= start:
        raise ProtocolError(Status.INVALID_REQUEST, "it ends before it starts")
    return start, end
