"""A message's octets on their way out: read when they are needed, a piece at a time, as often as needed.

A large message is never in memory as a whole. Where the pieces come from is the queue's.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

PIECE_BYTES = 65_536
HEADER_BYTES_MAX = 262_144
_TLS_OPTIONAL = re.compile(rb"^TLS-Required:[ \t]*No[ \t]*\r?$", re.I | re.M)


@dataclass(frozen=True)
class Body:
    """A message. is_8bit: it has octets above 127. says_tls_is_optional: `TLS-Required: No` (RFC 8689 5).

    pieces: gives all of it in pieces, anew at each call; it may block and raise as reading does.
    """

    size_bytes: int
    is_8bit: bool
    says_tls_is_optional: bool
    pieces: Callable[[], Iterator[bytes]]


def body_of(pieces: Callable[[], Iterator[bytes]]) -> Body:
    """Return the message that these pieces are, after reading them once. Raises what reading raises."""
    size, is_8bit, head = 0, False, bytearray()
    for piece in pieces():
        size += len(piece)
        is_8bit = is_8bit or not piece.isascii()
        if len(head) < HEADER_BYTES_MAX:
            head += piece
    header = re.split(rb"\r?\n\r?\n", bytes(head), maxsplit=1)[0]
    return Body(size, is_8bit, _TLS_OPTIONAL.search(header) is not None, pieces)


def body_in_memory(raw: bytes) -> Body:
    """Return the message that these bytes are."""

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(raw), PIECE_BYTES):
            yield raw[start : start + PIECE_BYTES]

    return body_of(pieces)
