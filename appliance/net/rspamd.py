# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Rspamd over HTTP: what it thinks of a message, and what users think of one.

Owns the wire: a request, its deadline, the ceiling on the answer, and the pause after trouble, so that a
filter that hangs costs one message its patience and the next ones nothing. Leaves to the caller what follows.
"""

import http.client
import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import gevent

from appliance import logs
from appliance.errors import TemporaryFailure
from appliance.metrics import counter

ANSWER_BYTES_MAX = 1_048_576
PAUSE_S = 30.0  # nobody is asked for this long after a failure
HEADER_CHARS_MAX = 998
ACTIONS = (
    "no action", "greylist", "add header", "rewrite subject", "soft reject", "reject", "quarantine", "discard"
)  # fmt: skip

NOTHING_TO_LEARN = frozenset({404})
"""Of the controller: learned before, too short, not wanted by its own conditions."""

ASKED = counter(
    "appliance_filter_requests_total",
    "Requests to the filter (check, learn) by outcome (ok, failed, paused).",
    ["what", "outcome"],
)

logger = logging.getLogger("appliance.smtp")


class FilterUnavailable(TemporaryFailure):
    """The filter is down, slow, or answers nonsense."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the filter would do. action: one of ACTIONS. text: for the sender, "" when it says nothing."""

    action: str
    score: float
    text: str = ""


class Rspamd:
    """A worker of Rspamd. `check` needs a normal worker or the controller, `learn` the controller."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        password: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        parts = urlsplit(url)
        self._is_https = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._is_https else 80)
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._password = password
        self._monotonic = monotonic
        self._paused_until = 0.0

    def check(self, raw: bytes, about: Iterable[tuple[str, str]]) -> Opinion:
        """Return an opinion. about: headers such as IP, Helo, Rcpt. Raises FilterUnavailable. Blocks."""
        answer = self._ask("check", "/checkv2", raw, about)
        action, score = answer.get("action"), answer.get("score")
        if action not in ACTIONS or not isinstance(score, int | float):
            raise self._failed("check", "an answer without an action")
        messages = answer.get("messages")
        text = messages.get("smtp_message") if isinstance(messages, dict) else None
        return Opinion(action, float(score), _one_line(text) if isinstance(text, str) else "")

    def learn(self, raw: bytes, *, is_junk: bool) -> None:
        """Teach it a message. Raises FilterUnavailable. Blocks.

        A message it knows already, or cannot learn from, is no failure.
        """
        self._ask("learn", "/learnspam" if is_junk else "/learnham", raw, (), fine=NOTHING_TO_LEARN)

    def _ask(
        self,
        what: str,
        path: str,
        raw: bytes,
        about: Iterable[tuple[str, str]],
        fine: frozenset[int] = frozenset(),
    ) -> dict[str, Any]:
        if self._monotonic() < self._paused_until:
            ASKED.labels(what, "paused").inc()
            raise FilterUnavailable("the filter did not answer a moment ago")
        try:
            with gevent.Timeout(self._timeout_s, TimeoutError):
                status, body = self._exchange(path, raw, about)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._failed(what, str(error) or type(error).__name__) from error
        if not 200 <= status < 300 and status not in fine:
            raise self._failed(what, f"status {status}")
        try:
            answer = json.loads(body) if body.strip() else {}
        except (ValueError, RecursionError) as error:
            raise self._failed(what, "an answer that is no JSON") from error
        if not isinstance(answer, dict):
            raise self._failed(what, "an answer that is no object")
        ASKED.labels(what, "ok").inc()
        return answer

    def _exchange(self, path: str, raw: bytes, about: Iterable[tuple[str, str]]) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self._is_https else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.putrequest("POST", self._prefix + path, skip_accept_encoding=True)
            connection.putheader("Content-Length", str(len(raw)))
            for name, value in (*about, *([("Password", self._password)] if self._password else ())):
                connection.putheader(name, _one_line(value).encode("utf-8", "replace"))
            connection.endheaders(raw)
            response = connection.getresponse()
            body = response.read(ANSWER_BYTES_MAX + 1)
            if len(body) > ANSWER_BYTES_MAX:
                raise ValueError("the answer is too long")
            return response.status, body
        finally:
            connection.close()

    def _failed(self, what: str, reason: str) -> FilterUnavailable:
        self._paused_until = self._monotonic() + PAUSE_S
        ASKED.labels(what, "failed").inc()
        logs.event(logger, "filter_unavailable", level=logging.WARNING, what=what, reason=_one_line(reason))
        return FilterUnavailable(reason)


def _one_line(text: str) -> str:
    """Return text as it may stand in a header or a reply."""
    return "".join(c if c.isprintable() else " " for c in text)[:HEADER_CHARS_MAX]
