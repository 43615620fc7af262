"""Where a command works: the options `--data` and `--config`, and the appliance opened for it.

Owns what every command that touches data needs first: configuration, the owner's identity, logs,
database, blobs, bus. Leaves the roles that stay in the foreground to `run`.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Literal

import click

from appliance import bus, config, db, files, logs, sealing
from appliance.accounts import login
from appliance.cli import recorded
from appliance.delivery import sending
from appliance.errors import ApplianceError, NotFound
from appliance.net.bus_open import open_bus
from appliance.queue import schedule
from appliance.settings import Config
from appliance.setup import instance
from appliance.store import blobs, limits

ROLE = "cli"  # in the name of this process's bus socket
_log = logging.getLogger("appliance.cli")


@dataclass(frozen=True, slots=True)
class Place:
    """What `--data` and `--config` said."""

    data: Path | None
    config: Path | None

    def load(self) -> Config:
        """Return the configuration; raises ConfigError."""
        return config.load(self.config, self.data)

    @contextmanager
    def opened(self, *, create: bool = False) -> Iterator[Config]:
        """Open the appliance for the block; what is written in it is seen by running processes at once.

        A command that may change something is recorded (`recorded`).

        create: make a data directory that does not exist. Raises NotFound when there is none, Conflict
        when directory and database do not belong together.
        """
        settings = self.load()
        data_dir = settings.data_dir
        if create:
            files.private_directory(data_dir)
        if not data_dir.is_dir():
            raise NotFound(f"there is no data directory {data_dir}; name it with --data, or set one up first")
        operator = recorded.who()
        act_as_owner(data_dir)
        with ExitStack() as opened:
            _open(settings, opened)
            try:
                with recorded.act(operator):
                    yield settings
            except (ApplianceError, OSError, click.ClickException, click.Abort):
                raise
            except Exception as error:
                logs.event(_log, "command_failed", level=logging.ERROR, exc_info=error)
                raise


def _open(settings: Config, opened: ExitStack) -> None:
    data_dir = settings.data_dir
    form: Literal["kv", "json"] = "json" if settings.logs.format == "json" else "kv"
    logs.setup(data_dir / "logs", format=form, level=settings.logs.level)
    opened.callback(logs.reset)
    db.open(settings.database.url, data_dir, connect_timeout_s=settings.database.connect_timeout_s)
    opened.callback(db.close)
    current = open_bus(settings.bus.url, data_dir / "run", ROLE)
    opened.callback(current.close)
    opened.callback(bus.use, bus.use(current))
    blobs.configure(data_dir)
    sealing.configure(data_dir)
    login.configure(settings)
    opened.callback(limits.configure, limits.configure(settings.limits))
    opened.callback(schedule.configure, schedule.configure(settings.relay))
    opened.callback(sending.configure, sending.configure(settings.sending))
    instance.check(data_dir)


def placed[R](command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options `--data` and `--config` and pass them on as `place`."""

    @click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        help="Data directory [default: $APPLIANCE_DATA, ./var in a checkout, /var/lib/appliance].",
    )
    @click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Configuration file [default: $APPLIANCE_CONFIG, /etc/appliance/appliance.toml].",
    )
    @wraps(command)
    def call(*args: Any, data: Path | None, config_file: Path | None, **kwargs: Any) -> R:
        return command(*args, place=Place(data, config_file), **kwargs)

    return call


def act_as_owner(data_dir: Path) -> None:
    """When root runs a command on the service's data, become the service's user.

    Otherwise the first log file, blob or write-ahead log made here would belong to root and stop the
    service.
    """
    about = data_dir.stat()
    if os.geteuid() == 0 and about.st_uid != 0:
        os.setgroups([])
        os.setgid(about.st_gid)
        os.setuid(about.st_uid)
