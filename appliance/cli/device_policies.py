"""`appliance device policy`: what phones are asked to apply, and whose phones.

Adds to the group `device` of `cli.devices`; whoever wants the whole group takes it from here.
"""

from typing import Any

import click

from appliance import db
from appliance.accounts import accounts, groups
from appliance.cli import show
from appliance.cli.devices import device as device
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.devices import policies
from appliance.devices.policies import Policy
from appliance.errors import InvalidInput


@device.group("policy")
def policy() -> None:
    """What phones are asked to apply: passwords, camera, encryption and so on."""


@policy.command("list")
@show.as_json
@placed
def policy_list(place: Place, as_json: bool) -> None:
    """List the policies."""
    with place.opened(), db.connection():
        found = [_of_policy(each) for each in policies.list_policies()]
    if as_json:
        show.document(found)
        return
    heads = ("name", "version", "default", "enforced", "partial", "refresh_hours")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@policy.command("show")
@click.argument("name")
@show.as_json
@placed
def policy_show(place: Place, name: str, as_json: bool) -> None:
    """Show the values of a policy that differ from the defaults."""
    with place.opened(), db.connection():
        about = _of_policy(policies.get(name))
    if as_json:
        show.document(about)
        return
    for key, value in (about | about.pop("values")).items():
        click.echo(f"{key}: {show.plain(str(value))}")


@policy.command("set")
@click.argument("name")
@click.argument("values", nargs=-1, metavar="[ELEMENT=VALUE]...")
@click.option("--enforced/--optional", default=None, help="Whether devices need it to synchronise.")
@click.option("--partial/--strict", default=None, help="Whether devices that cannot apply it may come in.")
@click.option("--refresh-hours", type=int, help="Devices fetch it anew after this; 0: never.")
@placed
def policy_set(
    place: Place,
    name: str,
    values: tuple[str, ...],
    enforced: bool | None,
    partial: bool | None,
    refresh_hours: int | None,
) -> None:
    """Make a policy or change parts of it: DevicePasswordEnabled=1; an empty value withdraws one."""
    wanted = {}
    for text in values:
        element, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"{text!r} is not of the form ELEMENT=VALUE")
        wanted[element] = value
    with place.opened():
        policies.save(
            name,
            wanted,
            SYSTEM_CLOCK.now(),
            is_enforced=enforced,
            allows_partial=partial,
            refresh_hours=refresh_hours,
        )


@policy.command("assign")
@click.argument("address")
@click.argument("name")
@placed
def policy_assign(place: Place, address: str, name: str) -> None:
    """Give an account or the members of a group a policy: its NAME, `none`, or `default` for the default.

    An account's own comes before its group's.
    """
    wanted = None if name == "default" else name
    with place.opened():
        with db.connection():
            account = accounts.by_address(address)
            group = groups.require(address) if account is None else None
        if group is not None:
            policies.assign_group(group.id, wanted)
        elif account is not None:
            policies.assign(account.id, wanted)


@policy.command("default")
@click.argument("name")
@placed
def policy_default(place: Place, name: str) -> None:
    """Give a policy to every account without one of its own; `none` for no policy."""
    with place.opened():
        policies.make_default(name)


@policy.command("delete")
@click.argument("name")
@placed
def policy_delete(place: Place, name: str) -> None:
    """Remove a policy that nobody has."""
    with place.opened():
        policies.delete(name)


def _of_policy(found: Policy) -> dict[str, Any]:
    return {
        "name": found.name,
        "version": found.version,
        "default": found.is_default,
        "enforced": found.is_enforced,
        "partial": found.allows_partial,
        "refresh_hours": found.refresh_hours,
        "values": dict(found.values),
    }
