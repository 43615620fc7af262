"""What the bus transports have in common: the bytes of a batch of hints and the set that merges them.

Pure apart from a lock. Leaves sockets, retries and threads to `bus_unix.py` and `bus_redis.py`.

A batch is lines `topic TAB payload LF`, UTF-8. Whatever does not read as that is skipped: a hint is never
worth an error, and the readers look again at intervals anyway.
"""

import threading
from collections.abc import Iterable
from typing import Final

from appliance import metrics
from appliance.bus import Hint

BATCH_BYTES_MAX: Final = 32 * 1024
"""Well below the kernel's datagram limit (the default send buffer, about 208 kB), thousands of hints."""

OUTBOX_HINTS_MAX: Final = 50_000
EVERYTHING: Final = Hint("*", "")
"""Stands for every topic: sent when so much is waiting for a silent peer that listing it is pointless."""

SENT = metrics.counter("appliance_bus_batches_sent_total", "Batches of hints sent.", ["transport"])
RECEIVED = metrics.counter(
    "appliance_bus_batches_received_total", "Batches of hints received.", ["transport"]
)


def encode(hints: Iterable[Hint]) -> bytes:
    """Return one batch."""
    return "".join(f"{topic}\t{payload}\n" for topic, payload in hints).encode()


def decode(batch: bytes) -> list[Hint]:
    """Return the hints of a batch, without those that make no sense."""
    hints = []
    for line in batch.decode("utf-8", "replace").split("\n"):
        topic, tab, payload = line.partition("\t")
        if tab and topic and topic.isprintable() and payload.isprintable():
            hints.append(Hint(topic, payload))
    return hints


class Outbox:
    """Hints waiting for one receiver, each once, oldest first, with a ceiling."""

    def __init__(self) -> None:
        self._hints: dict[Hint, None] = {}
        self._lock = threading.RLock()

    def put(self, hints: Iterable[Hint]) -> None:
        """Add hints; above OUTBOX_HINTS_MAX they all become EVERYTHING."""
        with self._lock:
            self._hints.update(dict.fromkeys(hints))
            if len(self._hints) > OUTBOX_HINTS_MAX or EVERYTHING in self._hints:
                self._hints = {EVERYTHING: None}

    def take(self, bytes_max: int | None = BATCH_BYTES_MAX) -> list[Hint]:
        """Remove and return hints that encode to at most `bytes_max` (None: all of them).

        They are gone from here before they are sent, and `put` back when that fails: a hint published
        during the sending must go out again, because its commit may be later than the reader's look.
        """
        with self._lock:
            if bytes_max is None:
                taken = list(self._hints)
            else:
                taken, room = [], bytes_max
                for hint in self._hints:
                    room -= 4 * (len(hint.topic) + len(hint.payload)) + 2  # UTF-8 takes at most 4 a character
                    if room < 0:
                        break
                    taken.append(hint)
            for hint in taken:
                del self._hints[hint]
        return taken

    def __len__(self) -> int:
        return len(self._hints)
