"""What the running appliance can do, measured from outside: waiting phones, wake-ups, Sync, reception.

Run it with `python -m tests.bench` (`--quick` for a shorter one). Server and clients share the machine,
so a rate includes the client's work; CPU per item and the ratios do not. Every ratio compares two things
measured in the same run.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from appliance.phone import Phone
from tests.bench import bench_waiting
from tests.bench.bench_waiting import LIST, MB, Crowds
from tests.bench.made_mail import message
from tests.bench.measure import (
    Row,
    cpu_s,
    fsyncs_per_s,
    pss_bytes,
    raise_file_limit,
    rss_bytes,
    spread_ms,
    wait_until,
)
from tests.bench.postfix import PostfixMissing, PrivatePostfix
from tests.bench.workplace import ADMIN, PASSWORD, Workplace
from tests.clients.appliance_process import ROOT

PAGE = 512
TARGETS = 20
RECEIVER = "reception@example.com"
NEWCOMER = "newcomer@example.com"


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    crowds: Crowds
    initial: int
    folders: tuple[int, ...]
    increments: int
    sessions: tuple[int, ...]
    reception_s: float


NORMAL = Sizes(Crowds((2_000, 10_000), (1_000, 5_000), 200), 10_000, (100, 10_000), 30, (1, 10, 50), 4.0)
QUICK = Sizes(Crowds((1_000,), (500,), 60), 2_000, (100, 5_000), 15, (1, 10), 2.0)
LARGE = replace(NORMAL, folders=(100, 10_000, 100_000))
"""Filling the largest folder takes several minutes."""


def run(sizes: Sizes) -> Iterator[Row]:
    """Measure everything; yields each row as soon as it is known."""
    raise_file_limit()
    with Workplace() as place:
        place.set_up(ADMIN, PASSWORD)
        yield idle(place)
        crowd = [f"crowd{number}@example.com" for number in range(1 + sizes.crowds.largest // 900)]
        targets = [f"target{number}@example.com" for number in range(TARGETS)]
        folders = [f"folder{size}@example.com" for size in sizes.folders]
        place.add_users([*crowd, *targets, *folders, NEWCOMER, RECEIVER])
        yield from reception(place, sizes)
        yield from initial(place, sizes)
        yield from incremental(place, sizes)
        yield from bench_waiting.run(place, crowd, targets, sizes.crowds)


def idle(place: Workplace) -> Row:
    """The memory of the appliance with nobody there, after one phone has been served."""
    phone, inbox = place.signed_in(ADMIN)
    phone.sync(inbox)
    phone.close()
    pids = place.all_pids()
    shared, counted = sum(map(pss_bytes, pids)) / MB, sum(map(rss_bytes, pids)) / MB
    return Row(
        "idle", f"memory of all {len(pids)} processes", f"{shared:.0f} MB", f"PSS; RSS {counted:.0f} MB"
    )


def initial(place: Workplace, sizes: Sizes) -> Iterator[Row]:
    """A new phone fetches a full Inbox."""
    seconds = timed(lambda: place.fill(NEWCOMER, sizes.initial))
    area = f"Sync of {sizes.initial} messages"
    yield Row(area, "import before it (appliance message import)", f"{sizes.initial / seconds:.0f}/s")
    place.restart()
    for name in ("first phone", "second phone"):
        phone, inbox = place.signed_in(NEWCOMER, device_id=name.replace(" ", ""))
        cpu = place.worker_cpu_s()
        seconds = timed(lambda: phone.sync(inbox, options=LIST, window_size=PAGE))  # noqa: B023 - called now
        cpu = place.worker_cpu_s() - cpu
        found = len(phone.mailbox.collection(inbox).items)
        if found != sizes.initial:
            raise RuntimeError(f"{found} of {sizes.initial} messages arrived")
        yield Row(
            area,
            f"{name}: items/s, client included",
            f"{found / seconds:.0f}/s",
            f"{cpu / found * 1000:.3f} ms CPU each = {found / cpu:.0f}/s per core",
        )
        phone.close()
    yield Row(area, "web worker at its highest", f"{place.worker_rss_bytes(peak=True) / MB:.0f} MB")


def incremental(place: Workplace, sizes: Sizes) -> Iterator[Row]:
    """One new message, in folders of different sizes."""
    medians: dict[int, float] = {}
    for size in sizes.folders:
        address = f"folder{size}@example.com"
        place.fill(address, size, small=True)
        phone, inbox = place.signed_in(address)
        phone.sync(inbox, options=LIST, window_size=PAGE)
        cpu = place.worker_cpu_s()
        seconds = [one_change(place, phone, inbox, number) for number in range(sizes.increments)]
        cpu = (place.worker_cpu_s() - cpu) / sizes.increments
        medians[size] = statistics.median(seconds)
        ratio = medians[size] / medians[sizes.folders[0]]
        yield Row(
            "Sync of one change",
            f"folder of {size}",
            spread_ms(seconds),
            f"{cpu * 1000:.1f} ms CPU, {ratio:.2f}× the folder of {sizes.folders[0]}",
        )
        phone.close()


def one_change(place: Workplace, phone: Phone, inbox: str, number: int) -> float:
    """Deliver a message and return the seconds of the Sync that brings it."""
    raw = message(1_000_000 + number, phone.address, small=True)
    place.postman().deliver("writer@example.net", phone.address, raw)
    started = time.monotonic()
    delta = phone.sync(inbox, options=LIST, pages_max=1)
    seconds = time.monotonic() - started
    if len(delta.added) != 1:
        raise RuntimeError(f"one message was delivered, {len(delta.added)} came")
    return seconds


def reception(place: Workplace, sizes: Sizes) -> Iterator[Row]:
    """Durable messages per second, beside the disk's own rate and beside Postfix."""
    (smtpd,) = place.processes()["smtpd"][:1]
    loads = {}
    for sessions in sizes.sessions:
        cpu = cpu_s(smtpd.pid)
        load = loads[sessions] = smtp_load(place.ports["smtp"], RECEIVER, sessions, sizes.reception_s)
        each = (cpu_s(smtpd.pid) - cpu) / max(1, load.acknowledged) * 1000
        probe = fsyncs_per_s(place.data, int(load.bytes_each))
        yield Row(
            "reception",
            sessions_of(sessions),
            f"{load.rate:.0f} messages/s",
            f"{load.rate / probe:.2f}× the disk's {probe:.0f} fsync/s; {each:.2f} ms CPU each{load.trouble}",
        )
    try:
        with PrivatePostfix(RECEIVER.partition("@")[0]) as postfix:
            for sessions, ours in loads.items():
                yield beside_postfix(postfix, sessions, ours.rate, sizes.reception_s)
    except PostfixMissing as reason:
        yield Row("reception", "Postfix", "not compared", str(reason))


def beside_postfix(postfix: PrivatePostfix, sessions: int, ours: float, seconds: float) -> Row:
    """The same load on Postfix: its rate into the queue, and until everything is in the mailbox."""
    before = postfix.delivered()
    started = time.monotonic()
    load = smtp_load(postfix.port, RECEIVER, sessions, seconds)
    if not load.acknowledged:
        raise PostfixMissing(f"accepts nothing: {load.first_refusal}")
    all_there = wait_until(lambda: postfix.delivered() - before >= load.acknowledged, 60, 0.05)
    rate = load.acknowledged / (time.monotonic() - started)
    delivered = f"{rate:.0f}/s in the mailbox: ours is {ours / rate:.2f}×" if all_there else "delivery stuck"
    return Row(
        "reception",
        f"Postfix, {sessions_of(sessions)}",
        f"{load.rate:.0f} messages/s",
        f"ours is {ours / load.rate:.2f}×; {delivered}{load.trouble}",
    )


def sessions_of(count: int) -> str:
    return f"{count} session" + ("s" if count > 1 else "")


@dataclass(frozen=True)
class Load:
    """What `smtp_load` reports."""

    acknowledged: int
    refused: int
    first_refusal: str
    seconds: float
    client_cpu_s: float
    bytes_each: float

    @property
    def rate(self) -> float:
        return self.acknowledged / self.seconds

    @property
    def trouble(self) -> str:
        return f"; {self.refused} refusals: {self.first_refusal}" if self.refused else ""


def smtp_load(port: int, recipient: str, sessions: int, seconds: float) -> Load:
    """Run the load client in its own process."""
    words = ("--port", port, "--sessions", sessions, "--seconds", seconds, "--recipient", recipient)
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.smtp_load", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds + 120,
        check=True,
    )
    return Load(**json.loads(done.stdout))


def timed(work: Callable[[], object]) -> float:
    """Return the seconds some work took."""
    started = time.monotonic()
    work()
    return time.monotonic() - started
