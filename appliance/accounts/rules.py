"""Rules of accounts for arriving mail: what may be one, their order, how they are kept.

Owns the rows `MailRule`. What a rule does to a message is `delivery.filing`. Reads need a connection.
"""

import json
import logging
import re
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any

from appliance import db, logs
from appliance.accounts import addresses
from appliance.db.tables import Account
from appliance.db.tables import MailRule as Row
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.rule import COMPARES_OF, WITH_VALUE, Action, Compare, Condition, Deed, Field, Rule
from appliance.store import folders, modseq

RULES_MAX = 100  # of an account
CONDITIONS_MAX = 10
ACTIONS_MAX = 8
SENDS_MAX = 3  # addresses one rule sends a message on to
VALUE_CHARS_MAX = 256
AT_ONCE = 500

_COLUMNS = (
    Row.account,
    Row.id,
    Row.position,
    Row.name,
    Row.is_enabled,
    Row.conditions,
    Row.actions,
    Row.trouble,
)
_FIELD_NAME = re.compile(r"[!-9;-~]{1,100}")
_SENDING = (Deed.FORWARD, Deed.REDIRECT)
_log = logging.getLogger(__name__)


def list_of(account_id: int) -> list[Rule]:
    """Return the rules of an account in their order, disabled ones too."""
    return of_accounts([account_id], with_disabled=True).get(account_id, [])


def of_accounts(account_ids: Iterable[int], *, with_disabled: bool = False) -> dict[int, list[Rule]]:
    """Return the rules of these accounts in their order, by account."""
    found: dict[int, list[Rule]] = {}
    for some in batched(sorted(set(account_ids)), AT_ONCE):
        condition = Row.account.in_(some) if with_disabled else Row.account.in_(some) & Row.is_enabled
        for account_id, *row in Row.select(*_COLUMNS).where(condition).order_by(Row.position).tuples():
            found.setdefault(account_id, []).append(_rule(row))
    return found


@db.transaction
def add(
    account_id: int,
    conditions: Sequence[Condition],
    actions: Sequence[Action],
    *,
    name: str = "",
    position: int | None = None,
) -> Rule:
    """Add a rule, at the end unless told otherwise, and return it.

    Raises InvalidInput (what may not be a rule), NotFound (account, folder), Conflict (too many).
    """
    checked = [_checked_condition(each) for each in conditions]
    done = _checked_actions(account_id, actions)
    if len(checked) > CONDITIONS_MAX:
        raise InvalidInput(f"a rule has at most {CONDITIONS_MAX} conditions")
    _hold(account_id)
    present = list_of(account_id)
    if len(present) >= RULES_MAX:
        raise Conflict(f"an account has at most {RULES_MAX} rules")
    row = Row.create(
        account=account_id,
        position=len(present) + 1,
        name=_text(name, "a name"),
        conditions=json.dumps([[each.field, each.test, each.value, each.header] for each in checked]),
        actions=json.dumps([[each.deed, each.value] for each in done]),
    )
    db.after_commit(logs.event, _log, "rule_added", account=account_id, rule=row.id)
    if position is not None:
        move(account_id, row.id, position)
    return get(account_id, row.id)


def get(account_id: int, rule_id: int) -> Rule:
    """Return one rule; raises NotFound for anybody else's too."""
    for rule in list_of(account_id):
        if rule.id == rule_id:
            return rule
    raise NotFound(f"there is no rule {rule_id}")


@db.transaction
def remove(account_id: int, rule_id: int) -> None:
    """Remove a rule. Raises NotFound."""
    _hold(account_id)
    get(account_id, rule_id)
    Row.delete().where(Row.id == rule_id).execute()
    _number(account_id, [rule.id for rule in list_of(account_id)])
    db.after_commit(logs.event, _log, "rule_removed", account=account_id, rule=rule_id)


@db.transaction
def move(account_id: int, rule_id: int, position: int) -> None:
    """Put a rule at a position, from 1; one past the end is the end. Raises NotFound, InvalidInput."""
    if position < 1:
        raise InvalidInput("positions count from 1")
    _hold(account_id)
    get(account_id, rule_id)
    order = [rule.id for rule in list_of(account_id) if rule.id != rule_id]
    order.insert(position - 1, rule_id)
    _number(account_id, order)


@db.transaction
def set_enabled(account_id: int, rule_id: int, is_enabled: bool) -> None:
    """Switch a rule on or off. Raises NotFound."""
    get(account_id, rule_id)
    Row.update(is_enabled=is_enabled).where(Row.id == rule_id).execute()


@db.transaction
def set_trouble(rule_id: int, trouble: str) -> None:
    """Write down why a rule could not do what it says, "" when it could again."""
    Row.update(trouble=trouble).where((Row.id == rule_id) & (Row.trouble != trouble)).execute()


def _hold(account_id: int) -> None:
    modseq.hold([account_id])
    if not Account.select().where(Account.id == account_id).exists():
        raise NotFound("no such account")


def _number(account_id: int, order: Sequence[int]) -> None:
    for position, rule_id in enumerate(order, 1):
        Row.update(position=position).where((Row.account == account_id) & (Row.id == rule_id)).execute()


def _checked_condition(condition: Condition) -> Condition:
    if condition.test not in COMPARES_OF[condition.field]:
        known = ", ".join(COMPARES_OF[condition.field])
        raise InvalidInput(f"{condition.field} can be compared with: {known}")
    if (condition.field is Field.HEADER) != bool(condition.header):
        raise InvalidInput("a header condition names a header field, others do not")
    if condition.header and not _FIELD_NAME.fullmatch(condition.header):
        raise InvalidInput("this is not the name of a header field")
    value = _text(condition.value, "a value").strip()
    if condition.field is Field.SIZE and not (value.isascii() and value.isdecimal() and len(value) <= 12):
        raise InvalidInput("a size is a number of bytes")
    if condition.field is Field.ATTACHMENT and value not in ("yes", "no"):
        raise InvalidInput("attachment is yes or no")
    if not value:
        raise InvalidInput("a condition needs something to compare with")
    return Condition(condition.field, condition.test, value, condition.header)


def _checked_actions(account_id: int, actions: Sequence[Action]) -> list[Action]:
    if not 1 <= len(actions) <= ACTIONS_MAX:
        raise InvalidInput(f"a rule does between one and {ACTIONS_MAX} things")
    if sum(action.deed in _SENDING for action in actions) > SENDS_MAX:
        raise InvalidInput(f"a rule sends a message on to at most {SENDS_MAX} addresses")
    return [_checked_action(account_id, action) for action in actions]


def _checked_action(account_id: int, action: Action) -> Action:
    value = _text(action.value, "a value").strip()
    if bool(value) != (action.deed in WITH_VALUE):
        raise InvalidInput(f"{action.deed} {'needs' if action.deed in WITH_VALUE else 'takes no'} value")
    if action.deed is Deed.MOVE:
        if not (value.isascii() and value.isdecimal()):
            raise InvalidInput("a folder is named by its number here")
        folders.get(account_id, int(value))
    if action.deed in _SENDING:
        value = addresses.for_others(value)
    return Action(action.deed, value)


def _text(text: str, what: str) -> str:
    if len(text) > VALUE_CHARS_MAX or not text.isprintable():
        raise InvalidInput(f"{what} has at most {VALUE_CHARS_MAX} characters and none that cannot be seen")
    return text


def _rule(row: Sequence[Any]) -> Rule:
    rule_id, position, name, is_enabled, conditions, actions, trouble = row
    return Rule(
        rule_id,
        position,
        name,
        bool(is_enabled),
        tuple(
            Condition(Field(f), Compare(t), value, header) for f, t, value, header in json.loads(conditions)
        ),
        tuple(Action(Deed(deed), value) for deed, value in json.loads(actions)),
        trouble,
    )
