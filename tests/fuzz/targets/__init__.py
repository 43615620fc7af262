"""The targets by name, and what a target is.

A target is a module in this folder with

    def target(data: bytes) -> None     run the code with any bytes; raise only when that shows a bug
    COVERS: tuple[str, ...]             files or folders of the repository whose coverage guides the search

and, where they help,

    def seeds() -> list[bytes]          inputs to begin with, from tests/vectors
    def make(rng: Random) -> bytes      an input built from the grammar
    TOKENS: tuple[bytes, ...]           words of the grammar, beside the constants found in the code
    BYTES_MAX, DEADLINE_S, WEIGHT       longest input, processor seconds for one, share of the time

Its docstring says how the bytes are read. A new target is a new module and its name in NAMES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from random import Random

NAMES = (
    "wbxml",
    "eas_request",
    "sync_request",
    "search_query",
    "search_criteria",
    "mime",
    "compose",
    "headers",
    "html",
    "tnef",
    "smtp_session",
    "smtp_client",
    "smtp_reply",
    "smtp_data",
    "autodiscover",
    "config",
    "calendar",
)


@dataclass(frozen=True)
class Target:
    """One thing to fuzz, as its module describes it."""

    name: str
    run: Callable[[bytes], None]
    covers: tuple[str, ...]
    seeds: Callable[[], list[bytes]] = list
    make: Callable[[Random], bytes] | None = None
    tokens: tuple[bytes, ...] = ()
    bytes_max: int = 4_096
    deadline_s: float = 4.0
    weight: int = 1


def load(name: str) -> Target:
    """Return a target; KeyError when there is none of that name."""
    if name not in NAMES:
        raise KeyError(name)
    module = import_module(f"tests.fuzz.targets.{name}")
    options = {
        key: getattr(module, attribute)
        for key, attribute in (
            ("seeds", "seeds"),
            ("make", "make"),
            ("tokens", "TOKENS"),
            ("bytes_max", "BYTES_MAX"),
            ("deadline_s", "DEADLINE_S"),
            ("weight", "WEIGHT"),
        )
        if hasattr(module, attribute)
    }
    return Target(name, module.target, module.COVERS, **options)
