"""Where all mail of an account is sent on, and whether a copy stays. Owns the rows `AccountForward`."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import batched

from appliance import db, logs
from appliance.accounts import accounts, addresses
from appliance.db.tables import AccountForward as Row
from appliance.errors import InvalidInput, NotFound
from appliance.store.statement import Statement

AT_ONCE = 500

# Asked for every recipient of every message, so written out: nearly nobody has anything.
_ANYTHING = Statement(
    "SELECT EXISTS (SELECT 1 FROM account_forward WHERE account_id = ?)"
    " OR EXISTS (SELECT 1 FROM mail_rule WHERE account_id = ?)"
    " OR EXISTS (SELECT 1 FROM sender_verdict WHERE account_id = ?)"
)
_FEW = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Forward:
    """Where mail is sent on."""

    address: str
    keeps_copy: bool


def with_wishes(account_ids: Iterable[int]) -> list[int]:
    """Return those accounts that forward, have rules or list senders; of many, perhaps others too."""
    ids = list(account_ids)
    if len(ids) > _FEW:
        return ids
    return [each for each in ids if _ANYTHING.rows(each, each, each)[0][0]]


def of_accounts(account_ids: Iterable[int]) -> dict[int, Forward]:
    """Return where these accounts send their mail on. Needs a connection."""
    found: dict[int, Forward] = {}
    for some in batched(sorted(set(account_ids)), AT_ONCE):
        rows = Row.select(Row.account, Row.address, Row.keeps_copy).where(Row.account.in_(some)).tuples()
        found |= {row[0]: Forward(row[1], bool(row[2])) for row in rows}
    return found


@db.transaction
def put(account_id: int, address: str, *, keeps_copy: bool) -> None:
    """Send all mail of an account on. Raises NotFound (account), InvalidInput (its own address, or none)."""
    account = accounts.get(account_id)
    if accounts.owns(account, address):
        raise InvalidInput("an account cannot forward to itself")
    goal = addresses.for_others(address)
    Row.insert(account=account_id, address=goal, keeps_copy=keeps_copy).on_conflict(
        conflict_target=[Row.account], preserve=[Row.address, Row.keeps_copy]
    ).execute()
    db.after_commit(logs.event, _log, "forward_set", account=account_id, keeps_copy=keeps_copy)


@db.transaction
def remove(account_id: int) -> None:
    """Send an account's mail on no more. Raises NotFound when it was not."""
    if not Row.delete().where(Row.account == account_id).execute():
        raise NotFound("the account forwards nothing")
    db.after_commit(logs.event, _log, "forward_removed", account=account_id)
