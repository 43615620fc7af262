"""Remote wipe: the states, the events and the table between them. Pure; the rows are `wiping`.

    NONE ──request──► REQUESTED ──send──► SENT ──succeed──► DONE ──clear──► NONE
      ▲                  │                │ ▲
      └──────cancel──────┤              fail │send
      └──────cancel──────┼──────────── FAILED┘

The phone acts on what it was sent, so nothing can be taken back from SENT. A wipe that was carried out is
over: a phone that is set up again afterwards is a new one and is not wiped again. One that failed is
told again until it succeeds or an operator gives up. A full one is not sent for FULL_DELAY after it was
requested: who meant another phone has so long to notice. Scope "account" removes what came from here and
exists since 16.1 only; "full" resets the whole phone. One is never sent in place of the other.

Source: MS-ASPROV 2.2.2.1 AccountOnlyRemoteWipe, 2.2.2.45 RemoteWipe, 3.2.5.1.2.2.
"""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from appliance.errors import Conflict


class State(StrEnum):
    """How far a wipe has come."""

    NONE = ""
    REQUESTED = "requested"
    SENT = "sent"
    DONE = "done"
    FAILED = "failed"


class Scope(StrEnum):
    """What is removed."""

    NOTHING = ""
    ACCOUNT = "account"
    FULL = "full"


class Event(StrEnum):
    """What can happen to a wipe."""

    REQUEST = "request"
    CANCEL = "cancel"
    SEND = "send"
    SUCCEED = "succeed"
    FAIL = "fail"
    CLEAR = "clear"


TABLE: Mapping[tuple[State, Event], State] = {
    (State.NONE, Event.REQUEST): State.REQUESTED,
    (State.DONE, Event.REQUEST): State.REQUESTED,
    (State.REQUESTED, Event.CANCEL): State.NONE,
    (State.REQUESTED, Event.SEND): State.SENT,
    (State.SENT, Event.SEND): State.SENT,
    (State.SENT, Event.SUCCEED): State.DONE,
    (State.SENT, Event.FAIL): State.FAILED,
    (State.FAILED, Event.SEND): State.SENT,
    (State.FAILED, Event.SUCCEED): State.DONE,
    (State.FAILED, Event.FAIL): State.FAILED,
    (State.FAILED, Event.CANCEL): State.NONE,
    (State.DONE, Event.SUCCEED): State.DONE,  # the answer to the acknowledgement was lost
    (State.DONE, Event.CLEAR): State.NONE,
}

PENDING = frozenset({State.REQUESTED, State.SENT, State.FAILED})
"""The device may do nothing else."""

ACCOUNT_ONLY_SINCE = "16.1"
FULL_DELAY = timedelta(minutes=10)


def following(state: State, event: Event) -> State:
    """Return the state after an event; raises Conflict when the event cannot happen in this state."""
    found = TABLE.get((state, event))
    if found is None:
        raise Conflict(
            _REASONS.get((state, event), f"cannot {event} a wipe that is {state or 'not requested'}")
        )
    return found


_REASONS = {
    (State.NONE, Event.CANCEL): "no wipe was requested",
    (State.SENT, Event.CANCEL): "the wipe was sent to the device; it cannot be taken back",
    (State.DONE, Event.CANCEL): "the device has been wiped",
    (State.REQUESTED, Event.REQUEST): "a wipe was requested already; take it back first",
    (State.SENT, Event.REQUEST): "a wipe was sent already",
    (State.FAILED, Event.REQUEST): "the device is being told again; take that back first",
}
