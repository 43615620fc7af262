"""Bodies and attachments of a message as a device asked for them. Pure.

Owns the choice of the body form, truncation and the elements of MS-ASAIRS; leaves the message's own
properties to `email`. What is cut out of the raw bytes is fetched only when the chosen form needs it:
a plain text body costs no look at the message at all.

Source: MS-ASAIRS 2.2.2 Elements, 3.2.5.1 (which body is sent).
"""

from collections.abc import Callable
from functools import cached_property

from appliance.eas.sync_options import HTML, MIME, PLAIN, BodyPreference, Options
from appliance.items.message import Content, Message
from appliance.mime.body import html_body, plain_body, truncate_html, truncate_utf8
from appliance.mime.structure import Part, Structure, StructureError, attachment_name
from appliance.wbxml.codec import clean_text
from appliance.wbxml.codepages import AirSyncBase
from appliance.wbxml.element import Element

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

    @cached_property
    def plain(self) -> str:
        """The whole plain text body, CRLF line ends."""
        if self._content.is_text_complete:
            return self._content.text
        return plain_body(self.raw, self.structure)

    @cached_property
    def html(self) -> str:
        """The whole HTML body, made from the plain text where there is none."""
        return html_body(self.raw, self.structure) or ""


def body(source: Source, options: Options) -> Element:
    """Return the Body element in the form the options ask for."""
    preference = choose(source.message, options)
    if preference.type == MIME:
        return _mime_body(source, preference, options)
    text, cut = (source.html, truncate_html) if preference.type == HTML else (source.plain, truncate_utf8)
    data, is_truncated = _cut(text, preference, cut)
    return AirSyncBase.Body(
        AirSyncBase.Type(preference.type),
        AirSyncBase.EstimatedDataSize(_utf8_length(text)),
        AirSyncBase.Truncated(1) if is_truncated else None,
        AirSyncBase.Data(data) if data else None,
        _preview(source, preference, has_plain_data=preference.type == PLAIN and bool(data)),
    )


def choose(message: Message, options: Options) -> BodyPreference:
    """Return the preference that decides the body's form.

    1. MIME where MIMESupport calls for it; 2. the message's own form if the device lists it; 3. the
    nearest one it lists. A device that lists nothing gets plain text.
    """
    mime = options.preference(MIME)
    is_smime = message.message_class.upper().startswith("IPM.NOTE.SMIME")
    if options.mime_support == 2 or (options.mime_support == 1 and is_smime):
        if mime is not None:
            return mime
        if is_smime:
            return BodyPreference(MIME, options.mime_truncation)
    own = HTML if message.native_body_type == HTML else PLAIN
    nearest = (own, PLAIN if own == HTML else HTML)
    for body_type in nearest:
        preference = options.preference(body_type)
        if preference is not None:
            return preference
    return mime or BodyPreference(PLAIN)


def attachments(structure: Structure, item_id: int) -> Element | None:
    """Return the Attachments element, None when there are none. Source: MS-ASAIRS 2.2.2.8."""
    if not structure.attachments:
        return None
    return AirSyncBase.Attachments(
        [_attachment(structure, part, item_id) for part in structure.attachment_parts()]
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


def _attachment(structure: Structure, part: Part, item_id: int) -> Element:
    is_message = part.content_type == "message/rfc822"
    return AirSyncBase.Attachment(
        AirSyncBase.DisplayName(attachment_name(part)),
        AirSyncBase.FileReference(file_reference(item_id, part.number)),
        AirSyncBase.Method(METHOD_EMBEDDED if is_message else METHOD_NORMAL),
        AirSyncBase.EstimatedDataSize(part.size),
        AirSyncBase.ContentId(part.content_id) if part.content_id else None,
        AirSyncBase.ContentLocation(part.content_location) if part.content_location else None,
        AirSyncBase.IsInline(1) if structure.is_inline(part.number) else None,
    )


def _mime_body(source: Source, preference: BodyPreference, options: Options) -> Element:
    """Return the Body of Type 4: the message's own bytes, byte for byte."""
    raw = source.raw
    limit = preference.truncation_size
    if limit is None:
        limit = options.mime_truncation
    data = raw if limit is None else raw[:limit]
    is_truncated = len(data) < len(raw)
    if is_truncated and preference.all_or_none:
        data = b""
    return AirSyncBase.Body(
        AirSyncBase.Type(MIME),
        AirSyncBase.EstimatedDataSize(len(raw)),
        AirSyncBase.Truncated(1) if is_truncated else None,
        AirSyncBase.Data(_as_string(data)) if data else None,
        _preview(source, preference, has_plain_data=False),
    )


def _as_string(data: bytes) -> str | bytes:
    """Return bytes as the string MS-ASAIRS types them, or opaque when a string could not carry them.

    Mail with raw 8-bit text or control characters would otherwise reach the device altered, and its
    signature broken.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    return text if clean_text(text) == text else data


def _cut(
    text: str, preference: BodyPreference, cut: Callable[[str, int], tuple[str, bool]]
) -> tuple[str, bool]:
    if preference.truncation_size is None:
        return text, False
    data, is_truncated = cut(text, preference.truncation_size)
    return ("", True) if is_truncated and preference.all_or_none else (data, is_truncated)


def _preview(source: Source, preference: BodyPreference, *, has_plain_data: bool) -> Element | None:
    if not preference.preview or has_plain_data or not source.message.preview:
        return None
    return AirSyncBase.Preview(source.message.preview[: preference.preview])


def _utf8_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
