"""What an attempt to relay a message to one recipient came to.

`reply` is the remote server's answer, or ours about why there was none, as one line of text. `host` is the
server that gave it, "" when none was reached.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Delivered:
    """The server took responsibility: the entry is done. reports_itself: it knows what the sender wants
    to hear (RFC 3461)."""

    reply: str
    host: str = ""
    reports_itself: bool = False


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: try again later, until the entry is too old."""

    reply: str
    host: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """Never: the sender is told."""

    reply: str
    host: str = ""


type Outcome = Delivered | Retry | Failed
