"""Senders an account blocks, and those it always wants to hear of.

Owns the rows `SenderVerdict`. An entry is an address or, as `@example.net`, a whole domain; an address counts
more than its domain. Reads need a connection.
"""

import logging
from collections.abc import Iterable
from itertools import batched

from appliance import db, logs
from appliance.accounts import addresses
from appliance.db.tables import Account
from appliance.db.tables import SenderVerdict as Row
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.mime.headers import Headers
from appliance.store import modseq

ENTRIES_MAX = 1_000  # of an account
AT_ONCE = 500
_log = logging.getLogger(__name__)


def normal_form(sender: str) -> str:
    """Return an address or `@domain` in the form of an entry; raises InvalidInput."""
    text = sender.strip()
    if text.startswith("@"):
        return "@" + addresses.normalise_domain(text[1:])
    return addresses.base_address(addresses.normalise(text))


def list_of(account_id: int) -> list[tuple[str, bool]]:
    """Return (sender, is blocked) of an account, ordered."""
    query = Row.select(Row.sender, Row.is_blocked).where(Row.account == account_id)
    return [(row[0], bool(row[1])) for row in query.order_by(Row.sender).tuples()]


def blocked(account_ids: Iterable[int], sender: str) -> dict[int, bool]:
    """Return which of these accounts have an entry for a normalised sender: True blocked, False safe."""
    exact = addresses.base_address(sender)
    keys = [exact, "@" + addresses.domain_of(exact)]
    found: dict[int, bool] = {}
    for some in batched(sorted(set(account_ids)), AT_ONCE):
        query = Row.select(Row.account, Row.sender, Row.is_blocked)
        for account_id, key, is_blocked in query.where(Row.account.in_(some) & Row.sender.in_(keys)).tuples():
            if key == exact or account_id not in found:
                found[account_id] = bool(is_blocked)
    return found


def verdict(account_id: int, headers: Headers) -> bool | None:
    """Return what an account said of whoever a message's From names: True blocked, False safe."""
    return blocked([account_id], writer(headers)).get(account_id)


def writer(headers: Headers) -> str:
    """Return the address in From, normalised, which is whom people mean when they block; "@" for none."""
    for named in headers.addresses("From", 1):
        try:
            return addresses.normalise(named.address)
        except InvalidInput:
            break
    return "@"


@db.transaction
def put(account_id: int, sender: str, *, is_blocked: bool) -> None:
    """Block a sender, or make it a safe one; the latest wish holds.

    Raises InvalidInput, NotFound, Conflict (too many).
    """
    entry = normal_form(sender)
    modseq.hold([account_id])
    if not Account.select().where(Account.id == account_id).exists():
        raise NotFound("no such account")
    Row.insert(account=account_id, sender=entry, is_blocked=is_blocked).on_conflict(
        conflict_target=[Row.account, Row.sender], preserve=[Row.is_blocked]
    ).execute()
    if Row.select().where(Row.account == account_id).count() > ENTRIES_MAX:
        raise Conflict(f"an account lists at most {ENTRIES_MAX} senders")
    db.after_commit(logs.event, _log, "sender_listed", account=account_id, is_blocked=is_blocked)


@db.transaction
def remove(account_id: int, sender: str) -> None:
    """Forget what an account wanted of a sender. Raises InvalidInput, NotFound."""
    mine = (Row.account == account_id) & (Row.sender == normal_form(sender))
    if not Row.delete().where(mine).execute():
        raise NotFound(f"{sender} is not listed")
