# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this module is part of the rim that may name it (see README.md).
"""Notices that a waiting client has closed its connection, and ends its wait.

Owns one epoll set per worker. Held requests register their socket for "the peer has closed" and nothing
else; the set itself is one descriptor on the gevent loop. So ten thousand waiting phones cost no timer
and no sweep, and a phone that closes its connection is forgotten at once. One that vanishes without a
word is noticed when its wait ends: TCP keep-alive would find out earlier, at the price of waking the
radio of every healthy phone.

A client that only shuts its sending side down counts as gone, as it does for common reverse proxies.
"""

import select
from contextlib import suppress
from typing import Any, Final

import gevent
from gevent import monkey

from web.held import ClientGone

READABLE: Final = 1  # libev's EV_READ
_native_epoll: Any = monkey.get_original("select", "epoll")


class Hangups:
    """The sockets of held requests and the greenlets that wait for them. Make it after the fork."""

    def __init__(self) -> None:
        self._epoll = _native_epoll()
        self._waiting: dict[int, Any] = {}
        self._watcher = gevent.get_hub().loop.io(self._epoll.fileno(), READABLE)
        self._watcher.start(self._closed)

    def begin(self, fd: int) -> None:
        """From now on raise ClientGone in the calling greenlet when the peer of `fd` closes."""
        self._waiting[fd] = gevent.getcurrent()
        self._epoll.register(fd, select.EPOLLRDHUP | select.EPOLLONESHOT)

    def end(self, fd: int) -> None:
        """Stop that; must follow `begin` whatever happened in between."""
        del self._waiting[fd]
        with suppress(OSError):  # closed meanwhile: the kernel has already forgotten it
            self._epoll.unregister(fd)

    @property
    def count(self) -> int:
        """How many requests are held."""
        return len(self._waiting)

    def _closed(self) -> None:
        """Run on the hub, where a greenlet that is still registered is certain to be waiting."""
        for fd, _events in self._epoll.poll(0):
            greenlet = self._waiting.get(fd)
            if greenlet is not None:
                greenlet.throw(ClientGone("the client closed its connection"))

    def close(self) -> None:
        """Stop watching; for the end of the worker."""
        self._watcher.stop()
        self._watcher.close()
        self._epoll.close()
