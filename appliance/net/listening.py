"""Where listening sockets come from: handed down by whoever started us, else bound here.

Owns both ways of handing sockets down, the spelling of addresses (`host:port`, `[v6]:port`, `unix:/path`)
and the plain form of a client's. Leaves accepting, and whom to accept, to the edges.

A socket that is handed down stays open while a process is replaced, so that clients wait instead of being
refused. `APPLIANCE_FDS="http=5,https=6"` is our supervisor's form, `LISTEN_FDS` with `LISTEN_FDNAMES`
systemd's; both name descriptors by what is to be spoken on them. Source: sd_listen_fds(3).
"""

import os
import socket
from collections.abc import Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final, NamedTuple

from appliance.errors import InvalidInput

FDS_VARIABLE: Final = "APPLIANCE_FDS"
SYSTEMD_FIRST_FD: Final = 3
BACKLOG: Final = 4096
"""The kernel's ceiling is net.core.somaxconn, 4096 as well unless somebody has changed it."""
UNIX: Final = "unix:"
UNIX_MODE: Final = 0o660
PORT_MAX: Final = 65_535


class Listening(NamedTuple):
    """A listening socket and what is spoken on it, by one of the role's names."""

    name: str
    sock: socket.socket


def listen(environ: MutableMapping[str, str], addresses: Mapping[str, Iterable[str]]) -> list[Listening]:
    """Return the sockets of a role: those handed down, else one bound for each address, in order.

    addresses: by the name of what is spoken; these names are all that the role serves. Raises InvalidInput
    and OSError as `inherited` and `bind` do, with nothing left open that was bound here.
    """
    if found := inherited(environ, addresses):
        return found
    with ExitStack() as opened:
        bound = [
            Listening(name, opened.enter_context(bind(address)))
            for name, wanted in addresses.items()
            for address in wanted
        ]
        opened.pop_all()
    return bound


def inherited(environ: MutableMapping[str, str], served: Collection[str]) -> list[Listening]:
    """Return the sockets handed down, in order; their variables are taken out of the environment.

    served: the names this role knows. Raises InvalidInput for another name, or a descriptor that is no
    listening socket.
    """
    return [_taken(name, number, served) for name, number in _descriptors(environ)]


def handed_down(sockets: Mapping[str, socket.socket]) -> str:
    """Return the value of APPLIANCE_FDS for a child that inherits these sockets under their numbers."""
    return ",".join(f"{name}={sock.fileno()}" for name, sock in sockets.items())


def _descriptors(environ: MutableMapping[str, str]) -> Iterator[tuple[str, str]]:
    ours = environ.pop(FDS_VARIABLE, "")
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    is_for_us = environ.pop("LISTEN_PID", "") == str(os.getpid())
    if ours:
        pairs = (entry.partition("=") for entry in ours.split(","))
        return ((name, number) for name, _, number in pairs)
    if not (count and is_for_us):
        return iter(())
    if str(len(names)) != count:
        raise InvalidInput(f"{count} sockets were handed down, but the names of {len(names)}")
    return ((name, str(number)) for number, name in enumerate(names, SYSTEMD_FIRST_FD))


def _taken(name: str, number: str, served: Collection[str]) -> Listening:
    if name not in served or not number.isdecimal():
        raise InvalidInput(f"not a listening socket of this role: {name}={number}")
    try:
        sock = socket.socket(fileno=int(number))
    except (OSError, OverflowError) as error:
        raise InvalidInput(f"not a socket: {name}={number}") from error
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.detach()  # whose ever it is, it is not ours to close
        raise InvalidInput(f"a socket that does not listen: {name}={number}")
    return Listening(name, sock)


def bind(address: str) -> socket.socket:
    """Return a socket that listens on `host:port`, `[v6]:port` or `unix:/path`; port 0 takes a free one.

    An IPv6 address takes IPv6 clients only. The socket a Unix path was left with by a process before us is
    replaced, any other file is in the way. Raises InvalidInput for what is no such address, OSError with
    the address in its message.
    """
    family, where = _parsed(address)
    with ExitStack() as opened:
        try:
            sock = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
            if isinstance(where, Path):
                _bind_path(sock, where)
            else:
                _bind_port(sock, where)
            sock.listen(BACKLOG)
        except OSError as error:
            reason = error.strerror or error
            raise OSError(error.errno, f"cannot listen on {address}: {reason}") from error
        opened.pop_all()
    return sock


def _parsed(address: str) -> tuple[socket.AddressFamily, Path | tuple[str, int]]:
    if address.startswith(UNIX):
        return socket.AF_UNIX, Path(address.removeprefix(UNIX))
    host, _, number = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not number.isdecimal() or int(number) > PORT_MAX:
        raise InvalidInput(f"{address} is not host:port, [v6]:port or unix:/path")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), (host, int(number))


def _bind_port(sock: socket.socket, where: tuple[str, int]) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.bind(where)


def _bind_path(sock: socket.socket, path: Path) -> None:
    if path.is_socket():
        path.unlink(missing_ok=True)
    sock.bind(str(path))
    path.chmod(UNIX_MODE)  # nobody gets in before `listen`


def shown(sock: socket.socket) -> str:
    """Return where a socket listens, spelled as `bind` takes it."""
    where = sock.getsockname()
    if isinstance(where, str):
        return f"{UNIX}{where}"
    host, port = where[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def plain_ip(text: str) -> str:
    """Return an IP address without its scope, an IPv4 address inside IPv6 as IPv4.

    One client has one address this way, whatever socket it came through: an inherited one may take both
    families. Raises ValueError for what is no address; a client that comes through a Unix socket has none.
    """
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)
