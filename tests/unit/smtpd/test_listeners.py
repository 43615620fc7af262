"""Where sockets come from and what counts as one client."""

import os
import socket

import pytest

from appliance.errors import InvalidInput
from smtpd.listeners import address_group, bind, inherited, plain_ip


@pytest.mark.parametrize(
    ("ip", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_one_client(ip: str, group: str) -> None:
    assert address_group(plain_ip(ip)) == group


def test_our_supervisors_descriptors() -> None:
    with bind("127.0.0.1:0") as first, bind("127.0.0.1:0") as second:
        numbers = [os.dup(sock.fileno()) for sock in (first, second)]
        environ = {"APPLIANCE_FDS": f"smtp={numbers[0]},submission={numbers[1]}", "PATH": "x"}
        found = inherited(environ)
        assert environ == {"PATH": "x"}
        assert [sock.getsockname() for sock in found["smtp"]] == [first.getsockname()]
        assert [sock.getsockname() for sock in found["submission"]] == [second.getsockname()]
        for socks in found.values():
            for sock in socks:
                sock.close()


def test_systemds_descriptors_for_another_process_are_left_alone() -> None:
    environ = {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp:smtp", "LISTEN_PID": "1"}
    assert inherited(environ) == {}


@pytest.mark.parametrize("value", ["smtp", "smtp=x", "=3", "smtp=987654"])
def test_what_is_no_socket(value: str) -> None:
    with pytest.raises(InvalidInput):
        inherited({"APPLIANCE_FDS": value})


def test_an_address_in_use_is_named() -> None:
    with bind("127.0.0.1:0") as sock, pytest.raises(OSError, match=r"cannot listen on 127\.0\.0\.1:"):
        bind(f"127.0.0.1:{sock.getsockname()[1]}")


def test_ipv6_is_bound_as_ipv6_only() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        sock = bind("[::1]:0")
    except OSError:
        pytest.skip("no IPv6 loopback here")
    assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    sock.close()
