"""The protocol versions this server speaks, and how to ask what one of them has. Data and comparisons."""

OFFERED = ("14.1", "16.1")
"""Announced by OPTIONS in this order; clients take the highest they know."""

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
"""Announced by OPTIONS. Source: MS-ASHTTP 2.2.3.3 MS-ASProtocolCommands."""


def is_offered(version: str) -> bool:
    """Return whether requests in this version are answered."""
    return version in OFFERED


def at_least(version: str, wanted: str) -> bool:
    """Return whether a version is `wanted` or newer; both of the form "14.1"."""
    return _number(version) >= _number(wanted)


def _number(version: str) -> float:
    return float(version)
