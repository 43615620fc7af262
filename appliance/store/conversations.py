"""Conversations: their messages in all folders, and where those still to come are to go.

A conversation is what shares a `conversation_id`. A rule says that whatever arrives of it goes to one folder
(to Deleted Items when it is ignored); the latest wish holds. Sent Items and Drafts keep theirs.
Source: MS-ASCON 3.2.5.3 Processing an ItemOperations Command.
"""

from collections.abc import Collection
from datetime import datetime
from itertools import batched

from appliance import db
from appliance.db.tables import ConversationRule, Item
from appliance.db.tables import Folder as FolderRow
from appliance.errors import NotFound
from appliance.items.folder import FolderType
from appliance.items.message import Message
from appliance.store import folders, leaving, modseq
from appliance.store.rows import MESSAGE_COLUMNS, message_of

KEPT_IN = (FolderType.SENT, FolderType.DRAFTS)
CONVERSATIONS_AT_ONCE = 500  # looked up by one statement
REACHING_BACK_MAX = 2_000  # older messages of one folder that a filter lets in for their conversations


@db.transaction
def move_always(account_id: int, conversation_id: bytes, folder_id: int) -> int:
    """Move a conversation to a folder, with all that will come of it; return how many messages moved.

    Raises NotFound (folder, or a conversation without a message).
    """
    modseq.hold([account_id])
    target = folders.get(account_id, folder_id)
    of_it = (Item.account == account_id) & (Item.conversation_id == conversation_id)
    if not conversation_id or not Item.select().where(of_it).exists():
        raise NotFound("no such conversation")
    ConversationRule.insert(
        account=account_id, conversation_id=conversation_id, folder=target.id
    ).on_conflict(
        conflict_target=[ConversationRule.account, ConversationRule.conversation_id],
        update={ConversationRule.folder: target.id},
    ).execute()
    query = (
        Item.select(Item.id)
        .join(FolderRow, on=(Item.folder == FolderRow.id))
        .where(of_it & (Item.folder != target.id) & FolderRow.type.not_in(KEPT_IN))
        .order_by(Item.id)
    )
    moved = [row[0] for row in query.tuples()]
    for item_id in moved:
        leaving.move(account_id, item_id, target.id)
    return len(moved)


def sort_arrivals(account_ids: Collection[int], conversation_id: bytes) -> None:
    """Take what has arrived of a conversation in these Inboxes to where its accounts want it.

    Needs a transaction. One look at an index when nobody has such a wish; a wish whose folder has gone ends.
    """
    if not conversation_id:
        return
    rules = ConversationRule.select(ConversationRule.account, ConversationRule.folder).where(
        (ConversationRule.conversation_id == conversation_id)
        & ConversationRule.account.in_(list(account_ids))
    )
    for account_id, folder_id in list(rules.tuples()):
        inbox = folders.special(account_id, FolderType.INBOX)
        query = Item.select(Item.id).where(
            (Item.account == account_id)
            & (Item.conversation_id == conversation_id)
            & (Item.folder == inbox.id)
        )
        try:
            folders.get(account_id, folder_id)
            for (item_id,) in list(query.tuples()) if folder_id != inbox.id else ():
                leaving.move(account_id, item_id, folder_id)
        except NotFound:
            ConversationRule.delete().where(
                (ConversationRule.account == account_id)
                & (ConversationRule.conversation_id == conversation_id)
            ).execute()


def reaching_back(folder_id: int, since: datetime) -> list[Message]:
    """Return the messages of a folder received before a moment whose conversations go on after it.

    Newest first, at most REACHING_BACK_MAX: what a device holds of them is kept with its state. Only what
    lies in the folder counts. Costs what the conversations hold, not the folder. Needs `db.connection()`.
    """
    account = FolderRow.select(FolderRow.account).where(FolderRow.id == folder_id).scalar()
    recent = Item.select(Item.conversation_id).where((Item.folder == folder_id) & (Item.received_at >= since))
    found: list[Message] = []
    for ids in batched((row[0] for row in recent.distinct().tuples()), CONVERSATIONS_AT_ONCE):
        query = (
            Item.select(*MESSAGE_COLUMNS)
            .where(
                (Item.account == account)
                & Item.conversation_id.in_(ids)
                & (Item.folder + 0 == folder_id)  # or the whole folder would be read, not the conversations
                & (Item.received_at < since)
            )
            .order_by(Item.received_at.desc(), Item.id.desc())
            .limit(REACHING_BACK_MAX)
        )
        found += [message_of(row) for row in query.tuples()]
    found.sort(key=lambda message: (message.received_at, message.id), reverse=True)
    return found[:REACHING_BACK_MAX]
