"""One kind of listening port as values: what it offers, how long it waits, how much it takes."""

from dataclasses import dataclass, field

from appliance.smtp.session_config import SessionConfig


@dataclass(frozen=True)
class Deadlines:
    """Every wait of a server session. Source: RFC 5321 4.5.3.2 Timeouts."""

    command_s: float = 300.0  # 4.5.3.2.7 Server Timeout; for a whole command, however it trickles in
    data_s: float = 180.0  # 4.5.3.2.5 Data Block; between two pieces of a message
    message_s: float = 3_600.0  # from 354 to the final dot
    write_s: float = 60.0  # for the client to take our replies
    handshake_s: float = 30.0
    rate_bytes_per_s_min: float = 128.0  # of a message, after the grace
    rate_grace_s: float = 120.0


@dataclass(frozen=True)
class Port:
    """A listening port; `name` is reception, submission or submissions and labels logs and metrics."""

    name: str
    session: SessionConfig
    is_implicit_tls: bool = False
    deadlines: Deadlines = field(default_factory=Deadlines)
    connections_max: int = 500
    connections_per_address_max: int = 50  # per /64 for IPv6
    connections_per_network_max: int = 100_000  # per /24, /64; strangers only
    messages_max: int = 1_000  # on one connection, then 421
