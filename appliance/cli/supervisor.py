"""Roles as child processes: started with sockets that outlive them, restarted, stopped politely.

Owns the life of the children of `appliance run`. Leaves to `run.py` which roles there are, the sockets,
and what a person reads. Plain threads and signals: no gevent here.

    spawn ──► running ──ends──► waiting (0.5 s, doubling to 30 s) ──► spawn …
                 │
                 └─ stop(): SIGTERM, then SIGKILL for whatever has not ended in time

The sockets stay open here while a role is away, so clients wait instead of being refused. A child is
told by the kernel when we die without a word (PR_SET_PDEATHSIG), and then stops as if we had asked it.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import appliance
from appliance.errors import PermanentFailure

FDS_VARIABLE: Final = "APPLIANCE_FDS"
BACKOFF_MIN_S: Final = 0.5
BACKOFF_MAX_S: Final = 30.0
STEADY_AFTER_S: Final = 60.0
"""A role that ran for so long was fine: its next end is a new trouble, not the old one."""
FIRST_TRIES: Final = 3
"""A role that ends so often before the appliance was ever ready is not going to start."""
TAIL_LINES: Final = 8
PR_SET_PDEATHSIG: Final = 1
HANDLED: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

_libc = ctypes.CDLL(None, use_errno=True)


class RoleFailed(PermanentFailure):
    """A role does not start; the message says where its output is."""


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Keep the signals we wait for from interrupting anything in the block.

    Enter it before the first thread is made: a thread that does not block SIGTERM would die of it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(slots=True)
class Role:
    """A child process. `sockets` are handed down by name; its output goes to `output`, appended."""

    name: str
    arguments: Sequence[str]
    sockets: Mapping[str, socket.socket]
    output: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    pause_s: float = BACKOFF_MIN_S
    ends: int = 0

    def start(self) -> None:
        """Start the process; call it on the main thread, whose end is what the kernel reports."""
        parent = os.getpid()
        fds = {name: sock.fileno() for name, sock in self.sockets.items()}
        handed_down = ",".join(f"{name}={fd}" for name, fd in fds.items())
        self.output.parent.mkdir(parents=True, exist_ok=True)
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=tuple(fds.values()),
                env=_environment() | dict(self.environment) | {FDS_VARIABLE: handed_down},
                preexec_fn=lambda: _follow(parent),
            )
        self.started_at = time.monotonic()

    def last_lines(self) -> str:
        """Return the end of what the role has written."""
        with suppress(OSError):
            return "\n".join(self.output.read_text("utf-8", "replace").splitlines()[-TAIL_LINES:])
        return ""


class Supervisor:
    """Runs roles until a signal says stop. Use it on the main thread.

    say: prints a line for a person. was_ready: whether the appliance has ever been ready; until then a
    role that keeps ending is an error instead of something to be restarted for ever.
    """

    def __init__(
        self, roles: Sequence[Role], *, say: Callable[[str], None], was_ready: Callable[[], bool]
    ) -> None:
        self._roles = roles
        self._say = say
        self._was_ready = was_ready

    def run(self, stop_s: float) -> None:
        """Start the roles, look after them until SIGTERM or SIGINT, stop them within `stop_s` seconds.

        Call it inside `signals_blocked`. Raises RoleFailed when a role does not start; the others are
        stopped then, too.
        """
        try:
            for role in self._roles:
                role.start()
            self._look_after()
        finally:
            self._stop(stop_s)

    def _look_after(self) -> None:
        """Wait for signals and due restarts; returns when told to stop."""
        while True:
            got = signal.sigtimedwait(HANDLED, self._until_restart())
            if got is not None and got.si_signo in (signal.SIGTERM, signal.SIGINT):
                return
            if got is not None and got.si_signo == signal.SIGHUP:
                self._signal_all(signal.SIGHUP)
            for role in self._roles:
                self._look_at(role)

    def _until_restart(self) -> float:
        """Return the seconds until something is due; once a minute we look even without a reason."""
        due = [role.restart_at for role in self._roles if role.process is None]
        return max(0.0, min([60.0, *(at - time.monotonic() for at in due)]))

    def _look_at(self, role: Role) -> None:
        if role.process is None:
            if time.monotonic() >= role.restart_at:
                role.start()
        elif (status := role.process.poll()) is not None:
            self._ended(role, status)

    def _ended(self, role: Role, status: int) -> None:
        role.process = None
        role.ends += 1
        if not self._was_ready() and role.ends >= FIRST_TRIES:
            self._say(role.last_lines())
            raise RoleFailed(f"{role.name} does not start ({_words(status)}); its output: {role.output}")
        if time.monotonic() - role.started_at >= STEADY_AFTER_S:
            role.pause_s = BACKOFF_MIN_S
        role.restart_at = time.monotonic() + role.pause_s
        self._say(
            f"{role.name} ended ({_words(status)}), again in {role.pause_s:g} s; its output: {role.output}"
        )
        role.pause_s = min(BACKOFF_MAX_S, role.pause_s * 2)

    def _signal_all(self, number: signal.Signals) -> None:
        for role in self._roles:
            if role.process is not None:
                role.process.send_signal(number)

    def _stop(self, stop_s: float) -> None:
        """End every child: politely, then, after a while or a second Ctrl-C, not."""
        self._signal_all(signal.SIGTERM)
        deadline = time.monotonic() + stop_s
        while self._any_runs() and (left := deadline - time.monotonic()) > 0:
            got = signal.sigtimedwait(HANDLED, min(left, 1.0))
            if got is not None and got.si_signo == signal.SIGINT:
                break
        for role in self._roles:
            if role.process is not None and role.process.poll() is None:
                self._say(f"{role.name} did not stop in time and is killed")
                role.process.kill()
                role.process.wait()

    def _any_runs(self) -> bool:
        return any(role.process is not None and role.process.poll() is None for role in self._roles)


def _environment() -> dict[str, str]:
    """Return the environment of a child: it runs the code we run, wherever it is started."""
    code = str(Path(appliance.__file__).parents[1])
    paths = [code, *filter(None, [os.environ.get("PYTHONPATH")])]
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def _follow(parent: int) -> None:
    """Run in the child before exec: end with the parent, take signals again."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died between fork and prctl
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _words(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"signal {-status}"
