"""Waiting for something to happen: shared by Ping and by Sync with Wait or HeartbeatInterval.

Theory of operation: register on the bus, then look, then wait for a hint and look again. A hint that
is lost is made up for every `recheck_s`: one indexed read of the account's change number says whether
anything has happened at all, and only then is looked again. While waiting, nothing is held but the
watcher; a database connection is opened for a look and given back.

A device waits once: a newer Ping or Sync of the same device ends the older wait, wherever it is held.
"""

import secrets
from collections.abc import Callable, Iterable
from enum import Enum, auto

from appliance import bus, db
from appliance.clock import Clock
from appliance.devices import wiping
from appliance.eas.context import Context
from appliance.store import modseq

NOTHING_SEEN = -1


class Ended(Enum):
    """Why a wait ended without anything found."""

    EXPIRED = auto()  # the interval is over
    SUPERSEDED = auto()  # the device has asked something newer
    DRAINING = auto()  # this process is about to stop: answer politely, the device will come back


def hold[T](
    look: Callable[[], T | None],
    *,
    account_id: int,
    device_id: int,
    folders: Iterable[str],
    interval_s: float,
    recheck_s: float,
    clock: Clock,
) -> T | Ended:
    """Return what `look` finds, as soon as it finds something, or why the wait ended.

    folders: the folder ids whose changes matter; a hint about any other is ignored. Changes of the
    folder tree always matter.
    """
    account, device = bus.account_topic(account_id), bus.device_topic(device_id)
    relevant = {*folders, bus.HIERARCHY, bus.ANYTHING}
    ticket = secrets.token_hex(8)
    deadline = clock.monotonic() + interval_s
    with bus.watch((account, device)) as watcher:
        bus.publish(device, ticket)
        seen = NOTHING_SEEN
        look_again = True
        while True:
            if look_again:
                seen, found = _look_if_changed(look, account_id, seen)
                if found is not None:
                    return found
            remaining = deadline - clock.monotonic()
            if remaining <= 0:
                return Ended.EXPIRED
            hints = watcher.wait(min(remaining, recheck_s))
            if watcher.draining:
                return Ended.DRAINING
            if any(hint.topic == device and hint.payload not in ("", ticket) for hint in hints):
                return Ended.SUPERSEDED
            is_news = any(hint.topic == account and hint.payload in relevant for hint in hints)
            seen = NOTHING_SEEN if is_news else seen
            look_again = is_news or not hints


def _look_if_changed[T](look: Callable[[], T | None], account_id: int, seen: int) -> tuple[int, T | None]:
    """Return the account's change number and what `look` finds; it looks only if the number has moved.

    The number is read first: what changes while `look` looks is found by the next look.
    """
    with db.connection():
        latest = modseq.latest(account_id)
        return latest, look() if latest != seen else None


def shortened(context: Context, interval_s: float) -> float:
    """Return how long a device may wait: an interval, but not beyond the moment it is to be wiped."""
    due_s = wiping.seconds_until_due(context.device, context.now)
    return interval_s if due_s is None else min(interval_s, due_s)


def supersede(device_id: int) -> None:
    """End the wait of a device that has begun something new."""
    bus.publish(bus.device_topic(device_id), secrets.token_hex(8))
