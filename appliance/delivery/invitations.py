"""Invitations to meetings that came by mail, and what our users answer them.

An answer is one transaction: the mail to the organizer (on its way, and in Sent Items), the memory of what
was said, and the invitation moved to Deleted Items. So a request that is repeated because its answer was lost
finds everything done.

The organizer is told a thing once: the same participation, comment and proposal to the same version of the
same invitation is not mailed again, whoever repeats it, a phone, a second phone or a second copy of the
invitation. Another answer is mailed, and so is the same one to an invitation that was sent anew.

Source: RFC 5546 3.2.3 REPLY, 3.2.7 COUNTER, 4.4 (who is invited under which name); RFC 6047 2.4, 2.5 (iMIP).
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from appliance import db, logs
from appliance.accounts import accounts, addresses
from appliance.db.tables import MeetingAnswer
from appliance.delivery import submission
from appliance.errors import InvalidInput
from appliance.ical.answer import Answer, Participation, write_answer
from appliance.ical.invitation import Invitation, Person, read_invitation
from appliance.ical.writing import compact
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Message
from appliance.metrics import counter
from appliance.mime.addresses import Address
from appliance.mime.body import leaf_text
from appliance.mime.build import build_message
from appliance.mime.headers import message_ids
from appliance.mime.scan import scan
from appliance.store import folders, messages, modseq

log = logging.getLogger("appliance.mail")
ANSWERS = counter(
    "appliance_meeting_answers_total", "Answers to invitations by what was said.", ["participation"]
)

REQUEST_CLASS = "IPM.SCHEDULE.MEETING.REQUEST"
CALENDAR_BYTES_MAX = 262_144
VERB_REPLIED = 1  # MS-ASEMAIL 2.2.2.42 LastVerbExecuted

_SUBJECTS = {
    Participation.ACCEPTED: "Accepted",
    Participation.TENTATIVE: "Tentative",
    Participation.DECLINED: "Declined",
}


class NotAnswerable(InvalidInput):
    """The message is no invitation, or not one that this account can answer."""


@dataclass(frozen=True, slots=True)
class Request:
    """An invitation in a mailbox. attendee: the account, under the name and address it was invited by."""

    message: Message
    calendar: str
    invitation: Invitation
    attendee: Person


@dataclass(frozen=True, slots=True)
class Words:
    """What goes with an answer for people to read: plain text, and the same as HTML if written so."""

    text: str = ""
    html: str | None = None


class _SaidBeforeError(Exception):
    """The organizer has heard exactly this; undoes the submission."""


def is_request(message: Message) -> bool:
    """Tell whether a message is an invitation (not its cancellation, nor an answer to one)."""
    return message.message_class.upper() == REQUEST_CLASS


def calendar_text(message: Message) -> str:
    """Return the calendar in an invitation. Needs `db.connection()`; raises NotAnswerable."""
    raw = messages.raw(message)
    structure = scan(raw)
    if not is_request(message) or structure.calendar_part is None:
        raise NotAnswerable("the message is no invitation")
    return leaf_text(raw, structure.part(structure.calendar_part), CALENDAR_BYTES_MAX)


def read_request(account: Account, message: Message) -> Request:
    """Return the invitation in a message. Needs `db.connection()`.

    Raises NotAnswerable when there is none or the account is its organizer.
    """
    text = calendar_text(message)
    invitation = read_invitation(text)
    if invitation is None or not invitation.uid:
        raise NotAnswerable("the invitation cannot be read")
    own = {account.address, *accounts.aliases(account.id)}
    if invitation.organizer is not None and _is_one_of(own, invitation.organizer.address):
        raise NotAnswerable("the account is the organizer")
    invited = (person for person in invitation.attendees if _is_one_of(own, person.address))
    # Who was invited as a member of a group, or got the invitation from somebody else, answers by himself.
    attendee = next(invited, Person(account.display_name, account.address))
    return Request(message, text, invitation, attendee)


def answer(
    account: Account,
    request: Request,
    said: Answer,
    words: Words | None,
    *,
    hostname: str,
    now: datetime,
) -> None:
    """Answer an invitation and put it away; durable when it returns, and harmless to repeat.

    words: what the organizer is mailed with the answer; None when somebody else tells him, or nobody.
    Raises NotAnswerable (nobody to tell), NotFound (the invitation is gone), ComposeError, QuotaExceeded,
    TooLarge, TemporaryFailure.
    """
    conclude = partial(_conclude, account.id, request, said, words, now)
    if words is None:
        conclude()
    else:
        raw = _letter(account, request, said, words, now)
        try:
            submission.submit(account, raw, hostname=hostname, now=now, save_in_sent=True, also=conclude)
        except _SaidBeforeError:
            put_away(account.id, request.message.id)
            logs.event(log, "meeting_answer_repeated", account=account.id, item=request.message.id)
            return
    ANSWERS.labels(said.participation.lower()).inc()
    logs.event(
        log,
        "meeting_answered",
        account=account.id,
        item=request.message.id,
        participation=said.participation.lower(),
        method=said.method if words is not None else "none",
    )


@db.transaction
def put_away(account_id: int, item_id: int) -> None:
    """Move an answered invitation to Deleted Items, unless it is there; every device hears of it.

    The device that answered, too: it was not told to move anything. Raises NotFound.
    """
    modseq.hold([account_id])
    message = messages.current(account_id, item_id)
    deleted = folders.special(account_id, FolderType.DELETED)
    if message.folder_id != deleted.id:
        messages.move(account_id, message.id, deleted.id)


@db.transaction
def _conclude(account_id: int, request: Request, said: Answer, words: Words | None, now: datetime) -> None:
    """Remember what is said and put the invitation away. Raises _SaidBeforeError, NotFound."""
    modseq.hold([account_id])
    if words is not None and _was_sent(account_id, request, _digest(request, said, words)):
        raise _SaidBeforeError
    _remember(account_id, request, said, words, now)
    if words is not None:
        message = messages.current(account_id, request.message.id)
        messages.set_last_verb(account_id, message.id, VERB_REPLIED, now)
    put_away(account_id, request.message.id)


def _key(request: Request) -> dict[str, object]:
    instance = request.invitation.recurrence_id
    return {
        "meeting": hashlib.sha256(request.invitation.uid.encode("utf-8", "replace")).digest(),
        "instance": "" if instance is None else compact(instance),
        "attendee": request.attendee.address.lower(),
    }


def _last(account_id: int, request: Request) -> MeetingAnswer | None:
    return MeetingAnswer.get_or_none(account=account_id, **_key(request))


def _said_last(account_id: int, request: Request) -> str | None:
    last = _last(account_id, request)
    return None if last is None else str(last.participation)


def _was_sent(account_id: int, request: Request, digest: bytes) -> bool:
    last = _last(account_id, request)
    return last is not None and bool(last.is_sent) and bytes(last.digest) == digest


def _remember(account_id: int, request: Request, said: Answer, words: Words | None, now: datetime) -> None:
    rows = MeetingAnswer
    if words is None and _said_last(account_id, request) == said.participation:
        return  # the organizer may have heard it from us before
    values = {
        "participation": str(said.participation),
        "digest": _digest(request, said, words),
        "is_sent": words is not None,
        "answered_at": now,
    }
    rows.insert(account=account_id, **_key(request), **values).on_conflict(
        conflict_target=[rows.account, rows.meeting, rows.instance, rows.attendee],
        update={getattr(rows, name): value for name, value in values.items()},
    ).execute()


def _digest(request: Request, said: Answer, words: Words | None) -> bytes:
    """Return what tells this answer from every other one to the same meeting."""
    invitation = request.invitation
    stamp = "" if invitation.stamp is None else compact(invitation.stamp)
    proposed = [compact(moment) for moment in said.proposed or ()]
    text = "" if words is None else words.html or words.text
    everything = [invitation.sequence, stamp, str(said.participation), proposed, text]
    return hashlib.sha256(json.dumps(everything).encode()).digest()


def _letter(account: Account, request: Request, said: Answer, words: Words, now: datetime) -> bytes:
    """Return the mail to the organizer; raises NotAnswerable, ComposeError."""
    organizer = request.invitation.organizer
    calendar = write_answer(request.calendar, said, now)
    if organizer is None or not organizer.address or calendar is None:
        raise NotAnswerable("the invitation names nobody to answer to")
    what = "New time proposed" if said.proposed is not None else _SUBJECTS[said.participation]
    ids = [each for each in message_ids(request.message.message_id) if each.isascii()][:1]
    return build_message(
        from_=Address(account.display_name or request.attendee.name, request.attendee.address),
        to=[Address(organizer.name, organizer.address)],
        subject=f"{what}: {request.invitation.summary}",
        text=words.text,
        html=words.html,
        calendar=(said.method, calendar),
        message_id_domain=account.address.rpartition("@")[2],
        now=now,
        headers={name: ids[0] for name in ("In-Reply-To", "References") if ids},
    )


def _is_one_of(own: set[str], address: str) -> bool:
    try:
        return addresses.base_address(addresses.normalise(address)) in own
    except InvalidInput:
        return False
