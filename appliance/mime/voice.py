"""What a voice message says of its call: who rang, how long each recording is, in which order they came.

The system that took the call says it in header fields; those of unified messaging and the standard ones
are read.
Source: MS-OXCMAIL 2.1.3.2.22 (voice fields), MS-OXOUM 2.2.5; RFC 3801 (VPIM), RFC 2424 Content-Duration;
MS-ASEMAIL 2.2.2.81 UmAttDuration to 2.2.2.83 UmCallerID.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.mime.body import part_headers
from appliance.mime.headers import parse_headers
from appliance.mime.structure import Structure

CLASSES = (
    "ipm.note.microsoft.voicemail",
    "ipm.note.rpmsg.microsoft.voicemail",
    "ipm.note.microsoft.missed.voice",
)
DURATION_DIGITS_MAX = 6  # seconds
_CALLER = re.compile(r"\+?[0-9][0-9 ().-]{1,30}|sips?:[^\s<>\"]{1,200}", re.I)


@dataclass(frozen=True, slots=True)
class Voice:
    """caller: a telephone number or a SIP address, "" when nobody says. durations (seconds) and orders (1 is
    the newest) are by the part number of the recording."""

    caller: str
    durations: Mapping[str, int]
    orders: Mapping[str, int]


def is_voice(message_class: str) -> bool:
    """Tell whether messages of a class are about a call."""
    return message_class.lower().startswith(CLASSES)


def read_voice(raw: bytes, structure: Structure) -> Voice:
    """Return what a voice message says of its call; never raises."""
    headers = parse_headers(raw)
    recordings = [part for part in structure.attachment_parts() if part.content_type.startswith("audio/")]
    named = [name.strip() for name in (headers.get("X-AttachmentOrder") or "").split(";")]
    places = {name: place for place, name in enumerate(named)}
    newest_first = recordings[::-1]  # each is appended to the end, unless the order is said
    newest_first.sort(key=lambda part: places.get(part.filename or "", len(places)))
    orders = {part.number: order for order, part in enumerate(newest_first, 1)}
    durations = {
        part.number: _seconds(part_headers(raw, part).raw("Content-Duration")) for part in recordings
    }
    if newest_first and (whole := _seconds(headers.raw("X-VoiceMessageDuration"))) is not None:
        durations[newest_first[0].number] = whole
    caller = _CALLER.fullmatch((headers.get("X-CallingTelephoneNumber") or "").strip())
    return Voice(
        caller=caller[0] if caller else "",
        durations={number: seconds for number, seconds in durations.items() if seconds is not None},
        orders=orders,
    )


def _seconds(text: str | None) -> int | None:
    digits = (text or "").strip()
    return (
        int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= DURATION_DIGITS_MAX else None
    )
