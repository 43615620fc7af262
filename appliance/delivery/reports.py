"""What a sender hears of recipients that got nothing, or not yet: when there is a report, where it goes.

Owns the restraint: no report in answer to the null reverse-path, which is what reports themselves have,
and none to an address of ours that nobody has. What a report looks like is `dsn`.

A report is made outside any transaction and sent inside the one that stores why it is sent, so that
the two are never apart.

Source: RFC 5321 6.1 (reports, the null reverse-path), RFC 3464.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from appliance import db
from appliance.delivery import arrival, dsn, posting
from appliance.delivery.dsn import Action, Original, ReportedRecipient
from appliance.delivery.posting import Sender
from appliance.delivery.routing import Route, RouteKind
from appliance.errors import ApplianceError, QuotaExceeded
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.metrics import counter
from appliance.queue import entries
from appliance.queue.priority import Priority
from appliance.store import messages

REPORTED = counter("appliance_reports_total", "Delivery reports by where they went.", ["to"])


@dataclass(frozen=True, slots=True)
class Report:
    """A report ready to be sent, and whom it is for: `target` is LOCAL, REMOTE or RETURN."""

    arrival: Arrival
    target: Route
    now: datetime

    @property
    def account_ids(self) -> list[int]:
        """The accounts that sending it touches, for `modseq.hold`."""
        return [] if self.target.account is None else [self.target.account.id]


def prepare(
    original: Original | bytes,
    reverse_path: str,
    recipients: Sequence[ReportedRecipient],
    *,
    hostname: str,
    now: datetime,
    action: Action = Action.FAILED,
) -> Report | None:
    """Return the report that is owed to a reverse-path, None when there is none.

    Call it outside any transaction. What the sender does not want to hear is the caller's to leave out
    (`wants`). Raises TemporaryFailure.
    """
    if not reverse_path or not recipients:
        return None
    with db.connection():
        target = posting.judge(reverse_path, Sender(""))
    if target.kind not in (RouteKind.LOCAL, RouteKind.REMOTE, RouteKind.RETURN):
        return None
    about = Original(original) if isinstance(original, bytes) else original
    to = reverse_path if target.kind is RouteKind.LOCAL else target.address
    raw = dsn.build(about, to=to, recipients=recipients, hostname=hostname, now=now, action=action)
    return Report(arrival.prepare(raw), target, now)


def wants(notify: str, action: Action) -> bool:
    """Return whether a sender who said this in NOTIFY is told. Source: RFC 3461 4.1, 5.2.2.

    Who said nothing hears of failures and delays.
    """
    event = {Action.FAILED: "FAILURE", Action.DELAYED: "DELAY"}.get(action, "SUCCESS")
    return event in notify.split(",") if notify else event != "SUCCESS"


@db.transaction
def send(report: Report) -> None:
    """File the report when its receiver is local, queue it when not; durable when it returns.

    A full mailbox takes it all the same: its owner would never learn what became of the mail. A local
    receiver who is gone meanwhile gets none.
    """
    to = report.target
    if to.account is not None:
        messages.file_for_all(
            report.account_ids,
            FolderType.INBOX,
            report.arrival,
            received_at=report.now,
            ignores_quota=True,
        )
    else:
        entries.add(
            report.arrival.blob,
            account_id=None,
            reverse_path="",
            recipients=[(to.address, to.domain)],
            now=report.now,
            priority=Priority.AUTOMATIC,
            needs_smtputf8=not to.address.isascii(),
        )
    REPORTED.labels(to.kind.name.lower()).inc()


def refusal_of_route(target: Route) -> ReportedRecipient:
    """Return why a recipient that is neither local nor remote gets nothing."""
    if target.kind is RouteKind.DISABLED:
        return ReportedRecipient(target.address, "5.2.1", "This mailbox takes no mail.")
    if target.kind is RouteKind.NOT_ALLOWED:
        return ReportedRecipient(target.address, "5.7.1", "You may not write to this address.")
    if target.kind is RouteKind.REMOTE:
        return ReportedRecipient(target.address, "5.7.1", "Relaying is denied.")
    if target.kind is RouteKind.INVALID:
        return ReportedRecipient(target.address, "5.1.3", "This is not a valid address.")
    return ReportedRecipient(target.address, "5.1.1", "There is no such mailbox here.")


def refusal_of_account(account: Account, reason: ApplianceError) -> ReportedRecipient:
    """Return why an account did not take a message, by what `messages.file_for_all` said of it."""
    if isinstance(reason, QuotaExceeded):
        return ReportedRecipient(account.address, "5.2.2", "The mailbox is full.")
    return ReportedRecipient(account.address, "5.1.1", "There is no such mailbox here.")
