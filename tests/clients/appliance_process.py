"""A whole appliance as processes: `appliance run` in a directory of its own, driven from outside.

Owns starting, waiting, stopping, killing, the command line, and keeping the evidence of a failure. Every
process it looks for is a descendant of the one it started; it never signals anything else.

    with RunningAppliance() as appliance:
        appliance.set_up("mia@example.com", "password")
        appliance.add_user("ben@example.com", "password")
        phone = appliance.phone("mia@example.com", "password")
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.phone import Phone
from appliance.phone.errors import TransportError
from appliance.phone.story import Postman
from appliance.phone.transport import Transport, Trust

ROOT = Path(__file__).resolve().parents[2]
LISTENERS = ("https", "http", "smtp", "submission", "submissions")
DOMAIN, HOSTNAME = "example.com", "mail.example.com"
START_S = 60.0
STOP_S = 40.0
COMMAND_S = 120.0
LOG_LINES = 40
ANYONE = Trust(insecure=True)


class ApplianceFailed(Exception):
    """The appliance did not do what was asked; the message ends with its last log lines."""


@dataclass(frozen=True)
class Process:
    """One process of the appliance, as /proc shows it; `started` tells a reused pid apart."""

    pid: int
    parent: int
    arguments: tuple[str, ...]
    started: int

    def exists(self) -> bool:
        found = read_process(self.pid)
        return found is not None and found.started == self.started


def read_process(pid: int) -> Process | None:
    """Return a process by its pid; None when there is none or it is a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[0] in "ZX":
        return None
    words = tuple(word for word in arguments.decode("utf-8", "replace").split("\0") if word)
    return Process(pid, int(fields[1]), words, int(fields[19]))


def descendants(ancestor: int) -> list[Process]:
    """Return the processes below one, parents before children."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    found = [process for pid in pids if (process := read_process(pid))]
    family = [ancestor]
    below = []
    for parent in family:
        children = [process for process in found if process.parent == parent]
        below += children
        family += [process.pid for process in children]
    return below


class RunningAppliance:
    """An appliance in a temporary directory, running inside the `with` block.

    config: TOML for the configuration file. keep: leave the directory in place even after success.
    """

    def __init__(self, *, config: str = "", keep: bool = False) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="appliance-"))
        self.data = self.directory / "data"
        self.config = self.directory / "appliance.toml"
        self.config.write_text(config)
        self.output = self.directory / "output.log"
        self.keep = keep
        self.ports: dict[str, int] = {}
        self._wanted = dict.fromkeys(LISTENERS, 0)
        self._supervisor: subprocess.Popen[bytes] | None = None

    # Life

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.keep = self.keep or kind is not None
        self.close()

    def start(self) -> None:
        """Start it and wait until every listener accepts. Raises ApplianceFailed."""
        ports_file = self.data / "run" / "ports.json"
        ports_file.unlink(missing_ok=True)
        options = [f"--{name}-port={self._wanted[name]}" for name in LISTENERS]
        with self.output.open("ab") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "appliance.cli", "run", *options],
                cwd=ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not ports_file.exists():
            if self._supervisor.poll() is not None:
                raise ApplianceFailed(f"ended with status {self._supervisor.returncode}\n{self.last_lines()}")
            if time.monotonic() > deadline:
                raise ApplianceFailed(f"did not start within {START_S:.0f} s\n{self.last_lines()}")
            time.sleep(0.05)
        self.ports = json.loads(ports_file.read_text())
        self._wanted = dict(self.ports)

    def stop(self, timeout_s: float = STOP_S) -> float:
        """Stop it politely and return the seconds that took; what does not end in time is killed.

        Raises ApplianceFailed when it had to be killed.
        """
        if self._supervisor is None:
            return 0.0
        started = time.monotonic()
        self._supervisor.terminate()
        try:
            self._supervisor.wait(timeout_s)
        except subprocess.TimeoutExpired:
            text = self.last_lines()
            self.sweep()
            raise ApplianceFailed(f"did not stop within {timeout_s:.0f} s\n{text}") from None
        self.sweep()
        return time.monotonic() - started

    def restart(self) -> float:
        """Stop and start again on the same ports; return the seconds the stop took."""
        seconds = self.stop()
        self.start()
        return seconds

    def sweep(self) -> None:
        """Kill whatever is left of the process group, as a service manager does with a dead service."""
        if self._supervisor is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._supervisor.pid, signal.SIGKILL)
        self._supervisor.wait(10)
        self._supervisor = None

    def close(self) -> None:
        """Stop, and remove the directory unless something failed."""
        try:
            self.stop()
        except ApplianceFailed:
            self.keep = True
            raise
        finally:
            if self.keep:
                print(f"\nthe appliance's directory is kept: {self.directory}\n{self.last_lines()}")
            else:
                shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def is_running(self) -> bool:
        """True while the supervisor lives."""
        return self._supervisor is not None and self._supervisor.poll() is None

    # Processes

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._supervisor is not None
        return self._supervisor.pid

    def processes(self) -> dict[str, list[Process]]:
        """Return the living processes by role: supervisor, web, web-worker, smtpd, other."""
        roles: dict[str, list[Process]] = {
            "supervisor": [],
            "web": [],
            "web-worker": [],
            "smtpd": [],
            "other": [],
        }
        if not self.is_running:
            return roles
        role_of = {self.pid: "supervisor"}
        if found := read_process(self.pid):
            roles["supervisor"].append(found)
        for process in descendants(self.pid):
            role_of[process.pid] = role = _role(process, role_of[process.parent])
            roles[role].append(process)
        return roles

    def kill(self, process: Process) -> None:
        """Kill -9 one of our processes and wait until it is gone."""
        ours = [ours for group in self.processes().values() for ours in group]
        if process not in ours:
            raise ValueError(f"{process} is not part of this appliance")
        os.kill(process.pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while process.exists() and time.monotonic() < deadline:
            if self._supervisor is not None:
                self._supervisor.poll()
            time.sleep(0.01)

    def wait_until_served(self, timeout_s: float = START_S) -> None:
        """Wait until the web role answers and the SMTP role greets again."""
        deadline = time.monotonic() + timeout_s
        while not self._is_served():
            if time.monotonic() > deadline:
                raise ApplianceFailed(f"does not answer\n{self.last_lines()}")
            time.sleep(0.1)

    def _is_served(self) -> bool:
        web = Transport(self.https, trust=ANYONE, timeout_s=5)
        try:
            with socket.create_connection(("127.0.0.1", self.ports["smtp"]), timeout=5) as smtp:
                smtp.settimeout(5)
                greeting = smtp.recv(100)
            return greeting.startswith(b"220") and web.request("GET", "/healthz", {}).status == 200
        except (OSError, TransportError):
            return False
        finally:
            web.close()

    # Places

    @property
    def https(self) -> str:
        return f"https://127.0.0.1:{self.ports['https']}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.ports['http']}"

    def postman(self, timeout_s: float = 30.0) -> Postman:
        """Return who delivers mail to port 25's stand-in."""
        return Postman("127.0.0.1", self.ports["smtp"], timeout_s)

    def phone(
        self,
        address: str,
        password: str,
        *,
        version: str = "16.1",
        device_id: str | None = None,
        timeout_s: float = 30.0,
    ) -> Phone:
        """Return a phone of this account that trusts the appliance's certificate."""
        return Phone(
            self.https,
            address,
            password,
            version=version,
            device_id=device_id,
            trust=ANYONE,
            timeout_s=timeout_s,
        )

    # The command line

    def _environment(self) -> dict[str, str]:
        """Return our environment, leading every `appliance` command to this directory."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")}
        return kept | {"APPLIANCE_DATA": str(self.data), "APPLIANCE_CONFIG": str(self.config)}

    def cli(
        self,
        *words: str,
        stdin: str = "",
        check: bool = True,
        environment: Mapping[str, str] | None = None,
        timeout_s: float = COMMAND_S,
    ) -> subprocess.CompletedProcess[str]:
        """Run one `appliance` command on this appliance's data. Raises ApplianceFailed on failure."""
        done = subprocess.run(
            [sys.executable, "-m", "appliance.cli", *words],
            cwd=ROOT,
            env=self._environment() | dict(environment or {}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        if check and done.returncode != 0:
            raise ApplianceFailed(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def set_up(self, admin: str, password: str) -> None:
        """Do the first-run steps: domain, host name, administrator."""
        self.cli(
            *("setup", "--domain", DOMAIN, "--hostname", HOSTNAME, "--admin", admin, "--password-stdin"),
            stdin=f"{password}\n",
        )

    def add_user(self, address: str, password: str) -> None:
        """Make an account."""
        self.cli("user", "add", address, "--password-stdin", stdin=f"{password}\n")

    # Evidence

    def log_lines(self, name: str) -> list[str]:
        """Return the lines of one of its log files; none when it does not exist."""
        with suppress(OSError):
            return (self.data / "logs" / name).read_text("utf-8", "replace").splitlines()
        return []

    def last_lines(self) -> str:
        """Return the end of its output and of every log file."""
        files = [self.output, *sorted(self.data.glob("logs/**/*.log"))]
        return "\n".join(line for file in files for line in _tail(file))


def _role(process: Process, parent_role: str) -> str:
    """Return what a process does, from its arguments or from what its parent does."""
    if parent_role == "web":
        return "web-worker"
    words = {word.rpartition("/")[2] for word in process.arguments}
    if parent_role != "supervisor":
        return "other"
    return "smtpd" if "smtpd" in words else "web" if "web" in words else "other"


def _tail(file: Path) -> Iterator[str]:
    with suppress(OSError):
        lines = file.read_text("utf-8", "replace").splitlines()[-LOG_LINES:]
        yield f"--- {file.name}"
        yield from lines
