"""What a sender hears of recipients that got nothing: when there is a report, and where it goes.

Owns the restraint: no report in answer to the null reverse-path, which is what reports themselves have,
and none to an address of ours that nobody has. What a report looks like is `dsn`.

A report is made outside any transaction and sent inside the one that stores why it is sent, so that
the two are never apart.

Source: RFC 5321 6.1 (reports, the null reverse-path), RFC 3464.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance import db
from appliance.delivery import arrival, dsn
from appliance.delivery.dsn import FailedRecipient
from appliance.delivery.routing import Route, RouteKind, route
from appliance.errors import ApplianceError, QuotaExceeded
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.metrics import counter
from appliance.queue import entries
from appliance.queue.schedule import LIFETIME
from appliance.store import messages

REPORTED = counter("appliance_reports_total", "Failure reports by where they went.", ["to"])


@dataclass(frozen=True, slots=True)
class Report:
    """A failure report ready to be sent, and whom it is for: `target` is LOCAL or REMOTE."""

    arrival: Arrival
    target: Route
    now: datetime

    @property
    def account_ids(self) -> list[int]:
        """The accounts that sending it touches, for `modseq.hold`."""
        return [] if self.target.account is None else [self.target.account.id]


def prepare(
    original: bytes, reverse_path: str, failed: Sequence[FailedRecipient], *, hostname: str, now: datetime
) -> Report | None:
    """Return the report that is owed to a reverse-path, None when there is none.

    Call it outside any transaction. Raises TemporaryFailure.
    """
    if not reverse_path or not failed:
        return None
    with db.connection():
        target = route(reverse_path)
    if target.kind not in (RouteKind.LOCAL, RouteKind.REMOTE):
        return None
    raw = dsn.build(original, to=reverse_path, failed=failed, hostname=hostname, now=now)
    return Report(arrival.prepare(raw), target, now)


@db.transaction
def send(report: Report, *, lifetime: timedelta = LIFETIME) -> None:
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
            lifetime=lifetime,
            needs_smtputf8=not to.address.isascii(),
        )
    REPORTED.labels(to.kind.name.lower()).inc()


def refusal_of_route(target: Route) -> FailedRecipient:
    """Return why a recipient that is neither local nor remote gets nothing."""
    if target.kind is RouteKind.DISABLED:
        return FailedRecipient(target.address, "5.2.1", "This mailbox takes no mail.")
    if target.kind is RouteKind.INVALID:
        return FailedRecipient(target.address, "5.1.3", "This is not a valid address.")
    return FailedRecipient(target.address, "5.1.1", "There is no such mailbox here.")


def refusals_of_accounts(
    accounts: Iterable[Account], refused: Mapping[int, ApplianceError]
) -> list[FailedRecipient]:
    """Return why accounts did not take a message, by what `messages.file_for_all` said of them."""
    return [
        FailedRecipient(account.address, "5.2.2", "The mailbox is full.")
        if isinstance(refused[account.id], QuotaExceeded)
        else FailedRecipient(account.address, "5.1.1", "There is no such mailbox here.")
        for account in accounts
        if account.id in refused
    ]
