"""What we answer: the decisions of one client's session, and the message it is building up.

Owns the envelope and the spool between MAIL and the end of data, and turns every event into a reply by
asking the services. Leaves octets, deadlines and TLS to `connection`, the protocol to
`appliance.smtp.server`. Needs no socket.

The promise is kept here: `accept` returns only when the message is durable, and only then is 250 said.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from appliance import logs
from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.items.account import Account
from appliance.items.envelope import Envelope, RecipientWishes, Wishes
from appliance.smtp.events import (
    Auth,
    ChunkStart,
    Connected,
    ConnectionLost,
    DataChunk,
    DataEnd,
    DataRefused,
    DataStart,
    Event,
    Hello,
    Mail,
    ProtocolViolation,
    Quit,
    Rcpt,
    Reset,
    StartTls,
)
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import BearerToken, Proof
from appliance.smtp.server import ServerSession
from appliance.smtp.session_config import SessionKind
from smtpd import counters, replies, trace
from smtpd.port import Port
from smtpd.replies import reply_for
from smtpd.screening import Screening, Visitor
from smtpd.services import RecipientVerdict, Services
from smtpd.spool import NoSpace, Spool, SpoolBudget

logger = logging.getLogger("appliance.smtp")


@dataclass(frozen=True)
class Peer:
    """The client's end of the connection; `conn` is our name for it in logs."""

    conn: str
    ip: str
    port: int


@dataclass(frozen=True)
class Stores:
    """What conversations share: the services, where messages lie while they come in, who looks at strangers.

    screening: None on a server whose clients are all known.
    """

    services: Services
    budget: SpoolBudget
    spool_directory: Path | None = None
    clock: Clock = SYSTEM_CLOCK
    screening: Screening | None = None


class Conversation:
    """Answers the events of one session. `tls` describes the encryption for the Received field."""

    def __init__(self, session: ServerSession, port: Port, peer: Peer, stores: Stores) -> None:
        self.tls = ""
        self.messages = 0
        self._session = session
        self._port = port
        self._peer = peer
        self._stores = stores
        self._account: Account | None = None
        self._mail: Mail | None = None
        self._forward_paths: list[str] = []
        self._wishes: dict[str, RecipientWishes] = {}
        self._spool: Spool | None = None
        self._spool_refusal: Reply | None = None
        is_reception = port.session.kind is SessionKind.RECEPTION
        self._visitor: Visitor | None = (
            stores.screening.visitor(peer.ip) if is_reception and stores.screening is not None else None
        )

    def close(self) -> None:
        """Let go of the message under way."""
        self._forget()
        if self._visitor is not None:
            self._visitor.leave()

    def answer(self, event: Event) -> Event | Reply:
        """Return the reply to a decision, or the event itself to accept it or because it needs none."""
        match event:
            case Mail() | Rcpt():
                return self._judge(event)
            case Auth():
                return self._on_auth(event)
            case DataStart() | ChunkStart():
                return self._on_data_start(event)
            case DataChunk():
                self._on_chunk(event.data)
            case DataEnd():
                return self._on_data_end()
            case ProtocolViolation() | DataRefused():
                self._on_violation(event)
            case Hello() | Reset() | ConnectionLost() | Quit():
                self._forget()
            case Connected() | StartTls():
                pass
        return event

    def tls_started(self, description: str) -> None:
        """Note that everything is encrypted from now on; who the client was before does not count."""
        self.tls = description
        self._account = None
        self._forget()

    def _judge(self, event: Mail | Rcpt) -> Event | Reply:
        try:
            refusal = self._on_mail(event) if isinstance(event, Mail) else self._on_rcpt(event)
        except Exception as error:  # noqa: BLE001 - one command; translated and logged
            refusal = _translated(error, "policy_error")
        if refusal is None:
            return event
        self._refused("mail" if isinstance(event, Mail) else "rcpt", refusal)
        return refusal

    def _on_mail(self, event: Mail) -> Reply | None:
        self._forget()
        if self.messages >= self._port.messages_max:
            return replies.TOO_MANY_MESSAGES
        reverse_path = str(event.reverse_path or "")
        services, account = self._stores.services, self._account
        if account is not None and not services.may_send_as(account, reverse_path):
            return replies.WRONG_SENDER
        if not self._stores.budget.has_room(event.size_declared or 0):
            return replies.NO_SPACE
        if self._visitor is not None:
            refusal = self._visitor.mail(reverse_path, self._session.hello_name or "")
            if refusal is not None:
                return refusal
        self._mail = event
        return None

    def _on_rcpt(self, event: Rcpt) -> Reply | None:
        forward_path = str(event.forward_path)
        refusal = None if self._visitor is None else self._visitor.recipient()
        if refusal is not None:
            return refusal
        mail = self._mail
        reverse_path, size = (
            ("", 0) if mail is None else (str(mail.reverse_path or ""), mail.size_declared or 0)
        )
        verdict = self._stores.services.recipient(forward_path, reverse_path, self._account, size)
        is_submission = self._port.session.kind is SessionKind.SUBMISSION
        if verdict is RecipientVerdict.REMOTE and is_submission and self._account is not None:
            verdict = RecipientVerdict.LOCAL  # as good as: we take it on
        if verdict is not RecipientVerdict.LOCAL:
            return self._refusal_of(verdict)
        if self._visitor is not None and self._visitor.greylists and not self._has_come_back(forward_path):
            return replies.COME_BACK
        if forward_path not in self._forward_paths:
            self._forward_paths.append(forward_path)
        if event.notify or event.orcpt:
            self._wishes[forward_path] = RecipientWishes(event.notify, event.orcpt)
        return None

    def _has_come_back(self, forward_path: str) -> bool:
        assert self._visitor is not None and self._mail is not None
        sender = str(self._mail.reverse_path or "")
        return self._stores.services.may_pass(self._visitor.network, sender, forward_path)

    def _refusal_of(self, verdict: RecipientVerdict) -> Reply:
        if verdict is RecipientVerdict.UNKNOWN_USER and self._visitor is not None:
            self._visitor.named_nobody()
        is_stranger = self._port.session.kind is SessionKind.RECEPTION
        if verdict is RecipientVerdict.REMOTE and is_stranger and self._is_ours():
            # A phone that "manages its settings automatically" ends up here, and its owner hears nothing.
            counters.REFUSALS.labels(self._port.name, "wrong_port").inc()
            logs.event(logger, "mail_program_on_reception_port", level=logging.WARNING)
            return replies.WRONG_PORT
        return replies.FOR_VERDICT[verdict]

    def _is_ours(self) -> bool:
        """Say whether the sender gives one of our users' addresses."""
        sender = self._mail.reverse_path if self._mail is not None else None
        ours = (RecipientVerdict.LOCAL, RecipientVerdict.FULL)
        return sender is not None and self._stores.services.recipient(str(sender)) in ours

    def _on_auth(self, event: Auth) -> Event | Reply:
        credentials = event.credentials
        try:
            self._account = self._authenticated(credentials)
        except Exception as error:  # noqa: BLE001 - one login; translated and logged
            reply = reply_for(error, replies.FOR_LOGIN_ERROR)
            if reply is None:
                logs.event(logger, "login_error", level=logging.ERROR, exc_info=error)
                reply = replies.NO_LOGIN
            outcome = "wrong" if reply.is_permanent else "later"
            counters.LOGINS.labels(self._port.name, outcome).inc()
            logs.event(logger, "login_refused", mechanism=event.mechanism, outcome=outcome)
            return reply
        counters.LOGINS.labels(self._port.name, "right").inc()
        logs.event(logger, "login", account=self._account.id, mechanism=event.mechanism)
        return event

    def _authenticated(self, proof: Proof) -> Account:
        services, ip = self._stores.services, self._peer.ip
        if isinstance(proof, BearerToken):
            return services.authenticate_token(proof.token, proof.username, ip)
        return services.authenticate(proof.username, proof.password, ip)

    def _on_data_start(self, event: DataStart | ChunkStart) -> Event | Reply:
        if not self._stores.budget.has_room(1):
            self._refused("data", replies.NO_SPACE)
            return replies.NO_SPACE
        self._spool = Spool(self._stores.budget, self._stores.spool_directory)
        return event

    def _on_chunk(self, data: bytes) -> None:
        """Keep what comes; when that fails the rest is let through and the end of data refused."""
        if self._spool is None:
            return
        try:
            self._spool.write(data)
        except (NoSpace, OSError) as error:
            logs.event(logger, "spool_full", level=logging.WARNING, error=type(error).__name__)
            self._spool_refusal = replies.NO_SPACE
            self._close_spool()

    def _on_data_end(self) -> Reply:
        try:
            reply, outcome = self._accept()
        except Exception as error:  # noqa: BLE001 - one message; translated and logged
            reply = _translated(error, "accept_error")
            outcome = "temporary" if reply.is_transient else "refused"
            logs.event(logger, "message_refused", reply=reply, error=type(error).__name__)
        counters.MESSAGES.labels(self._port.name, outcome).inc()
        self._forget()
        return reply

    def _accept(self) -> tuple[Reply, str]:
        """Hand the message over; returns when it is durable."""
        if self._spool is None:
            reply = self._spool_refusal or replies.UNKNOWN_ERROR
            logs.event(logger, "message_refused", reply=reply, error="spool")
            return reply, "temporary"
        self.messages += 1
        trace_id = f"{self._peer.conn}.{self.messages}"
        with logs.bind(trace=trace_id):
            return self._take(self._spool, self._envelope(), trace_id)

    def _take(self, spool: Spool, envelope: Envelope, trace_id: str) -> tuple[Reply, str]:
        fields, raw = b"", spool.read()
        if trace.hop_count(raw) > trace.HOPS_MAX:
            logs.event(logger, "message_refused", reply=replies.TOO_MANY_HOPS, error="hops")
            return replies.TOO_MANY_HOPS, "refused"
        if self._visitor is not None:
            verdict = self._visitor.judge(envelope, raw)
            if verdict.reply is not None:
                logs.event(logger, "message_refused", reply=verdict.reply, error="screening")
                return verdict.reply, "refused" if verdict.reply.is_permanent else "temporary"
            envelope = replace(
                envelope,
                is_junk=verdict.is_junk,
                is_disowned=verdict.is_disowned,
                is_sender_doubtful=verdict.is_sender_doubtful,
            )
            fields, raw = verdict.fields, verdict.raw
            del verdict
        received = trace.received_field(envelope, self._port.session.hostname, trace_id)
        size, whole = len(raw), fields + received + raw
        del raw  # a large message is in memory once while it is stored
        message_id = self._stores.services.accept(envelope, whole)
        logs.event(
            logger,
            "message_accepted",
            msgid=message_id,
            size=size,
            recipients=len(envelope.forward_paths),
            protocol=envelope.protocol,
            account=envelope.account_id,
        )
        counters.MESSAGE_BYTES.labels(self._port.name).observe(size)
        return Reply(250, "2.0.0", f"OK, taken as {message_id}"), "accepted"

    def _envelope(self) -> Envelope:
        mail, session = self._mail, self._session
        assert mail is not None, "end of data without MAIL"
        return Envelope(
            reverse_path=str(mail.reverse_path or ""),
            forward_paths=tuple(self._forward_paths),
            received_at=self._stores.clock.now(),
            smtputf8=mail.smtputf8,
            body=mail.body,
            size_declared=mail.size_declared,
            client_ip=self._peer.ip,
            client_port=self._peer.port,
            helo=session.hello_name or "",
            protocol=session.protocol,
            tls=self.tls,
            account_id=None if self._account is None else self._account.id,
            wishes=Wishes(mail.ret, mail.envid, mail.requires_tls, self._wishes),
        )

    def _on_violation(self, event: ProtocolViolation | DataRefused) -> None:
        if isinstance(event, DataRefused):
            counters.MESSAGES.labels(self._port.name, "refused").inc()
            self._forget()
        self._refused(event.reason, event.reply)

    def _refused(self, reason: str, reply: Reply) -> None:
        counters.REFUSALS.labels(self._port.name, reason).inc()
        logs.event(logger, "refused", reason=reason, reply=reply)

    def _forget(self) -> None:
        self._mail = None
        self._forward_paths = []
        self._wishes = {}
        self._spool_refusal = None
        self._close_spool()

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None


def _translated(error: Exception, what: str) -> Reply:
    """Return the reply for what a service raised; what nobody meant to raise is logged with its trace."""
    known = reply_for(error)
    if known is None:
        logs.event(logger, what, level=logging.ERROR, exc_info=error)
    return known or replies.UNKNOWN_ERROR
