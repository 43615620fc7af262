"""HTTP as a phone speaks it: connections that stay open, trust, deadlines, gzip, and losing answers.

Owns sockets and TLS; knows nothing of ActiveSync. Several threads may use one Transport: a Ping waits on
one connection while the rest of the phone uses another, as on a real device.

`Lose` makes the network fail on purpose, for tests of what the server does about a phone that never
heard its answer.
"""

import hashlib
import http.client
import re
import select
import socket
import ssl
import time
import zlib
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from urllib.parse import urlsplit

from appliance.phone.errors import LostResponse, ProtocolError, TransportError

ANSWER_BYTES_MAX = 128 * 1024 * 1024
READ_BYTES = 64 * 1024
IDLE_CONNECTIONS_MAX = 4
DEFAULT_TIMEOUT_S = 30.0


class Lose(Enum):
    """Where the network fails on purpose."""

    REQUEST = auto()
    """Half of the body is sent, then the connection closes."""
    CONNECTION = auto()
    """The whole request is sent, then the connection closes while the server works."""
    ANSWER = auto()
    """The answer arrives and is thrown away, as if the last packet had been lost."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificate is believed: a known authority's, one with this SHA-256, or anyone's."""

    insecure: bool = False
    fingerprint: str | None = None
    ca_file: str | None = None

    def context(self) -> ssl.SSLContext:
        """Return the TLS settings; a pinned certificate is checked by hand after the handshake."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.insecure or self.fingerprint:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def normal_fingerprint(text: str) -> str:
    """Return a SHA-256 fingerprint as 64 lower-case hex digits; colons and a `sha256` prefix are fine.

    Raises ValueError when it is something else.
    """
    digits = re.sub(r"[^0-9a-f]", "", re.sub(r"(?i)^\s*sha-?256(\s+fingerprint)?\s*[:=/]?", "", text).lower())
    if len(digits) != 64:
        raise ValueError("a SHA-256 fingerprint has 64 hex digits")
    return digits


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; header names are lower case, the body is already unzipped."""

    status: int
    reason: str
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: bytes
    seconds: float


class Transport:
    """Sends requests to one server, `https://host[:port]` or `http://host[:port]`."""

    def __init__(self, url: str, *, trust: Trust | None = None, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http or https address: {url}")
        self.scheme = parts.scheme
        self.host = parts.hostname
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.timeout_s = timeout_s
        self._trust = trust or Trust()
        self._context = self._trust.context() if self.scheme == "https" else None
        self._idle: deque[http.client.HTTPConnection] = deque()

    def request(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
        lose: Lose | None = None,
    ) -> Answer:
        """Send one request and return the answer, whatever its HTTP status.

        timeout_s: seconds for everything, connecting included; None takes the transport's own.
        Raises TransportError when the request did not go out, LostResponse when no whole answer came
        back, ProtocolError when it cannot be unpacked.
        """
        started = time.monotonic()
        deadline = started + (self.timeout_s if timeout_s is None else timeout_s)
        connection = self._take(deadline)
        try:
            _send(connection, method, target, headers, body, deadline, lose)
            answer, keep = _receive(connection, started, deadline)
        except BaseException:
            connection.close()
            raise
        self._give_back(connection, keep)
        if lose is Lose.ANSWER:
            raise LostResponse("the answer was lost on purpose")
        return answer

    def close(self) -> None:
        """Close the connections that wait for more work."""
        while self._idle:
            self._idle.pop().close()

    def _take(self, deadline: float) -> http.client.HTTPConnection:
        """Return an idle connection the server has not closed, or a new one."""
        while self._idle:
            with suppress(IndexError):
                connection = self._idle.pop()
                if _is_quiet(connection):
                    return connection
                connection.close()
        return self._connect(deadline)

    def _give_back(self, connection: http.client.HTTPConnection, keep: bool) -> None:
        if keep and len(self._idle) < IDLE_CONNECTIONS_MAX:
            self._idle.append(connection)
        else:
            connection.close()

    def _connect(self, deadline: float) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.host, self.port)
        if self._context is not None:
            connection = http.client.HTTPSConnection(self.host, self.port, context=self._context)
        try:
            connection.timeout = _remaining(deadline)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._check_fingerprint(connection.sock)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            raise TransportError(
                f"the certificate of {self.host}:{self.port} is not trusted ({error.verify_message}); "
                f"--fingerprint accepts exactly one certificate, --insecure accepts any"
            ) from None
        except OSError as error:
            connection.close()
            raise TransportError(f"cannot connect to {self.host}:{self.port}: {_words(error)}") from None
        except TransportError:
            connection.close()
            raise
        return connection

    def _check_fingerprint(self, sock: socket.socket) -> None:
        """Compare the certificate with the pinned one before anything secret is sent."""
        if self._trust.fingerprint is None or not isinstance(sock, ssl.SSLSocket):
            return
        found = hashlib.sha256(sock.getpeercert(binary_form=True) or b"").hexdigest()
        if found != self._trust.fingerprint:
            raise TransportError(f"the certificate of {self.host}:{self.port} has the SHA-256 {found}")


def _send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    headers: dict[str, str],
    body: bytes,
    deadline: float,
    lose: Lose | None,
) -> None:
    """Send the whole request, or as much of it as `lose` says. Raises TransportError, LostResponse."""
    try:
        _arm(connection, deadline)
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body or method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body[: len(body) // 2] if lose is Lose.REQUEST else body)
    except (BrokenPipeError, ConnectionResetError):
        return  # the server refused early, for example 413: its answer may be waiting to be read
    except (OSError, http.client.HTTPException) as error:
        raise TransportError(f"the request could not be sent: {_words(error)}") from None
    if lose in (Lose.REQUEST, Lose.CONNECTION):
        raise LostResponse("the connection was dropped on purpose")


def _receive(connection: http.client.HTTPConnection, started: float, deadline: float) -> tuple[Answer, bool]:
    """Return the answer and whether the connection may carry another request."""
    try:
        _arm(connection, deadline)
        response = connection.getresponse()
        body = _read(connection, response, deadline)
    except (OSError, http.client.HTTPException) as error:
        raise LostResponse(f"no answer: {_words(error)}") from None
    headers = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(
        response.status,
        response.reason,
        headers,
        tuple(response.headers.get_all("Set-Cookie") or ()),
        _unzip(body) if headers.get("content-encoding", "").lower() == "gzip" else body,
        time.monotonic() - started,
    )
    return answer, not response.will_close


def _read(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, deadline: float
) -> bytes:
    """Return the body, read in pieces so that a server that drips cannot outlive the deadline."""
    pieces, size = [], 0
    while piece := response.read(READ_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > ANSWER_BYTES_MAX:
            raise LostResponse(f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
        _arm(connection, deadline)
    return b"".join(pieces)


def _unzip(body: bytes) -> bytes:
    """Return the unpacked body; refuses bombs, cut streams and the gzip of nothing.

    An iPhone that gets the 20 bytes of an empty gzip stream waits for its own time-out.
    """
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(body, ANSWER_BYTES_MAX)
    except zlib.error as error:
        raise ProtocolError(f"the gzip answer cannot be unpacked: {error}") from None
    if not unpacker.eof:
        raise ProtocolError("the gzip answer is cut short or too large")
    if not unpacked:
        raise ProtocolError("an empty answer must not be compressed")
    return unpacked


def _is_quiet(connection: http.client.HTTPConnection) -> bool:
    """Tell whether an idle connection is still open: readable without a request means closed."""
    if connection.sock is None:
        return False
    poller = select.poll()
    poller.register(connection.sock, select.POLLIN)
    return not poller.poll(0)


def _arm(connection: http.client.HTTPConnection, deadline: float) -> None:
    """Let the next blocking call end at the deadline."""
    if connection.sock is not None:
        connection.sock.settimeout(_remaining(deadline))


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _words(error: Exception) -> str:
    """Return an error in words; a bare timeout or disconnect has none of its own."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the server closed the connection without an answer"
    return str(error) or type(error).__name__
