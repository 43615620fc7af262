"""The real server (gunicorn, our worker, the real application) around the stand-in domain.

Run as a process: `python -m tests.integration.web.server KIND=FD… --data DIR`.
"""

from gevent import monkey

monkey.patch_all()

import argparse  # noqa: E402 - patched first
from dataclasses import replace  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402

from appliance import bus, logs, metrics  # noqa: E402
from appliance.net.tls import Certificate  # noqa: E402
from appliance.settings import Config  # noqa: E402
from tests.unit.web import standin  # noqa: E402
from web import worker  # noqa: E402
from web.app import create_app  # noqa: E402
from web.gunicorn_conf import Endpoint, Server, Serving  # noqa: E402


class Product:
    """`gunicorn_conf.Running` around the stand-in domain."""

    def __init__(self, config: Config) -> None:
        self.wsgi = create_app(config, standin.services())

    def drain(self) -> None:
        bus.current().drain()

    def close(self) -> None:
        bus.current().close()


def main() -> None:
    """Serve the sockets named on the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sockets", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--drain", type=float, default=2)
    parser.add_argument("--keepalive", type=int, default=75)
    parser.add_argument("--head", type=int, default=30, help="seconds for the head of a request")
    arguments = parser.parse_args()
    config = replace(Config(), data_dir=arguments.data)
    logs.setup(config.logs_dir, to_stderr=True)
    metrics.setup(config.metrics_dir)
    certificate = Certificate(arguments.data / "cert.pem", arguments.data / "key.pem", alpn=worker.ALPN)
    endpoints = []
    for entry in arguments.sockets:
        kind, _, fd = entry.partition("=")
        endpoints.append(Endpoint(int(fd), certificate if kind == "https" else None))
    worker.HEAD_S = worker.HANDSHAKE_S = arguments.head
    serving = Serving(
        endpoints, workers=arguments.workers, drain_s=arguments.drain, keepalive_s=arguments.keepalive
    )
    Server(serving, partial(Product, config)).run()


if __name__ == "__main__":
    main()
