"""The global address list as Search and Find show it: entries, and pictures as far as they were asked for.

Only what the server knows for certain is told: name, address, alias, picture. Nothing here guesses first and
last names out of a display name.

Source: MS-ASCMD 2.2.3.139 Properties, 2.2.3.135 Picture, 2.2.3.104 MaxPictures, 2.2.3.105 MaxSize.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from appliance.accounts import directory, pictures
from appliance.accounts.directory import Entry
from appliance.eas.context import Context
from appliance.eas.search_criteria import Rows
from appliance.eas.status import Picture as PictureStatus
from appliance.eas.versions import at_least
from appliance.items.account import Account
from appliance.wbxml.codepages import GAL
from appliance.wbxml.element import Element, Tag


@dataclass(frozen=True, slots=True)
class PictureWish:
    """How large one may be, in bytes, and how many; None for as many as there are."""

    bytes_max: int = pictures.SIZE_BYTES_MAX
    count_max: int | None = None


def picture_wish(
    options: Element | None, picture: Tag, max_size: Tag, max_pictures: Tag, version: str
) -> PictureWish | None:
    """Return what an Options element says of pictures: nothing, or an element that may be empty.

    Raises ElementError on a limit that is no number.
    """
    wish = None if options is None or not at_least(version, "14.1") else options.find(picture)
    if wish is None:
        return None
    return PictureWish(wish.int_of(max_size, pictures.SIZE_BYTES_MAX), wish.int_of(max_pictures))


def entries(
    context: Context, text: str, rows: Rows, wish: PictureWish | None
) -> tuple[list[list[Element]], int]:
    """Return the Properties of the matching entries among these rows, and how many match in all."""
    found, total = directory.find(text, limit=rows.count, offset=rows.first)
    if wish is None:
        return [list(_properties(entry)) for entry in found], total
    shown = _pictures(found, wish, context.world.eas.response_bytes_max)
    return [[*_properties(entry), picture] for entry, picture in zip(found, shown, strict=True)], total


def _properties(entry: Entry) -> Iterator[Element]:
    yield GAL.DisplayName(directory.name_of(entry))
    yield GAL.Alias(directory.alias_of(entry))
    yield GAL.EmailAddress(entry.address)


def _pictures(entries: list[Entry], wish: PictureWish, room: int) -> Iterator[Element]:
    """Yield a Picture for each entry; room: bytes that all of them may take. Groups have none."""
    sizes = pictures.sizes(entry.id for entry in entries if isinstance(entry, Account))
    left = len(entries) if wish.count_max is None else wish.count_max
    for entry in entries:
        size = sizes.get(entry.id) if isinstance(entry, Account) else None
        status = PictureStatus.SUCCESS
        if size is None:
            status = PictureStatus.NO_PICTURE
        elif size > wish.bytes_max:
            status = PictureStatus.TOO_LARGE
        elif left <= 0 or size > room:
            status = PictureStatus.LIMIT_REACHED
        picture = pictures.get(entry.id) if status is PictureStatus.SUCCESS else None
        if picture is None:
            yield GAL.Picture(GAL.Status(PictureStatus.NO_PICTURE if size is None else status))
        else:
            left, room = left - 1, room - len(picture.data)
            yield GAL.Picture(GAL.Status(status), GAL.Data(picture.data))
