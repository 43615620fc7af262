# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""One client's connection: octets in, octets out, a deadline on every wait, TLS.

Owns the socket. What the octets mean is `appliance.smtp.server`, what we answer is `conversation`. Every
way a client can be slow, absent or wrong ends here in a log line, a count, and where there is still
somebody to tell, a reply; nothing a client does raises out of `run`.
"""

import logging
import secrets
import socket
import ssl
import time
from contextlib import suppress
from typing import Any

import gevent

from appliance import logs
from appliance.smtp.events import (
    NEED_DATA,
    ChunkStart,
    ConnectionLost,
    DataChunk,
    DataEnd,
    DataRefused,
    DataStart,
    Event,
    ProtocolViolation,
    Quit,
    StartTls,
)
from appliance.smtp.reply import Reply
from appliance.smtp.server import ServerSession
from appliance.smtp.state import Phase
from smtpd import counters, replies
from smtpd.conversation import Conversation, Peer, Stores
from smtpd.port import Port
from smtpd.tls import TlsSource, description

READ_BYTES_MAX = 65_536
WRITE_GATHERED_MAX = 65_536
LINGER_S = 2.0
LINGER_BYTES_MAX = 4_194_304
GOODBYE_S = 1.0
_READABLE = 1  # libev's READ

logger = logging.getLogger("appliance.smtp")


class _TimedOut(Exception):
    """The client had its time."""


class _Unread(Exception):
    """The client does not take our replies."""


class _TooSlow(Exception):
    """The message drips."""


class _Drained(Exception):
    """We are going down and the client is between two commands."""


class _HandshakeFailed(Exception):
    """No TLS; the octets on the wire are nobody's."""


class Connection:
    """Serves one accepted socket with `run`; `drain` asks it to end soon."""

    def __init__(
        self, sock: socket.socket, peer_ip: str, peer_port: int, port: Port, stores: Stores, tls: TlsSource
    ) -> None:
        self._sock = sock
        self._port = port
        self._tls = tls
        self._peer = Peer(secrets.token_hex(5), peer_ip, peer_port)
        self._session = ServerSession(port.session, tls_active=port.is_implicit_tls)
        self._conversation = Conversation(self._session, port, self._peer, stores)
        self._out = bytearray()
        self._how = "lost"
        self._is_draining = False
        self._idle_watcher: Any = None
        self._command_since = self._data_since = time.monotonic()
        self._data_bytes = 0

    def run(self) -> None:
        """Serve the client to the end and close the socket."""
        started = time.monotonic()
        with logs.bind(conn=self._peer.conn, port=self._port.name, ip=self._peer.ip):
            logs.event(logger, "connected", peer_port=self._peer.port)
            try:
                self._serve()
            finally:
                self._conversation.close()
                self._close()
                counters.DISCONNECTS.labels(self._port.name, self._how).inc()
                seconds = round(time.monotonic() - started, 3)
                count = self._conversation.messages
                logs.event(logger, "disconnected", how=self._how, messages=count, seconds=seconds)

    def drain(self) -> None:
        """Say 421 at the next moment without a message under way; now, if the client is idle."""
        self._is_draining = True
        if self._idle_watcher is not None:
            # Unlike killing the greenlet, this does nothing if the wait is over by the time it happens:
            # it never hits the client's greenlet in the middle of storing a message.
            gevent.get_hub().cancel_wait(self._idle_watcher, _Drained())

    def _serve(self) -> None:
        try:
            self._converse()
        except _HandshakeFailed:
            self._how = "error"
        except _Unread:
            self._how = "unread"
        except _TimedOut:
            self._abort(replies.TIMEOUT, "timeout")
        except _TooSlow:
            self._abort(replies.TOO_SLOW, "too_slow")
        except _Drained:
            self._abort(replies.SHUTTING_DOWN, "shutdown")
        except OSError:
            self._how = "lost"
        except Exception as error:  # noqa: BLE001 - the top of a connection
            logs.event(logger, "connection_error", level=logging.ERROR, exc_info=error)
            self._abort(replies.BROKEN, "error")

    def _converse(self) -> None:
        if self._port.is_implicit_tls:
            self._handshake()
        session = self._session
        while session.phase is not Phase.CLOSED:
            event = session.next_event()
            if event is NEED_DATA:
                self._write(session.data_to_send())
                self._flush()
                self._read()
                continue
            self._write(session.send(self._answer(event)))
            self._after(event)
        self._flush()

    def _answer(self, event: Event) -> Event | Reply:
        if isinstance(event, StartTls) and not self._has_certificate():
            return replies.NO_TLS
        return self._conversation.answer(event)

    def _has_certificate(self) -> bool:
        try:
            self._tls.context()
        except OSError:
            return False
        return True

    def _after(self, event: Event) -> None:
        match event:
            case StartTls() if self._session.phase is Phase.TLS:
                self._flush()
                self._handshake()
                self._session.tls_established()
            case DataStart() | ChunkStart():
                self._data_since, self._data_bytes = time.monotonic(), 0
            case DataChunk(data):
                self._data_bytes += len(data)
            case DataEnd():
                self._flush()  # the sender's doubt ends here, whatever it has pipelined behind
            case Quit():
                self._how = "quit"
            case ConnectionLost():
                self._how = "lost"
            case ProtocolViolation(close=True) | DataRefused(close=True):
                self._how = "refused"
            case _ if self._session.phase is Phase.CLOSED:
                self._how = "refused"

    # Octets:

    def _read(self) -> None:
        seconds = self._allowance_s()
        if seconds <= 0:
            raise _TimedOut
        with gevent.Timeout(seconds, _TimedOut):
            if self._session.phase is not Phase.DATA:
                self._idle()
            data = self._sock.recv(READ_BYTES_MAX)
        self._session.receive_data(data)

    def _idle(self) -> None:
        """Wait until the client says something; raises _Drained when we are going down."""
        if self._is_draining:
            raise _Drained
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():
            return
        hub = gevent.get_hub()
        self._idle_watcher = hub.loop.io(self._sock.fileno(), _READABLE)
        try:
            hub.wait(self._idle_watcher)
        finally:
            self._idle_watcher.close()
            self._idle_watcher = None

    def _allowance_s(self) -> float:
        """Return how long the client may take for its next octets. A command's time does not start
        again with each of them; a message has to come at a minimum rate."""
        deadlines, now = self._port.deadlines, time.monotonic()
        if self._session.phase is not Phase.DATA:
            return self._command_since + deadlines.command_s - now
        elapsed = now - self._data_since
        expected = deadlines.rate_bytes_per_s_min * (elapsed - deadlines.rate_grace_s)
        if self._data_bytes < expected:
            raise _TooSlow
        return min(deadlines.data_s, deadlines.message_s - elapsed)

    def _write(self, data: bytes) -> None:
        """Gather output; a reply means that a command was complete, so the next one's time begins."""
        if data:
            self._command_since = time.monotonic()
            self._out += data
            if len(self._out) > WRITE_GATHERED_MAX:
                self._flush()

    def _flush(self) -> None:
        if self._out:
            data = bytes(self._out)
            self._out.clear()
            with gevent.Timeout(self._port.deadlines.write_s, _Unread):
                self._sock.sendall(data)
            self._command_since = time.monotonic()

    def _handshake(self) -> None:
        """Put TLS on the socket; raises _HandshakeFailed."""
        name = self._port.name
        try:
            context = self._tls.context()
            with gevent.Timeout(self._port.deadlines.handshake_s, _TimedOut):
                wrapped = context.wrap_socket(self._sock, server_side=True, do_handshake_on_connect=False)
                self._sock = wrapped
                wrapped.do_handshake()
        except (OSError, ValueError, _TimedOut) as error:
            counters.HANDSHAKES.labels(name, "failed").inc()
            logs.event(logger, "tls_failed", error=str(error) or type(error).__name__)
            raise _HandshakeFailed from error
        counters.HANDSHAKES.labels(name, "ok").inc()
        self._command_since = time.monotonic()
        self._conversation.tls_started(description(wrapped))

    # The end:

    def _abort(self, reply: Reply, how: str) -> None:
        self._how = how
        with suppress(OSError, _Unread):
            self._write(self._session.abort(reply))
            self._flush()

    def _close(self) -> None:
        """Close; a client that is still talking gets to read our last reply before its octets are reset."""
        with suppress(OSError, ValueError):
            if self._how == "quit" and isinstance(self._sock, ssl.SSLSocket):
                with gevent.Timeout(GOODBYE_S, False):
                    self._sock.unwrap()
            elif self._how not in ("quit", "lost", "unread"):
                with gevent.Timeout(LINGER_S, False):
                    self._linger()
        with suppress(OSError):
            self._sock.close()

    def _linger(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)
        left = LINGER_BYTES_MAX
        while left > 0 and (data := self._sock.recv(READ_BYTES_MAX)):
            left -= len(data)
