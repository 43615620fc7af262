"""Where listening sockets come from."""

import os
import socket
import stat
from pathlib import Path

import pytest

from appliance.errors import InvalidInput
from web import sockets
from web.sockets import Inherited, inherited


def test_our_supervisor_hands_sockets_down() -> None:
    environ = {"APPLIANCE_FDS": "http=5,https=6,http=7", "HOME": "/"}
    assert inherited(environ) == [Inherited("http", 5), Inherited("https", 6), Inherited("http", 7)]
    assert environ == {"HOME": "/"}


def test_systemd_hands_sockets_down() -> None:
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "https:http"}
    assert inherited(environ) == [Inherited("https", 3), Inherited("http", 4)]
    assert environ == {}, "gunicorn must not find them a second time"


def test_sockets_for_another_process_are_not_ours() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
    assert inherited(environ) == []


@pytest.mark.parametrize("value", ["smtp=5", "http=x", "http", "http=-1", "=5"])
def test_what_this_role_does_not_serve_is_an_error(value: str) -> None:
    with pytest.raises(InvalidInput):
        inherited({"APPLIANCE_FDS": value})


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_binding_an_address(address: str) -> None:
    with socket.socket(fileno=sockets.bind(address)) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        assert sock.getsockname()[1] > 0


def test_binding_a_path_replaces_a_stale_one(tmp_path: Path) -> None:
    path = tmp_path / "web.sock"
    for _ in range(2):
        with socket.socket(fileno=sockets.bind(f"unix:{path}")) as sock:
            assert sock.getsockname() == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=address):
            sockets.bind(address)
