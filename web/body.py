# mypy: disable-error-code="import-untyped"
# gunicorn ships no annotations; its stream raises errors of its own when the framing is wrong.
"""Request bodies under ceilings: size, time, and what a compressed one may become.

Owns reading a body from the socket and unpacking gzip. Leaves to the caller which ceiling applies and,
above all, to read nothing before the client has proved who it is. The pause between two pieces is
limited by the socket's time-out (`worker.py`), the whole by TOTAL_S here.
"""

import time
import zlib
from typing import IO, Any, Final

from gunicorn.http.errors import NoMoreData, ParseException

PIECE_BYTES: Final = 65_536
TOTAL_S: Final = 600
RATIO_MAX: Final = 100
RATIO_FLOOR_BYTES: Final = 1_048_576
"""A small body may expand at any ratio: WBXML with padding does, and nothing is won by refusing it."""

GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS


class BodyError(Exception):
    """The body is refused; `status` is the HTTP answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def read(environ: dict[str, Any], ceiling: int) -> bytes:
    """Return the unpacked body of a request.

    ceiling: bytes, before and after unpacking. Raises BodyError: 413 when it is larger, 400 when it is
    cut short or cannot be unpacked, 408 when it comes too slowly, 415 for an unknown Content-Encoding.
    """
    coding = environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise BodyError(415, "unknown Content-Encoding")
    raw = _received(environ["wsgi.input"], _announced(environ, ceiling), ceiling)
    return _unpacked(raw, ceiling) if coding.endswith("gzip") else raw


def _announced(environ: dict[str, Any], ceiling: int) -> int | None:
    """Return the announced length, None for a chunked body."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return None
    text = environ.get("CONTENT_LENGTH") or "0"
    if not (text.isascii() and text.isdecimal()):
        raise BodyError(400, "malformed Content-Length")
    length = int(text)
    if length > ceiling:
        raise BodyError(413, f"more than {ceiling} bytes")
    return length


def _received(stream: IO[bytes], announced: int | None, ceiling: int) -> bytes:
    deadline = time.monotonic() + TOTAL_S
    pieces: list[bytes] = []
    size = 0
    while announced is None or size < announced:
        wanted = PIECE_BYTES if announced is None else min(PIECE_BYTES, announced - size)
        piece = _piece(stream, wanted)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > ceiling:
            raise BodyError(413, f"more than {ceiling} bytes")
        if time.monotonic() > deadline:
            raise BodyError(408, "the body came too slowly")
    if announced is not None and size < announced:
        raise BodyError(400, "the body is shorter than announced")
    return b"".join(pieces)


def _piece(stream: IO[bytes], size: int) -> bytes:
    try:
        return stream.read(size)
    except TimeoutError:
        raise BodyError(408, "the body came too slowly") from None
    except (NoMoreData, OSError):  # the client went away in the middle: nobody's bug
        raise BodyError(400, "the body is cut short") from None
    except ParseException:
        raise BodyError(400, "the chunks of the body are malformed") from None


def _unpacked(raw: bytes, ceiling: int) -> bytes:
    """Unpack gzip, never producing more than the limit plus one piece."""
    limit = min(ceiling, max(RATIO_FLOOR_BYTES, RATIO_MAX * len(raw)))
    unpacker = zlib.decompressobj(GZIP_WINDOW)
    pieces: list[bytes] = []
    size = 0
    rest = raw
    try:
        while not unpacker.eof:
            piece = unpacker.decompress(rest, PIECE_BYTES)
            rest = unpacker.unconsumed_tail
            if not piece and not rest:
                break
            pieces.append(piece)
            size += len(piece)
            if size > limit:
                raise BodyError(413, "the unpacked body is too large")
    except zlib.error:
        raise BodyError(400, "the body is not gzip") from None
    if not unpacker.eof or unpacker.unused_data:
        raise BodyError(400, "the gzip body is cut short or followed by something else")
    return b"".join(pieces)
