"""The server's side of SMTP: a byte of choices, a byte of cuts, then what a client sends.

Choices: profile (bit 0), refusing policy (bit 1), SMTPUTF8 off (bit 2), end of file at the end (bit 3). The
marker ends what is said before a TLS handshake. However the bytes are cut, events and replies are the same;
buffers stay small; replies are lines of ASCII; a message only ever ends with CRLF.CRLF.
"""

import re
from dataclasses import dataclass, field, replace

from appliance.smtp.events import (
    NEED_DATA,
    Auth,
    ChunkStart,
    Connected,
    DataChunk,
    DataEnd,
    DataStart,
    Event,
    Hello,
    Mail,
    Rcpt,
)
from appliance.smtp.grammar import parse_address
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import BearerToken, Proof
from appliance.smtp.server import ServerSession
from appliance.smtp.session_config import SessionConfig, SessionKind
from appliance.smtp.state import Phase
from tests.clients import dialog
from tests.fuzz.checks import has_only_crlf, is_one_line, pieces
from tests.fuzz.coverage import ROOT, note

COVERS = tuple(
    f"appliance/smtp/{name}.py"
    for name in ("server", "commands", "grammar", "parameters", "lines", "sasl", "state", "data", "reply")
)
TLS = b"\xff\xfeTLS\xfe\xff"
SMALL = SessionConfig(
    "mx.example.test",
    size_bytes_max=400,
    discard_bytes_max=1_200,
    text_line_bytes_max=100,
    recipients_max=3,
    auth_line_max=900,
    tls_available=True,
    errors_max=5,
    idle_commands_max=6,
    auth_failures_max=2,
    refusals_max=4,
)
PROFILES = (
    SMALL,
    replace(
        SMALL,
        kind=SessionKind.SUBMISSION,
        auth_mechanisms=("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"),
        requires_auth=True,
        requires_tls_for_auth=False,
    ),
)
LINE_MAX = max(max(config.auth_line_max, config.mail_line_max) for config in PROFILES)
TOKENS = (
    TLS, b"\r\n", b"EHLO a\r\n", b"HELO a\r\n", b"MAIL FROM:<a@example.test>\r\n", b"MAIL FROM:<>\r\n",
    b"RCPT TO:<b@example.test>\r\n", b"RCPT TO:<Postmaster>\r\n", b"DATA\r\n", b".\r\n", b"\r\n.\r\n",
    b"\n.\n", b"QUIT\r\n", b"RSET\r\n", b"NOOP\r\n", b"VRFY a\r\n", b"STARTTLS\r\n",
    b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl\r\n", b"AUTH LOGIN\r\n", b"AUTH PLAIN\r\n",
    b"*\r\n", b"YWxpY2U=\r\n", b"=\r\n", b" SIZE=400", b" BODY=8BITMIME", b" SMTPUTF8", b" AUTH=<>",
    b"<@a,@b:c@d>", b'"a b"@c', b"@[192.0.2.1]", b"@[IPv6:::1]", b"\xc3\xa4", b"x" * 300,
    b"GET / HTTP/1.1\r\n", b"BDAT 1 LAST\r\n", b"\0", b"\t",
)  # fmt: skip
BYTES_MAX = 4_096
_REPLY = re.compile(rb"(?:[2-5][0-9]{2}-[ -~]*\r\n)*[2-5][0-9]{2}(?: [ -~]*)?\r\n")


@dataclass
class Transcript:
    """What happened: events with the chunks of one message joined, and all output."""

    events: list[object] = field(default_factory=list)
    output: bytes = b""
    content: bytes = b""

    def add(self, event: Event) -> None:
        if isinstance(event, DataChunk):
            self.content += event.data
            return
        self.events.append((event, self.content) if isinstance(event, DataEnd) else event)
        self.content = b""


def seeds() -> list[bytes]:
    """Return what the clients of the recorded dialogs say."""
    found: list[bytes] = []
    for recorded in dialog.load(ROOT / "tests/vectors/smtp"):
        octets = b""
        for step in recorded.steps:
            if step.mark == ">":
                octets += step.text.encode() + b"\r\n"
            elif step.mark == ">>":
                text = step.text.encode("latin-1", "backslashreplace").decode("unicode_escape")
                octets += text.encode("latin-1") * min(step.times, 40)
            elif step.text == "tls":
                octets += TLS
        head = bytes((recorded.profile != "reception", 1 + len(found) % 7))
        found += [head + octets[: BYTES_MAX - 2]]
    return found


def target(data: bytes) -> None:
    choices, plan, stream = [*data[:1], 0][0], [*data[1:2], 0][0], data[2:]
    whole, cut = _converse(choices, 0, stream), _converse(choices, plan, stream)
    assert whole.output == cut.output, "cut differently, other replies"
    assert whole.events == cut.events, "cut differently, other events"
    ends = stream.count(b".\r\n") + stream.lower().count(b"bdat")
    assert sum(isinstance(event, tuple) for event in whole.events) <= ends, "more messages than ends"


def _converse(choices: int, plan: int, stream: bytes) -> Transcript:
    config = replace(PROFILES[choices & 1], smtputf8=not choices & 4)
    session, transcript = ServerSession(config), Transcript()
    _pump(session, transcript, choices)
    for said in stream.split(TLS):
        for piece in pieces(said, plan):
            session.receive_data(piece)
            _pump(session, transcript, choices)
            is_open = session.phase is not Phase.CLOSED
            assert not is_open or len(session._lines._buffer) <= LINE_MAX, "the buffer grows"
        if session.phase is Phase.TLS:
            session.tls_established()
            _pump(session, transcript, choices)
    if choices & 8:
        session.receive_data(b"")
        _pump(session, transcript, choices)
        assert session.phase is Phase.CLOSED
    note(session.phase, session.authenticated, session.tls_active, len(transcript.events).bit_length())
    return transcript


def _pump(session: ServerSession, transcript: Transcript, choices: int) -> None:
    """Answer until nothing is left to answer, and check what goes out."""
    output = b""
    while (event := session.next_event()) is not NEED_DATA:
        _event(event, session)
        transcript.add(event)
        output += session.send(_verdict(event, choices))
    output += session.data_to_send()
    transcript.output += output
    while output:
        match = _REPLY.match(output)
        assert match is not None, f"not a reply: {output[:80]!r}"
        assert max(map(len, match.group().split(b"\r\n"))) <= 510
        output = output[match.end() :]


def _is_right(proof: Proof) -> bool:
    secret = proof.token if isinstance(proof, BearerToken) else proof.password
    return secret in (dialog.PASSWORD, dialog.TOKEN)


def _verdict(event: Event, choices: int) -> Event | Reply:
    refuses = bool(choices & 2)
    if isinstance(event, Auth) and (refuses or not _is_right(event.credentials)):
        return Reply(535, "5.7.8", "Wrong user name or password")
    if isinstance(event, Rcpt) and (refuses or "x" in event.forward_path.local_part):
        return Reply(550, "5.1.1", f"No such user {event.forward_path}")
    if isinstance(event, DataStart | ChunkStart | DataEnd | Mail | Connected) and choices & 0x10 << (
        choices >> 5 & 1
    ):
        return Reply(451, "4.3.0", "Later")
    return event


def _event(event: Event, session: ServerSession) -> None:
    note(type(event).__name__, getattr(event, "reason", None), session.phase)
    match event:
        case Rcpt(path) | Mail(path) if path is not None:
            assert parse_address(str(path)) == path, "an address does not survive"
            is_one_line(str(path), "an address")
            assert len(str(path).encode()) <= 254
        case Hello(name):
            is_one_line(name, "the client's name")
        case DataChunk(octets):
            has_only_crlf(octets, "a message")
            assert b"\0" not in octets
        case DataEnd(size):
            assert size <= SMALL.size_bytes_max
        case Auth(credentials):
            is_token = isinstance(credentials, BearerToken)
            secret = credentials.token if isinstance(credentials, BearerToken) else credentials.password
            assert credentials.username or is_token
            assert secret not in repr(event) or len(secret) < 12
