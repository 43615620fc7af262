# mypy: disable-error-code="import-untyped"
# gevent ships no annotations.
"""Makes runners of the outgoing queue that can be killed: everything is imported once, then forked.

    python -m tests.e2e.queue_child DATA DNS_PORT MX_PORT

Each number on standard input makes one of that name, whose pid is printed; an empty line or the end of
input ends it all.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

from appliance import bus, db, files, logs, sealing  # noqa: E402
from appliance.clock import SYSTEM_CLOCK  # noqa: E402
from appliance.net.resolver import DnsResolver  # noqa: E402
from appliance.queue import schedule  # noqa: E402
from appliance.settings import Config, Queue, Relay  # noqa: E402
from appliance.store import blobs  # noqa: E402
from smtpd.leaving import Leaving  # noqa: E402


def run(data: Path, dns_port: int, mx_port: int, number: int) -> None:
    """Work off the queue until somebody kills us; our name says which of the runners this is."""
    files.private_directory(data / "run")
    logs.setup(data / "logs")
    db.open("sqlite", data)
    blobs.configure(data)
    sealing.configure(data)
    bus.use(bus.LocalBus())
    config = replace(
        Config(),
        data_dir=data,
        relay=Relay(port=mx_port, retry_after_s=(1,)),
        queue=Queue(concurrency=8, poll_interval_s=1),
    )
    schedule.configure(config.relay)
    resolver = DnsResolver("127.0.0.1", dns_port, lifetime_s=2)
    Leaving(config, resolver, SYSTEM_CLOCK, lambda: f"round{number}.example.test").start()
    while True:
        time.sleep(60)


def main() -> None:
    data, dns_port, mx_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    while (line := os.read(0, 64)) and line.strip():
        pid = os.fork()
        if pid == 0:
            os.close(0)
            run(data, dns_port, mx_port, int(line))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
