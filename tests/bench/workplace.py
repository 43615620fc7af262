"""The appliance that is measured: one web worker, one SMTP process, as many accounts as needed."""

import csv
import tempfile
from pathlib import Path

from appliance.phone import Phone
from appliance.phone.mailbox import INBOX
from tests.bench.made_mail import write_mbox
from tests.bench.measure import cpu_s, rss_bytes
from tests.clients.appliance_process import RunningAppliance

ADMIN = "admin@example.com"
PASSWORD = "correct horse battery"
CONFIG = """
[web]
workers = 1
heartbeat_min_s = 5
[limits]
devices_max = 1000
[reception]
connections_per_address_max = 200
messages_per_connection_max = 100000
"""


class Workplace(RunningAppliance):
    """A running appliance with the measurements' own shortcuts."""

    def __init__(self) -> None:
        super().__init__(config=CONFIG)

    @property
    def worker(self) -> int:
        """The pid of the one web worker."""
        (process,) = self.processes()["web-worker"]
        return process.pid

    def all_pids(self) -> list[int]:
        """The pids of everything the appliance consists of."""
        return [process.pid for group in self.processes().values() for process in group]

    def worker_cpu_s(self) -> float:
        return cpu_s(self.worker)

    def worker_rss_bytes(self, *, peak: bool = False) -> int:
        return rss_bytes(self.worker, peak=peak)

    def add_users(self, addresses: list[str]) -> None:
        """Make many accounts with one command."""
        with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="") as file:
            csv.writer(file).writerows([address, PASSWORD, ""] for address in addresses)
            file.flush()
            self.cli("user", "import", file.name)

    def fill(self, address: str, count: int, *, small: bool = False) -> None:
        """Put `count` made messages into an account's Inbox."""
        with tempfile.TemporaryDirectory() as directory:
            path = write_mbox(Path(directory) / "made.mbox", range(count), address, small=small)
            self.cli("message", "import", address, str(path), timeout_s=1800)

    def signed_in(self, address: str, *, device_id: str | None = None) -> tuple[Phone, str]:
        """Return a phone with its folders, and the id of its Inbox."""
        phone = self.phone(address, PASSWORD, device_id=device_id, timeout_s=120)
        phone.folder_sync()
        inbox = phone.mailbox.of_type(INBOX)
        assert inbox is not None
        return phone, inbox.id
