"""Ids of items and folders as devices write them."""

import re

from appliance.errors import NotFound

RECIPIENT_CACHE = "RI"
"""What the protocol calls the folder of recipients a server suggests. There is none here, and no device may
make, change or fill one. Source: MS-ASCMD 2.2.1.3, 2.2.1.4, 2.2.1.6 and 2.2.3.7.2.
"""

_ITEM_ID = re.compile(r"[1-9][0-9]{0,17}")


def item_id_of(server_id: str) -> int:
    """Return the item or folder id of a ServerId; raises NotFound for anything that is none of ours.

    One id has one spelling, so that a device never holds the same thing under two names.
    """
    if _ITEM_ID.fullmatch(server_id) is None:
        raise NotFound("no such item")
    return int(server_id)
