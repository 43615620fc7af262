"""Mail written by one of our users: the one way out for SMTP submission, phones and the browser.

Everything a "sent" promises happens in one transaction: the copy in Sent Items, the copies for local
recipients, the queue entries for remote ones, the report about addresses nobody has, and the ClientId
that makes a repeated request do nothing.

Source: RFC 6409 (what a submission server may add), MS-ASCMD 2.2.1.17 SendMail.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from appliance import db, logs
from appliance.accounts import accounts, addresses, correspondents
from appliance.accounts.login import AccountDisabled
from appliance.db.tables import SentClientId
from appliance.delivery import arrival, blind, confirmations, placing, posting, sending
from appliance.delivery.editions import AS_IT_CAME
from appliance.delivery.placing import NotAllTookIt, Prints
from appliance.delivery.posting import Sender
from appliance.delivery.recipients import Copies, Letter, copies_of
from appliance.delivery.reports import Report
from appliance.delivery.sending import SendingLimit
from appliance.items.account import Account
from appliance.items.envelope import Wishes
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.mime.addresses import Address
from appliance.mime.compose import prepare_submission
from appliance.mime.headers import parse_headers
from appliance.store import folders, messages, modseq

SAME_MESSAGE_FOR = timedelta(days=1)
"""A Message-ID that is in Sent Items already and is not older gets no second copy."""

log = logging.getLogger("appliance.mail")


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The request of a phone that carries a ClientId: a repeat of it must not send again."""

    device: int
    client_id: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission; `is_repeat` says that it had been sent before and nothing was done."""

    message_id: str
    local: int = 0
    remote: int = 0
    refused: int = 0
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message on its way out. bcc: for the copy in Sent Items, None when none is kept.

    recipients: how many the sender names.
    """

    account: Account
    message: Arrival
    raw: bytes
    bcc: str | None
    recipients: int
    now: datetime
    request: ClientRequest | None
    also: Callable[[], None] | None = None

    @property
    def id_in_logs(self) -> str:
        return self.message.blob.digest.hex()[:16]


def was_sent(request: ClientRequest) -> bool:
    """Return whether a request with this ClientId was carried out before. Needs `db.connection()`."""
    return bool(
        SentClientId.select()
        .where((SentClientId.device == request.device) & (SentClientId.client_id == request.client_id))
        .exists()
    )


def submit(
    account: Account,
    raw: bytes,
    *,
    hostname: str,
    now: datetime,
    save_in_sent: bool,
    recipients: Sequence[str] | None = None,
    request: ClientRequest | None = None,
    also: Callable[[], None] | None = None,
    wishes: Wishes | None = None,
    is_internationalised: bool = False,
) -> Submitted:
    """Send a message for an account; durable when it returns.

    recipients: the envelope's; None takes To, Cc and Bcc from the header. The From header is made one
    of the account's own addresses; Bcc is taken out of what recipients get. also: what else belongs to the
    same transaction, such as removing the draft that is sent; what it raises undoes the submission. wishes:
    what reports the sender asked for, and how the message must travel. is_internationalised: the
    client announced a message with UTF-8 in its header (SMTPUTF8).
    Raises mime.compose.ComposeError (NoRecipients and other faults of the message), QuotaExceeded (no
    room for the copy in Sent Items), SendingLimit, Denied (the account is disabled), NotFound (the account is
    gone), TooLarge, TemporaryFailure.
    """
    prepared = prepare_submission(
        raw,
        from_address=Address(account.display_name, account.address),
        allowed_addresses=_names_it_may_use(account, raw),
        message_id_domain=account.address.rpartition("@")[2],
        now=now,
        needs_recipients=recipients is None,
    )
    message = arrival.prepare(prepared.raw)
    sender = Sender(account.address, account)
    paths = prepared.recipients if recipients is None else recipients
    with db.connection():
        copies = copies_of(Letter(sender, prepared.raw, message.columns.has_attachments), paths)
        blind_to = blind.receivers(prepared.raw, paths)
    bcc = ", ".join(prepared.bcc) if save_in_sent else None
    letter = _Letter(account, message, prepared.raw, bcc, len(paths), now, request, also)
    made = placing.prints(
        copies,
        prepared.raw,
        message,
        blind_to=blind_to,
        wishes=wishes,
        is_internationalised=is_internationalised,
    )
    if copies.remote:
        _know_correspondents(account.id)
    try:
        outcome = _deliver(letter, copies, made, hostname)
    except SendingLimit as error:
        sending.refused(account, error, now)
        raise
    logs.event(
        log,
        "repeated" if outcome.is_repeat else "submitted",
        msgid=outcome.message_id,
        account=account.id,
        size=message.blob.size,
        local=outcome.local,
        remote=outcome.remote,
        refused=outcome.refused,
    )
    return outcome


def _know_correspondents(account_id: int) -> None:
    """Read what was imported or sent long ago before it is asked whom the account has written to."""
    with db.connection():
        is_behind = correspondents.is_behind(account_id)
    if is_behind:
        correspondents.catch_up(account_id)


def _names_it_may_use(account: Account, raw: bytes) -> list[str]:
    """Return those of the addresses in From and Sender that are the account's to use."""
    headers = parse_headers(raw)
    named = [*headers.addresses("From", 2), *headers.addresses("Sender", 2)]
    with db.connection():
        return [each.address for each in named if posting.may_send_as(account, each.address)]


def _deliver(letter: _Letter, copies: Copies, made: Prints, hostname: str) -> Submitted:
    """Carry out the submission, with reports about recipients here: who turns out not to take it, who did."""
    failed = list(copies.failed)
    while True:
        told = confirmations.told(
            made.wishes,
            copies,
            failed,
            letter.raw,
            letter.account.address,
            hostname=hostname,
            now=letter.now,
        )
        try:
            is_first = _commit(letter, copies, made, told)
        except NotAllTookIt as error:
            failed += placing.without(copies, error)
        else:
            if not is_first:
                return Submitted(letter.id_in_logs, is_repeat=True)
            return Submitted(letter.id_in_logs, len(copies.local), len(copies.remote), len(failed))


@db.transaction
def _commit(letter: _Letter, copies: Copies, made: Prints, told: Sequence[Report]) -> bool:
    """Do everything at once; returns whether it was the first time. Raises NotAllTookIt."""
    account_id = letter.account.id
    # Reports go to the same account.
    modseq.hold([account_id, *(copy.account.id for copy in copies.local)])
    if not accounts.get(account_id).is_enabled:
        raise AccountDisabled
    if letter.request is not None and not _remember(letter.request, letter.now):
        return False
    if letter.also is not None:
        letter.also()
    sending.count(account_id, letter.recipients, _named_elsewhere(copies), letter.now)
    if letter.bcc is not None:
        _save_in_sent(account_id, letter.message, letter.bcc, letter.now)
    placing.place(copies, made, letter.now, told, account_id=account_id)
    return True


def _named_elsewhere(copies: Copies) -> set[str]:
    """Return whom the sender names on other servers: not members of a group, nor where others forward to."""
    named = (copy.route.address for copy in copies.remote if copy.edition == AS_IT_CAME)
    return {addresses.normalise(address) for address in named}


def _remember(request: ClientRequest, now: datetime) -> bool:
    """Write down that a request is carried out; returns False when it has been already."""
    row = SentClientId.insert(device=request.device, client_id=request.client_id, created_at=now)
    return bool(list(row.on_conflict_ignore().returning(SentClientId.device).tuples().execute()))


def _save_in_sent(account_id: int, message: Arrival, bcc: str, now: datetime) -> None:
    """File the copy in Sent Items; it shows the Bcc recipients that the bytes no longer name.

    A program that sends the same message by another way, or again, has its copy already.
    """
    sent = folders.special(account_id, FolderType.SENT)
    message_id = message.columns.message_id
    if message_id and messages.is_filed(account_id, sent.id, message_id, since=now - SAME_MESSAGE_FOR):
        return
    shown = replace(message, columns=replace(message.columns, bcc=bcc))
    messages.file(account_id, sent.id, shown, received_at=now, is_read=True)
