"""A process that delivers mail, for tests that kill it.

`python -m tests.integration.store.deliverer URL DIR NAME [--die POINT]`: delivers messages that `message_for`
describes, one after the other from three greenlets, and deletes every fifth again; each line on standard
output is a number whose delivery has returned. It goes on until it is killed; with --die it kills itself at
that point of its tenth delivery. A line on standard input starts it.
"""

from gevent import monkey

if __name__ == "__main__":
    monkey.patch_all()

import argparse
import itertools
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import gevent

from appliance import db
from appliance.accounts import accounts
from appliance.delivery import inbound
from appliance.errors import NotFound
from appliance.store import blobs, filing, messages
from tests.unit.store.mailbox import DOMAIN, HOSTNAME, envelope, listing, mail

GREENLETS: Final = 3
DIES_AT: Final = 10
POINTS: Final[dict[str, tuple[object, str, bool]]] = {
    "before the file is renamed": (Path, "rename", False),
    "after the file is renamed": (Path, "rename", True),
    "between file and row": (blobs, "put", True),
    "before the row of the blob": (blobs, "link", False),
    "after the row of the item": (filing, "insert_item", True),
    "after the commit": (inbound, "_log_delivered", False),
}
"""What is being done, and whether the process dies after it (or before)."""


def message_for(name: str, number: int) -> bytes:
    """Return a message: most are small, every third is a file, some are the same for everybody."""
    subject = f"{name if number % 4 else 'shared'} {number}"
    return mail(subject, size=200_000 if number % 3 == 0 else 0)


def deliver(name: str, numbers: "itertools.count[int]", address: str) -> None:
    """Deliver one message after the other and say so."""
    for number in numbers:
        inbound.deliver(envelope("anna", "ben"), message_for(name, number), hostname=HOSTNAME)
        os.write(1, f"{number}\n".encode())  # one system call: a kill leaves whole lines
        if number % 5 == 4:
            _delete_some(address)


def _delete_some(address: str) -> None:
    """Delete Ben's oldest messages; Anna's stay."""
    with db.connection():
        owner = accounts.require(address).id
    for found in listing(owner)[-2:]:
        with suppress(NotFound):  # another process was faster
            messages.delete(owner, found.id)


def dies_at(point: str) -> None:
    """Let the process kill itself when it comes to a point for the tenth time."""
    owner, name, after = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)
    times = itertools.count(1)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        is_time = next(times) == DIES_AT
        if is_time and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        value = real(*args, **kwargs)
        if is_time:
            os.kill(os.getpid(), signal.SIGKILL)
        return value

    setattr(owner, name, deadly)


def main() -> None:
    """Open the store, wait for the start, deliver."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("name")
    parser.add_argument("--die", choices=POINTS)
    chosen = parser.parse_args()
    db.open(chosen.url, chosen.data_dir)
    blobs.configure(chosen.data_dir)
    if chosen.die:
        dies_at(chosen.die)
    sys.stdin.readline()
    numbers = itertools.count()
    greenlets = [
        gevent.spawn(deliver, chosen.name, numbers, f"ben@{DOMAIN}")
        for _ in range(1 if chosen.die else GREENLETS)
    ]
    gevent.joinall(greenlets, raise_error=True)


if __name__ == "__main__":
    main()
