"""Bodies and attachments of a message as a device asked for them. Pure.

Owns the choice of the body form, truncation and the elements of MS-ASAIRS; leaves the message's own
properties to `email`. What is cut out of the raw bytes is fetched only when the chosen form needs it:
a plain text body costs no look at the message at all.

Source: MS-ASAIRS 2.2.2 Elements, 3.2.5.1 (which body is sent).
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property

from appliance.eas.content.meeting_request import calendar_of
from appliance.eas.status import Common
from appliance.eas.sync_options import HTML, MIME, PLAIN, BodyPreference, Options
from appliance.ical.invitation import Invitation
from appliance.items.message import Content, Message
from appliance.mime.body import html_body, plain_body, truncate_html, truncate_utf8
from appliance.mime.html import html_from_text, text_from_html
from appliance.mime.new_text import new_html, new_plain
from appliance.mime.structure import Part, Structure, StructureError, attachment_name
from appliance.mime.voice import Voice, is_voice, read_voice
from appliance.wbxml.codec import clean_text
from appliance.wbxml.codepages import AirSyncBase, Email2
from appliance.wbxml.element import Element

BODY_PART_CHARS_MAX = 1_000_000  # of a body in which the message's own part is looked for
METHOD_NORMAL, METHOD_EMBEDDED = 1, 5  # MS-ASAIRS 2.2.2.31 Method


class Source:
    """A message's content, cut out of its bytes only as far as it is asked for.

    read_raw: returns the RFC 5322 bytes; called at most once. rescan: returns a fresh structure when the
    stored one is of another version.
    """

    def __init__(
        self,
        message: Message,
        content: Content,
        read_raw: Callable[[], bytes],
        rescan: Callable[[bytes], Structure],
    ) -> None:
        self.message = message
        self._content = content
        self._read_raw = read_raw
        self._rescan = rescan

    @cached_property
    def raw(self) -> bytes:
        """The RFC 5322 bytes."""
        return self._read_raw()

    @cached_property
    def structure(self) -> Structure:
        """The parts of the message."""
        try:
            return Structure.from_json(self._content.structure)
        except StructureError:
            return self._rescan(self.raw)

    @property
    def has_plain(self) -> bool:
        """Whether `plain` is at hand without the bytes."""
        return self._content.is_text_complete

    @cached_property
    def plain(self) -> str:
        """The whole plain text body, CRLF line ends."""
        if self.has_plain:
            return self._content.text
        return plain_body(self.raw, self.structure)

    @cached_property
    def html(self) -> str:
        """The whole HTML body, made from the plain text where there is none."""
        return html_body(self.raw, self.structure) or ""

    @cached_property
    def invitation(self) -> Invitation | None:
        """What the calendar of a meeting message says; None for other messages. Reads the bytes for these."""
        if self.structure.calendar_part is None:
            return None
        return calendar_of(self.raw, self.structure, self.message.message_class)

    @cached_property
    def voice(self) -> Voice | None:
        """What a voice message says of its call; None for other messages. Reads the bytes for these."""
        if not is_voice(self.message.message_class):
            return None
        return read_voice(self.raw, self.structure)

    @cached_property
    def own_html(self) -> str:
        """What the message itself says, without the older mail quoted at its end; as HTML."""
        if self.structure.html_part is not None:
            return new_html(self.html)
        return html_from_text(new_plain(self.plain))


def body(source: Source, options: Options) -> Element:
    """Return the Body element in the form the options ask for.

    A form that must not be cut and does not fit gives way to the next; when none fits, the first one is
    described without Data.
    """
    bodies = []
    for preference in choose(source.message, options):
        rendered, is_whole = _body(source, preference, options)
        if is_whole or not preference.all_or_none:
            return rendered
        bodies.append(rendered)
    return bodies[0]


def body_part(source: Source, preference: BodyPreference) -> Element:
    """Return the BodyPart element: what the message adds to its conversation.

    Source: MS-ASAIRS 2.2.2.10 BodyPart, MS-ASCON 3.2.5.7 Sending a Message Part.
    """
    is_html = source.structure.html_part is not None
    whole = source.html if is_html else source.plain
    if len(whole) > BODY_PART_CHARS_MAX:
        return AirSyncBase.BodyPart(
            AirSyncBase.Status(Common.BODY_PART_CONVERSATION_TOO_LARGE),
            AirSyncBase.Type(HTML),
            AirSyncBase.EstimatedDataSize(_utf8_length(whole)),
        )
    text, limit = source.own_html, preference.truncation_size
    data, is_cut = (text, False) if limit is None else truncate_html(text, limit)
    if is_cut and preference.all_or_none:
        data = ""
    preview = " ".join(text_from_html(text).split())[: preference.preview] if preference.preview else ""
    return AirSyncBase.BodyPart(
        AirSyncBase.Status(1),
        AirSyncBase.Type(HTML),
        AirSyncBase.EstimatedDataSize(_utf8_length(text)),
        AirSyncBase.Truncated(1) if is_cut else None,
        AirSyncBase.Data(data) if data else None,
        AirSyncBase.Preview(preview) if preview else None,
    )


def choose(message: Message, options: Options) -> list[BodyPreference]:
    """Return the preferences that may decide the body's form, the best one first; at least one.

    1. MIME where MIMESupport calls for it; 2. the message's own form if the device lists it; 3. the
    nearest one it lists. A device that lists nothing we have gets plain text.
    """
    mime = options.preference(MIME)
    is_smime = message.message_class.upper().startswith("IPM.NOTE.SMIME")
    if options.mime_support == 2 or (options.mime_support == 1 and is_smime):
        if mime is not None:
            return [mime]
        if is_smime:
            return [BodyPreference(MIME, options.mime_truncation)]
    nearest = (HTML, PLAIN) if message.native_body_type == HTML else (PLAIN, HTML)
    listed = [preference for form in nearest if (preference := options.preference(form)) is not None]
    if listed:
        return listed
    if mime is not None:
        return [mime]
    return [replace(options.bodies[0], type=PLAIN) if options.bodies else BodyPreference(PLAIN)]


def body_bytes(source: Source, options: Options) -> int:
    """Return how many bytes of the message have to be decoded for the body; 0 when none at all."""
    structure, form = source.structure, choose(source.message, options)[0].type
    if options.body_part is not None and structure.html_part is not None:
        form = HTML
    if form == MIME or (form == PLAIN and source.has_plain):
        return 0
    numbers = structure.html_parts if form == HTML else (*structure.text_parts, *structure.html_parts)
    return sum(part.end - part.start for part in map(structure.part, numbers))


def attachments(structure: Structure, item_id: int, voice: Voice | None = None) -> Element | None:
    """Return the Attachments element, None when there are none. Source: MS-ASAIRS 2.2.2.8.

    voice: of a voice message, whose recordings say more.
    """
    if not structure.attachments:
        return None
    return AirSyncBase.Attachments(
        [_attachment(structure, part, item_id, voice) for part in structure.attachment_parts()]
    )


def file_reference(item_id: int, part_number: str) -> str:
    """Return the name by which a device asks for an attachment; it lives as long as the item."""
    return f"{item_id}:{part_number}"


def parse_file_reference(reference: str) -> tuple[int, str] | None:
    """Return the (item id, part number) of a FileReference, None when it is none of ours."""
    item_id, colon, number = reference.partition(":")
    if not colon or not item_id.isascii() or not item_id.isdigit() or len(item_id) > 18:
        return None
    return int(item_id), number


def _attachment(structure: Structure, part: Part, item_id: int, voice: Voice | None) -> Element:
    order = voice.orders.get(part.number) if voice is not None else None
    duration = voice.durations.get(part.number) if voice is not None else None
    is_message = part.content_type == "message/rfc822"
    return AirSyncBase.Attachment(
        AirSyncBase.DisplayName(attachment_name(part)),
        AirSyncBase.FileReference(file_reference(item_id, part.number)),
        AirSyncBase.Method(METHOD_EMBEDDED if is_message else METHOD_NORMAL),
        AirSyncBase.EstimatedDataSize(part.size),
        AirSyncBase.ContentId(part.content_id) if part.content_id else None,
        AirSyncBase.ContentLocation(part.content_location) if part.content_location else None,
        AirSyncBase.IsInline(1) if structure.is_inline(part.number) else None,
        Email2.UmAttDuration(duration) if duration is not None else None,
        Email2.UmAttOrder(order) if order is not None else None,
    )


def _body(source: Source, preference: BodyPreference, options: Options) -> tuple[Element, bool]:
    """Return the Body in one form, and whether it is whole."""
    data: str | bytes
    if preference.type == MIME:
        limit, size = preference.truncation_size, len(source.raw)
        data, is_whole = _mime(source.raw, options.mime_truncation if limit is None else limit)
    else:
        is_html = preference.type == HTML
        text, limit = source.html if is_html else source.plain, preference.truncation_size
        cut = truncate_html if is_html else truncate_utf8
        data, is_cut = (text, False) if limit is None else cut(text, limit)
        size, is_whole = _utf8_length(text), not is_cut
    if preference.all_or_none and not is_whole:
        data = ""
    element = AirSyncBase.Body(
        AirSyncBase.Type(preference.type),
        AirSyncBase.EstimatedDataSize(size),
        # Of a whole message it is said, too: MS-ASCMD 2.2.3.110 MIMESupport wants the element there.
        AirSyncBase.Truncated(not is_whole) if preference.type == MIME or not is_whole else None,
        AirSyncBase.Data(data) if data else None,
        _preview(source, preference, has_plain_data=preference.type == PLAIN and bool(data)),
    )
    return element, is_whole


def _mime(raw: bytes, size_bytes: int | None) -> tuple[str | bytes, bool]:
    """Return the message's own bytes, or the first of them, byte for byte, and whether that is all.

    They are a string, as MS-ASAIRS types them, or opaque when a string could not carry them: mail with raw
    8-bit text or control characters would otherwise reach the device altered, and its signature broken.
    A cut is made between characters, so that it does not turn a string into something opaque.
    """
    data = raw if size_bytes is None else raw[:size_bytes]
    is_whole = len(data) == len(raw)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if is_whole or error.reason != "unexpected end of data" or error.start == 0:
            return data, is_whole
        data = data[: error.start]
        text = data.decode("utf-8")
    return (text if clean_text(text) == text else data), is_whole


def _preview(source: Source, preference: BodyPreference, *, has_plain_data: bool) -> Element | None:
    if not preference.preview or has_plain_data or not source.message.preview:
        return None
    return AirSyncBase.Preview(source.message.preview[: preference.preview])


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
