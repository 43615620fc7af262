# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""One attempt to hand a message to the servers of one domain: an outcome for every recipient.

Owns the order of things (servers by preference, their addresses) and what counts as an outcome. Leaves the
schedule to the queue, the choice of messages to `runner`, the connection to `calling`.

Never guesses "permanent": only a 5yz reply to our commands or a fact of DNS fails a recipient; everything
else is tried again. A server that does not get as far as judging recipients is skipped for the next one,
and so is one that cannot take the message itself (its size, SMTPUTF8, REQUIRETLS): final when all say so.
After the final dot there is no next one: the message may have been taken.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

import gevent

from appliance import logs
from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.items.envelope import RecipientWishes
from appliance.items.next_hop import NextHop
from appliance.net.resolver import AuthenticResolver
from appliance.smtp.client import ClientMessage, ClientPhase, Finished, SendMessage
from appliance.smtp.grammar import Address, SmtpSyntaxError, parse_address
from appliance.smtp.reply import Reply
from smtpd import verdicts
from smtpd.body import Body
from smtpd.calling import Caller, Contexts, NextServer, TlsReporter
from smtpd.connections import IDLE_S, Connections, Line
from smtpd.mx import NoRoute
from smtpd.outcome import Failed, Outcome, Retry
from smtpd.remote import CannotConnect, RelayDeadlines, RemoteServer
from smtpd.security import Demand, Securities
from smtpd.sts import StsPolicies
from smtpd.targets import Target, Targets

RECIPIENTS_PER_TRANSACTION_MAX = 100  # RFC 5321 4.5.3.1.8: every server takes at least these

logger = logging.getLogger("appliance.smtp")


@dataclass(frozen=True)
class RelayConfig:
    """How we call on other servers."""

    hostname: str
    port: int = 25
    deadlines: RelayDeadlines = field(default_factory=RelayDeadlines)
    connections_tried_max: int = 8  # addresses over all servers, in one attempt
    connections_max: int = 50
    per_server_max: int = 5
    messages_per_connection_max: int = 100
    idle_s: float = IDLE_S


@dataclass(frozen=True)
class RelayMessage:
    """A message to relay; `reverse_path` "" is the null path.

    ret, envid, wishes (by forward path), requires_tls: see `items.envelope`. next_hop: the server to hand
    it to instead of those of the recipients' domain.
    """

    reverse_path: str
    body: Body
    needs_smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    wishes: Mapping[str, RecipientWishes] = field(default_factory=dict)
    requires_tls: bool = False
    next_hop: NextHop | None = None


class Relay:
    """Delivers to remote domains. One object serves all greenlets."""

    def __init__(
        self,
        resolver: AuthenticResolver,
        config: RelayConfig,
        *,
        contexts: Contexts | None = None,
        sts: StsPolicies | None = None,
        reporter: TlsReporter | None = None,
        clock: Clock = SYSTEM_CLOCK,
        random: Random | None = None,
    ) -> None:
        """contexts: TLS towards other servers; None trusts the system's authorities. sts: None for none."""
        self._config = config
        self._targets = Targets(resolver, Securities(resolver, sts), random or Random(), reporter)
        self._connections = Connections(
            config.connections_max,
            config.per_server_max,
            config.messages_per_connection_max,
            config.idle_s,
        )
        self._caller = Caller(
            config.hostname, config.deadlines, self._connections, contexts or Contexts(), reporter, clock
        )

    def rename(self, hostname: str) -> None:
        """Introduce ourselves by another name from the next connection on."""
        self._caller.hostname = hostname

    def close(self) -> None:
        """Say goodbye to servers whose connections were kept. Blocks for a moment."""
        self._connections.close_idle()

    def deliver(self, domain: str, forward_paths: Sequence[str], message: RelayMessage) -> list[Outcome]:
        """Try to deliver and return an outcome for each forward path, in order. Blocks.

        Raises ServerBusy when nobody could be called because others are being served; otherwise nothing
        that the network or the message can cause.
        """
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
            missing = verdicts.outcome(error.reply, "")
        return [outcomes.get(path, missing) for path in forward_paths]

    def _deliver(
        self,
        domain: str,
        forward_paths: Sequence[str],
        message: RelayMessage,
        outcomes: dict[str, Outcome],
    ) -> None:
        """Fill in outcomes as they are known."""
        reverse_path, waiting = _parsed(forward_paths, message, outcomes)
        while waiting:
            batch = waiting[:RECIPIENTS_PER_TRANSACTION_MAX]
            result = self._transact(domain, _envelope(reverse_path, batch, message), message)
            again = []
            for (path, address), reply in zip(batch, result.replies, strict=True):
                if result.took_some and verdicts.is_too_many_recipients(reply):
                    again.append((path, address))  # the rest goes in a transaction of its own, at once
                else:
                    outcomes[path] = verdicts.outcome(
                        reply, result.host, reports_itself=result.reports_itself
                    )
            waiting = [*again, *waiting[len(batch) :]]

    def _transact(self, domain: str, envelope: ClientMessage, message: RelayMessage) -> "_Result":
        """Return each recipient's reply and who gave it, from the first server that judged them."""
        said: list[_Result] = []
        tried = 0
        for target in self._candidates(domain, message):
            if isinstance(target, Reply):
                said.append(_Result([target], has_judged=False))
                continue
            if any(each.host == target.host and each.is_final for each in said):
                continue  # another address of a server that cannot take it
            if tried == self._config.connections_tried_max:
                break
            tried += 1
            result = self._ask(target, envelope, message)
            if result.has_judged:
                return result
            said = [each for each in said if each.host != target.host] + [result]
            reply = result.replies[0]
            logs.event(
                logger,
                "relay_next_server",
                domain=domain,
                host=target.host,
                address=target.address,
                reply=reply,
            )
        return _nobody(said, domain, envelope)

    def _ask(self, line: Line, envelope: ClientMessage, message: RelayMessage) -> "_Result":
        """Return what one server says of the recipients, or of itself. Raises ServerBusy."""
        try:
            return self._converse(line, message.next_hop, envelope, message.body)
        except NextServer as error:
            reply = verdicts.without_verdict(error.reply)
        except CannotConnect as error:
            reply = Reply(451, "4.4.1", f"Cannot connect to {error}")
        return _Result([reply], line.host, has_judged=False)

    def _candidates(self, domain: str, message: RelayMessage) -> Iterator[Target]:
        demand = Demand(message.requires_tls, message.body.says_tls_is_optional)
        if message.next_hop is not None:
            return self._targets.of_hop(message.next_hop, demand)
        return self._targets.of_domain(domain, self._config.port, self._caller.hostname, demand)

    def _converse(self, line: Line, hop: NextHop | None, envelope: ClientMessage, body: Body) -> "_Result":
        """Give the message to one server. Raises NextServer, CannotConnect, ServerBusy."""
        while True:
            remote = self._caller.call(line, hop)
            is_warm = remote.messages > 0
            is_fit = False
            try:
                result = self._send(remote, line, envelope, body)
                is_fit = True
                return result
            except NextServer:
                if not is_warm:
                    raise
            finally:
                if is_fit:
                    self._connections.rest(line, remote)
                else:
                    self._connections.leave(line, remote)
            # It had been idle and was gone when it was needed: a new one will tell.

    def _send(self, remote: RemoteServer, line: Line, envelope: ClientMessage, body: Body) -> "_Result":
        deadlines = self._config.deadlines
        reports_itself = "DSN" in remote.session.extensions
        is_sent = False
        remote.messages += 1
        remote.session.begin(envelope)
        event = remote.next_event(deadlines.command_s)
        if isinstance(event, SendMessage):
            remote.send_message(body.pieces())
            event = remote.next_event(deadlines.final_s)
            is_sent = True
        assert isinstance(event, Finished), f"{event} instead of an end"
        replies = [reply for _, reply in event.outcomes]
        is_lost = remote.session.phase is ClientPhase.CLOSED
        if is_lost and not is_sent and all(reply.is_transient for reply in replies):
            raise NextServer(replies[0])
        is_unfit = not is_sent and all(map(verdicts.is_unfit, replies))
        return _Result(replies, line.host, reports_itself, has_judged=not is_unfit)


@dataclass(frozen=True)
class _Result:
    """What a server said of each recipient; of itself (not has_judged), and another one is asked."""

    replies: list[Reply]
    host: str = ""
    reports_itself: bool = False
    has_judged: bool = True

    @property
    def took_some(self) -> bool:
        return any(reply.is_positive for reply in self.replies)

    @property
    def is_final(self) -> bool:
        """Say whether it will be the same next time."""
        return self.replies[0].is_permanent


def _nobody(said: Sequence[_Result], domain: str, envelope: ClientMessage) -> _Result:
    """Return what servers come to that took nothing: later, unless not one of them ever can."""
    nothing = _Result([Reply(451, "4.4.1", f"No server for {domain} has an address")])
    # What a server said itself says more than why another one was not called.
    decisive = min(reversed(said), key=lambda each: (each.is_final, not each.host), default=nothing)
    return _Result(decisive.replies[:1] * len(envelope.forward_paths), decisive.host)


def _envelope(
    reverse_path: Address | None, batch: Sequence[tuple[str, Address]], message: RelayMessage
) -> ClientMessage:
    return ClientMessage(
        reverse_path,
        [address for _, address in batch],
        message.body.size_bytes,
        is_8bit=message.body.is_8bit,
        smtputf8=message.needs_smtputf8,
        ret=message.ret,
        envid=message.envid,
        wishes=[message.wishes.get(path, RecipientWishes()) for path, _ in batch],
        requires_tls=message.requires_tls,
    )


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
