"""What becomes of a queue entry after an attempt, each outcome in one transaction.

An entry leaves the queue only together with its outcome: delivered, or the report to its sender filed
or queued. Writing is conditional on still holding the lease, so an entry that was claimed again
meanwhile is left to its new holder.

Source: RFC 5321 4.5.4.1 Sending Strategy, 6.1; RFC 3461 5.2, 6 (who is told what); RFC 3463 (status codes).
"""

import logging
import re
from datetime import datetime
from random import Random

from appliance import db, logs
from appliance.delivery import reports
from appliance.delivery.dsn import Action, Original, ReportedRecipient
from appliance.delivery.reports import Report
from appliance.errors import NotFound
from appliance.metrics import counter
from appliance.queue import control, entries, schedule
from appliance.queue.entries import Entry
from appliance.store import blobs

log = logging.getLogger("appliance.mail")
SETTLED = counter("appliance_queue_settled_total", "Outcomes of attempts to relay.", ["outcome"])

STATUS_PERMANENT, STATUS_EXPIRED, STATUS_DELAYED, STATUS_RELAYED = "5.0.0", "4.4.7", "4.0.0", "2.0.0"
_ENHANCED = re.compile(r"\b[245]\.\d{1,3}\.\d{1,3}\b")


def delivered(
    entry: Entry, reply: str, host: str, *, hostname: str, now: datetime, reports_itself: bool = False
) -> bool:
    """Take an entry out that a server took responsibility for; False when the lease was lost meanwhile.

    reports_itself: the server was told what the sender wants to hear. When it was not, a sender who
    asked for news of success hears that the trail ends there (RFC 3461 5.2.2).
    """
    report = None
    if not reports_itself:
        report = _report(entry, Action.RELAYED, STATUS_RELAYED, reply, host, hostname, now)
    is_ours = _remove(entry, report)
    if is_ours:
        _log("relayed", entry, reply, host)
    return is_ours


def deferred(entry: Entry, reply: str, host: str, *, hostname: str, now: datetime, random: Random) -> None:
    """Put an entry back for a later attempt, or give it up when it is too old and was tried often.

    Its sender hears of the delay once.
    """
    if now >= entry.expires_at and entry.attempts + 1 >= schedule.ATTEMPTS_MIN:
        _give_up(entry, reply, host, STATUS_EXPIRED, hostname, now)
        return
    notice = schedule.current().delay_notice
    report = None
    if notice is not None and not entry.is_delay_told and now >= entry.created_at + notice:
        status = _status(reply, STATUS_DELAYED, "4")
        report = _report(entry, Action.DELAYED, status, reply, host, hostname, now)
    at = schedule.current().next_attempt(entry.attempts + 1, now, random)
    if _defer(entry, at, reply, host, now, report):
        _log("deferred", entry, reply, host)


def failed(entry: Entry, reply: str, host: str, *, hostname: str, now: datetime) -> None:
    """Give an entry up that can never be delivered, and tell its sender."""
    _give_up(entry, reply, host, _status(reply, STATUS_PERMANENT, "5"), hostname, now)


def dropped(entry_id: int, *, tells_sender: bool, hostname: str, now: datetime) -> Entry:
    """Take out an entry that an operator gives up, whoever holds it. Raises NotFound."""
    with db.connection():
        entry = entries.get(entry_id)
    if entry is None:
        raise NotFound(f"there is no queue entry {entry_id}")
    report = None
    if tells_sender:
        words = "The administrator of the mail system has removed the message."
        report = _report(entry, Action.FAILED, STATUS_PERMANENT, words, "", hostname, now)
    _drop(entry_id, report)
    _log("dropped", entry, "", "")
    return entry


def known_delivered(
    entry_id: int, reply: str, host: str, *, hostname: str, now: datetime, reports_itself: bool
) -> None:
    """Take out an entry that was delivered before, as the log outside the database says (`delivered_log`).

    Whoever holds it: there is nothing to attempt any more.
    """
    with db.connection():
        entry = entries.get(entry_id)
    if entry is None:
        return
    report = None
    if not reports_itself:
        report = _report(entry, Action.RELAYED, STATUS_RELAYED, reply, host, hostname, now)
    _drop(entry_id, report)
    _log("known_delivered", entry, reply, host)


def _give_up(entry: Entry, reply: str, host: str, status: str, hostname: str, now: datetime) -> None:
    report = _report(entry, Action.FAILED, status, reply, host, hostname, now)
    if _remove(entry, report):
        _log("failed", entry, reply, host)


def _report(
    entry: Entry, action: Action, status: str, reply: str, host: str, hostname: str, now: datetime
) -> Report | None:
    """Return the report about an entry when its sender is owed one."""
    if not entry.reverse_path or not reports.wants(entry.notify, action):
        return None
    recipient = ReportedRecipient(
        entry.forward_path,
        status,
        reply,
        host,
        entry.orcpt,
        entry.expires_at if action is Action.DELAYED else None,
    )
    original = Original(_original(entry), entry.created_at, entry.envid, entry.ret)
    return reports.prepare(
        original, entry.reverse_path, [recipient], hostname=hostname, now=now, action=action
    )


def _status(reply: str, otherwise: str, kind: str) -> str:
    """Return the RFC 3463 status a reply carries if it is of this class."""
    found = _ENHANCED.search(reply)
    return found[0] if found and found[0][0] == kind else otherwise


@db.transaction
def _remove(entry: Entry, report: Report | None) -> bool:
    """Take an entry out and send its report; returns False when the lease was lost meanwhile."""
    if not entries.remove(entry):
        return False
    if report is not None:
        reports.send(report)
    return True


@db.transaction
def _defer(entry: Entry, at: datetime, reply: str, host: str, now: datetime, report: Report | None) -> bool:
    """Put an entry back and send the report; returns False when the lease was lost meanwhile."""
    is_told = report is not None
    if not entries.defer(entry, at, reply, host=host, now=now, is_delay_told=is_told):
        return False
    if report is not None:
        reports.send(report)
    return True


@db.transaction
def _drop(entry_id: int, report: Report | None) -> None:
    control.drop(entry_id)
    if report is not None:
        reports.send(report)


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
