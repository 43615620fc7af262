"""What a `ServerSession` tells its caller.

`Decision` events wait for an answer: `session.send(event)` accepts with the standard reply,
`session.send(Reply(…))` answers in other words or refuses. `Notice` events were already answered by the
session; they are for logs, counters and bookkeeping.
"""

from dataclasses import dataclass
from enum import Enum, auto

from appliance.smtp.grammar import Address
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import Proof


class NeedData(Enum):
    """The type of NEED_DATA: nothing to report until `receive_data` is called."""

    NEED_DATA = auto()


NEED_DATA = NeedData.NEED_DATA


@dataclass(frozen=True, slots=True)
class Connected:
    """Decision: the connection is open and the client waits for the banner (220, or 421/554 to refuse)."""


@dataclass(frozen=True, slots=True)
class StartTls:
    """Decision: 220, then shake hands and call `session.tls_established()`; or 454."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Decision: are these the credentials of an account? 235 or 535 (454 when it cannot be checked now)."""

    credentials: Proof
    mechanism: str


@dataclass(frozen=True, slots=True)
class Mail:
    """Decision: a transaction begins. `reverse_path` None is the null path; `body` 7BIT or 8BITMIME.

    ret: FULL, HDRS or ""; envid: xtext as it came, or "" (RFC 3461 4.3, 4.4).
    """

    reverse_path: Address | None
    size_declared: int | None = None
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    requires_tls: bool = False


@dataclass(frozen=True, slots=True)
class Rcpt:
    """Decision: may this message go to `forward_path`?

    notify: NEVER, or some of SUCCESS, FAILURE and DELAY joined by commas, or "". orcpt: as it came
    ("rfc822;carl@example.org", xtext), or "" (RFC 3461 4.1, 4.2).
    """

    forward_path: Address
    notify: str = ""
    orcpt: str = ""


@dataclass(frozen=True, slots=True)
class DataStart:
    """Decision: 354 lets the message come; 4yz or 5yz refuses it now."""


@dataclass(frozen=True, slots=True)
class ChunkStart:
    """Decision, for the first BDAT of a message: let it come (nothing is said), or refuse it now.

    After a refusal the octets are read and thrown away, and the transaction is over.
    """

    size: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class DataEnd:
    """Decision: the whole message was handed over; 250 only when it is durable. `size` in octets."""

    size: int


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Notice: the next octets of the message, dots removed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class DataRefused:
    """Notice: the message was refused by the session; forget its chunks. `reason` is fit for a metric."""

    reply: Reply
    reason: str
    close: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """Notice: the client named itself; a transaction under way is abandoned.

    `name` is printable and at most 255 octets, otherwise unchecked.
    """

    name: str
    extended: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """Notice: the transaction was abandoned with RSET."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Notice: the client said goodbye and has its 221; close."""


@dataclass(frozen=True, slots=True)
class ConnectionLost:
    """Notice: the client vanished without QUIT."""


@dataclass(frozen=True, slots=True)
class ProtocolViolation:
    """Notice: a command was answered with `reply`; when `close` is set the session is over.

    `reason` is one of a small fixed set of words, fit for a metric label. What the client sent is not
    included, because it may hold anything, a password for instance.
    """

    reply: Reply
    reason: str
    close: bool = False


type Decision = Connected | StartTls | Auth | Mail | Rcpt | DataStart | ChunkStart | DataEnd
type Notice = DataChunk | DataRefused | Hello | Reset | Quit | ConnectionLost | ProtocolViolation
type Event = Decision | Notice
