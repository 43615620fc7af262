"""Whether a mailbox is so full that a stranger's message need not be sent at all: asked at RCPT.

A cheap look, and no promise: what others send meanwhile may fill it, so filing looks again. It errs towards
taking mail: accounts whose mail may go elsewhere, and reports that are read and kept, need no room.
"""

from typing import Final

from appliance.accounts import forwards, rules
from appliance.delivery import report_mail
from appliance.delivery.routing import Route
from appliance.items.account import Account
from appliance.items.rule import Deed
from appliance.store import limits

_KEEPING_NOTHING: Final = frozenset({Deed.REDIRECT, Deed.DISCARD})


def is_lacking(route: Route, size: int = 0) -> bool:
    """Say whether an account's quota is used up, or would be with this message. Needs `db.connection()`.

    size: octets as the client declares them, 0 when it does not.
    """
    account = route.account
    if account is None:
        return False
    quota = limits.quota_bytes(account.quota_bytes)
    if not quota or account.used_bytes + max(size, 1) <= quota:
        return False
    return not report_mail.kind(route.address) and not _may_keep_nothing(account)


def _may_keep_nothing(account: Account) -> bool:
    """Say whether mail may pass without a copy staying. What rules would see is not known yet."""
    forward = forwards.of_accounts([account.id]).get(account.id)
    if forward is not None and not forward.keeps_copy:
        return True
    return any(
        action.deed in _KEEPING_NOTHING
        for rule in rules.of_accounts([account.id]).get(account.id, ())
        for action in rule.actions
    )
