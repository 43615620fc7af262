"""Wait for another native thread without stopping the gevent hub, and the native primitives for that.

Owns the one place where a greenlet and a native thread meet. Under gevent's patching `threading.Lock`
and friends belong to greenlets; what the writer thread shares with them must be the native kind.
Leaves to the callers what is waited for.

Theory of operation: a `Signal` is made by the one who will wait. If its thread runs a gevent hub, the
wait parks the greenlet and another thread rings that hub's `_Doorbell`, an async watcher: the only call
libev allows from a foreign thread. (`loop.run_callback_threadsafe` also touches the loop's reference
count and timers from the foreign thread, which races with a loop that is running without the GIL.)
Otherwise the wait blocks the thread, which is right there: nobody else runs on it.
"""

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import gevent
from gevent import monkey
from gevent._hub_local import get_hub_if_exists  # gevent.get_hub() would create one on any thread
from gevent.event import Event


class NativeLock(Protocol):
    """What `_thread.allocate_lock()` returns, whatever gevent has patched."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool: ...
    def release(self) -> None: ...
    def __enter__(self) -> bool: ...
    def __exit__(self, *exc: object) -> None: ...


native_lock: Callable[[], NativeLock] = monkey.get_original("_thread", "allocate_lock")
native_rlock: Callable[[], NativeLock] = monkey.get_original("_thread", "RLock")
native_queue: Callable[[], Any] = monkey.get_original("queue", "SimpleQueue")
start_native_thread: Callable[..., int] = monkey.get_original("_thread", "start_new_thread")
_native_local: Callable[[], Any] = monkey.get_original("threading", "local")

_this_thread = _native_local()


def is_patched_too_late(local: object) -> bool:
    """Tell whether `local`, made when its module was imported, is native although gevent patched later.

    Then all greenlets would share one connection and one transaction.
    """
    return monkey.is_module_patched("threading") and not isinstance(local, threading.local)


class Signal:
    """A one-shot event with one waiter; made by the waiter, set from any thread."""

    __slots__ = ("_bell", "_event", "_lock")

    def __init__(self) -> None:
        hub = get_hub_if_exists()
        self._bell = None if hub is None else _doorbell_of(hub)
        if self._bell is None:
            self._lock = native_lock()
            self._lock.acquire()
        else:
            self._event = Event()

    def wait(self, timeout_s: float) -> bool:
        """Return whether the signal came in time. Only greenlets of other threads go on meanwhile when
        this thread has no hub."""
        if self._bell is None:
            return self._lock.acquire(timeout=timeout_s)
        return bool(self._event.wait(timeout_s))

    def set(self) -> None:
        """Let the waiter go on; calling it twice is an error."""
        if self._bell is None:
            self._lock.release()
        elif self._bell.hub is get_hub_if_exists():
            self._event.set()
        else:
            self._bell.call(self._event.set)

    def run_beside(self, function: Callable[[], object]) -> None:
        """Run `function` in a new greenlet of the waiter's hub, or in a new thread; returns at once."""
        if self._bell is None:
            start_native_thread(function, ())
        else:
            self._bell.call(gevent.spawn, function)


class _Doorbell:
    """Lets other threads have something called on a hub's thread, in order, soon."""

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        self._calls: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._watcher = hub.loop.async_(ref=False)  # an idle database must not keep a hub alive
        self._watcher.start(self._answer)

    def call(self, function: Callable[..., object], *args: object) -> None:
        self._calls.append((function, args))
        with suppress(ValueError):  # the hub is destroyed and with it everybody who waited
            self._watcher.send()

    def _answer(self) -> None:
        while self._calls:
            function, args = self._calls.popleft()
            function(*args)


def _doorbell_of(hub: Any) -> _Doorbell:
    bell: _Doorbell | None = getattr(_this_thread, "bell", None)
    if bell is None or bell.hub is not hub:
        bell = _this_thread.bell = _Doorbell(hub)
    return bell
