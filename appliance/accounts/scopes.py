"""What a login is counted under: its account as a phone or from an address, and its network.

Owns the names of scopes, the rule of each, and the keyed digest by which a wrong secret is known again.
Leaves counting and waiting to `throttle`, which says what the scopes are for.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from appliance import files, settings
from appliance.db.tables import Device

DIGEST_BYTES = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """How many failures are free, and the longest wait after that; the first wait is one second."""

    free: int
    wait_max_s: int

    def wait_s(self, failures: int) -> int:
        """Return how long to wait after so many failures."""
        excess = failures - self.free
        return 0 if excess < 0 else min(self.wait_max_s, 2 ** min(excess, 30))


@dataclass(frozen=True, slots=True)
class Rules:
    """The rule of each kind of scope."""

    account: Rule
    stranger: Rule
    network: Rule

    @classmethod
    def of(cls, limits: settings.Throttle) -> Self:
        """Return the rules a configuration asks for."""
        free = (limits.account_free, limits.stranger_free, limits.network_free)
        return cls(*(Rule(count, limits.wait_max_s) for count in free))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One presented credential: what it is counted under, and the keyed digest of the secret.

    by_account: scopes that belong to the account, narrowest first. network and address are "" when
    the client's address is unknown or our own (a proxy that did not say for whom it asks).
    """

    by_account: tuple[tuple[str, Rule], ...]
    network: str
    address: str
    secret: bytes


_rules = Rules.of(settings.Throttle())
_key = secrets.token_bytes(32)


def configure(data_dir: Path, limits: settings.Throttle) -> None:
    """Set the rules, and use the data directory's key so that all processes know a wrong secret again.

    The key is kept out of the database: wrong passwords are often nearly right ones.
    """
    global _key, _rules  # one data directory and configuration per process
    _rules = Rules.of(limits)
    directory = files.private_directory(data_dir / "keys")
    _key = files.create_once(directory / "throttle.key", secrets.token_bytes(32))


def rules() -> Rules:
    """Return the rules in force in this process."""
    return _rules


def attempt(account_id: int | None, name: str, password: str, device_id: str, remote_ip: str) -> Attempt:
    """Return what an attempt is counted under. name: as presented, for an account that does not exist.

    Needs a connection.
    """
    owner = f"account:{account_id}" if account_id is not None else f"name:{_digest('name', name).hex()}"
    network, address = _places(remote_ip)
    by_account: tuple[tuple[str, Rule], ...]
    if device_id:
        by_account = ((f"{owner}:device:{_short(device_id)}", _rules.account),)
        if not _is_known(account_id, device_id):
            by_account += ((f"{owner}:stranger:{address}", _rules.stranger),)
    else:
        by_account = ((f"{owner}:ip:{address}", _rules.account),)
    return Attempt(by_account, network, address, _digest("secret", owner, password))


def _is_known(account_id: int | None, device_id: str) -> bool:
    query = Device.select().where((Device.account == (account_id or 0)) & (Device.device_id == device_id))
    return bool(query.exists())


def _places(remote_ip: str) -> tuple[str, str]:
    """Return the network scope and the address to remember; IPv6 clients change address within their /64."""
    try:
        ip = ipaddress.ip_address(remote_ip.partition("%")[0])
    except ValueError:
        return "", ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return "", ""
    network = str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))
    return f"net:{network}", str(ip) if ip.version == 4 else network


def _short(device_id: str) -> str:
    is_plain = re.fullmatch(r"[\w-]{1,64}", device_id, re.ASCII)
    return device_id if is_plain else _digest("device", device_id).hex()


def _digest(*parts: str) -> bytes:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hmac.digest(_key, text, hashlib.sha256)[:DIGEST_BYTES]
