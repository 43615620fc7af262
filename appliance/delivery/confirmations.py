"""What a sender asked to hear of recipients here: that mail arrived, or nothing of its failure.

Recipients elsewhere are the queue's (`settle`); this is for those who get their copy at once.

Source: RFC 3461 4.1 (NOTIFY), 5.2.2 and 5.2.3 (reports by the delivering server).
"""

from collections.abc import Iterable
from dataclasses import replace

from appliance.delivery import reports
from appliance.delivery.dsn import Action, ReportedRecipient
from appliance.delivery.recipients import Copies
from appliance.delivery.routing import RouteKind, route
from appliance.items.envelope import RecipientWishes, Wishes

ARRIVED = "2.1.5"  # RFC 3463: destination address valid


def of_failures(wishes: Wishes, failed: Iterable[ReportedRecipient]) -> list[ReportedRecipient]:
    """Return those failures the sender wants to hear of, with the recipient as it was first named."""
    found = [(each, _wish(wishes, each.address)) for each in failed]
    return [
        replace(each, orcpt=wish.orcpt or each.orcpt)
        for each, wish in found
        if reports.wants(wish.notify, Action.FAILED)
    ]


def of_arrivals(wishes: Wishes, copies: Copies) -> list[ReportedRecipient]:
    """Return the recipients here whose arrival the sender wants to hear of. Needs `db.connection()`.

    A list's members are nobody the sender has named: of them it hears nothing.
    """
    here = {copy.account.id for copy in copies.local}
    found = []
    for path, wish in wishes.recipients.items():
        if not wish.notify or not reports.wants(wish.notify, Action.DELIVERED):
            continue
        target = route(path)
        if target.kind is RouteKind.LOCAL and target.account is not None and target.account.id in here:
            found.append(ReportedRecipient(target.address, ARRIVED, "", orcpt=wish.orcpt))
    return found


def are_wanted(wishes: Wishes) -> bool:
    """Say whether any arrival is to be confirmed."""
    return any(reports.wants(wish.notify, Action.DELIVERED) for wish in wishes.recipients.values())


def _wish(wishes: Wishes, address: str) -> RecipientWishes:
    if not wishes.recipients:
        return RecipientWishes()
    wanted = address.casefold()
    same = (wish for path, wish in wishes.recipients.items() if path.casefold() == wanted)
    return next(same, RecipientWishes())
