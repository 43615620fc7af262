"""One of several runners on the same database: claims, writes down what it delivers, removes.

    python -m tests.integration.queue.runner_process URL DATA LEDGER

Ends when nothing is left. A line of the ledger is `pid uid`, one write each.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from appliance import bus, db  # noqa: E402
from appliance.clock import SYSTEM_CLOCK  # noqa: E402
from appliance.queue import entries  # noqa: E402
from appliance.store import blobs  # noqa: E402


def main() -> None:
    url, data, ledger = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    db.open(url, data)
    blobs.configure(data)
    bus.use(bus.LocalBus())
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND)
    while True:
        claimed = entries.claim(SYSTEM_CLOCK.now(), limit=7, lease_s=900)
        for entry in claimed:
            os.write(descriptor, f"{os.getpid()} {entry.uid}\n".encode())
            assert entries.remove(entry)
        if not claimed:
            with db.connection():
                if not entries.list_entries(1):
                    return
            time.sleep(0.01)


if __name__ == "__main__":
    main()
