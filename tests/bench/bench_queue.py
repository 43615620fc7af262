"""The outgoing queue: what a claim costs however much waits, mail relayed beside Postfix, memory.

Run it with `python -m tests.bench.bench_queue`. The rates are durable on both sides: what is relayed lies in
a queue on the same disk before, and is removed from it one by one. Both hand over to one server of ours.
"""

from gevent import monkey

monkey.patch_all()

import base64  # noqa: E402
import smtplib  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from datetime import UTC, datetime, timedelta  # noqa: E402
from pathlib import Path  # noqa: E402

from appliance import bus, db  # noqa: E402
from appliance.net.bus_open import open_bus  # noqa: E402
from appliance.queue import control, entries  # noqa: E402
from appliance.queue.control import Selection  # noqa: E402
from appliance.queue.priority import Priority  # noqa: E402
from appliance.store import blobs  # noqa: E402
from tests.bench.made_mail import message  # noqa: E402
from tests.bench.measure import Row, cpu_s, rss_bytes, spread_ms, table, wait_until  # noqa: E402
from tests.bench.postfix import PostfixMissing, PrivatePostfix  # noqa: E402
from tests.clients.appliance_process import DOMAIN, RunningAppliance  # noqa: E402
from tests.fakes.dns import FakeDns  # noqa: E402
from tests.fakes.mx import FakeMx  # noqa: E402
from tests.fixtures.certificate import trusting_anyone  # noqa: E402

MANY, FEW, CLAIMS, CLAIMED = 100_000, 100, 40, 20
RELAYED, PATIENCE_S = 600, 120
LARGE_BYTES, MB = 25_000_000, 1_000_000
HEADER = (
    b"From: sender@example.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
)
SENDER, PASSWORD = f"sender@{DOMAIN}", "correct horse battery"
FAR = "far.example.net"


class Sink(FakeMx):
    """Counts and forgets."""

    def __init__(self) -> None:
        super().__init__(extensions=("PIPELINING", "SIZE 100000000", "8BITMIME"))
        self.taken = 0

    def took(self, _message: object) -> None:
        self.taken += 1
        self.messages.clear()
        self.commands.clear()


def run() -> Iterator[Row]:
    yield from claims()
    yield from relayed()
    yield memory()


def claims() -> Iterator[Row]:
    """A claim of 20 with 100 entries waiting for later, and with 100,000."""
    medians = []
    with tempfile.TemporaryDirectory(prefix="bench-queue-") as folder:
        db.open("sqlite", Path(folder))
        blobs.configure(Path(folder))
        bus.use(bus.LocalBus())
        filled = 0
        for size in (FEW, MANY):
            fill(size - filled)
            filled = size
            seconds = claim_times()
            medians.append(sorted(seconds)[len(seconds) // 2])
            yield Row(
                "queue",
                f"claim of {CLAIMED}, {size} waiting",
                spread_ms(seconds),
                f"{medians[-1] / medians[0]:.2f}× that of {FEW}",
            )
        db.close()


def fill(number: int) -> None:
    """Add entries that are due tomorrow, of every kind, spread over domains."""
    blob = blobs.put(message(1, "b@example.net"))
    later = datetime.now(UTC) + timedelta(hours=1)
    for start in range(0, number, 1_000):
        recipients = [
            (f"b{n}@d{n % 500}.example.net", f"d{n % 500}.example.net")
            for n in range(start, min(start + 1_000, number))
        ]
        entries.add(
            blob,
            account_id=None,
            reverse_path="a@example.com",
            recipients=recipients,
            now=later,
            priority=Priority(start // 1_000 % 3),
        )


def claim_times() -> list[float]:
    found = []
    blob = blobs.put(message(2, "b@example.net"))
    for _ in range(CLAIMS):
        now = datetime.now(UTC)
        recipients = [(f"c{n}@example.net", "example.net") for n in range(CLAIMED)]
        entries.add(blob, account_id=None, reverse_path="a@example.com", recipients=recipients, now=now)
        started = time.perf_counter()
        claimed = entries.claim(datetime.now(UTC), limit=CLAIMED, lease_s=900)
        found.append(time.perf_counter() - started)
        if len(claimed) != CLAIMED:
            raise RuntimeError(f"{len(claimed)} entries instead of {CLAIMED}")
        for entry in claimed:
            entries.remove(entry)
    return found


def relayed() -> Iterator[Row]:
    """Messages per second from a durable queue to another server, ours and Postfix's."""
    raw = [message(number, f"b@{FAR}") for number in range(50)]
    with Sink() as sink:
        ours, cpu = our_rate(sink, raw)
        yield Row(
            "relay",
            f"{RELAYED} waiting messages to one server",
            f"{ours:.0f} messages/s",
            f"{cpu * 1000:.2f} ms CPU each",
        )
        try:
            theirs = postfix_rate(sink, raw)
        except PostfixMissing as reason:
            yield Row("relay", "Postfix", "not compared", str(reason))
        else:
            yield Row(
                "relay", "Postfix, the same", f"{theirs:.0f} messages/s", f"ours is {ours / theirs:.2f}×"
            )


def our_rate(sink: Sink, raw: list[bytes]) -> tuple[float, float]:
    """Return messages per second, and seconds of CPU for each."""
    zones = {FAR: {"MX": ["10 mx.example.net."]}, "mx.example.net": {"A": ["127.0.0.1"]}}
    with FakeDns(zones) as dns, RunningAppliance(config=config_for(dns.port, sink.port)) as place:
        place.set_up(SENDER, PASSWORD)
        with opened(place):
            ids: list[int] = []
            for number in range(RELAYED):
                ids += entries.add(
                    blobs.put(raw[number % len(raw)] + f"{number}\r\n".encode()),
                    account_id=None,
                    reverse_path=SENDER,
                    recipients=[(f"b@{FAR}", FAR)],
                    now=datetime.now(UTC) + timedelta(hours=1),
                )
            (process,) = place.processes()["smtpd"][:1]
            before, started, cpu = sink.taken, time.monotonic(), cpu_s(process.pid)
            control.retry(Selection(ids), datetime.now(UTC))
            return rate_until(sink, before, started), (cpu_s(process.pid) - cpu) / RELAYED


def postfix_rate(sink: Sink, raw: list[bytes]) -> float:
    waits = {"relayhost": f"[127.0.0.1]:{sink.port}", "defer_transports": "smtp"}
    with PrivatePostfix("nobody", waits) as postfix:
        with smtplib.SMTP("127.0.0.1", postfix.port) as inject:
            for number in range(RELAYED):
                inject.sendmail(SENDER, [f"b@{FAR}"], raw[number % len(raw)])
        wait_until(lambda: postfix.log().count("status=deferred") >= RELAYED, PATIENCE_S, 0.1)
        before, started = sink.taken, time.monotonic()
        postfix.change({"defer_transports": ""})
        return rate_until(sink, before, started)


def rate_until(sink: Sink, before: int, started: float) -> float:
    if not wait_until(lambda: sink.taken - before >= RELAYED, PATIENCE_S, 0.005):
        raise RuntimeError(f"{sink.taken - before} of {RELAYED} messages arrived")
    return RELAYED / (time.monotonic() - started)


def config_for(dns_port: int, mx_port: int) -> str:
    return (
        f'[dns]\nresolver = "127.0.0.1"\nport = {dns_port}\n'
        f"[relay]\nport = {mx_port}\nconnections_per_destination_max = 20\n"
        f"[submission]\nsize_bytes_max = 60000000\n"
    )


@contextmanager
def opened(place: RunningAppliance) -> Iterator[None]:
    """Open the database of a running appliance, with its bus, in this process."""
    db.open("sqlite", place.data)
    blobs.configure(place.data)
    current = open_bus("unix", place.data / "run", "bench")
    before = bus.use(current)
    try:
        yield
    finally:
        bus.use(before)
        current.close()
        db.close()


def memory() -> Row:
    """What the SMTP process needs at its highest for one large message, from a user to another server."""
    zones = {FAR: {"MX": ["10 mx.example.net."]}, "mx.example.net": {"A": ["127.0.0.1"]}}
    with (
        Sink() as sink,
        FakeDns(zones) as dns,
        RunningAppliance(config=config_for(dns.port, sink.port)) as place,
    ):
        place.set_up(SENDER, PASSWORD)
        (process,) = place.processes()["smtpd"][:1]
        send(place, b"small\r\n")
        wait_until(lambda: sink.taken >= 1, PATIENCE_S, 0.05)
        before = rss_bytes(process.pid)
        send(place, large_body())
        if not wait_until(lambda: sink.taken >= 2, PATIENCE_S, 0.05):
            raise RuntimeError("the large message did not arrive")
        more = rss_bytes(process.pid, peak=True) - before
    return Row(
        "relay",
        f"memory for a message of {LARGE_BYTES // MB} MB, submitted and relayed",
        f"{more / MB:.0f} MB at its highest",
        f"{more / LARGE_BYTES:.2f}× the message",
    )


def large_body() -> bytes:
    """Return the body of a message that is one attachment."""
    line = base64.encodebytes(bytes(range(57))).strip() + b"\r\n"
    part = b"Content-Type: application/zip; name=x.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return b"--b\r\n" + part + line * (LARGE_BYTES // len(line)) + b"--b--\r\n"


def send(place: RunningAppliance, body: bytes) -> None:
    with smtplib.SMTP("127.0.0.1", place.ports["submission"], timeout=PATIENCE_S) as server:
        server.starttls(context=trusting_anyone())
        server.login(SENDER, PASSWORD)
        server.sendmail(SENDER, [f"b@{FAR}"], HEADER + body)


if __name__ == "__main__":
    rows = []
    for row in run():
        rows.append(row)
        print(f"  {row.what}: {row.value} {row.ratio}".rstrip(), file=sys.stderr, flush=True)
    print(table(rows))
