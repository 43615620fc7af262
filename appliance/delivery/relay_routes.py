"""Which server takes mail for a domain instead of those DNS names: routes, and the smarthost for the rest.

Owns the rows `RelayRoute`. Passwords are sealed (`appliance.sealing`), bound to their domain. Domains of ours
have no route: mail for them never leaves. How a server is talked to is the relay's.
"""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from appliance import db, logs, sealing
from appliance.accounts import accounts, addresses
from appliance.db.tables import RelayRoute as Row
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.next_hop import HopTls, NextHop
from appliance.store.statement import Statement

EVERYWHERE: Final = "*"
"""The domain of the smarthost's route: whatever has none of its own."""
USERNAME_CHARS_MAX: Final = 320
SECRET_CHARS_MAX: Final = 1024

# Asked for every attempt to deliver, so written out.
_FIND = Statement(
    "SELECT domain, host, port, tls, username, secret FROM relay_route WHERE domain = ? OR domain = ?"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """The server for a domain, or for EVERYWHERE; without the secret unless it was asked for."""

    domain: str
    hop: NextHop
    changed_at: datetime


def find(domain: str) -> NextHop | None:
    """Return the server that takes mail for a domain (A-labels), with its password; None for DNS's.

    Needs `db.connection()`. Raises Conflict when the password cannot be unsealed.
    """
    rows = {row[0]: row for row in _FIND.rows(domain, EVERYWHERE)}
    row = rows.get(domain) or rows.get(EVERYWHERE)
    if row is None:
        return None
    hop = NextHop(row[1], row[2], HopTls(row[3]), row[4])
    if not hop.username:
        return hop
    return replace(hop, secret=sealing.unseal(bytes(row[5]), _context(row[0])).decode())


def list_routes() -> list[Route]:
    """Return every route by domain, the smarthost first, without passwords. Needs `db.connection()`."""
    columns = (Row.domain, Row.host, Row.port, Row.tls, Row.username, Row.changed_at)
    return [
        Route(row[0], NextHop(row[1], row[2], HopTls(row[3]), row[4]), row[5])
        for row in Row.select(*columns).order_by(Row.domain).tuples()
    ]


def put(domain: str, hop: NextHop, now: datetime) -> str:
    """Send mail for a domain, or EVERYWHERE, to a server from now on; return the domain's normal form.

    Raises InvalidInput (domain, host, a password that would travel in the clear), Conflict (our domain).
    """
    name = EVERYWHERE if domain == EVERYWHERE else addresses.normalise_domain(domain)
    _check(hop)
    secret = sealing.seal(hop.secret.encode(), _context(name)) if hop.username else b""
    _put(name, hop, secret, now)
    return name


@db.transaction
def _put(name: str, hop: NextHop, secret: bytes, now: datetime) -> None:
    if name != EVERYWHERE and accounts.is_local_domain(name):
        raise Conflict(f"{name} is our own domain; its mail stays here")
    Row.insert(
        domain=name,
        host=hop.host,
        port=hop.port,
        tls=hop.tls,
        username=hop.username,
        secret=secret,
        changed_at=now,
    ).on_conflict(
        conflict_target=[Row.domain],
        preserve=[Row.host, Row.port, Row.tls, Row.username, Row.secret, Row.changed_at],
    ).execute()
    db.after_commit(logs.event, _log, "route_set", domain=name, hop=str(hop), login=bool(hop.username))


@db.transaction
def remove(domain: str) -> None:
    """Let DNS name the servers for a domain again. Raises NotFound, InvalidInput."""
    name = EVERYWHERE if domain == EVERYWHERE else addresses.normalise_domain(domain)
    if not Row.delete().where(Row.domain == name).execute():
        raise NotFound(f"there is no route for {domain}")
    db.after_commit(logs.event, _log, "route_removed", domain=name)


def _check(hop: NextHop) -> None:
    if not hop.host or len(hop.host) > addresses.DOMAIN_OCTETS_MAX or not hop.host.isascii():
        raise InvalidInput("a server is named by a host name or an IP address")
    if bool(hop.username) != bool(hop.secret):
        raise InvalidInput("a login is a user name and a password")
    if len(hop.username) > USERNAME_CHARS_MAX or not hop.username.isprintable():
        raise InvalidInput("the user name is too long, or has characters that cannot be seen")
    if len(hop.secret) > SECRET_CHARS_MAX or "\0" in hop.secret:
        raise InvalidInput("the password is too long, or has a NUL in it")
    if hop.username and hop.tls is HopTls.OPPORTUNISTIC:
        raise InvalidInput("a password needs TLS: write host:port/starttls or host:port/implicit")


def _context(domain: str) -> str:
    return f"route:{domain}"
