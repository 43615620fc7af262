"""A TLS report as mail: made, and queued in the transaction that forgets what it was made from.

It leaves like any mail of ours, signed by the domain of its sender, but also where TLS fails: that is what it
may be about (RFC 8460 3, RFC 8689 5). Source: RFC 8460 5.3.
"""

from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from appliance import db
from appliance.delivery import arrival
from appliance.delivery.routing import RouteKind, route
from appliance.domains import tls_sessions
from appliance.errors import InvalidInput
from appliance.items.message import Arrival
from appliance.mailauth import tls_report_writer
from appliance.mailauth.tls_report_writer import ReportHead
from appliance.mime.characters import one_line
from appliance.queue import entries
from appliance.queue.priority import Priority


def sender(hostname: str) -> str:
    """Return who reports."""
    return f"postmaster@{hostname}"


def send(head: ReportHead, data: bytes, address: str, hostname: str, now: datetime) -> bool:
    """Queue a report; durable when it returns. False when that is no address for it, or it was sent before.

    data: the compressed document. Raises TemporaryFailure.
    """
    with db.connection():
        target = route(address.partition("?")[0])
    if target.kind is not RouteKind.REMOTE or not target.address.isascii():
        return False
    try:
        message = arrival.prepare(build(head, data, target.address, hostname, now))
    except (ValueError, InvalidInput):
        return False
    return _queue(head, message, target.address, target.domain, now)


@db.transaction
def _queue(head: ReportHead, message: Arrival, address: str, domain: str, now: datetime) -> bool:
    if not tls_sessions.forget(head.day, head.domain):
        return False
    entries.add(
        message.blob,
        account_id=None,
        reverse_path="",
        recipients=[(address, domain)],
        now=now,
        priority=Priority.AUTOMATIC,
    )
    return True


def build(head: ReportHead, data: bytes, to: str, hostname: str, now: datetime) -> bytes:
    """Return the RFC 5322 bytes. Raises ValueError for an address that cannot stand in a header."""
    message = EmailMessage(policy=SMTP)
    message["From"] = sender(hostname)
    message["To"] = to
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{head.report_id}>"
    subject = f"Report Domain: {head.domain} Submitter: {hostname} Report-ID: <{head.report_id}>"
    message["Subject"] = one_line(subject)
    message["TLS-Report-Domain"] = head.domain
    message["TLS-Report-Submitter"] = hostname
    message["TLS-Required"] = "No"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"How TLS with the mail servers of {head.domain} went on {head.day}, for machines.\n")
    message.add_attachment(
        data, maintype="application", subtype="tlsrpt+gzip", filename=tls_report_writer.filename(head)
    )
    message.set_type("multipart/report")
    message.set_param("report-type", "tlsrpt")
    return message.as_bytes()
