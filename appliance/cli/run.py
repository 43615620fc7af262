"""`appliance run`: the whole appliance in the foreground; `web`, `smtpd`, `worker`: one role of it.

Owns the sockets, the lock on the data directory, `run/ports.json` and what a person reads. Leaves the
children's lives to `supervisor.py` and everything they do to the roles.
"""

import fcntl
import ipaddress
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import click

import appliance
from appliance import files
from appliance.cli import probe
from appliance.cli.place import Place, act_as_owner, placed
from appliance.cli.supervisor import Role, Supervisor, signals_blocked
from appliance.domains import certificates
from appliance.errors import Conflict, InvalidInput
from appliance.settings import Config
from appliance.setup import instance, steps

BACKLOG: Final = 4096
LISTENERS: Final = ("https", "http", "smtp", "submission", "submissions")
OF_WEB: Final = ("https", "http")
FIRST_NAMES: Final = ("localhost", "127.0.0.1", "::1")
STOP_S: Final = 35.0


def _port[C: Callable[..., Any]](name: str, default: int, what: str) -> Callable[[C], C]:
    numbers = click.IntRange(0, 65535)
    return click.option(f"--{name}-port", default=default, show_default=True, type=numbers, help=what)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="IP address to listen on.")
@_port("https", 8443, "Phones and pages.")
@_port("http", 8080, "The same without TLS, for a reverse proxy on this machine only.")
@_port("smtp", 2525, "Mail from other servers.")
@_port("submission", 2587, "Mail from users, STARTTLS.")
@_port("submissions", 2465, "Mail from users, TLS.")
@click.option("--web-workers", type=click.IntRange(1, 64), help="Worker processes of the web role.")
@placed
def run(place: Place, host: str, web_workers: int | None, **ports: int) -> None:
    """Run the whole appliance in the foreground, until Ctrl-C. Port 0 means any free port."""
    config = place.load()
    files.private_directory(config.data_dir)
    act_as_owner(config.data_dir)
    with ExitStack() as held:
        held.enter_context(signals_blocked())
        held.enter_context(locked(config.run_dir / "lock", config.data_dir))
        with place.opened():
            is_set_up = _prepare(config)
        bound = held.enter_context(bind_all(host, {name: ports[f"{name}_port"] for name in LISTENERS}))
        _serve(Plan(config, place.config, host, is_set_up, web_workers), bound)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to run."""

    config: Config
    config_file: Path | None
    host: str
    is_set_up: bool
    web_workers: int | None


@contextmanager
def locked(path: Path, data_dir: Path) -> Iterator[None]:
    """Hold the data directory for this process; the kernel lets go of it however we end.

    Raises Conflict, naming the process that has it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read(20).strip() or "unknown"
            raise Conflict(f"an appliance is running on {data_dir} already (process {owner})") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _prepare(config: Config) -> bool:
    """Make sure that there is something to serve TLS with; return whether the setup is done."""
    instance.check(config.data_dir)
    if certificates.installed(config.data_dir) is None:
        certificates.ensure_self_signed(config.data_dir, FIRST_NAMES)
    return not steps.needs_setup()


@contextmanager
def bind_all(host: str, ports: Mapping[str, int]) -> Iterator[dict[str, socket.socket]]:
    """Listen on every port for the block; plain HTTP on the loopback address only, whatever the host.

    Raises InvalidInput: not an address, or a port that is in use or not allowed.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise InvalidInput(f"--host must be an IP address, not {host}") from None
    local = host if address.is_loopback else "::1" if address.version == 6 else "127.0.0.1"
    with ExitStack() as opened:
        yield {
            name: opened.enter_context(_bind(name, local if name == "http" else host, port))
            for name, port in ports.items()
        }


def _bind(name: str, host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise InvalidInput(
            f"cannot listen on {host} port {port}: {error.strerror}; see --{name}-port"
        ) from None
    return sock


def _serve(plan: Plan, bound: Mapping[str, socket.socket]) -> None:
    addresses = {name: sock.getsockname()[:2] for name, sock in bound.items()}
    announcement = Announcement(plan, addresses)
    supervisor = Supervisor(_roles(plan, bound), say=_say, was_ready=announcement.is_made)
    threading.Thread(target=announcement.make, daemon=True).start()
    try:
        supervisor.run(STOP_S)
    finally:
        announcement.withdraw()
    click.echo("stopped")


class Announcement:
    """`run/ports.json` and the words on the terminal: there from readiness to the stop, never after it."""

    def __init__(self, plan: Plan, addresses: Mapping[str, tuple[str, int]]) -> None:
        self._plan = plan
        self._addresses = addresses
        self._file = plan.config.run_dir / "ports.json"
        self._file.unlink(missing_ok=True)
        self._lock = threading.Lock()
        self._is_made = False
        self._is_withdrawn = False

    def is_made(self) -> bool:
        """Whether the appliance has been ready."""
        return self._is_made

    def make(self) -> None:
        """Wait until every listener answers, then announce it; runs beside the supervisor."""
        probe.wait_for_all(self._addresses)
        numbers = {name: address[1] for name, address in self._addresses.items()}
        with self._lock:
            if not self._is_withdrawn:
                self._is_made = True
                click.echo(_welcome(self._plan, self._addresses))
                files.replace(self._file, json.dumps(numbers).encode() + b"\n")

    def withdraw(self) -> None:
        """Take the file away."""
        with self._lock:
            self._is_withdrawn = True
            self._file.unlink(missing_ok=True)


def _roles(plan: Plan, bound: Mapping[str, socket.socket]) -> list[Role]:
    common = ["--data", str(plan.config.data_dir)]
    if plan.config_file is not None:
        common += ["--config", str(plan.config_file)]
    workers = ["--workers", str(plan.web_workers)] if plan.web_workers else []
    logs = plan.config.logs_dir
    web = {name: bound[name] for name in OF_WEB}
    mail = {name: sock for name, sock in bound.items() if name not in OF_WEB}
    return [
        Role("web", ["-m", "web", *common, *workers], web, logs / "web" / "output.log"),
        Role("smtpd", ["-m", "smtpd", *common], mail, logs / "smtp" / "output.log"),
    ]


def _say(line: str) -> None:
    click.echo(line, err=True)


def _welcome(plan: Plan, addresses: Mapping[str, tuple[str, int]]) -> str:
    urls = {name: f"{name}://{_shown(*addresses[name])}/" for name in OF_WEB}
    lines = [
        f"365 Email Appliance {appliance.__version__}",
        f"  phones, pages  {urls['https']}",
        f"  reverse proxy  {urls['http']}",
        f"  SMTP           {_shown(*addresses['smtp'])}",
        f"  submission     {_shown(*addresses['submission'])} (STARTTLS),"
        f" {_shown(*addresses['submissions'])} (TLS)",
        f"  data, logs     {plan.config.data_dir}",
        "",
    ]
    if plan.is_set_up:
        lines.append(f"How to add a phone: {urls['https']}")
    else:
        lines += [
            "It is not set up yet. In another terminal, with your own names and a password:",
            f"  echo PASSWORD | appliance setup --data {plan.config.data_dir} --domain example.com \\",
            "    --hostname mail.example.com --admin you@example.com --password-stdin",
            f"then open {urls['https']} for how to add a phone.",
        ]
    return "\n".join([*lines, "Stop with Ctrl-C."])


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


PASSED_ON: Final = {"ignore_unknown_options": True}


def _become(module: str, arguments: tuple[str, ...]) -> NoReturn:
    """Replace this process by a role: it patches the standard library before anything is imported."""
    code = str(Path(appliance.__file__).parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [code, os.environ.get("PYTHONPATH")]))
    os.execv(sys.executable, [sys.executable, "-P", "-m", module, *arguments])


@click.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def web(arguments: tuple[str, ...]) -> None:
    """The HTTP role alone: phones, discovery, pages. Options: `python -m web --help`."""
    _become("web", arguments)


@click.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def smtpd(arguments: tuple[str, ...]) -> None:
    """The SMTP role alone: reception, submission, delivery. Options: `python -m smtpd --help`."""
    _become("smtpd", arguments)


@click.command(context_settings=PASSED_ON)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def worker(arguments: tuple[str, ...]) -> None:
    """The outgoing queue alone: the SMTP role without listeners, on as many machines as you like."""
    _become("smtpd", ("--queue-only", *arguments))
