"""Whether a listener really answers: the port accepts, TLS works, the protocol's first words come.

Used by `appliance run` before it says that it is ready. Whatever is wrong shows as "not yet".
"""

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Final

PATIENCE_S: Final = 5.0
PAUSE_S: Final = 0.05

Address = tuple[str, int]


def wait_for_all(addresses: Mapping[str, Address]) -> None:
    """Return when every listener has answered; names are those of `run/ports.json`."""
    for name, address in addresses.items():
        while not answers(name, address):
            time.sleep(PAUSE_S)


def answers(name: str, address: Address) -> bool:
    """Return whether the listener of this name says what it should."""
    try:
        return PROBES[name](_reachable(address))
    except (OSError, http.client.HTTPException):
        return False


def _reachable(address: Address) -> Address:
    """Return how to reach a socket that is bound to any address."""
    host, port = address
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def _http(address: Address) -> bool:
    return _healthy(http.client.HTTPConnection(*address, timeout=PATIENCE_S))


def _https(address: Address) -> bool:
    return _healthy(http.client.HTTPSConnection(*address, timeout=PATIENCE_S, context=_any_certificate()))


def _healthy(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/healthz", headers={"Connection": "close"})
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()


def _smtp(address: Address) -> bool:
    with socket.create_connection(address, PATIENCE_S) as sock:
        return _greets(sock)


def _smtps(address: Address) -> bool:
    with (
        socket.create_connection(address, PATIENCE_S) as plain,
        _any_certificate().wrap_socket(plain) as sock,
    ):
        return _greets(sock)


def _greets(sock: socket.socket) -> bool:
    greeting = sock.recv(200)
    sock.sendall(b"QUIT\r\n")
    return greeting.startswith(b"220")


def _any_certificate() -> ssl.SSLContext:
    """The question is whether TLS works here, not whose certificate it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


PROBES: Final[Mapping[str, Callable[[Address], bool]]] = {
    "https": _https,
    "http": _http,
    "smtp": _smtp,
    "submission": _smtp,
    "submissions": _smtps,
}
