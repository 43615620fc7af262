"""A real server process with sockets of ours, and raw HTTP to talk to it."""

import base64
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pytest

from appliance.domains import certificates
from tests.fixtures.certificate import trusting_anyone

ROOT = Path(__file__).parents[3]
PATIENCE_S = 30.0
LENA = "Basic " + base64.b64encode(b"lena@example.com:right").decode()


class Answer(NamedTuple):
    """One response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire:
    """One client connection; reads exactly one response at a time."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(PATIENCE_S)
        self._buffer = b""

    def send(self, data: bytes) -> Self:
        self.sock.sendall(data)
        return self

    def answer(self) -> Answer:
        """Read one response; raises EOFError when the connection closes before it is complete."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = dict(line.split(": ", 1) for line in head[1:] if line)
        length = int(fields.get("Content-Length", 0))
        while len(self._buffer) < length:
            self._more()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(int(head[0].split()[1]), fields, body)

    def is_closed(self) -> bool:
        """Wait for the end of the connection; False when more data comes instead."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            self._more()
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def _more(self) -> None:
        data = self.sock.recv(65_536)
        if not data:
            raise EOFError(self._buffer)
        self._buffer += data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()


def request(
    user: str, *, body: bytes = b"", device: str = "d1", headers: str = "", command: str = "Sync"
) -> bytes:
    """Return a phone's request as bytes; `user` tells the stand-in domain what to do."""
    query = f"Cmd={command}&DeviceId={device}&DeviceType=iPhone&User={user}"
    lines = (
        f"POST /Microsoft-Server-ActiveSync?{query} HTTP/1.1\r\nHost: mail.example.com\r\n"
        f"Authorization: {LENA}\r\nMS-ASProtocolVersion: 16.1\r\n{headers}"
    )
    if "Transfer-Encoding" not in headers and "Content-Length" not in headers:
        lines += f"Content-Length: {len(body)}\r\n"
    return lines.encode() + b"\r\n" + body


class ServerProcess:
    """`tests.integration.web.server` with one plain and one TLS listener."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        certificates.ensure_self_signed(directory, ["localhost", "127.0.0.1"])
        for name in ("cert.pem", "key.pem"):
            (directory / name).symlink_to(directory / "tls" / name)
        self._sockets = [self._listen(), self._listen()]
        self.http, self.https = (sock.getsockname() for sock in self._sockets)
        fds = [sock.fileno() for sock in self._sockets]
        sockets = [f"http={fds[0]}", f"https={fds[1]}"]
        self.log = (directory / "stderr").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.web.server", *sockets, "--data", directory, *options],
            pass_fds=fds,
            cwd=ROOT,
            env=dict(os.environ) | {"PYTHONPATH": str(ROOT)},
            stdout=self.log,
            stderr=self.log,
        )
        with self.connect() as wire:
            wire.send(request("empty")).answer()

    @staticmethod
    def _listen() -> socket.socket:
        sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
        sock.set_inheritable(True)
        return sock

    def connect(self) -> Wire:
        return Wire(socket.create_connection(self.http))

    def connect_tls(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Wire:
        context = trusting_anyone()
        context.minimum_version = context.maximum_version = version
        return Wire(context.wrap_socket(socket.create_connection(self.https)))

    def ask(self, user: str, **more: str) -> Answer:
        with self.connect() as wire:
            return wire.send(request(user, **more)).answer()  # type: ignore[arg-type]  # no body here

    def held(self) -> int:
        """Return how many requests are waiting in the (one) worker."""
        return int(self.ask("held").body)

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        """Wait for a condition; fails the test when it never comes."""
        deadline = time.monotonic() + PATIENCE_S
        while not is_so():
            assert time.monotonic() < deadline, "it did not come to that"
            time.sleep(0.02)

    def log_text(self) -> str:
        return (self.directory / "stderr").read_text("utf-8", "replace")

    def stop(self) -> int:
        """Stop politely and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.stop()
            self.process.kill()
            self.process.wait()
        for sock in self._sockets:
            sock.close()
        self.log.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Start servers with options of their own; stopped at the end of the test."""
    with ExitStack() as running:

        def start(*options: str) -> ServerProcess:
            directory = tmp_path / f"server{time.monotonic_ns()}"
            directory.mkdir()
            server = ServerProcess(directory, *options)
            running.callback(server.close)
            return server

        yield start


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests of a module that leave it as they found it."""
    running = ServerProcess(tmp_path_factory.mktemp("server"))
    yield running
    running.close()
