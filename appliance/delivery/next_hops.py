"""Which server takes an entry of the queue, when it is not one of those its domain names in DNS."""

from appliance.items.next_hop import NextHop, parse_next_hop
from appliance.queue.entries import Entry


def of(entry: Entry) -> NextHop | None:
    """Return the server an operator chose for this entry (`appliance queue reroute`); None for none."""
    return parse_next_hop(entry.next_hop) if entry.next_hop else None
