"""What the appliance has promised: every acknowledgement, to be compared with what is there at the end.

A promise is one line per message or change. `tries_in_doubt` counts attempts whose answer was never
seen: over SMTP each of them may have left a copy (RFC 5321 6.1 prefers two copies to none), over
ActiveSync none may, because the ClientId makes the repeat recognisable.
"""

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Promise:
    """One message somebody handed over."""

    token: str
    acknowledged: bool = False
    tries_in_doubt: int = 0


@dataclass
class Ledger:
    """All promises, by the token in the subject. Threads write to it at the same time."""

    received: dict[str, Promise] = field(default_factory=dict)
    """By SMTP, to the Inbox."""
    submitted: dict[str, Promise] = field(default_factory=dict)
    """By SendMail, to the other user's Inbox and Sent Items."""
    read: set[str] = field(default_factory=set)
    """Tokens of messages whose change to "read" was acknowledged."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self, kind: dict[str, Promise], token: str) -> Promise:
        """Note a message before it is handed over the first time."""
        with self._lock:
            return kind.setdefault(token, Promise(token))

    def counts(self) -> str:
        """Return the sums for people."""
        doubts = sum(promise.tries_in_doubt for promise in self.received.values())
        repeats = sum(promise.tries_in_doubt for promise in self.submitted.values())
        return (
            f"{len(self.received)} messages by SMTP ({doubts} answers lost), "
            f"{len(self.submitted)} by SendMail ({repeats} repeats), {len(self.read)} marked read"
        )

    def faults(self, inbox: list[str], others_inbox: list[str], sent: list[str], read: set[str]) -> list[str]:
        """Compare with the tokens found in the folders; return what is wrong, one line each."""
        found, arrived, kept = Counter(inbox), Counter(others_inbox), Counter(sent)
        faults = [
            f"{token}: {found[token]} copies, {promise.tries_in_doubt} answers lost"
            for token, promise in self.received.items()
            if not (promise.acknowledged <= found[token] <= promise.acknowledged + promise.tries_in_doubt)
        ]
        for token, promise in self.submitted.items():
            if arrived[token] != 1 or kept[token] != 1:
                acknowledged = "acknowledged" if promise.acknowledged else "not acknowledged"
                faults.append(
                    f"{token}: {acknowledged}, {arrived[token]} arrived, {kept[token]} in Sent Items"
                )
        faults += [f"{token}: in the Inbox, sent by nobody" for token in set(found) - set(self.received)]
        faults += [f"{token}: arrived, sent by nobody" for token in set(arrived) - set(self.submitted)]
        faults += [f"{token}: acknowledged as read, is unread" for token in self.read - read]
        return faults

    def copies(self, inbox: list[str]) -> int:
        """Return how many messages are there more than once, each explained by a lost answer or a fault."""
        return sum(1 for count in Counter(inbox).values() if count > 1)
