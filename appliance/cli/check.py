"""`appliance check`: is what is stored whole, and is what must be private so?

Reads everything and changes nothing; it may run beside a working appliance. What the outside world sees
(DNS, ports, reachability) is another question.
"""

import hashlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import peewee

from appliance import db
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Account, Blob, Content, Folder, Item
from appliance.domains import certificates
from appliance.errors import InvalidInput, NotFound
from appliance.setup import settings
from appliance.store import blobs

PAGE = 500
REPORTED_MAX = 20  # of one kind: a lost disk has a million


@dataclass(slots=True)
class Checked:
    """What was found about one subject; without errors it is in order."""

    name: str
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def error(self, text: str) -> None:
        """Report an error; of very many the first ones."""
        if len(self.errors) == REPORTED_MAX:
            self.errors.append("… and more")
        elif len(self.errors) < REPORTED_MAX:
            self.errors.append(text)


@click.command()
@show.as_json
@placed
def check(place: Place, as_json: bool) -> None:
    """Verify the data directory: database, messages, counters, certificate, permissions."""
    with place.opened() as config:
        results = list(all_checks(config.data_dir))
    is_ok = not any(result.errors for result in results)
    if as_json:
        show.document({"ok": is_ok, "checks": [_described(result) for result in results]})
    else:
        for result in results:
            _print(result)
    if not is_ok:
        raise SystemExit(1)


def all_checks(data_dir: Path) -> Iterator[Checked]:
    """Yield the result of every check; needs an open database."""
    subjects: tuple[tuple[str, Callable[[Checked], None]], ...] = (
        ("database", _database),
        ("messages", _messages),
        ("counters", _counters),
        ("certificate", lambda result: _certificate(result, data_dir)),
        ("permissions", lambda result: _permissions(result, data_dir)),
    )
    for name, examine in subjects:
        result = Checked(name)
        examine(result)
        yield result


def _database(result: Checked) -> None:
    with db.connection():
        if not db.is_sqlite():
            db.proxy.execute_sql("SELECT 1")  # PostgreSQL watches over its own files
            return
        for (line,) in db.proxy.execute_sql("PRAGMA integrity_check(20)"):
            if line != "ok":
                result.error(str(line))
        for table, row_id, parent, _ in db.proxy.execute_sql("PRAGMA foreign_key_check"):
            result.error(f"row {row_id} of {table} refers to nothing in {parent}")


def _messages(result: Checked) -> None:
    last = b""
    while page := _digests_after(last):
        for digest, size in page:
            if (trouble := _trouble(digest, size)) and _is_still_named(digest):
                result.error(f"blob {digest.hex()}: {trouble}")
        last = page[-1][0]
    with db.connection():
        without = Item.select(Item.id).join(Content, peewee.JOIN.LEFT_OUTER, on=(Content.digest == Item.blob))
        for (item_id,) in without.where(Content.digest.is_null()).limit(REPORTED_MAX + 1).tuples():
            result.error(f"item {item_id}: what was derived from its message is missing")


def _digests_after(last: bytes) -> list[tuple[bytes, int]]:
    query = Blob.select(Blob.digest, Blob.size).where(Blob.digest > last).order_by(Blob.digest).limit(PAGE)
    with db.connection():
        return [(bytes(digest), size) for digest, size in query.tuples()]


def _trouble(digest: bytes, size: int) -> str:
    """Return what is wrong with a blob's bytes, "" when nothing is."""
    try:
        with db.connection():
            raw = blobs.read(digest)
    except NotFound as error:
        return str(error)
    except OSError as error:
        return error.strerror or str(error)
    if len(raw) != size:
        return f"{len(raw)} bytes instead of {size}"
    return "" if hashlib.sha256(raw).digest() == digest else "its bytes have changed"


def _is_still_named(digest: bytes) -> bool:
    """A running appliance removes blobs while we read them."""
    with db.connection():
        return bool(Blob.select().where(Blob.digest == digest).exists())


def _counters(result: Checked) -> None:
    # One snapshot each: a message that arrives between two reads would look like a wrong counter.
    is_unread = Item.id.is_null(False) & ~Item.is_read
    unread = peewee.fn.COALESCE(peewee.fn.SUM(peewee.Case(None, ((is_unread, 1),), 0)), 0)
    counted = (
        Folder.select(Folder.id, Folder.total, Folder.unread, peewee.fn.COUNT(Item.id), unread)
        .join(Item, peewee.JOIN.LEFT_OUTER, on=(Item.folder == Folder.id))
        .where(~Folder.is_deleted)
        .group_by(Folder.id, Folder.total, Folder.unread)
    )
    with db.snapshot():
        for folder_id, total, folder_unread, items, items_unread in counted.tuples():
            if (total, folder_unread) != (items, items_unread):
                result.error(
                    f"folder {folder_id} says {total} messages, {folder_unread} unread;"
                    f" it has {items}, {items_unread} unread"
                )
    used = peewee.fn.COALESCE(peewee.fn.SUM(Item.size), 0)
    summed = (
        Account.select(Account.address, Account.used_bytes, used)
        .join(Item, peewee.JOIN.LEFT_OUTER, on=(Item.account == Account.id))
        .group_by(Account.address, Account.used_bytes)
    )
    with db.snapshot():
        for address, says, has in summed.tuples():
            if says != has:
                result.error(f"{address} says {says} bytes used; it has {has}")


def _certificate(result: Checked, data_dir: Path) -> None:
    try:
        found = certificates.installed(data_dir)
    except InvalidInput as error:
        result.error(str(error))
        return
    with db.connection():
        hostname = settings.get(settings.HOSTNAME)
    if found is None:
        result.error("there is no certificate")
        return
    now = SYSTEM_CLOCK.now()
    if not found.fits_key:
        result.error("certificate and key do not belong together")
    if not found.valid_from <= now <= found.valid_until:
        result.error(f"valid from {found.valid_from:%Y-%m-%d} to {found.valid_until:%Y-%m-%d}, not today")
    if hostname and not certificates.names_host(found, hostname):
        result.error(f"does not name {hostname}")
    if found.is_self_signed:
        result.warnings.append("self-signed: phones ask before they trust it")


def _permissions(result: Checked, data_dir: Path) -> None:
    if not (data_dir / "keys").is_dir():
        result.error(f"{data_dir / 'keys'} is missing")
        return
    private = [data_dir / "keys", *(data_dir / "keys").rglob("*"), certificates.key_path(data_dir)]
    owner = data_dir.stat().st_uid
    for path in private:
        if not path.exists():
            continue
        about = path.stat()
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            result.error(f"{path} can be used by others (mode {stat.S_IMODE(about.st_mode):04o})")
        if about.st_uid != owner:
            result.error(f"{path} does not belong to the owner of the data directory")


def _described(result: Checked) -> dict[str, object]:
    return {
        "name": result.name,
        "ok": not result.errors,
        "errors": result.errors,
        "warnings": result.warnings,
    }


def _print(result: Checked) -> None:
    click.echo(f"{'failed' if result.errors else 'ok    '}  {result.name}")
    for kind, texts in (("error", result.errors), ("warning", result.warnings)):
        for text in texts:
            click.echo(f"        {kind}: {show.plain(text)}")
