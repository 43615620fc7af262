"""A small HTTP server that answers what a test told it to, and remembers what it was asked.

It runs in threads on a loopback port of its own. Answers are given out in the order of the script, per
command when the answer names one; a request nobody scripted is a 501, which fails the test that sent it.
"""

import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

from appliance.wbxml.codec import decode, encode
from appliance.wbxml.element import Element

WBXML = "application/vnd.ms-sync.wbxml"


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    client_port: int

    @property
    def command(self) -> str:
        query = parse_qs(urlsplit(self.target).query)
        return query.get("Cmd", [urlsplit(self.target).path])[0]

    @property
    def document(self) -> Element:
        return decode(self.body)


@dataclass
class Said:
    """One scripted answer; `raw` replaces everything, `hang` never answers, `close` ends the connection."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang: bool = False
    close: bool = False

    def wire(self) -> bytes:
        if self.raw is not None:
            return self.raw
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        if self.body:
            headers.setdefault("Content-Type", WBXML)
        lines = [f"HTTP/1.1 {self.status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body


def said(answer: "Said | Element | bytes") -> Said:
    """Return an answer from a document, bare bytes or an answer."""
    if isinstance(answer, Said):
        return answer
    return Said(encode(answer) if isinstance(answer, Element) else answer)


class ScriptedServer:
    """Use as a context manager; `url` is where it listens."""

    def __init__(self, *answers: "Said | Element | bytes", tls: ssl.SSLContext | None = None) -> None:
        self.script = [said(answer) for answer in answers]
        self.asked: list[Asked] = []
        self.released = threading.Event()
        self._tls = tls
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def commands(self) -> list[str]:
        return [request.command for request in self.asked]

    def _handler(self) -> type[socketserver.BaseRequestHandler]:
        def serve(connection: "_Connection") -> None:
            while (request := connection.read_request()) is not None:
                self.asked.append(request)
                answer = self.script.pop(0) if self.script else Said(status=501)
                if answer.hang:
                    self.released.wait(30)
                    return
                connection.wfile.write(answer.wire())
                if answer.close:
                    return

        return type("Handler", (_Connection,), {"serve": staticmethod(serve), "tls": self._tls})

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that vanish are what the tests are about."""


class _Connection(socketserver.StreamRequestHandler):
    serve: Callable[["_Connection"], None]
    tls: ssl.SSLContext | None = None

    def setup(self) -> None:
        if self.tls is not None:
            self.request = self.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        type(self).serve(self)

    def read_request(self) -> Asked | None:
        """Return the next request, None when the connection ends; a cut body is returned as it came."""
        first = self.rfile.readline().decode()
        if not first.strip():
            return None
        method, target, _ = first.split(" ", 2)
        headers = {}
        while (line := self.rfile.readline().decode().strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        return Asked(method, target, headers, body, self.client_address[1])
