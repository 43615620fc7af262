"""Accounts, their addresses and the domains they live in: made, found, changed, removed.

Owns the rows `Domain`, `Account` and `Address` and who hears of a change. Leaves how an address is
spelled to `addresses`, what a password may be to `passwords`, and signing in to `login`.

Reads need a connection or transaction around them. Writes are transactions; those that take a password
hash it first, outside, because nothing may wait inside one.
"""

import functools
import logging
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import peewee

from appliance import bus, db, logs
from appliance.accounts import addresses, passwords, removal, throttle
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Account as Row
from appliance.db.tables import Address, Domain
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.account import Account
from appliance.store import folders, limits
from appliance.store.statement import Statement

DISPLAY_NAME_LENGTH_MAX = 256

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
_LOCAL_DOMAIN = Statement("SELECT 1 FROM domain WHERE name = ?")
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
    """Return the account with exactly this address or alias and its hash, with one indexed read."""
    try:
        normal = addresses.normalise(address)
    except InvalidInput:
        return None
    rows = _CREDENTIAL.rows(normal)
    return Credential(account_of(rows[0][:-1]), rows[0][-1]) if rows else None


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
        "display_name": _display_name(display_name),
        "is_admin": is_admin,
        "quota_bytes": quota_bytes,
    }
    with db.connection():
        _check_free(normal)  # asked again inside, but nobody should wait for a hash to hear it
    password_hash = passwords.make_hash(password)
    with _unique(normal):
        account = _create(normal, password_hash=password_hash, **values)
    logs.event(_log, "account_created", account=account.id, address=account.address, is_admin=is_admin)
    return account


@db.transaction
def _create(address: str, **values: Any) -> Account:
    _check_free(address)
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
    _update(account_id, display_name=_display_name(display_name))


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
    with _unique(normal):
        _add_alias(account_id, normal)
    return normal


@db.transaction
def _add_alias(account_id: int, alias: str) -> None:
    get(account_id)
    _check_free(alias)
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
    with _unique(normal):
        _add_domain(normal)
    return normal


# --- domains --------------------------------------------------------------------------------------


@db.transaction
def _add_domain(name: str) -> None:
    if is_local_domain(name):
        raise Conflict(f"{name} is one of our domains already")
    Domain.create(name=name, created_at=SYSTEM_CLOCK.now())
    _log_after_commit("domain_added", domain=name)


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


# --- inside ---------------------------------------------------------------------------------------


def _check_free(address: str) -> None:
    domain = addresses.domain_of(address)
    if not is_local_domain(domain):
        raise InvalidInput(f"{domain} is not one of our domains; add it with: appliance domain add {domain}")
    if Address.select().where(Address.address == address).exists():
        raise Conflict(f"{address} is taken")


@contextmanager
def _unique(name: str) -> Iterator[None]:
    """Say Conflict when two did the same at once and PostgreSQL let only one."""
    try:
        yield
    except peewee.IntegrityError as error:
        raise Conflict(f"{name} is taken") from error


def _update(account_id: int, **values: Any) -> None:
    if not Row.update(**values).where(Row.id == account_id).execute():
        raise NotFound("no such account")


def _display_name(name: str) -> str:
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
