"""`appliance token`: words that let a program in instead of a password, for some purposes and some time."""

from datetime import datetime, timedelta
from typing import Any

import click

from appliance import db
from appliance.accounts import accounts, tokens
from appliance.accounts.tokens import Scope, Token
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.items.account import Account


@click.group()
def token() -> None:
    """Access tokens, which programs use instead of a password."""


@token.command("issue")
@click.argument("address")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([str(each) for each in Scope]),
    multiple=True,
    default=[str(Scope.SMTP)],
    show_default=True,
    help="What it is good for; may be repeated.",
)
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Its life.")
@click.option("--label", default="", help="What it is for, in your words.")
@show.as_json
@placed
def token_issue(
    place: Place, address: str, scopes: tuple[str, ...], days: int, label: str, as_json: bool
) -> None:
    """Make a token and print it, this once."""
    with place.opened():
        issued = tokens.issue(
            _account(address).id,
            [Scope(each) for each in scopes],
            lifetime=timedelta(days=days),
            label=label,
            now=SYSTEM_CLOCK.now(),
        )
    if as_json:
        show.document({"token": issued.text, **_described(issued.token)})
    else:
        click.echo(issued.text)


@token.command("list")
@click.argument("address")
@show.as_json
@placed
def token_list(place: Place, address: str, as_json: bool) -> None:
    """List the tokens of an account; what they are is not known."""
    with place.opened():
        account = _account(address)
        with db.connection():
            found = [_described(each) for each in tokens.list_of(account.id)]
    if as_json:
        show.document(found)
        return
    rows = [tuple("" if value is None else value for value in about.values()) for about in found]
    show.table(("id", "scopes", "label", "created_at", "expires_at", "last_used_at"), rows)


@token.command("revoke")
@click.argument("address")
@click.argument("token_id", type=int, required=False, metavar="ID")
@click.option("--all", "all_of_them", is_flag=True, help="Every token of the account.")
@placed
def token_revoke(place: Place, address: str, token_id: int | None, all_of_them: bool) -> None:
    """Make a token void at once."""
    if all_of_them == (token_id is not None):
        raise click.UsageError("name a token, or say --all")
    with place.opened():
        account = _account(address)
        if token_id is None:
            tokens.revoke_all(account.id)
        else:
            tokens.revoke(account.id, token_id)


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)


def _described(found: Token) -> dict[str, Any]:
    return {
        "id": found.id,
        "scopes": " ".join(found.scopes),
        "label": found.label,
        "created_at": _moment(found.created_at),
        "expires_at": _moment(found.expires_at),
        "last_used_at": found.last_used_at and _moment(found.last_used_at),
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
