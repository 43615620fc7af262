"""A remote mail server with a script: it says what the test wants and remembers what it was given.

    with FakeMx({"RCPT": "450 4.2.0 greylisted"}) as mx: ...

The script maps a command (or GREETING, MESSAGE for the end of data) to a reply line, to a list of them
(one for each time, the last repeats), or to CLOSE, SILENCE or DRIP (a reply that comes byte by byte and
never ends). Without an entry everything is accepted.
Not built on our own server session, so that the two cannot agree on a mistake.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Final, Self

CLOSE: Final = "CLOSE"
SILENCE: Final = "SILENCE"
DRIP: Final = "DRIP"
DRIP_EVERY_S: Final = 0.05
EXTENSIONS: Final = ("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
ACCEPTANCE: Final = {
    "GREETING": "220 fake.example.net ESMTP",
    "HELO": "250 fake.example.net",
    "STARTTLS": "220 2.0.0 go ahead",
    "DATA": "354 go ahead",
    "QUIT": "221 2.0.0 bye",
}
Script = Mapping[str, str | Sequence[str]]


@dataclass
class Received:
    """One message as it arrived: the arguments of MAIL and RCPT, and the octets after 354, unstuffed."""

    mail: str
    recipients: list[str] = field(default_factory=list)
    body: bytes = b""
    is_encrypted: bool = False
    helo: str = ""


class _Closed(Exception):
    """This connection is over."""


class FakeMx:
    """Listens inside the `with` block on a free port of `host`."""

    def __init__(
        self,
        script: Script | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        extensions: Sequence[str] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
        is_implicit_tls: bool = False,
        delay_s: float = 0.0,
    ) -> None:
        """tls: offered with STARTTLS, or spoken from the first byte."""
        self.script = dict(script or {})
        self.messages: list[Received] = []
        self.commands: list[str] = []
        self.connections = 0
        self.open_now = 0
        self.open_max = 0
        self._extensions = tuple(extensions) + (("STARTTLS",) if tls and not is_implicit_tls else ())
        self._tls = tls
        self._is_implicit_tls = is_implicit_tls
        self._delay_s = delay_s
        self._sock = socket.create_server((host, port), backlog=50)
        self.host = host
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
        self.connections += 1
        self.open_now += 1
        self.open_max = max(self.open_max, self.open_now)
        try:
            with suppress(OSError, _Closed):
                _Guest(self, client).run()
        finally:
            self.open_now -= 1

    def reply_to(self, verb: str) -> str:
        """Return the scripted reply line; consumes one of a list."""
        entry = self.script.get(verb)
        if entry is None:
            return ACCEPTANCE.get(verb, "250 2.0.0 OK")
        if isinstance(entry, str):
            return entry
        replies = list(entry)
        if len(replies) > 1:
            self.script[verb] = replies[1:]
        return replies[0]

    def took(self, message: Received) -> None:
        """Called once a message is accepted, before the client hears of it; for those who count."""


class _Guest:
    """One connection to a FakeMx."""

    def __init__(self, mx: FakeMx, sock: socket.socket) -> None:
        self._mx = mx
        self._sock = sock
        self._stream: IO[bytes] = sock.makefile("rb")
        self._message = Received("")
        self._is_encrypted = False
        self._helo = ""

    def run(self) -> None:
        try:
            if self._mx._is_implicit_tls:
                self._start_tls()
            self._say("GREETING")
            while line := self._stream.readline():
                self._command(line.decode("utf-8", "replace").rstrip("\r\n"))
        finally:
            self._stream.close()
            self._sock.close()

    def _command(self, line: str) -> None:
        self._mx.commands.append(line)
        verb = line.partition(" ")[0].upper()
        if verb in ("EHLO", "HELO"):
            self._helo = line.partition(" ")[2]
        if verb == "EHLO" and "EHLO" not in self._mx.script:
            lines = ["fake.example.net", *self._extensions()]
            marks = ["-"] * (len(lines) - 1) + [" "]
            self._write("".join(f"250{mark}{text}\r\n" for mark, text in zip(marks, lines, strict=True)))
            return
        reply = self._say(verb)
        if reply.startswith("354"):
            self._data()
        elif verb == "STARTTLS" and reply.startswith("220"):
            self._start_tls()
        elif verb == "QUIT":
            raise _Closed
        elif verb == "MAIL" and reply.startswith("250"):
            self._message = Received(line.partition(":")[2], is_encrypted=self._is_encrypted, helo=self._helo)
        elif verb == "RCPT" and reply.startswith("25"):
            self._message.recipients.append(line.partition(":")[2])

    def _extensions(self) -> list[str]:
        return [name for name in self._mx._extensions if not (name == "STARTTLS" and self._is_encrypted)]

    def _data(self) -> None:
        lines = []
        while (line := self._stream.readline()) != b".\r\n":
            if not line:
                raise _Closed
            lines.append(line[1:] if line.startswith(b".") else line)
        self._message.body = b"".join(lines)
        reply = self._mx.reply_to("MESSAGE")
        if reply.startswith("250"):
            self._mx.messages.append(self._message)
            self._mx.took(self._message)
        self._answer(reply)

    def _start_tls(self) -> None:
        assert self._mx._tls is not None
        self._stream.close()
        self._sock = self._mx._tls.wrap_socket(self._sock, server_side=True)
        self._stream = self._sock.makefile("rb")
        self._is_encrypted = True

    def _say(self, verb: str) -> str:
        reply = self._mx.reply_to(verb)
        self._answer(reply)
        return reply

    def _answer(self, reply: str) -> None:
        time.sleep(self._mx._delay_s)
        if reply == CLOSE:
            raise _Closed
        if reply == DRIP:
            while True:
                self._write("2")
                time.sleep(DRIP_EVERY_S)
        if reply == SILENCE:
            self._stream.read()
            raise _Closed
        self._write(reply + "\r\n")

    def _write(self, text: str) -> None:
        self._sock.sendall(text.encode())
