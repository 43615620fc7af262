"""Out-of-office answers: sent in the transaction that files the message they answer.

Owns whom an answer goes to, what it looks like, and that nobody gets one more often than every four
days. Which messages are never answered is `auto_reply`; the settings are `accounts.out_of_office`.

An answer has the null reverse-path and says Auto-Submitted, so that nothing answers or reports back. It
goes to the reverse-path of the message, not to its From: where a failure report would go is where an
automatic answer belongs (RFC 3834 4). Mail of our own users has no Return-Path yet; there From is it,
because submission allows no other.

Nothing that goes wrong with an answer keeps the message out.

Source: RFC 3834 3, 5; RFC 5230 4.2 (how often), 5.8 (threading).
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from appliance import db, logs
from appliance.accounts import accounts, addresses, correspondents, out_of_office
from appliance.accounts.out_of_office import Audience, Reply
from appliance.db.tables import OutOfOfficeReply
from appliance.delivery import arrival, auto_reply
from appliance.delivery.routing import Route, RouteKind, route
from appliance.errors import InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.metrics import counter
from appliance.mime.addresses import Address
from appliance.mime.build import build_message
from appliance.mime.edit import ComposeError
from appliance.mime.headers import Headers, message_ids, parse_headers
from appliance.mime.html import text_from_html
from appliance.queue import entries
from appliance.queue.priority import Priority
from appliance.store import blobs, messages

SILENT_FOR: Final = timedelta(days=4)
ANSWERS_PER_HOUR_MAX: Final = 100
"""Of one account: senders are forged by the thousand, and each answer goes to somebody who never wrote."""
FORGOTTEN_AT_ONCE: Final = 500
SUBJECT_CHARS_MAX: Final = 200
REFERENCES_MAX: Final = 20

log = logging.getLogger("appliance.mail")
REPLIES = counter(
    "appliance_out_of_office_replies_total", "Out-of-office answers by who got them.", ["audience"]
)


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message to answer, perhaps.

    reverse_path: as it was given, for the way back. sender: the same normalised, "" for the null
    reverse-path or for none.
    """

    headers: Headers
    reverse_path: str
    sender: str
    now: datetime


def answer(recipients: Sequence[Account], message: Arrival, now: datetime) -> None:
    """Answer a message for those recipients who are away. Needs the transaction that filed it."""
    away = [(each, found) for each in recipients if (found := out_of_office.get(each.id)).is_active(now)]
    if not away:
        return
    try:
        letter = _letter(message, now)
    except NotFound:
        return
    for account, settings in away:
        reason = _answer(account, settings.replies, letter)
        if reason:
            event = "out_of_office_withheld"
            db.after_commit(logs.event, log, event, account=account.id, reason=reason)


def _letter(message: Arrival, now: datetime) -> _Letter:
    raw = message.blob.data
    headers = parse_headers(blobs.read(message.blob.digest) if raw is None else raw)
    path = headers.raw("Return-Path")  # final delivery puts it in front of any other
    if path is None:
        named = headers.addresses("From", 1)
        path = named[0].address if named else ""
    path = path.strip().strip("<>")
    try:
        return _Letter(headers, path, addresses.normalise(path), now)
    except InvalidInput:
        return _Letter(headers, "", "", now)


def _answer(account: Account, replies: Mapping[Audience, Reply], letter: _Letter) -> str | None:
    """Answer a message for one account; return why not, if not."""
    own = accounts.spellings(account.id)
    refusal = auto_reply.refusal(letter.headers, letter.sender, own)
    if refusal is not None:
        return refusal
    audience = _audience(account.id, letter.sender)
    reply = replies[audience]
    if not (reply.is_enabled and reply.text.strip()):
        return f"silent_for_{audience}"
    to = route(letter.reverse_path)
    if to.kind not in (RouteKind.LOCAL, RouteKind.REMOTE):
        return "no_way_back"
    try:
        raw = _render(account, reply, letter, auto_reply.addressed(letter.headers, own) or account.address)
    except ComposeError:
        return "no_way_back"  # such as an address that is not ASCII
    if not _is_first(account.id, letter):
        return "answered_lately"
    if _answered_within(account.id, letter.now - timedelta(hours=1)) > ANSWERS_PER_HOUR_MAX:
        return "too_many"
    _send(account, to, arrival.prepare(raw), letter.now)
    REPLIES.labels(str(audience)).inc()
    db.after_commit(logs.event, log, "out_of_office_replied", account=account.id, audience=str(audience))
    return None


def _audience(account_id: int, sender: str) -> Audience:
    if accounts.is_local_domain(addresses.domain_of(sender)):
        return Audience.INTERNAL
    return Audience.KNOWN if correspondents.is_known(account_id, sender) else Audience.UNKNOWN


def _is_first(account_id: int, letter: _Letter) -> bool:
    """Write down that a sender is answered now; return False when one was lately."""
    rows = OutOfOfficeReply
    is_old = rows.replied_at <= letter.now - SILENT_FOR
    rows.delete().where((rows.account == account_id) & is_old).execute()
    row = rows.insert(account=account_id, sender=letter.sender, replied_at=letter.now)
    return bool(list(row.on_conflict_ignore().returning(rows.account).tuples().execute()))


def _answered_within(account_id: int, since: datetime) -> int:
    rows = OutOfOfficeReply
    return int(rows.select().where((rows.account == account_id) & (rows.replied_at > since)).count())


@db.transaction
def forget(now: datetime) -> int:
    """Forget some of those who would be answered again; returns how many."""
    rows = OutOfOfficeReply
    is_old = rows.replied_at <= now - SILENT_FOR
    some = list(rows.select(rows.account, rows.sender).where(is_old).limit(FORGOTTEN_AT_ONCE).tuples())
    for account_id, sender in some:
        rows.delete().where((rows.account == account_id) & (rows.sender == sender) & is_old).execute()
    return len(some)


def _send(account: Account, to: Route, reply: Arrival, now: datetime) -> None:
    """File the answer when its receiver is local, queue it when not; a full mailbox gets none."""
    if to.account is not None:
        messages.file_for_all([to.account.id], FolderType.INBOX, reply, received_at=now)
        return
    entries.add(
        reply.blob,
        account_id=account.id,
        reverse_path="",
        recipients=[(to.address, to.domain)],
        now=now,
        priority=Priority.AUTOMATIC,
    )


def _render(account: Account, reply: Reply, letter: _Letter, from_address: str) -> bytes:
    """Return the answer; raises ComposeError."""
    subject = (letter.headers.get("Subject") or "")[:SUBJECT_CHARS_MAX]
    return build_message(
        from_=Address(account.display_name, from_address),
        to=[Address("", letter.reverse_path)],
        subject=f"Automatic reply: {subject}" if subject else "Automatic reply",
        text=text_from_html(reply.text) if reply.is_html else reply.text,
        html=reply.text if reply.is_html else None,
        message_id_domain=addresses.domain_of(account.address),
        now=letter.now,
        headers={
            **_thread(letter.headers),
            "Auto-Submitted": "auto-replied",
            "X-Auto-Response-Suppress": "All",
        },
    )


def _thread(headers: Headers) -> dict[str, str]:
    """Return the fields that tie an answer to its message."""
    own = [each for each in message_ids(headers.raw("Message-ID"))[:1] if each.isascii()]
    if not own:
        return {}
    before = [each for each in message_ids(headers.raw("References")) if each.isascii()]
    return {"In-Reply-To": own[0], "References": "\r\n ".join([*before[-REFERENCES_MAX:], *own])}
