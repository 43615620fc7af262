# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Connections to other servers: how many at once, and used again while they are warm.

A connection is used again only for the same server, address, protection and login. It is closed after
`messages_max` messages or `idle_s` seconds of rest, and when somebody needs its place.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass

import gevent

from smtpd.remote import RemoteServer
from smtpd.security import Security

IDLE_S = 3.0


class ServerBusy(Exception):
    """As many connections to this server, or in all, as there may be; some attempt will end soon."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a connection is to: two with the same values are as good as each other."""

    host: str
    address: str
    port: int
    security: Security
    username: str = ""


class Connections:
    """Counts places and keeps idle connections. One object serves all greenlets.

    Take a place with `claim`, and end with `rest` or `leave`, whatever happens.
    """

    def __init__(
        self, total_max: int, per_server_max: int, messages_max: int, idle_s: float = IDLE_S
    ) -> None:
        self._total_max = total_max
        self._per_server_max = per_server_max
        self._messages_max = messages_max
        self._idle_s = idle_s
        self._open: Counter[str] = Counter()
        self._idle: OrderedDict[RemoteServer, Line] = OrderedDict()
        self._timers: dict[RemoteServer, gevent.Greenlet] = {}

    def claim(self, line: Line) -> RemoteServer | None:
        """Take a place: an idle connection, or None when the caller has to connect. Raises ServerBusy."""
        for remote in [remote for remote, other in self._idle.items() if other == line]:
            self._wake(remote)
            if remote.is_quiet():
                return remote
            self.leave(line, remote)
        self._make_room(line)
        self._open[line.host] += 1
        return None

    def _make_room(self, line: Line) -> None:
        same = [remote for remote, other in self._idle.items() if other.host == line.host]
        if self._open[line.host] >= self._per_server_max:
            if not same:
                raise ServerBusy(line.host)
            self._end(same[0])
        elif self._open.total() >= self._total_max:
            if not self._idle:
                raise ServerBusy(line.host)
            self._end(next(iter(self._idle)))

    def rest(self, line: Line, remote: RemoteServer) -> None:
        """Give back a connection that is fit for another message, if there may be one."""
        if remote.messages >= self._messages_max or not self._idle_s or not remote.is_quiet():
            remote.goodbye()
            self.leave(line, remote)
            return
        self._idle[remote] = line
        self._timers[remote] = gevent.spawn_later(self._idle_s, self._end, remote)

    def leave(self, line: Line, remote: RemoteServer | None) -> None:
        """Give up a place; closes the connection if there is one."""
        if remote is not None:
            remote.close()
        self._open[line.host] -= 1
        if not self._open[line.host]:
            del self._open[line.host]

    def close_idle(self) -> None:
        """Say goodbye to everybody who waits for more. Blocks for a moment."""
        gevent.joinall([self._end(remote) for remote in list(self._idle)])

    @property
    def idle(self) -> int:
        """Connections that wait for more."""
        return len(self._idle)

    def _end(self, remote: RemoteServer) -> gevent.Greenlet:
        """Free the place at once; the goodbye takes its time elsewhere."""
        line = self._idle[remote]
        self._wake(remote)
        self.leave(line, None)
        return gevent.spawn(_part, remote)

    def _wake(self, remote: RemoteServer) -> None:
        del self._idle[remote]
        timer = self._timers.pop(remote)
        if timer is not gevent.getcurrent():
            timer.kill(block=False)


def _part(remote: RemoteServer) -> None:
    try:
        remote.goodbye()
    finally:
        remote.close()
