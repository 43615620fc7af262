"""An accepted message becomes one item for every local recipient, all in one transaction.

A transaction that meets a mailbox that cannot take the message is undone and tried again without that
mailbox and with a report about it, so that the report is made outside and sent inside.

Source: RFC 5321 4.4 (Return-Path is added by final delivery), 6.1 (what accepting means).
"""

import logging
from collections.abc import Iterable
from datetime import datetime

from appliance import db, logs
from appliance.delivery import arrival, blind, oof, reports
from appliance.delivery.junk import file_as_junk
from appliance.delivery.reports import Report
from appliance.delivery.routing import Route, RouteKind, route
from appliance.errors import NotFound, PermanentFailure, QuotaExceeded
from appliance.items.account import Account
from appliance.items.envelope import Envelope
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.metrics import counter
from appliance.store import conversations, messages, modseq

log = logging.getLogger("appliance.mail")
DELIVERED = counter("appliance_delivered_total", "Recipients by what became of the message.", ["outcome"])


class NotAllTookIt(Exception):
    """Accounts that cannot take the message; the transaction that met them is undone."""

    def __init__(self, refused: dict[int, QuotaExceeded | NotFound]) -> None:
        super().__init__(f"{len(refused)} accounts cannot take the message")
        self.refused = refused


def deliver(envelope: Envelope, raw: bytes, *, hostname: str) -> str:
    """File a received message for its local recipients and return its id in the logs.

    Durable when it returns. Every recipient was checked at RCPT; one that cannot take the message
    after all (its mailbox is full, it was deleted meanwhile) is reported to the sender.
    Nothing is stored when it raises: QuotaExceeded (all mailboxes are full), PermanentFailure (no
    recipient could take it), TemporaryFailure.
    """
    prepared = arrival.prepare(_with_return_path(envelope.reverse_path, raw))
    with db.connection():
        routes = [route(path) for path in envelope.forward_paths]
        blind_to = blind.receivers(raw, envelope.forward_paths)
    failed = [reports.refusal_of_route(r) for r in routes if r.kind is not RouteKind.LOCAL]
    recipients = unique_accounts(routes)
    full = False
    while recipients:
        report = reports.prepare(
            raw, _reported_to(envelope), failed, hostname=hostname, now=envelope.received_at
        )
        try:
            _file(recipients, prepared, envelope, report, blind_to)
            break
        except NotAllTookIt as error:
            failed += reports.refusals_of_accounts(recipients, error.refused)
            full |= any(isinstance(reason, QuotaExceeded) for reason in error.refused.values())
            recipients = [account for account in recipients if account.id not in error.refused]
    DELIVERED.labels("refused").inc(len(failed))
    if not recipients:
        raise QuotaExceeded("the mailbox is full") if full else PermanentFailure("nobody could take it")
    return _log_delivered(prepared, recipients)


@db.transaction
def _file(
    recipients: list[Account],
    prepared: Arrival,
    envelope: Envelope,
    report: Report | None,
    blind_to: frozenset[int],
) -> None:
    if not envelope.is_junk:
        file_in_inboxes(recipients, prepared, envelope.received_at, report, blind_to)
        return
    refused = file_as_junk((account.id for account in recipients), prepared, envelope.received_at)
    if refused:
        raise NotAllTookIt(refused)


def _reported_to(envelope: Envelope) -> str:
    """Return who hears of a failure: nobody of one with junk, whose sender is somebody else (backscatter)."""
    return "" if envelope.is_junk else envelope.reverse_path


def file_in_inboxes(
    recipients: list[Account],
    prepared: Arrival,
    received_at: datetime,
    report: Report | None,
    blind_to: frozenset[int] = frozenset(),
) -> None:
    """Add a message to all these Inboxes and send the report. Needs a transaction that ends with it.

    blind_to: the accounts that get it as a blind copy. Raises NotAllTookIt.
    """
    ids = [account.id for account in recipients]
    if report is not None or len(ids) > 1:
        modseq.hold([*ids, *(report.account_ids if report is not None else ())])
    refused = messages.file_for_all(ids, FolderType.INBOX, prepared, received_at=received_at, blind=blind_to)
    if refused:
        raise NotAllTookIt(refused)
    conversations.sort_arrivals(ids, prepared.columns.conversation_id)
    oof.answer(recipients, prepared, received_at)
    if report is not None:
        reports.send(report)


def unique_accounts(routes: Iterable[Route]) -> list[Account]:
    """Return the accounts behind local routes, each once however many of its addresses were named."""
    return list({r.account.id: r.account for r in routes if r.account is not None}.values())


def _log_delivered(prepared: Arrival, recipients: list[Account]) -> str:
    message_id = prepared.blob.digest.hex()[:16]
    DELIVERED.labels("filed").inc(len(recipients))
    for account in recipients:
        logs.event(log, "delivered", msgid=message_id, account=account.id, size=prepared.blob.size)
    return message_id


def _with_return_path(reverse_path: str, raw: bytes) -> bytes:
    return b"Return-Path: <" + reverse_path.encode("utf-8", "replace") + b">\r\n" + raw
