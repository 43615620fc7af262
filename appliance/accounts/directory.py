"""The address list of this server: who is here, found by the beginning of a name or an address.

Owns what finds whom. Every account that is enabled is in it; what is shown of one beside name and address is
for whoever asks. Nothing typed is a pattern: letters and digits count, everything else separates them.

Compares in Python, with the folding of the mail search: no two databases fold alike, and accounts are few.
"""

import functools
from collections.abc import Iterable
from typing import Final

from appliance.accounts import accounts
from appliance.items.account import Account
from appliance.store.search_terms import fold, terms

QUERY_CHARS_MAX: Final = 256


def find(text: str, *, limit: int, offset: int = 0) -> tuple[list[Account], int]:
    """Return a page of the accounts that match, sorted by name, and how many do.

    Each word typed must begin a word of the display name or of the local part, or all of it the address.
    Text without a letter or digit finds nobody. Needs a connection.
    """
    typed = text.strip()[:QUERY_CHARS_MAX]
    wanted = frozenset(terms(typed))
    if not wanted:
        return [], 0
    beginning = fold(typed)
    found = [
        account
        for account in accounts.list_accounts()
        if account.is_enabled
        and (
            _begin(wanted, _words(account.display_name, alias_of(account)))
            or account.address.startswith(beginning)
        )
    ]
    found.sort(key=_place)
    return found[max(offset, 0) :][: max(limit, 0)], len(found)


def alias_of(account: Account) -> str:
    """Return the short name of an account: the local part of its address."""
    return account.address.rpartition("@")[0]


def _begin(wanted: Iterable[str], words: tuple[str, ...]) -> bool:
    return all(any(word.startswith(beginning) for word in words) for beginning in wanted)


@functools.lru_cache(maxsize=4_096)
def _words(display_name: str, alias: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*terms(display_name), *terms(alias)]))


def _place(account: Account) -> tuple[str, str]:
    return fold(account.display_name or account.address), account.address
