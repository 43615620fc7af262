"""Command lines out of a byte stream, strictly CRLF, with a ceiling.

Owns the receive buffer. A line over its ceiling is reported once and thrown away as it arrives, so its
length costs no memory. Leaves decoding and meaning to `server`.
"""

from collections.abc import Callable


class LineTooLong(Exception):
    """A line exceeded its ceiling; all of it was dropped and the next line is the next line."""


class BareLineBreak(Exception):
    """A CR or LF that is not part of a CRLF: where this line ends is a matter of opinion."""


class LineReader:
    """Cuts received bytes into lines.

    ceiling: gives the most octets (with CRLF) for the line that begins with the bytes it is shown; it is
    shown at least 5, or the whole line. No ceiling may be under 5.
    """

    def __init__(self, ceiling: Callable[[bytes], int]) -> None:
        self._ceiling = ceiling
        self._buffer = bytearray()
        self._searched = 0
        self._is_dropping = False
        self._dropped_last = 0  # the last octet thrown away, to recognise CRLF across a cut

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self._buffer += data

    def next_line(self) -> bytes | None:
        """Return the next line without its CRLF, or None. Raises LineTooLong, BareLineBreak."""
        stop = self._buffer.find(b"\n", self._searched)
        if self._is_dropping:
            self._drop(stop)
            return None
        if stop < 0:
            self._searched = len(self._buffer)
            if self._searched >= 5 and self._searched >= self._ceiling(bytes(self._buffer[:5])):
                self._is_dropping = True
                self._drop(stop)
            return None
        if stop + 1 > self._ceiling(bytes(self._buffer[:5])):
            self._drop(stop)
        line = bytes(self._buffer[: stop + 1])
        self._forget(stop + 1)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise BareLineBreak
        return line[:-2]

    def take(self, octets_max: int | None = None) -> bytes:
        """Return and remove what is buffered (the message after DATA), at most `octets_max` of it."""
        if octets_max is not None and octets_max < len(self._buffer):
            taken = bytes(self._buffer[:octets_max])
            self._forget(octets_max)
            return taken
        taken = bytes(self._buffer)
        self.clear()
        return taken

    def clear(self) -> None:
        """Forget everything received."""
        self._buffer.clear()
        self._searched = 0
        self._is_dropping = False

    def _drop(self, stop: int) -> None:
        """Throw the long line away up to the LF at `stop` (-1: not here yet); raise when it has ended."""
        if stop < 0:
            if self._buffer:
                self._dropped_last = self._buffer[-1]
            self._buffer.clear()
            self._searched = 0
            return
        before = self._buffer[stop - 1] if stop else self._dropped_last
        self._forget(stop + 1)
        self._is_dropping = False
        if before != ord("\r"):
            raise BareLineBreak
        raise LineTooLong

    def _forget(self, octets: int) -> None:
        del self._buffer[:octets]
        self._searched = 0
