"""What a presented SyncKey means. Pure.

Theory of operation: a key is `{generation}.{number}`. The generation is drawn anew whenever a device
starts a collection over (key 0), so a key of another device, another folder or an earlier life is
never mistaken for a current one. The number counts answers. The server keeps what the current key
stands for and what the one before it stood for:

    presented        verdict    then
    "0"              PRIME      a new generation, number 1, no items
    current          ADVANCE    the device has our last answer; previous <- current
    previous         REPLAY     the device lost our last answer; it gets the same one again
    anything else    RESET      Status 3 (Sync), 9 (FolderSync), 4 (GetItemEstimate)

Source: MS-ASCMD 2.2.3.181.4 SyncKey (Sync), 3.1.5.3 Synchronizing.
"""

from enum import Enum, auto
from typing import Protocol

PRIMING = "0"
KEY_LENGTH_MAX = 64  # characters, MS-ASCMD 2.2.3.181.4


class Verdict(Enum):
    """What to do about a presented key; see the table above."""

    PRIME = auto()
    ADVANCE = auto()
    REPLAY = auto()
    RESET = auto()


class KeyState(Protocol):
    """What is known of a collection's keys; `devices.sync_states.State` is one."""

    @property
    def generation(self) -> str: ...
    @property
    def current(self) -> int: ...
    @property
    def previous(self) -> int | None: ...


def judge(state: KeyState | None, presented: str) -> Verdict:
    """Decide what a SyncKey means; changes nothing. state: None when the collection was never primed."""
    if presented == PRIMING:
        return Verdict.PRIME
    if state is None:
        return Verdict.RESET
    if presented == wire_key(state.generation, state.current):
        return Verdict.ADVANCE
    if state.previous is not None and presented == wire_key(state.generation, state.previous):
        return Verdict.REPLAY
    return Verdict.RESET


def wire_key(generation: str, number: int) -> str:
    """Return the key as the device sees it."""
    return f"{generation}.{number}"
