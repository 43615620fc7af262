"""How fast mail becomes durable: deliveries per second, and what a blob costs inline and as a file.

`run()` returns the rows, measured in a process of its own, which is patched for gevent like the product's.
`python -m tests.bench.bench_store [--quick] [--border]` prints them; --border adds the table behind
decision 0005. Every rate is next to what the same disk does in the same run.
"""

from gevent import monkey

if __name__ == "__main__":  # imported, this module only starts that process
    monkey.patch_all()

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import gevent

from appliance import db
from appliance.accounts import accounts, passwords
from appliance.db.tables import Setting
from appliance.delivery import inbound
from appliance.items.envelope import Envelope
from appliance.settings import Passwords
from appliance.store import blobs
from tests.bench.bench_mime import typical_message
from tests.bench.measure import KB, Row, fsyncs_per_s, spread_ms, table

HOSTNAME = "mail.example.com"
RECIPIENT = "anna@example.com"
SESSIONS = (1, 10, 50)
SIZES_KB = (4, 16, 32, 64, 128, 256, 512, 1024)
WRITERS = (1, 20)
BLOBS_PER_S = 40
HOW = {"inline": 1 << 30, "file": -1}
"""What INLINE_BYTES_MAX must be for everything to be stored that way."""


def run(*, quick: bool = False, border: bool = False) -> list[Row]:
    """Measure and return the rows; quick: half a second for each instead of three."""
    options = ["--json", *(["--quick"] if quick else []), *(["--border"] if border else [])]
    command = [sys.executable, "-m", "tests.bench.bench_store", *options]
    done = subprocess.run(command, capture_output=True, check=True)
    return [Row(**row) for row in json.loads(done.stdout)]


def measured(seconds: float, *, border: bool) -> Iterator[Row]:
    """Yield the rows; needs a patched process without an open database."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield from _deliveries(folder, seconds)
    if border:
        for size_kb in SIZES_KB:
            yield from _blob_costs(size_kb * KB, seconds)
        for size_kb in SIZES_KB:
            yield from _beside_blobs(size_kb * KB, seconds)


# --- deliveries -----------------------------------------------------------------------------------


def _deliveries(folder: Path, seconds: float) -> Iterator[Row]:
    typical = typical_message()
    disk = fsyncs_per_s(folder, len(typical), seconds)
    as_files = _per_second(1, seconds, _file_writer(folder, typical))[0]
    area = f"durable, {len(typical) / KB:.1f} kB"
    yield Row(area, "fsync of one growing file, one after the other", f"{disk:.0f}/s")
    yield Row(area, "a file for each message, as mail servers do", f"{as_files:.0f}/s")
    numbers = itertools.count()

    def deliver() -> None:
        envelope = Envelope(
            reverse_path="bob@example.net", forward_paths=(RECIPIENT,), received_at=datetime.now(UTC)
        )
        inbound.deliver(envelope, b"X-Number: %d\r\n" % next(numbers) + typical, hostname=HOSTNAME)

    with _opened(folder):
        accounts.add_domain("example.com")
        accounts.create(RECIPIENT, "a long enough password")
        for sessions in SESSIONS:
            rate, cpu_ms = _per_second(sessions, seconds, deliver)
            yield Row(
                area,
                f"delivered, {sessions} at a time",
                f"{rate:.0f}/s",
                f"{cpu_ms:.2f} ms CPU each, {rate / as_files:.2f} × a file each",
            )


def _file_writer(folder: Path, raw: bytes) -> Callable[[], None]:
    """Return what stores a message as mail servers do: written, flushed, renamed, directory flushed."""
    numbers = itertools.count()
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)

    def write() -> None:
        path = folder / f"message-{next(numbers)}"
        with path.with_suffix(".new").open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        path.with_suffix(".new").rename(path)
        os.fsync(directory)

    return write


# --- blobs ----------------------------------------------------------------------------------------


def _blob_costs(size: int, seconds: float) -> Iterator[Row]:
    for writers in WRITERS:
        rates = {}
        for how, inline_max in HOW.items():
            with tempfile.TemporaryDirectory() as name, _opened(Path(name)):
                blobs.INLINE_BYTES_MAX = inline_max
                rates[how], cpu_ms = _per_second(writers, seconds, lambda: _store(size))
            ratio = f"{rates['inline'] / rates['file']:.2f} × inline to file" if how == "file" else ""
            what = f"{size // KB} kB as {how}, {writers} at a time"
            yield Row("a blob", what, f"{rates[how]:.0f}/s", f"{cpu_ms:.2f} ms CPU {ratio}".rstrip())


def _beside_blobs(size: int, seconds: float) -> Iterator[Row]:
    """Measure how long a small write takes while blobs of a size arrive at a steady rate."""
    for how, inline_max in HOW.items():
        with tempfile.TemporaryDirectory() as name, _opened(Path(name)):
            blobs.INLINE_BYTES_MAX = inline_max
            waits, largest = _steadily(size, seconds)
        what = f"a small write beside {BLOBS_PER_S}/s of {size // KB} kB as {how}"
        yield Row("others wait", what, spread_ms(waits), f"at most {largest * 1000:.0f} ms")


def _steadily(size: int, seconds: float) -> tuple[list[float], float]:
    waits: list[float] = []
    ends = time.perf_counter() + seconds

    def arrive() -> None:
        due = time.perf_counter()
        while due < ends:
            gevent.spawn(_store, size)
            due += 1 / BLOBS_PER_S
            gevent.sleep(max(0.0, due - time.perf_counter()))

    arrival = gevent.spawn(arrive)
    while (began := time.perf_counter()) < ends:
        _write_small()
        waits.append(time.perf_counter() - began)
        gevent.sleep(0.002)
    arrival.get()
    return waits, max(waits)


def _store(size: int) -> None:
    reference = blobs.put(os.urandom(16) + bytes(size - 16))
    db.transaction(blobs.link)(reference)


@db.transaction
def _write_small() -> None:
    Setting.insert(key="bench", value="x").on_conflict_replace().execute()


# --- measuring ------------------------------------------------------------------------------------


@contextmanager
def _opened(folder: Path) -> Iterator[None]:
    db.open("sqlite", folder)
    blobs.configure(folder)
    passwords.configure(Passwords(passes=1, memory_kib=8, lanes=1))
    try:
        yield
    finally:
        db.close()


def _per_second(greenlets: int, seconds: float, step: Callable[[], None]) -> tuple[float, float]:
    """Return how often per second `step` is done by so many greenlets, and CPU milliseconds of each."""
    step()
    done = 0
    started, cpu = time.perf_counter(), time.process_time()

    def repeat() -> None:
        nonlocal done
        while time.perf_counter() < started + seconds:
            step()
            done += 1

    gevent.joinall([gevent.spawn(repeat) for _ in range(greenlets)], raise_error=True)
    return done / (time.perf_counter() - started), (time.process_time() - cpu) / done * 1000


def main() -> None:
    """Print the table, or JSON for `run`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="half a second for each rate")
    parser.add_argument("--border", action="store_true", help="blobs inline and as files, by size")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = list(measured(0.5 if chosen.quick else 3.0, border=chosen.border))
    print(json.dumps([asdict(row) for row in rows]) if chosen.json else table(rows))


if __name__ == "__main__":
    main()
