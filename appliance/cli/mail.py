"""`appliance message`: what is in a mailbox. What brings mail along from elsewhere is `bring`."""

from typing import Any

import click

from appliance import db
from appliance.accounts import accounts
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.devices import devices, mass_deletions
from appliance.importing.filing import walk
from appliance.items.account import Account
from appliance.items.folder import Folder, FolderType
from appliance.items.message import Message
from appliance.store import folders, messages

PAGE = 500
SEPARATOR = "/"  # between the folders of a path, as in Projects/2024

folder_option = click.option(
    "--folder", metavar="NAME", help="Folder, or folders/with/slashes [default: Inbox]."
)


@click.group()
def message() -> None:
    """Mail in an account."""


@message.command("list")
@click.argument("address")
@folder_option
@click.option("--limit", type=click.IntRange(min=1), help="Print only the newest so many.")
@show.as_json
@placed
def message_list(place: Place, address: str, folder: str | None, limit: int | None, as_json: bool) -> None:
    """List the messages of a folder, newest first."""
    with place.opened():
        account = _account(address)
        target = _folder(account, folder)
        found = [_described(item) for item in _newest(account, target, limit)]
    if as_json:
        show.document(found)
        return
    heads = ("id", "date", "from", "subject", "size")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@message.command("deletions")
@click.argument("address")
@show.as_json
@placed
def message_deletions(place: Place, address: str, as_json: bool) -> None:
    """List what devices deleted by the dozen, the latest first; `restore` puts it back."""
    with place.opened():
        account = _account(address)
        with db.connection():
            names = {each.id: each.device_id for each in devices.list_devices(account.id)}
            found = [
                {
                    "id": each.id,
                    "at": each.deleted_at.isoformat(timespec="seconds"),
                    "device": names.get(each.device, "forgotten"),
                    "folder": each.folder_name,
                    "messages": each.messages,
                    "told": each.is_told,
                }
                for each in mass_deletions.list_deletions(account.id)
            ]
    if as_json:
        show.document(found)
        return
    heads = ("id", "at", "device", "folder", "messages")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@message.command("restore")
@click.argument("address")
@click.argument("deletion", type=int, required=False)
@show.as_json
@placed
def message_restore(place: Place, address: str, deletion: int | None, as_json: bool) -> None:
    """Put back what a device deleted by the dozen: the deletion of that number.

    Without one, the latest of those that administrators were told of, or the latest of all.
    """
    with place.opened():
        restored = mass_deletions.restore(_account(address).id, deletion)
    if as_json:
        show.document({"restored": restored})
    else:
        click.echo(f"{restored} put back")


def folder_names(path: str) -> tuple[str, ...]:
    """Return the names in a path of folders, the outermost first."""
    return tuple(path.strip(SEPARATOR).split(SEPARATOR))


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)


def _folder(account: Account, path: str | None) -> Folder:
    """Return the folder of a path; raises NotFound."""
    with db.connection():
        if path is None:
            return folders.special(account.id, FolderType.INBOX)
        whole = folders.by_name(account.id, path)  # a name may contain the separator
    return whole or walk(account.id, folder_names(path), may_create=False)


def _newest(account: Account, target: Folder, limit: int | None) -> list[Message]:
    found: list[Message] = []
    while True:
        before = (found[-1].received_at, found[-1].id) if found else None
        wanted = PAGE if limit is None else min(PAGE, limit - len(found))
        with db.connection():
            page = messages.list_page(account.id, target.id, before=before, limit=wanted)
        found += page
        if len(page) < PAGE or len(found) == limit:
            return found


def _described(item: Message) -> dict[str, Any]:
    return {
        "id": item.id,
        "date": item.received_at.isoformat(timespec="seconds"),
        "from": item.sender_from,
        "subject": item.subject,
        "size": item.size,
        "read": item.is_read,
    }
