# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this base module is one of the few places that may name it.
"""Crossing between the gevent hub and native threads: CPU-heavy work goes out, callbacks come in.

Owns the named pools that keep the hub turning during heavy work, and the few questions other base
modules ask about threads. Leaves to the caller of `run`: that the function is pure (it runs beside
everything else) and lets go of the GIL often enough, as C code like argon2, RSA and zlib does.
Python-heavy work gains fairness (the interpreter switches threads), not speed.

Without gevent's patching (command line, plain scripts) there is no hub to protect and `run` just calls.
The same holds on native threads such as the database writer's and the pools' own.
"""

import _thread
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from appliance.errors import TemporaryFailure

if TYPE_CHECKING:
    from gevent.threadpool import ThreadPool

WAITING_MAX: Final = 1000
THREADS: Final = {"cpu": 2, "password": 1, "disk": 2}
"""Threads per pool name, 1 for others. Password hashing has its own, so that a storm of logins cannot
stop DKIM signing; argon2 with more threads than cores only makes everybody late."""


class Overloaded(TemporaryFailure):
    """More work is waiting for this pool than it can do in reasonable time."""


@dataclass(slots=True)
class _Pool:
    threads: "ThreadPool"
    pending: int = 0


_pools: dict[tuple[int, str], _Pool] = {}
"""By process and name: native threads do not survive a fork, a fresh pool is cheaper than a mended one."""


def run[*Ts, T](fn: Callable[[*Ts], T], *args: *Ts, pool: str = "cpu") -> T:
    """Return fn(*args), computed on a native thread of the named pool; its exception comes through.

    The calling greenlet waits, the others run. Waiting calls are served in order; with WAITING_MAX of
    them waiting the call raises Overloaded at once. fn must not touch a gevent object, a patched lock
    or the database. When the waiting greenlet is killed the function still runs to its end.
    """
    if not on_hub():
        return fn(*args)
    found = _pool(pool)
    if found.pending >= WAITING_MAX:
        raise Overloaded(f"{found.pending} calls are waiting for the {pool} threads")
    found.pending += 1
    try:
        value, error = found.threads.spawn(_outcome, fn, args).get()
    finally:
        found.pending -= 1
    if error is not None:
        raise error
    return cast(T, value)


def is_patched() -> bool:
    """Tell whether gevent has replaced the threads of this process; does not import gevent."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def on_hub() -> bool:
    """Tell whether this native thread runs the main gevent hub (or will, once something waits)."""
    if not is_patched():
        return False
    from gevent._hub_local import get_hub_if_exists  # gevent.get_hub() would make one on this thread

    hub = get_hub_if_exists()
    return _thread.get_native_id() == os.getpid() if hub is None else bool(hub.main_hub)


def off_hub() -> bool:
    """Tell whether this is a native thread beside gevent's: it must not touch a gevent object or lock."""
    return is_patched() and not on_hub()


def native_lock() -> AbstractContextManager[bool]:
    """Return a re-entrant lock for greenlets and native threads together; gevent never replaces this one.

    It stops the whole native thread: hold it for microseconds and never wait, log or switch inside.
    """
    return _thread.RLock()


def hub_caller() -> Callable[[Callable[[], object]], None]:
    """Return a function through which any native thread has a callable run soon on this thread's hub.

    The callable runs inside the hub and so must not wait. Without gevent it runs at once, where it is.
    """
    if not is_patched():
        return _call
    from gevent import get_hub

    return cast(Callable[[Callable[[], object]], None], get_hub().loop.run_callback_threadsafe)


def _call(callback: Callable[[], object]) -> None:
    callback()


def _pool(name: str) -> _Pool:
    key = (os.getpid(), name)
    if key not in _pools:
        from gevent.threadpool import ThreadPool

        _pools[key] = _Pool(ThreadPool(THREADS.get(name, 1)))
    return _pools[key]


def _outcome[*Ts, T](fn: Callable[[*Ts], T], args: tuple[*Ts]) -> tuple[T | None, BaseException | None]:
    # gevent prints the traceback of whatever a pool thread raises, even when the caller handles it.
    try:
        return fn(*args), None
    except BaseException as error:  # noqa: BLE001 - raised again in the caller
        return None, error
