# mypy: disable-error-code="import-untyped, misc"
# gunicorn ships no annotations; this module is part of the rim that may name it.
"""gunicorn's HTTP/1.1 messages, our way: bounded heads, bodies asked for late, short answers in one packet.

Owns what we change about gunicorn's message classes, and the stand-in for a request that was let go.
Leaves connections, deadlines and waiting to `worker.py`.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from gunicorn.http import wsgi
from gunicorn.http.body import Body, LengthReader
from gunicorn.http.message import Request
from gunicorn.http.parser import RequestParser

from web.held import Waiting

HEAD_BYTES_MAX: Final = 65_536
UNREAD_BYTES_MAX: Final = 65_536
"""More of a refused body than this is not read only to keep the connection."""
UNKNOWN_BYTES: Final = 1 << 62
SERVER: Final = "365-Email-Appliance"


class Later(NamedTuple):
    """What is kept of a request that waits, beside its connection."""

    waiting: Waiting
    version: tuple[int, int]
    must_close: bool


class AskedBefore(NamedTuple):
    """Stands for a request that is gone, with the little that its response has to know."""

    version: tuple[int, int]
    must_close: bool
    method: str = "POST"

    def should_close(self) -> bool:
        """Whether the client asked for the end of the connection."""
        return self.must_close


class WholeResponse(wsgi.Response):
    """Sends the head together with the first piece of the body: one packet for a short answer."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.version = SERVER
        self.headers_sent: bool = False
        self._head = b""

    def send_headers(self) -> None:
        if self.headers_sent:
            return
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers)]
        self._head = "".join((*lines, "\r\n")).encode("latin-1")
        self.headers_sent = True

    def _emit_body(self, data: bytes) -> None:
        if self.chunked:
            data = b"%X\r\n%b\r\n" % (len(data), data)
        head, self._head = self._head, b""
        self.sock.sendall(head + data)

    def close(self) -> None:
        self.send_headers()
        if self.chunked:
            self.sock.sendall(self._head + b"0\r\n\r\n")
        elif self._head:
            self.sock.sendall(self._head)
        self._head = b""


class HeadLimitedRequest(Request):
    """A request whose head as a whole is bounded, not only each line of it."""

    @property
    def max_buffer_headers(self) -> int:
        return HEAD_BYTES_MAX

    @max_buffer_headers.setter
    def max_buffer_headers(self, _computed: int) -> None:
        """Ignore gunicorn's product of two limits, 800 kB: it copies the head at every piece received."""

    def set_body_reader(self) -> None:
        super().set_body_reader()
        if not any(name in ("CONTENT-LENGTH", "TRANSFER-ENCODING") for name, _ in self.headers):
            self.body = Body(LengthReader(self.unreader, 0))  # RFC 9112 6.3: then the length is zero


class Expected(Body):
    """The body of a client that waits to be told to go on: it is told when somebody begins to read.

    Whoever is refused by the head of the request alone never sends it. Source: RFC 9110 10.1.1 Expect.
    """

    def __init__(self, body: Body, stream: Any) -> None:
        super().__init__(body.reader)
        self._stream: Any = stream

    @property
    def is_waited_for(self) -> bool:
        """Whether the client has not been told yet."""
        return self._stream is not None

    def _read_reader(self, size: int) -> bytes:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        return bytes(super()._read_reader(size))


def expect(request: Any, stream: Any) -> None:
    """Take over from gunicorn, which would tell every client to go on before anybody has looked."""
    if request._expected_100_continue:
        request._expected_100_continue = False
        request.body = Expected(request.body, stream)


class HeadLimitedParser(RequestParser):
    """gunicorn's parser with our request class."""

    mesg_class = HeadLimitedRequest


def send(response: Any, body: Any) -> None:
    """Write a WSGI body as the response's body, and close it."""
    try:
        for piece in body:
            response.write(piece)
        response.close()
    finally:
        close: Callable[[], object] | None = getattr(body, "close", None)
        if close is not None:
            close()


def unread(request: Any) -> int:
    """Return how many bytes of the request's body are still to come; unknown counts as very many."""
    if isinstance(request.body, Expected) and request.body.is_waited_for:
        return UNKNOWN_BYTES  # it may come or not: only the end of the connection says where it ends
    reader = request.body.reader
    if isinstance(reader, LengthReader):
        return int(reader.length)
    return UNKNOWN_BYTES if request.body.failed or reader.parser is not None else 0
