"""Numbers and how they are shown: rows of a table, percentiles, what /proc knows about a process."""

import os
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
KB = 1024


@dataclass(frozen=True)
class Row:
    """One line of the table; ratio compares with something measured in the same run, and says with what."""

    area: str
    what: str
    value: str
    ratio: str = ""


def table(rows: Iterable[Row]) -> str:
    """Return the rows in columns, with a blank line between areas."""
    listed = list(rows)
    widths = [max(len(getattr(row, name)) for row in listed) for name in ("area", "what", "value")]
    lines = []
    area = ""
    for row in listed:
        if area and row.area != area:
            lines.append("")
        shown = row.area if row.area != area else ""
        area = row.area
        cells = f"{shown:<{widths[0]}}  {row.what:<{widths[1]}}  {row.value:>{widths[2]}}  {row.ratio}"
        lines.append(cells.rstrip())
    return "\n".join(lines)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def spread_ms(seconds: Sequence[float]) -> str:
    """Return median and 99th percentile in milliseconds."""
    return f"p50 {statistics.median(seconds) * 1000:.1f} ms, p99 {percentile(seconds, 0.99) * 1000:.1f} ms"


def cpu_s(pid: int) -> float:
    """Return the CPU seconds, user and system, a process has used."""
    stat = Path(f"/proc/{pid}/stat").read_text()
    fields = stat[stat.rindex(")") + 2 :].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def rss_bytes(pid: int, *, peak: bool = False) -> int:
    """Return the resident memory of a process, now or at its highest."""
    return _status_kb(pid, "VmHWM" if peak else "VmRSS") * KB


def pss_bytes(pid: int) -> int:
    """Return the memory of a process with shared pages divided among their users."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * KB
    raise ValueError(f"no Pss for {pid}")


def _status_kb(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise ValueError(f"no {name} for {pid}")


def raise_file_limit() -> int:
    """Allow as many open files as the system lets us, children included; return how many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def fsyncs_per_s(directory: Path, size_bytes: int, seconds: float = 1.0) -> float:
    """Return how often per second the disk makes a piece of this size durable, one after the other."""
    path = directory / "fsync.probe"
    data = os.urandom(size_bytes)
    done = 0
    with path.open("wb", buffering=0) as file:
        started = time.monotonic()
        while (elapsed := time.monotonic() - started) < seconds:
            file.write(data)
            os.fsync(file.fileno())
            done += 1
    path.unlink()
    return done / elapsed


def wait_until(condition: Callable[[], bool], timeout_s: float, pause_s: float = 0.2) -> bool:
    """Wait for a condition; tell whether it came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause_s)
    return True
