"""What a dead runner held is free at once; what a living one holds is not."""

import os
import signal
import subprocess
import sys

from appliance.queue import entries
from appliance.queue.holders import Holder
from appliance.store import blobs
from tests.clients.appliance_process import ROOT
from tests.fixtures.database import Place
from tests.unit.store.mailbox import NOW, OUTSIDE, mail

LOCKS = """
import sys, time
from pathlib import Path
from appliance.queue.holders import Holder
holder = Holder(Path(sys.argv[1]))
print(holder.name, flush=True)
time.sleep(60)
"""


def test_only_the_dead_lose_what_they_held(store: Place) -> None:
    run_dir = store.data_dir / "run"
    entries.add(
        blobs.put(mail()),
        account_id=None,
        reverse_path=OUTSIDE,
        recipients=[("carl@example.org", "example.org")],
        now=NOW,
    )
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKS, str(run_dir)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        name = process.stdout.readline().strip()
        (entry,) = entries.claim(NOW, limit=1, lease_s=900, holder=name)
        mine, called = Holder(run_dir), []
        assert mine.free_dead(lambda: called.append("early")) == 0
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        assert mine.free_dead(lambda: called.append("before")) == 1
        assert called == ["before"]
        assert [e.id for e in entries.claim(NOW, limit=1, lease_s=900)] == [entry.id]
        assert mine.free_dead(lambda: called.append("again")) == 0
        mine.close()
    finally:
        process.kill()
        process.wait(10)
    assert list((run_dir / "runners").iterdir()) == []
