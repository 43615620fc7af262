"""`appliance rule`: what an account does with mail that arrives, in force at once."""

from pathlib import Path
from typing import Any

import click

from appliance import db
from appliance.accounts import accounts, forwards, rules, sender_lists
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.delivery import filing
from appliance.delivery.filing import Facts, Filing
from appliance.errors import InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.folder import Folder
from appliance.items.rule import WITH_VALUE, Action, Compare, Condition, Deed, Field, Rule
from appliance.mime.headers import parse_headers
from appliance.mime.message import summarise
from appliance.mime.scan import scan
from appliance.store import folders

TESTED_BYTES_MAX = 64 * 1024 * 1024


@click.group()
def rule() -> None:
    """Rules of an account for mail that arrives."""


@rule.command("list")
@click.argument("address")
@show.as_json
@placed
def rule_list(place: Place, address: str, as_json: bool) -> None:
    """List the rules in their order."""
    with place.opened(), db.connection():
        account = accounts.require(address)
        names = _folder_names(account.id)
        found = [_described(each, names) for each in rules.list_of(account.id)]
    if as_json:
        show.document(found)
        return
    rows = [
        (
            about["id"], about["position"], "" if about["enabled"] else "off", about["name"],
            " and ".join(about["if"]), ", ".join(about["then"]), about["trouble"],
        )
        for about in found
    ]  # fmt: skip
    show.table(("id", "position", "state", "name", "if", "then", "trouble"), rows)


@rule.command("add")
@click.argument("address")
@click.option("--name", default="", help="What the rule is called.")
@click.option(
    "--if",
    "conditions",
    multiple=True,
    help="`FIELD TEST VALUE`, such as `from contains example.net`, `size over 1000000`, `attachment is yes`,"
    " `header:X-Ticket begins urgent`; may be repeated, and all must hold.",
)
@click.option(
    "--then",
    "actions",
    multiple=True,
    required=True,
    help="`move FOLDER`, `mark-read`, `flag`, `categorise NAME`, `forward ADDRESS` (the message stays),"
    " `redirect ADDRESS` (it does not), `discard`, `stop`; may be repeated.",
)
@click.option("--position", type=click.IntRange(1), help="Where in the order, from 1 [default: the end].")
@show.as_json
@placed
def rule_add(
    place: Place,
    address: str,
    name: str,
    conditions: tuple[str, ...],
    actions: tuple[str, ...],
    position: int | None,
    as_json: bool,
) -> None:
    """Add a rule; without --if it applies to everything."""
    with place.opened():
        account = _account(address)
        made = rules.add(
            account.id,
            [_condition(text) for text in conditions],
            [_action(account.id, text) for text in actions],
            name=name,
            position=position,
        )
        with db.connection():
            about = _described(made, _folder_names(account.id))
    if as_json:
        show.document(about)
    else:
        click.echo(about["id"])


@rule.command("remove")
@click.argument("address")
@click.argument("rule_id", type=int, metavar="ID")
@placed
def rule_remove(place: Place, address: str, rule_id: int) -> None:
    """Remove a rule."""
    with place.opened():
        rules.remove(_account(address).id, rule_id)


@rule.command("move")
@click.argument("address")
@click.argument("rule_id", type=int, metavar="ID")
@click.argument("position", type=click.IntRange(1))
@placed
def rule_move(place: Place, address: str, rule_id: int, position: int) -> None:
    """Put a rule at another POSITION, from 1."""
    with place.opened():
        rules.move(_account(address).id, rule_id, position)


@rule.command("set")
@click.argument("address")
@click.argument("rule_id", type=int, metavar="ID")
@click.argument("state", type=click.Choice(["on", "off"]))
@placed
def rule_set(place: Place, address: str, rule_id: int, state: str) -> None:
    """Switch a rule on or off."""
    with place.opened():
        rules.set_enabled(_account(address).id, rule_id, state == "on")


@rule.command("test")
@click.argument("address")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--detail", default="", help="What follows the plus sign of the address.")
@click.option("--junk", is_flag=True, help="As if a filter took it for junk.")
@show.as_json
@placed
def rule_test(place: Place, address: str, file: Path, detail: str, junk: bool, as_json: bool) -> None:
    """Say what would become of the message in FILE, and do nothing."""
    if file.stat().st_size > TESTED_BYTES_MAX:
        raise InvalidInput(f"a message to test is at most {TESTED_BYTES_MAX} bytes")
    raw = file.read_bytes()
    headers = parse_headers(raw)
    facts = Facts(headers, len(raw), summarise(raw, scan(raw)).has_attachments, detail)
    with place.opened(), db.connection():
        account = accounts.require(address)
        names = _folder_names(account.id)
        judged = filing.judge(
            facts,
            rules.list_of(account.id),
            is_junk=junk,
            is_blocked=sender_lists.verdict(account.id, headers),
            forward=forwards.of_accounts([account.id]).get(account.id),
        )
    about = _outcome(judged, names)
    if as_json:
        show.document(about)
        return
    for key, value in about.items():
        click.echo(f"{key}: {show.plain(str(value))}")


def _condition(text: str) -> Condition:
    field, _, rest = text.strip().partition(" ")
    test, _, value = rest.strip().partition(" ")
    name, _, header = field.partition(":")
    try:
        return Condition(Field(name.lower()), Compare(test.lower()), value.strip(), header)
    except ValueError:
        raise click.UsageError(f"{text!r} is not like `from contains example.net`") from None


def _action(account_id: int, text: str) -> Action:
    word, _, value = text.strip().partition(" ")
    try:
        deed = Deed(word.lower())
    except ValueError:
        raise click.UsageError(f"{word!r} is nothing a rule can do") from None
    if deed is Deed.MOVE:
        with db.connection():
            return Action(deed, str(_folder(account_id, value.strip()).id))
    return Action(deed, value.strip())


def _folder(account_id: int, name: str) -> Folder:
    """Return a folder by its path, such as `Projects/Roof`."""
    found: Folder | None = None
    for part in name.split("/"):
        found = folders.by_name(account_id, part.strip(), 0 if found is None else found.id)
        if found is None:
            raise NotFound(f"there is no folder {name}")
    assert found is not None
    return found


def _folder_names(account_id: int) -> dict[str, str]:
    return {str(folder.id): folder.name for folder in folders.list_folders(account_id)}


def _described(found: Rule, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": found.id,
        "position": found.position,
        "name": found.name,
        "enabled": found.is_enabled,
        "if": [_said(each) for each in found.conditions],
        "then": [_done(each, names) for each in found.actions],
        "trouble": found.trouble,
    }


def _said(condition: Condition) -> str:
    field = f"header:{condition.header}" if condition.header else str(condition.field)
    return f"{field} {condition.test} {condition.value}"


def _done(action: Action, names: dict[str, str]) -> str:
    value = names.get(action.value, "(a folder that is gone)") if action.deed is Deed.MOVE else action.value
    return f"{action.deed} {value}" if action.deed in WITH_VALUE else str(action.deed)


def _outcome(judged: Filing, names: dict[str, str]) -> dict[str, Any]:
    folder = "Junk Email" if judged.is_junk else "Inbox"
    if judged.move is not None:
        folder = names.get(str(judged.move.folder_id), "Inbox")
    return {
        "kept": judged.is_kept,
        "folder": folder if judged.is_kept else None,
        "read": judged.is_read,
        "flagged": judged.is_flagged,
        "categories": list(judged.categories),
        "sent_on_to": list(judged.sends),
        "answered": judged.answers,
        "rules": list(judged.rules),
    }


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)
