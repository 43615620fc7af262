"""An accepted message becomes one item for every local recipient, all in one transaction.

Source: RFC 5321 4.4 (Return-Path is added by final delivery), 6.1 (what accepting means).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance import db, logs
from appliance.delivery import arrival, dsn
from appliance.delivery.dsn import FailedRecipient
from appliance.delivery.routing import Route, RouteKind, route
from appliance.errors import PermanentFailure, QuotaExceeded
from appliance.items.account import Account
from appliance.items.envelope import Envelope
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.metrics import counter
from appliance.queue import entries
from appliance.queue.schedule import LIFETIME
from appliance.store import folders, messages

log = logging.getLogger("appliance.mail")
DELIVERED = counter("appliance_delivered_total", "Messages filed for local accounts.", ["outcome"])


@dataclass(frozen=True, slots=True)
class Report:
    """A failure report ready to be filed or queued, and whom it is for."""

    arrival: Arrival
    route: Route


def deliver(envelope: Envelope, raw: bytes, *, hostname: str) -> str:
    """File a received message for its local recipients and return its id in the logs.

    Durable when it returns. Every recipient was checked at RCPT; one that cannot take the message
    after all (its mailbox is full, it was deleted meanwhile) is reported to the sender.
    Raises PermanentFailure when no recipient could take it, TemporaryFailure.
    """
    prepared = arrival.prepare(_with_return_path(envelope.reverse_path, raw))
    with db.connection():
        routes = [route(path) for path in envelope.forward_paths]
    failed = [refusal_of(r) for r in routes if r.kind is not RouteKind.LOCAL]
    recipients = unique_accounts(routes)
    delivered = _file(prepared, recipients, envelope, raw, failed, hostname)
    if not delivered:
        raise PermanentFailure("no recipient could take the message")
    message_id = prepared.blob.digest.hex()[:16]
    for account in delivered:
        logs.event(log, "delivered", msgid=message_id, account=account.id, size=prepared.blob.size)
    return message_id


@db.transaction
def _file(
    prepared: Arrival,
    recipients: list[Account],
    envelope: Envelope,
    raw: bytes,
    failed: list[FailedRecipient],
    hostname: str,
) -> list[Account]:
    delivered = []
    for account in recipients:
        try:
            file_in_inbox(account, prepared, envelope.received_at)
        except QuotaExceeded:
            failed = [*failed, FailedRecipient(account.address, "5.2.2", "The mailbox is full.")]
        else:
            delivered.append(account)
            DELIVERED.labels("filed").inc()
    if delivered and failed and envelope.reverse_path:
        report_failure(raw, envelope.reverse_path, failed, hostname=hostname, now=envelope.received_at)
    return delivered


def file_in_inbox(account: Account, prepared: Arrival, received_at: datetime) -> int:
    """Add a message to an account's Inbox and return its id. Raises QuotaExceeded."""
    inbox = folders.special(account.id, FolderType.INBOX)
    return messages.file(account.id, inbox.id, prepared, received_at=received_at)


@db.transaction
def report_failure(
    original: bytes,
    reverse_path: str,
    failed: Iterable[FailedRecipient],
    *,
    hostname: str,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> None:
    """Send a failure report to the reverse-path: filed when it is local, queued when it is not.

    A null reverse-path, or a local sender who is gone, gets none.
    """
    failures = list(failed)
    if not reverse_path or not failures:
        return
    raw = dsn.build(original, to=reverse_path, failed=failures, hostname=hostname, now=now)
    prepared = arrival.prepare(raw)
    target = route(reverse_path)
    if target.kind is RouteKind.LOCAL and target.account is not None:
        try:
            file_in_inbox(target.account, prepared, now)
        except QuotaExceeded:
            logs.event(log, "report_dropped", account=target.account.id, reason="quota")
    elif target.kind is RouteKind.REMOTE:
        entries.add(
            prepared.blob,
            account_id=None,
            reverse_path="",
            recipients=[(reverse_path, target.domain)],
            now=now,
            lifetime=lifetime,
        )
    DELIVERED.labels("reported").inc(len(failures))


def unique_accounts(routes: Iterable[Route]) -> list[Account]:
    """Return the accounts behind local routes, each once however many of its addresses were named."""
    return list({r.account.id: r.account for r in routes if r.account is not None}.values())


def refusal_of(target: Route) -> FailedRecipient:
    """Return why a recipient that is neither local nor remote gets nothing."""
    if target.kind is RouteKind.DISABLED:
        return FailedRecipient(target.address, "5.2.1", "This mailbox takes no mail.")
    if target.kind is RouteKind.INVALID:
        return FailedRecipient(target.address, "5.1.3", "This is not a valid address.")
    return FailedRecipient(target.address, "5.1.1", "There is no such mailbox here.")


def _with_return_path(reverse_path: str, raw: bytes) -> bytes:
    return b"Return-Path: <" + reverse_path.encode("utf-8", "replace") + b">\r\n" + raw
