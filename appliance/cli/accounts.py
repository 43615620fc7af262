"""`appliance user`, `alias` and `domain`: accounts from the command line, in force at once."""

import sys
from pathlib import Path
from typing import Any

import click

from appliance import db
from appliance.accounts import accounts, addresses
from appliance.cli import password as passwords
from appliance.cli import show
from appliance.cli.people import Person, people_in
from appliance.cli.place import Place, placed
from appliance.errors import ApplianceError, Conflict
from appliance.items.account import Account
from appliance.store import limits


class Quota(click.ParamType[int]):
    """A number of bytes, or the word for what all others have."""

    name = "quota"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return what is stored of an account."""
        if isinstance(value, int):
            return value
        if value == "default":
            return limits.AS_CONFIGURED
        return int(click.IntRange(min=0, max=2**60).convert(value, param, ctx))


@click.group()
def user() -> None:
    """Accounts: who has mail here."""


@user.command("add")
@click.argument("address")
@click.option("--name", default="", help="Name shown beside the address.")
@click.option("--admin", is_flag=True, help="May administer the appliance.")
@click.option(
    "--quota",
    metavar="BYTES|default",
    type=Quota(),
    default="default",
    help="What it may keep; 0 means no limit [default: as [limits] says].",
)
@passwords.from_stdin
@placed
def user_add(place: Place, address: str, name: str, admin: bool, quota: int, password_stdin: bool) -> None:
    """Make an account."""
    password = passwords.read(password_stdin)
    with place.opened():
        accounts.create(address, password, display_name=name, is_admin=admin, quota_bytes=quota)


@user.command("list")
@show.as_json
@placed
def user_list(place: Place, as_json: bool) -> None:
    """List the accounts."""
    with place.opened(), db.connection():
        found = [_described(account) for account in accounts.list_accounts()]
    if as_json:
        show.document(found)
        return
    rows = [
        (about["address"], about["name"], _standing(about), about["used_bytes"], " ".join(about["aliases"]))
        for about in found
    ]
    show.table(("address", "name", "state", "bytes", "aliases"), rows)


@user.command("passwd")
@click.argument("address")
@passwords.from_stdin
@placed
def user_passwd(place: Place, address: str, password_stdin: bool) -> None:
    """Change a password; the old one is void at once."""
    password = passwords.read(password_stdin)
    with place.opened():
        accounts.set_password(_account(address).id, password)


@user.command("quota")
@click.argument("address")
@click.argument("quota", metavar="BYTES|default", type=Quota())
@placed
def user_quota(place: Place, address: str, quota: int) -> None:
    """Change how much an account may keep; 0 means no limit, `default` what [limits] says.

    What it has already stays, also when it is more; then it takes no new mail.
    """
    with place.opened():
        accounts.set_quota(_account(address).id, quota)


@user.command("disable")
@click.argument("address")
@placed
def user_disable(place: Place, address: str) -> None:
    """Keep an account out and take no mail for it; what it has stays."""
    with place.opened():
        accounts.set_enabled(_account_itself(address).id, False)


@user.command("enable")
@click.argument("address")
@placed
def user_enable(place: Place, address: str) -> None:
    """Let a disabled account in again."""
    with place.opened():
        accounts.set_enabled(_account(address).id, True)


@user.command("delete")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask (nobody is asked without a terminal).")
@placed
def user_delete(place: Place, address: str, yes: bool) -> None:
    """Remove an account with all its mail, for good."""
    with place.opened():
        account = _account_itself(address)
        if not yes and sys.stdin.isatty():
            click.confirm(f"Remove {account.address} with {account.used_bytes} bytes of mail?", abort=True)
        accounts.delete(account.id)


@user.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@show.as_json
@placed
def user_import(place: Place, file: Path, as_json: bool) -> None:
    """Make an account for each line `address,password,name` of a CSV file.

    A first line with these words is skipped. Lines that fail are reported with their number, all others
    are applied; running it again reports those as taken. Exit status 1 if any failed.
    """
    people = list(people_in(file))
    with place.opened():
        results = [_imported(person) for person in people]
    failed = [result for result in results if result["error"]]
    if as_json:
        show.document({"created": len(results) - len(failed), "failed": failed})
    else:
        for result in failed:
            click.echo(f"{file.name} line {result['line']}: {result['error']}", err=True)
        click.echo(f"{len(results) - len(failed)} created, {len(failed)} failed")
    if failed:
        raise SystemExit(1)


@click.group()
def alias() -> None:
    """Further addresses of an account."""


@alias.command("add")
@click.argument("alias_address", metavar="ALIAS")
@click.argument("address")
@placed
def alias_add(place: Place, alias_address: str, address: str) -> None:
    """Deliver mail for ALIAS to the account ADDRESS."""
    with place.opened():
        accounts.add_alias(_account(address).id, alias_address)


@alias.command("list")
@click.argument("address", required=False)
@show.as_json
@placed
def alias_list(place: Place, address: str | None, as_json: bool) -> None:
    """List the aliases of one account, or all."""
    with place.opened(), db.connection():
        owners = [accounts.require(address)] if address else accounts.list_accounts()
        found = [
            {"alias": name, "address": owner.address}
            for owner in owners
            for name in accounts.aliases(owner.id)
        ]
    if as_json:
        show.document(found)
    else:
        show.table(("alias", "address"), [(about["alias"], about["address"]) for about in found])


@alias.command("remove")
@click.argument("alias_address", metavar="ALIAS")
@placed
def alias_remove(place: Place, alias_address: str) -> None:
    """Take an alias away from its account."""
    with place.opened():
        accounts.remove_alias(_account(alias_address).id, alias_address)


@click.group()
def domain() -> None:
    """Domains this server accepts mail for."""


@domain.command("list")
@show.as_json
@placed
def domain_list(place: Place, as_json: bool) -> None:
    """List the domains."""
    with place.opened(), db.connection():
        found = accounts.list_domains()
    if as_json:
        show.document(found)
    else:
        show.table(("domain",), [(name,) for name in found])


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)


def _account_itself(address: str) -> Account:
    """Return the account of an address, but not by an alias: who removes `info@` does not mean Anna."""
    account = _account(address)
    if addresses.normalise(address) != account.address:
        raise Conflict(f"{address} is only another address of {account.address}; name the account itself")
    return account


def _described(account: Account) -> dict[str, Any]:
    return {
        "address": account.address,
        "name": account.display_name,
        "admin": account.is_admin,
        "enabled": account.is_enabled,
        "used_bytes": account.used_bytes,
        "quota_bytes": limits.quota_bytes(account.quota_bytes),
        "quota_is_own": account.quota_bytes != limits.AS_CONFIGURED,
        "aliases": accounts.aliases(account.id),
    }


def _standing(about: dict[str, Any]) -> str:
    return "disabled" if not about["enabled"] else "admin" if about["admin"] else ""


def _imported(person: Person) -> dict[str, Any]:
    error = person.error
    if not error:
        try:
            accounts.create(person.address, person.password, display_name=person.name)
        except ApplianceError as failure:
            error = str(failure)
    return {"line": person.line, "address": person.address, "error": error}
