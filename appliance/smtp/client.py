"""The client side of SMTP without a socket: hand in a message's envelope, get one outcome per recipient.

Owns the order of commands, pipelining (RFC 2920), what may be sent given the server's extensions, and the
reading of whatever the server answers. Leaves to the caller the socket, deadlines, TLS, the message's
octets (asked for with `SendMessage`) and the choice of servers and retries.

    client = ClientSession("mx.example.com")
    while (event := client.next_event()) is not NEED_DATA: ...   # Greeted → hello(), Ready → begin(…), …
    write(client.data_to_send())                                  # after each pull, before each read
    client.receive_data(read())                                   # b"" says that the server is gone

Theory of operation. Every command sent puts an expectation into a queue, every reply takes the first one
out. Without PIPELINING a command waits until the queue is empty; that is the only difference. A reply
nobody expects, an unreadable one or a lost connection ends the session with one `Failed`, and every
recipient still without an answer gets that reply as its own.
"""

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from appliance.smtp import client_commands
from appliance.smtp.client_commands import ClientMessage
from appliance.smtp.data import DataWriter
from appliance.smtp.events import NEED_DATA, NeedData
from appliance.smtp.grammar import Address, SmtpSyntaxError
from appliance.smtp.reply import Reply, ReplyParser
from appliance.smtp.sasl import Credentials

__all__ = [
    "AuthAnswer",
    "ClientEvent",
    "ClientMessage",
    "ClientPhase",
    "ClientSession",
    "Failed",
    "Finished",
    "Goodbye",
    "Greeted",
    "Ready",
    "SendMessage",
    "TlsAnswer",
]

CONNECTION_LOST = Reply(421, "4.4.2", "Connection lost")


@dataclass(frozen=True, slots=True)
class Greeted:
    """The server welcomed us; call `hello()`."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Ready:
    """EHLO (or HELO) was answered: `starttls()`, `authenticate()`, `begin()` or `quit()`.

    `extensions` maps upper-case keywords to their parameters; empty after HELO.
    """

    extensions: dict[str, str]


@dataclass(frozen=True, slots=True)
class TlsAnswer:
    """STARTTLS was answered. When positive: shake hands, call `tls_established()`, then `hello()` again."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class AuthAnswer:
    """AUTH was answered."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Somebody will take the message: write `message_data(piece)` for all pieces, then `message_end()`."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The transaction is over: one reply for each recipient, in the order given."""

    outcomes: tuple[tuple[Address, Reply], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """The session is over. A transaction under way ends with a `Finished` just before this."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Goodbye:
    """QUIT was answered: close."""


type ClientEvent = Greeted | Ready | TlsAnswer | AuthAnswer | SendMessage | Finished | Failed | Goodbye


class ClientPhase(Enum):
    """What the caller may do next."""

    BUSY = auto()  # wait for an event
    READY = auto()
    MESSAGE = auto()  # message octets are wanted
    TLS = auto()  # handshake
    CLOSED = auto()


class ClientSession:
    """One connection to one server; any number of messages one after the other."""

    def __init__(self, hostname: str) -> None:
        """hostname: how we name ourselves in EHLO; one printable word (ValueError)."""
        if not hostname or not hostname.isprintable() or " " in hostname:
            raise ValueError("the name for EHLO must be one printable word")
        self.phase = ClientPhase.BUSY
        self.extensions: dict[str, str] = {}
        self._hostname = hostname
        self._parser = ReplyParser()
        self._out = bytearray()
        self._events: deque[ClientEvent] = deque()
        self._expected: deque[Callable[[Reply], None]] = deque([self._on_banner])
        self._waiting: deque[tuple[bytes, Callable[[Reply], None]]] = deque()
        self._is_eof = False
        self._message: ClientMessage | None = None
        self._replies: list[Reply | None] = []
        self._writer = DataWriter()
        self._needs_rset = False
        self._auth_answers: deque[str] = deque()

    # The caller's side:

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the server; b"" says that it closed."""
        if data:
            self._parser.feed(data)
        else:
            self._is_eof = True

    def next_event(self) -> ClientEvent | NeedData:
        """Return what happened next, or NEED_DATA: write `data_to_send()`, then read."""
        while not self._events and self.phase not in (ClientPhase.CLOSED, ClientPhase.TLS):
            try:
                reply = self._parser.next_reply()
            except SmtpSyntaxError as error:
                self._fail(Reply(451, "4.5.0", f"Protocol error: {error.message}"))
                break
            if reply is not None:
                self._take(reply)
            elif self._is_eof:
                self._fail(CONNECTION_LOST)
            else:
                break
        return self._events.popleft() if self._events else NEED_DATA

    def data_to_send(self) -> bytes:
        """Return and forget the output gathered so far."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def hello(self) -> None:
        """Say EHLO, and HELO when that is refused. Source: RFC 5321 3.2 Client Initiation."""
        self.phase = ClientPhase.BUSY
        self._command(f"EHLO {self._hostname}", self._on_ehlo)

    def starttls(self) -> None:
        """Ask for TLS; a TlsAnswer follows. Source: RFC 3207 4."""
        self._leave_ready()
        self._command("STARTTLS", self._on_starttls)

    def tls_established(self) -> None:
        """Tell that the handshake succeeded; what the server said before is void. RFC 3207 4.2."""
        assert self.phase is ClientPhase.TLS
        self.phase = ClientPhase.BUSY
        self.extensions = {}

    def authenticate(self, credentials: Credentials) -> None:
        """Log in with PLAIN, or with LOGIN where that is all there is; an AuthAnswer follows.

        The caller makes sure that TLS is active and the server who it should be. Source: RFC 4954 4.
        """
        self._leave_ready()
        username, password = (
            base64.b64encode(text.encode()).decode("ascii")
            for text in (credentials.username, credentials.password)
        )
        mechanisms = self.extensions.get("AUTH", "").upper().split()
        if "LOGIN" in mechanisms and "PLAIN" not in mechanisms:
            self._auth_answers = deque((username, password))
            self._command("AUTH LOGIN", self._on_auth)
            return
        secret = f"\0{credentials.username}\0{credentials.password}".encode()
        self._auth_answers = deque()
        self._command("AUTH PLAIN " + base64.b64encode(secret).decode("ascii"), self._on_auth)

    def begin(self, message: ClientMessage) -> None:
        """Start a transaction; a Finished follows, with a SendMessage before it if anybody wants it.

        Refused here without asking the server: a message over its SIZE, and one that needs SMTPUTF8 or
        REQUIRETLS where that is missing. Deviation: 8-bit content goes out as it is to a server without
        8BITMIME. RFC 6152 3 asks for conversion, which would break DKIM signatures; servers without it
        pass 8 bits all the same (decision 0010, test_client.py::test_8bit_without_8bitmime).
        """
        self._leave_ready()
        self._message = message
        self._replies = [None] * len(message.forward_paths)
        refusal = client_commands.refusal(message, self.extensions)
        if refusal is not None:
            self._finish(refusal)
            return
        if self._needs_rset:
            self._command("RSET", lambda _reply: None)
        self._needs_rset = True
        self._command(client_commands.mail_command(message, self.extensions), self._on_mail)
        for index in range(len(message.forward_paths)):
            command = client_commands.rcpt_command(message, index, self.extensions)
            self._command(command, partial(self._on_rcpt, index))
        self._command("DATA", self._on_data)

    def message_data(self, piece: bytes) -> bytes:
        """Return what to write for the next piece of the message, cut anywhere."""
        assert self.phase is ClientPhase.MESSAGE
        return self._writer.feed(piece)

    def message_end(self) -> bytes:
        """Return the end of the message; its Finished follows."""
        assert self.phase is ClientPhase.MESSAGE
        self.phase = ClientPhase.BUSY
        self._expected.append(self._on_message)
        return self._writer.finish()

    def message_abandoned(self) -> None:
        """Tell that the message could not be written to its end: a refusal may still be there to read."""
        assert self.phase is ClientPhase.MESSAGE
        self.phase = ClientPhase.BUSY
        self._expected.append(lambda reply: self._finish(_refusing(reply)))

    def quit(self) -> None:
        """Say goodbye; Goodbye or Failed follows."""
        self._leave_ready()
        self._command("QUIT", self._on_quit)

    def connection_lost(self, reply: Reply = CONNECTION_LOST) -> None:
        """Tell that the connection is gone or given up; `reply` becomes the outcome of what is open."""
        if self.phase is not ClientPhase.CLOSED:
            self._fail(reply)

    # Commands and replies:

    def _leave_ready(self) -> None:
        assert self.phase is ClientPhase.READY, f"not ready but {self.phase}"
        self.phase = ClientPhase.BUSY

    def _command(self, line: str, handler: Callable[[Reply], None]) -> None:
        self._waiting.append((line.encode() + b"\r\n", handler))
        self._write_waiting()

    def _write_waiting(self) -> None:
        while self._waiting and (not self._expected or "PIPELINING" in self.extensions):
            line, handler = self._waiting.popleft()
            self._out += line
            self._expected.append(handler)

    def _take(self, reply: Reply) -> None:
        if not self._expected:
            closing = reply if reply.code == 421 else Reply(451, "4.5.0", "Reply without a command")
            self._fail(closing)
            return
        if reply.code == 421:
            self._fail(reply)
            return
        self._expected.popleft()(reply)
        self._write_waiting()

    def _fail(self, reply: Reply) -> None:
        """End the session; recipients without an answer share the reply, as a transient one."""
        if self._message is not None:
            shared = reply if not reply.is_positive else Reply(451, "4.5.0", f"Unexpected reply: {reply}")
            self._finish(shared)
        self.phase = ClientPhase.CLOSED
        self._expected.clear()
        self._waiting.clear()
        self._events.append(Failed(reply))

    def _on_banner(self, reply: Reply) -> None:
        if reply.code == 220:
            self.phase = ClientPhase.READY
            self._events.append(Greeted(reply))
        else:
            self._fail(reply)

    def _on_ehlo(self, reply: Reply) -> None:
        if reply.code == 250:
            self.extensions = _keywords(reply)
            self._become_ready()
        elif reply.is_permanent:
            self._command(f"HELO {self._hostname}", self._on_helo)
        else:
            self._fail(reply)

    def _on_helo(self, reply: Reply) -> None:
        if reply.code == 250:
            self.extensions = {}
            self._become_ready()
        else:
            self._fail(reply)

    def _become_ready(self) -> None:
        self.phase = ClientPhase.READY
        self._events.append(Ready(dict(self.extensions)))

    def _on_starttls(self, reply: Reply) -> None:
        if reply.code == 220:
            if self._parser.has_leftover:  # replies injected in front of the handshake
                self._fail(Reply(451, "4.7.0", "Server sent data after accepting STARTTLS"))
                return
            self.phase = ClientPhase.TLS
        else:
            self.phase = ClientPhase.READY
        self._events.append(TlsAnswer(reply))

    def _on_auth(self, reply: Reply) -> None:
        if reply.code == 334:  # a question we have an answer to, or "*", which ends the exchange
            answer = self._auth_answers.popleft() if self._auth_answers else "*"
            self._command(answer, self._on_auth)
            return
        self.phase = ClientPhase.READY
        self._events.append(AuthAnswer(reply))

    def _on_quit(self, _reply: Reply) -> None:
        self.phase = ClientPhase.CLOSED
        self._events.append(Goodbye())

    # One transaction:

    def _on_mail(self, reply: Reply) -> None:
        if reply.code // 100 != 2:
            self._refuse_open(reply)
            self._skip_unsent()

    def _on_rcpt(self, index: int, reply: Reply) -> None:
        if self._replies[index] is None and reply.code // 100 != 2:
            self._replies[index] = _refusing(reply)
        is_last = index == len(self._replies) - 1
        if is_last and not self._has_takers():
            self._skip_unsent()

    def _on_data(self, reply: Reply) -> None:
        if reply.code == 354:
            self.phase = ClientPhase.MESSAGE
            self._writer = DataWriter()
            if self._has_takers():
                self._events.append(SendMessage())
            else:  # RFC 2920 3.1: DATA was pipelined and accepted although every RCPT was refused
                self._out += self.message_end()
        else:
            self._finish(_refusing(reply))

    def _on_message(self, reply: Reply) -> None:
        if reply.code // 100 == 2:
            self._needs_rset = False
        self._finish(reply if reply.code // 100 != 3 else _refusing(reply))

    def _has_takers(self) -> bool:
        return any(reply is None for reply in self._replies)

    def _refuse_open(self, reply: Reply) -> None:
        self._replies = [known or _refusing(reply) for known in self._replies]

    def _skip_unsent(self) -> None:
        """Nobody will take the message: commands not yet written are not needed. Ends the transaction if
        none was written ahead."""
        self._waiting.clear()
        if not self._expected and not self._has_takers():
            self._finish(None)

    def _finish(self, reply: Reply | None) -> None:
        """Report the outcomes; `reply` is for the recipients that have none of their own."""
        message, self._message = self._message, None
        assert message is not None
        shared = reply or Reply(451, "4.5.0", "No answer")
        outcomes = zip(message.forward_paths, (known or shared for known in self._replies), strict=True)
        self._events.append(Finished(tuple(outcomes)))
        self.phase = ClientPhase.READY


def _refusing(reply: Reply) -> Reply:
    """Return the reply if it refuses; a 2yz or 3yz in the wrong place becomes a transient failure."""
    return Reply(451, "4.5.0", f"Unexpected reply: {reply}") if reply.is_positive else reply


def _keywords(reply: Reply) -> dict[str, str]:
    """Return the EHLO keywords; the first line is the server's name. Source: RFC 5321 4.1.1.1."""
    keywords = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        keywords[keyword.upper()] = parameters.strip()
    return keywords
