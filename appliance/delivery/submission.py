"""Mail written by one of our users: the one way out for SMTP submission, phones and the browser.

Everything a "sent" promises happens in one transaction: the copy in Sent Items, the copies for local
recipients, the queue entries for remote ones, the reports about addresses nobody has, and the ClientId
that makes a repeated request do nothing.

Source: RFC 6409 (what a submission server may add), MS-ASCMD 2.2.1.17 SendMail.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from appliance import db, logs
from appliance.accounts import accounts
from appliance.db.tables import SentClientId
from appliance.delivery import arrival, inbound
from appliance.delivery.dsn import FailedRecipient
from appliance.delivery.routing import Route, RouteKind, route
from appliance.errors import QuotaExceeded
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.mime.addresses import Address
from appliance.mime.compose import PreparedMessage, prepare_submission
from appliance.queue import entries
from appliance.queue.schedule import LIFETIME
from appliance.store import folders, messages

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
) -> Submitted:
    """Send a message for an account; durable when it returns.

    recipients: the envelope's; None takes To, Cc and Bcc from the header. The From header is made one
    of the account's own addresses; Bcc is taken out of what recipients get.
    Raises mime.compose.ComposeError (NoRecipients and other faults of the message), QuotaExceeded,
    TooLarge, TemporaryFailure.
    """
    with db.connection():
        own = accounts.aliases(account.id)
    prepared = prepare_submission(
        raw,
        from_address=Address(account.display_name, account.address),
        allowed_addresses=own,
        message_id_domain=account.address.rpartition("@")[2],
        now=now,
        needs_recipients=recipients is None,
    )
    message = arrival.prepare(prepared.raw)
    with db.connection():
        routes = [route(path) for path in dict.fromkeys(recipients or prepared.recipients)]
    outcome = _commit(account, message, prepared, routes, hostname, now, save_in_sent, request)
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


@db.transaction
def _commit(
    account: Account,
    message: Arrival,
    prepared: PreparedMessage,
    routes: list[Route],
    hostname: str,
    now: datetime,
    save_in_sent: bool,
    request: ClientRequest | None,
) -> Submitted:
    message_id = message.blob.digest.hex()[:16]
    if request is not None:
        if was_sent(request):
            return Submitted(message_id, is_repeat=True)
        SentClientId.create(device=request.device, client_id=request.client_id, created_at=now)
    if save_in_sent:
        _save_in_sent(account, message, ", ".join(prepared.bcc), now)
    local = inbound.unique_accounts(routes)
    full = _file_local(local, message, now)
    remote = [(r.address, r.domain) for r in routes if r.kind is RouteKind.REMOTE]
    if remote:
        entries.add(
            message.blob,
            account_id=account.id,
            reverse_path=account.address,
            recipients=remote,
            now=now,
            lifetime=LIFETIME,
            needs_smtputf8=not all(address.isascii() for address, _ in remote),
        )
    refused = full + [
        inbound.refusal_of(r) for r in routes if r.kind not in (RouteKind.LOCAL, RouteKind.REMOTE)
    ]
    inbound.report_failure(prepared.raw, account.address, refused, hostname=hostname, now=now)
    return Submitted(message_id, len(local) - len(full), len(remote), len(refused))


def _file_local(recipients: list[Account], message: Arrival, now: datetime) -> list[FailedRecipient]:
    full = []
    for recipient in recipients:
        try:
            inbound.file_in_inbox(recipient, message, now)
        except QuotaExceeded:
            full.append(FailedRecipient(recipient.address, "5.2.2", "The mailbox is full."))
    return full


def _save_in_sent(account: Account, message: Arrival, bcc: str, now: datetime) -> None:
    """File the copy in Sent Items; it shows the Bcc recipients that the bytes no longer name."""
    sent = folders.special(account.id, FolderType.SENT)
    shown = replace(message, columns=replace(message.columns, bcc=bcc))
    messages.file(account.id, sent.id, shown, received_at=now, is_read=True)
