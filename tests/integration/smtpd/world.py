"""The SMTP edge on loopback with services in memory: what the dialogs and the tests around it talk to."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from appliance.accounts.login import WrongCredentials
from appliance.errors import TemporaryFailure
from appliance.items.account import Account
from appliance.items.envelope import Envelope
from appliance.net.listening import bind
from appliance.smtp.session_config import SessionConfig, SessionKind
from smtpd.conversation import Stores
from smtpd.listeners import Listener
from smtpd.port import Deadlines, Port
from smtpd.screening import Screening
from smtpd.services import RecipientVerdict
from smtpd.spool import SpoolBudget
from smtpd.tls import TlsSource
from tests.clients.dialog import DOMAIN, HOSTNAME, PASSWORD, TOKEN, USERS
from tests.fixtures.certificate import trusting_anyone

REPLY_S = 5.0
ALICE = Account(
    id=7,
    address="alice@example.test",
    display_name="Alice",
    is_admin=False,
    is_enabled=True,
    credential_version=1,
    quota_bytes=0,
    used_bytes=0,
)
RECEPTION = Port("reception", SessionConfig(HOSTNAME, tls_available=True))
SUBMISSION = Port(
    "submission",
    SessionConfig(
        HOSTNAME,
        SessionKind.SUBMISSION,
        tls_available=True,
        auth_mechanisms=("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"),
        requires_auth=True,
    ),
)
SUBMISSIONS = replace(SUBMISSION, name="submissions", is_implicit_tls=True)
PORTS = {port.name: port for port in (RECEPTION, SUBMISSION, SUBMISSIONS)}


@dataclass
class MemoryServices:
    """The world of the dialogs. `fault`, when set, is raised by accept."""

    accepted: list[tuple[Envelope, bytes]] = field(default_factory=list)
    fault: Exception | None = None
    strangers: set[tuple[str, str, str]] = field(default_factory=set)
    accept_takes_s: float = 0.0

    def recipient(
        self, forward_path: str, reverse_path: str = "", account: Account | None = None, size: int = 0
    ) -> RecipientVerdict:
        address = forward_path.lower()
        domain = address.rpartition("@")[2]
        if address == "postmaster" or address in (*USERS, f"postmaster@{DOMAIN}"):
            return RecipientVerdict.LOCAL
        if address == f"full@{DOMAIN}":
            return RecipientVerdict.FULL
        if address == f"small@{DOMAIN}":
            return RecipientVerdict.FULL if size > 1_000 else RecipientVerdict.LOCAL
        if address == f"away@{DOMAIN}":
            return RecipientVerdict.UNAVAILABLE
        return RecipientVerdict.UNKNOWN_USER if domain == DOMAIN else RecipientVerdict.REMOTE

    def authenticate(self, username: str, password: str, remote_ip: str) -> Account:
        if username == "broken":
            raise RuntimeError("the database is on fire")
        if username not in USERS or password != PASSWORD or not remote_ip:
            raise WrongCredentials
        return ALICE

    def authenticate_token(self, token: str, username: str, remote_ip: str) -> Account:
        if token != TOKEN or username not in ("", *USERS) or not remote_ip:
            raise WrongCredentials
        return ALICE

    def may_send_as(self, account: Account, reverse_path: str) -> bool:
        if reverse_path == "busy@example.test":
            raise TemporaryFailure("the database is busy")
        if reverse_path == "broken@example.test":
            raise RuntimeError("the database is on fire")
        return reverse_path in ("", account.address)

    def may_pass(self, network: str, sender: str, recipient: str) -> bool:
        triplet = (network, sender, recipient)
        has_come_back = triplet in self.strangers
        self.strangers.add(triplet)
        return has_come_back

    def accept(self, envelope: Envelope, raw: bytes) -> str:
        time.sleep(self.accept_takes_s)
        if self.fault is not None:
            raise self.fault
        self.accepted.append((envelope, raw))
        return f"id{len(self.accepted)}"


@dataclass
class Edge:
    """One listener with its services."""

    listener: Listener
    services: MemoryServices
    budget: SpoolBudget

    @property
    def number(self) -> int:
        return int(self.listener.address.rpartition(":")[2])

    def connect(self) -> "SocketWire":
        return SocketWire(self.number, tls=self.listener.port.is_implicit_tls)


@contextmanager
def edge(
    port: Port,
    certificate: TlsSource,
    *,
    budget_bytes: int = 50_000_000,
    host: str = "127.0.0.1",
    deadlines: Deadlines | None = None,
    screening: Screening | None = None,
) -> Iterator[Edge]:
    """Listen on a free port inside the block. screening: with it, loopback is a stranger like others."""
    if deadlines is not None:
        port = replace(port, deadlines=deadlines)
    services, budget = MemoryServices(), SpoolBudget(budget_bytes)
    listener = Listener(port, bind(f"{host}:0"), Stores(services, budget, screening=screening), certificate)
    listener.start()
    try:
        yield Edge(listener, services, budget)
    finally:
        listener.stop_accepting()
        listener.finish(0.2)


class SocketWire:
    """A dialog's wire over a real connection."""

    def __init__(
        self,
        number: int,
        *,
        tls: bool = False,
        host: str = "127.0.0.1",
        path: str = "",
        patience_s: float = REPLY_S,
    ) -> None:
        """path: of a Unix socket, instead of host and number."""
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(patience_s)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection((host, number), timeout=patience_s)
        self._buffer = b""
        if tls:
            self.start_tls()

    def write(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return  # the server has hung up; what it said before is still to be read

    def read_line(self) -> bytes:
        while b"\n" not in self._buffer:
            try:
                data = self.sock.recv(65_536)
            except (ConnectionResetError, ssl.SSLError):
                data = b""  # an alert is an end, too
            if not data:
                break
            self._buffer += data
        line, separator, self._buffer = self._buffer.partition(b"\n")
        return line + separator

    def read_reply(self) -> bytes:
        """Return a whole reply."""
        lines = [self.read_line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.read_line())
        return b"".join(lines)

    def ask(self, line: str) -> bytes:
        """Send a command and return the reply."""
        self.write(line.encode() + b"\r\n")
        return self.read_reply()

    def start_tls(self) -> None:
        self.sock = trusting_anyone().wrap_socket(self.sock)

    def half_close(self) -> None:
        """Say no more and go on listening; under TLS without a word of farewell."""
        socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()
