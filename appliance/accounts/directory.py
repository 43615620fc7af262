"""The address list of this server: who is here, found by the beginning of a name or an address.

Owns what finds whom. Every account that is enabled is in it, and every group; what is shown of one beside
name and address is for whoever asks. Nothing typed is a pattern: letters and digits count, everything else
separates them.

Compares in Python, with the folding of the mail search: no two databases fold alike, and accounts are few.
"""

import functools
from collections.abc import Iterable
from typing import Final

from appliance.accounts import accounts, groups
from appliance.items.account import Account
from appliance.items.group import Group
from appliance.store.search_terms import fold, terms

QUERY_CHARS_MAX: Final = 256

type Entry = Account | Group


def find(text: str, *, limit: int, offset: int = 0) -> tuple[list[Entry], int]:
    """Return a page of the entries that match, sorted by name, and how many do.

    Each word typed must begin a word of the display name or of the local part, or all of it the address.
    Text without a letter or digit finds nobody. Needs a connection.
    """
    typed = text.strip()[:QUERY_CHARS_MAX]
    wanted = frozenset(terms(typed))
    if not wanted:
        return [], 0
    beginning = fold(typed)
    everybody: list[Entry] = [account for account in accounts.list_accounts() if account.is_enabled]
    found = [
        entry
        for entry in [*everybody, *groups.list_groups()]
        if _begin(wanted, _words(_own_name(entry), alias_of(entry))) or entry.address.startswith(beginning)
    ]
    found.sort(key=_place)
    return found[max(offset, 0) :][: max(limit, 0)], len(found)


def name_of(entry: Entry) -> str:
    """Return what an entry is called: its name, or else its address."""
    return _own_name(entry) or entry.address


def alias_of(entry: Entry) -> str:
    """Return the short name of an entry: the local part of its address."""
    return entry.address.rpartition("@")[0]


def _own_name(entry: Entry) -> str:
    return entry.name if isinstance(entry, Group) else entry.display_name


def _begin(wanted: Iterable[str], words: tuple[str, ...]) -> bool:
    return all(any(word.startswith(beginning) for word in words) for beginning in wanted)


@functools.lru_cache(maxsize=4_096)
def _words(display_name: str, alias: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*terms(display_name), *terms(alias)]))


def _place(entry: Entry) -> tuple[str, str]:
    return fold(name_of(entry)), entry.address
