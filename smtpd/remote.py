# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""One connection to one remote server: the client session over a socket, with a deadline on every wait.

Owns the socket and the deadlines of RFC 5321 4.5.3.2 for the sending side. The conversation is
`appliance.smtp.client`; which server and what to do about a failure is `relay`.
"""

import select
import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import gevent

from appliance.smtp.client import ClientEvent, ClientPhase, ClientSession
from appliance.smtp.events import NEED_DATA
from appliance.smtp.reply import Reply

READ_BYTES_MAX = 16_384
WRITE_BYTES_MAX = 65_536
TIMED_OUT = Reply(421, "4.4.2", "Timeout")


@dataclass(frozen=True)
class RelayDeadlines:
    """Every wait of an attempt. Source: RFC 5321 4.5.3.2 Timeouts."""

    connect_s: float = 30.0  # to one address
    greeting_s: float = 120.0  # 4.5.3.2.1 says 300; a server that keeps us that long has a sibling
    command_s: float = 300.0  # 4.5.3.2.2 MAIL, .3 RCPT, .4 DATA
    block_s: float = 180.0  # 4.5.3.2.5 Data Block
    final_s: float = 600.0  # 4.5.3.2.6 Data Termination: the server may be storing the message
    handshake_s: float = 60.0
    quit_s: float = 5.0
    attempt_s: float = 780.0  # the whole attempt; `settings.Queue.attempt_s`


class CannotConnect(Exception):
    """No connection to this address; another may do."""


class HandshakeFailed(Exception):
    """TLS did not come about; the connection is of no further use. `result`: RFC 8460's word for why."""

    def __init__(self, message: str, result: str = "validation-failure") -> None:
        super().__init__(message)
        self.result = result


class RemoteServer:
    """A connected client session. `close` it whatever happens.

    messages: transactions begun on it. is_encrypted: TLS is on, whoever the other side is.
    """

    def __init__(self, address: str, port: int, hostname: str, deadlines: RelayDeadlines) -> None:
        """Connect; raises CannotConnect."""
        try:
            self._sock = socket.create_connection((address, port), timeout=deadlines.connect_s)
        except OSError as error:
            raise CannotConnect(f"{address}: {error.strerror or error}") from error
        self._sock.settimeout(None)
        with suppress(OSError):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._deadlines = deadlines
        self.session = ClientSession(hostname)
        self.is_encrypted = False
        self.messages = 0

    def next_event(self, timeout_s: float) -> ClientEvent:
        """Return the next event, after writing what is to be written. The whole answer has `timeout_s`.

        A lost connection or a deadline becomes the session's `Finished` and `Failed`. Must not be asked
        again after the session is closed and its events are pulled.
        """
        deadline = time.monotonic() + timeout_s
        while (event := self.session.next_event()) is NEED_DATA:
            assert self.session.phase is not ClientPhase.CLOSED, "no more events"
            self._exchange(deadline)
        return event

    def _exchange(self, deadline: float) -> None:
        seconds = max(deadline - time.monotonic(), 0.001)
        try:
            with gevent.Timeout(seconds, TimeoutError):
                if data := self.session.data_to_send():
                    self._sock.sendall(data)
                self.session.receive_data(self._sock.recv(READ_BYTES_MAX))
        except TimeoutError:
            self.session.connection_lost(TIMED_OUT)
        except OSError:
            self.session.connection_lost()

    def send_message(self, pieces: Iterable[bytes]) -> None:
        """Write the message after a SendMessage; what goes wrong shows in the next event.

        Raises what reading the pieces raises; the connection is of no further use then.
        """
        try:
            for piece in pieces:
                self._write(self.session.message_data(piece))
            self._write(self.session.message_end())
        except TimeoutError:
            self.session.connection_lost(TIMED_OUT)
        except OSError:
            # The server may have said why before it hung up: read that first.
            self.session.message_abandoned()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), WRITE_BYTES_MAX):
            with gevent.Timeout(self._deadlines.block_s, TimeoutError):
                self._sock.sendall(view[start : start + WRITE_BYTES_MAX])

    def start_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shake hands after a positive TlsAnswer. Raises HandshakeFailed."""
        self._shake_hands(context, server_name)
        self.session.tls_established()

    def begin_with_tls(self, context: ssl.SSLContext, server_name: str) -> None:
        """Shake hands before anything is said (RFC 8314 3). Raises HandshakeFailed."""
        self._shake_hands(context, server_name)

    def _shake_hands(self, context: ssl.SSLContext, server_name: str) -> None:
        try:
            with gevent.Timeout(self._deadlines.handshake_s, TimeoutError):
                wrapped = context.wrap_socket(
                    self._sock, server_hostname=server_name, do_handshake_on_connect=False
                )
                self._sock = wrapped
                wrapped.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise HandshakeFailed(error.verify_message, _result_of(error.verify_code)) from error
        except (OSError, ValueError) as error:
            raise HandshakeFailed(str(error)) from error
        self.is_encrypted = True

    def certificates(self) -> list[bytes]:
        """Return what the server showed, DER, its own first; none without TLS."""
        if not isinstance(self._sock, ssl.SSLSocket):
            return []
        chain = self._sock.get_unverified_chain()  # type: ignore[attr-defined]  # new in Python 3.13
        return list(chain or [])

    @property
    def sending_ip(self) -> str:
        """Our address on this connection, "" when it is gone."""
        with suppress(OSError):
            return str(self._sock.getsockname()[0])
        return ""

    def is_quiet(self) -> bool:
        """Say whether an idle server has said nothing: what it says unasked is a goodbye."""
        try:
            readable, _, _ = select.select([self._sock], [], [], 0)
        except (OSError, ValueError):
            return False
        return self.session.phase is ClientPhase.READY and not readable

    def goodbye(self) -> None:
        """Say QUIT if the session is fit for it; the answer does not matter. RFC 5321 4.1.1.10."""
        if self.session.phase is ClientPhase.READY:
            self.session.quit()
            with suppress(OSError), gevent.Timeout(self._deadlines.quit_s, False):
                self._sock.sendall(self.session.data_to_send())
                self._sock.recv(READ_BYTES_MAX)

    def close(self) -> None:
        """Close the socket."""
        with suppress(OSError):
            self._sock.close()


_EXPIRED, _NOT_YET_VALID, _HOST, _IP = 10, 9, 62, 64  # X509_V_ERR_…


def _result_of(verify_code: int) -> str:
    if verify_code in (_HOST, _IP):
        return "certificate-host-mismatch"
    return "certificate-expired" if verify_code in (_EXPIRED, _NOT_YET_VALID) else "certificate-not-trusted"
