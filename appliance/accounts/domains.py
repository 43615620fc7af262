"""Domains beyond their name: other names for one, who gets what nobody has, and their end.

Owns the columns `alias_of` and `catch_all` of `Domain`. An alias domain has no addresses of its own: mail
for `anna@alias` is mail for `anna@` the domain it stands for, which stands for no other.
"""

import logging
from dataclasses import dataclass

from appliance import db, logs
from appliance.accounts import accounts, addresses
from appliance.db.tables import Address, MailGroup
from appliance.db.tables import Domain as Row
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.store.statement import Statement

# Asked with every RCPT, so written out.
_FIND = Statement("SELECT name, alias_of, catch_all FROM domain WHERE name = ?")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class HostedDomain:
    """A domain we take mail for; alias_of and catch_all are "" when there is none."""

    name: str
    alias_of: str = ""
    catch_all: str = ""


def find(name: str) -> HostedDomain | None:
    """Return a domain by its name in normal form, None when it is not ours. Needs a connection."""
    rows = _FIND.rows(name)
    return HostedDomain(*rows[0]) if rows else None


def find_all() -> dict[str, HostedDomain]:
    """Return every domain by its name, the first one added first. Needs a connection."""
    rows = Row.select(Row.name, Row.alias_of, Row.catch_all).order_by(Row.id).tuples()
    return {row[0]: HostedDomain(*row) for row in rows}


def require(name: str) -> HostedDomain:
    """Return a domain however its name is spelled; raises NotFound, InvalidInput. Needs a connection."""
    found = find(addresses.normalise_domain(name))
    if found is None:
        raise NotFound(f"{name} is not one of our domains")
    return found


def add_alias(name: str, target: str) -> str:
    """Accept mail for a domain as if it were for another one of ours, and return its normal form.

    The domain may be new, or ours and without addresses. Raises InvalidInput, NotFound (target), Conflict.
    """
    normal = addresses.normalise_domain(name)
    with accounts.unique(normal):
        _add_alias(normal, addresses.normalise_domain(target))
    return normal


@db.transaction
def _add_alias(name: str, target: str) -> None:
    if name == target:
        raise InvalidInput("a domain cannot stand for itself")
    goal = require(target)
    if goal.alias_of:
        raise Conflict(f"{target} only stands for {goal.alias_of}; name that one")
    if find(name) is None:
        accounts.insert_domain(name)
    accounts.lock_domains([name, target])
    if _is_used(name):
        raise Conflict(f"{name} has addresses or aliases of its own")
    Row.update(alias_of=target, catch_all="").where(Row.name == name).execute()
    db.after_commit(logs.event, _log, "domain_alias_set", domain=name, target=target)


@db.transaction
def set_catch_all(name: str, address: str) -> None:
    """Give one of our addresses all mail for names nobody has in a domain; "" ends that.

    Raises NotFound (domain, address), InvalidInput, Conflict (an alias domain).
    """
    found = require(name)
    if found.alias_of:
        raise Conflict(f"{found.name} stands for {found.alias_of}; set it there")
    normal = addresses.normalise(address) if address else ""
    if normal and not accounts.is_taken(normal):
        raise NotFound(f"nobody here has the address {normal}")
    Row.update(catch_all=normal).where(Row.name == found.name).execute()
    db.after_commit(logs.event, _log, "domain_catch_all_set", domain=found.name, address=normal or None)


@db.transaction
def remove(name: str) -> None:
    """Accept no mail for a domain any more. Raises NotFound, Conflict (somebody has an address in it)."""
    found = require(name)
    accounts.lock_domains([found.name])
    if _is_used(found.name):
        raise Conflict(f"somebody has an address in {found.name}, or another domain stands for it")
    Row.delete().where(Row.name == found.name).execute()
    db.after_commit(logs.event, _log, "domain_removed", domain=found.name)


def _is_used(name: str) -> bool:
    return bool(
        Address.select().where(Address.address.endswith(f"@{name}")).exists()
        or MailGroup.select().where(MailGroup.address.endswith(f"@{name}")).exists()
        or Row.select().where(Row.alias_of == name).exists()
    )
