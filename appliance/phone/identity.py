"""Who the simulated phone says it is.

Owns the DeviceId, the names and the User-Agent an iPhone sends, in the forms that real ones use.
Leaves where they travel (query, headers, DeviceInformation) to the other modules.
"""

import base64
import hashlib
from dataclasses import dataclass

DEVICE_ID_LENGTH = 26
"""Length of the DeviceIds of current iPhones, written in the base32hex alphabet, lower case."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One device: what it sends with every request and in DeviceInformation."""

    device_id: str
    device_type: str = "iPhone"
    model: str = "iPhone15C4"
    user_agent: str = "Apple-iPhone15C4/2204.72"
    system: str = "iOS 18.3.1 22D72"
    language: str = "en"
    locale_id: int = 0x0409
    friendly_name: str = "Simulated iPhone"


def device_id_for(seed: str) -> str:
    """Return a DeviceId that looks like an iPhone's and is the same for the same seed."""
    digest = hashlib.sha256(seed.encode()).digest()
    return base64.b32hexencode(digest).decode("ascii").lower()[:DEVICE_ID_LENGTH]
