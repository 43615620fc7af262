"""How everything an account has is removed: in small steps, and with nothing left over.

Owns the order of tables. Leaves who hears of it, and that nobody signs in meanwhile, to `accounts.delete`.
"""

from appliance import db
from appliance.accounts import throttle
from appliance.db.tables import (
    AccessToken,
    Account,
    AccountCertificate,
    AccountForward,
    AccountPicture,
    Address,
    Correspondent,
    CorrespondentCursor,
    Device,
    Folder,
    Item,
    MailGroup,
    MailGroupMember,
    MailRule,
    MassDeletion,
    ModseqMark,
    OutOfOffice,
    OutOfOfficeReply,
    SearchState,
    SenderVerdict,
    SendingCount,
    SendingNotice,
    SentClientId,
    SyncState,
    Tombstone,
)
from appliance.devices import mass_deletions
from appliance.store import blobs, modseq, search_index

ITEMS_AT_ONCE = 500  # per transaction, so that removing a large mailbox keeps nobody waiting
_OF_ACCOUNT = (
    AccessToken,
    AccountCertificate,
    AccountForward,
    AccountPicture,
    Correspondent,
    CorrespondentCursor,
    MassDeletion,
    MailRule,
    ModseqMark,
    OutOfOffice,
    OutOfOfficeReply,
    SearchState,
    SenderVerdict,
    SendingCount,
    SendingNotice,
)
"""Tables that lead to the account and to nothing else."""


def remove(account_id: int) -> None:
    """Remove the rows of an account; repeating it after a crash goes on where it stopped."""
    while _remove_some_items(account_id):
        pass
    while mass_deletions.forget_account(account_id):
        pass
    _remove_rest(account_id)


@db.transaction
def _remove_some_items(account_id: int) -> bool:
    """Remove a few items and the blobs nobody else has; returns whether there may be more."""
    some = Item.select(Item.id, Item.blob).where(Item.account == account_id).limit(ITEMS_AT_ONCE)
    rows = list(some.tuples())
    search_index.forget(account_id, [row[0] for row in rows])
    Item.delete().where(Item.id.in_([row[0] for row in rows])).execute()
    blobs.unlink_unused({bytes(row[1]) for row in rows})
    return len(rows) == ITEMS_AT_ONCE


@db.transaction
def _remove_rest(account_id: int) -> None:
    modseq.hold([account_id])  # whoever is delivering finishes first, or finds nobody
    while _remove_some_items(account_id) or mass_deletions.forget_account(account_id):  # what came meanwhile
        pass
    devices = Device.select(Device.id).where(Device.account == account_id)
    for of_device in (SyncState, SentClientId):
        of_device.delete().where(of_device.device.in_(devices)).execute()
    # Whoever gets an address later must not find themselves in the groups of the one before.
    own = Address.select(Address.address).where(Address.account == account_id)
    MailGroupMember.delete().where(MailGroupMember.address.in_(own)).execute()
    MailGroup.update(owner=None).where(MailGroup.owner == account_id).execute()
    for of_account in (*_OF_ACCOUNT, Device, Tombstone, Folder, Address):
        of_account.delete().where(of_account.account == account_id).execute()
    throttle.clear_account(account_id)
    Account.delete().where(Account.id == account_id).execute()
