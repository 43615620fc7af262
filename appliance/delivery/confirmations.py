"""What a sender asked to hear of recipients here: that mail arrived, or nothing of its failure.

What was asked of a forward path holds for whoever answers for it (`recipients`), however it was spelled.
Recipients elsewhere are the queue's (`settle`); this is for those who get their copy at once.

Source: RFC 3461 4.1 (NOTIFY), 5.2.2 and 5.2.3 (reports by the delivering server), 5.2.7.1 (lists).
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from appliance.delivery import reports
from appliance.delivery.dsn import Action, Original, ReportedRecipient
from appliance.delivery.recipients import Copies
from appliance.delivery.reports import Report
from appliance.items.envelope import Wishes

ARRIVED = "2.1.5"  # RFC 3463: destination address valid


def told(
    wishes: Wishes,
    copies: Copies,
    failed: Iterable[ReportedRecipient],
    original: bytes,
    to: str,
    *,
    hostname: str,
    now: datetime,
) -> list[Report]:
    """Return the reports that are owed to a reverse-path, one of failures and one of arrivals at most.

    Call it outside any transaction. Raises TemporaryFailure.
    """
    about = Original(original, envid=wishes.envid, ret=wishes.ret)
    news = {Action.FAILED: of_failures(wishes, failed), Action.DELIVERED: of_arrivals(wishes, copies)}
    made = [
        reports.prepare(about, to, recipients, hostname=hostname, now=now, action=action)
        for action, recipients in news.items()
    ]
    return [report for report in made if report is not None]


def of_failures(wishes: Wishes, failed: Iterable[ReportedRecipient]) -> list[ReportedRecipient]:
    """Return those failures the sender wants to hear of, with the recipient as it was first named."""
    found = [(each, wishes.of(each.named)) for each in failed]
    return [
        replace(each, orcpt=wish.orcpt or each.orcpt)
        for each, wish in found
        if reports.wants(wish.notify, Action.FAILED)
    ]


def of_arrivals(wishes: Wishes, copies: Copies) -> list[ReportedRecipient]:
    """Return the recipients here whose arrival the sender wants to hear of.

    A group is where it has arrived: its members are nobody the sender has named.
    """
    names = [name for copy in copies.local for name in copy.named] + copies.opened
    found = [(name, wishes.of(name)) for name in dict.fromkeys(names)]
    return [
        ReportedRecipient(name, ARRIVED, "", orcpt=wish.orcpt, named=name)
        for name, wish in found
        if reports.wants(wish.notify, Action.DELIVERED)
    ]
