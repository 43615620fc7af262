"""Waiting phones: what each costs, how soon a message wakes one of them, how they are sent home.

One crowd grows from the smallest size to the largest; at some sizes its memory is measured, at others
the wake-up of a few phones in it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.phone import Phone
from appliance.phone.changes import BodyPreference, Options
from tests.bench.crowd import WaitingCrowd
from tests.bench.made_mail import message
from tests.bench.measure import Row, spread_ms, wait_until
from tests.bench.workplace import ADMIN, PASSWORD, Workplace
from tests.e2e.waiting import Waiting

MB = 1024 * 1024
IDLE_S = 5.0
RECHECK_S = 60.0
"""A waiting request looks into the database this often ([web] recheck_interval_s): the largest crowd is
watched for that long, or its cost would fall outside the measurement."""
LARGE_CROWD = 5_000
HELD_GAUGE = b"appliance_eas_held"
LIST = Options(body=(BodyPreference(1, 500),))
TARGET_DEVICE = "woken"


@dataclass(frozen=True)
class Crowds:
    """At which sizes memory (`held`) and wake-ups (`wake`) are measured, and with how many deliveries."""

    held: tuple[int, ...]
    wake: tuple[int, ...]
    deliveries: int

    @property
    def largest(self) -> int:
        return max(self.held + self.wake)


def run(place: Workplace, accounts: list[str], targets: list[str], sizes: Crowds) -> Iterator[Row]:
    """Measure at every size; at the end the appliance has been stopped and started again."""
    place.restart()
    with WaitingCrowd(place, accounts) as crowd:
        phones = [place.signed_in(target, device_id=TARGET_DEVICE) for target in targets]
        for phone, inbox in phones:
            phone.sync(inbox, options=LIST)
        before = place.worker_rss_bytes()
        for size in sorted({*sizes.held, *sizes.wake}):
            if size in sizes.wake:
                crowd.grow(size - len(phones))
                yield wake(place, phones, size, sizes.deliveries)
                crowd.must_all_wait()
            if size in sizes.held:
                idle_s = RECHECK_S if size >= LARGE_CROWD else IDLE_S
                yield from hold(place, crowd, size, before, idle_s)
        yield from stop(place, crowd)


def hold(place: Workplace, crowd: WaitingCrowd, size: int, before: int, idle_s: float) -> Iterator[Row]:
    """Let the crowd grow to this size and look at what it costs."""
    area, added = f"{size} held Pings", size - crowd.count
    started = time.monotonic()
    crowd.grow(size)
    if not wait_until(lambda: held_now(place) >= size, 60):
        raise RuntimeError(f"{held_now(place)} of {size} Pings are held")
    rate = added / (time.monotonic() - started)
    now = place.worker_rss_bytes()
    yield Row(area, "memory each in the web worker", f"{(now - before) / size / 1024:.1f} kB")
    yield Row(area, "web worker in all", f"{now / MB:.0f} MB")
    yield Row(area, "Sync 0 and Ping of a new phone", f"{rate:.0f} phones/s")
    cpu = place.worker_cpu_s()
    time.sleep(idle_s)
    share = (place.worker_cpu_s() - cpu) / idle_s
    yield Row(area, "CPU while nothing happens", f"{share * 100:.1f} %", f"of a core, over {idle_s:.0f} s")
    crowd.must_all_wait()


def stop(place: Workplace, crowd: WaitingCrowd) -> Iterator[Row]:
    """Stop the appliance and count the polite answers."""
    seconds = place.stop(120)
    final = crowd.farewell()
    area = f"{crowd.count} held Pings"
    polite = f"{final.polite} of {crowd.count}"
    yield Row(
        area, "answered with 200 at a stop", polite, f"in {final.seconds:.1f} s; stopped in {seconds:.1f} s"
    )
    place.start()


def held_now(place: Workplace) -> int:
    """Return the server's own count of held requests."""
    phone = Phone(place.http, ADMIN, PASSWORD)
    lines = phone.transport.request("GET", "/metrics", {}).body.splitlines()
    phone.close()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(HELD_GAUGE))


def wake(place: Workplace, phones: list[tuple[Phone, str]], size: int, deliveries: int) -> Row:
    """From the 250 of a delivery to the answer of the Ping it wakes, with many others asleep."""
    latencies: list[float] = []
    while len(latencies) < deliveries:
        latencies += wake_each(place, phones)
    return Row(
        "wake-up", f"250 to Ping answer, {size} held", spread_ms(latencies), f"{len(latencies)} deliveries"
    )


def wake_each(place: Workplace, phones: list[tuple[Phone, str]]) -> list[float]:
    """Hold a Ping on every target, wake one after the other; return the seconds each took."""
    held = [Waiting(phone, inbox, 600) for phone, inbox in phones]
    if not all(waiting.is_held(0.05) for waiting in held):
        raise RuntimeError("a Ping was answered before anything happened")
    seconds = []
    for number, (waiting, (phone, _)) in enumerate(zip(held, phones, strict=True)):
        letter = message(number, phone.address, small=True)
        accepted_at = place.postman().deliver("writer@example.net", phone.address, letter)
        waiting.ended()
        seconds.append(max(0.0, waiting.finished_at - accepted_at))
    for phone, inbox in phones:
        phone.sync(inbox, options=LIST)
    return seconds
