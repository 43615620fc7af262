"""Messages added to folders, and drafts given new bytes. What has left is `leaving`."""

from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from appliance import db
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import NotFound, QuotaExceeded
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.store import blobs, folders, modseq, search_index
from appliance.store.lookup import get
from appliance.store.rows import insert_item
from appliance.store.state import touch
from appliance.store.statement import Statement

_INSERT_CONTENT = Statement(
    "INSERT INTO content (digest, structure, text, is_text_complete, attachment_names) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)


@db.transaction
def file(
    account_id: int,
    folder_id: int,
    arrival: Arrival,
    *,
    received_at: datetime | None = None,
    is_read: bool = False,
    is_draft: bool = False,
    received_as_bcc: bool = False,
    changed_by: int | None = None,
) -> int:
    """Add one message to a folder and return its id; durable when it returns.

    Raises NotFound (account, folder), QuotaExceeded. Phones are told after the commit.
    """
    number = modseq.take(account_id, size=arrival.blob.size)
    folders.items_changed(account_id, folder_id, number, total=1, unread=0 if is_read else 1)
    _link(arrival)
    item_id = insert_item(
        account_id,
        folder_id,
        arrival,
        number,
        received_at=received_at or SYSTEM_CLOCK.now(),
        is_read=is_read,
        is_draft=is_draft,
        received_as_bcc=received_as_bcc,
        created_by=changed_by,
    )
    search_index.filed(account_id)
    return item_id


def file_for_all(
    account_ids: Iterable[int],
    type_: FolderType,
    arrival: Arrival,
    *,
    received_at: datetime,
    blind: Collection[int] = (),
    ignores_quota: bool = False,
) -> dict[int, QuotaExceeded | NotFound]:
    """Add one message to the special folder of several accounts; return who did not take it, and why.

    blind: those of them that receive it as a blind copy. Needs a transaction. Costs three statements an
    account, and nothing for those that did not take it.
    """
    refused: dict[int, QuotaExceeded | NotFound] = {}
    is_linked = False
    for account_id in sorted(set(account_ids)):  # in the order of `modseq.hold`
        try:
            number = modseq.take(account_id, size=arrival.blob.size, ignores_quota=ignores_quota)
        except (QuotaExceeded, NotFound) as error:
            refused[account_id] = error  # and nothing of it was written
            continue
        folder_id = folders.special_items_changed(account_id, type_, number, total=1, unread=1)
        if not is_linked:
            _link(arrival)
            is_linked = True
        insert_item(
            account_id,
            folder_id,
            arrival,
            number,
            received_at=received_at,
            is_read=False,
            is_draft=False,
            received_as_bcc=account_id in blind,
            created_by=None,
        )
        search_index.filed(account_id)
    return refused


@db.transaction
def replace(
    account_id: int, item_id: int, arrival: Arrival, *, changed_by: int | None = None, **state: Any
) -> None:
    """Give a draft new bytes under the same id; raises NotFound, QuotaExceeded.

    state: columns of the item that change with them, such as is_draft.
    """
    modseq.hold([account_id])
    message = get(account_id, item_id)
    search_index.forget(account_id, [item_id])
    _link(arrival)
    touch(
        message,
        changed_by,
        "content_modseq",
        growth=arrival.blob.size - message.size,
        blob=arrival.blob.digest,
        size=arrival.blob.size,
        **asdict(arrival.columns),
        **state,
    )
    if message.digest != arrival.blob.digest:
        blobs.unlink_unused([message.digest])


def _link(arrival: Arrival) -> None:
    """Write the rows that items share. The blob's comes first: holding it keeps the other one, too."""
    blobs.link(arrival.blob)
    content = arrival.content
    _INSERT_CONTENT.run(
        arrival.blob.digest,
        content.structure,
        content.text,
        content.is_text_complete,
        content.attachment_names,
    )
