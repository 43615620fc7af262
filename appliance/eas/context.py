"""What a command handler is given: who asks, from which phone, and the world it may use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from appliance.clock import Clock
from appliance.devices.health import Health
from appliance.devices.rate import Rate
from appliance.eas.request import Request
from appliance.eas.response import Response
from appliance.items.account import Account
from appliance.items.device import Device
from appliance.settings import Eas, Web
from appliance.wbxml.element import Element


@dataclass(frozen=True, slots=True)
class Waiting:
    """An answer that is still to come: `resume` waits for it without holding a database connection."""

    resume: Callable[[], "Element | None"]


@dataclass(frozen=True, slots=True)
class Beginning:
    """An answer to a device that starts from nothing: what the server offers goes along in its headers."""

    element: Element


type Answer = Element | Beginning | Response | Waiting | None
"""An Element is encoded; None is the empty 200 that several commands answer on success."""

type Handler = Callable[["Context", Element | None], Answer]
"""A command: the decoded request (None for an empty body) in, the answer out."""


@dataclass(frozen=True, slots=True)
class World:
    """What does not change from request to request. Handed in by the composition root."""

    clock: Clock
    eas: Eas
    web: Web
    hostname: Callable[[], str]
    devices_max: int = 1_000
    rate: Rate | None = None
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """One request of one device of one account. Small, because a held request keeps it.

    `request` comes without its body, which the handler is given decoded.
    """

    account: Account
    device: Device
    request: Request
    world: World

    @property
    def now(self) -> datetime:
        """The moment, by the clock the world was given."""
        return self.world.clock.now()

    @property
    def version(self) -> str:
        """The protocol version of the request, such as "16.1"."""
        return self.request.version


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the protocol. `fault` renders a Status for the whole of it."""

    name: str
    handler: Handler
    fault: Callable[[int], Element]
    needs_policy: bool = True
