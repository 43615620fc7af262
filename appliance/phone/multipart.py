"""The multipart answer of ItemOperations: a WBXML document and raw parts in one body. Pure.

Source: MS-ASCMD 2.2.1.10.1 Multipart response; MS-ASHTTP 2.2.2.2 response body.
"""

import struct

from appliance.phone.errors import ProtocolError

CONTENT_TYPE = "application/vnd.ms-sync.multipart"
PARTS_MAX = 1000


def split(body: bytes) -> list[bytes]:
    """Return the parts, the document first. Raises ProtocolError on a table that does not fit the body."""
    if len(body) < 4:
        raise ProtocolError("a multipart answer starts with the number of parts")
    (count,) = struct.unpack_from("<i", body)
    if not 1 <= count <= PARTS_MAX or len(body) < 4 + 8 * count:
        raise ProtocolError(f"a multipart answer announces {count} parts")
    parts = []
    for index in range(count):
        offset, length = struct.unpack_from("<ii", body, 4 + 8 * index)
        if offset < 4 + 8 * count or length < 0 or offset + length > len(body):
            raise ProtocolError(f"part {index} of a multipart answer lies outside the body")
        parts.append(body[offset : offset + length])
    return parts
