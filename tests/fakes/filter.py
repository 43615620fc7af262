"""A content filter that says what it is told to: Rspamd's answers, and everything that can go wrong."""

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class FakeRspamd:
    """Listens on a free port inside the `with` block.

    answer: the JSON of an opinion, or octets to be sent as they are. status, delay_s: of every answer.
    `requests` are (path, headers, body) as they came.
    """

    def __init__(self, answer: dict[str, Any] | bytes | None = None, *, status: int = 200) -> None:
        self.answer: dict[str, Any] | bytes = (
            {"action": "no action", "score": 0.0} if answer is None else answer
        )
        self.status = status
        self.delay_s = 0.0
        self.requests: list[tuple[str, dict[str, list[str]], bytes]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name: self.headers.get_all(name, []) for name in set(self.headers.keys())}
                fake.requests.append((self.path, headers, body))
                time.sleep(fake.delay_s)
                answer = fake.answer if isinstance(fake.answer, bytes) else json.dumps(fake.answer).encode()
                self.send_response(fake.status)
                self.end_headers()
                with suppress(OSError):  # the client has had enough
                    self.wfile.write(answer)

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        return Handler
