"""`make bench`: every measurement of the project in one table.

python -m tests.bench [--quick | --large] [--only server,store,queue,search,wbxml,mime]
"""

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from tests.bench import bench_server
from tests.bench.measure import table
from tests.clients.appliance_process import ROOT

PARTS = ("server", "store", "queue", "search", "wbxml", "mime")
"""The first is measured here; the others are modules of their own, in processes of their own."""


def machine() -> str:
    """Return what the numbers were measured on, in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} × {model}, Python {platform.python_version()}, load {load:.1f} before"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, about a minute")
    parser.add_argument("--large", action="store_true", help="a folder of 100,000 messages as well")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    chosen = parser.parse_args()
    wanted = set(chosen.only.split(","))
    if unknown := wanted - set(PARTS):
        parser.error(f"no measurement called {', '.join(sorted(unknown))}")
    started = time.monotonic()
    print(machine(), flush=True)
    if "server" in wanted:
        rows = []
        sizes = bench_server.LARGE if chosen.large else bench_server.NORMAL
        for row in bench_server.run(bench_server.QUICK if chosen.quick else sizes):
            rows.append(row)
            print(f"  {row.area}: {row.what}: {row.value} {row.ratio}".rstrip(), file=sys.stderr, flush=True)
        print("\nThe running appliance\n\n" + table(rows))
    for part in PARTS[1:]:
        if part in wanted:
            print(f"\n{part}\n", flush=True)
            subprocess.run([sys.executable, "-m", f"tests.bench.bench_{part}"], cwd=ROOT, check=True)
    print(f"\n{time.monotonic() - started:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
