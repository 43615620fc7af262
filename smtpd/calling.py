"""Calling one server: connected, protected as it must be, greeted, logged in; ready for a message.

Owns the order of those steps, whether the connection is good enough, and what is noted of it for reports.
Leaves to `relay` which server, and what a failure means for the mail.
"""

import logging
import ssl
from dataclasses import dataclass, field, replace
from typing import Protocol

from appliance import logs
from appliance.clock import Clock
from appliance.items.next_hop import HopTls, NextHop
from appliance.smtp.client import AuthAnswer, Greeted, Ready, TlsAnswer
from appliance.smtp.client import Failed as SessionFailed
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import Credentials
from smtpd import counters, dane
from smtpd.connections import Connections, Line
from smtpd.mx import NoRoute
from smtpd.remote import HandshakeFailed, RelayDeadlines, RemoteServer
from smtpd.security import Level, PolicyFacts, Security
from smtpd.tls import opportunistic_context, verifying_context

logger = logging.getLogger("appliance.smtp")


class NextServer(Exception):
    """This server judged nobody; `reply` is why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class TlsReporter(Protocol):
    """Who counts how connections were protected, for RFC 8460."""

    def succeeded(self, facts: PolicyFacts) -> None:
        """Count a connection that was as its policy demands."""
        ...

    def failed(self, facts: PolicyFacts, result: str, host: str, address: str) -> None:
        """Count one that was not; `result` is RFC 8460's word."""
        ...


@dataclass(frozen=True)
class Contexts:
    """TLS with anybody, and with whoever proves a name."""

    opportunistic: ssl.SSLContext = field(default_factory=opportunistic_context)
    verifying: ssl.SSLContext = field(default_factory=verifying_context)


class Caller:
    """Opens connections, or finds warm ones. One object serves all greenlets."""

    def __init__(
        self,
        hostname: str,
        deadlines: RelayDeadlines,
        connections: Connections,
        contexts: Contexts,
        reporter: TlsReporter | None,
        clock: Clock,
    ) -> None:
        self.hostname = hostname
        self.connections = connections
        self._deadlines = deadlines
        self._contexts = contexts
        self._reporter = reporter
        self._clock = clock

    def call(self, line: Line, hop: NextHop | None) -> RemoteServer:
        """Return a connection that is ready for a message; the place is the caller's to give back.

        Blocks. Raises ServerBusy, CannotConnect, NextServer, NoRoute (it is ourselves).
        """
        warm = self.connections.claim(line)
        if warm is not None:
            counters.RELAY_CONNECTIONS.labels("reused").inc()
            return warm
        try:
            remote = self._open(line, hop)
        except BaseException:
            self.connections.leave(line, None)
            raise
        counters.RELAY_CONNECTIONS.labels("new").inc()
        counters.RELAY_TLS.labels("tls" if remote.is_encrypted else "plain").inc()
        return remote

    def _open(self, line: Line, hop: NextHop | None) -> RemoteServer:
        """Connect as well protected as need be: what may go in the clear falls back to that."""
        security = line.security
        try:
            remote = self._introduced(line, hop, security)
        except HandshakeFailed as error:
            self._note_failure(line, error.result)
            logs.event(logger, "relay_tls_failed", host=line.host, address=line.address, error=error)
            if security.is_trial:
                return self._open(replace(line, security=Security()), hop)
            if security.level is not Level.OPTIONAL:
                text = f"TLS with {line.host} is not as it must be: {error}"
                raise NextServer(Reply(451, "4.7.5", text)) from error
            unreported = replace(line, security=Security())  # one session, one failure
            return self._introduced(unreported, hop, Security(), with_tls=False)
        if remote.is_encrypted:
            self._note_end(line)
        return remote

    def _introduced(
        self, line: Line, hop: NextHop | None, security: Security, *, with_tls: bool = True
    ) -> RemoteServer:
        remote = RemoteServer(line.address, line.port, self.hostname, self._deadlines)
        try:
            if hop is not None and hop.tls is HopTls.IMPLICIT:
                remote.begin_with_tls(self._context(security), line.host)
            self._introduce(remote, line, hop, security, with_tls=with_tls)
        except BaseException:
            remote.close()
            raise
        return remote

    def _introduce(
        self, remote: RemoteServer, line: Line, hop: NextHop | None, security: Security, *, with_tls: bool
    ) -> None:
        """Greet, encrypt, greet again, log in; return when messages may be sent.

        Raises NextServer, HandshakeFailed, NoRoute.
        """
        session, timeout_s = remote.session, self._deadlines.greeting_s
        is_tried = is_in = False
        while True:
            match remote.next_event(timeout_s):
                case Greeted(reply):
                    self._check_not_ourselves(reply)
                    session.hello()
                case Ready(extensions) if (
                    "STARTTLS" in extensions and with_tls and not remote.is_encrypted and not is_tried
                ):
                    is_tried = True
                    session.starttls()
                case TlsAnswer(reply) if reply.code == 220:
                    remote.start_tls(self._context(security), line.host)
                    self._check_dane(remote, security)
                    session.hello()
                case Ready() | TlsAnswer():
                    self._check_encrypted(remote, line, security)
                    if hop is None or not hop.username or is_in:
                        return
                    self._check_may_log_in(remote, security)
                    is_in = True
                    session.authenticate(Credentials(hop.username, hop.secret))
                case AuthAnswer(reply) if reply.is_positive:
                    return
                case AuthAnswer(reply):
                    text = f"{line.host} refused the login: {reply}"
                    raise NextServer(Reply(451, "4.7.8", text))
                case SessionFailed(reply):
                    raise NextServer(reply)
                case event:
                    raise AssertionError(f"{event} before a message was begun")
            timeout_s = self._deadlines.command_s

    def _context(self, security: Security) -> ssl.SSLContext:
        is_verified = security.level is Level.VERIFIED
        return self._contexts.verifying if is_verified else self._contexts.opportunistic

    def _check_dane(self, remote: RemoteServer, security: Security) -> None:
        if security.level is Level.DANE:
            try:
                dane.check(remote.certificates(), security.tlsa, security.names, self._clock.now())
            except dane.DaneMismatch as error:
                raise HandshakeFailed(str(error)) from error

    def _check_encrypted(self, remote: RemoteServer, line: Line, security: Security) -> None:
        if remote.is_encrypted or (security.level is Level.OPTIONAL and security.facts is None):
            return
        self._note_failure(line, "starttls-not-supported")
        if security.level is not Level.OPTIONAL and not security.is_trial:
            raise NextServer(Reply(451, "4.7.5", f"{line.host} offers no TLS, which it must"))

    def _check_may_log_in(self, remote: RemoteServer, security: Security) -> None:
        if not remote.is_encrypted or security.level is not Level.VERIFIED:
            raise NextServer(Reply(451, "4.7.0", "A password is only sent over verified TLS"))

    def _check_not_ourselves(self, greeting: Reply) -> None:
        name = greeting.lines[0].partition(" ")[0]
        if name.lower() == self.hostname.lower():
            raise NoRoute(Reply(554, "5.4.6", "Mail loops back to this server"))

    def _note_end(self, line: Line) -> None:
        """Count a connection that was encrypted: as its policy demands, but for what was wrong before."""
        security = line.security
        if security.violation:
            self._note_failure(line, security.violation)
        elif security.facts is not None and self._reporter is not None:
            self._reporter.succeeded(security.facts)

    def _note_failure(self, line: Line, result: str) -> None:
        facts = line.security.facts
        if facts is not None and self._reporter is not None:
            self._reporter.failed(facts, result, line.host, line.address)
