# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""`python -m smtpd`: the composition root of the SMTP role, and its life until it is told to stop.

Builds every collaborator and hands it down: database, bus, login, blobs, ports, and what mail leaves by
(`leaving`). What the
setup changes while we run holds for the next client: the server's name is looked at every few seconds, its
certificate by whoever needs it.
"""

import logging
import os
import signal
from contextlib import ExitStack
from pathlib import Path

import click
import gevent
from gevent.event import Event

from appliance import bus, config, db, files, logs, metrics, sealing
from appliance.accounts import login
from appliance.clock import SYSTEM_CLOCK
from appliance.delivery import sending
from appliance.domains import certificates
from appliance.errors import ApplianceError
from appliance.jobs import housekeeping
from appliance.net.bus_open import open_bus
from appliance.net.listening import listen
from appliance.net.resolver import DnsResolver
from appliance.net.tls import Certificate
from appliance.queue import schedule
from appliance.settings import Config
from appliance.setup import instance, settings
from appliance.setup.apply import LOOPBACK_NAMES
from appliance.store import blobs, lessons, limits
from smtpd.conversation import Stores
from smtpd.housekeeper import Housekeeper
from smtpd.leaving import Leaving
from smtpd.listeners import Listener, Listeners
from smtpd.ports import addresses, ports
from smtpd.spool import SpoolBudget
from smtpd.strangers import learner, screening
from smtpd.tls import SERVER_CIPHERS
from smtpd.wiring import Mail, is_ours

ROLE = "smtpd"
NAMELESS = "localhost"  # until the setup has named the server
LOOK_AGAIN_S = 2.0
SPOOL_BYTES_MAX = 256 * 1024 * 1024

logger = logging.getLogger("appliance.smtp")


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Data directory.")
@click.option("--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file.")
@click.option("--queue-only", is_flag=True, help="Work off the outgoing queue and listen to nobody.")
def main(data: Path | None, config_file: Path | None, queue_only: bool) -> None:
    """Serve SMTP: reception, submission, and delivery to other servers.

    Sockets that were handed down (APPLIANCE_FDS, systemd) are used instead of the configuration's
    listeners. SIGTERM ends it politely, SIGHUP reads the certificate again.
    """
    try:
        loaded = config.load(config_file, data)
        with ExitStack() as life:
            role = Role(loaded, life, queue_only=queue_only)
            role.serve()
    except (ApplianceError, OSError) as error:
        raise click.ClickException(str(error)) from error


class Role:
    """The running SMTP role."""

    def __init__(self, loaded: Config, life: ExitStack, *, queue_only: bool) -> None:
        _prepare(loaded, life)
        self._config = loaded
        self._stopping = Event()
        self._resolver = _resolver(loaded)
        self._hostname = _stored_hostname()
        self._certificate = Certificate(
            certificates.cert_path(loaded.data_dir),
            certificates.key_path(loaded.data_dir),
            ciphers=SERVER_CIPHERS,
        )
        self._listeners = Listeners([] if queue_only else self._listening())
        self._leaving = Leaving(loaded, self._resolver, SYSTEM_CLOCK, lambda: self._hostname)
        self._housekeeper = Housekeeper((*housekeeping.JOBS, *self._leaving.jobs), SYSTEM_CLOCK)
        self._learner = learner(loaded)

    def serve(self) -> None:
        """Serve until SIGTERM or SIGINT, then let clients and attempts finish."""
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stopping.set)
        gevent.signal_handler(signal.SIGHUP, self._certificate.reload)
        self._listeners.start()
        self._housekeeper.start()
        if self._learner is not None:
            self._learner.start()
        if self._config.relay.enabled:
            self._leaving.start()
        while not self._stopping.wait(LOOK_AGAIN_S):
            self._look_again()
        logs.event(logger, "stopping")
        ending = [gevent.spawn(self._listeners.stop), gevent.spawn(self._housekeeper.stop)]
        if self._config.relay.enabled:
            ending.append(gevent.spawn(self._leaving.stop))
        if self._learner is not None:
            ending.append(gevent.spawn(self._learner.stop))
        gevent.joinall(ending)

    def _listening(self) -> list[Listener]:
        strangers = screening(self._config, self._resolver, lambda: self._hostname, is_ours)
        strangers.start()
        stores = Stores(
            services=Mail(
                SYSTEM_CLOCK,
                lambda: self._hostname,
                greylist_delay_s=self._config.reception.greylist_delay_s,
            ),
            budget=SpoolBudget(SPOOL_BYTES_MAX),
            spool_directory=self._config.run_dir,
            screening=strangers,
        )
        known = ports(self._config, self._hostname)
        return [
            Listener(known[name], sock, stores, self._certificate)
            for name, sock in listen(os.environ, addresses(self._config))
        ]

    def _look_again(self) -> None:
        """Take over a new name for the next clients and attempts."""
        try:
            hostname = _stored_hostname()
        except ApplianceError:
            return  # the database is busy or away: the old name will do
        if hostname != self._hostname:
            self._hostname = hostname
            self._leaving.rename(hostname)
            self._listeners.rename(hostname)
            logs.event(logger, "renamed", hostname=hostname)


def _prepare(loaded: Config, life: ExitStack) -> None:
    """Open everything of this process that is not SMTP; closed when `life` ends."""
    files.private_directory(loaded.data_dir)
    logs.setup(
        loaded.logs_dir,
        format="json" if loaded.logs.format == "json" else "kv",
        level=loaded.logs.level,
        to_stderr=loaded.logs.stderr,
    )
    metrics.setup(loaded.metrics_dir)
    db.open(
        loaded.database.url,
        loaded.data_dir,
        read_connections=loaded.database.pool_connections_max,
        connect_timeout_s=loaded.database.connect_timeout_s,
    )
    life.callback(db.close)
    instance.check(loaded.data_dir)
    blobs.configure(loaded.data_dir)
    sealing.configure(loaded.data_dir)
    login.configure(loaded)
    limits.configure(loaded.limits)
    lessons.configure(bool(loaded.filter.rspamd_controller))
    schedule.configure(loaded.relay)
    sending.configure(loaded.sending)
    files.private_directory(loaded.run_dir)
    current = open_bus(loaded.bus.url, loaded.run_dir, ROLE)
    life.callback(current.close)
    bus.use(current)
    if certificates.installed(loaded.data_dir) is None:
        certificates.ensure_self_signed(loaded.data_dir, LOOPBACK_NAMES)


def _resolver(loaded: Config) -> DnsResolver:
    return DnsResolver(loaded.dns.resolver, loaded.dns.port, loaded.dns.timeout_s)


def _stored_hostname() -> str:
    with db.connection():
        return settings.get(settings.HOSTNAME) or NAMELESS
