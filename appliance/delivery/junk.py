"""Unwanted mail: filed where nobody is woken by it, and nobody is answered because of it."""

from collections.abc import Iterable
from datetime import datetime

from appliance.errors import NotFound, QuotaExceeded
from appliance.items.message import Arrival
from appliance.store import folders, messages, modseq


def file_as_junk(
    account_ids: Iterable[int], prepared: Arrival, received_at: datetime
) -> dict[int, QuotaExceeded | NotFound]:
    """Add a message to the junk folders of accounts; return who did not take it, and why.

    Needs a transaction. No out-of-office answer, no rule of a conversation: the sender is not believed.
    """
    ids = sorted(set(account_ids))
    modseq.hold(ids)
    refused: dict[int, QuotaExceeded | NotFound] = {}
    for account_id in ids:
        try:
            folder = folders.junk(account_id)
            messages.file(account_id, folder.id, prepared, received_at=received_at)
        except (QuotaExceeded, NotFound) as error:
            refused[account_id] = error
    return refused
