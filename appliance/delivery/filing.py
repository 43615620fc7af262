"""What an account's wishes make of a message that arrives: one answer for every way in. Pure.

The order: a blocked sender's mail is junk, and a safe one's is not, whatever a filter thought of it. Junk
goes to its folder and nothing else is asked: no rule, no forwarding, no answer. Then the rules, in their
order; of two folders the first one holds. Then forwarding of the whole account.

Comparing is finding text in text: no pattern of a user's making can take longer than the message is long.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from appliance.accounts.forwards import Forward
from appliance.items.rule import Action, Compare, Condition, Deed, Field, Rule
from appliance.mime.headers import Headers

CATEGORIES_MAX: Final = 20
SENDS_MAX: Final = 10  # addresses one message is sent on to for one account
COMPARED_CHARS_MAX: Final = 65_536


@dataclass(frozen=True, slots=True)
class Facts:
    """What can be asked of a message. detail: what followed the plus sign of the address it came to."""

    headers: Headers
    size: int
    has_attachments: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """The folder a rule wants."""

    folder_id: int
    rule_id: int


@dataclass(frozen=True, slots=True)
class Filing:
    """What becomes of a message in one account.

    is_kept: a copy is filed. sends: addresses it is sent on to. answers: whether a program may answer it.
    """

    is_kept: bool = True
    is_junk: bool = False
    move: Move | None = None
    is_read: bool = False
    is_flagged: bool = False
    categories: tuple[str, ...] = ()
    sends: tuple[str, ...] = ()
    answers: bool = True
    rules: tuple[int, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Say whether it is simply a new message in the Inbox."""
        return self == PLAIN


PLAIN: Final = Filing()
JUNK: Final = Filing(is_junk=True, answers=False)


def judge(
    facts: Facts,
    rules: Sequence[Rule],
    *,
    is_junk: bool = False,
    is_disowned: bool = False,
    is_blocked: bool | None = None,
    forward: Forward | None = None,
) -> Filing:
    """Return what becomes of a message.

    is_blocked: what the account said of the sender, None for nothing; a safe one is wanted whatever speaks
    against it. is_disowned: it is not from whom it names, so a word for that sender is no word for it.
    """
    if is_disowned or is_blocked or (is_junk and is_blocked is None):
        return JUNK
    filing = PLAIN
    for rule in rules:
        if rule.is_enabled and all(_holds(each, facts) for each in rule.conditions):
            filing = _done(filing, rule)
            if any(action.deed is Deed.STOP for action in rule.actions):
                break
    if forward is not None and filing.answers:
        filing = replace(
            filing, sends=_also(filing.sends, forward.address), is_kept=filing.is_kept and forward.keeps_copy
        )
    return filing


def _done(filing: Filing, rule: Rule) -> Filing:
    filing = replace(filing, rules=(*filing.rules, rule.id))
    for action in rule.actions:
        filing = _after(filing, action, rule.id)
    return filing


def _after(filing: Filing, action: Action, rule_id: int) -> Filing:
    match action.deed:
        case Deed.MOVE:
            return filing if filing.move else replace(filing, move=Move(int(action.value), rule_id))
        case Deed.MARK_READ:
            return replace(filing, is_read=True)
        case Deed.FLAG:
            return replace(filing, is_flagged=True)
        case Deed.CATEGORISE:
            names = dict.fromkeys((*filing.categories, action.value))
            return replace(filing, categories=tuple(names)[:CATEGORIES_MAX])
        case Deed.FORWARD:
            return replace(filing, sends=_also(filing.sends, action.value))
        case Deed.REDIRECT:
            return replace(filing, sends=_also(filing.sends, action.value), is_kept=False)
        case Deed.DISCARD:
            return replace(filing, is_kept=False, answers=False)
        case Deed.STOP:
            return filing


def _also(sends: tuple[str, ...], address: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*sends, address)))[:SENDS_MAX]


def _holds(condition: Condition, facts: Facts) -> bool:
    match condition.field:
        case Field.SIZE:
            limit = int(condition.value)
            return facts.size > limit if condition.test is Compare.OVER else facts.size < limit
        case Field.ATTACHMENT:
            return facts.has_attachments == (condition.value == "yes")
        case _:
            wanted = condition.value.casefold()
            return any(_compares(condition.test, wanted, text) for text in _texts(condition, facts))


def _compares(test: Compare, wanted: str, text: str) -> bool:
    folded = text[:COMPARED_CHARS_MAX].casefold()
    match test:
        case Compare.EQUALS:
            return folded == wanted
        case Compare.BEGINS:
            return folded.startswith(wanted)
        case _:
            return wanted in folded


def _texts(condition: Condition, facts: Facts) -> list[str]:
    """Return the texts of a field, each compared by itself: addresses without and with their names."""
    headers = facts.headers
    match condition.field:
        case Field.FROM:
            return _people(headers, "From", "Sender")
        case Field.TO:
            return _people(headers, "To", "Cc")
        case Field.SUBJECT:
            return [headers.get("Subject") or ""]
        case Field.LIST_ID:
            values = headers.get_all("List-Id")
            return [*values, *(value.rpartition("<")[2].partition(">")[0] for value in values)]
        case Field.DETAIL:
            return [facts.detail]
        case _:
            return headers.get_all(condition.header)


def _people(headers: Headers, *names: str) -> list[str]:
    people = [person for name in names for person in headers.addresses(name)]
    return [text for person in people for text in (person.address, person.name) if text]
