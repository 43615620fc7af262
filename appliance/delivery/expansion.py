"""Groups into people: every member once, however groups lie in one another.

Breadth first and level by level, with three reads for a level however many members it has. A group is opened
once and levels are counted, so that circles end; a member nobody has any more is left out and logged.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from appliance import logs
from appliance.accounts import groups
from appliance.delivery.routing import Route, RouteKind, route_all
from appliance.errors import TooLarge
from appliance.items.group import Group

DEPTH_MAX = 10
RECIPIENTS_MAX = 20_000  # of one message: it is filed in one transaction

log = logging.getLogger("appliance.mail")


@dataclass(frozen=True, slots=True)
class Reached:
    """A person a group leads to; `group` is the one that was written to."""

    route: Route
    group: Group


def expand(written_to: Sequence[Group]) -> list[Reached]:
    """Return everybody these groups lead to, once each: routes LOCAL and REMOTE. Needs `db.connection()`.

    Raises TooLarge.
    """
    found: dict[object, Reached] = {}
    opened = {group.id for group in written_to}
    level = {group.id: group for group in written_to}
    for _ in range(DEPTH_MAX):
        order = {group_id: place for place, group_id in enumerate(level)}
        members = sorted(groups.member_addresses(level), key=lambda found: (order[found[0]], found[1]))
        routes = route_all(address for _, address in members)
        below: dict[int, Group] = {}
        for (group_id, address), route in zip(members, routes, strict=True):
            if route.group is not None:
                if route.group.id not in opened:
                    opened.add(route.group.id)
                    below[route.group.id] = level[group_id]
            elif route.kind in (RouteKind.LOCAL, RouteKind.REMOTE):
                found.setdefault(identity(route), Reached(route, level[group_id]))
            else:
                logs.event(
                    log, "group_member_skipped", group=level[group_id].address, address=address,
                    reason=route.kind.name.lower(),
                )  # fmt: skip
        if len(found) > RECIPIENTS_MAX:
            raise TooLarge(f"groups lead to more than {RECIPIENTS_MAX} people")
        level = below
        if not level:
            break
    else:
        logs.event(log, "groups_too_deep", level=logging.WARNING, groups=len(level))
    return list(found.values())


def identity(route: Route) -> object:
    """Return what two routes to the same person have in common."""
    if route.account is not None:
        return route.account.id
    return route.address.rpartition("@")[0], route.domain
