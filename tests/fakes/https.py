"""A web server on loopback that serves one document over TLS, or misbehaves in one way."""

import socket
import ssl
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self


class FakeHttps:
    """Listens inside the `with` block; `requests` are the heads and bodies it was sent.

    reply: the bytes of the whole answer, b"" keeps silent. It may be changed at any time.
    """

    def __init__(self, context: ssl.SSLContext, reply: bytes) -> None:
        self.reply = reply
        self.requests: list[bytes] = []
        self._context = context
        self._sock = socket.create_server(("127.0.0.1", 0), backlog=20)
        self.port: int = self._sock.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._sock.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(10)
            with self._context.wrap_socket(client, server_side=True) as wrapped:
                self.requests.append(_request(wrapped))
                if not self.reply:
                    wrapped.recv(1)
                wrapped.sendall(self.reply)


def document(content: bytes, *, status: str = "200 OK", kind: str = "text/plain", more: str = "") -> bytes:
    """Return an answer with this content. more: further header lines, each with CRLF."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{more}\r\n"
    return head.encode() + content


def _request(sock: ssl.SSLSocket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(4096)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    wanted = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            wanted = int(value)
    while len(body) < wanted:
        body += sock.recv(4096)
    return head + b"\r\n\r\n" + body
