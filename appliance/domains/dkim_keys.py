"""The keys that sign what a domain sends: made, published, put to use, replaced, forgotten.

A domain has an RSA key, which everybody can check, and an Ed25519 key beside it. A first pair signs at once:
a signature whose key is not in DNS yet counts as none. A pair that replaces another stays pending until
its records are in DNS (`activate`); the old one is retired then and its record must stay published while
mail signed with it is still under way (`RETIRED_KEPT`).

    (none) ──ensure──► active ──activate──► retired ──forget_retired──► (gone)
      └─────rotate──► pending ──activate──► active

Private keys are sealed (`sealing`); an opened one is kept in memory.

Source: RFC 6376 3.1 (selectors), 3.6; RFC 8301 3.2 (key sizes); RFC 8463.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Final

from appliance import db, logs, offload, sealing
from appliance.accounts import addresses
from appliance.db.tables import DkimKey, Domain
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.mailauth import signer
from appliance.mailauth.signer import SigningKey

PENDING, ACTIVE, RETIRED = "pending", "active", "retired"
RETIRED_KEPT: Final = timedelta(days=14)  # twice as long as mail is under way, and DNS remembers
OPENED_MAX: Final = 1_000

log = logging.getLogger("appliance.mail")
_NAME_OF: Final = {signer.RSA: "r", signer.ED25519: "e"}


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key as others see it: `record` belongs into DNS as the TXT record of `name`."""

    domain: str
    selector: str
    algorithm: str
    state: str
    record: str
    created_at: datetime
    changed_at: datetime

    @property
    def name(self) -> str:
        """The name of the TXT record."""
        return f"{self.selector}._domainkey.{self.domain}"


def ensure(domain: str, *, now: datetime) -> bool:
    """Give a domain a pair of keys that sign at once, unless it has one; return whether it had none.

    Takes up to a second. Raises NotFound (not our domain).
    """
    with db.connection():
        if listed(domain):
            return False
    return _add(domain, ACTIVE, now)


def rotate(domain: str, *, now: datetime) -> list[PublicKey]:
    """Make the pair that will replace the one in use, and return it to be published; a pending one stays.

    Takes up to a second. Raises NotFound (not our domain).
    """
    with db.connection():
        pending = [key for key in listed(domain) if key.state == PENDING]
    if not pending:
        _add(domain, PENDING, now)
    with db.connection():
        return [key for key in listed(domain) if key.state == PENDING]


@db.transaction
def activate(domain: str, *, now: datetime) -> list[PublicKey]:
    """Sign with the pending pair from now on, and return the pair that is retired.

    Raises NotFound (not our domain), Conflict (nothing is pending).
    """
    rows, domain_id = DkimKey, _domain_id(domain)
    of_domain = rows.domain == domain_id
    if not rows.select().where(of_domain & (rows.state == PENDING)).exists():
        raise Conflict(f"{domain} has no key that waits; make one with: appliance dkim rotate {domain}")
    retired = [key.selector for key in listed(domain) if key.state == ACTIVE]
    rows.update(state=RETIRED, changed_at=now).where(of_domain & (rows.state == ACTIVE)).execute()
    rows.update(state=ACTIVE, changed_at=now).where(of_domain & (rows.state == PENDING)).execute()
    db.after_commit(partial(logs.event, log, "dkim_key_activated", domain=domain))
    return [key for key in listed(domain) if key.selector in retired]


@db.transaction
def forget_retired(now: datetime) -> int:
    """Remove keys that were retired long enough ago and return how many."""
    is_old = (DkimKey.state == RETIRED) & (DkimKey.changed_at <= now - RETIRED_KEPT)
    return int(DkimKey.delete().where(is_old).execute())


def listed(domain: str) -> list[PublicKey]:
    """Return the keys of a domain, oldest first. Needs `db.connection()`. Raises NotFound (not ours)."""
    rows = DkimKey
    found = (
        rows.select(rows.selector, rows.algorithm, rows.state, rows.record, rows.created_at, rows.changed_at)
        .where(rows.domain == _domain_id(domain))
        .order_by(rows.id)
        .tuples()
    )
    return [PublicKey(addresses.normalise_host(domain), *row) for row in found]


def signing_keys(domain: str) -> list[SigningKey]:
    """Return what signs for one of our domains, in A-labels; empty for any other. Needs `db.connection()`.

    Raises Conflict when the keys were sealed on another machine.
    """
    rows = DkimKey
    found = (
        rows.select(rows.selector, rows.sealed_key)
        .join(Domain)
        .where((Domain.name == domain) & (rows.state == ACTIVE))
        .order_by(rows.id)
        .tuples()
    )
    return [_opened(domain, selector, bytes(sealed)) for selector, sealed in found]


@lru_cache(OPENED_MAX)
def _opened(domain: str, selector: str, sealed: bytes) -> SigningKey:
    """Return a key ready for use; the bytes it was sealed into name it for ever, so it can be kept."""
    return SigningKey(domain, selector, signer.load(sealing.unseal(sealed, _context(domain, selector))))


def _add(domain: str, state: str, now: datetime) -> bool:
    """Make a pair and store it unless somebody else was faster; return whether it was stored."""
    with db.connection():
        _domain_id(domain)
    made = [(algorithm, offload.run(signer.generate, algorithm)) for algorithm in signer.ALGORITHMS]
    return _store(addresses.normalise_host(domain), made, state, now)


@db.transaction
def _store(domain: str, made: Sequence[tuple[str, signer.PrivateKey]], state: str, now: datetime) -> bool:
    domain_id = _domain_id(domain)
    known = {key.selector for key in listed(domain)}
    if state in {key.state for key in listed(domain)}:
        return False
    for algorithm, key in made:
        selector = _selector(algorithm, now, known)
        DkimKey.insert(
            domain=domain_id,
            selector=selector,
            algorithm=algorithm,
            sealed_key=sealing.seal(signer.dump(key), _context(domain, selector)),
            record=signer.record(key),
            state=state,
            created_at=now,
            changed_at=now,
        ).execute()
        db.after_commit(
            partial(logs.event, log, "dkim_key_made", domain=domain, selector=selector, state=state)
        )
    return True


def _selector(algorithm: str, now: datetime, taken: set[str]) -> str:
    """Return a name that says kind and month, such as `r202603`, with a number when it is taken."""
    base = f"{_NAME_OF[algorithm]}{now:%Y%m}"
    numbers = ("", *(f"-{number}" for number in range(2, 1_000)))
    return next(base + number for number in numbers if base + number not in taken)


def _domain_id(domain: str) -> int:
    try:
        name = addresses.normalise_host(domain)
    except InvalidInput:
        name = ""
    row = Domain.select(Domain.id).where(Domain.name == name).tuples().first()
    if row is None:
        raise NotFound(f"{domain} is not one of our domains")
    return int(row[0])


def _context(domain: str, selector: str) -> str:
    return f"dkim:{domain}:{selector}"
