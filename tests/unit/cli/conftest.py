"""Commands run in this process or in one of their own, on a throw-away data directory."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.__main__ import run

PASSWORD = "correct horse battery"
CHEAP = "[passwords]\nmemory_kib = 8192\npasses = 1\n"


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    """Runs commands on one data directory."""

    def __init__(self, root: Path, in_process: Callable[[list[str], str], Outcome]) -> None:
        self.data = root / "data"
        self.config = root / "appliance.toml"
        self.config.write_text(CHEAP)
        self._in_process = in_process

    def __call__(self, *arguments: str, stdin: str = "", elsewhere: bool = False) -> Outcome:
        """Run `appliance …`; elsewhere: in a process of its own, as an operator would."""
        full = [*arguments, "--data", str(self.data), "--config", str(self.config)]
        if not elsewhere:
            return self._in_process(full, stdin)
        done = subprocess.run(
            [sys.executable, "-m", "appliance.cli.__main__", *full],
            input=stdin, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, stdin: str = "") -> Outcome:
        outcome = self(*arguments, stdin=stdin)
        assert outcome.status == 0, outcome
        return outcome

    def setup(self) -> Outcome:
        return self.ok(
            "setup", "--domain", "example.com", "--hostname", "mail.example.com",
            "--admin", "anna@example.com", "--password-stdin", stdin=f"{PASSWORD}\n",
        )  # fmt: skip


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    def in_process(arguments: list[str], stdin: str) -> Outcome:
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            try:
                status = run(arguments)
            except SystemExit as ended:
                status = ended.code if isinstance(ended.code, int) else 1
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return Cli(tmp_path, in_process)


@pytest.fixture
def ready(cli: Cli) -> Cli:
    """A data directory that has been set up."""
    cli.setup()
    return cli
