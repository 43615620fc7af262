"""The SMTP role as a process of its own, on the data of an office that the real commands have set up.

    with office(config) as place, handed_over() as sockets, SmtpRole(place, sockets=sockets) as role:
        place.set_up("mia@example.com", "password")
        wire = wire_to(sockets["smtp"])

`place` is a `RunningAppliance` that is not running: its directory, its commands, its log lines.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Item
from appliance.items.folder import FolderType
from appliance.net.listening import FDS_VARIABLE, handed_down
from appliance.store import blobs, folders
from smtpd.ports import RECEPTION, SUBMISSION, SUBMISSIONS
from tests.clients.appliance_process import ROOT, RunningAppliance
from tests.integration.smtpd.world import SocketWire

PATIENCE_S = 40.0
LOG = "smtp/smtp.log"


@contextmanager
def office(config: str = "") -> Iterator[RunningAppliance]:
    """Give a directory with this configuration file; it is kept when the block fails."""
    place = RunningAppliance(config=config)
    try:
        yield place
    except BaseException:
        place.keep = True
        raise
    finally:
        place.close()


@contextmanager
def handed_over() -> Iterator[dict[str, socket.socket]]:
    """Listen on free ports, one for each name of the role; they stay open when a role ends."""
    with ExitStack() as opened:
        yield {
            name: opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
            for name in (RECEPTION, SUBMISSION, SUBMISSIONS)
        }


class SmtpRole:
    """`python -m smtpd` inside the `with` block, with sockets handed down or those of its configuration."""

    def __init__(
        self,
        place: RunningAppliance,
        *options: str,
        sockets: Mapping[str, socket.socket] | None = None,
        launcher: tuple[str, ...] = (),
    ) -> None:
        """launcher: Python code that runs first and becomes the role, and its arguments before the role's."""
        self._place = place
        self._options = options
        self._sockets = sockets or {}
        self._launcher = launcher and ("-c", launcher[0], sys.executable, *launcher[1:])
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; clients of sockets that were handed down wait by themselves until it serves."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("APPLIANCE_", "LISTEN_"))
        }
        if self._sockets and not self._launcher:
            kept[FDS_VARIABLE] = handed_down(self._sockets)
        place = self._place
        with place.output.open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, *self._launcher, "-m", "smtpd"),
                    *("--data", str(place.data), "--config", str(place.config), *self._options),
                ],
                cwd=ROOT,
                env=kept,
                pass_fds=[sock.fileno() for sock in self._sockets.values()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> int:
        """Return the exit status when it ends."""
        assert self._process is not None
        return self._process.wait(PATIENCE_S)

    def stop(self) -> int:
        """Ask it to stop and return its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def listening(self, count: int) -> dict[str, list[str]]:
        """Return the addresses by the name of the port as it logs them, once there are so many."""

        def found() -> list[tuple[str, str]]:
            assert self.is_running, self._place.last_lines()
            lines = [line for line in self._place.log_lines(LOG) if " name=listening " in line]
            return [(_field(line, "port"), _field(line, "address")) for line in lines]

        eventually(lambda: len(found()) >= count)
        by_port: dict[str, list[str]] = {}
        for port, address in found():
            by_port.setdefault(port, []).append(address)
        return by_port

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        finally:
            self._process.kill()
            self._process.wait()


def _field(line: str, name: str) -> str:
    found = re.search(rf'\b{name}="?([^" ]*)', line)
    assert found, line
    return found[1]


def eventually(is_so: Callable[[], object], *, every_s: float = 0.05) -> None:
    """Wait for what another process does in its own time."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(every_s)


def wire_to(where: socket.socket | str, *, tls: bool = False) -> SocketWire:
    """Connect to a socket that was handed over, or to an address as the role logs it; waits for its start."""
    if isinstance(where, socket.socket):
        return SocketWire(where.getsockname()[1], tls=tls, patience_s=PATIENCE_S)
    host, _, number = where.rpartition(":")
    if host == "unix":
        return SocketWire(0, path=number, patience_s=PATIENCE_S)
    return SocketWire(int(number), tls=tls, patience_s=PATIENCE_S)


def letters(place: RunningAppliance, address: str, folder: FolderType) -> list[bytes]:
    """Return the messages in a folder of an account, oldest first, from the database of a running role."""
    db.open("sqlite", place.data)
    try:
        blobs.configure(place.data)
        with db.connection():
            account = accounts.require(address)
            here = Item.folder == folders.special(account.id, folder).id
            rows = list(Item.select(Item.blob).where(here).order_by(Item.id).tuples())
            return [blobs.read(bytes(digest)) for (digest,) in rows]
    finally:
        db.close()
