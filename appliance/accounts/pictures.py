"""The picture others see beside an account's name: kept, checked, handed out.

Owns the rows `AccountPicture`. A picture is a row of its own and no blob: it belongs to one account, is
replaced in place and is never part of a message, so nothing would ever share it. Leaves to the callers
how many and how large ones a phone wants.

What is checked are the first bytes, the picture's own statement of its kind, and the end, so that half
an upload is not kept. Nothing is decoded: the phone that shows it does that in its own sandbox.

Source: ISO/IEC 10918-1 B.1.1.3 (SOI and EOI markers), RFC 2083 12.12 (PNG signature).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import peewee

from appliance import db
from appliance.accounts import accounts
from appliance.clock import SYSTEM_CLOCK
from appliance.db.tables import AccountPicture as Row
from appliance.errors import InvalidInput, NotFound, TooLarge

SIZE_BYTES_MAX = 102_400
"""A portrait of 648 × 648 pixels fits, and a phone that asks for a hundred people gets them at once."""

_KINDS = (
    ("image/jpeg", b"\xff\xd8\xff", b"\xff\xd9"),
    ("image/png", b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"),
)
_PADDING = b"\0\r\n"
"""Cameras and editors leave these behind the end of a file."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it was given."""

    content_type: str
    data: bytes


def put(account_id: int, data: bytes) -> Picture:
    """Make this an account's picture in place of any other and return it.

    Raises TooLarge, InvalidInput (neither JPEG nor PNG, or cut off), NotFound.
    """
    if len(data) > SIZE_BYTES_MAX:
        raise TooLarge(f"a picture is at most {SIZE_BYTES_MAX} bytes; this one has {len(data)}")
    picture = Picture(content_type(data), data)
    _put(account_id, picture)
    return picture


def content_type(data: bytes) -> str:
    """Return the media type of a picture by its first and last bytes; raises InvalidInput."""
    for name, beginning, end in _KINDS:
        if data.startswith(beginning):
            if not data.rstrip(_PADDING).endswith(end):
                raise InvalidInput(f"the picture begins as {name} but its end is missing")
            return name
    raise InvalidInput("a picture is a JPEG or PNG file")


@db.transaction
def _put(account_id: int, picture: Picture) -> None:
    accounts.get(account_id)
    Row.insert(
        account=account_id,
        content_type=picture.content_type,
        data=picture.data,
        changed_at=SYSTEM_CLOCK.now(),
    ).on_conflict(
        conflict_target=[Row.account], preserve=[Row.content_type, Row.data, Row.changed_at]
    ).execute()


@db.transaction
def remove(account_id: int) -> None:
    """Take an account's picture away; raises NotFound when there is none."""
    if not Row.delete().where(Row.account == account_id).execute():
        raise NotFound("the account has no picture")


def get(account_id: int) -> Picture | None:
    """Return an account's picture; None when there is none. Needs a connection."""
    row = Row.select(Row.content_type, Row.data).where(Row.account == account_id).tuples().first()
    return None if row is None else Picture(row[0], bytes(row[1]))


def sizes(account_ids: Iterable[int]) -> dict[int, int]:
    """Return account → size in bytes of those that have a picture, without reading any."""
    ids = list(account_ids)
    query = Row.select(Row.account, peewee.fn.LENGTH(Row.data)).where(Row.account.in_(ids))
    return {row[0]: int(row[1]) for row in query.tuples()}
