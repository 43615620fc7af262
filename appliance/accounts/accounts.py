"""Accounts, their addresses and the domains they live in: made, found, changed, removed.

Owns the rows `Domain`, `Account` and `Address` and who hears of a change. Leaves how an address is
spelled to `addresses`, what a password may be to `passwords`, and signing in to `login`.

Reads need a connection or transaction around them. Writes are transactions; those that take a password
hash it first, outside, because nothing may wait inside one.
"""

import functools
import logging
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from typing import Any

import peewee

from appliance import bus, db, logs
from appliance.accounts import addresses, passwords, removal, throttle
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Account as Row
from appliance.db.tables import Address, Domain, MailGroup, MailGroupMember
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.group import BOUNCES_SUFFIX
from appliance.store import folders, limits
from appliance.store.statement import Statement

DISPLAY_NAME_LENGTH_MAX = 256
ADDRESSES_AT_ONCE = 500

_COLUMNS = (
    Row.id,
    Row.address,
    Row.display_name,
    Row.is_admin,
    Row.is_enabled,
    Row.credential_version,
    Row.quota_bytes,
    Row.used_bytes,
)
# Asked with every request of a phone and every RCPT, so written out; see `store.statement`.
_CREDENTIAL = Statement(
    "SELECT a.id, a.address, a.display_name, a.is_admin, a.is_enabled, a.credential_version, a.quota_bytes,"
    " a.used_bytes, a.password_hash FROM address JOIN account a ON a.id = address.account_id"
    " WHERE address.address = ?"
)
_LOCAL_DOMAIN = Statement("SELECT alias_of FROM domain WHERE name = ?")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credential:
    """An account and what its password is compared with."""

    account: Account
    password_hash: str


# --- finding --------------------------------------------------------------------------------------


def get(account_id: int) -> Account:
    """Return an account; raises NotFound."""
    row = Row.select(*_COLUMNS).where(Row.id == account_id).tuples().first()
    if row is None:
        raise NotFound("no such account")
    return account_of(row)


def by_address(address: str) -> Account | None:
    """Return whose address this is, disabled accounts too (`is_enabled`); None when it is nobody's.

    Aliases count. `name+anything` belongs to `name` unless somebody has exactly that address.
    """
    found = credential(address)
    if found is None:
        try:
            normal = addresses.normalise(address)
        except InvalidInput:
            return None
        base = addresses.base_address(normal)
        found = credential(base) if base != normal else None
    return None if found is None else found.account


def require(address: str) -> Account:
    """Return whose address this is; raises NotFound, with the address in its message."""
    account = by_address(address)
    if account is None:
        raise NotFound(f"there is no account {address}")
    return account


def credential(address: str) -> Credential | None:
    """Return the account with exactly this address or alias and its hash, with one indexed read.

    A second one finds what is spelled with a domain that stands for another.
    """
    try:
        normal = addresses.normalise(address)
    except InvalidInput:
        return None
    found = credential_of(normal)
    if found is None:
        real = in_real_domain(normal)
        found = credential_of(real) if real != normal else None
    return found


def credential_of(address: str) -> Credential | None:
    """Return the account with exactly this normalised address or alias and its hash."""
    rows = _CREDENTIAL.rows(address)
    return Credential(account_of(rows[0][:-1]), rows[0][-1]) if rows else None


def in_real_domain(address: str) -> str:
    """Return a normalised address with the domain that its own stands for, if it stands for one."""
    local_part, _, domain = address.rpartition("@")
    rows = _LOCAL_DOMAIN.rows(domain)
    return f"{local_part}@{rows[0][0]}" if rows and rows[0][0] else address


def by_addresses(wanted: Iterable[str]) -> dict[str, Account]:
    """Return the accounts that have exactly these normalised addresses; one read for some hundreds."""
    found: dict[str, Account] = {}
    for some in batched(sorted(set(wanted)), ADDRESSES_AT_ONCE):
        query = Address.select(Address.address, *_COLUMNS).join(Row).where(Address.address.in_(some))
        found |= {row[0]: account_of(row[1:]) for row in query.tuples()}
    return found


def is_taken(address: str) -> bool:
    """Say whether an account or a group has exactly this normalised address."""
    return bool(
        Address.select().where(Address.address == address).exists()
        or MailGroup.select().where(MailGroup.address == address).exists()
    )


def first_administrator() -> Account | None:
    """Return the enabled administrator who has been here longest."""
    administrators = Row.select(*_COLUMNS).where(Row.is_admin & Row.is_enabled)
    row = administrators.order_by(Row.id).limit(1).tuples().first()
    return None if row is None else account_of(row)


def owns(account: Account, address: str) -> bool:
    """Say whether an address, however it is spelled, is one of the account's own, subaddresses included."""
    found = by_address(address)
    return found is not None and found.id == account.id


def list_accounts() -> list[Account]:
    """Return every account by address."""
    return [account_of(row) for row in Row.select(*_COLUMNS).order_by(Row.address).tuples()]


def account_of(row: tuple[Any, ...]) -> Account:
    """Return the account of a row with the columns of `items.account.Account`, in its order."""
    account_id, address, name, is_admin, is_enabled, *rest = row
    return Account(account_id, address, name, bool(is_admin), bool(is_enabled), *rest)


# --- changing -------------------------------------------------------------------------------------


def create(
    address: str,
    password: str,
    *,
    display_name: str = "",
    is_admin: bool = False,
    quota_bytes: int = limits.AS_CONFIGURED,
) -> Account:
    """Make an account with its folders and return it. Waits for the hash.

    Raises InvalidInput (address, password, name, a domain that is not ours), Conflict (address taken).
    """
    normal = addresses.for_account(address)
    _check_quota(quota_bytes)
    values = {
        "display_name": display_name_of(display_name),
        "is_admin": is_admin,
        "quota_bytes": quota_bytes,
    }
    with db.connection():
        check_free(normal)  # asked again inside, but nobody should wait for a hash to hear it
    password_hash = passwords.make_hash(password)
    with unique(normal):
        account = _create(normal, password_hash=password_hash, **values)
    logs.event(_log, "account_created", account=account.id, address=account.address, is_admin=is_admin)
    return account


@db.transaction
def _create(address: str, **values: Any) -> Account:
    check_free(address)
    row = Row.create(address=address, created_at=SYSTEM_CLOCK.now(), **values)
    Address.create(address=address, account=row.id)
    folders.create_special(row.id)
    return get(row.id)


def set_password(account_id: int, password: str) -> None:
    """Replace the password; every older one is void at once, in every process. Waits for the hash.

    Raises InvalidInput, NotFound.
    """
    password_hash = passwords.make_hash(password)
    _set_password_hash(account_id, password_hash)
    logs.event(_log, "account_credentials_changed", account=account_id)


@db.transaction
def _set_password_hash(account_id: int, password_hash: str) -> None:
    _update(account_id, password_hash=password_hash, credential_version=Row.credential_version + 1)
    throttle.clear_account(account_id)
    _announce_credentials(account_id)


@db.transaction
def renew_hash(account_id: int, old_hash: str, new_hash: str) -> None:
    """Store another hash of the same password, unless the password was changed meanwhile."""
    Row.update(password_hash=new_hash).where(
        (Row.id == account_id) & (Row.password_hash == old_hash)
    ).execute()


@db.transaction
def set_enabled(account_id: int, is_enabled: bool) -> None:
    """Let an account in or keep it out; its mail stays. Raises NotFound."""
    _update(account_id, is_enabled=is_enabled)
    _announce_credentials(account_id)
    _log_after_commit("account_enabled" if is_enabled else "account_disabled", account=account_id)


@db.transaction
def set_admin(account_id: int, is_admin: bool) -> None:
    """Give or take the right to administer the appliance. Raises NotFound."""
    _update(account_id, is_admin=is_admin)
    _announce_credentials(account_id)
    _log_after_commit("account_admin_changed", account=account_id, is_admin=is_admin)


@db.transaction
def set_display_name(account_id: int, display_name: str) -> None:
    """Change the name shown beside the address. Raises NotFound, InvalidInput."""
    _update(account_id, display_name=display_name_of(display_name))


@db.transaction
def set_quota(account_id: int, quota_bytes: int) -> None:
    """Change how much an account may keep; 0 means no limit, `limits.AS_CONFIGURED` what all others have.

    What is there already stays, also when it is more. Raises NotFound, InvalidInput.
    """
    _check_quota(quota_bytes)
    _update(account_id, quota_bytes=quota_bytes)
    _log_after_commit("account_quota_changed", account=account_id, quota_bytes=quota_bytes)


def delete(account_id: int) -> None:
    """Remove an account and everything of it, for good. Raises NotFound.

    Signing in ends with the first transaction. Repeating it after a crash goes on where it stopped.
    """
    set_enabled(account_id, False)
    removal.remove(account_id)
    bus.publish(bus.CREDENTIALS, str(account_id))
    logs.event(_log, "account_deleted", account=account_id)


# --- aliases --------------------------------------------------------------------------------------


def add_alias(account_id: int, alias: str) -> str:
    """Deliver another address to an account and return it in normal form.

    Raises InvalidInput (not an address, not our domain), Conflict (taken), NotFound (no such account).
    """
    normal = addresses.for_account(alias)
    with unique(normal):
        _add_alias(account_id, normal)
    return normal


@db.transaction
def _add_alias(account_id: int, alias: str) -> None:
    get(account_id)
    check_free(alias)
    Address.create(address=alias, account=account_id)
    _log_after_commit("alias_added", account=account_id, address=alias)


@db.transaction
def remove_alias(account_id: int, alias: str) -> None:
    """Take an alias away. Raises NotFound, Conflict (it is the account's own address), InvalidInput."""
    normal = addresses.normalise(alias)
    if get(account_id).address == normal:
        raise Conflict(f"{normal} is the address of the account itself, not an alias")
    mine = (Address.account == account_id) & (Address.address == normal)
    if not Address.delete().where(mine).execute():
        raise NotFound(f"the account has no alias {normal}")
    MailGroupMember.delete().where(MailGroupMember.address == normal).execute()
    _log_after_commit("alias_removed", account=account_id, address=normal)


def aliases(account_id: int) -> list[str]:
    """Return the other addresses of an account, sorted."""
    query = Address.select(Address.address).where(Address.account == account_id).order_by(Address.address)
    own = get(account_id).address
    return [row[0] for row in query.tuples() if row[0] != own]


def kin(addresses_: Collection[str]) -> dict[int, set[str]]:
    """Return all addresses of the accounts that have one of these (in normal form), by account."""
    of_them = Address.select(Address.account).where(Address.address.in_(list(addresses_)))
    found: dict[int, set[str]] = {}
    for account_id, address in (
        Address.select(Address.account, Address.address).where(Address.account.in_(of_them)).tuples()
    ):
        found.setdefault(account_id, set()).add(address)
    return found


def add_domain(name: str) -> str:
    """Accept mail for a domain and return it in normal form. Raises InvalidInput, Conflict."""
    normal = addresses.normalise_domain(name)
    with unique(normal):
        _add_domain(normal)
    return normal


def spellings(account_id: int) -> set[str]:
    """Return every address of an account, also with the domains that stand for those of its addresses."""
    own = {get(account_id).address, *aliases(account_id)}
    real = {addresses.domain_of(address) for address in own}
    rows = Domain.select(Domain.name, Domain.alias_of).where(Domain.alias_of.in_(sorted(real))).tuples()
    return own | {
        f"{address.removesuffix(f'@{stands_for}')}@{name}"
        for name, stands_for in rows
        for address in own
        if addresses.domain_of(address) == stands_for
    }


# --- domains --------------------------------------------------------------------------------------


@db.transaction
def _add_domain(name: str) -> None:
    if is_local_domain(name):
        raise Conflict(f"{name} is one of our domains already")
    insert_domain(name)


def insert_domain(name: str) -> None:
    """Write the row of a new domain, in normal form. Needs a transaction."""
    Domain.create(name=name, created_at=SYSTEM_CLOCK.now())
    _log_after_commit("domain_added", domain=name)


def lock_domains(names: Iterable[str]) -> None:
    """Keep others from giving out addresses in these domains until the transaction ends."""
    if not db.is_sqlite():
        rows = Domain.select(Domain.id).where(Domain.name.in_(list(names))).order_by(Domain.id)
        list(rows.for_update("FOR NO KEY UPDATE").tuples())


def list_domains(*, limit: int | None = None) -> list[str]:
    """Return the domains we accept mail for, the first one added first."""
    return [row[0] for row in Domain.select(Domain.name).order_by(Domain.id).limit(limit).tuples()]


def is_local_domain(name: str) -> bool:
    """Say whether we accept mail for a domain, however it is spelled."""
    try:
        normal = addresses.normalise_host(name)
    except InvalidInput:
        return False
    return bool(_LOCAL_DOMAIN.rows(normal))


def check_free(address: str) -> None:
    """Raise Conflict when an account or a group has this normalised address, InvalidInput for a domain
    that has none. In a transaction it stays free until that ends."""
    domain = addresses.domain_of(address)
    if db.in_transaction():
        lock_domains([domain])
    rows = _LOCAL_DOMAIN.rows(domain)
    if not rows:
        raise InvalidInput(f"{domain} is not one of our domains; add it with: appliance domain add {domain}")
    if rows[0][0]:
        raise InvalidInput(f"{domain} stands for {rows[0][0]} and has no addresses of its own")
    local_part = address.removesuffix(f"@{domain}")
    group = f"{local_part.removesuffix(BOUNCES_SUFFIX)}@{domain}"
    if is_taken(address):
        raise Conflict(f"{address} is taken")
    if group != address and MailGroup.select().where(MailGroup.address == group).exists():
        raise Conflict(f"{address} is where mail of the group {group} comes back")


@contextmanager
def unique(name: str) -> Iterator[None]:
    """Say Conflict when two did the same at once and PostgreSQL let only one."""
    try:
        yield
    except peewee.IntegrityError as error:
        raise Conflict(f"{name} is taken") from error


# --- inside ---------------------------------------------------------------------------------------


def _update(account_id: int, **values: Any) -> None:
    if not Row.update(**values).where(Row.id == account_id).execute():
        raise NotFound("no such account")


def display_name_of(name: str) -> str:
    """Return a name as it is stored; raises InvalidInput."""
    stripped = unicodedata.normalize("NFC", name.strip())
    if len(stripped) > DISPLAY_NAME_LENGTH_MAX or not stripped.isprintable():
        raise InvalidInput(
            f"a name has at most {DISPLAY_NAME_LENGTH_MAX} characters and none that cannot be seen"
        )
    return stripped


def _check_quota(quota_bytes: int) -> None:
    if quota_bytes < 0 and quota_bytes != limits.AS_CONFIGURED:
        raise InvalidInput("a quota cannot be negative; 0 means no limit")


def _announce_credentials(account_id: int) -> None:
    db.after_commit(bus.publish, bus.CREDENTIALS, str(account_id))


def _log_after_commit(name: str, **fields: Any) -> None:
    db.after_commit(functools.partial(logs.event, _log, name, **fields))
