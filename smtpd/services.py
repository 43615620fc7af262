"""What the SMTP edge needs from the domain, as protocols: the composition root hands in the real ones.

The edge knows accounts, storage and queue only through these, so it can be tested with a few lines of
memory in their place, and never opens the database.
"""

from collections.abc import Collection
from datetime import datetime
from enum import Enum
from typing import Protocol

from appliance.items.account import Account
from appliance.items.envelope import Envelope
from appliance.items.next_hop import NextHop
from appliance.queue.entries import Entry
from smtpd.body import Body
from smtpd.outcome import Outcome


class RecipientVerdict(Enum):
    """What a forward path is to us."""

    LOCAL = "local"
    REMOTE = "remote"
    FULL = "full"  # ours, but has no room for it now
    UNKNOWN_USER = "unknown_user"  # our domain, nobody of that name
    NOT_ALLOWED = "not_allowed"  # ours, but not for this sender
    REJECTED = "rejected"  # ours, but takes no mail now; or no address at all
    UNAVAILABLE = "unavailable"  # could not find out: the client tries again


class Services(Protocol):
    """Accounts and delivery."""

    def recipient(
        self, forward_path: str, reverse_path: str = "", account: Account | None = None, size: int = 0
    ) -> RecipientVerdict:
        """Judge a recipient of mail from this sender, who is `account` when signed in; raises nothing.

        `Postmaster` comes without a domain and is always ours. size: octets as declared, 0 when nothing was.
        FULL is said to strangers only: a user's message goes to all others, and a report into the own Inbox.
        """
        ...

    def authenticate(self, username: str, password: str, remote_ip: str) -> Account:
        """Return the account. Raises Denied (WrongCredentials and kin) or TemporaryFailure (Throttled)."""
        ...

    def authenticate_token(self, token: str, username: str, remote_ip: str) -> Account:
        """Return the account of a token; username: "" or its own. Raises what `authenticate` does."""
        ...

    def may_send_as(self, account: Account, reverse_path: str) -> bool:
        """Say whether the account may use this envelope sender; "" is the null path.

        Raises Denied when it may not send at all any more.
        """
        ...

    def may_pass(self, network: str, sender: str, recipient: str) -> bool:
        """Say whether a stranger has come back after being asked to; raises TemporaryFailure."""
        ...

    def accept(self, envelope: Envelope, raw: bytes) -> str:
        """Take responsibility for a message and return its id; durable when it returns.

        Raises what `replies.FOR_ERROR` lists (QuotaExceeded, TooLarge, ComposeError, …): then nothing was
        stored.
        """
        ...


class Queue(Protocol):
    """The outgoing queue as the runner sees it."""

    def claim(self, limit: int, lease_s: int, busy: Collection[str]) -> list[Entry]:
        """Take up to `limit` due entries; nobody else gets them for `lease_s` seconds.

        Never one that is known to be delivered. busy: domains whose entries are left alone for now.
        """
        ...

    def load(self, entry: Entry) -> Body:
        """Return the message. Raises NotFound, TemporaryFailure; so may reading its pieces."""
        ...

    def next_hop(self, entry: Entry) -> NextHop | None:
        """Return the server that takes an entry, None for those of its domain. Raises TemporaryFailure."""
        ...

    def note(self, entry: Entry, outcome: Outcome) -> None:
        """Remember a delivery, so that `claim` does not bring it again while it is not recorded."""
        ...

    def record(self, entry: Entry, outcome: Outcome) -> None:
        """Store what became of an attempt, if the lease is still held; durable when it returns.

        A delivery is stored whoever holds the lease.
        """
        ...

    def recover(self) -> None:
        """Put right what crashes left: before the first claim, and now and then. Raises TemporaryFailure."""
        ...

    def next_due(self) -> datetime | None:
        """Return when the next entry is due (or a lease ends); None when the queue is empty."""
        ...

    def wait(self, timeout_s: float) -> None:
        """Wait for a hint that there is something new, at most `timeout_s`; may return early."""
        ...
