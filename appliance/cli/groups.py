"""`appliance group`: addresses whose mail goes to several people, in force at once."""

from typing import Any

import click

from appliance import db
from appliance.accounts import accounts, groups
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.delivery.routing import RouteKind, route_all
from appliance.items.account import Account
from appliance.items.group import Group, Senders

_SENDERS = click.Choice([str(each) for each in Senders])


@click.group()
def group() -> None:
    """Distribution groups."""


@group.command("add")
@click.argument("address")
@click.option("--name", default="", help="Name shown to members of an open group.")
@click.option(
    "--senders",
    type=_SENDERS,
    default=str(Senders.INTERNAL),
    show_default=True,
    help="Who may write to it: whoever is signed in here, its members, or anyone.",
)
@click.option("--owner", help="Account that reads what members' servers send back [default: administrator].")
@click.option("--member", "members", multiple=True, help="An address to begin with; may be repeated.")
@placed
def group_add(
    place: Place, address: str, name: str, senders: str, owner: str | None, members: tuple[str, ...]
) -> None:
    """Make a group."""
    with place.opened():
        _made(address, name, Senders(senders), _account(owner), members)


@db.transaction
def _made(address: str, name: str, senders: Senders, owner: Account | None, members: tuple[str, ...]) -> None:
    groups.create(address, name=name, senders=senders, owner=owner)
    if members:
        groups.add_members(address, members)


@group.command("set")
@click.argument("address")
@click.option("--name", help="Name shown to members of an open group.")
@click.option("--senders", type=_SENDERS, help="Who may write to it.")
@click.option("--owner", help="Account that reads what members' servers send back.")
@placed
def group_set(place: Place, address: str, name: str | None, senders: str | None, owner: str | None) -> None:
    """Change what is given of a group."""
    if name is None and senders is None and owner is None:
        raise click.UsageError("say what to change")
    with place.opened():
        groups.change(
            address, name=name, senders=Senders(senders) if senders else None, owner=_account(owner)
        )


@group.command("list")
@show.as_json
@placed
def group_list(place: Place, as_json: bool) -> None:
    """List the groups."""
    with place.opened(), db.connection():
        found = [_described(each) for each in groups.list_groups()]
    if as_json:
        show.document(found)
        return
    heads = ("address", "name", "senders", "owner", "members")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@group.command("show")
@click.argument("address")
@show.as_json
@placed
def group_show(place: Place, address: str, as_json: bool) -> None:
    """Show a group with its members, and which of them get nothing."""
    with place.opened(), db.connection():
        found = groups.require(address)
        members = groups.members(found.id)
        routes = route_all(member.address for member in members)
        about = _described(found)
    listed = [
        {"address": member.address, "send_as": member.may_send_as, "kind": _kind(route.kind)}
        for member, route in zip(members, routes, strict=True)
    ]
    if as_json:
        show.document({**about, "members": listed})
        return
    heads = ("address", "kind", "send_as")
    show.table(heads, [(each["address"], each["kind"], "yes" if each["send_as"] else "") for each in listed])


@group.command("remove")
@click.argument("address")
@placed
def group_remove(place: Place, address: str) -> None:
    """Remove a group; its members stay what they are."""
    with place.opened():
        groups.remove(address)


@group.command("add-member")
@click.argument("address", metavar="GROUP")
@click.argument("members", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--send-as", is_flag=True, help="Let them write in the group's name.")
@placed
def group_add_member(place: Place, address: str, members: tuple[str, ...], send_as: bool) -> None:
    """Put addresses into GROUP: accounts, other groups, or people outside.

    For one that is in it already this sets whether it may write in the group's name.
    """
    with place.opened():
        groups.add_members(address, members, may_send_as=send_as)


@group.command("remove-member")
@click.argument("address", metavar="GROUP")
@click.argument("member", metavar="ADDRESS")
@placed
def group_remove_member(place: Place, address: str, member: str) -> None:
    """Take an address out of GROUP."""
    with place.opened():
        groups.remove_member(address, member)


def _account(address: str | None) -> Account | None:
    if address is None:
        return None
    with db.connection():
        return accounts.require(address)


def _kind(kind: RouteKind) -> str:
    names = {RouteKind.LOCAL: "account", RouteKind.GROUP: "group", RouteKind.REMOTE: "outside"}
    return names.get(kind, f"gets nothing: {kind.name.lower()}")


def _described(found: Group) -> dict[str, Any]:
    owner = "" if found.owner_id is None else accounts.get(found.owner_id).address
    return {
        "address": found.address,
        "name": found.name,
        "senders": str(found.senders),
        "owner": owner,
        "members": len(groups.members(found.id)),
    }
