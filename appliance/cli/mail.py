"""`appliance message`: mail put into a mailbox from files, and listings of what is there."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from appliance import db
from appliance.accounts import accounts
from appliance.cli import show, sources
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Item
from appliance.delivery import arrival
from appliance.devices import devices, mass_deletions
from appliance.errors import ApplianceError, NotFound, QuotaExceeded
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


@dataclass(slots=True)
class _Report:
    """What became of an import."""

    imported: int = 0
    already_there: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    def fail(self, source: str, error: str) -> None:
        self.failed.append({"source": source, "error": error})


@message.command("import")
@click.argument("address")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@folder_option
@click.option("--read", is_flag=True, help="Mark everything read [default: as the files say, else unread].")
@show.as_json
@placed
def message_import(
    place: Place, address: str, paths: tuple[Path, ...], folder: str | None, read: bool, as_json: bool
) -> None:
    """Put messages from .eml files, mbox files, Maildirs and folders of these into a mailbox.

    Each keeps the date it was received on. A folder that does not exist is made. What is in the folder
    already is left alone, so an import that was interrupted can be repeated. Files that cannot be read
    are reported and passed over; exit status 1 if there were any.
    """
    report = _Report()
    now = SYSTEM_CLOCK.now()
    with place.opened():
        account = _account(address)
        target = _folder(account, folder, create=True)
        for path in paths:
            for found in sources.messages(path, now):
                _file(account, target, found, read, report)
    _print(report, as_json)


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
        target = _folder(account, folder, create=False)
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
    """Put back what a device deleted by the dozen: the latest such deletion, or the one of that number."""
    with place.opened():
        restored = mass_deletions.restore(_account(address).id, deletion)
    if as_json:
        show.document({"restored": restored})
    else:
        click.echo(f"{restored} put back")


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)


def _folder(account: Account, path: str | None, *, create: bool) -> Folder:
    """Return the folder of a path; raises NotFound unless it may be made."""
    with db.connection():
        if path is None:
            return folders.special(account.id, FolderType.INBOX)
        whole = folders.by_name(account.id, path)  # a name may contain the separator
    if whole is not None:
        return whole
    found: Folder | None = None
    for name in path.strip(SEPARATOR).split(SEPARATOR):
        parent_id = 0 if found is None else found.id
        with db.connection():
            found = folders.by_name(account.id, name, parent_id)
        if found is None:
            if not create:
                raise NotFound(f"{account.address} has no folder {path}")
            found = folders.create(account.id, parent_id, name, FolderType.USER_MAIL)
    assert found is not None  # splitting a text gives at least one name
    return found


def _file(
    account: Account, target: Folder, found: sources.Found | sources.Failed, read: bool, report: _Report
) -> None:
    """Put one message into the folder; what goes wrong with it is reported, the next one is tried.

    Raises QuotaExceeded: the next one would not fit either.
    """
    if isinstance(found, sources.Failed):
        report.fail(found.source, found.error)
        return
    try:
        prepared = arrival.prepare(found.raw)
        if _is_there(target, prepared.blob.digest):
            report.already_there += 1
            return
        is_read = read or bool(found.is_read)
        messages.file(account.id, target.id, prepared, received_at=found.received_at, is_read=is_read)
        report.imported += 1
    except QuotaExceeded as error:
        raise QuotaExceeded(f"{error}, after {report.imported} messages; next was {found.source}") from error
    except ApplianceError as error:
        report.fail(found.source, str(error))


def _is_there(target: Folder, digest: bytes) -> bool:
    with db.connection():
        return bool(Item.select().where((Item.blob == digest) & (Item.folder == target.id)).exists())


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


def _print(report: _Report, as_json: bool) -> None:
    if as_json:
        show.document(asdict(report))
    else:
        for failure in report.failed:
            click.echo(f"{show.plain(failure['source'])}: {failure['error']}", err=True)
        click.echo(
            f"{report.imported} imported, {report.already_there} already there, {len(report.failed)} failed"
        )
    if report.failed:
        raise SystemExit(1)
