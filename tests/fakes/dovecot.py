"""A real IMAP server on loopback: Debian's Dovecot with a configuration and mailboxes of its own.

with Dovecot() as server:
    server.client().append("INBOX", raw, ["\\\\Seen"], received_at)
    server.port, server.tls_port, server.password
"""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Any, Self

from imapclient import IMAPClient

from tests.fixtures.certificate import write_pair

KNOWN = "2.3"
PATIENCE_S = 20.0
CONFIGURATION = r"""
base_dir = {root}/run
state_dir = {root}/state
log_path = {root}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
ssl_dh =
disable_plaintext_auth = no
auth_mechanisms = plain
mail_location = maildir:{root}/mail/%u
mail_max_userip_connections = 100
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Drafts {{
    special_use = \Drafts
  }}
  mailbox "Gesendet" {{
    special_use = \Sent
  }}
  mailbox Weg {{
    special_use = \Trash
  }}
}}
"""


def why_not() -> str | None:
    """Return why Dovecot cannot be used here, None when it can."""
    if shutil.which("dovecot") is None:
        return "dovecot is not installed"
    version = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=True).stdout
    if not version.startswith(f"{KNOWN}."):
        return f"these tests know the configuration of Dovecot {KNOWN}, not of {version.split()[0]}"
    return None if Path("/proc/self").owner() == "root" else "dovecot has to be started by root"


class Dovecot:
    """Runs inside the `with` block; any user name is let in with `password`."""

    password = "secret-of-the-other-server"

    def __init__(self) -> None:
        self._root = Path(mkdtemp(prefix="dovecot-"))
        self.port, self.tls_port = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def client(self, user: str = "anna") -> IMAPClient:
        """Return a signed-in connection, to put mail there."""
        client = IMAPClient("127.0.0.1", self.port, ssl=False)
        client.login(user, self.password)
        return client

    def stop(self) -> None:
        """Stop it; `start` brings it back with the same mail."""
        assert self._process is not None
        self._process.terminate()
        self._process.wait(PATIENCE_S)

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = ["dovecot", "-F", "-c", str(self._root / "dovecot.conf")]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as sock:
                    assert sock.recv(100).startswith(b"* OK")
                    return
            except OSError:
                assert self._process.poll() is None, (self._root / "log").read_text()
                assert time.monotonic() < deadline, "dovecot does not answer"
                time.sleep(0.05)

    def __enter__(self) -> Self:
        (self._root / "mail").mkdir()
        for path in (self._root, self._root / "mail"):
            path.chmod(0o777)
        write_pair(self._root, "imap.example.net")
        values: dict[str, Any] = {"root": self._root, "password": self.password}
        values |= {"port": self.port, "tls_port": self.tls_port, "user": "nobody", "group": "nogroup"}
        (self._root / "dovecot.conf").write_text(CONFIGURATION.format(**values))
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._root, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])
