"""Every setting of the configuration file: its default, unit, sentence and rule, section by section.

Declares only; `config.py` reads the file and checks values against the rules written here. A new setting
is one line in its section (and `python -m appliance.config` for the reference page).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Final

DEFAULT_DATA: Final = Path("/var/lib/appliance")
MIB: Final = 1024 * 1024


def setting[T](
    default: T,
    sentence: str,
    *,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    form: str = "",
    secret: bool = False,
    may_be_empty: bool = False,
) -> T:
    """Declare one setting: low and high are inclusive, `form` names a rule in FORMS, secrets are masked.

    may_be_empty: a list without values means something.
    """
    about: dict[str, Any] = {"sentence": sentence, "unit": unit, "low": low, "high": high}
    about |= {"choices": choices, "form": form, "secret": secret, "may_be_empty": may_be_empty}
    return field(default=default, metadata=about)


_DOMAIN: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z0-9-]{2,63}")


def _is_listener(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    return bool(colon and host and port.isdecimal() and int(port) <= 65535) or text.startswith("unix:/")


def _is(check: Callable[[str], object], text: str) -> bool:
    try:
        check(text)
    except ValueError:
        return False
    return True


def _is_url(text: str, *schemes: str) -> bool:
    return any(text.startswith(f"{scheme}://") and len(text) > len(scheme) + 3 for scheme in schemes)


FORMS: Final[Mapping[str, tuple[str, Callable[[str], bool]]]] = {
    "database": ("sqlite or postgresql://…", lambda text: text == "sqlite" or _is_url(text, "postgresql")),
    "bus": (
        "unix, local, redis://… or rediss://…",
        lambda text: text in ("unix", "local") or _is_url(text, "redis", "rediss"),
    ),
    "blobs": ("file or s3://…", lambda text: text == "file" or _is_url(text, "s3")),
    "http": ("empty or http://… or https://…", lambda text: not text or _is_url(text, "http", "https")),
    "broker": ("empty or redis://…, rediss://…", lambda text: not text or _is_url(text, "redis", "rediss")),
    "address": ("empty or an IP address", lambda text: not text or _is(ip_address, text)),
    "network": ("IP addresses or networks (CIDR)", lambda text: _is(ip_network, text)),
    "listener": ("host:port, [v6]:port or unix:/path", _is_listener),
    "domain": ("domain names", lambda text: bool(_DOMAIN.fullmatch(text))),
}


@dataclass(frozen=True, slots=True)
class Database:
    """Where accounts, mailboxes, state and queue live."""

    url: str = setting(
        "sqlite", "SQLite in the data directory, or a PostgreSQL URL.", form="database", secret=True
    )
    pool_connections_max: int = setting(20, "PostgreSQL connections per process.", low=1, high=1000)
    connect_timeout_s: int = setting(3, "Time to reach PostgreSQL.", unit="s", low=1, high=60)


@dataclass(frozen=True, slots=True)
class BusSettings:
    """How processes tell each other to look again."""

    url: str = setting(
        "unix",
        "Unix datagrams on one machine, Redis between machines, local within one process.",
        form="bus",
        secret=True,
    )


@dataclass(frozen=True, slots=True)
class Blobs:
    """Where large raw messages and attachments live."""

    url: str = setting(
        "file", "Files in the data directory; no other place is available yet.", form="blobs", secret=True
    )


@dataclass(frozen=True, slots=True)
class Queue:
    """Who works off the outgoing queue."""

    runner: str = setting(
        "builtin", "The SMTP role itself; no other runner is available yet.", choices=("builtin", "celery")
    )
    broker_url: str = setting("", "Broker for another runner; must be empty.", form="broker", secret=True)
    concurrency: int = setting(20, "Deliveries attempted at the same time by one process.", low=1, high=500)
    lease_s: int = setting(
        900,
        "A claimed entry is free again after this; an attempt ends well before.",
        unit="s",
        low=900,
        high=3600,
    )
    poll_interval_s: int = setting(
        30, "Looks for due entries at least this often.", unit="s", low=1, high=3600
    )

    @property
    def attempt_s(self) -> int:
        """What one attempt may take; the rest of the lease is for its wait to begin and for its record."""
        return self.lease_s - 120


@dataclass(frozen=True, slots=True)
class Filter:
    """Whether mail is what it says it is, and whether anybody wants it."""

    dmarc: str = setting(
        "enforce",
        "What a domain asks to be done with mail that is not its own: done, or only written down.",
        choices=("enforce", "report"),
    )
    arc_sealers: tuple[str, ...] = setting(
        (),
        "Domains of mailing lists and forwarders whose word (ARC) saves mail that fails DMARC.",
        form="domain",
        may_be_empty=True,
    )
    junk_score: float = setting(
        5.0, "Mail with this score or more goes into Junk Email; 0 means never.", low=0, high=100
    )
    blocklists: tuple[str, ...] = setting(
        (),
        "DNS block lists asked about every client, such as zen.example.org.",
        form="domain",
        may_be_empty=True,
    )
    blocklists_to_refuse: int = setting(
        2, "Block lists that must agree before a client is refused; 0 means never.", low=0, high=10
    )
    rspamd: str = setting("", "URL of an Rspamd worker; empty means no filter.", form="http")
    timeout_s: int = setting(10, "Mail is accepted unfiltered after this.", unit="s", low=1, high=60)
    rspamd_controller: str = setting(
        "", "URL of its controller, which learns from moves into and out of Junk Email.", form="http"
    )
    rspamd_password: str = setting("", "The controller's password, if it wants one.", secret=True)


@dataclass(frozen=True, slots=True)
class Dns:
    """Look-ups for delivery, sender checks and the DNS advice."""

    resolver: str = setting("", "Address of the resolver; empty means the system's.", form="address")
    port: int = setting(53, "Port of the resolver.", low=1, high=65_535)
    timeout_s: float = setting(5.0, "Time for one look-up with its retries.", unit="s", low=0.1, high=60)


@dataclass(frozen=True, slots=True)
class Web:
    """The HTTP role: phones, webmail, administration."""

    listen: tuple[str, ...] = setting(
        ("127.0.0.1:8080",), "Plain HTTP listeners for the reverse proxy.", form="listener"
    )
    workers: int = setting(1, "Worker processes; one holds 10,000 phones.", low=1, high=64)
    worker_connections: int = setting(
        20_000, "Connections one worker holds, waiting phones included.", low=100, high=200_000
    )
    trusted_proxies: tuple[str, ...] = setting(
        ("127.0.0.1", "::1"), "Peers whose X-Forwarded-For and -Proto are believed.", form="network"
    )
    heartbeat_min_s: int = setting(60, "Shortest wait a phone may ask for.", unit="s", low=1, high=3540)
    heartbeat_max_s: int = setting(3540, "Longest wait a phone may ask for.", unit="s", low=60, high=3540)
    recheck_interval_s: int = setting(
        60, "A waiting request looks into the database at least this often.", unit="s", low=5, high=3600
    )
    request_bytes_max: int = setting(
        52_428_800, "Largest request body; a message is sent in one.", unit="bytes", low=MIB, high=512 * MIB
    )
    drain_s: int = setting(
        10, "Time over which held requests are answered at a stop.", unit="s", low=0, high=300
    )


@dataclass(frozen=True, slots=True)
class Eas:
    """ActiveSync."""

    versions: tuple[str, ...] = setting(
        ("12.1", "14.0", "14.1", "16.0", "16.1"),
        "Protocol versions offered; phones take the newest they know.",
        choices=("12.1", "14.0", "14.1", "16.0", "16.1"),
    )
    window_size_max: int = setting(512, "Changes in one Sync answer.", low=1, high=512)
    response_bytes_max: int = setting(
        4 * MIB, "An answer is cut off (MoreAvailable) after this.", unit="bytes", low=65_536, high=64 * MIB
    )
    folders_per_ping_max: int = setting(300, "Folders one Ping may watch.", low=1, high=10_000)
    policy_required: bool = setting(
        False, "Refuse phones that have not accepted the device policy (Status 142, 144)."
    )
    collections_per_sync_max: int = setting(300, "Collections in one Sync.", low=1, high=10_000)
    requests_per_minute_max: int = setting(
        600, "Requests of one phone in a minute before 503; 0 means no limit.", low=0, high=100_000
    )


@dataclass(frozen=True, slots=True)
class Reception:
    """Port 25: mail from other servers."""

    listen: tuple[str, ...] = setting(
        ("0.0.0.0:25", "[::]:25"), "Listeners for incoming mail.", form="listener"
    )
    size_bytes_max: int = setting(
        36_700_160,
        "Largest message accepted, announced in EHLO SIZE.",
        unit="bytes",
        low=65_536,
        high=512 * MIB,
    )
    recipients_max: int = setting(1000, "Recipients of one message.", low=100, high=100_000)
    connections_max: int = setting(500, "Simultaneous connections in all.", low=1, high=100_000)
    connections_per_address_max: int = setting(
        50, "Simultaneous connections from one IP address.", low=1, high=100_000
    )
    command_timeout_s: int = setting(
        300, "Idle time before 421 (RFC 5321 4.5.3.2.7).", unit="s", low=10, high=3600
    )
    data_timeout_s: int = setting(
        180, "Idle time inside DATA (RFC 5321 4.5.3.2.5).", unit="s", low=10, high=3600
    )
    errors_max: int = setting(20, "Refused commands before the connection is closed.", low=1, high=1000)
    messages_per_connection_max: int = setting(1000, "Messages before 421.", low=1, high=1_000_000)
    connections_per_network_max: int = setting(
        100, "Simultaneous connections from one network (/24, /64).", low=1, high=100_000
    )
    connections_per_minute_max: int = setting(
        120, "New connections from one network in a minute before 421.", low=1, high=1_000_000
    )
    messages_per_minute_max: int = setting(
        300, "Messages from one network in a minute before 451.", low=1, high=1_000_000
    )
    recipients_per_minute_max: int = setting(
        3000, "Recipients named by one network in a minute before 451.", low=1, high=1_000_000
    )
    unknown_recipients_per_hour_max: int = setting(
        100, "Addresses nobody has, named by one network in an hour, before 421.", low=1, high=1_000_000
    )
    unchecked_networks: tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1/128"),
        "Clients that are neither checked nor limited by rate, such as your mail gateway; never relaying.",
        form="network",
        may_be_empty=True,
    )
    greylist: bool = setting(False, "Make strangers come back once before their first mail is taken.")
    greylist_delay_s: int = setting(
        300, "Time after which a stranger's second attempt counts.", unit="s", low=1, high=86_400
    )


@dataclass(frozen=True, slots=True)
class Submission:
    """Ports 587 and 465: mail from our own users' programs."""

    listen: tuple[str, ...] = setting(("0.0.0.0:587", "[::]:587"), "STARTTLS listeners.", form="listener")
    listen_tls: tuple[str, ...] = setting(
        ("0.0.0.0:465", "[::]:465"), "Implicit TLS listeners.", form="listener"
    )
    size_bytes_max: int = setting(
        36_700_160,
        "Largest message accepted, announced in EHLO SIZE.",
        unit="bytes",
        low=65_536,
        high=512 * MIB,
    )
    recipients_max: int = setting(1000, "Recipients of one message.", low=100, high=100_000)
    connections_max: int = setting(500, "Simultaneous connections in all.", low=1, high=100_000)
    connections_per_address_max: int = setting(
        50, "Simultaneous connections from one IP address.", low=1, high=100_000
    )
    command_timeout_s: int = setting(
        300, "Idle time before 421 (RFC 5321 4.5.3.2.7).", unit="s", low=10, high=3600
    )
    data_timeout_s: int = setting(
        180, "Idle time inside DATA (RFC 5321 4.5.3.2.5).", unit="s", low=10, high=3600
    )
    errors_max: int = setting(10, "Refused commands before the connection is closed.", low=1, high=1000)


@dataclass(frozen=True, slots=True)
class Sending:
    """What one account may send by any way; more is refused for now (450). 0 means no limit."""

    messages_per_hour_max: int = setting(300, "Messages in an hour.", low=0, high=1_000_000)
    recipients_per_hour_max: int = setting(2000, "Recipients in an hour.", low=0, high=10_000_000)
    recipients_per_day_max: int = setting(5000, "Recipients in a day.", low=0, high=10_000_000)
    first_contacts_per_hour_max: int = setting(
        150,
        "Outside recipients in an hour to whom the account has never written; administrators are told.",
        low=0,
        high=1_000_000,
    )


@dataclass(frozen=True, slots=True)
class Relay:
    """Delivery to other servers."""

    enabled: bool = setting(True, "Off: outgoing mail stays in the queue.")
    port: int = setting(25, "Port of the receiving servers; another one is for tests.", low=1, high=65_535)
    connect_timeout_s: int = setting(30, "Time to connect to one address.", unit="s", low=1, high=600)
    command_timeout_s: int = setting(
        300,
        "Time for one answer (RFC 5321 4.5.3.2); `[queue] lease_s` is at least 120 s longer.",
        unit="s",
        low=1,
        high=3480,
    )
    data_timeout_s: int = setting(
        600,
        "Time for the answer to the final dot (RFC 5321 4.5.3.2.6); `[queue] lease_s` as before.",
        unit="s",
        low=1,
        high=3480,
    )
    retry_after_s: tuple[int, ...] = setting(
        (60, 300, 900, 1800, 3600, 7200),
        "Waits between attempts, spread by 20 % either way; the last one repeats.",
        unit="s",
        low=1,
        high=86_400,
    )
    lifetime_s: int = setting(
        432_000, "Age at which the sender is told that it failed.", unit="s", low=60, high=2_592_000
    )
    delay_notice_s: int = setting(
        14_400,
        "Age at which the sender is told that it waits; 0 means never.",
        unit="s",
        low=0,
        high=2_592_000,
    )
    connections_max: int = setting(50, "Simultaneous connections in all.", low=1, high=10_000)
    connections_per_destination_max: int = setting(
        5, "Simultaneous connections to one server.", low=1, high=100
    )
    messages_per_connection_max: int = setting(100, "Messages before a new connection.", low=1, high=10_000)


@dataclass(frozen=True, slots=True)
class Logs:
    """What is written, and how."""

    format: str = setting("kv", "key=value or JSON lines.", choices=("kv", "json"))
    level: str = setting(
        "info", "Least important events written.", choices=("debug", "info", "warning", "error")
    )
    stderr: bool = setting(False, "Write to standard error (the journal) as well.")


@dataclass(frozen=True, slots=True)
class Passwords:
    """How passwords are hashed (Argon2id) and how long a good answer is remembered."""

    memory_kib: int = setting(19_456, "Argon2 memory.", unit="KiB", low=8192, high=1_048_576)
    passes: int = setting(2, "Argon2 passes.", low=1, high=20)
    lanes: int = setting(1, "Argon2 lanes.", low=1, high=16)
    cache_ttl_s: int = setting(
        600, "A verified password is not hashed again for this long.", unit="s", low=0, high=3600
    )


@dataclass(frozen=True, slots=True)
class Throttle:
    """Failed sign-ins: how many are free in a scope, and the longest wait after that."""

    account_free: int = setting(
        5, "Wrong passwords for an account from one phone or address.", low=1, high=10_000
    )
    stranger_free: int = setting(
        20, "Wrong passwords for an account from one address by phones it has never seen.", low=1, high=10_000
    )
    network_free: int = setting(
        100, "Wrong passwords from one /24 (IPv4) or /64 (IPv6).", low=1, high=100_000
    )
    wait_max_s: int = setting(
        900, "The wait doubles from one second up to this.", unit="s", low=1, high=86_400
    )


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings of one account; an administrator may give single accounts another quota."""

    quota_bytes: int = setting(
        10_737_418_240,
        "Storage of an account without a value of its own; 0 means unlimited.",
        unit="bytes",
        low=0,
        high=2**60,
    )
    folders_max: int = setting(
        1000, "Folders of an account, those it begins with included.", low=20, high=100_000
    )
    devices_max: int = setting(20, "Phones of an account.", low=1, high=1000)


@dataclass(frozen=True, slots=True)
class Metrics:
    """The page for Prometheus."""

    token: str = setting(
        "", "Bearer token for /metrics from other machines; empty means loopback only.", secret=True
    )


@dataclass(frozen=True, slots=True)
class Config:
    """Everything a process needs to start; tests make variants with dataclasses.replace."""

    database: Database = Database()
    bus: BusSettings = BusSettings()
    blobs: Blobs = Blobs()
    queue: Queue = Queue()
    filter: Filter = Filter()
    dns: Dns = Dns()
    web: Web = Web()
    eas: Eas = Eas()
    reception: Reception = Reception()
    submission: Submission = Submission()
    sending: Sending = Sending()
    relay: Relay = Relay()
    logs: Logs = Logs()
    passwords: Passwords = Passwords()
    throttle: Throttle = Throttle()
    limits: Limits = Limits()
    metrics: Metrics = Metrics()
    data_dir: Path = DEFAULT_DATA
    file: Path | None = None

    @property
    def database_file(self) -> Path:
        """The SQLite database."""
        return self.data_dir / "appliance.db"

    @property
    def blobs_dir(self) -> Path:
        """Large raw messages and attachments, when [blobs] url is "file"."""
        return self.data_dir / "blobs"

    @property
    def keys_dir(self) -> Path:
        """Secrets of the instance, mode 0700."""
        return self.data_dir / "keys"

    @property
    def tls_dir(self) -> Path:
        """Certificates and their keys."""
        return self.data_dir / "tls"

    @property
    def logs_dir(self) -> Path:
        """Log files."""
        return self.data_dir / "logs"

    @property
    def run_dir(self) -> Path:
        """What only means something while the appliance runs: sockets, ports.json, shared counters."""
        return self.data_dir / "run"

    @property
    def metrics_dir(self) -> Path:
        """Counters shared by the processes."""
        return self.run_dir / "metrics"
