"""A private Postfix to compare with: own configuration, queue and mailboxes, loopback only.

It accepts for one domain and delivers to the Maildir of a virtual user. Its 250 means that the message is
in the queue on disk; ours, that it is in the mailbox, so both of its rates are worth knowing.

Needs root and an installed Postfix; nothing of the system's own instance is read or changed.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

DOMAIN = "example.com"
START_S = 15.0
DIRECTORIES = ("config", "queue", "data", "mail")


class PostfixMissing(Exception):
    """There is no Postfix to compare with; the message says why."""


class PrivatePostfix:
    """Use as a context manager; `port` is where it listens. Raises PostfixMissing on entering."""

    def __init__(self, user: str, settings: Mapping[str, str] | None = None) -> None:
        """user: the one virtual user of DOMAIN. settings: of main.cf, besides ours."""
        self._mailbox = user
        self._settings = settings or {}
        self._directory = Path()
        self.port = 0

    def __enter__(self) -> Self:
        if shutil.which("postfix") is None:
            raise PostfixMissing("not installed")
        if os.geteuid() != 0:
            raise PostfixMissing("needs root")
        self._directory = Path(tempfile.mkdtemp(prefix="postfix-"))
        self._directory.chmod(0o755)
        for name in DIRECTORIES:
            (self._directory / name).mkdir()
        self.port = _free_port()
        self._write_config()
        self._postfix("start")
        try:
            self._wait()
        except PostfixMissing:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        subprocess.run(self._command("stop"), capture_output=True, timeout=30, check=False)
        shutil.rmtree(self._directory, ignore_errors=True)

    def delivered(self) -> int:
        """Return how many messages are in the mailbox."""
        new = self._directory / "mail" / self._mailbox / "new"
        return sum(1 for _ in new.iterdir()) if new.is_dir() else 0

    def messages(self) -> list[bytes]:
        """Return the messages in the mailbox, oldest first."""
        new = self._directory / "mail" / self._mailbox / "new"
        found = sorted(new.iterdir(), key=lambda path: path.stat().st_mtime_ns) if new.is_dir() else []
        return [path.read_bytes() for path in found]

    def log(self) -> str:
        """Return what it has logged."""
        path = self._directory / "data" / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def change(self, settings: Mapping[str, str]) -> None:
        """Change settings while it runs, and try what waits."""
        self._settings = {**self._settings, **settings}
        self._write_config()
        self._postfix("reload")
        self._postfix("flush")

    def _write_config(self) -> None:
        home = self._directory
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": str(home / "queue"),
            "data_directory": str(home / "data"),
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": f"mx.{DOMAIN}",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "virtual_mailbox_domains": DOMAIN,
            "virtual_mailbox_base": str(home / "mail"),
            "virtual_mailbox_maps": f"inline:{{{{{self._mailbox}@{DOMAIN} = {self._mailbox}/}}}}",
            "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            "alias_maps": "",
            "local_recipient_maps": "",
            "biff": "no",
            "maillog_file": str(home / "data" / "mail.log"),
            "maillog_file_prefixes": str(home),
            "smtpd_client_connection_count_limit": "0",
            **self._settings,
        }
        lines = [f"{name} = {value}" for name, value in settings.items()]
        (home / "config" / "main.cf").write_text("\n".join(lines) + "\n")
        (home / "config" / "master.cf").write_text(_services(self.port))
        shutil.chown(home / "data", "postfix")
        shutil.chown(home / "mail", "nobody")

    def _command(self, action: str) -> list[str]:
        return ["postfix", "-c", str(self._directory / "config"), action]

    def _postfix(self, action: str) -> None:
        done = subprocess.run(self._command(action), capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise PostfixMissing(f"does not {action}: {last}")

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise PostfixMissing("does not listen")


def _services(port: int) -> str:
    """Return master.cf: what receives, queues, delivers, and sends to a relayhost if one is set."""
    rows = [f"127.0.0.1:{port} inet n - n - - smtpd"]
    for name, private, unprivileged, wakeup, limit, program in SERVICES:
        rows.append(f"{name} unix {private} {unprivileged} n {wakeup} {limit} {program}")
    return "\n".join([*rows, "postlog unix-dgram n - n - 1 postlogd"]) + "\n"


SERVICES = (
    ("pickup", "n", "-", "60", "1", "pickup"),
    ("cleanup", "n", "-", "-", "0", "cleanup"),
    ("qmgr", "n", "-", "300", "1", "qmgr"),
    ("showq", "n", "-", "-", "-", "showq"),
    ("rewrite", "-", "-", "-", "-", "trivial-rewrite"),
    ("bounce", "-", "-", "-", "0", "bounce"),
    ("defer", "-", "-", "-", "0", "bounce"),
    ("trace", "-", "-", "-", "0", "bounce"),
    ("proxymap", "-", "-", "-", "-", "proxymap"),
    ("virtual", "-", "n", "-", "-", "virtual"),
    ("smtp", "-", "-", "-", "-", "smtp"),
    ("flush", "n", "-", "1000?", "0", "flush"),
    ("error", "-", "-", "-", "-", "error"),
    ("retry", "-", "-", "-", "-", "error"),
    ("anvil", "-", "-", "-", "1", "anvil"),
    ("tlsmgr", "-", "-", "1000?", "1", "tlsmgr"),
)
"""name, private, unprivileged, wake-up, limit, program"""


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
