"""Whom an account has written to: the strangers who are none.

Owns the rows `Correspondent` and `CorrespondentCursor`. Theory of operation: nothing is done when mail is
sent. Who wants to know reads on in Sent Items from where the last one stopped (an index range of
`created_modseq`), so what was imported or sent years ago counts, every sent message is read once in its
life, and the question itself is one look at a primary key. `catch_up` does the bulk beforehand in small
transactions; `is_known` reads only what came since, and no more than PAGE.

An address stays known when the message is deleted.
"""

from collections.abc import Collection, Iterable
from itertools import batched

from appliance import db
from appliance.accounts import addresses
from appliance.db.tables import Correspondent, CorrespondentCursor, Item
from appliance.errors import InvalidInput
from appliance.items.folder import FolderType
from appliance.mime.addresses import parse_addresses
from appliance.store import folders

PAGE = 200
"""Sent messages read in one transaction."""
_ROWS_AT_ONCE = 200


def catch_up(account_id: int) -> None:
    """Read all of Sent Items that has not been read yet. Opens its own transactions."""
    while _read_on(account_id):
        pass


def is_behind(account_id: int) -> bool:
    """Say whether so much of Sent Items is unread that `catch_up` should come first. Needs a connection."""
    sent = folders.special(account_id, FolderType.SENT)
    later = (Item.folder == sent.id) & (Item.created_modseq > _cursor(account_id))
    return Item.select(Item.id).where(later).order_by(Item.created_modseq).offset(PAGE).first() is not None


@db.transaction
def is_known(account_id: int, address: str) -> bool:
    """Say whether the account has written to an address (normalised)."""
    if _exists(account_id, address):
        return True
    return bool(_read_on(account_id)) and _exists(account_id, address)


@db.transaction
def count_strangers(account_id: int, wanted: Collection[str]) -> int:
    """Return how many of these addresses (normalised) the account has never written to.

    Reads on in Sent Items, but no more than PAGE: see `is_behind`.
    """
    _read_on(account_id)
    known = 0
    for some in batched(sorted(set(wanted)), _ROWS_AT_ONCE):
        mine = (Correspondent.account == account_id) & Correspondent.address.in_(some)
        known += Correspondent.select().where(mine).count()
    return len(set(wanted)) - known


@db.transaction
def _read_on(account_id: int) -> int:
    """Read the next PAGE of sent messages and return how many there were."""
    sent = folders.special(account_id, FolderType.SENT)
    rows = list(
        Item.select(Item.created_modseq, Item.to, Item.cc, Item.bcc)
        .where((Item.folder == sent.id) & (Item.created_modseq > _cursor(account_id)))
        .order_by(Item.created_modseq)
        .limit(PAGE)
        .tuples()
    )
    if rows:
        _remember(account_id, {address for row in rows for address in _addresses(row[1:])})
        CorrespondentCursor.insert(account=account_id, modseq=rows[-1][0]).on_conflict(
            conflict_target=[CorrespondentCursor.account], preserve=[CorrespondentCursor.modseq]
        ).execute()
    return len(rows)


def _cursor(account_id: int) -> int:
    begin = CorrespondentCursor.select(CorrespondentCursor.modseq)
    row = begin.where(CorrespondentCursor.account == account_id).tuples().first()
    return int(row[0]) if row else 0


def _remember(account_id: int, found: Iterable[str]) -> None:
    rows = [{"account": account_id, "address": address} for address in sorted(found)]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        Correspondent.insert_many(rows[start : start + _ROWS_AT_ONCE]).on_conflict_ignore().execute()


def _addresses(fields: Iterable[str]) -> set[str]:
    found = set()
    for field in fields:
        for named in parse_addresses(field):
            try:
                found.add(addresses.normalise(named.address))
            except InvalidInput:
                continue
    return found


def _exists(account_id: int, address: str) -> bool:
    same = (Correspondent.account == account_id) & (Correspondent.address == address)
    return bool(Correspondent.select().where(same).exists())
