"""What becomes of a queue entry after an attempt, each outcome in one transaction.

An entry leaves the queue only together with its outcome: delivered, or the report to its sender filed
or queued. Writing is conditional on still holding the lease, so an entry that was claimed again
meanwhile is left to its new holder.

Source: RFC 5321 4.5.4.1 Sending Strategy, 6.1; RFC 3463 (status codes).
"""

import logging
import re
from datetime import datetime
from random import Random

from appliance import db, logs
from appliance.delivery import reports
from appliance.delivery.dsn import FailedRecipient
from appliance.delivery.reports import Report
from appliance.errors import NotFound
from appliance.metrics import counter
from appliance.queue import entries, schedule
from appliance.queue.entries import Entry
from appliance.store import blobs

log = logging.getLogger("appliance.mail")
SETTLED = counter("appliance_queue_settled_total", "Outcomes of attempts to relay.", ["outcome"])

STATUS_PERMANENT, STATUS_EXPIRED = "5.0.0", "4.4.7"
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")


def delivered(entry: Entry, reply: str, host: str) -> None:
    """Take an entry out that a server took responsibility for."""
    if entries.remove(entry):
        _log("relayed", entry, reply, host)


def deferred(entry: Entry, reply: str, host: str, *, hostname: str, now: datetime, random: Random) -> None:
    """Put an entry back for a later attempt, or give it up when it is too old and was tried often."""
    if now >= entry.expires_at and entry.attempts + 1 >= schedule.ATTEMPTS_MIN:
        _give_up(entry, reply, host, STATUS_EXPIRED, hostname, now)
    elif entries.defer(entry, schedule.next_attempt(entry.attempts + 1, now, random), reply):
        _log("deferred", entry, reply, host)


def failed(entry: Entry, reply: str, host: str, *, hostname: str, now: datetime) -> None:
    """Give an entry up that can never be delivered, and tell its sender."""
    found = _ENHANCED.search(reply)
    _give_up(entry, reply, host, found[0] if found else STATUS_PERMANENT, hostname, now)


def _give_up(entry: Entry, reply: str, host: str, status: str, hostname: str, now: datetime) -> None:
    failure = FailedRecipient(entry.forward_path, status, reply, host)
    original = _original(entry)
    report = reports.prepare(original, entry.reverse_path, [failure], hostname=hostname, now=now)
    if _remove(entry, report):
        _log("failed", entry, reply, host)


@db.transaction
def _remove(entry: Entry, report: Report | None) -> bool:
    """Take an entry out and send its report; returns False when the lease was lost meanwhile."""
    if not entries.remove(entry):
        return False
    if report is not None:
        reports.send(report)
    return True


def _original(entry: Entry) -> bytes:
    try:
        with db.connection():
            return blobs.read(entry.digest)
    except NotFound:
        return b""  # the report still says who got nothing


def _log(outcome: str, entry: Entry, reply: str, host: str) -> None:
    SETTLED.labels(outcome).inc()
    logs.event(
        log,
        outcome,
        entry=entry.id,
        account=entry.account_id,
        msgid=entry.digest.hex()[:16],
        domain=entry.domain,
        attempt=entry.attempts + 1,
        host=host or None,
        reply=reply,
    )
