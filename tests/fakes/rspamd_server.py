"""A real Rspamd on a configuration of its own: two workers on loopback, no name server, nothing outside.

    with PrivateRspamd(directory) as rspamd:
        Rspamd(rspamd.url, 10).check(raw, ())

It knows GTUBE by itself, one rule for the antivirus test file, and a Bayes classifier that starts empty.
"""

import json
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

PROGRAM = shutil.which("rspamd") or "/usr/bin/rspamd"
START_S = 60.0
STOP_S = 20.0
EICAR_MARK = "EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE"
_CONFIGURATION = """
options {{
  pidfile = "{directory}/rspamd.pid";
  tempdir = "{directory}";
  hs_cache_dir = "{directory}";
  url_tld = "{directory}/suffixes.txt";
  filters = "regexp";
  local_addrs = [];
  disable_monitoring = true;
  dns {{ nameserver = ["127.0.0.1:{nobody}"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "file"; filename = "{directory}/rspamd.log"; level = "info"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{worker}"; count = 1; }}
worker "controller" {{
  bind_socket = "127.0.0.1:{controller}";
  count = 1;
  password = "{password}";
  secure_ip = [];
}}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
regexp {{ EICAR {{ re = "/{mark}/{{mime}}"; score = 20.0; }} }}
classifier "bayes" {{
  backend = "sqlite3";
  min_learns = 1;
  cache {{ path = "{directory}/learned.sqlite"; }}
  statfile {{ symbol = "BAYES_HAM"; path = "{directory}/ham.sqlite"; spam = false; }}
  statfile {{ symbol = "BAYES_SPAM"; path = "{directory}/spam.sqlite"; spam = true; }}
}}
"""


def is_installed() -> bool:
    """Say whether there is a Rspamd on this machine."""
    return Path(PROGRAM).exists()


class PrivateRspamd:
    """Runs inside the `with` block; `url` is its worker, `controller_url` its controller."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.password = "filter password"
        worker, controller, nobody = free_ports(3)
        self.url = f"http://127.0.0.1:{worker}"
        self.controller_url = f"http://127.0.0.1:{controller}"
        self._ports = (worker, controller)
        self._process: subprocess.Popen[bytes] | None = None
        (directory / "suffixes.txt").write_text("com\nnet\norg\ntest\nexample\n")
        (directory / "rspamd.conf").write_text(
            _CONFIGURATION.format(
                directory=directory,
                worker=worker,
                controller=controller,
                nobody=nobody,
                password=self.password,
                mark=EICAR_MARK,
            )
        )

    def __enter__(self) -> Self:
        with (self.directory / "output").open("wb") as output:
            self._process = subprocess.Popen(
                [PROGRAM, "-i", "-f", "-c", str(self.directory / "rspamd.conf")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            for port in self._ports:
                self._wait_for(port)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def learned(self) -> int:
        """Return how many messages it has learned from."""
        host, _, port = self.controller_url.removeprefix("http://").partition(":")
        connection = HTTPConnection(host, int(port), timeout=START_S)
        connection.request("GET", "/stat", headers={"Password": self.password})
        return int(json.loads(connection.getresponse().read())["total_learns"])

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + START_S
        while True:
            with suppress(OSError, HTTPException):
                connection = HTTPConnection("127.0.0.1", port, timeout=2)
                connection.request("GET", "/ping")
                if connection.getresponse().read().startswith(b"pong"):
                    return
            assert self._process is not None and self._process.poll() is None, self._last_words()
            assert time.monotonic() < deadline, self._last_words()
            time.sleep(0.1)

    def _last_words(self) -> str:
        logs = [self.directory / name for name in ("output", "rspamd.log")]
        return "\n".join(log.read_text("utf-8", "replace")[-2000:] for log in logs if log.exists())

    def _stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_ports(count: int) -> list[int]:
    """Return ports nobody has a moment ago: Rspamd cannot be given sockets."""
    taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    numbers = [sock.getsockname()[1] for sock in taken]
    for sock in taken:
        sock.close()
    return numbers
