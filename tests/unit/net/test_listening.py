"""Where listening sockets come from, and the plain form of an address."""

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from appliance.errors import InvalidInput
from appliance.net import listening
from appliance.net.listening import bind, handed_down, inherited, listen, plain_ip, shown

NAMES = ("http", "https")
has_ipv6 = pytest.mark.skipif(not Path("/proc/net/if_inet6").exists(), reason="this machine has no IPv6")


@pytest.fixture
def given() -> Iterator[list[socket.socket]]:
    """Three listening sockets of somebody else's."""
    with ExitStack() as opened:
        yield [opened.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]


@pytest.fixture
def duplicates(given: list[socket.socket]) -> list[int]:
    """Descriptors of the same sockets, in a row, for whoever takes them over and closes them."""
    open_ones = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    first = next(first for first in count(100) if open_ones.isdisjoint(range(first, first + len(given))))
    return [os.dup2(sock.fileno(), number) for number, sock in enumerate(given, first)]


def close(number: int) -> None:
    """Close a socket's descriptor now; gevent's os.close waits for its loop to turn."""
    socket.socket(fileno=number).close()


def test_our_supervisor_hands_sockets_down(given: list[socket.socket], duplicates: list[int]) -> None:
    first, second, third = duplicates
    environ = {"APPLIANCE_FDS": f"http={first},https={second},http={third}", "HOME": "/"}
    found = inherited(environ, NAMES)
    assert [name for name, _ in found] == ["http", "https", "http"]
    assert [sock.getsockname() for _, sock in found] == [sock.getsockname() for sock in given]
    assert environ == {"HOME": "/"}
    for _, sock in found:
        sock.close()


def test_what_is_written_is_what_is_read(given: list[socket.socket], duplicates: list[int]) -> None:
    sockets = {name: socket.socket(fileno=number) for name, number in zip("ab", duplicates, strict=False)}
    found = inherited({"APPLIANCE_FDS": handed_down(sockets)}, ("a", "b"))
    assert [(name, sock.fileno()) for name, sock in found] == [
        (name, sock.fileno()) for name, sock in sockets.items()
    ]
    for _, sock in found:
        sock.detach()
    for sock in sockets.values():
        sock.close()
    close(duplicates[2])


def test_systemd_hands_sockets_down(duplicates: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "SYSTEMD_FIRST_FD", duplicates[0])
    environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "3", "LISTEN_FDNAMES": "https:http:http"}
    found = inherited(environ, NAMES)
    assert [(name, sock.fileno()) for name, sock in found] == list(
        zip(("https", "http", "http"), duplicates, strict=True)
    )
    assert environ == {}, "nobody we start may find them a second time"
    for _, sock in found:
        sock.close()


def test_sockets_for_another_process_are_not_ours() -> None:
    environ = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
    assert inherited(environ, NAMES) == []
    assert environ == {}


@pytest.mark.parametrize(
    "environ",
    [
        {"APPLIANCE_FDS": value}
        for value in ["smtp=5", "http=x", "http", "http=-1", "=5", "http=987654", f"http={10**30}", "http=3,"]
    ]
    + [
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": number, "LISTEN_FDNAMES": names}
        for number, names in [("2", "http"), ("1", "http:https"), ("x", "http"), ("1", "")]
    ],
    ids=str,
)
def test_what_this_role_does_not_serve_is_an_error(environ: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        inherited(environ, NAMES)


def test_a_socket_that_does_not_listen_is_an_error_and_stays_open() -> None:
    with socket.socket() as silent, pytest.raises(InvalidInput, match="does not listen"):
        inherited({"APPLIANCE_FDS": f"http={silent.fileno()}"}, NAMES)
    with socket.socket() as silent:
        with pytest.raises(InvalidInput):
            inherited({"APPLIANCE_FDS": f"http={silent.fileno()}"}, NAMES)
        os.fstat(silent.fileno())


def test_a_file_is_no_socket(tmp_path: Path) -> None:
    with (tmp_path / "file").open("w") as file, pytest.raises(InvalidInput, match="not a socket"):
        inherited({"APPLIANCE_FDS": f"http={file.fileno()}"}, NAMES)


def test_what_is_handed_down_is_used_instead_of_the_addresses(duplicates: list[int]) -> None:
    one, *rest = duplicates
    addresses = {"http": ("127.0.0.1:0", "127.0.0.1:0"), "https": ("127.0.0.1:0",)}
    found = listen({"APPLIANCE_FDS": f"https={one}"}, addresses)
    assert [(name, sock.fileno()) for name, sock in found] == [("https", one)]
    found[0].sock.close()
    bound = listen({}, addresses)
    assert [name for name, _ in bound] == ["http", "http", "https"]
    assert len({shown(sock) for _, sock in bound}) == 3
    for _, sock in bound:
        sock.close()
    for number in rest:
        close(number)


def test_one_address_that_cannot_be_bound_leaves_none_open() -> None:
    with bind("127.0.0.1:0") as free:
        address = shown(free)
    with bind("127.0.0.1:0") as taken, pytest.raises(OSError, match="cannot listen"):
        listen({}, {"http": (address, shown(taken))})
    bind(address).close()


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("[::1]", marks=has_ipv6), "localhost"])
def test_binding_a_port(host: str) -> None:
    with bind(f"{host}:0") as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        assert sock.getsockname()[1] > 0
        socket.create_connection(sock.getsockname()[:2]).close()


@has_ipv6
def test_ipv6_is_bound_as_ipv6_only() -> None:
    with bind("[::1]:0") as sock:
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
        assert shown(sock) == f"[::1]:{sock.getsockname()[1]}"


def test_binding_a_path_replaces_a_stale_socket() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own may be too deep for a socket's path
        path = Path(folder) / "web.sock"
        for _ in range(2):
            with bind(f"unix:{path}") as sock:
                assert shown(sock) == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o660


def test_binding_a_path_spares_what_is_no_socket(tmp_path: Path) -> None:
    path = tmp_path / "letter"
    path.write_text("dear")
    with pytest.raises(OSError, match=f"cannot listen on unix:{path}"):
        bind(f"unix:{path}")
    assert path.read_text() == "dear"


def test_an_address_in_use_is_named() -> None:
    with bind("127.0.0.1:0") as sock, pytest.raises(OSError, match=rf"cannot listen on {shown(sock)}: Addr"):
        bind(shown(sock))


@pytest.mark.parametrize("address", ["", "25", ":25", "[]:25", "localhost", "a:b", "127.0.0.1:65536", "a:-1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(InvalidInput, match="host:port"):
        bind(address)


def test_a_path_too_long_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"cannot listen on unix:.*too long"):
        bind(f"unix:{tmp_path}/{'x' * 120}")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_client_has_one_address(text: str, plain: str) -> None:
    assert plain_ip(text) == plain


@pytest.mark.parametrize("text", ["", "unix:", "192.0.2.1:25", "mail.example.com"])
def test_what_has_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        plain_ip(text)
