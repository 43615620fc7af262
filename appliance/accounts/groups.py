"""Distribution groups: made, found, changed, removed; who is in them, who may write as them.

Owns the rows `MailGroup` and `MailGroupMember`. Members are addresses: of accounts, of other groups, or
outside. Who gets a message in the end is `delivery.expansion`. Reads need a connection, writes are
transactions.
"""

import logging
from collections.abc import Iterable
from itertools import batched
from typing import Any

from appliance import db, logs
from appliance.accounts import accounts, addresses
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import Address, MailGroupMember
from appliance.db.tables import MailGroup as Row
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.group import BOUNCES_SUFFIX, Group, Member, Senders
from appliance.store.statement import Statement

MEMBERS_MAX = 5_000  # of one group, so that one message stays one transaction of reasonable length
AT_ONCE = 500

_COLUMNS = (Row.id, Row.address, Row.name, Row.senders, Row.owner)
_FIND = Statement("SELECT id, address, name, senders, owner_id FROM mail_group WHERE address = ?")
_log = logging.getLogger(__name__)


# --- finding --------------------------------------------------------------------------------------


def find(address: str) -> Group | None:
    """Return the group with exactly this normalised address."""
    rows = _FIND.rows(address)
    return _group(rows[0]) if rows else None


def by_addresses(wanted: Iterable[str]) -> dict[str, Group]:
    """Return the groups that have exactly these normalised addresses."""
    found: dict[str, Group] = {}
    for some in batched(sorted(set(wanted)), AT_ONCE):
        rows = Row.select(*_COLUMNS).where(Row.address.in_(some)).tuples()
        found |= {row[1]: _group(row) for row in rows}
    return found


def require(address: str) -> Group:
    """Return a group by its address however it is spelled; raises NotFound, InvalidInput."""
    found = find(accounts.in_real_domain(addresses.normalise(address)))
    if found is None:
        raise NotFound(f"there is no group {address}")
    return found


def list_groups() -> list[Group]:
    """Return every group by address."""
    return [_group(row) for row in Row.select(*_COLUMNS).order_by(Row.address).tuples()]


def members(group_id: int) -> list[Member]:
    """Return the members of a group by address."""
    columns = (MailGroupMember.address, MailGroupMember.may_send_as)
    query = MailGroupMember.select(*columns).where(MailGroupMember.group == group_id)
    return [Member(row[0], bool(row[1])) for row in query.order_by(MailGroupMember.address).tuples()]


def member_addresses(group_ids: Iterable[int]) -> list[tuple[int, str]]:
    """Return (group, address) of every member of these groups, in no order."""
    found: list[tuple[int, str]] = []
    for some in batched(sorted(set(group_ids)), AT_ONCE):
        query = MailGroupMember.select(MailGroupMember.group, MailGroupMember.address)
        found += list(query.where(MailGroupMember.group.in_(some)).tuples())
    return found


def may_send_as(account: Account, group: Group) -> bool:
    """Say whether an account was given the right to write in the name of a group."""
    own = Address.select(Address.address).where(Address.account == account.id)
    granted = (MailGroupMember.group == group.id) & MailGroupMember.may_send_as
    return bool(MailGroupMember.select().where(granted & MailGroupMember.address.in_(own)).exists())


# --- changing -------------------------------------------------------------------------------------


def create(
    address: str, *, name: str = "", senders: Senders = Senders.INTERNAL, owner: Account | None = None
) -> Group:
    """Make an empty group. Raises InvalidInput (address, name, domain), Conflict (taken)."""
    normal = addresses.for_account(address)
    values = {"name": accounts.display_name_of(name), "senders": senders, "owner": owner and owner.id}
    with accounts.unique(normal):
        return _create(normal, values)


@db.transaction
def _create(address: str, values: dict[str, Any]) -> Group:
    accounts.check_free(address)
    local_part, _, domain = address.rpartition("@")
    bounces = f"{local_part}{BOUNCES_SUFFIX}@{domain}"
    if accounts.is_taken(bounces):
        raise Conflict(f"{bounces} is taken; what the group's members send back needs it")
    Row.create(address=address, created_at=SYSTEM_CLOCK.now(), **values)
    db.after_commit(logs.event, _log, "group_created", address=address, senders=values["senders"])
    return require(address)


@db.transaction
def change(
    address: str,
    *,
    name: str | None = None,
    senders: Senders | None = None,
    owner: Account | None = None,
) -> Group:
    """Change what is given of a group. Raises NotFound, InvalidInput."""
    group = require(address)
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = accounts.display_name_of(name)
    if senders is not None:
        values["senders"] = senders
    if owner is not None:
        values["owner"] = owner.id
    if values:
        Row.update(**values).where(Row.id == group.id).execute()
        db.after_commit(
            logs.event, _log, "group_changed", address=group.address, what=",".join(sorted(values))
        )
    return require(address)


@db.transaction
def remove(address: str) -> None:
    """Remove a group; it leaves the groups it was in. Raises NotFound."""
    group = require(address)
    MailGroupMember.delete().where(
        (MailGroupMember.group == group.id) | (MailGroupMember.address == group.address)
    ).execute()
    Row.delete().where(Row.id == group.id).execute()
    db.after_commit(logs.event, _log, "group_removed", address=group.address)


@db.transaction
def add_members(address: str, new: Iterable[str], *, may_send_as: bool = False) -> None:
    """Put addresses into a group; one that is in it already gets or loses the right to send as the group.

    Raises NotFound (the group, or an address of ours that nobody has), InvalidInput, Conflict (too many).
    """
    group = require(address)
    for each in new:
        member = _member_address(each)
        if member == group.address:
            raise InvalidInput("a group cannot be a member of itself")
        MailGroupMember.insert(group=group.id, address=member, may_send_as=may_send_as).on_conflict(
            conflict_target=[MailGroupMember.group, MailGroupMember.address],
            preserve=[MailGroupMember.may_send_as],
        ).execute()
    count = MailGroupMember.select().where(MailGroupMember.group == group.id).count()
    if count > MEMBERS_MAX:
        raise Conflict(f"a group has at most {MEMBERS_MAX} members; put groups into a group")
    db.after_commit(logs.event, _log, "group_members_changed", address=group.address, members=count)


@db.transaction
def remove_member(address: str, member: str) -> None:
    """Take an address out of a group. Raises NotFound, InvalidInput."""
    group = require(address)
    wanted = _in_real_domain(member)
    same = [each.address for each in members(group.id) if addresses.normalise(each.address) == wanted]
    mine = (MailGroupMember.group == group.id) & MailGroupMember.address.in_(same)
    if not same or not MailGroupMember.delete().where(mine).execute():
        raise NotFound(f"{member} is not in {group.address}")
    db.after_commit(logs.event, _log, "group_members_changed", address=group.address)


def _member_address(text: str) -> str:
    """Return a member's address as it is stored; raises NotFound for one of ours that nobody has."""
    normal = _in_real_domain(text)
    if not accounts.is_local_domain(addresses.domain_of(normal)):
        return addresses.for_others(text)
    if not (accounts.is_taken(normal) or accounts.is_taken(addresses.base_address(normal))):
        raise NotFound(f"nobody here has the address {normal}")
    return normal


def _in_real_domain(text: str) -> str:
    return accounts.in_real_domain(addresses.normalise(text))


def _group(row: tuple[Any, ...]) -> Group:
    return Group(row[0], row[1], row[2], Senders(row[3]), row[4])
