"""Multipart answers: a WBXML document and the binary data it refers to, side by side. Pure.

Deviation: a Part stands behind a Preview, as the schema of MS-ASAIRS has it, not before it, as 2.2.2.9 says.

Source: MS-ASCMD 2.2.1.10.1 (delivery of content), MS-ASHTTP 2.2.2 (the content type).
"""

import base64
import struct
from dataclasses import dataclass, field

from appliance.eas.response import MULTIPART, Response
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSyncBase, ItemOperations
from appliance.wbxml.element import Element


@dataclass(slots=True)
class Parts:
    """Binary data of one answer, beside its document or inside it. bytes_left: until its ceiling."""

    is_wanted: bool
    bytes_left: int
    data: list[bytes] = field(default_factory=list)

    def element(self, data: bytes) -> Element:
        """Return the element that stands for the data in the document: Part, or Data with base64."""
        if not self.is_wanted:
            self.bytes_left -= len(data)
            return ItemOperations.Data(base64.b64encode(data).decode("ascii"))
        return self.part(data)

    def part(self, data: bytes) -> Element:
        """Put the data beside the document and return its number."""
        self.bytes_left -= len(data)
        self.data.append(data)
        return ItemOperations.Part(len(self.data))


def with_part(element: Element, parts: Parts) -> Element:
    """Return an item's element as it is sent; a Body's Data moves beside the document if that is wanted."""
    data = element.find(AirSyncBase.Data) if element.tag is AirSyncBase.Body else None
    if data is None:
        return element
    if not parts.is_wanted:
        parts.bytes_left -= len(data.data)
        return element
    kept = [child for child in element.children if child is not data]
    return AirSyncBase.Body(kept, parts.part(data.data))


def multipart(document: Element, data: list[bytes]) -> Response:
    """Return a multipart answer: counts and (offset, length) pairs, then the document, then the data."""
    pieces = [encode(document), *data]
    offset = 4 + 8 * len(pieces)
    header = [struct.pack("<i", len(pieces))]
    for piece in pieces:
        header.append(struct.pack("<ii", offset, len(piece)))
        offset += len(piece)
    return Response(body=b"".join([*header, *pieces]), content_type=MULTIPART)
