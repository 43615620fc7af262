"""The commands of a server session, one function each: check the argument, answer or ask the caller.

Owns the text of the session's own answers and what each command requires beyond its place in the
sequence (which `state` holds as a table). A handler returns an event for the caller, or None when it has
answered by itself and there is nothing to report, or raises `Refused`. RFC 5321 4.1.1 in its order.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.smtp.chunks import parse_bdat
from appliance.smtp.events import Auth, ChunkStart, DataStart, Event, Hello, Quit, Reset, StartTls
from appliance.smtp.parameters import Refused, mail_event, rcpt_event
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import MECHANISMS, Challenge, Proof, SaslError, SaslExchange
from appliance.smtp.session_config import SessionKind
from appliance.smtp.state import Move, Phase, sequence_error

if TYPE_CHECKING:
    from appliance.smtp.server import ServerSession

HELLO_NAME_OCTETS_MAX = 255  # RFC 5321 4.5.3.1.2 Domain

_OK = Reply(250, "2.0.0", "OK")


def ehlo(session: "ServerSession", argument: str) -> Event:
    """EHLO: name the extensions. Source: RFC 5321 4.1.1.1."""
    return _hello(session, argument, extended=True)


def helo(session: "ServerSession", argument: str) -> Event:
    """HELO: the plain old greeting, without extensions."""
    return _hello(session, argument, extended=False)


def _hello(session: "ServerSession", argument: str, *, extended: bool) -> Event:
    _count_idle(session)
    name = argument.strip()
    if not name or " " in name or not name.isprintable() or len(name.encode()) > HELLO_NAME_OCTETS_MAX:
        raise Refused(Reply(501, "5.5.4", "One host name or address literal expected"), "syntax")
    session.hello_name, session.extended = name, extended
    session.move(Move.HELLO)
    session.say(Reply(250, None, session.config.hostname, *(_extensions(session) if extended else ())))
    return Hello(name, extended)


def _extensions(session: "ServerSession") -> list[str]:
    """Return the EHLO keyword lines for the present state of the session."""
    config = session.config
    lines = ["PIPELINING", f"SIZE {config.size_bytes_max}", "8BITMIME", "ENHANCEDSTATUSCODES"]
    if config.chunking:
        lines.append("CHUNKING")
    if config.smtputf8:
        lines.append("SMTPUTF8")
    if config.dsn:
        lines.append("DSN")
    if config.requiretls and session.tls_active:
        lines.append("REQUIRETLS")
    if config.tls_available and not session.tls_active:
        lines.append("STARTTLS")
    if config.auth_mechanisms and (session.tls_active or not config.requires_tls_for_auth):
        lines.append("AUTH " + " ".join(config.auth_mechanisms))
    return lines


def mail(session: "ServerSession", argument: str) -> Event:
    """MAIL: ask whether this sender may begin. Source: RFC 5321 4.1.1.2."""
    if session.config.requires_auth and not session.authenticated:
        raise Refused(Reply(530, "5.7.0", "Authentication required"), "auth_required")
    return session.ask(
        mail_event(argument, session.config, extended=session.extended, tls_active=session.tls_active)
    )


def rcpt(session: "ServerSession", argument: str) -> Event:
    """RCPT: ask about one recipient, up to the ceiling. Source: RFC 5321 4.1.1.3 and 4.5.3.1.10."""
    transaction, ceiling = session.transaction, session.config.recipients_max
    has_dsn = session.config.dsn and session.extended
    event = rcpt_event(argument, smtputf8=transaction.smtputf8, dsn=has_dsn)
    if transaction.recipients >= ceiling:
        transaction.recipients_over += 1
        if transaction.recipients_over > ceiling:
            reply = Reply(421, "4.5.3", "Far too many recipients, closing the connection")
            raise Refused(reply, "too_many_recipients", close=True)
        # Not an error of the client's: it sends the rest in a second message.
        raise Refused(Reply(452, "4.5.3", "Too many recipients"), "too_many_recipients", counts=False)
    return session.ask(event)


def data(session: "ServerSession", argument: str) -> Event:
    """DATA: ask whether the message may come now. Source: RFC 5321 4.1.1.4."""
    _no_argument(argument)
    return session.ask(DataStart())


def bdat(session: "ServerSession", argument: str) -> Event | None:
    """BDAT: ask whether the message may come, or take its next chunk. Source: RFC 3030 2."""
    if not session.config.chunking:
        raise Refused(Reply(502, "5.5.1", "BDAT is not available"), "unknown_command", close=True)
    parsed = parse_bdat(argument)
    if parsed is None:  # nobody knows how many octets follow, and each could be taken for a command
        raise Refused(Reply(501, "5.5.4", "BDAT needs a size, closing the connection"), "syntax", close=True)
    size, is_last = parsed
    if session.phase is Phase.RCPT:
        return session.ask(ChunkStart(size, is_last))
    if session.phase is Phase.CHUNKS:
        session.next_chunk(size, is_last=is_last)
        return None
    session.discard(size, Refused(sequence_error("BDAT", session.phase), "sequence"))
    return None


def rset(session: "ServerSession", argument: str) -> Event:
    """RSET: forget the transaction. Source: RFC 5321 4.1.1.5."""
    _no_argument(argument)
    _count_idle(session)
    session.say(_OK)
    session.move(Move.RESET)
    return Reset()


def vrfy(session: "ServerSession", argument: str) -> None:
    """VRFY: tell nothing about users. Source: RFC 5321 3.5.3 Meaning of VRFY or EXPN Success Response."""
    _count_idle(session)
    if not argument:
        raise Refused(Reply(501, "5.5.4", "VRFY needs an argument"), "syntax")
    session.say(Reply(252, "2.5.2", "Cannot verify, but try to send"))


def expn(session: "ServerSession", _argument: str) -> None:
    """EXPN: never, it lists users. Source: RFC 5321 7.3 VRFY, EXPN, and Security."""
    _count_idle(session)
    raise Refused(Reply(502, "5.5.1", "EXPN is not available"), "unknown_command")


def help_(session: "ServerSession", _argument: str) -> None:
    """HELP: one line. Source: RFC 5321 4.1.1.8."""
    _count_idle(session)
    is_submission = session.config.kind is SessionKind.SUBMISSION
    purpose = "mail submission for local users" if is_submission else "mail reception"
    session.say(Reply(214, "2.0.0", f"This is {purpose}; see RFC 5321"))


def noop(session: "ServerSession", _argument: str) -> None:
    """NOOP: any argument is ignored. Source: RFC 5321 4.1.1.9."""
    _count_idle(session)
    session.say(_OK)


def quit_(session: "ServerSession", argument: str) -> Event:
    """QUIT: say goodbye. Source: RFC 5321 4.1.1.10."""
    _no_argument(argument)
    session.say(Reply(221, "2.0.0", "Goodbye"))
    session.move(Move.CLOSE)
    return Quit()


def starttls(session: "ServerSession", argument: str) -> Event:
    """STARTTLS: ask the caller, who owns the handshake. Source: RFC 3207 4."""
    _no_argument(argument)
    if session.tls_active:
        raise Refused(Reply(503, "5.5.1", "TLS is already active"), "sequence")
    if not session.config.tls_available:
        raise Refused(Reply(502, "5.5.1", "STARTTLS is not available"), "unknown_command")
    return session.ask(StartTls())


def auth(session: "ServerSession", argument: str) -> Event | None:
    """AUTH: begin an exchange. Source: RFC 4954 4 The AUTH Command."""
    config = session.config
    if not config.auth_mechanisms:
        raise Refused(Reply(502, "5.5.1", "Authentication is not available here"), "auth_unavailable")
    if session.authenticated:
        raise Refused(Reply(503, "5.5.1", "Already authenticated"), "sequence")
    if config.requires_tls_for_auth and not session.tls_active:
        raise Refused(Reply(538, "5.7.11", "Encryption required: STARTTLS first"), "auth_without_tls")
    mechanism, _, initial = argument.partition(" ")
    mechanism, initial = mechanism.upper(), initial.strip()
    if mechanism not in config.auth_mechanisms or mechanism not in MECHANISMS:
        raise Refused(Reply(504, "5.5.4", "Unknown authentication mechanism"), "auth_mechanism")
    session.move(Move.AUTH)
    session.sasl = exchange = SaslExchange(mechanism)
    return _continue_auth(session, lambda: exchange.start(initial.encode() if initial else None))


def sasl_response(session: "ServerSession", line: bytes) -> Event | None:
    """Take the client's next line of an AUTH exchange."""
    exchange = session.sasl
    assert exchange is not None, "AUTH phase without an exchange"
    if exchange.refusal is not None:  # whatever the client says to it
        session.say(exchange.refusal)
        session.move(Move.AUTH_DONE)
        return None
    return _continue_auth(session, lambda: exchange.step(line))


def _continue_auth(session: "ServerSession", step: Callable[[], Challenge | Proof]) -> Event | None:
    assert session.sasl is not None
    mechanism = session.sasl.mechanism
    try:
        result = step()
    except SaslError as error:
        session.move(Move.AUTH_DONE)
        raise Refused(error.reply, "auth_exchange") from None
    if isinstance(result, Challenge):
        session.say(result.to_reply())
        return None
    return session.ask(Auth(result, mechanism))


def _count_idle(session: "ServerSession") -> None:
    """Count commands that lead to no message: beyond the ceiling each is an error."""
    session.idle_commands += 1
    if session.idle_commands > session.config.idle_commands_max:
        raise Refused(Reply(450, "4.7.0", "Too many commands without a message"), "idle_commands")


def _no_argument(argument: str) -> None:
    if argument:
        raise Refused(Reply(501, "5.5.4", "This command takes no arguments"), "syntax")


HANDLERS: dict[str, Callable[["ServerSession", str], Event | None]] = {
    "EHLO": ehlo,
    "HELO": helo,
    "MAIL": mail,
    "RCPT": rcpt,
    "DATA": data,
    "BDAT": bdat,
    "RSET": rset,
    "VRFY": vrfy,
    "EXPN": expn,
    "HELP": help_,
    "NOOP": noop,
    "QUIT": quit_,
    "STARTTLS": starttls,
    "AUTH": auth,
}
