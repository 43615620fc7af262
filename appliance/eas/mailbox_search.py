"""Criteria of a device carried out on its account's mail: for Search and Find.

Stateless: every request looks anew, newest first, so pages are as stable as the mailbox is, RebuildResults is
what happens anyway, and no search can disturb a synchronisation. The ids in an answer are those of Sync, so
ItemOperations, SmartReply, SmartForward and MoveItems take them.
"""

from typing import Final

from appliance.eas import collection
from appliance.eas.context import Context
from appliance.eas.search_criteria import Criteria, Rows
from appliance.items.message import Message
from appliance.store import folders, search

ROOT: Final = "0"
_COLLECTIONS_MAX: Final = 100


def messages(context: Context, criteria: Criteria, rows: Rows) -> tuple[list[Message], int]:
    """Return the matching messages among these rows and how many match in all, up to `search.RESULTS_MAX`.

    Raises NotFound when a folder is none of the account's: the device's folders are out of date.
    """
    within = _folders(context, criteria)
    if not criteria.wants_mail:
        return [], 0
    return search.find(
        context.account.id,
        criteria.query,
        folders=within,
        received_from=criteria.received_from,
        received_before=criteria.received_before,
        conversation_id=criteria.conversation_id,
        limit=rows.count,
        offset=rows.first,
    )


def _folders(context: Context, criteria: Criteria) -> set[int] | None:
    """Return the ids of the folders to search in, None for all."""
    ids = set(criteria.collection_ids)
    if not ids or ROOT in ids:
        return None
    found: set[int] = set()
    for collection_id in sorted(ids)[:_COLLECTIONS_MAX]:
        folder = collection.find(context, collection_id)
        found.add(folder.id)
        if criteria.is_deep:
            found.update(child.id for child in folders.below(context.account.id, folder))
    return found
