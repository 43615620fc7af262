"""Measure commits per second: `python -m tests.integration.db.rates [FOLDER]`, the disk to measure.

Prints one line per case. Every commit stores one note of 4 kB and is durable when it counts.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - after the patching
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from appliance import db, metrics  # noqa: E402
from tests.fakes.postgres import PostgresServer, why_not  # noqa: E402
from tests.fixtures.notes import create_table, write  # noqa: E402

SECONDS = 3.0
FILLER = "x" * 4000


def per_second(step: Callable[[], object]) -> float:
    """Repeat `step` for a while and return its rate."""
    count = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        step()
        count += 1
    return count / elapsed


def fsyncs(folder: Path) -> float:
    """Return how often the disk takes 4 kB for good, one after the other."""
    with (folder / "fsync").open("wb", buffering=0) as file:

        def append() -> None:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())

        return per_second(append)


def singles() -> float:
    """Return commits per second of one greenlet alone."""
    numbers = iter(range(10**9))
    return per_second(lambda: write(f"single {next(numbers)} {FILLER}"))


def together(greenlets: int) -> tuple[float, float]:
    """Return commits per second of many greenlets, and the worst lateness of the hub in ms."""
    done = 0
    worst = 0.0
    ends = time.perf_counter() + SECONDS

    def work(name: int) -> None:
        nonlocal done
        number = 0
        while time.perf_counter() < ends:
            write(f"{greenlets} {name} {number} {FILLER}")
            number += 1
            done += 1

    def tick() -> None:
        nonlocal worst
        while True:
            due = time.perf_counter() + 0.002
            gevent.sleep(0.002)
            worst = max(worst, time.perf_counter() - due)

    ticker = gevent.spawn(tick)
    started = time.perf_counter()
    gevent.joinall([gevent.spawn(work, name) for name in range(greenlets)], raise_error=True)
    ticker.kill()
    return done / (time.perf_counter() - started), worst * 1000


def measure(name: str, url: str, folder: Path) -> None:
    """Print the rates of one database."""
    db.open(url, folder)
    create_table()
    print(f"{name}: {singles():.0f} commits/s one by one", flush=True)
    for greenlets in (10, 50, 200):
        jobs, groups = (_sample(part) for part in ("sum", "count"))
        rate, late_ms = together(greenlets)
        line = f"{name}: {rate:.0f} commits/s from {greenlets} greenlets, hub at most {late_ms:.0f} ms late"
        if db.is_sqlite():
            size = (_sample("sum") - jobs) / (_sample("count") - groups)
            line += f", {size:.1f} per fsync"
        print(line, flush=True)
    db.close()


def _sample(part: str) -> float:
    return metrics.sample(f"appliance_db_group_size_{part}")


def main() -> None:
    """Measure the disk, SQLite and PostgreSQL."""
    parent = sys.argv[1] if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        print(f"disk: {fsyncs(folder):.0f} fdatasync/s of 4 kB appended", flush=True)
        measure("SQLite", "sqlite", folder)
        if (reason := why_not()) is not None:
            print(f"PostgreSQL: {reason}")
            return
        server = PostgresServer(durable=True)
        try:
            server.start()
            measure("PostgreSQL", server.new_database(migrated=False), folder)
        finally:
            server.remove()


if __name__ == "__main__":
    main()
