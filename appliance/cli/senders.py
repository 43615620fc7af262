"""`appliance sender` and `forward`: whom an account blocks, where its mail is sent on; in force at once."""

import click

from appliance import db
from appliance.accounts import accounts, forwards, sender_lists
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.items.account import Account


@click.group()
def sender() -> None:
    """Blocked and safe senders of an account."""


@sender.command("list")
@click.argument("address")
@show.as_json
@placed
def sender_list(place: Place, address: str, as_json: bool) -> None:
    """List whom an account blocks, and whom it always wants to hear of."""
    with place.opened(), db.connection():
        found = sender_lists.list_of(accounts.require(address).id)
    listed = [{"sender": who, "state": "blocked" if is_blocked else "safe"} for who, is_blocked in found]
    if as_json:
        show.document(listed)
    else:
        show.table(("sender", "state"), [tuple(each.values()) for each in listed])


@sender.command("block")
@click.argument("address")
@click.argument("who", metavar="SENDER")
@placed
def sender_block(place: Place, address: str, who: str) -> None:
    """File all mail of SENDER (an address, or @example.net) as junk."""
    with place.opened():
        sender_lists.put(_account(address).id, who, is_blocked=True)


@sender.command("allow")
@click.argument("address")
@click.argument("who", metavar="SENDER")
@placed
def sender_allow(place: Place, address: str, who: str) -> None:
    """Never file mail of SENDER (an address, or @example.net) as junk."""
    with place.opened():
        sender_lists.put(_account(address).id, who, is_blocked=False)


@sender.command("remove")
@click.argument("address")
@click.argument("who", metavar="SENDER")
@placed
def sender_remove(place: Place, address: str, who: str) -> None:
    """Forget what was said of SENDER."""
    with place.opened():
        sender_lists.remove(_account(address).id, who)


# --- forwarding -----------------------------------------------------------------------------------


@click.group()
def forward() -> None:
    """Sending all mail of an account on."""


@forward.command("set")
@click.argument("address")
@click.argument("to", metavar="TO")
@click.option("--keep/--no-keep", default=True, show_default=True, help="Whether a copy stays here.")
@placed
def forward_set(place: Place, address: str, to: str, keep: bool) -> None:
    """Send all mail for ADDRESS on to the address TO; junk is not sent on."""
    with place.opened():
        forwards.put(_account(address).id, to, keeps_copy=keep)


@forward.command("list")
@show.as_json
@placed
def forward_list(place: Place, as_json: bool) -> None:
    """List the accounts that send their mail on."""
    with place.opened(), db.connection():
        everybody = {account.id: account for account in accounts.list_accounts()}
        found = forwards.of_accounts(everybody)
    listed = [
        {"address": everybody[account_id].address, "to": each.address, "keeps_copy": each.keeps_copy}
        for account_id, each in sorted(found.items())
    ]
    if as_json:
        show.document(listed)
    else:
        rows = [(each["address"], each["to"], "yes" if each["keeps_copy"] else "no") for each in listed]
        show.table(("address", "to", "keeps_copy"), rows)


@forward.command("remove")
@click.argument("address")
@placed
def forward_remove(place: Place, address: str) -> None:
    """Send mail for ADDRESS on no more."""
    with place.opened():
        forwards.remove(_account(address).id)


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)
