"""A real PostgreSQL server on a throw-away directory, for tests.

It listens on a Unix socket in its own folder only, so no port is taken and nobody else reaches it. It is
started as an ordinary user (PostgreSQL refuses root) and dies with the test run, however that ends.
"""

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import psycopg

from appliance import db

START_S: Final = 30.0
STOP_S: Final = 30.0
USER: Final = "postgres"
TEMPLATE: Final = "appliance_template"

CARELESS: Final = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")
"""Quick, and good enough where no test pulls the plug."""

SMALL: Final = ("shared_buffers=32MB", "max_connections=80", "listen_addresses=", "max_wal_size=256MB")


def binaries() -> Path | None:
    """Return the newest installed server's program folder, or None."""
    if found := shutil.which("postgres"):
        return Path(found).parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    newest = max(folders, key=lambda path: float(path.parent.parent.name), default=None)
    return None if newest is None else newest.parent


def why_not() -> str | None:
    """Return why no server can be started here, or None."""
    if binaries() is None:
        return "PostgreSQL server programs are not installed"
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            return "running as root without setpriv: PostgreSQL refuses to run as root"
        try:
            pwd.getpwnam(USER)
        except KeyError:
            return f"running as root and there is no user {USER} to run PostgreSQL as"
    return None


class PostgresServer:
    """One server; `url()` of any of its databases is what `db.open` takes."""

    def __init__(self, *, durable: bool = False) -> None:
        reason = why_not()
        assert reason is None, reason
        found = binaries()
        assert found is not None
        self._bin = found
        self._settings = SMALL if durable else SMALL + CARELESS
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # short: a socket path has 107 bytes
        self._numbers = itertools.count(1)
        self._has_template = False
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER, USER)
        self._run(
            "initdb", "--no-sync", "--no-locale", "-E", "UTF8", "-A", "trust", "-U", USER, "-D", self._data
        )

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = [part for setting in self._settings for part in ("-c", setting)]
        program = [str(self._bin / "postgres"), "-D", self._data, "-k", str(self._folder), *settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_user(dies_with_us=True), *program], cwd="/", stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}") from None
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop the server; clients are disconnected."""
        self._end(signal.SIGINT)

    def crash(self) -> None:
        """Stop the server at once, without a checkpoint: the next start recovers from its log."""
        self._end(signal.SIGQUIT)

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def log(self) -> str:
        """Return what the server has said."""
        return (self._folder / "log").read_text(errors="replace")

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database of this server."""
        return f"postgresql://{USER}@/{database}?host={self._folder}"

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement outside any transaction, from outside the appliance; returns its rows."""
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]  # statements of tests only
            return list(cursor) if cursor.description else []

    def new_database(self, *, migrated: bool = True) -> str:
        """Create a database, with today's schema or without any, and return its url."""
        if migrated and not self._has_template:
            self.execute(f"CREATE DATABASE {TEMPLATE}")
            db.open(self.url(TEMPLATE), self._folder)
            db.close()
            self._has_template = True
        name = f"test_{next(self._numbers)}"
        # Copied as files, which takes a quarter of the time of the log: hundreds of tests wait for it.
        template = TEMPLATE if migrated else "template0"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database that `new_database` made, disconnecting whoever is left."""
        name = url.partition("@/")[2].partition("?")[0]
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_user(dies_with_us=False), str(self._bin / program), *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(how)
            process.wait(STOP_S)


def _as_user(*, dies_with_us: bool) -> list[str]:
    if shutil.which("setpriv") is None:
        return []
    command = ["setpriv"]
    if os.geteuid() == 0:
        command += ["--reuid", USER, "--regid", USER, "--clear-groups"]
    if dies_with_us:
        command += ["--pdeathsig", "INT"]
    return command if len(command) > 1 else []
