"""The measurements' handle on `held_pings`: let a crowd of waiting phones grow, ask how it is."""

import json
import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.bench.workplace import Workplace
from tests.clients.appliance_process import ROOT


@dataclass(frozen=True)
class CrowdReport:
    """How many Pings are held, were answered, got HTTP 200, lost their connection; over which time."""

    held: int
    answered: int
    polite: int
    lost: int
    seconds: float


class WaitingCrowd:
    """Use as a context manager. Devices are spread over the accounts and wait for changes of the Inbox."""

    def __init__(self, place: Workplace, accounts: list[str]) -> None:
        self.count = 0
        self._signed_in = [_one_phone(place, account) for account in accounts]
        self._port = place.ports["http"]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.held_pings", str(self._port)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)

    def grow(self, count: int) -> None:
        """Add phones until `count` wait. Raises RuntimeError when one of them does not."""
        phones = [
            self._signed_in[index % len(self._signed_in)] | {"device": f"crowd{index}"}
            for index in range(self.count, count)
        ]
        self.count = count
        self.must_all_wait(self._order({"add": phones}))

    def look(self) -> CrowdReport:
        """Return how they are."""
        return self._order({})

    def must_all_wait(self, report: CrowdReport | None = None) -> None:
        """Raise RuntimeError when a Ping was answered or lost although nothing has happened."""
        report = report or self.look()
        if report.held != self.count:
            raise RuntimeError(f"of {self.count} Pings {report.answered} were answered, {report.lost} lost")

    def farewell(self, timeout_s: float = 60) -> CrowdReport:
        """Wait until all Pings have ended and return the final count."""
        return self._order({"end": timeout_s})

    def _order(self, order: dict[str, object]) -> CrowdReport:
        assert self._process is not None and self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process with the waiting phones has ended")
        return CrowdReport(**json.loads(line))


def _one_phone(place: Workplace, account: str) -> dict[str, str]:
    """Return what all phones of an account have in common."""
    phone, inbox = place.signed_in(account, device_id="first")
    phone.close()
    return {"authorization": phone.session.authorization(), "user": account, "folder": inbox}
