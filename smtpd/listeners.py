# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Listening sockets, and how many clients they let in.

Owns accepting, the ceilings on connections (in all and per address), and stopping: first no new clients,
then a 421 to the idle ones, time for the busy ones, then the end. Sockets are inherited from the service
manager, which keeps clients waiting instead of refusing them while we restart, or bound here.
"""

import logging
import os
import socket
from collections import Counter
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

from appliance import logs
from appliance.errors import InvalidInput
from appliance.smtp.reply import Reply
from smtpd import counters, replies
from smtpd.connection import Connection
from smtpd.conversation import Stores
from smtpd.port import Port
from smtpd.tls import TlsSource

BACKLOG = 1_024
FIRST_INHERITED_FD = 3  # sd_listen_fds(3)
FDS_VARIABLE = "APPLIANCE_FDS"  # `smtp=5,submission=6`: from our own supervisor
REFUSED_AT_ONCE_MAX = 100  # greenlets beyond connections_max, just to say 421
REFUSAL_WRITE_S = 2.0
DRAIN_S = 25.0

logger = logging.getLogger("appliance.smtp")


class Listener:
    """One listening socket and the clients that came through it."""

    def __init__(self, port: Port, sock: socket.socket, stores: Stores, tls: TlsSource) -> None:
        self.port = port
        self.address: tuple[Any, ...] = sock.getsockname()
        self._stores = stores
        self._tls = tls
        self._connections: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._pool = Pool(port.connections_max + REFUSED_AT_ONCE_MAX)
        self._server = StreamServer(sock, self._handle, spawn=self._pool)

    @property
    def connection_count(self) -> int:
        """The number of clients being served."""
        return len(self._connections)

    def start(self) -> None:
        """Accept from now on."""
        self._server.start()
        logs.event(logger, "listening", port=self.port.name, address=self.address[0], number=self.address[1])

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

    def _handle(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        ip = plain_ip(address[0])
        group = address_group(ip)
        refusal = self._refusal(group)
        if refusal is not None:
            self._refuse(sock, ip, *refusal)
            return
        connection = Connection(sock, ip, address[1], self.port, self._stores, self._tls)
        self._connections.add(connection)
        self._by_address[group] += 1
        counters.CONNECTIONS.labels(self.port.name, "served").inc()
        open_now = counters.OPEN_CONNECTIONS.labels(self.port.name)
        open_now.inc()
        try:
            connection.run()
        finally:
            self._connections.discard(connection)
            self._by_address[group] -= 1
            if not self._by_address[group]:
                del self._by_address[group]
            open_now.dec()

    def _refusal(self, group: str) -> tuple[Reply, str] | None:
        if len(self._connections) >= self.port.connections_max:
            return replies.TOO_MANY_CONNECTIONS, "refused_total"
        if self._by_address[group] >= self.port.connections_per_address_max:
            return replies.TOO_MANY_FROM_YOU, "refused_address"
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

    def stop(self, timeout_s: float = DRAIN_S) -> None:
        """Stop politely: stop accepting, let clients finish for `timeout_s`, then end them. Blocks."""
        for listener in self._listeners:
            listener.stop_accepting()
        finishing = [gevent.spawn(listener.finish, timeout_s) for listener in self._listeners]
        gevent.joinall(finishing)

    def addresses(self, port_name: str) -> list[tuple[Any, ...]]:
        """Return where a port listens, as `getsockname` tells it."""
        return [one.address for one in self._listeners if one.port.name == port_name]


def bind(address: str) -> socket.socket:
    """Return a socket that listens on `host:port` or `[v6]:port`; port 0 takes a free one. Raises OSError."""
    host, _, number = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, int(number)))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from error
    return sock


def inherited(environ: MutableMapping[str, str]) -> dict[str, list[socket.socket]]:
    """Return the sockets handed down, by name; their variables are taken out of the environment.

    `APPLIANCE_FDS="smtp=5,submission=6"` is our supervisor's way, LISTEN_FDS with LISTEN_FDNAMES is
    systemd's. Raises InvalidInput for a descriptor that is no listening socket. Source: sd_listen_fds(3).
    """
    found: dict[str, list[socket.socket]] = {}
    for name, number in _descriptors(environ):
        if not name or not number.isdecimal():
            raise InvalidInput(f"not a listening socket: {name}={number}")
        try:
            sock = socket.socket(fileno=int(number))
        except OSError as error:
            raise InvalidInput(f"not a listening socket: {name}={number}") from error
        found.setdefault(name, []).append(sock)
    return found


def _descriptors(environ: MutableMapping[str, str]) -> list[tuple[str, str]]:
    ours = environ.pop(FDS_VARIABLE, "")
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "")
    is_for_us = environ.pop("LISTEN_PID", "") == str(os.getpid())
    if ours:
        pairs = (entry.partition("=") for entry in ours.split(","))
        return [(name, number) for name, _, number in pairs]
    if count and is_for_us:
        numbers = range(FIRST_INHERITED_FD, FIRST_INHERITED_FD + int(count))
        return [(name, str(number)) for name, number in zip(names.split(":"), numbers, strict=True)]
    return []


def plain_ip(text: str) -> str:
    """Return the address without its scope; an IPv4 address inside IPv6 as IPv4."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def address_group(ip: str) -> str:
    """Return what counts as one client: an IPv4 address, an IPv6 /64 (one subscriber has all of it)."""
    if ":" in ip:
        return str(IPv6Network((ip, 64), strict=False))
    return ip
