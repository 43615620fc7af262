"""Attachments of reports, unpacked within limits: gzip, zip, or as they are. Pure.

Reports come from strangers; a few kilobytes may claim to be gigabytes. What is larger than the ceiling or
shrinks better than any report does is refused before it is in memory.
"""

import zipfile
import zlib
from io import BytesIO
from typing import Final

PACKED_BYTES_MAX: Final = 5_242_880
BYTES_MAX: Final = 10_485_760
RATIO_MAX: Final = 100
RATIO_COUNTS_FROM_BYTES: Final = 1_048_576  # small and very regular is no attack

_GZIP, _ZIP = b"\x1f\x8b", (b"PK\x03\x04", b"PK\x05\x06")
_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class Unreadable(ValueError):
    """The bytes are not what they claim to be, or too many; the message says which."""


def unpacked(data: bytes) -> bytes:
    """Return the one file inside gzip or zip data, or the data itself when it is neither.

    Raises Unreadable.
    """
    if len(data) > PACKED_BYTES_MAX:
        raise Unreadable(f"more than {PACKED_BYTES_MAX} bytes")
    try:
        if data.startswith(_GZIP):
            return _inflated(zlib.decompressobj(_GZIP_WINDOW), data)
        if data.startswith(_ZIP):
            return _first_of(data)
    except (zlib.error, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise Unreadable(f"cannot be unpacked: {error}") from error
    return data


def _inflated(inflater: "zlib._Decompress", data: bytes) -> bytes:
    ceiling = _ceiling(len(data))
    found = inflater.decompress(data, ceiling + 1)
    if len(found) > ceiling:
        raise Unreadable("too large when it is unpacked")
    if not inflater.eof:
        raise Unreadable("cut off")
    return found


def _first_of(data: bytes) -> bytes:
    ceiling = _ceiling(len(data))
    with zipfile.ZipFile(BytesIO(data)) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
        if len(files) != 1:
            raise Unreadable(f"{len(files)} files instead of one")
        with archive.open(files[0]) as file:
            found = file.read(ceiling + 1)
    if len(found) > ceiling:
        raise Unreadable("too large when it is unpacked")
    return found


def _ceiling(packed_bytes: int) -> int:
    return min(BYTES_MAX, max(packed_bytes * RATIO_MAX, RATIO_COUNTS_FROM_BYTES))
