"""The guard against a device that deletes half a folder at once: done as asked, but it can be taken back.

A phone that has lost its mind, or its state, deletes everywhere what it no longer sees. Nobody can tell
that from a user who cleans up, so the deletion is carried out; what the messages were is kept for KEPT, and
the administrators are told how to put them back. Emptying Deleted Items is everyday business: kept, but no
news.

A phone deletes in exchanges of a few dozen. Whatever is deleted by the dozen is therefore kept, exchanges
that follow one another are one deletion, and what counts is how much of the folder that was in the end.

The messages count for nobody's quota meanwhile. Putting back makes new messages: phones get them as such.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from appliance import db, logs
from appliance.db.tables import Account, DeletedItem, Item, MassDeletion
from appliance.delivery import arrival
from appliance.devices import notices
from appliance.devices.notices import Notice
from appliance.errors import NotFound
from appliance.items.folder import Folder, FolderType
from appliance.items.message import Arrival
from appliance.metrics import counter
from appliance.store import blobs, folders, messages, modseq
from appliance.store.rows import flag_from_json

log = logging.getLogger("appliance.devices")
MASS_DELETIONS = counter("appliance_device_mass_deletions_total", "Deletions of very much by one device.")

NUMBER_MIN = 20  # messages in one deletion: more than this ...
SHARE_MIN = 0.3  # ... and more than this part of the folder is told
BEGINS_WITH = 10  # messages in one exchange; fewer begin no deletion, but may go on with one
GOES_ON_WITHIN = timedelta(minutes=10)  # between two exchanges
KEPT = timedelta(days=30)
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Guarded:
    """What is about to be deleted, and the news of it when it has become very much."""

    account_id: int
    device: int
    folder: Folder
    item_ids: tuple[int, ...]
    is_much: bool
    notices: tuple[Notice, ...]
    now: datetime


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion that can be taken back."""

    id: int
    device: int
    folder_name: str
    deleted_at: datetime
    messages: int
    is_told: bool


def guard(
    account_id: int, device: int, folder_id: int, item_ids: Iterable[int], now: datetime
) -> Guarded | None:
    """Return what `keep` needs of deletions by the dozen, None for a few. Not for transactions."""
    ids = tuple(item_ids)
    if not ids:
        return None
    with db.connection():
        folder = folders.get(account_id, folder_id)
        here = Item.select(Item.id).where((Item.folder == folder_id) & (Item.account == account_id))
        ids = tuple(row[0] for row in here.where(Item.id.in_(ids)).tuples())
        going_on = _going_on(account_id, device, folder_id, now)
        before = 0 if going_on is None else _count(going_on.id)
    if not ids or (going_on is None and len(ids) < BEGINS_WITH):
        return None
    number, total = before + len(ids), folder.total if going_on is None else going_on.folder_total
    is_much = number > NUMBER_MIN and number > SHARE_MIN * total
    is_news = is_much and not (going_on and going_on.is_told) and folder.type != FolderType.DELETED
    news = tuple(_news(account_id, folder.name, number, total, now)) if is_news else ()
    return Guarded(account_id, device, folder, ids, is_much, news, now)


@db.transaction
def keep(guarded: Guarded) -> None:
    """Write down what the messages are, before they are deleted in the same transaction."""
    modseq.hold([guarded.account_id])
    columns = (Item.id, Item.blob, Item.received_at, Item.is_read, Item.flag, Item.categories)
    here = (Item.folder == guarded.folder.id) & (Item.account == guarded.account_id)
    rows = list(Item.select(*columns).where(here & Item.id.in_(guarded.item_ids)).tuples())
    deletion = _going_on(guarded.account_id, guarded.device, guarded.folder.id, guarded.now)
    if deletion is None:
        deletion = MassDeletion.create(
            account=guarded.account_id,
            device=guarded.device,
            folder=guarded.folder.id,
            folder_name=guarded.folder.name,
            folder_total=guarded.folder.total,
            deleted_at=guarded.now,
        )
    was_told = deletion.is_told
    MassDeletion.update(continued_at=guarded.now, is_told=was_told or guarded.is_much).where(
        MassDeletion.id == deletion.id
    ).execute()
    of = DeletedItem
    fields = (of.deletion, of.folder, of.item, of.blob, of.received_at, of.is_read, of.flag, of.categories)
    of.insert_many([(deletion.id, guarded.folder.id, *row) for row in rows], fields=fields).execute()
    if guarded.is_much and not was_told:
        for notice in guarded.notices:
            notices.file(notice)
        db.after_commit(_tell, guarded, int(deletion.id))


def _going_on(account_id: int, device: int, folder_id: int, now: datetime) -> Any:
    """Return the row of the deletion that further ones of a device in a folder belong to; None for none."""
    is_one = (MassDeletion.account == account_id) & (MassDeletion.device == device)
    is_one &= (MassDeletion.folder == folder_id) & (MassDeletion.continued_at > now - GOES_ON_WITHIN)
    return MassDeletion.select().where(is_one).order_by(MassDeletion.id.desc()).first()


def _count(deletion: int) -> int:
    return int(DeletedItem.select().where(DeletedItem.deletion == deletion).count())


def list_deletions(account_id: int) -> list[Deletion]:
    """Return what can be taken back in an account, the latest first. Needs `db.connection()`."""
    query = MassDeletion.select().where(MassDeletion.account == account_id).order_by(MassDeletion.id.desc())
    return [
        Deletion(
            row.id,
            row.device,
            row.folder_name,
            row.deleted_at,
            _count(row.id),
            bool(row.is_told),
        )
        for row in query
    ]


def restore(account_id: int, deletion: int | None = None) -> int:
    """Put the messages of a deletion back where they were; return how many.

    deletion: its number; None for the latest that administrators were told of, else the latest. A message
    that lies in Deleted Items is moved back. Where the folder is gone they come into the Inbox. Going on
    after an interruption puts nothing back twice. Raises NotFound, QuotaExceeded.
    """
    with db.connection():
        known = list_deletions(account_id)
    known.sort(key=lambda each: (each.is_told, each.id), reverse=True)
    wanted = next((each.id for each in known if deletion in (None, each.id)), None)
    if wanted is None:
        raise NotFound("there is nothing that could be put back")
    restored = 0
    for row_id, digest in _rows(wanted):
        with db.connection():
            raw = blobs.read(digest)
        restored += _restore_one(account_id, row_id, arrival.prepare(raw))
    _forget(wanted)
    logs.event(log, "mass_deletion_restored", account=account_id, deletion=wanted, messages=restored)
    return restored


@db.transaction
def forget(now: datetime) -> int:
    """Let go of some messages that were deleted longer than KEPT ago; returns how many."""
    old = MassDeletion.select(MassDeletion.id).where(MassDeletion.deleted_at < now - KEPT)
    number = _forget_items([row[0] for row in old.tuples()])
    if not number:
        number = int(MassDeletion.delete().where(MassDeletion.deleted_at < now - KEPT).execute())
    return number


@db.transaction
def forget_account(account_id: int) -> int:
    """Let go of some messages of an account that is being removed; returns how many."""
    of_account = MassDeletion.select(MassDeletion.id).where(MassDeletion.account == account_id)
    return _forget_items([row[0] for row in of_account.tuples()])


def _forget_items(deletions: list[int]) -> int:
    some = DeletedItem.select(DeletedItem.id, DeletedItem.blob).where(DeletedItem.deletion.in_(deletions))
    rows = list(some.limit(AT_ONCE).tuples())
    DeletedItem.delete().where(DeletedItem.id.in_([row[0] for row in rows])).execute()
    blobs.unlink_unused(bytes(row[1]) for row in rows)
    return len(rows)


def _rows(deletion: int) -> Iterator[tuple[int, bytes]]:
    """Yield what is left of a deletion: number and digest, oldest message first."""
    with db.connection():
        query = DeletedItem.select(DeletedItem.id, DeletedItem.blob).where(DeletedItem.deletion == deletion)
        rows = [(int(row[0]), bytes(row[1])) for row in query.order_by(DeletedItem.received_at).tuples()]
    yield from rows


@db.transaction
def _restore_one(account_id: int, row_id: int, prepared: Arrival) -> int:
    modseq.hold([account_id])
    row = DeletedItem.select().where(DeletedItem.id == row_id).first()
    if row is None:
        return 0  # somebody else put it back
    target = _place(account_id, row.folder)
    lives = _where_it_went(account_id, row.item)
    if lives is not None:
        if messages.get(account_id, lives).folder_id != target:
            messages.move(account_id, lives, target)
    else:
        new_id = messages.file(
            account_id, target, prepared, received_at=row.received_at, is_read=bool(row.is_read)
        )
        if row.flag:
            messages.set_flag(account_id, new_id, flag_from_json(row.flag))
        if row.categories:
            messages.set_categories(account_id, new_id, tuple(json.loads(row.categories)))
    DeletedItem.delete().where(DeletedItem.id == row_id).execute()
    return 1


def _place(account_id: int, folder_id: int) -> int:
    try:
        return folders.get(account_id, folder_id).id
    except NotFound:
        return folders.special(account_id, FolderType.INBOX).id


def _where_it_went(account_id: int, item_id: int) -> int | None:
    """Return the id under which a message lives today; None when it does not."""
    here = item_id
    while (gone := messages.tombstone(account_id, here)) is not None:
        if gone.moved_to is None:
            return None
        here = gone.moved_to
    try:
        return messages.get(account_id, here).id
    except NotFound:
        return None


@db.transaction
def _forget(deletion: int) -> None:
    if not DeletedItem.select().where(DeletedItem.deletion == deletion).exists():
        MassDeletion.delete().where(MassDeletion.id == deletion).execute()


def _news(account_id: int, folder: str, number: int, total: int, now: datetime) -> Iterator[Notice]:
    with db.connection():
        address = Account.select(Account.address).where(Account.id == account_id).tuples().get()[0]
        is_told = Account.is_admin & Account.is_enabled
        admins = [row[0] for row in Account.select(Account.id).where(is_told).tuples()]
    text = (
        f"A device of {address} has deleted {number} of the {total} messages in the folder"
        f" {folder} at once. If nobody meant to, they can be put back within {KEPT.days} days:\n\n"
        f"    appliance message restore {address}\n"
    )
    for admin in admins:
        yield notices.prepare(admin, f"Many messages of {address} were deleted at once", text, now)


def _tell(guarded: Guarded, deletion: int) -> None:
    MASS_DELETIONS.inc()
    logs.event(
        log,
        "mass_deletion",
        level=logging.WARNING,
        account=guarded.account_id,
        device=guarded.device,
        folder=guarded.folder.id,
        messages=len(guarded.item_ids),
        deletion=deletion,
    )
