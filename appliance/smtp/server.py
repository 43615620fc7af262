"""The server side of SMTP without a socket: bytes in, events out, replies back as bytes.

Owns the conversation (RFC 5321, with PIPELINING, SIZE, 8BITMIME, CHUNKING, SMTPUTF8, ENHANCEDSTATUSCODES,
DSN, REQUIRETLS, STARTTLS and AUTH): its buffers, its state, its counters. The commands one by one are in
`commands`. Leaves to the caller the socket, every deadline, TLS, and each decision: who may connect, send,
receive and authenticate, and whether a message is stored.

    session = ServerSession(config)
    while session.phase is not Phase.CLOSED:
        event = session.next_event()
        if event is NEED_DATA:
            write(session.data_to_send())
            session.receive_data(read())            # b"" says that the client is gone
        elif isinstance(event, Rcpt):
            write(session.send(policy(event)))      # a Reply, or the event itself to accept it
        ...

Replies leave in the order of the commands (RFC 2920): while a decision is open no further command is
looked at. Output gathers until it is fetched, so a pipelined group is answered in one write. The same
bytes give the same events and replies however they were cut.
"""

from dataclasses import dataclass

from appliance.smtp.chunks import ChunkReader
from appliance.smtp.commands import HANDLERS, sasl_response
from appliance.smtp.data import DataReader, DataState, Flaw
from appliance.smtp.events import (
    NEED_DATA,
    Auth,
    ChunkStart,
    Connected,
    ConnectionLost,
    DataChunk,
    DataEnd,
    DataRefused,
    DataStart,
    Decision,
    Event,
    Mail,
    NeedData,
    ProtocolViolation,
    Rcpt,
    StartTls,
)
from appliance.smtp.lines import BareLineBreak, LineReader, LineTooLong
from appliance.smtp.parameters import Refused
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import SaslExchange
from appliance.smtp.session_config import SessionConfig
from appliance.smtp.state import FOREIGN_VERBS, LEGAL_PHASES, MOVES, Move, Phase, sequence_error

_TOO_MANY_ERRORS = Reply(421, "4.7.0", "Too many errors, closing the connection")
_TOO_MANY_FAILURES = Reply(421, "4.7.0", "Too many failed logins, closing the connection")
_TOO_MANY_REFUSALS = Reply(421, "4.7.0", "Too many refused recipients, closing the connection")
_BARE_IN_COMMAND = Reply(521, "5.5.2", "Lines must end with CRLF; bare CR or LF received, closing")
_BARE_IN_DATA = Reply(521, "5.6.0", "Message has a bare CR or LF (SMTP smuggling protection), closing")
_TOO_MANY_CHUNKS = Reply(552, "5.3.4", "Far too many chunks, closing the connection")
_OVERRUN = Reply(552, "5.3.4", "Message far over the size limit, closing the connection")
_FLAWS = {
    Flaw.TOO_LARGE: (Reply(552, "5.3.4", "Message too large"), "size"),
    Flaw.NUL: (Reply(554, "5.6.0", "Message contains NUL octets"), "nul"),
    Flaw.BARE_LINE_BREAK: (Reply(554, "5.6.0", "Message has a bare CR or LF"), "bare_line_break"),
    Flaw.LINE_TOO_LONG: (Reply(554, "5.6.0", "Message has a line that is too long"), "line_too_long"),
}

# What `send(event)` says, and where an acceptance or a refusal leads.
_ACCEPTANCES: dict[type, Reply] = {
    StartTls: Reply(220, "2.0.0", "Ready to start TLS"),
    Auth: Reply(235, "2.7.0", "Authentication succeeded"),
    Mail: Reply(250, "2.1.0", "Sender OK"),
    Rcpt: Reply(250, "2.1.5", "Recipient OK"),
    DataStart: Reply(354, None, "End data with <CR><LF>.<CR><LF>"),
    DataEnd: Reply(250, "2.0.0", "OK"),
}
_MOVE_IF_ACCEPTED: dict[type, Move] = {
    Connected: Move.BANNER,
    StartTls: Move.TLS,
    Auth: Move.AUTH_DONE,
    Mail: Move.MAIL,
    Rcpt: Move.RCPT,
    DataStart: Move.DATA,
    ChunkStart: Move.DATA,
    DataEnd: Move.RESET,
}
_MOVE_IF_REFUSED: dict[type, Move] = {Connected: Move.CLOSE, Auth: Move.AUTH_DONE, DataEnd: Move.RESET}


@dataclass
class Transaction:
    """What is remembered between MAIL and the end of the message."""

    smtputf8: bool = False
    recipients: int = 0
    recipients_over: int = 0
    reader: DataReader | ChunkReader | None = None


class ServerSession:
    """One client's conversation. See the module's docstring for the loop around it.

    Public state: `phase`, `tls_active`, `authenticated`, `hello_name` (None before EHLO), `extended`.
    Misuse by the caller (an answer without a question, a question left open) is an AssertionError; no
    input from the client raises anything.
    """

    def __init__(self, config: SessionConfig, *, tls_active: bool = False) -> None:
        """tls_active: the connection is already encrypted (port 465)."""
        self.config = config
        self.phase = Phase.CONNECTED
        self.tls_active = tls_active
        self.authenticated = False
        self.hello_name: str | None = None
        self.extended = False
        self.transaction = Transaction()
        self.sasl: SaslExchange | None = None
        self.idle_commands = 0
        self._lines = LineReader(self._line_ceiling)
        self._out = bytearray()
        self._open: Decision | None = None
        self._is_eof = False
        self._last_word: Reply | None = None  # set: whatever comes next is answered with this 421
        self._discard: tuple[int, Refused] | None = None  # octets of a chunk nobody wants, and the answer
        self._errors = self._auth_failures = self._refusals = 0

    @property
    def protocol(self) -> str:
        """Return the word for `with` in a Received field. Source: RFC 3848, RFC 6531 4.3."""
        if not self.extended:
            return "SMTP"
        base = "UTF8SMTP" if self.transaction.smtputf8 else "ESMTP"
        return base + ("S" if self.tls_active else "") + ("A" if self.authenticated else "")

    def receive_data(self, data: bytes) -> None:
        """Take bytes from the client; b"" says that it closed its side."""
        if not data:
            self._is_eof = True
        elif self.phase not in (Phase.TLS, Phase.CLOSED):
            self._lines.feed(data)

    def next_event(self) -> Event | NeedData:
        """Return what happened next, or NEED_DATA. After CLOSED there is only NEED_DATA."""
        assert self._open is None, f"{self._open} was not answered"
        if self.phase is Phase.CONNECTED:
            return self.ask(Connected())
        while self.phase not in (Phase.TLS, Phase.CLOSED):
            event = self._next()
            if event is NEED_DATA:
                break
            if event is not None:
                return event
        if self._is_eof and self.phase is not Phase.CLOSED:
            self.move(Move.CLOSE)
            return ConnectionLost()
        return NEED_DATA

    def _next(self) -> Event | NeedData | None:
        if self._discard is not None:
            return self._discard_event(*self._discard)
        return self._data_event() if self.phase is Phase.DATA else self._command_event()

    def send(self, answer: Event | Reply) -> bytes:
        """Answer the open decision and return all output gathered so far.

        A Reply is sent as it is; its code decides whether it accepts. The event itself accepts with the
        standard text; for a Notice, which needs no answer, only the gathered output is returned.
        """
        if isinstance(answer, Reply):
            self._decide(answer)
        elif isinstance(answer, Connected):
            self._decide(Reply(220, None, f"{self.config.hostname} ESMTP"))
        elif isinstance(answer, ChunkStart):
            self._begin_chunks(answer)
        elif type(answer) in _ACCEPTANCES:
            self._decide(_ACCEPTANCES[type(answer)])
        return self.data_to_send()

    def data_to_send(self) -> bytes:
        """Return and forget the output gathered so far."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def tls_established(self) -> None:
        """Tell that the handshake after STARTTLS succeeded: the client is a stranger again. RFC 3207 4.2."""
        self.move(Move.TLS_DONE)
        self._lines.clear()
        self.tls_active = True
        self.authenticated = False
        self.hello_name = None
        self.extended = False

    def abort(self, reply: Reply) -> bytes:
        """End the session from our side (a deadline, a shutdown) and return the output: 421 or 5yz."""
        self._open = None
        if self.phase is not Phase.CLOSED:
            self.say(reply)
            self.move(Move.CLOSE)
        return self.data_to_send()

    # For `commands`:

    def ask(self, decision: Decision) -> Decision:
        """Open a decision: nothing more is read until the caller has answered it."""
        self._open = decision
        return decision

    def say(self, reply: Reply) -> None:
        """Add a reply to the output."""
        self._out += reply.to_bytes()

    def move(self, move: Move) -> None:
        """Change the phase by the table; outside a transaction or exchange nothing of it is kept."""
        self.phase = MOVES[self.phase, move]
        if self.phase in (Phase.READY, Phase.FRESH, Phase.TLS, Phase.CLOSED):
            self.transaction = Transaction()
            self.sasl = None

    def next_chunk(self, size: int, *, is_last: bool) -> None:
        """Expect the octets of a message's next chunk."""
        reader = self.transaction.reader
        assert isinstance(reader, ChunkReader)
        reader.begin(size, is_last=is_last)
        self.move(Move.DATA)

    def discard(self, size: int, refused: Refused) -> None:
        """Read the octets of an unwanted chunk before it is refused, so that none is taken for a command."""
        if size > self.config.discard_bytes_max:
            refused = Refused(_OVERRUN, "size", close=True)
            size = 0
        self._discard = (size, refused)

    # Decisions:

    def _begin_chunks(self, start: ChunkStart) -> None:
        decision, self._open = self._open, None
        assert decision is start, "an answer to another question"
        config = self.config
        self.transaction.reader = ChunkReader(
            config.size_bytes_max, config.discard_bytes_max, config.text_line_bytes_max
        )
        self.next_chunk(start.size, is_last=start.is_last)

    def _decide(self, reply: Reply) -> None:
        decision, self._open = self._open, None
        assert decision is not None, "a reply without an open decision"
        if isinstance(decision, ChunkStart):
            assert not reply.is_positive, "a chunk is let in by the event itself"
            self.discard(decision.size, Refused(reply, "refused", close=reply.code == 421, counts=False))
            self.move(Move.RESET)  # the next chunk of this message must not begin another
            return
        if isinstance(decision, Auth) and reply.is_permanent and self._explain(reply):
            self._note_refused(decision, reply)
            return
        self.say(reply)
        if reply.is_positive:
            assert (reply.code // 100 == 3) == isinstance(decision, DataStart), "3yz accepts DATA, only DATA"
            self._note_accepted(decision)
            moves = _MOVE_IF_ACCEPTED
        else:
            self._note_refused(decision, reply)
            moves = _MOVE_IF_REFUSED
        if type(decision) in moves:
            self.move(moves[type(decision)])
        if reply.code in (421, 521):
            self.move(Move.CLOSE)

    def _explain(self, reply: Reply) -> bool:
        """Say why a login is refused where the mechanism wants that first; the reply follows its answer."""
        challenge = None if self.sasl is None else self.sasl.refuse(reply)
        if challenge is not None:
            self.say(challenge.to_reply())
        return challenge is not None

    def _note_accepted(self, decision: Decision) -> None:
        match decision:
            case StartTls():
                self._lines.clear()  # whatever was pipelined behind STARTTLS was said in the clear
            case Auth():
                self.authenticated = True
            case Mail():
                self.transaction.smtputf8 = decision.smtputf8
            case Rcpt():
                self.transaction.recipients += 1
            case DataStart():
                config = self.config
                self.transaction.reader = DataReader(
                    config.size_bytes_max, config.discard_bytes_max, config.text_line_bytes_max
                )
            case DataEnd():
                self.idle_commands = 0

    def _note_refused(self, decision: Decision, reply: Reply) -> None:
        if isinstance(decision, Auth):
            self._auth_failures += 1
            if self._auth_failures >= self.config.auth_failures_max:
                self._last_word = _TOO_MANY_FAILURES
        if isinstance(decision, Rcpt) and reply.is_permanent:
            self._refusals += 1
            if self._refusals >= self.config.refusals_max:
                self._last_word = _TOO_MANY_REFUSALS

    # Commands:

    def _line_ceiling(self, start: bytes) -> int:
        verb = start.upper()
        if self.phase is Phase.AUTH or verb == b"AUTH ":
            return self.config.auth_line_max
        if verb == b"MAIL ":
            return self.config.mail_line_max
        return self.config.rcpt_line_max if verb == b"RCPT " else self.config.command_line_max

    def _command_event(self) -> Event | NeedData | None:
        """Handle one line; None says it was answered and there is nothing to report."""
        try:
            line = self._lines.next_line()
            if line is None:
                return NEED_DATA
            if self._last_word is not None:
                raise Refused(self._last_word, "too_many_failures", close=True)
            if self.phase is Phase.AUTH:
                return sasl_response(self, line)
            return self._dispatch(line)
        except BareLineBreak:
            return self._violation(Refused(_BARE_IN_COMMAND, "bare_line_break", close=True))
        except LineTooLong:
            if self.phase is Phase.AUTH:
                self.move(Move.AUTH_DONE)
            return self._violation(Refused(Reply(500, "5.5.2", "Line too long"), "line_too_long"))
        except Refused as refused:
            return self._violation(refused)

    def _dispatch(self, line: bytes) -> Event | None:
        if b"\0" in line:
            raise Refused(Reply(500, "5.5.2", "NUL is not allowed in commands"), "nul")
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused(Reply(500, "5.5.2", "Commands must be ASCII or UTF-8"), "encoding") from None
        verb, _, argument = text.rstrip(" \t").partition(" ")
        verb = verb.upper()
        if verb in FOREIGN_VERBS:
            raise Refused(Reply(521, "5.5.1", "This is an SMTP server"), "foreign_protocol", close=True)
        if verb not in HANDLERS:
            raise Refused(Reply(500, "5.5.1", "Command not recognised"), "unknown_command")
        if self.phase not in LEGAL_PHASES[verb]:
            raise Refused(sequence_error(verb, self.phase), "sequence")
        return HANDLERS[verb](self, argument)

    def _violation(self, refused: Refused) -> ProtocolViolation:
        """Answer a bad command; too many of them end the session."""
        self._errors += refused.counts
        if self._errors >= self.config.errors_max and not refused.close:
            refused = Refused(_TOO_MANY_ERRORS, "too_many_errors", close=True)
        self.say(refused.reply)
        if refused.close:
            self.move(Move.CLOSE)
        return ProtocolViolation(refused.reply, refused.reason, refused.close)

    # The message:

    def _data_event(self) -> Event | NeedData | None:
        reader = self.transaction.reader
        assert reader is not None
        if reader.state is DataState.READING:
            octets = self._lines.take(reader.left if isinstance(reader, ChunkReader) else None)
            if not octets:
                return NEED_DATA
            content = reader.feed(octets)
            if isinstance(reader, DataReader):
                self._lines.feed(reader.rest)
            return DataChunk(content) if content else None
        if reader.state is DataState.BARE_LINE_BREAK:
            return self._refuse_data(_BARE_IN_DATA, "bare_line_break", Move.CLOSE)
        if reader.state is DataState.OVERRUN:
            return self._refuse_data(_OVERRUN, "size", Move.CLOSE)
        if reader.flaw is not None:
            return self._refuse_data(*_FLAWS[reader.flaw], Move.RESET)
        if isinstance(reader, ChunkReader) and not reader.is_last:
            return self._chunk_taken(reader)
        return self.ask(DataEnd(reader.size_bytes))

    def _chunk_taken(self, reader: ChunkReader) -> Event | None:
        """Say that a chunk has arrived; that the message is safe is only said after the last one."""
        if reader.chunks >= self.config.chunks_max:
            return self._refuse_data(_TOO_MANY_CHUNKS, "too_many_chunks", Move.CLOSE)
        self.say(Reply(250, "2.0.0", f"{reader.chunk_bytes} octets received"))
        self.move(Move.CHUNK)
        return None

    def _discard_event(self, left: int, refused: Refused) -> Event | NeedData | None:
        octets = self._lines.take(left) if left else b""
        if len(octets) < left:
            self._discard = (left - len(octets), refused)
            return None if octets else NEED_DATA
        self._discard = None
        if refused.counts:
            return self._violation(refused)
        self.say(refused.reply)  # the caller's own answer: it knows
        if refused.close:
            self.move(Move.CLOSE)
        return None

    def _refuse_data(self, reply: Reply, reason: str, move: Move) -> DataRefused:
        self.say(reply)
        self.move(move)
        return DataRefused(reply, reason, close=move is Move.CLOSE)
