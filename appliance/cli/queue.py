"""`appliance queue`: outgoing mail that waits, and what an operator can do about it."""

from typing import Any

import click

from appliance import db
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import NotFound
from appliance.queue import entries
from appliance.queue.entries import Entry


@click.group()
def queue() -> None:
    """Outgoing mail that waits."""


@queue.command("list")
@show.as_json
@placed
def queue_list(place: Place, as_json: bool) -> None:
    """List the entries, oldest first: one for each message and recipient."""
    with place.opened(), db.connection():
        found = [_described(entry) for entry in entries.list_entries()]
    if as_json:
        show.document(found)
        return
    heads = ("id", "state", "to", "attempts", "next_attempt_at", "last_reply")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@queue.command("show")
@click.argument("entry_id", type=int, metavar="ID")
@show.as_json
@placed
def queue_show(place: Place, entry_id: int, as_json: bool) -> None:
    """Show one entry."""
    with place.opened(), db.connection():
        entry = entries.get(entry_id)
    if entry is None:
        raise _missing(entry_id)
    about = _described(entry)
    if as_json:
        show.document(about)
        return
    for name, value in about.items():
        click.echo(f"{name}: {show.plain(str(value))}")


@queue.command("retry")
@click.argument("entry_id", type=int, metavar="ID")
@placed
def queue_retry(place: Place, entry_id: int) -> None:
    """Try one entry again now."""
    with place.opened():
        if not entries.retry_now(entry_id, SYSTEM_CLOCK.now()):
            raise _missing(entry_id)


@queue.command("drop")
@click.argument("entry_id", type=int, metavar="ID")
@placed
def queue_drop(place: Place, entry_id: int) -> None:
    """Remove one entry; its sender is not told."""
    with place.opened():
        if not entries.drop(entry_id):
            raise _missing(entry_id)


def _missing(entry_id: int) -> NotFound:
    return NotFound(f"there is no queue entry {entry_id}")


def _described(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": entry.state,
        "from": entry.reverse_path,
        "to": entry.forward_path,
        "attempts": entry.attempts,
        "created_at": entry.created_at.isoformat(timespec="seconds"),
        "next_attempt_at": entry.next_attempt_at and entry.next_attempt_at.isoformat(timespec="seconds"),
        "expires_at": entry.expires_at.isoformat(timespec="seconds"),
        "last_reply": entry.last_reply,
    }
