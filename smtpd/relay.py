# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""One attempt to hand a message to the servers of one domain: an outcome for every recipient.

Owns the order of things (servers by preference, their addresses, TLS when offered and plain when TLS
fails) and what counts as an outcome. Leaves the schedule to the queue, the choice of messages to `runner`.

Never guesses "permanent": only a 5yz reply to our commands or a fact of DNS fails a recipient; everything
else is tried again. A server that does not get as far as judging recipients is skipped for the next one.
After the final dot there is no next one: the message may have been taken.
"""

import logging
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random

import gevent

from appliance import logs
from appliance.net.resolver import LookupUnavailable, Resolver
from appliance.smtp.client import (
    ClientMessage,
    ClientPhase,
    Finished,
    Greeted,
    Ready,
    SendMessage,
    TlsAnswer,
)
from appliance.smtp.client import (
    Failed as SessionFailed,
)
from appliance.smtp.grammar import Address, SmtpSyntaxError, parse_address
from appliance.smtp.reply import Reply
from smtpd import counters
from smtpd.mx import NoRoute, host_addresses, mail_hosts
from smtpd.outcome import Delivered, Failed, Outcome, Retry
from smtpd.remote import CannotConnect, HandshakeFailed, RelayDeadlines, RemoteServer
from smtpd.tls import opportunistic_context

RECIPIENTS_PER_TRANSACTION_MAX = 100  # RFC 5321 4.5.3.1.8: every server takes at least these
PIECE_BYTES = 65_536
REPLY_TEXT_MAX = 500

logger = logging.getLogger("appliance.smtp")


@dataclass(frozen=True)
class RelayConfig:
    """How we call on other servers."""

    hostname: str
    port: int = 25
    deadlines: RelayDeadlines = field(default_factory=RelayDeadlines)
    connections_tried_max: int = 8  # addresses over all servers, in one attempt


@dataclass(frozen=True)
class RelayMessage:
    """A message to relay; `reverse_path` "" is the null path."""

    reverse_path: str
    raw: bytes
    needs_smtputf8: bool = False


class _NextServer(Exception):
    """This server judged nobody; `reply` is why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


class Relay:
    """Delivers to remote domains. One object serves all greenlets."""

    def __init__(
        self,
        resolver: Resolver,
        config: RelayConfig,
        *,
        tls: ssl.SSLContext | None = None,
        random: Random | None = None,
    ) -> None:
        """tls: for connections to servers that offer STARTTLS; by default without verification."""
        self._resolver = resolver
        self._config = config
        self._tls = tls or opportunistic_context()
        self._random = random or Random()

    def rename(self, hostname: str) -> None:
        """Introduce ourselves by another name from the next attempt on."""
        self._config = replace(self._config, hostname=hostname)

    def deliver(self, domain: str, forward_paths: Sequence[str], message: RelayMessage) -> list[Outcome]:
        """Try to deliver and return an outcome for each forward path, in order. Blocks; raises nothing
        that the network or the message can cause."""
        outcomes: dict[str, Outcome] = {}
        missing: Outcome = Retry("451 4.4.1 The attempt took too long")
        deadline = gevent.Timeout(self._config.deadlines.attempt_s)
        try:
            with deadline:
                self._deliver(domain, forward_paths, message, outcomes)
        except gevent.Timeout as timeout:
            if timeout is not deadline:
                raise
            logs.event(logger, "relay_attempt_cut", level=logging.WARNING, domain=domain)
        except NoRoute as error:
            missing = _outcome(error.reply, "")
        return [outcomes.get(path, missing) for path in forward_paths]

    def _deliver(
        self,
        domain: str,
        forward_paths: Sequence[str],
        message: RelayMessage,
        outcomes: dict[str, Outcome],
    ) -> None:
        """Fill in outcomes as they are known."""
        reverse_path, recipients = _parsed(forward_paths, message, outcomes)
        for start in range(0, len(recipients), RECIPIENTS_PER_TRANSACTION_MAX):
            batch = recipients[start : start + RECIPIENTS_PER_TRANSACTION_MAX]
            envelope = ClientMessage(
                reverse_path,
                [address for _, address in batch],
                len(message.raw),
                is_8bit=not message.raw.isascii(),
                smtputf8=message.needs_smtputf8,
            )
            replies, host = self._transact(domain, envelope, message.raw)
            for (path, _), reply in zip(batch, replies, strict=True):
                outcomes[path] = _outcome(reply, host)

    def _transact(self, domain: str, envelope: ClientMessage, raw: bytes) -> tuple[list[Reply], str]:
        """Return each recipient's reply and who gave it, from the first server that judged them."""
        last, host = Reply(451, "4.4.1", f"No server for {domain} has an address"), ""
        for tried, (name, address) in enumerate(self._targets(domain)):
            if tried == self._config.connections_tried_max:
                break
            host = name
            try:
                return self._call(name, address, envelope, raw), name
            except _NextServer as error:
                last = error.reply
            except CannotConnect as error:
                last = Reply(451, "4.4.1", f"Cannot connect to {error}")
            logs.event(logger, "relay_next_server", domain=domain, host=name, address=address, reply=last)
        transient = last if last.is_transient else Reply(451, "4.4.0", f"The server said: {last}")
        return [transient] * len(envelope.forward_paths), host

    def _targets(self, domain: str) -> Iterator[tuple[str, str]]:
        """Yield server and address in the order to be tried. Raises NoRoute."""
        trouble: LookupUnavailable | None = None
        has_address = False
        for host in mail_hosts(self._resolver, domain, self._config.hostname, self._random):
            try:
                addresses = host_addresses(self._resolver, host.name)
            except LookupUnavailable as error:
                trouble = error
                continue
            for address in addresses:
                has_address = True
                yield host.name, address
        if trouble is not None and not has_address:
            raise NoRoute(Reply(451, "4.4.3", f"Name look-up failed: {trouble}"))

    def _call(self, host: str, address: str, envelope: ClientMessage, raw: bytes) -> list[Reply]:
        """Talk to one address, with TLS if it can, without if that fails.

        Returns each recipient's reply. Raises _NextServer, CannotConnect.
        """
        try:
            return self._converse(host, address, envelope, raw, with_tls=True)
        except HandshakeFailed as error:
            logs.event(logger, "relay_tls_failed", host=host, address=address, error=error)
            return self._converse(host, address, envelope, raw, with_tls=False)

    def _converse(
        self, host: str, address: str, envelope: ClientMessage, raw: bytes, *, with_tls: bool
    ) -> list[Reply]:
        deadlines = self._config.deadlines
        remote = RemoteServer(address, self._config.port, self._config.hostname, deadlines)
        is_sent = False
        try:
            self._introduce(remote, host, with_tls=with_tls)
            counters.RELAY_TLS.labels("tls" if remote.is_encrypted else "plain").inc()
            remote.session.begin(envelope)
            event = remote.next_event(deadlines.command_s)
            if isinstance(event, SendMessage):
                remote.send_message(_pieces(raw))
                event = remote.next_event(deadlines.final_s)
                is_sent = True
            assert isinstance(event, Finished), f"{event} instead of an end"
            replies = [reply for _, reply in event.outcomes]
            is_lost = remote.session.phase is ClientPhase.CLOSED
            if is_lost and not is_sent and all(reply.is_transient for reply in replies):
                raise _NextServer(replies[0])
            remote.goodbye()
            return replies
        finally:
            remote.close()

    def _introduce(self, remote: RemoteServer, host: str, *, with_tls: bool) -> None:
        """Greet, encrypt, greet again; return when messages may be sent. Raises _NextServer."""
        deadlines, session = self._config.deadlines, remote.session
        timeout_s = deadlines.greeting_s
        while True:
            match remote.next_event(timeout_s):
                case Greeted(reply):
                    self._check_not_ourselves(reply)
                    session.hello()
                case Ready(extensions) if "STARTTLS" in extensions and with_tls and not remote.is_encrypted:
                    session.starttls()
                case Ready():
                    return
                case TlsAnswer(reply) if reply.code == 220:
                    remote.start_tls(self._tls, host)
                    session.hello()
                case TlsAnswer():
                    return
                case SessionFailed(reply):
                    raise _NextServer(reply)
                case event:
                    raise AssertionError(f"{event} before a message was begun")
            timeout_s = deadlines.command_s

    def _check_not_ourselves(self, greeting: Reply) -> None:
        name = greeting.lines[0].partition(" ")[0]
        if name.lower() == self._config.hostname.lower():
            raise NoRoute(Reply(554, "5.4.6", "Mail loops back to this server"))


def _parsed(
    forward_paths: Sequence[str], message: RelayMessage, outcomes: dict[str, Outcome]
) -> tuple[Address | None, list[tuple[str, Address]]]:
    """Return the addresses as typed values; what is none has its outcome already."""
    recipients: list[tuple[str, Address]] = []
    for path in forward_paths:
        try:
            recipients.append((path, parse_address(path)))
        except SmtpSyntaxError as error:
            outcomes[path] = Failed(f"553 5.1.3 Not a valid address: {error.message}")
    try:
        return (parse_address(message.reverse_path) if message.reverse_path else None), recipients
    except SmtpSyntaxError as error:
        for path, _ in recipients:
            outcomes[path] = Failed(f"553 5.1.7 Not a valid sender: {error.message}")
        return None, []


def _outcome(reply: Reply, host: str) -> Outcome:
    text = str(reply)[:REPLY_TEXT_MAX]
    if reply.is_permanent:
        return Failed(text, host)
    return Retry(text, host) if reply.is_transient else Delivered(text, host)


def _pieces(raw: bytes) -> Iterator[bytes]:
    for start in range(0, len(raw), PIECE_BYTES):
        yield raw[start : start + PIECE_BYTES]
