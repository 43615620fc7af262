# mypy: disable-error-code="import-untyped, misc"
# gevent and gunicorn ship no annotations; this module is part of the rim that may name them.
"""The worker process: connections in, requests through the application, answers out, a polite end.

Owns the sockets of the HTTP role: TLS and plain listeners side by side (stock gunicorn serves one kind
per process), deadlines for every phase of a connection, waiting requests at a few kilobytes each, and
draining. Takes from gunicorn the process model and the HTTP/1.1 parser and serializer.
Leaves to `held.py` what a waiting request is, to `appliance.net.tls` the certificate.

    accept ─► TLS handshake ─► head of a request ─► application ─► answer ─┐
              HANDSHAKE_S      HEAD_S, then keepalive    IO_IDLE_S per piece │
                                      ▲                                     │
                                      └────────── connection kept ──────────┘

A stop (SIGTERM) closes the listeners, ends every wait through `drain`, closes connections that have
been idle for a second and lets the others finish. SIGHUP makes the certificate be read again.
"""

import logging
import random
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Final, NamedTuple

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.ggevent import GeventWorker

from appliance import logs
from appliance.net.tls import Certificate
from web.hangup import Hangups
from web.held import ClientGone, Waiting, pieces
from web.http1 import (
    UNREAD_BYTES_MAX,
    AskedBefore,
    HeadLimitedParser,
    Later,
    WholeResponse,
    expect,
    send,
    unread,
)

HANDSHAKE_S = 15
HEAD_S = 30
IO_IDLE_S: Final = 60
IDLE_AT_STOP_S: Final = 1.0
TICK_S: Final = 0.2
LINGER_S: Final = 2.0
LINGER_BYTES: Final = 1_048_576
ALPN: Final = ("http/1.1",)  # what is spoken after a handshake
TLS_HANDSHAKE_BYTE: Final = b"\x16"
ANSWERS_PER_S: Final = 2000
"""At a stop held requests are answered at this rate at most: every phone comes back at once."""

PLAIN_ON_TLS: Final = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n"
    b"This port speaks HTTPS: begin the address with https://\n"
)

logger = logging.getLogger("appliance.web")


class Listener(NamedTuple):
    """A listening socket, its address, and the certificate when TLS is spoken on it."""

    socket: Any
    name: Any
    certificate: Certificate | None


class Connection:
    """A client's connection and the request that is being served on it."""

    __slots__ = ("address", "listener", "parser", "request", "stream")

    def __init__(self, listener: Listener, stream: Any, address: Any) -> None:
        self.listener = listener
        self.stream = stream
        self.address = address
        self.parser: Any = None
        self.request: Any = None

    def forget_request(self) -> None:
        """Let go of the request and, unless the client has already sent more, of the parser."""
        if unread(self.request) == 0 and not self.parser.unreader.buf.getbuffer().nbytes:
            self.parser = None
        self.request = None


class ApplianceWorker(GeventWorker):
    """One worker process. `self.app` is `gunicorn_conf.Server`: it names the certificates, drains, closes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._idle: dict[Any, tuple[gevent.Timeout, float]] = {}
        self._spread_s = 0.0
        self._connections = Pool(self.worker_connections)

    def init_signals(self) -> None:
        """Add SIGHUP (the certificate) and ignore the terminal's SIGINT: the master stops us politely."""
        super().init_signals()
        signal.signal(signal.SIGHUP, lambda _signal, _frame: self.app.reload_certificates())
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def run(self) -> None:
        """Serve until told to stop, then stop politely."""
        self._hangups = Hangups()
        servers = [self._serve(listener) for listener in self._listeners()]
        while self.alive:
            self.notify()
            gevent.sleep(TICK_S)
        self._stop(servers)

    def _listeners(self) -> Iterator[Listener]:
        for sock, certificate in zip(self.sockets, self.app.certificates, strict=True):
            sock.setblocking(True)
            if certificate is not None:
                certificate.context()  # a worker that cannot speak TLS must not start
            yield Listener(sock, sock.getsockname(), certificate)

    def _serve(self, listener: Listener) -> StreamServer:
        server = StreamServer(
            listener.socket, handle=partial(self._connected, listener), spawn=self._connections
        )
        if self.cfg.workers > 1:
            server.max_accept = 1  # leave the rest of the backlog to the other workers
        server.start()
        return server

    def _stop(self, servers: list[StreamServer]) -> None:
        for server in servers:
            server.close()
        self._spread_s = min(self.app.drain_s, self._hangups.count / ANSWERS_PER_S)
        self.app.drain()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while len(self._connections) and time.monotonic() < deadline:
            self.notify()
            gevent.get_hub().loop.run_callback(self._end_idle)
            gevent.sleep(TICK_S / 4)
        if len(self._connections):
            logs.event(logger, "stop_cut_off", level=logging.WARNING, connections=len(self._connections))
            self._connections.kill(timeout=1)
        self._hangups.close()
        self.app.close()

    def _end_idle(self) -> None:
        """Close connections on which nobody has asked anything for a while; runs on the hub, where a
        greenlet that is still in the table is certain to be waiting for a request."""
        for greenlet, (timeout, since) in list(self._idle.items()):
            if time.monotonic() - since >= IDLE_AT_STOP_S:
                greenlet.throw(timeout)

    # --- one connection -------------------------------------------------------------------------

    def _connected(self, listener: Listener, client: Any, address: Any) -> None:
        """Serve one connection to its end; nothing escapes from here."""
        stream = client
        try:
            if listener.certificate is not None:
                stream = self._secured(client, listener.certificate)
            if stream is not None:
                self._converse(Connection(listener, stream, address))
        except (OSError, NoMoreData, ClientGone, gevent.GreenletExit):
            pass  # the client went away, or the worker had to: nobody is left to be told
        except Exception as error:  # noqa: BLE001 - the top of a connection
            self.handle_error(None, stream, address, error)
        finally:
            if stream is not None:
                util.close(stream)

    def _secured(self, client: Any, certificate: Certificate) -> Any:
        """Return the TLS stream, or None when the handshake failed or took too long."""
        stream = None
        with gevent.Timeout(HANDSHAKE_S, False), suppress(OSError, ValueError):  # SSLError is an OSError
            if client.recv(1, socket.MSG_PEEK) == TLS_HANDSHAKE_BYTE:
                context = certificate.context()
                stream = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
                stream.do_handshake()
                return stream
            client.sendall(PLAIN_ON_TLS)
            util.close_graceful(client)
        util.close(stream or client)
        return None

    def _converse(self, connection: Connection) -> None:
        """Answer one request after the other. This frame lives as long as the connection and must hold
        nothing of a request: whatever it held would be kept through a wait."""
        patience_s = HEAD_S
        while self._next_request(connection, patience_s):
            connection.stream.settimeout(IO_IDLE_S)
            outcome = self._answer(connection)
            if isinstance(outcome, Later):
                connection.forget_request()
                outcome = self._answer_later(connection, outcome)
            if not outcome:
                return
            patience_s = self.cfg.keepalive

    def _next_request(self, connection: Connection, patience_s: int) -> bool:
        """Put the next request into the connection; False when there is none in time."""
        if connection.parser is None:
            connection.parser = HeadLimitedParser(self.cfg, connection.stream, connection.address)
        connection.stream.settimeout(None)
        me, timeout = gevent.getcurrent(), gevent.Timeout(patience_s)
        self._idle[me] = (timeout, time.monotonic())
        timeout.start()
        try:
            connection.request = next(connection.parser)
            return True
        except (StopIteration, NoMoreData):
            return False
        except gevent.Timeout as expired:
            if expired is not timeout:
                raise
            return False
        finally:
            timeout.close()
            del self._idle[me]

    # --- one request ----------------------------------------------------------------------------

    def _answer(self, connection: Connection) -> "bool | Later":
        """Serve the request; True when the connection may be used again."""
        request, stream, listener = connection.request, connection.stream, connection.listener
        expect(request, stream)
        response, environ = wsgi.create(
            request, stream, connection.address, listener.name, self.cfg, response_class=WholeResponse
        )
        environ["wsgi.multithread"] = True
        environ["wsgi.url_scheme"] = "http" if listener.certificate is None else "https"
        with self._last_resort(response):
            body = self.wsgi(environ, response.start_response)
            if not self.alive or unread(request) > UNREAD_BYTES_MAX:
                response.force_close()
            if isinstance(body, Waiting):
                body.bind(None)  # it would keep the response, and through it the request
                return Later(body, request.version, response.must_close or request.should_close())
            send(response, body)
        if unread(request) > UNREAD_BYTES_MAX:
            util.close_graceful(stream, LINGER_S, LINGER_BYTES)
        return not response.should_close()

    def _answer_later(self, connection: Connection, later: Later) -> bool:
        """Wait and answer; True when the connection may be used again."""
        response = WholeResponse(AskedBefore(later.version, later.must_close), connection.stream, self.cfg)
        with self._last_resort(response):
            fd = connection.stream.fileno()
            self._hangups.begin(fd)
            try:
                status, headers, body = later.waiting.answer()
            finally:
                self._hangups.end(fd)
            if not self.alive:
                response.force_close()
                gevent.sleep(random.uniform(0, self._spread_s))
            response.start_response(status, headers)
            send(response, pieces(body))
        return not response.should_close()

    @contextmanager
    def _last_resort(self, response: Any) -> Iterator[None]:
        """Answer 500 for whatever the application let through, or cut off an answer that has begun."""
        try:
            yield
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - the top of a request
            logs.event(logger, "request_failed", level=logging.ERROR, exc_info=error)
            response.force_close()
            if not response.headers_sent:
                with suppress(OSError):
                    util.write_error(response.sock, 500, "Internal Server Error", "")
