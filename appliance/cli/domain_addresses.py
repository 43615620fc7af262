"""`appliance domain alias`, `catch-all`, `show` and `remove`: domains beyond their name.

Adds to the group `domain` of `cli.domains`; whoever wants the whole group takes it from here.
"""

from typing import Any

import click

from appliance import db
from appliance.accounts import domains
from appliance.accounts.domains import HostedDomain
from appliance.cli import show
from appliance.cli.domains import domain as domain
from appliance.cli.place import Place, placed


@domain.command("alias")
@click.argument("name")
@click.argument("target")
@placed
def domain_alias(place: Place, name: str, target: str) -> None:
    """Take mail for NAME as if it were for the domain TARGET: anna@NAME is anna@TARGET."""
    with place.opened():
        domains.add_alias(name, target)


@domain.command("catch-all")
@click.argument("name")
@click.argument("address", required=False)
@click.option("--off", is_flag=True, help="Refuse mail for names nobody has, as at the beginning.")
@placed
def domain_catch_all(place: Place, name: str, address: str | None, off: bool) -> None:
    """Give the account or group ADDRESS all mail for names nobody has in the domain NAME."""
    if off == bool(address):
        raise click.UsageError("name an address, or say --off")
    with place.opened():
        domains.set_catch_all(name, address or "")


@domain.command("show")
@click.argument("name", required=False)
@show.as_json
@placed
def domain_show(place: Place, name: str | None, as_json: bool) -> None:
    """Show what is set for one domain, or for all."""
    with place.opened(), db.connection():
        chosen = [domains.require(name)] if name else list(domains.find_all().values())
    found = [_described(each) for each in chosen]
    if as_json:
        show.document(found)
    else:
        show.table(("domain", "alias_of", "catch_all"), [tuple(about.values()) for about in found])


@domain.command("remove")
@click.argument("name")
@placed
def domain_remove(place: Place, name: str) -> None:
    """Take no mail for a domain any more; nobody may have an address in it."""
    with place.opened():
        domains.remove(name)


def _described(found: HostedDomain) -> dict[str, Any]:
    return {"domain": found.name, "alias_of": found.alias_of, "catch_all": found.catch_all}
