"""Where mail goes when it does not go to the servers that DNS names: a smarthost, or one server.

A pure value; its text form has no credentials and is what an operator writes and the queue keeps.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum

SMTP_PORT = 25

_TEXT = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+))(?::(?P<port>[0-9]{1,5}))?(?:/(?P<tls>[a-z]+))?"
)


class HopTls(StrEnum):
    """How the connection is protected."""

    OPPORTUNISTIC = "opportunistic"  # STARTTLS when offered, whoever it is; plain when that fails
    STARTTLS = "starttls"  # required, the certificate is verified
    IMPLICIT = "implicit"  # TLS from the first byte, the certificate is verified (RFC 8314 3)


@dataclass(frozen=True, slots=True)
class NextHop:
    """A server that takes mail for others; `username` "" means that it asks for no login.

    host: a name (its addresses are tried, no MX records are looked up) or an IP address. Credentials
    are never sent over a connection that is not TLS with a verified certificate.
    """

    host: str
    port: int = SMTP_PORT
    tls: HopTls = HopTls.OPPORTUNISTIC
    username: str = ""
    secret: str = field(default="", repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + (f"/{self.tls}" if self.tls is not HopTls.OPPORTUNISTIC else "")


def parse_next_hop(text: str) -> NextHop:
    """Return the server `host[:port][/starttls|/implicit]` names. Raises ValueError.

    An IPv6 address stands in brackets.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError("must be host[:port], with /starttls or /implicit behind it when TLS is required")
    port = int(match["port"] or SMTP_PORT)
    if not 0 < port < 65_536:
        raise ValueError(f"{port} is no port")
    try:
        tls = HopTls(match["tls"] or HopTls.OPPORTUNISTIC)
    except ValueError:
        raise ValueError(f"/{match['tls']}: must be /starttls or /implicit") from None
    return NextHop(match["v6"] or match["host"].lower(), port, tls)
