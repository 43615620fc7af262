"""A distribution group as everything above the database speaks of it."""

from dataclasses import dataclass
from enum import StrEnum


class Senders(StrEnum):
    """Whose mail a group passes on."""

    INTERNAL = "internal"  # whoever is signed in here
    MEMBERS = "members"
    ANYONE = "anyone"  # an open list


@dataclass(frozen=True, slots=True)
class Group:
    """An address whose mail goes to its members; owner_id: who reads what bounces, None for postmaster."""

    id: int
    address: str
    name: str
    senders: Senders
    owner_id: int | None = None

    @property
    def bounce_address(self) -> str:
        """The reverse-path of copies that leave: what comes back there is never passed on to members."""
        local_part, _, domain = self.address.rpartition("@")
        return f"{local_part}{BOUNCES_SUFFIX}@{domain}"

    @property
    def list_id(self) -> str:
        """The identifier of RFC 2919 2, without its brackets: the address as a domain name."""
        return self.address.replace("@", ".")


@dataclass(frozen=True, slots=True)
class Member:
    """One address of a group."""

    address: str
    may_send_as: bool = False


BOUNCES_SUFFIX = "-bounces"
