"""What the commands leave in the device's trace, and what the loop guard tells Ping.

Between the requests and `devices.health`: reads an outcome out of an answer. A trace that cannot be stored
never spoils the answer.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from appliance import logs
from appliance.devices import health, traces
from appliance.eas.context import Answer, Beginning, Context, Waiting
from appliance.eas.status import Ping as PingStatus
from appliance.eas.status import ProtocolError
from appliance.eas.sync_request import CollectionRequest
from appliance.errors import ApplianceError
from appliance.wbxml.codepages import AirSync, Ping
from appliance.wbxml.element import Element, Fragment

log = logging.getLogger("appliance.devices")

PING_HELD = "Ping held"
_SUCCESS = ("1", "")
_PING_SUCCESS = (str(int(PingStatus.EXPIRED)), str(int(PingStatus.CHANGES)))


def observed(context: Context, command: str, act: Callable[[], Answer]) -> Answer:
    """Do it and note how it ended; what it returns or raises comes through unchanged."""
    if context.world.health is None:
        return act()
    try:
        answer = act()
    except ProtocolError as error:
        _note(context, command, f"status {error.status}")
        raise
    except Exception as error:
        _note(context, command, type(error).__name__)
        raise
    if not isinstance(answer, Waiting):
        _note(context, command, _outcome(answer, command))
    elif command == "Ping":
        _note(context, PING_HELD, health.WAITING)
    return answer


def synced[A: (Element | Fragment | None)](context: Context, asked: CollectionRequest, answer: A) -> A:
    """Note how the Sync of one collection ended; returns its answer."""
    known = context.world.health
    if known is not None:
        status = answer.text_of(AirSync.Status, "") if isinstance(answer, Element) else ""
        outcome = health.OK if status in _SUCCESS else f"status {status}"
        is_news = answer is not None and outcome == health.OK
        known.synced(
            context.device.id,
            asked.collection_id,
            asked.sync_key,
            asked.digest,
            outcome,
            context.now,
            is_news=is_news,
        )
    return answer


def trusted(context: Context, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders this Ping may announce: not those it has announced in vain again and again."""
    known = context.world.health
    return folders if known is None else known.trusted(context.device.id, folders)


def announced(context: Context, answer: Element, asked_at: datetime) -> Element:
    """Note which folders a Ping has announced, and how soon; returns its answer."""
    known, listed = context.world.health, answer.find(Ping.Folders)
    if known is not None and listed is not None:
        names = [folder.text for folder in listed]
        known.announced(context.device.id, names, asked_at, context.now)
    return answer


def _outcome(answer: Answer, command: str) -> str:
    document = answer.element if isinstance(answer, Beginning) else answer
    if not isinstance(document, Element):
        return health.OK
    status = next((child.text for child in document if child.tag.name == "Status"), "")
    is_fine = status in (_PING_SUCCESS if command == "Ping" else _SUCCESS)
    return health.OK if is_fine else f"status {status}"


def _note(context: Context, step: str, outcome: str) -> None:
    known = context.world.health
    if known is None:
        return
    known.note(context.device.id, step, outcome, context.now)
    try:
        traces.keep(known, context.device.id, context.now)
    except ApplianceError as error:
        logs.event(log, "trace_not_stored", level=logging.WARNING, reason=str(error))
