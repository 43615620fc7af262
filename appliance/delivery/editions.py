"""Which bytes a copy has: the message as it came, or with the fields of whoever passed it on in front.

Owns the fields of groups and forwarding, and the guard they are: what names a group or an account in
Delivered-To has been there before. All other bytes stay as they are, so signatures of the body survive.

Source: RFC 2919 3, 8 (one List-Id: an outer list takes the place of an inner one), RFC 2369 3.4 List-Post.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from appliance.accounts import addresses
from appliance.errors import InvalidInput
from appliance.items.group import Group, Senders
from appliance.mime.edit import field_line, without_fields
from appliance.mime.encoded_words import encode_phrase
from appliance.mime.headers import Headers

DELIVERED_TO: Final = "Delivered-To"
_OF_LISTS: Final = (
    "List-Id", "List-Post", "List-Help", "List-Subscribe", "List-Unsubscribe", "List-Unsubscribe-Post",
    "List-Owner", "List-Archive", "Precedence",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edition:
    """What stands in front of a copy, as (name, value), and which fields it lost."""

    fields: tuple[tuple[str, str], ...] = ()
    dropped: tuple[str, ...] = ()

    @property
    def is_of_list(self) -> bool:
        """Say whether it went through an open group."""
        return any(name == "List-Id" for name, _ in self.fields)

    def under(self, *fields: tuple[str, str]) -> "Edition":
        """Return this edition with more fields in front."""
        return Edition((*fields, *self.fields), self.dropped)


AS_IT_CAME: Final = Edition()


def for_group(group: Group, edition: Edition = AS_IT_CAME) -> Edition:
    """Return what members of a group that got this edition get: an open one says that it is a list."""
    passed_on = (DELIVERED_TO, _ascii(group.address))
    if group.senders is not Senders.ANYONE:
        return edition.under(passed_on)
    name = f"{encode_phrase(group.name)}\r\n " if group.name else ""
    local_part, _, domain = group.address.rpartition("@")
    return Edition(
        (
            passed_on,
            ("List-Id", f"{name}<{_ascii(group.list_id)}>"),
            ("List-Post", f"<mailto:{quote(local_part)}@{domain}>"),
            ("Precedence", "list"),
            *(kept for kept in edition.fields if kept[0] not in _OF_LISTS),
        ),
        _OF_LISTS,
    )


def for_forward(edition: Edition, address: str) -> Edition:
    """Return what goes on from an account that got this edition."""
    return edition.under((DELIVERED_TO, _ascii(address)))


def bytes_of(edition: Edition, raw: bytes) -> bytes:
    """Return the copy's bytes."""
    if edition == AS_IT_CAME:
        return raw
    front = b"".join(field_line(name, value).line for name, value in edition.fields)
    return front + (without_fields(raw, edition.dropped) if edition.dropped else raw)


def been_at(headers: Headers) -> frozenset[str]:
    """Return the addresses a message was passed on by, and the identifiers of its lists."""
    found = set()
    for value in headers.get_all(DELIVERED_TO):
        place = value.strip(" <>")
        try:
            found.add(_ascii(addresses.normalise(place)))
        except InvalidInput:
            found.add(place)  # of us, when it is not ASCII; nobody else's matters
    for value in headers.get_all("List-Id"):
        found.add(value.rpartition("<")[2].partition(">")[0].strip().lower())
    return frozenset(found)


def has_been(places: frozenset[str], address: str) -> bool:
    """Say whether a message was passed on by an address of ours before."""
    return _ascii(address) in places


def is_loop(places: frozenset[str], group: Group) -> bool:
    """Say whether a message has been at a group before."""
    return has_been(places, group.address) or _ascii(group.list_id).lower() in places


def _ascii(text: str) -> str:
    """Return an address as a header field of plain ASCII may show it; the same text for the same address."""
    return text if text.isascii() else text.encode("ascii", "backslashreplace").decode("ascii")
