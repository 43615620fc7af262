"""Mail to a phone's user about what was decided on it: made outside a transaction, filed inside it."""

from dataclasses import dataclass
from datetime import datetime

from appliance import db
from appliance.db.tables import Account
from appliance.delivery import arrival
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.mime.addresses import Address
from appliance.mime.build import build_message
from appliance.setup import settings
from appliance.store import messages

FALLBACK_HOST = "localhost"


@dataclass(frozen=True, slots=True)
class Notice:
    """A message ready to be filed."""

    account_id: int
    arrival: Arrival
    now: datetime


def prepare(account_id: int, subject: str, text: str, now: datetime) -> Notice:
    """Return a notice to an account. Call it outside any transaction. Raises TemporaryFailure."""
    with db.connection():
        address = Account.select(Account.address).where(Account.id == account_id).tuples().get()[0]
        hostname = settings.get(settings.HOSTNAME) or FALLBACK_HOST
    raw = build_message(
        from_=Address("Mail server", f"postmaster@{address.rpartition('@')[2]}"),
        to=[Address("", address)],
        subject=subject,
        text=text,
        message_id_domain=hostname,
        now=now,
        headers={"Auto-Submitted": "auto-generated"},
    )
    return Notice(account_id, arrival.prepare(raw), now)


@db.transaction
def file(notice: Notice) -> None:
    """Add the notice to the Inbox, also of a full mailbox."""
    messages.file_for_all(
        [notice.account_id],
        FolderType.INBOX,
        notice.arrival,
        received_at=notice.now,
        ignores_quota=True,
    )
