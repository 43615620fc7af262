"""Which server takes an entry of the queue, when it is not one of those its domain names in DNS."""

from appliance import db
from appliance.delivery import relay_routes
from appliance.items.next_hop import NextHop, parse_next_hop
from appliance.queue.entries import Entry


def of(entry: Entry) -> NextHop | None:
    """Return the server for an entry: an operator's choice for it, its domain's route, or the smarthost.

    None leaves it to DNS. Raises Conflict when a route's password cannot be unsealed.
    """
    if entry.next_hop:
        return parse_next_hop(entry.next_hop)
    with db.connection():
        return relay_routes.find(entry.domain)
