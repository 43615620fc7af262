"""A received message becomes everybody's copy, all in one transaction.

A transaction that meets a mailbox that cannot take the message is undone and tried again without that
mailbox and with a report about it, so that the report is made outside and sent inside. Whether there is one,
and one of arrival, is the sender's wish.

Source: RFC 5321 4.4 (Return-Path is added by final delivery), 6.1 (what accepting means).
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from appliance import db, logs
from appliance.delivery import arrival, blind, confirmations, placing, recipients, report_mail, reports
from appliance.delivery.dsn import Action
from appliance.delivery.placing import NotAllTookIt, Prints
from appliance.delivery.posting import Sender
from appliance.delivery.recipients import Copies, Letter
from appliance.delivery.reports import Report
from appliance.errors import PermanentFailure, QuotaExceeded
from appliance.items.envelope import Envelope, Wishes
from appliance.items.message import Arrival
from appliance.metrics import counter

log = logging.getLogger("appliance.mail")
ID_CHARS = 16  # of a message in the logs
DELIVERED = counter("appliance_delivered_total", "Recipients by what became of the message.", ["outcome"])


def deliver(envelope: Envelope, raw: bytes, *, hostname: str) -> str:
    """File a received message for its recipients, send on what they want sent on; return its id in the logs.

    Reports of other servers are read and kept instead (`report_mail`).
    Durable when it returns. Every recipient was checked at RCPT; one that cannot take the message
    after all (its mailbox is full, it was deleted meanwhile) is reported to the sender, unless it is in
    doubt who that is (`envelope.is_sender_doubtful`).
    Junk (`envelope.is_junk`) is filed apart; nothing is sent on, answered or reported because of it.
    Nothing is stored when it raises: QuotaExceeded (all mailboxes are full), PermanentFailure (no
    recipient could take it), TooLarge, TemporaryFailure.
    """
    envelope = report_mail.without_reports(envelope, raw)
    if not envelope.forward_paths:
        return hashlib.sha256(raw).hexdigest()[:ID_CHARS]
    front = b"Return-Path: <" + envelope.reverse_path.encode("utf-8", "replace") + b">\r\n"
    prepared = arrival.prepare(front + raw)
    letter = Letter(
        Sender(envelope.reverse_path),
        raw,
        prepared.columns.has_attachments,
        envelope.is_junk,
        envelope.is_disowned,
    )
    with db.connection():
        copies = recipients.copies_of(letter, envelope.forward_paths)
        blind_to = blind.receivers(raw, envelope.forward_paths)
    made = placing.prints(
        copies,
        raw,
        prepared,
        front=front,
        blind_to=blind_to,
        wishes=_passed_on(envelope),
        is_internationalised=envelope.smtputf8,
    )
    failed, full = list(copies.failed), False
    while not copies.is_empty:
        told = confirmations.told(
            envelope.wishes,
            copies,
            failed,
            raw,
            _reported_to(envelope),
            hostname=hostname,
            now=envelope.received_at,
        )
        try:
            _file(copies, made, envelope.received_at, told)
            break
        except NotAllTookIt as error:
            failed += placing.without(copies, error)
            full |= any(isinstance(reason, QuotaExceeded) for reason in error.refused.values())
    DELIVERED.labels("refused").inc(len(failed))
    if copies.is_empty:
        raise QuotaExceeded("the mailbox is full") if full else PermanentFailure("nobody could take it")
    return _log_delivered(prepared, copies)


@db.transaction
def _file(copies: Copies, made: Prints, received_at: datetime, told: Sequence[Report]) -> None:
    placing.place(copies, made, received_at, told)


def _passed_on(envelope: Envelope) -> Wishes:
    """Return what servers that get a copy are asked for: of a sender in doubt, no news but of failures."""
    if not envelope.is_sender_doubtful:
        return envelope.wishes
    asked = {path: envelope.wishes.of(path) for path in envelope.forward_paths}
    least = {
        path: replace(wish, notify="FAILURE" if reports.wants(wish.notify, Action.FAILED) else "NEVER")
        for path, wish in asked.items()
    }
    return replace(envelope.wishes, recipients=least)


def _reported_to(envelope: Envelope) -> str:
    """Return who gets reports: nobody when the sender may be another, as with junk (backscatter)."""
    return "" if envelope.is_junk or envelope.is_sender_doubtful else envelope.reverse_path


def _log_delivered(prepared: Arrival, copies: Copies) -> str:
    message_id = prepared.blob.digest.hex()[:ID_CHARS]
    DELIVERED.labels("filed").inc(len(copies.local))
    for copy in copies.local:
        logs.event(log, "delivered", msgid=message_id, account=copy.account.id, size=prepared.blob.size)
    if copies.remote:
        logs.event(log, "sent_on", msgid=message_id, recipients=len(copies.remote), size=prepared.blob.size)
    return message_id
