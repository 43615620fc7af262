# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Accepting clients: how many a listening socket lets in, and how it stops.

Owns the ceilings on connections (in all and per address) and the end: first no new clients, then a 421 to
the idle ones, time for the busy ones, then the cut. Leaves where sockets come from to
`appliance.net.listening`, and the single client to `connection`.
"""

import logging
import socket
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv6Network
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

from appliance import logs
from appliance.net.listening import plain_ip, shown
from appliance.smtp.reply import Reply
from appliance.smtp.session_config import SessionKind
from smtpd import counters, replies
from smtpd.connection import Connection
from smtpd.conversation import Stores
from smtpd.port import Port
from smtpd.rates import network_of
from smtpd.tls import TlsSource

REFUSED_AT_ONCE_MAX = 100  # greenlets beyond connections_max, just to say 421
REFUSAL_WRITE_S = 2.0
DRAIN_S = 25.0
LOOPBACK = "127.0.0.1"  # stands for whoever comes through a Unix socket: this machine, and no address

logger = logging.getLogger("appliance.smtp")


class Listener:
    """One listening socket and the clients that came through it."""

    def __init__(self, port: Port, sock: socket.socket, stores: Stores, tls: TlsSource) -> None:
        self.port = port
        self.address = shown(sock)
        self._stores = stores
        self._tls = tls
        self._connections: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._by_network: Counter[str] = Counter()
        self._pool = Pool(port.connections_max + REFUSED_AT_ONCE_MAX)
        self._server = StreamServer(sock, self._handle, spawn=self._pool)

    @property
    def connection_count(self) -> int:
        """The number of clients being served."""
        return len(self._connections)

    def start(self) -> None:
        """Accept from now on."""
        self._server.start()
        logs.event(logger, "listening", port=self.port.name, address=self.address)

    def rename(self, hostname: str) -> None:
        """Greet the next clients by another name."""
        self.port = replace(self.port, session=replace(self.port.session, hostname=hostname))

    def stop_accepting(self) -> None:
        """Let nobody in any more, and ask those who are in to end."""
        self._server.stop_accepting()
        self._server.close()
        for connection in list(self._connections):
            connection.drain()

    def finish(self, timeout_s: float) -> None:
        """Wait for the clients, at most `timeout_s`, then end them."""
        self._pool.join(timeout_s)
        left = len(self._connections)
        if left:
            logs.event(logger, "connections_cut", level=logging.WARNING, port=self.port.name, count=left)
        self._pool.kill()

    def _handle(self, sock: socket.socket, address: tuple[Any, ...] | str) -> None:
        ip, number = (plain_ip(address[0]), address[1]) if isinstance(address, tuple) else (LOOPBACK, 0)
        group, network = address_group(ip), network_of(ip)
        refusal = self._refusal(ip, group, network)
        if refusal is not None:
            self._refuse(sock, ip, *refusal)
            return
        connection = Connection(sock, ip, number, self.port, self._stores, self._tls)
        self._connections.add(connection)
        self._by_address[group] += 1
        self._by_network[network] += 1
        counters.CONNECTIONS.labels(self.port.name, "served").inc()
        open_now = counters.OPEN_CONNECTIONS.labels(self.port.name)
        open_now.inc()
        try:
            connection.run()
        finally:
            self._connections.discard(connection)
            for counter, key in ((self._by_address, group), (self._by_network, network)):
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]
            open_now.dec()

    def _refusal(self, ip: str, group: str, network: str) -> tuple[Reply, str] | None:
        if len(self._connections) >= self.port.connections_max:
            return replies.TOO_MANY_CONNECTIONS, "refused_total"
        if self._by_address[group] >= self.port.connections_per_address_max:
            return replies.TOO_MANY_FROM_YOU, "refused_address"
        screening = self._stores.screening
        if screening is None or self.port.session.kind is not SessionKind.RECEPTION or screening.knows(ip):
            return None
        if self._by_network[network] >= self.port.connections_per_network_max:
            return replies.TOO_MANY_FROM_YOU, "refused_network"
        if not screening.rates.take("connections", network):
            return replies.TOO_MANY_FROM_YOU, "refused_rate"
        return None

    def _refuse(self, sock: socket.socket, ip: str, reply: Reply, outcome: str) -> None:
        """Say 421 and close; under implicit TLS there is nobody to say it to yet."""
        counters.CONNECTIONS.labels(self.port.name, outcome).inc()
        logs.event(logger, "connection_refused", port=self.port.name, ip=ip, reason=outcome)
        with suppress(OSError), gevent.Timeout(REFUSAL_WRITE_S, False):
            if not self.port.is_implicit_tls:
                sock.sendall(reply.to_bytes())
                sock.shutdown(socket.SHUT_WR)
                sock.recv(1)
        sock.close()


class Listeners:
    """All listening sockets of the process."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = list(listeners)

    def start(self) -> None:
        """Accept on all of them."""
        for listener in self._listeners:
            listener.start()

    def rename(self, hostname: str) -> None:
        """Greet the next clients of all of them by another name."""
        for listener in self._listeners:
            listener.rename(hostname)

    def stop(self, timeout_s: float = DRAIN_S) -> None:
        """Stop politely: stop accepting, let clients finish for `timeout_s`, then end them. Blocks."""
        for listener in self._listeners:
            listener.stop_accepting()
        finishing = [gevent.spawn(listener.finish, timeout_s) for listener in self._listeners]
        gevent.joinall(finishing)


def address_group(ip: str) -> str:
    """Return what counts as one client: an IPv4 address, an IPv6 /64 (one subscriber has all of it)."""
    if ":" in ip:
        return str(IPv6Network((ip, 64), strict=False))
    return ip
