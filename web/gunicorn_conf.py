# mypy: disable-error-code="import-untyped, misc"
# gunicorn ships no annotations; this module is part of the rim that may name it.
"""gunicorn as this product runs it: its settings, its master process, its log.

Owns every gunicorn setting and why it has that value. Leaves the worker to `worker.py`, the application
to whoever passes a `Build` (the product: `__main__.py`; tests: a few lines of their own).

Nothing is read from files or the environment: gunicorn gets exactly what `Serving` says.
The process that imports this must already be patched by gevent.
"""

import logging
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from appliance import metrics
from appliance.net.listening import BACKLOG
from appliance.net.tls import Certificate
from web.held import Wsgi
from web.worker import ApplianceWorker

STUCK_S: Final = 120
"""The master kills a worker whose hub has not turned for so long. Not a limit for requests."""
FINISH_S: Final = 30


class Running(Protocol):
    """What a worker serves and what it does around that; made after the fork."""

    @property
    def wsgi(self) -> Wsgi: ...
    def drain(self) -> None:
        """End every wait, now and from now on."""
        ...

    def close(self) -> None:
        """Let go of database and bus; nothing is served any more."""
        ...


Build = Callable[[], Running]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A listening socket, inherited or bound by us, by its descriptor; TLS when it has a certificate."""

    fd: int
    certificate: Certificate | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve; `keepalive_s` is above what reverse proxies keep idle connections for (60 s)."""

    endpoints: Sequence[Endpoint]
    workers: int = 1
    worker_connections: int = 20_000
    keepalive_s: int = 75
    drain_s: float = 10
    on_ready: Callable[[], None] | None = None


class Server(BaseApplication):
    """The gunicorn application: configuration in the master, the product in each worker."""

    def __init__(self, serving: Serving, build: Build) -> None:
        self.serving = serving
        self.certificates = [endpoint.certificate for endpoint in serving.endpoints]
        self.drain_s = serving.drain_s
        self._build = build
        self._running: Running | None = None
        super().__init__()

    def load_config(self) -> None:
        """Hand our settings to gunicorn."""
        for name, value in self._settings().items():
            self.cfg.set(name, value)

    def _settings(self) -> dict[str, Any]:
        serving = self.serving
        return {
            "bind": [f"fd://{endpoint.fd}" for endpoint in serving.endpoints],
            "backlog": BACKLOG,
            "workers": serving.workers,
            "worker_class": ApplianceWorker,
            "worker_connections": serving.worker_connections,
            "timeout": STUCK_S,
            "graceful_timeout": int(serving.drain_s) + FINISH_S,
            "keepalive": serving.keepalive_s,
            "limit_request_line": 8190,  # a base64 query with LongId, a sign-in URL
            "limit_request_fields": 100,
            "limit_request_field_size": 8190,  # a bearer token
            "http_parser": "python",  # never a C parser that happens to be installed
            "control_socket_disable": True,  # needs a home directory and runs a second event loop
            "secure_scheme_headers": {},  # web/edge.py decides what a proxy may say
            "forwarder_headers": "",
            "logger_class": ForwardingLogger,
            "accesslog": None,  # web/access.py writes it
            "proc_name": "appliance-web",
            "when_ready": self._ready,
            "child_exit": _worker_gone,
        }

    def _ready(self, _arbiter: Any) -> None:
        if self.serving.on_ready is not None:
            self.serving.on_ready()

    def load(self) -> Wsgi:
        """Build the application in the worker; gunicorn calls this once, after the fork."""
        self._running = self._build()
        return self._running.wsgi

    def drain(self) -> None:
        """End every wait of this worker."""
        if self._running is not None:
            self._running.drain()

    def close(self) -> None:
        """Let go of everything this worker holds."""
        if self._running is not None:
            self._running.close()

    def reload_certificates(self) -> None:
        """Read the certificates again at the next connection."""
        for certificate in self.certificates:
            if certificate is not None:
                certificate.reload()

    def run(self) -> None:
        """Run the master until it is told to stop; ends with SystemExit."""
        Master(self).run()


class Master(Arbiter):
    """gunicorn's master; SIGHUP does not restart workers, which would end every wait of every phone,
    and Ctrl-C is as polite as SIGTERM."""

    handle_int = Arbiter.handle_term

    def handle_hup(self) -> None:
        """Pass the signal on: workers read the certificate again. New code needs a restart of the unit."""
        self.log.reopen_files()
        self.kill_workers(signal.SIGHUP)


class ForwardingLogger(Logger):
    """Hands gunicorn's messages to the root logger, which writes them where the product logs."""

    def setup(self, cfg: Any) -> None:
        """Set the level; no handlers of its own."""
        self.cfg = cfg
        self._access_log_enabled = False
        self.loglevel = logging.INFO
        self.error_log.setLevel(logging.INFO)
        self.error_log.propagate = True

    def access(self, *_arguments: Any) -> None:
        """Write nothing: the access log is `web/access.py`."""


def _worker_gone(_arbiter: Any, worker: Any) -> None:
    metrics.mark_dead(worker.pid)
