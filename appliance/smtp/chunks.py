"""The message in chunks (BDAT): octets that are counted, not looked through for an end.

Nothing in the content can end it, so there is nothing to smuggle; the rules for what a message may hold are
those of DATA all the same, because it is stored and sent on like any other. A bare CR or LF makes it
unacceptable but leaves the session in step.

Source: RFC 3030 2 (CHUNKING). BINARYMIME is not offered.
"""

import re

from appliance.smtp.data import DataState, Flaw, MessageReader

SIZE_DIGITS_MAX = 20
_ARGUMENT = re.compile(rf"([0-9]{{1,{SIZE_DIGITS_MAX}}})(?: +(LAST))?", re.IGNORECASE)
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class ChunkReader(MessageReader):
    """Takes the octets of one message's chunks: `begin` each, then `feed` until it has ENDED."""

    def __init__(self, size_bytes_max: int, discard_bytes_max: int, line_bytes_max: int) -> None:
        super().__init__(size_bytes_max, discard_bytes_max, line_bytes_max)
        self.is_last = False
        self.chunks = 0
        self.chunk_bytes = 0
        self._left = 0
        self._held = b""  # a CR whose LF may be the first octet of the next piece or chunk

    @property
    def left(self) -> int:
        """Return how many octets of the chunk are still to come."""
        return self._left

    def begin(self, size: int, *, is_last: bool) -> None:
        """Expect a chunk. Sets `state` to OVERRUN when it can only be far too large, ENDED when empty."""
        self.is_last, self.chunk_bytes, self._left = is_last, size, size
        self.chunks += 1
        self.state = DataState.READING
        if self.size_bytes + size > self._discard_bytes_max:
            self.state = DataState.OVERRUN
        elif not size:
            self._end()

    def feed(self, data: bytes) -> bytes:
        """Return the part of the message that `data` (at most `left` octets) settles, b"" while refusing."""
        assert self.state is DataState.READING, "fed after the end"
        self._left -= len(data)
        octets = self._held + data
        self._held = b"\r" if octets.endswith(b"\r") else b""
        settled = octets[: len(octets) - len(self._held)]
        if _BARE.search(settled):
            self._note(Flaw.BARE_LINE_BREAK)
        content = self._account(settled)
        if not self._left and self.state is DataState.READING:
            self._end()
        return content

    def _end(self) -> None:
        self.state = DataState.ENDED
        if self.is_last and self._held:
            self._note(Flaw.BARE_LINE_BREAK)


def parse_bdat(argument: str) -> tuple[int, bool] | None:
    """Return the size and whether it is the last chunk; None for what is no BDAT. RFC 3030 2."""
    match = _ARGUMENT.fullmatch(argument)
    return None if match is None else (int(match[1]), match[2] is not None)
