"""`appliance audit`: what operators did. How commands get into that list is `recorded`."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import click

from appliance import db
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.setup import audit as book


@click.command()
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Newest acts shown."
)
@show.as_json
@placed
def audit(place: Place, limit: int, as_json: bool) -> None:
    """Show what operators did, the newest first."""
    with place.opened(), db.connection():
        found = [_described(entry) for entry in book.entries(limit)]
    if as_json:
        show.document(found)
        return
    heads = ("at", "who", "act", "outcome")
    rows = [(about["at"], about["who"], _in_words(about), about["outcome"]) for about in found]
    show.table(heads, rows)


def _described(entry: book.Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "who": entry.who,
        "act": entry.act,
        "arguments": entry.arguments,
        "outcome": entry.outcome,
    }


def _in_words(about: Mapping[str, Any]) -> str:
    given = [f"{name}={value}" for name, value in about["arguments"].items()]
    return " ".join((about["act"], *given))
