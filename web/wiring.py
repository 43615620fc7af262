"""The composition root of a worker: the real database, bus and domain behind the application.

Everything here runs after the fork; what belongs to the whole process tree is in `command.py`.
"""

import logging
import time
from collections.abc import Mapping
from functools import partial

import appliance
from appliance import bus, db, logs, metrics, sealing
from appliance.accounts import login, trust_anchors
from appliance.accounts.tokens import Scope
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Setting
from appliance.delivery import sending
from appliance.devices.health import Health
from appliance.devices.rate import Rate
from appliance.domains import certificates, mta_sts
from appliance.eas import dispatch, versions
from appliance.eas.context import World
from appliance.errors import ApplianceError, InvalidInput
from appliance.net.bus_open import open_bus
from appliance.queue import schedule
from appliance.settings import Config
from appliance.setup import instance, settings, steps
from appliance.store import blobs, lessons, limits
from web.app import create_app
from web.held import Wsgi
from web.services import Facts, Offer, Services

ROLE = "web"
HOSTNAME_KNOWN_FOR_S = 5.0

logger = logging.getLogger("appliance.web")


class Product:
    """A running worker's hold on the product; `gunicorn_conf.Running`."""

    def __init__(self, config: Config) -> None:
        db.open(
            config.database.url,
            config.data_dir,
            read_connections=config.database.pool_connections_max,
            connect_timeout_s=config.database.connect_timeout_s,
        )
        blobs.configure(config.data_dir)
        sealing.configure(config.data_dir)
        trust_anchors.configure(config.data_dir)
        login.configure(config)
        limits.configure(config.limits)
        lessons.configure(bool(config.filter.rspamd_controller))
        schedule.configure(config.relay)
        sending.configure(config.sending)
        self._bus = open_bus(config.bus.url, config.run_dir, ROLE)
        bus.use(self._bus)
        instance.check(config.data_dir)
        self.wsgi: Wsgi = create_app(config, services(config))

    def drain(self) -> None:
        """End every wait, now and from now on."""
        self._bus.drain()

    def close(self) -> None:
        """Let go of bus and database."""
        self._bus.close()
        db.close()


def services(config: Config) -> Services:
    """Return the domain as the views see it; database, bus and login must be ready."""
    hostname = Hostname()
    per_minute = config.eas.requests_per_minute_max
    world = World(
        SYSTEM_CLOCK,
        config.eas,
        config.web,
        hostname,
        devices_max=config.limits.devices_max,
        rate=Rate(per_minute, per_minute, time.monotonic),
        health=Health(),
    )
    offered = versions.in_order(config.eas.versions)
    return Services(
        login=login.login,
        token_login=partial(login.login_with_token, scope=Scope.EAS),
        connection=db.connection,
        eas_handle=partial(dispatch.handle, world=world),
        eas_offer=Offer(offered, versions.commands(offered), versions.SERVER),
        hostname=hostname,
        health=health,
        metrics=metrics.render,
        facts=partial(facts, config, hostname),
        mta_sts_policy=mta_sts.policy_of_host,
    )


class Hostname:
    """The server's public name; asked by every discovery, so kept for a moment."""

    def __init__(self) -> None:
        self._name = ""
        self._until = 0.0

    def __call__(self) -> str:
        """Return the name, "" before the setup."""
        if time.monotonic() >= self._until:
            with db.connection():
                self._name = settings.get(settings.HOSTNAME)
            self._until = time.monotonic() + HOSTNAME_KNOWN_FOR_S
        return self._name


def health() -> Mapping[str, bool]:
    """Return what this worker needs and whether it answers."""
    return {"database": _database_answers(), "bus": not bus.current().draining}


def _database_answers() -> bool:
    try:
        with db.connection():
            Setting.select(Setting.key).limit(1).tuples().first()
    except ApplianceError as error:
        logs.event(logger, "database_unreachable", level=logging.ERROR, error=error)
        return False
    return True


def facts(config: Config, hostname: Hostname) -> Facts:
    """Return what the start page tells."""
    try:
        certificate = certificates.installed(config.data_dir)
    except InvalidInput:
        certificate = None
    return Facts(
        version=appliance.__version__,
        is_set_up=not steps.needs_setup(),
        hostname=hostname(),
        eas_versions=versions.in_order(config.eas.versions),
        fingerprint=certificate.fingerprint if certificate else None,
        is_self_signed=certificate.is_self_signed if certificate else False,
    )
