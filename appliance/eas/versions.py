"""The protocol versions this server speaks, and how to ask what one of them has. Data and comparisons.

Which of them are offered is the configuration's choice (`[eas] versions`). What a document may say in a
version is `vocabulary`; what becomes of an error in it is `status`.
"""

from functools import lru_cache

OFFERED = ("12.1", "14.0", "14.1", "16.0", "16.1")
"""Every version a configuration can offer, oldest first; clients take the highest they know."""

SERVER = "15.2"
"""Free text of the MS-Server-ActiveSync header; clients expect the look of a server version."""

COMMANDS = (
    "Sync",
    "SendMail",
    "SmartForward",
    "SmartReply",
    "FolderSync",
    "FolderCreate",
    "FolderDelete",
    "FolderUpdate",
    "MoveItems",
    "GetItemEstimate",
    "MeetingResponse",
    "Search",
    "Settings",
    "Ping",
    "ItemOperations",
    "Provision",
    "ResolveRecipients",
    "ValidateCert",
    "Find",
)
"""Answered with documents. Source: MS-ASHTTP 2.2.3.3 MS-ASProtocolCommands."""

EARLY_COMMANDS = ("GetAttachment", "GetHierarchy")
"""Gone with 14.0. Source: MS-ASCMD 2.2.1.7 GetAttachment, 2.2.1.8 GetHierarchy."""

FIRST_WITH = {"Find": "16.1"}
"""The version a command came with, where that is not the oldest of `OFFERED`."""


@lru_cache
def in_order(configured: tuple[str, ...]) -> tuple[str, ...]:
    """Return the versions of a configuration each once, oldest first."""
    wanted = set(configured)
    return tuple(version for version in OFFERED if version in wanted)


@lru_cache
def commands(offered: tuple[str, ...]) -> tuple[str, ...]:
    """Return the commands at least one of the offered versions has, as OPTIONS announces them."""
    later = tuple(name for name in COMMANDS if any(has_command(version, name) for version in offered))
    return later + (EARLY_COMMANDS if any(is_early(version) for version in offered) else ())


def has_command(version: str, name: str) -> bool:
    """Return whether a command exists in a version. Source: MS-ASCMD 2.2.1 Commands."""
    if name in EARLY_COMMANDS:
        return is_early(version)
    return at_least(version, FIRST_WITH.get(name, OFFERED[0]))


def is_early(version: str) -> bool:
    """Return whether a version is older than 14.0: errors are HTTP statuses, mail travels bare."""
    return not at_least(version, "14.0")


def at_least(version: str, wanted: str) -> bool:
    """Return whether a version is `wanted` or newer; both of the form "14.1"."""
    return _number(version) >= _number(wanted)


def _number(version: str) -> float:
    return float(version)
