"""Hints between greenlets, threads and processes: "look again", never the news itself.

Owns the interface (publish, watch, wait), delivery inside this process and the process's current bus.
Leaves to `net/bus_unix.py` and `net/bus_redis.py` how hints reach other processes, and to the store
what has really changed.

Theory of operation: facts are committed first and published after. A reader registers its watcher
*before* it reads the store, then waits; whatever is committed after the registration ends the wait, so
nothing falls between reading and waiting. A hint may be repeated, merged with its equals or, rarely,
lost (a transport's process dies): it costs latency, because readers also look again at intervals.

    commit ─► publish(topic, payload) ─┬─► watchers of this process: pending set, then woken
                                       └─► transport: one merged set per peer process

Under gevent the watchers belong to the hub's thread. A hint from another native thread (the database
writer) is put into an inbox and taken in by a callback on the hub, so that no gevent object is touched
from outside. Without gevent the same code runs on plain threads.
"""

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, NamedTuple, Self

from appliance import offload

QUEUE: Final = "queue"
CREDENTIALS: Final = "credentials"
HIERARCHY: Final = "0"
ANYTHING: Final = ""
"""Payload that says no more than the topic does: look at all of it."""

PENDING_MAX: Final = 1000
HINT_CHARS_MAX: Final = 200


class Hint(NamedTuple):
    """Something under `topic` may have changed; for an account the payload is a folder id or HIERARCHY."""

    topic: str
    payload: str = ANYTHING


def account_topic(account_id: int) -> str:
    """Return the topic of an account's items and folders."""
    return f"account:{account_id}"


def device_topic(device_id: int) -> str:
    """Return the topic of one phone: a newer request supersedes the held one, a wipe, a policy."""
    return f"device:{device_id}"


class Bus:
    """Delivery inside one process. The transports extend it by `_send_away` and `close`."""

    def __init__(self) -> None:
        self._by_topic: dict[str, Watcher | set[Watcher]] = {}
        self._lock = threading.RLock()  # re-entrant: a collected watcher may close itself while it is held
        self._inbox: dict[Hint, None] = {}
        self._inbox_called = False
        self._call_hub: Callable[[Callable[[], object]], None] | None = None
        self._draining = False

    def publish(self, topic: str, payload: str = ANYTHING) -> None:
        """Tell every watcher of the topic, here and in the other processes. Never waits.

        Call it after the commit, from any greenlet or native thread. Raises ValueError for a topic or
        payload that is empty (the topic), long or has control characters: a bug of the caller.
        """
        hint = _checked(Hint(topic, payload))
        if offload.off_hub():
            self._post(hint)
        else:
            self._accept((hint,))

    def watch(self, topics: Iterable[str]) -> "Watcher":
        """Register for topics, at once; read the store after this and then `wait`. Close it when done."""
        if self._call_hub is None:
            self._call_hub = offload.hub_caller()
        watcher = Watcher(self, tuple(dict.fromkeys(topics)))
        with self._lock:
            for topic in watcher.topics:
                self._register(topic, watcher)
        return watcher

    def wake_all(self) -> None:
        """Give every watcher of this process a hint for each of its topics: hints may have been lost."""
        with self._lock:
            woken = [watcher.add_all() for watcher in self._watchers()]
        self._signal(woken)

    def drain(self) -> None:
        """End every wait of this process, now and from now on: it is about to stop.

        Phones come back as soon as they are answered; whoever answers thousands spreads the answers.
        """
        self._draining = True
        self._signal(self._watchers())

    @property
    def draining(self) -> bool:
        """Whether this process is about to stop."""
        return self._draining

    def watching(self) -> int:
        """Return how many watchers are registered in this process."""
        return len(self._watchers())

    def close(self) -> None:
        """Send what is still to be sent (at most about a second) and let go of sockets and threads."""

    def _send_away(self, hints: Iterable[Hint]) -> None:
        """Pass hints on to the other processes without waiting; runs where `_accept` runs."""

    def _accept(self, hints: Iterable[Hint]) -> None:
        self._deliver(hints)
        self._send_away(hints)

    def _deliver(self, hints: Iterable[Hint]) -> None:
        """Wake this process's watchers; on the hub's thread when there is one."""
        woken: list[Watcher] = []
        with self._lock:
            for hint in hints:
                present = self._by_topic.get(hint.topic)
                if isinstance(present, Watcher):
                    woken.append(present.add(hint))
                elif present is not None:
                    woken += [watcher.add(hint) for watcher in tuple(present)]
        self._signal(woken)

    def _post(self, hint: Hint) -> None:
        """Hand a hint to the hub from another native thread; single dict operations need no lock."""
        if self._call_hub is None:
            return  # nobody has ever watched here, and there is no transport
        self._inbox[hint] = None
        if not self._inbox_called:
            self._inbox_called = True
            self._call_hub(self._take_inbox)

    def _take_inbox(self) -> None:
        self._inbox_called = False  # before emptying: a hint posted meanwhile calls once more
        hints: list[Hint] = []
        while self._inbox:
            hints.append(self._inbox.popitem()[0])
        self._accept(hints)

    @staticmethod
    def _signal(watchers: "Iterable[Watcher]") -> None:
        for watcher in watchers:
            watcher.signal()

    def _watchers(self) -> "set[Watcher]":
        with self._lock:
            found: set[Watcher] = set()
            for present in tuple(self._by_topic.values()):
                found |= {present} if isinstance(present, Watcher) else present
            return found

    def _register(self, topic: str, watcher: "Watcher") -> None:
        # Nearly every topic has one watcher; a set for each would cost 200 bytes more per held Ping.
        present = self._by_topic.get(topic)
        if present is None:
            self._by_topic[topic] = watcher
        elif isinstance(present, Watcher):
            self._by_topic[topic] = {present, watcher}
        else:
            present.add(watcher)

    def _forget(self, watcher: "Watcher") -> None:
        with self._lock:
            for topic in watcher.topics:
                present = self._by_topic.get(topic)
                if isinstance(present, set):
                    present.discard(watcher)
                if present is watcher or present == set():
                    del self._by_topic[topic]


class Watcher:
    """One reader's registration; hints that come while nobody waits are kept for the next `wait`."""

    __slots__ = ("_bus", "_event", "_pending", "topics")

    def __init__(self, bus: Bus, topics: tuple[str, ...]) -> None:
        self._bus = bus
        self.topics = topics
        self._pending: set[Hint] | None = None
        self._event: threading.Event | None = None

    def wait(self, timeout_s: float) -> set[Hint]:
        """Return the hints since the last `wait`, waiting for the first one; empty after `timeout_s` seconds.

        Returns at once, perhaps with nothing, when the process is draining. One reader at a time.
        """
        with self._bus._lock:
            if self._pending or self._bus._draining or timeout_s <= 0:
                return self._take()
            event = self._event = threading.Event()
        try:
            event.wait(timeout_s)
        finally:
            self._event = None
        return self._take()

    @property
    def draining(self) -> bool:
        """Whether the process is about to stop: answer politely and do not wait again."""
        return self._bus._draining

    def close(self) -> None:
        """Stop watching; closing twice does nothing."""
        self._bus._forget(self)
        self.topics = ()

    def add(self, hint: Hint) -> Self:
        """Keep a hint for the reader unless "anything" covers it; too many become that. For the bus."""
        if self._pending is None:
            self._pending = {hint}
        elif Hint(hint.topic) not in self._pending:
            if len(self._pending) < PENDING_MAX:
                self._pending.add(hint)
            else:
                self.add_all()
        return self

    def add_all(self) -> Self:
        """Replace what is pending by "anything" for each topic. For the bus."""
        self._pending = {Hint(topic) for topic in self.topics}
        return self

    def signal(self) -> None:
        """End the reader's wait, if it waits. For the bus."""
        event = self._event
        if event is not None:
            event.set()

    def _take(self) -> set[Hint]:
        with self._bus._lock:
            pending, self._pending = self._pending, None
        return pending or set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LocalBus(Bus):
    """The bus of a process that has no peers: tests, one-process set-ups, the default."""


def _checked(hint: Hint) -> Hint:
    for part in hint:
        if len(part) > HINT_CHARS_MAX or not part.isprintable():
            raise ValueError(f"not a hint: {part[:HINT_CHARS_MAX]!r}")
    if not hint.topic:
        raise ValueError("a hint needs a topic")
    return hint


_current: Bus = LocalBus()


def current() -> Bus:
    """Return the bus of this process."""
    return _current


def use(bus: Bus) -> Bus:
    """Make this the bus of the process and return the one before; watchers stay where they began."""
    global _current
    before, _current = _current, bus
    return before


def publish(topic: str, payload: str = ANYTHING) -> None:
    """Publish on the current bus; see Bus.publish."""
    _current.publish(topic, payload)


def watch(topics: Iterable[str]) -> Watcher:
    """Watch on the current bus; see Bus.watch."""
    return _current.watch(topics)
