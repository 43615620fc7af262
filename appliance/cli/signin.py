"""`appliance signin`: who has to wait because of wrong passwords, and letting them in at once."""

from datetime import UTC
from typing import Any

import click

from appliance import db
from appliance.accounts import accounts, throttle
from appliance.accounts.throttle import Waiting
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import NotFound


@click.group()
def signin() -> None:
    """Failed sign-ins: who has to wait."""


@signin.command("list")
@show.as_json
@placed
def signin_list(place: Place, as_json: bool) -> None:
    """List who has to wait, the longest wait first: accounts at a phone or address, and whole networks."""
    with place.opened(), db.connection():
        names = {str(account.id): account.address for account in accounts.list_accounts()}
        found = [_described(each, names) for each in throttle.blocked(SYSTEM_CLOCK.now())]
    if as_json:
        show.document(found)
        return
    heads = ("scope", "address", "failures", "until")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@signin.command("clear")
@click.argument("scope")
@placed
def signin_clear(place: Place, scope: str) -> None:
    """Let SCOPE, as `list` shows it, try again at once."""
    with place.opened():
        if not throttle.clear(scope):
            raise NotFound(f"nobody waits under {scope}")


def _described(waiting: Waiting, names: dict[str, str]) -> dict[str, Any]:
    kind, _, rest = waiting.scope.partition(":")
    return {
        "scope": waiting.scope,
        "address": names.get(rest.partition(":")[0], "") if kind == "account" else "",
        "failures": waiting.failures,
        "until": waiting.until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
