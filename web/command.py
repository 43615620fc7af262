"""`python -m web`: options, sockets, certificate, and then gunicorn's master until it is told to stop."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from appliance import config, files, logs, metrics
from appliance.domains import certificates
from appliance.errors import ApplianceError
from appliance.net.listening import listen
from appliance.net.tls import Certificate
from appliance.settings import Config
from appliance.setup.apply import LOOPBACK_NAMES
from web.gunicorn_conf import Endpoint, Server, Serving
from web.wiring import Product
from web.worker import ALPN

HTTP, HTTPS = "http", "https"  # names of inherited sockets


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
        certificates.ensure_self_signed(settings.data_dir, LOOPBACK_NAMES)


def _endpoints(settings: Config, http: Sequence[str], https: Sequence[str]) -> list[Endpoint]:
    """Return the listeners: handed down, else those of the command line, else those configured."""
    data_dir = settings.data_dir
    certificate = Certificate(certificates.cert_path(data_dir), certificates.key_path(data_dir), alpn=ALPN)
    plain = http if http or https else settings.web.listen
    return [
        Endpoint(sock.detach(), certificate if name == HTTPS else None)
        for name, sock in listen(os.environ, {HTTP: plain, HTTPS: https})
    ]
