"""A stored <item> as the <Class> class of ActiveSync, and back. Pure. Copy this module to `<class>.py`.

Owns which elements stand for what, their order and their forms in each version; leaves bodies to
`airsyncbase` and the meaning of the fields to `items`. Same item, same options, same version: same bytes,
always. Notes serve as the example; nothing uses this module.

Source: MS-AS<CLASS> 2.2.2 Elements.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_options import PLAIN
from appliance.eas.versions import at_least
from appliance.wbxml.codepages import AirSync, AirSyncBase, Notes
from appliance.wbxml.element import Element

SUBJECT_LENGTH_MAX = 1_024  # what comes from a phone has a ceiling, and is cut rather than refused


@dataclass(frozen=True, slots=True)
class Note:
    """The neutral value: in real life a dataclass of `items`, which says nothing of ActiveSync."""

    subject: str
    text: str
    changed_at: datetime


def application_data(note: Note, version: str) -> Element:
    """Return the ApplicationData of an item, for an Add and for a Change of all but its separate parts."""
    return AirSync.ApplicationData(list(_properties(note, version)))


def placeholder(note: Note) -> Element:
    """Return ApplicationData for an item that cannot be rendered, from what cannot fail."""
    return AirSync.ApplicationData(
        Notes.Subject("(note could not be shown)"), Notes.LastModifiedDate(_compact(note.changed_at))
    )


def parse(data: Element, before: Note | None, now: datetime) -> Note:
    """Return the item a device wants; before: None for an Add.

    Say for every element what its absence means: here "unchanged". Raises ProtocolError with the item's
    Status 6 for what can never be stored; anything a phone may mean well is taken.
    """
    note = before or Note("", "", now)
    subject = data.find(Notes.Subject)
    body = data.find(AirSyncBase.Body)
    if body is not None and body.int_of(AirSyncBase.Type) != PLAIN:
        raise ProtocolError(Status.CONVERSION_ERROR, "a note has plain text")
    return replace(
        note,
        subject=note.subject if subject is None else subject.text[:SUBJECT_LENGTH_MAX],
        text=note.text if body is None else body.text_of(AirSyncBase.Data, ""),
        changed_at=now,
    )


def _properties(note: Note, version: str) -> Iterator[Element]:
    """Yield the elements in the order clients know."""
    yield Notes.Subject(note.subject)
    yield AirSyncBase.Body(
        AirSyncBase.Type(PLAIN),
        AirSyncBase.EstimatedDataSize(len(note.text.encode())),
        AirSyncBase.Data(note.text) if note.text else None,
    )
    if at_least(version, "14.0"):  # only where the same thing has another form; see `vocabulary`
        yield Notes.LastModifiedDate(_compact(note.changed_at))


def _compact(moment: datetime) -> str:
    """Return a compact dateTime, as Calendar and Notes write it. Source: MS-ASDTYPE 2.7.2."""
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
