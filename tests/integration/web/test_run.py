"""`appliance run` and its supervisor: children restarted, stopped, and never left behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.cli import probe
from appliance.cli.run import LISTENERS, bind_all, locked
from appliance.errors import Conflict, InvalidInput
from tests.integration.web.conftest import PATIENCE_S, ROOT

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a Python module as a process; whatever still runs at the end is killed."""
    with ExitStack() as running:

        def run(*arguments: str | Path) -> subprocess.Popen[str]:
            process = subprocess.Popen(
                [sys.executable, "-m", *map(str, arguments)],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("APPLIANCE_")},
            )
            running.callback(_end, process)
            return process

        yield run


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until[T](ask: Callable[[], T]) -> T:
    """Return the first true answer; errors of the system count as "not yet"."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            if found := ask():
                return found
        except OSError:
            pass
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def say(directory: Path, word: bytes) -> str:
    """Return what the role "echo" answers."""
    port = int((directory / "port").read_text())
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:
        sock.sendall(word)
        return sock.recv(20).decode()


def exists(pid: str) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_role_that_dies_comes_back_on_the_same_socket(start: Start, tmp_path: Path) -> None:
    start("tests.integration.web.supervised", tmp_path)
    first = until(lambda: say(tmp_path, b"hello"))
    with pytest.raises((ConnectionResetError, AssertionError)):
        assert say(tmp_path, b"die")
    assert say(tmp_path, b"hello") not in ("", first), "the client waited instead of being refused"


def test_a_stop_is_passed_on(start: Start, tmp_path: Path) -> None:
    supervisor = start("tests.integration.web.supervised", tmp_path)
    child = until(lambda: say(tmp_path, b"hello"))
    supervisor.terminate()
    assert supervisor.wait(PATIENCE_S) == 0
    assert not exists(child)
    assert "asked to stop" in (tmp_path / "echo.log").read_text()


def test_children_end_with_a_supervisor_that_is_killed(start: Start, tmp_path: Path) -> None:
    supervisor = start("tests.integration.web.supervised", tmp_path)
    child = until(lambda: say(tmp_path, b"hello"))
    supervisor.kill()
    supervisor.wait()
    until(lambda: not exists(child))


def test_a_role_that_never_starts_is_an_error(start: Start, tmp_path: Path) -> None:
    supervisor = start("tests.integration.web.supervised", tmp_path, "broken")
    _, said = supervisor.communicate(timeout=PATIENCE_S)
    assert supervisor.returncode == 1
    assert "broken does not start (status 1)" in said
    assert "asked to stop" in (tmp_path / "echo.log").read_text()


def test_a_directory_is_held_once(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    with (
        locked(path, tmp_path),
        pytest.raises(Conflict, match=f"process {os.getpid()}"),
        locked(path, tmp_path),
    ):
        pass
    with locked(path, tmp_path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_plain_http_stays_on_this_machine() -> None:
    with bind_all("0.0.0.0", dict.fromkeys(LISTENERS, 0)) as bound:
        hosts = {name: sock.getsockname()[0] for name, sock in bound.items()}
    assert hosts == dict.fromkeys(LISTENERS, "0.0.0.0") | {"http": "127.0.0.1"}


def test_a_port_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(InvalidInput, match=f"port {port}: .*--smtp-port"),
            bind_all("127.0.0.1", {"https": 0, "smtp": port}),
        ):
            pass


def test_a_host_must_be_an_address() -> None:
    with pytest.raises(InvalidInput, match="IP address"), bind_all("mail.example.com", {"https": 0}):
        pass


def test_a_socket_that_only_accepts_does_not_answer_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PATIENCE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = silent.getsockname()
        assert not any(probe.answers(name, address) for name in LISTENERS)


def test_the_whole_appliance(start: Start, tmp_path: Path) -> None:
    ports = [f"--{name}-port=0" for name in LISTENERS]
    appliance = start("appliance.cli", "run", "--data", tmp_path, *ports)
    file = tmp_path / "run" / "ports.json"

    def announced() -> bool:
        assert appliance.poll() is None, appliance.communicate()
        return file.exists()

    until(announced)
    numbers = json.loads(file.read_text())
    assert sorted(numbers) == sorted(LISTENERS)
    assert all(probe.answers(name, ("127.0.0.1", port)) for name, port in numbers.items())
    second = start("appliance.cli", "run", "--data", tmp_path, *ports)
    _, said = second.communicate(timeout=PATIENCE_S)
    assert (second.returncode, f"process {appliance.pid}" in said) == (1, True)
    appliance.send_signal(signal.SIGINT)
    printed, _ = appliance.communicate(timeout=2 * PATIENCE_S)
    assert appliance.returncode == 0
    assert f"https://127.0.0.1:{numbers['https']}/" in printed
    assert "appliance setup" in printed
    assert not file.exists()
