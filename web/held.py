"""Requests that wait: Flask decides, everything of the request is dropped, and only then it waits.

Owns the hand-over between a view that must wait (Ping, Sync with Wait) and the server, what happens
when the wait ends badly, and the count of held requests. Leaves to the view what to wait for and how
to render it, to `worker.py` the socket, to `hangup.py` noticing that the client has left.

Theory of operation. A view that waits inside Flask keeps its contexts, the environ, the parsed request
and a database connection for up to an hour. Here the view returns at once and leaves a `Waiting` in the
environ (`hold`); `Shim`, the outermost WSGI application, closes Flask's answer, so that all teardown
runs, and returns the `Waiting` as the response body. The worker recognises it, lets go of environ,
request and parser, and calls `answer()`: what is left is this object, a socket and a shallow stack.

    worker ─► Shim ─► Flask ─► view: hold(environ, resume, record)
       │        └── closes Flask's response, contexts are gone
       └── forgets the request … Waiting.answer() … start_response, body

Any WSGI server can serve a `Waiting` (it iterates it); only our worker can do it for a few kilobytes.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

from appliance import logs, metrics
from web import access

HELD_KEY: Final = "appliance.held"
RETRY_AFTER_S: Final = 30
PIECE_BYTES: Final = 65_536
"""Bodies go out in pieces: a deadline for sending then measures progress, not the size of the answer."""

logger = logging.getLogger("appliance.web")
HELD = metrics.gauge("appliance_eas_held", "Requests of phones that are waiting for something to happen.")

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


class ClientGone(BaseException):
    """The client closed its connection while its request waited.

    Not an Exception, so that no command mistakes it for its own failure: it only ends the wait.
    """


class Prepared(NamedTuple):
    """An answer ready for the wire; headers include Content-Length."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


UNAVAILABLE: Final = Prepared(
    "503 Service Unavailable", [("Retry-After", str(RETRY_AFTER_S)), ("Content-Length", "0")], b""
)


class Waiting:
    """A response whose status, headers and body are known only after a wait. Serve it once.

    resume: waits, then returns the answer; must hold neither connection nor lock while it waits.
    record: what the access log says about the request.
    """

    __slots__ = ("_record", "_resume", "_start_response")

    def __init__(self, resume: Callable[[], Prepared], record: access.Record) -> None:
        self._resume = resume
        self._record = record
        self._start_response: StartResponse | None = None

    def bind(self, start_response: StartResponse | None) -> None:
        """Remember how to begin the response, for a server that only iterates; None forgets it."""
        self._start_response = start_response

    def answer(self) -> Prepared:
        """Wait and return the answer; a failure becomes 503 and a log line. Raises ClientGone."""
        HELD.inc()
        try:
            with logs.bind(request=self._record.request_id):
                prepared = self._resume()
        except ClientGone:
            self._record.write(access.CLIENT_GONE, 0, held=True)
            raise
        except Exception as error:  # noqa: BLE001 - the top of a request: answer, log, go on
            logs.event(
                logger,
                "held_failed",
                level=logging.ERROR,
                exc_info=error,
                request=self._record.request_id,
                command=self._record.command,
            )
            prepared = UNAVAILABLE
        finally:
            HELD.dec()
        self._record.write(int(prepared.status[:3]), len(prepared.body), held=True)
        return prepared

    def __iter__(self) -> Iterator[bytes]:
        prepared = self.answer()
        if self._start_response is not None:
            self._start_response(prepared.status, prepared.headers)
        yield from pieces(prepared.body)


class Shim:
    """The outermost application: turns a held request into a `Waiting` after Flask has let go of it."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request; the environ of a held one may be cleared by the caller afterwards."""
        late = _LateStart(start_response)
        body = self._app(environ, late)
        waiting: Waiting | None = environ.pop(HELD_KEY, None)
        if waiting is None:
            late.begin()
            return body
        if hasattr(body, "close"):
            body.close()
        waiting.bind(start_response)
        return waiting


class _LateStart:
    """Holds back `start_response` until it is known whether the request is held."""

    __slots__ = ("_arguments", "_start_response")

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self._arguments: tuple[Any, ...] | None = None

    def __call__(self, *arguments: Any) -> Callable[[bytes], None]:
        self._arguments = arguments
        return _refuse_write

    def begin(self) -> None:
        if self._arguments is not None:
            self._start_response(*self._arguments)


def _refuse_write(_data: bytes) -> None:
    raise RuntimeError("the write() callable of PEP 3333 is not served")


def hold(environ: Environ, resume: Callable[[], Prepared], record: access.Record) -> None:
    """Make the current request wait: whatever the view returns now is thrown away."""
    environ[HELD_KEY] = Waiting(resume, record)


def pieces(body: bytes) -> Iterator[bytes]:
    """Return a body in parts that are small enough to be sent under one deadline."""
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]
