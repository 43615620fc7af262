"""Several runner processes on one database never have the same entry."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

from appliance.queue import entries
from appliance.store import blobs
from tests.clients.appliance_process import ROOT
from tests.fixtures.database import Place

RUNNERS, ENTRIES, PATIENCE_S = 4, 400, 120


def test_every_entry_is_delivered_by_exactly_one_of_them(database: Place) -> None:
    blobs.configure(database.data_dir)
    for number in range(ENTRIES // 20):
        entries.add(
            blobs.put(f"Subject: {number}\r\n\r\nx\r\n".encode()),
            account_id=None,
            reverse_path="a@example.test",
            recipients=[(f"b{index}@example.net", "example.net") for index in range(20)],
            now=datetime.now(UTC),
        )
    ledger = database.data_dir / "ledger"
    ledger.touch()
    program = [sys.executable, "-m", "tests.integration.queue.runner_process"]
    running = [
        subprocess.Popen([*program, database.url, str(database.data_dir), str(ledger)], cwd=ROOT)
        for _ in range(RUNNERS)
    ]
    assert [process.wait(PATIENCE_S) for process in running] == [0] * RUNNERS
    lines = [line.split() for line in ledger.read_text().splitlines()]
    delivered = Counter(uid for _, uid in lines)
    assert len(delivered) == ENTRIES
    assert set(delivered.values()) == {1}, "delivered twice"
    assert len({pid for pid, _ in lines}) > 1, "one of them did all the work: nothing is shown"
