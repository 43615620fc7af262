"""Where the listening sockets come from: handed down by a supervisor or systemd, else bound here.

Handed-down sockets stay open while this process is replaced, so that nobody is refused meanwhile.
`APPLIANCE_FDS="http=5,https=6"` is our supervisor's way, `LISTEN_FDS` with `LISTEN_FDNAMES` systemd's;
both name descriptors by what is to be spoken on them. Source: sd_listen_fds(3).
"""

import os
import socket
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final, NamedTuple

from appliance.errors import InvalidInput

FDS_VARIABLE: Final = "APPLIANCE_FDS"
SYSTEMD_FIRST_FD: Final = 3
BACKLOG: Final = 4096
NAMES: Final = ("http", "https")


class Inherited(NamedTuple):
    """One descriptor and what is spoken on it: a name in NAMES."""

    name: str
    fd: int


def inherited(environ: MutableMapping[str, str]) -> list[Inherited]:
    """Return the sockets handed down, in order; their variables are taken out of the environment.

    Raises InvalidInput for a name this role does not serve or a number that is none.
    """
    ours = environ.pop(FDS_VARIABLE, "")
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "")
    is_for_us = environ.pop("LISTEN_PID", "") == str(os.getpid())
    if ours:
        return [_checked(*entry.partition("=")[::2]) for entry in ours.split(",")]
    if count and is_for_us:
        fds = range(SYSTEMD_FIRST_FD, SYSTEMD_FIRST_FD + int(count))
        return [_checked(name, str(fd)) for name, fd in zip(names.split(":"), fds, strict=True)]
    return []


def _checked(name: str, number: str) -> Inherited:
    if name not in NAMES or not number.isdecimal():
        raise InvalidInput(f"not a listening socket of this role: {name}={number}")
    return Inherited(name, int(number))


def bind(address: str) -> int:
    """Return the descriptor of a socket that listens on `host:port`, `[v6]:port` or `unix:/path`.

    Raises OSError, with the address in its message.
    """
    try:
        return _unix(Path(address.removeprefix("unix:"))) if address.startswith("unix:") else _tcp(address)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {address}: {error.strerror}") from error


def _tcp(address: str) -> int:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, int(port)))
        sock.listen(BACKLOG)
        return sock.detach()


def _unix(path: Path) -> int:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        path.unlink(missing_ok=True)
        sock.bind(str(path))
        path.chmod(0o660)
        sock.listen(BACKLOG)
        return sock.detach()
