"""`appliance queue`: outgoing mail that waits, and what an operator can do about it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from appliance import db
from appliance.accounts import addresses
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.delivery import settle
from appliance.errors import NotFound
from appliance.items.next_hop import parse_next_hop
from appliance.queue import control, entries
from appliance.queue.control import Selection, State
from appliance.queue.entries import Entry
from appliance.queue.priority import Priority
from appliance.setup import settings


@click.group()
def queue() -> None:
    """Outgoing mail that waits."""


def filtered[R](command: Callable[..., R]) -> Callable[..., R]:
    """Give a command `--domain`, `--sender` and `--state`, and pass a Selection without ids on."""

    @click.option("--domain", help="Recipients in this domain.")
    @click.option("--sender", help="From this envelope sender; an empty one for reports.")
    @click.option("--state", type=click.Choice([str(state) for state in State]), help="Standing like this.")
    @wraps(command)
    def call(*args: Any, domain: str | None, sender: str | None, state: str | None, **kwargs: Any) -> R:
        selection = Selection(
            domain=None if domain is None else addresses.normalise_domain(domain),
            sender=sender,
            state=None if state is None else State(state),
        )
        return command(*args, selection=selection, **kwargs)

    return call


def selected[R](command: Callable[..., R]) -> Callable[..., R]:
    """Give a command ids or filters, and pass a Selection on; it takes nothing without one or `--all`."""

    @click.argument("ids", type=int, nargs=-1, metavar="[ID]...")
    @click.option("--all", "takes_all", is_flag=True, help="Everything in the queue.")
    @filtered
    @wraps(command)
    def call(*args: Any, ids: tuple[int, ...], takes_all: bool, selection: Selection, **kwargs: Any) -> R:
        if not ids and not takes_all and selection == Selection():
            raise click.UsageError("name entries by ID, --domain, --sender or --state, or take --all")
        chosen = Selection(ids or None, selection.domain, selection.sender, selection.state)
        return command(*args, selection=chosen, **kwargs)

    return call


@queue.command("list")
@filtered
@click.option("--limit", type=click.IntRange(1), default=control.LISTED_MAX, show_default=True)
@show.as_json
@placed
def queue_list(place: Place, selection: Selection, limit: int, as_json: bool) -> None:
    """List the entries, oldest first: one for each message and recipient."""
    with place.opened(), db.connection():
        found = [_described(entry) for entry in control.find(selection, SYSTEM_CLOCK.now(), limit)]
    if as_json:
        show.document(found)
        return
    heads = ("id", "state", "to", "attempts", "next_attempt_at", "last_reply")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@queue.command("count")
@show.as_json
@placed
def queue_count(place: Place, as_json: bool) -> None:
    """Count the entries by how they stand: due, waiting, trying, held."""
    with place.opened(), db.connection():
        counted = {str(state): number for state, number in control.count_by_state(SYSTEM_CLOCK.now()).items()}
    if as_json:
        show.document(counted)
    else:
        show.table(("state", "entries"), list(counted.items()))


@queue.command("show")
@click.argument("entry_id", type=int, metavar="ID")
@show.as_json
@placed
def queue_show(place: Place, entry_id: int, as_json: bool) -> None:
    """Show one entry and what came of the last attempts."""
    with place.opened(), db.connection():
        entry = entries.get(entry_id)
        tried = control.attempts(entry_id)
    if entry is None:
        raise NotFound(f"there is no queue entry {entry_id}")
    about = _described(entry)
    history = [
        {"at": each.at.isoformat(timespec="seconds"), "host": each.host, "reply": each.reply}
        for each in tried
    ]
    if as_json:
        show.document(about | {"history": history})
        return
    for name, value in about.items():
        click.echo(f"{name}: {show.plain(str(value))}")
    show.table(("at", "host", "reply"), [tuple(each.values()) for each in history])


@queue.command("retry")
@selected
@placed
def queue_retry(place: Place, selection: Selection) -> None:
    """Try entries again now, held ones too."""
    with place.opened():
        _said("to be tried now", control.retry(selection, SYSTEM_CLOCK.now()), selection)


@queue.command("hold")
@selected
@placed
def queue_hold(place: Place, selection: Selection) -> None:
    """Keep entries from being tried until they are released."""
    with place.opened():
        _said("held", control.hold(selection, SYSTEM_CLOCK.now()), selection)


@queue.command("release")
@selected
@placed
def queue_release(place: Place, selection: Selection) -> None:
    """Let held entries be tried again when their time comes."""
    with place.opened():
        _said("released", control.release(selection, SYSTEM_CLOCK.now()), selection)


@queue.command("reroute")
@selected
@click.option(
    "--to", "target", metavar="HOST[:PORT][/starttls|/implicit]", help="The server to hand them to."
)
@click.option("--reset", is_flag=True, help="Back to where their domain goes.")
@placed
def queue_reroute(place: Place, selection: Selection, target: str | None, reset: bool) -> None:
    """Hand entries to another server, now; what comes later is not affected."""
    if (target is None) == (not reset):
        raise click.UsageError("name a server with --to, or --reset")
    try:
        hop = parse_next_hop(target) if target is not None else None
    except ValueError as error:
        raise click.UsageError(f"--to: {error}") from None
    with place.opened():
        _said("rerouted", control.reroute(selection, hop, SYSTEM_CLOCK.now()), selection)


@queue.command("drop")
@selected
@click.option("--tell-sender", is_flag=True, help="Send a report that it was not delivered.")
@placed
def queue_drop(place: Place, selection: Selection, tell_sender: bool) -> None:
    """Remove entries; their senders are told only when you say so."""
    now = SYSTEM_CLOCK.now()
    with place.opened():
        with db.connection():
            ids = [entry.id for entry in control.find(selection, now, None)]
            hostname = settings.get(settings.HOSTNAME) or "localhost"
        for entry_id in ids:
            settle.dropped(entry_id, tells_sender=tell_sender, hostname=hostname, now=now)
        _said("dropped", ids, selection)


def _said(what: str, ids: list[int], selection: Selection) -> None:
    """Print how many entries it was. Raises NotFound when some that were named are not there."""
    if selection.ids is not None and (missing := sorted(set(selection.ids) - set(ids))):
        raise NotFound(f"not {what}, since there are no such queue entries: {', '.join(map(str, missing))}")
    click.echo(f"{len(ids)} {what}")


def _described(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "state": str(control.state_of(entry, SYSTEM_CLOCK.now())),
        "priority": Priority(entry.priority).name.lower(),
        "from": entry.reverse_path,
        "to": entry.forward_path,
        "domain": entry.domain,
        "next_hop": entry.next_hop,
        "attempts": entry.attempts,
        "created_at": entry.created_at.isoformat(timespec="seconds"),
        "next_attempt_at": entry.next_attempt_at and entry.next_attempt_at.isoformat(timespec="seconds"),
        "expires_at": entry.expires_at.isoformat(timespec="seconds"),
        "last_reply": entry.last_reply,
    }
