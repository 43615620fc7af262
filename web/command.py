"""`python -m web`: options, sockets, certificate, and then gunicorn's master until it is told to stop."""

import os
from functools import partial
from pathlib import Path

import click

from appliance import config, files, logs, metrics
from appliance.domains import certificates
from appliance.errors import ApplianceError
from appliance.settings import Config
from web import sockets
from web.gunicorn_conf import Endpoint, Server, Serving
from web.tls import Certificate
from web.wiring import Product

FIRST_NAMES = ("localhost", "127.0.0.1", "::1")
"""What the certificate of a server without a name is for; the setup replaces it."""


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Data directory.")
@click.option("--config", "config_file", type=click.Path(path_type=Path, dir_okay=False), help="TOML file.")
@click.option("--http", multiple=True, metavar="HOST:PORT", help="Plain listener; repeatable.")
@click.option("--https", multiple=True, metavar="HOST:PORT", help="TLS listener; repeatable.")
@click.option("--workers", type=click.IntRange(1, 64), help="Worker processes.")
def main(
    data: Path | None,
    config_file: Path | None,
    http: tuple[str, ...],
    https: tuple[str, ...],
    workers: int | None,
) -> None:
    """Serve HTTP: phones, discovery, pages.

    Sockets that were handed down (APPLIANCE_FDS, systemd) are used instead of --http, --https and the
    configuration's listeners.
    """
    try:
        settings = config.load(config_file, data)
        _prepare(settings)
        endpoints = _endpoints(settings, http, https)
    except (ApplianceError, OSError) as error:
        raise click.ClickException(str(error)) from error
    serving = Serving(
        endpoints=endpoints,
        workers=workers or settings.web.workers,
        worker_connections=settings.web.worker_connections,
        drain_s=settings.web.drain_s,
    )
    Server(serving, partial(Product, settings)).run()


def _prepare(settings: Config) -> None:
    files.private_directory(settings.data_dir)
    logs.setup(
        settings.logs_dir,
        format="json" if settings.logs.format == "json" else "kv",
        level=settings.logs.level,
        to_stderr=settings.logs.stderr,
    )
    metrics.setup(settings.metrics_dir)
    if certificates.installed(settings.data_dir) is None:
        certificates.ensure_self_signed(settings.data_dir, FIRST_NAMES)


def _endpoints(settings: Config, http: tuple[str, ...], https: tuple[str, ...]) -> list[Endpoint]:
    """Return the listeners: handed down, else those of the command line, else those configured."""
    found = sockets.inherited(os.environ)
    if not found:
        plain = http if http or https else settings.web.listen
        found = [sockets.Inherited("http", sockets.bind(address)) for address in plain]
        found += [sockets.Inherited("https", sockets.bind(address)) for address in https]
    data_dir = settings.data_dir
    certificate = Certificate(certificates.cert_path(data_dir), certificates.key_path(data_dir))
    return [Endpoint(entry.fd, certificate if entry.name == "https" else None) for entry in found]
