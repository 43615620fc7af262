"""The client's side of SMTP: a byte of choices, a byte of cuts, then what a server sends.

Choices: STARTTLS first (bit 0), log in (bit 1), a non-ASCII recipient (bit 2), the server vanishes at the end
(bit 3). Whatever the server says, each recipient gets exactly one outcome and nothing is raised.
"""

from appliance.smtp.client import (
    AuthAnswer,
    ClientEvent,
    ClientMessage,
    ClientPhase,
    ClientSession,
    Failed,
    Finished,
    Goodbye,
    Greeted,
    Ready,
    SendMessage,
    TlsAnswer,
)
from appliance.smtp.events import NEED_DATA
from appliance.smtp.grammar import Address
from appliance.smtp.sasl import Credentials
from tests.fuzz.checks import has_only_crlf, pieces
from tests.fuzz.coverage import note
from tests.fuzz.targets import smtp_reply

COVERS = ("appliance/smtp/client.py", "appliance/smtp/reply.py")
TOKENS = (
    *smtp_reply.TOKENS, b"220 mx.test ESMTP\r\n",
    b"250-mx.test\r\n250-PIPELINING\r\n250-SIZE 10\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n", b"250 OK\r\n",
    b"354 go\r\n", b"550 5.1.1 no\r\n", b"451 later\r\n", b"221 bye\r\n", b"235 in\r\n", b"502 what\r\n",
    b"421 away\r\n",
)  # fmt: skip
BYTES_MAX = 4_096
PATHS = (Address("a", "example.net"), Address("b", "example.net"), Address("c", "example.net"))


def seeds() -> list[bytes]:
    hello = b"220 mx\r\n250-mx\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"
    sent = b"250 OK\r\n" * 3 + b"550 5.1.1 no\r\n354 go\r\n250 2.0.0 taken\r\n221 bye\r\n"
    plain = b"220 mx\r\n502 no\r\n250 mx\r\n" + sent
    return [
        b"\0\0" + hello + sent,
        b"\x08\x01" + plain,
        b"\x03\x02" + hello + b"220 go\r\n" + hello + b"235 in\r\n" + sent,
    ]


def target(data: bytes) -> None:
    choices, plan, stream = [*data[:1], 0][0], [*data[1:2], 0][0], data[2:]
    caller = Caller(choices)
    for piece in pieces(stream, plan):
        caller.receive(piece)
    if choices & 8:
        caller.receive(b"")
        caller.session.connection_lost()
        caller.pump()
        assert caller.session.phase is ClientPhase.CLOSED
        assert caller.asked == caller.answered, "a message without an outcome"
    assert caller.asked - 1 <= caller.answered <= caller.asked


class Caller:
    """Does what a relay does with a session: greet, secure, log in, send two messages, leave."""

    def __init__(self, choices: int) -> None:
        self.session = ClientSession("mail.example.com")
        self.asked = self.answered = 0
        self._choices = choices
        self._is_secure = self._is_in = False
        paths = (*PATHS, Address("ä", "example.net")) if choices & 4 else PATHS
        self._message = ClientMessage(Address("ann", "example.com"), paths, 2_000, is_8bit=True)

    def receive(self, data: bytes) -> None:
        self.session.receive_data(data)
        self.pump()

    def pump(self) -> None:
        for _ in range(200):
            event = self.session.next_event()
            has_only_crlf(self.session.data_to_send(), "a command")
            if event is NEED_DATA:
                return
            note(type(event).__name__, self.session.phase)
            self._answer(event)
        raise AssertionError("events without end")

    def _answer(self, event: ClientEvent) -> None:
        match event:
            case Greeted():
                self.session.hello()
            case Ready():
                self._ready()
            case TlsAnswer(reply):
                self._is_secure = True
                if reply.code == 220:
                    self.session.tls_established()
                    self.session.hello()
                else:
                    self._ready()
            case AuthAnswer():
                self._ready()
            case SendMessage():
                self.session.message_data(b"Subject: x\r\n\r\nhi")
                if self._choices & 16:
                    self.session.message_abandoned()
                else:
                    self.session.message_end()
            case Finished(outcomes):
                self.answered += 1
                assert [path for path, _ in outcomes] == list(self._message.forward_paths)
                assert all(not reply.is_positive or reply.code // 100 == 2 for _, reply in outcomes)
                if self.session.phase is ClientPhase.READY:
                    self._ready()
            case Failed() | Goodbye():
                assert self.session.phase is ClientPhase.CLOSED

    def _ready(self) -> None:
        if self._choices & 1 and not self._is_secure:
            self.session.starttls()
        elif self._choices & 2 and not self._is_in:
            self._is_in = True
            self.session.authenticate(Credentials("ann", "secret"))
        elif self.asked < 2:
            self.asked += 1
            self.session.begin(self._message)
        else:
            self.session.quit()
