"""What a device wants of a collection: filter, bodies, conflicts. Pure.

Options are sticky: an Options element replaces what was there completely, without one the last holds.
Source: MS-ASCMD 2.2.3.125.5 Options (Sync), MS-ASAIRS 2.2.2.12 BodyPreference.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Final

from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import Sync as Status
from appliance.wbxml.codepages import AirSync, AirSyncBase
from appliance.wbxml.element import Element, ElementError

PLAIN, HTML, RTF, MIME = 1, 2, 3, 4
PREVIEW_MAX = 255

FILTERS: Final[Mapping[str, frozenset[int]]] = MappingProxyType(
    {
        "Email": frozenset(range(6)),
        "Calendar": frozenset((0, 4, 5, 6, 7)),
        "Tasks": frozenset((0, 8)),
    }
)
"""The FilterTypes each class has. A class that is not here has none: any is taken and means nothing.

Source: MS-ASCMD 2.2.3.68.1 FilterType (GetItemEstimate), 2.2.3.68.2 FilterType (Sync).
"""

# MS-ASCMD 2.2.3.108 MIMETruncation: characters kept; None keeps everything.
_MIME_TRUNCATION = {0: 0, 1: 4096, 2: 5120, 3: 7168, 4: 10240, 5: 20480, 6: 51200, 7: 102400, 8: None}


@dataclass(frozen=True, slots=True)
class BodyPreference:
    """One body form a device accepts. truncation_size: bytes, None for the whole body."""

    type: int
    truncation_size: int | None = None
    all_or_none: bool = False
    preview: int = 0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a collection, or of one fetch."""

    filter_type: int = 0
    client_wins: bool = False
    mime_support: int = 0
    mime_truncation: int | None = None
    bodies: tuple[BodyPreference, ...] = ()
    conversation_mode: bool = False  # the filter lets in whole conversations
    body_part: BodyPreference | None = None  # what the message itself says, 14.1 and later

    def preference(self, body_type: int) -> BodyPreference | None:
        """Return the preference for one body type, None when the device did not list it."""
        return next((body for body in self.bodies if body.type == body_type), None)

    def filters(self, content_class: str) -> bool:
        """Return whether the FilterType is one that a content class has."""
        return self.filter_type in FILTERS.get(content_class, (self.filter_type,))

    def to_json(self) -> str:
        """Return the options for the state row."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Options":
        """Return the options that `to_json` wrote; "" gives the defaults."""
        if not text:
            return cls()
        values = json.loads(text)
        values["bodies"] = tuple(BodyPreference(**body) for body in values["bodies"])
        part = values.get("body_part")
        values["body_part"] = None if part is None else BodyPreference(**part)
        return cls(**values)


class ClassesClash(ProtocolError):
    """Several Options that cannot stand together. Source: MS-ASCMD 2.2.3.27.2 and .6 Class."""


def parse(blocks: Iterable[Element]) -> Options | None:
    """Return the options in a Collection's Options elements, None when there is none.

    Two blocks stand for Email and SMS (14.0); there are no SMS here, so that block changes nothing.
    Raises ClassesClash, and ProtocolError (Status 4) on values the protocol does not know.
    """
    mail = [block for block in blocks if block.text_of(AirSync.Class) != "SMS"]
    if not mail:
        return None
    if len(mail) > 1:
        raise ClassesClash(
            Status.PROTOCOL_ERROR, "Options of other classes than Email and SMS, or of one twice"
        )
    try:
        return _options(mail[0])
    except ElementError as error:
        raise ProtocolError(Status.PROTOCOL_ERROR, str(error)) from error


def _options(block: Element) -> Options:
    filter_type = block.int_of(AirSync.FilterType, 0)
    mime_support = block.int_of(AirSync.MIMESupport, 0)
    truncation = block.int_of(AirSync.MIMETruncation, 8)
    if not 0 <= filter_type <= 8 or mime_support not in (0, 1, 2) or truncation not in _MIME_TRUNCATION:
        raise ProtocolError(Status.PROTOCOL_ERROR, "an option is out of range")
    return Options(
        filter_type=filter_type,
        client_wins=block.int_of(AirSync.Conflict, 1) == 0,
        mime_support=mime_support,
        mime_truncation=_MIME_TRUNCATION[truncation],
        bodies=body_preferences(block),
        body_part=body_part_preference(block),
    )


def body_preferences(block: Element) -> tuple[BodyPreference, ...]:
    """Return the BodyPreference elements of an Options element; at most one of each type."""
    preferences = tuple(_preference(element) for element in block.find_all(AirSyncBase.BodyPreference))
    if len({preference.type for preference in preferences}) != len(preferences):
        raise ProtocolError(Status.PROTOCOL_ERROR, "two body preferences of one type")
    return preferences


def body_part_preference(block: Element) -> BodyPreference | None:
    """Return the BodyPartPreference of an Options element, None when it has none.

    Raises ProtocolError: 164 for any form but HTML. Source: MS-ASAIRS 2.2.2.11 BodyPartPreference.
    """
    elements = block.find_all(AirSyncBase.BodyPartPreference)
    if any(element.int_of(AirSyncBase.Type, 0) != HTML for element in elements):
        raise ProtocolError(Common.BODY_PART_TYPE_NOT_SUPPORTED, "a body part is HTML")
    if len(elements) > 1:
        raise ProtocolError(Status.PROTOCOL_ERROR, "two body part preferences")
    return _preference(elements[0]) if elements else None


def _preference(element: Element) -> BodyPreference:
    if len({child.tag for child in element}) != len(element.children):
        raise ProtocolError(Status.PROTOCOL_ERROR, "a body preference says something twice")
    body_type = element.int_of(AirSyncBase.Type, 0)
    size = element.int_of(AirSyncBase.TruncationSize)
    preview = element.int_of(AirSyncBase.Preview, 0)
    if body_type not in (PLAIN, HTML, RTF, MIME) or (size is not None and size < 0):
        raise ProtocolError(Status.PROTOCOL_ERROR, "a body preference is out of range")
    return BodyPreference(
        type=body_type,
        truncation_size=size,
        all_or_none=element.flag_of(AirSyncBase.AllOrNone) and size is not None,
        preview=min(max(preview, 0), PREVIEW_MAX),
    )
