"""The access log: one line per request, written when its answer is known.

Owns which facts of a request are worth a line and the request's id. Leaves the file and redaction to
`appliance.logs`. The query string is never written: it carries addresses, codes and one day tokens.
"""

import logging
import secrets
import time
from typing import Final

from appliance import logs, metrics

CLIENT_GONE: Final = 499
"""Logged, never sent: the client left before the answer. The number is a custom of reverse proxies."""

PATH_CHARS_MAX: Final = 200
AGENT_CHARS_MAX: Final = 80

AREAS: Final = {"": "start", "microsoft-server-activesync": "eas"} | {
    name: name for name in ("autodiscover", "healthz", "metrics", ".well-known")
}

logger = logging.getLogger("appliance.web")

REQUESTS = metrics.counter(
    "appliance_web_requests_total", "HTTP requests by area and status.", ("area", "status")
)


class Record:
    """What is known of a request while it runs; views add to it what joins with other logs."""

    __slots__ = ("account", "agent", "command", "device", "method", "path", "remote", "request_id", "started")

    def __init__(self, method: str, path: str, remote: str, agent: str) -> None:
        self.request_id = secrets.token_hex(6)
        self.method = method
        self.path = path[:PATH_CHARS_MAX]
        self.remote = remote
        self.agent = agent[:AGENT_CHARS_MAX]
        self.started = time.monotonic()
        self.account: int | None = None
        self.device: str | None = None
        self.command: str | None = None

    def write(self, status: int, size: int, *, held: bool = False) -> None:
        """Write the line and count the request. A held one has `held_s`, how long it waited, for `ms`."""
        elapsed_s = time.monotonic() - self.started
        REQUESTS.labels(area_of(self.path), status).inc()
        logs.event(
            logger,
            "request",
            request=self.request_id,
            method=self.method,
            path=self.path,
            command=self.command,
            status=status,
            bytes=size,
            ms=None if held else round(elapsed_s * 1000, 1),
            held_s=round(elapsed_s, 3) if held else None,
            account=self.account,
            device=self.device,
            ip=self.remote,
            agent=self.agent or None,
        )


def area_of(path: str) -> str:
    """Return which part of the product a path belongs to; a stranger cannot invent one."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return AREAS.get(first, "other")
