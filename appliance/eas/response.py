"""What a command answers: bytes now, or a wait that ends in bytes."""

from collections.abc import Callable
from dataclasses import dataclass, field

WBXML = "application/vnd.ms-sync.wbxml"
MULTIPART = "application/vnd.ms-sync.multipart"


@dataclass(frozen=True, slots=True)
class Response:
    """A finished answer. An empty body goes out with `Content-Length: 0` and without a Content-Type."""

    status: int = 200
    body: bytes = b""
    content_type: str = WBXML
    headers: tuple[tuple[str, str], ...] = field(default=())


@dataclass(slots=True)
class Held:
    """An answer that waits for something to happen (Ping, Sync with Wait or HeartbeatInterval).

    `resume` blocks the calling greenlet until there is something to say or its deadline has passed.
    It holds no database connection while it waits, and whoever holds this object should hold nothing
    else of the request: 10,000 of these wait in one worker.
    """

    resume: Callable[[], Response]
