"""Ids of items and folders as devices write them."""

import re

from appliance.errors import NotFound

_ITEM_ID = re.compile(r"[1-9][0-9]{0,17}")


def item_id_of(server_id: str) -> int:
    """Return the item or folder id of a ServerId; raises NotFound for anything that is none of ours.

    One id has one spelling, so that a device never holds the same thing under two names.
    """
    if _ITEM_ID.fullmatch(server_id) is None:
        raise NotFound("no such item")
    return int(server_id)
