"""A received message as signatures see it: header fields as they stand, and digests of the body.

Theory of operation. The body is put into its canonical form in pieces of whole lines and goes straight
into the hash: nothing of its size is built a second time, hashing lets go of the interpreter, and two
signatures that want the same digest get it for one pass. Runs of blanks are found without backtracking.

Source: RFC 6376 3.4 Canonicalization, 3.7 Computing the Message Hashes.
"""

import hashlib
import re
from collections.abc import Iterator

HEADER_BYTES_MAX = 262_144
"""Of the header block; fields behind it take no part, as everywhere else in the appliance."""
PIECE_BYTES = 65_536  # a few milliseconds in which nobody else gets the interpreter
_BLANKS = re.compile(rb"[ \t]++")
_END_OF_HEADER = b"\r\n\r\n"


class Letter:
    """One message, cut into header and body; digests of the body are kept."""

    def __init__(self, raw: bytes) -> None:
        end = -2 if raw.startswith(b"\r\n") else raw.find(_END_OF_HEADER)
        if end == -2:
            self.header, self._body_start = b"", 2
        elif end < 0:
            self.header, self._body_start = raw, len(raw)
        else:
            self.header, self._body_start = raw[: end + 2], end + 4
        self.size = len(raw)
        self.is_header_whole = len(self.header) <= HEADER_BYTES_MAX
        self._raw = raw
        self._bodies: dict[bool, tuple[bytes, int]] = {}

    def body_digest(self, *, is_relaxed: bool) -> bytes:
        """Return the SHA-256 of the canonical body."""
        return self._body(is_relaxed)[0]

    def body_length(self, *, is_relaxed: bool) -> int:
        """Return the length of the canonical body in octets."""
        return self._body(is_relaxed)[1]

    def _body(self, is_relaxed: bool) -> tuple[bytes, int]:
        """Return digest and length, found in one pass, whatever number of signatures asks."""
        if is_relaxed not in self._bodies:
            hasher, total = hashlib.sha256(), 0
            for piece in self._canonical(is_relaxed=is_relaxed):
                total += len(piece)
                hasher.update(piece)
            self._bodies[is_relaxed] = hasher.digest(), total
        return self._bodies[is_relaxed]

    def _canonical(self, *, is_relaxed: bool) -> Iterator[bytes]:
        end = self._end(b" \t\r\n" if is_relaxed else b"\r\n")
        if end <= self._body_start:
            if not is_relaxed:
                yield b"\r\n"  # RFC 6376 3.4.3: an empty body is one empty line
            return
        position = self._body_start
        while position < end:
            cut = self._raw.find(b"\n", min(position + PIECE_BYTES, end), end)
            stop = end if cut < 0 else cut + 1
            piece = self._raw[position:stop]
            yield _BLANKS.sub(b" ", piece).replace(b" \r\n", b"\r\n") if is_relaxed else piece
            position = stop
        yield b"\r\n"

    def _end(self, blanks: bytes) -> int:
        """Return where the last octet that is none of these ends; without a second copy of the message."""
        end = len(self._raw)
        while end > self._body_start:
            piece = self._raw[max(end - PIECE_BYTES, 0) : end]
            kept = len(piece.rstrip(blanks))
            end -= len(piece) - kept
            if kept:
                break
        return end
