"""What the database knows of addresses: asked one by one, or for many at once before they are looked at.

`routing` decides by these three questions only, so that one recipient at RCPT and the thousands of a group
get the same answer, the one with a few indexed reads, the others with a few reads for all of them.
"""

from collections.abc import Iterable
from typing import Protocol

from appliance.accounts import accounts, addresses, domains, groups
from appliance.accounts.domains import HostedDomain
from appliance.errors import InvalidInput
from appliance.items.account import Account
from appliance.items.group import Group


class Known(Protocol):
    """Exact look-ups of things in normal form. Needs `db.connection()`."""

    def domain(self, name: str) -> HostedDomain | None:
        """Return one of our domains."""
        ...

    def account(self, address: str) -> Account | None:
        """Return who has exactly this address, disabled accounts too."""
        ...

    def group(self, address: str) -> Group | None:
        """Return the group with exactly this address."""
        ...


class Stored:
    """Asks the database for each."""

    def domain(self, name: str) -> HostedDomain | None:
        return domains.find(name)

    def account(self, address: str) -> Account | None:
        found = accounts.credential_of(address)
        return None if found is None else found.account

    def group(self, address: str) -> Group | None:
        return groups.find(address)


class Fetched:
    """Has read everything that routing may want to know of many addresses. Made inside `db.connection()`."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._domains = domains.find_all()
        wanted = {each for path in paths for each in self._spellings(path)}
        wanted |= {each.catch_all for each in self._domains.values() if each.catch_all}
        self._accounts = accounts.by_addresses(wanted)
        self._groups = groups.by_addresses(wanted - self._accounts.keys())
        self._beyond = Stored()
        self._wanted = wanted

    def domain(self, name: str) -> HostedDomain | None:
        return self._domains.get(name)

    def account(self, address: str) -> Account | None:
        if address not in self._wanted:
            return self._beyond.account(address)
        return self._accounts.get(address)

    def group(self, address: str) -> Group | None:
        if address not in self._wanted:
            return self._beyond.group(address)
        return self._groups.get(address)

    def _spellings(self, path: str) -> Iterable[str]:
        """Yield what may be looked up for a path: itself and its base, in the domain that counts."""
        try:
            normal = addresses.normalise(path)
        except InvalidInput:
            return
        local_part, _, domain = normal.rpartition("@")
        hosted = self._domains.get(domain)
        if hosted is not None:
            real = f"{local_part}@{hosted.alias_of or domain}"
            yield from (real, addresses.base_address(real))


STORED = Stored()
