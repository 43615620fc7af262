# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""What mail leaves by, put together: queue, relay, the policies of other domains, the reports to them.

The part of the composition root that is about sending; built by `command`, and by benchmarks and tests that
want the real thing.
"""

import logging
from collections.abc import Callable

import gevent

from appliance import db, logs
from appliance.clock import Clock
from appliance.domains import sts_policies
from appliance.domains.sts_policies import Policy
from appliance.jobs.schedule import Job
from appliance.net.fetch import Fetcher
from appliance.net.resolver import AuthenticResolver
from appliance.queue.delivered_log import DeliveredLog
from appliance.queue.holders import Holder
from appliance.settings import Config
from smtpd.outgoing import OutgoingQueue
from smtpd.relay import Relay, RelayConfig
from smtpd.remote import RelayDeadlines
from smtpd.runner import Runner, RunnerConfig
from smtpd.security import PolicyFacts
from smtpd.sts import StsPolicies
from smtpd.tls_reporting import TlsReporting

FLUSH_EVERY_S = 60.0

logger = logging.getLogger("appliance.smtp")


class Leaving:
    """Start it, and stop it before the process ends."""

    def __init__(
        self, config: Config, resolver: AuthenticResolver, clock: Clock, hostname: Callable[[], str]
    ) -> None:
        """hostname: how we introduce ourselves now."""
        fetcher = Fetcher(resolver)
        self._reporting = TlsReporting(resolver, fetcher, clock, hostname)
        sts = StsPolicies(resolver, fetcher, _KeptPolicies(clock), clock, self._policy_failed)
        self._relay = Relay(
            resolver, relay_config(config, hostname()), sts=sts, reporter=self._reporting, clock=clock
        )
        self._holder = Holder(config.run_dir)
        self._runner = Runner(
            OutgoingQueue(clock, hostname, self._holder, DeliveredLog(config.data_dir)),
            self._relay,
            RunnerConfig(
                concurrency=min(config.queue.concurrency, config.relay.connections_max),
                per_domain_max=config.relay.connections_per_destination_max,
                lease_s=config.queue.lease_s,
                poll_interval_s=config.queue.poll_interval_s,
            ),
            clock=clock,
        )
        self._flusher: gevent.Greenlet | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is due now and then."""
        return (self._reporting.job(),)

    def start(self) -> None:
        """Begin to work off the queue."""
        self._runner.start()
        self._flusher = gevent.spawn(self._flush_always)

    def stop(self) -> None:
        """Let attempts under way finish for a while, then end. Blocks."""
        self._runner.stop()
        self._relay.close()
        if self._flusher is not None:
            self._flusher.kill()
            self._flush()
        self._holder.close()

    def rename(self, hostname: str) -> None:
        """Introduce ourselves by another name from the next connection on."""
        self._relay.rename(hostname)

    def _policy_failed(self, domain: str, result: str) -> None:
        self._reporting.failed(PolicyFacts(domain, "sts"), result, "", "")

    def _flush_always(self) -> None:
        while True:
            gevent.sleep(FLUSH_EVERY_S)
            self._flush()

    def _flush(self) -> None:
        try:
            self._reporting.flush()
        except Exception as error:  # noqa: BLE001 - statistics; the next minute may go well
            logs.event(logger, "tls_counts_trouble", level=logging.WARNING, exc_info=error)


def relay_config(config: Config, hostname: str) -> RelayConfig:
    """Return how we call on other servers."""
    relay = config.relay
    return RelayConfig(
        hostname=hostname,
        port=relay.port,
        deadlines=RelayDeadlines(
            connect_s=relay.connect_timeout_s,
            greeting_s=min(RelayDeadlines.greeting_s, relay.command_timeout_s),
            command_s=relay.command_timeout_s,
            final_s=relay.data_timeout_s,
            attempt_s=config.queue.attempt_s,
        ),
        connections_max=relay.connections_max,
        per_server_max=relay.connections_per_destination_max,
        messages_per_connection_max=relay.messages_per_connection_max,
    )


class _KeptPolicies:
    """`sts.PolicyStore` over the database."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def kept(self, domain: str) -> Policy | None:
        """Return the policy in force."""
        with db.connection():
            return sts_policies.kept(domain, self._clock.now())

    def keep(self, policy: Policy) -> None:
        """Remember one."""
        sts_policies.keep(policy)
