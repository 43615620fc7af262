"""The message inside DATA: where it ends, and the dots that protect it.

Owns end-of-data detection, dot transparency (RFC 5321 4.5.2) and the ceilings on a message as it streams
in. Only CRLF.CRLF ends a message; a CR or LF that is not part of a CRLF refuses it and ends the session,
because two servers that disagree about line ends can be made to disagree about where a message stops
(SMTP smuggling). What goes out is normalised, so that we never hand such a message on.

Theory of operation. `DataReader` starts as if a CRLF had just been received: with this virtual CRLF in
front, "the first line is a dot" and "a later line is a dot" are the same five octets, CRLF.CRLF. Of each
piece of input it holds back the longest tail that could still become those five (at most four octets), so
everything it does release is settled: no line break or leading dot is ever cut in two.

BDAT counts octets instead: `chunks.ChunkReader`, under the same ceilings.
"""

import re
from enum import Enum, IntEnum, auto

END_OF_DATA = b"\r\n.\r\n"
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class DataState(Enum):
    """How far a reader is, or why it stopped."""

    READING = auto()
    ENDED = auto()  # CRLF.CRLF seen, or the chunk complete; `flaw` says whether the message is acceptable
    BARE_LINE_BREAK = auto()  # stop: nothing after this can be trusted
    OVERRUN = auto()  # far beyond the size limit and still no end: stop


class Flaw(IntEnum):
    """Why a message that ended properly is refused; of several the highest is named."""

    LINE_TOO_LONG = 1
    NUL = 2
    BARE_LINE_BREAK = 3  # in chunks only: in DATA it stops the reader
    TOO_LARGE = 4


class MessageReader:
    """The ceilings on a message as it streams in.

    size_bytes_max: a larger message is read to its end and thrown away (`flaw` is TOO_LARGE), so that
    the client hears the refusal; beyond discard_bytes_max the reader stops (OVERRUN).
    line_bytes_max: longest line without its CRLF.
    """

    def __init__(self, size_bytes_max: int, discard_bytes_max: int, line_bytes_max: int) -> None:
        self.state = DataState.READING
        self.flaw: Flaw | None = None
        self.size_bytes = 0
        self._size_bytes_max = size_bytes_max
        self._discard_bytes_max = discard_bytes_max
        self._line_bytes_max = line_bytes_max
        self._line_bytes = 0

    def _note(self, flaw: Flaw) -> None:
        self.flaw = max(flaw, self.flaw or flaw)

    def _account(self, content: bytes) -> bytes:
        """Apply the ceilings to settled content. The worst flaw is reported, however the input was cut."""
        self.size_bytes += len(content)
        has_long_line = self._longest_line(content) > self._line_bytes_max
        if self.size_bytes > self._discard_bytes_max:
            self.state = DataState.OVERRUN
        if self.size_bytes > self._size_bytes_max:
            self._note(Flaw.TOO_LARGE)
        if b"\0" in content:
            self._note(Flaw.NUL)
        if has_long_line:
            self._note(Flaw.LINE_TOO_LONG)
        return content if self.flaw is None else b""

    def _longest_line(self, content: bytes) -> int:
        """Return an upper bound that is exact when it matters; remembers the line still open."""
        carried, last = self._line_bytes, content.rfind(b"\r\n")
        self._line_bytes = carried + len(content) if last < 0 else len(content) - last - 2
        if carried + len(content) <= self._line_bytes_max:
            return 0
        first, *others = content.split(b"\r\n")
        return max(carried + len(first), *map(len, others), 0)


class DataReader(MessageReader):
    """Takes the octets after 354 and gives back the message, unstuffed."""

    def __init__(self, size_bytes_max: int, discard_bytes_max: int, line_bytes_max: int) -> None:
        super().__init__(size_bytes_max, discard_bytes_max, line_bytes_max)
        self.rest = b""  # what followed the end of data: the next commands
        self._held = b"\r\n"
        self._virtual = 2

    def feed(self, data: bytes) -> bytes:
        """Return the part of the message that `data` settles, b"" while refusing.

        Sets `state`, `flaw` and, at the end, `rest`.
        """
        assert self.state is DataState.READING, "fed after the end"
        octets = self._held + data
        end = octets.find(END_OF_DATA)
        # At the end, the CRLF before the dot belongs to the message.
        stop = end + 2 if end >= 0 else len(octets) - _undecided(octets)
        region = octets[:stop]
        if not _has_only_crlf(region):
            self._stop_at_bare(region)
            return b""
        if end >= 0:
            self.state = DataState.ENDED
            self.rest = octets[end + len(END_OF_DATA) :]
        else:
            self._held = octets[stop:]
        return self._account(self._unstuffed(region))

    def _stop_at_bare(self, region: bytes) -> None:
        """Stop; as OVERRUN when what stands before the bare CR or LF is too much, as if cut finer."""
        bare = _BARE.search(region)
        assert bare is not None
        settled = region[: bare.start()]
        self._account(self._unstuffed(settled[: len(settled) - _undecided(settled)]))
        if self.state is DataState.READING:
            self.state = DataState.BARE_LINE_BREAK

    def _unstuffed(self, region: bytes) -> bytes:
        virtual = min(self._virtual, len(region))
        self._virtual -= virtual
        return region.replace(b"\r\n.", b"\r\n")[virtual:]


class DataWriter:
    """Turns a message into what goes out after 354, piece by piece: CRLF line ends, dots doubled."""

    def __init__(self) -> None:
        self._ends_with_cr = False
        self._at_line_start = True

    def feed(self, piece: bytes) -> bytes:
        """Return the next octets to send for `piece`, which may be cut anywhere."""
        if self._ends_with_cr:
            piece = b"\r" + piece
        self._ends_with_cr = piece.endswith(b"\r")
        if self._ends_with_cr:
            piece = piece[:-1]
        if not piece:
            return b""
        octets = _normalised(piece)
        dot = b"." if self._at_line_start and octets.startswith(b".") else b""
        self._at_line_start = octets.endswith(b"\n")
        return dot + octets.replace(b"\r\n.", b"\r\n..")

    def finish(self) -> bytes:
        """Return the end: the last line's CRLF if it had none, and the dot."""
        is_open = self._ends_with_cr or not self._at_line_start
        return b"\r\n.\r\n" if is_open else b".\r\n"


def stuff(raw: bytes) -> bytes:
    """Return a whole message ready to be sent after 354, with the final dot. Source: RFC 5321 4.5.2."""
    writer = DataWriter()
    return writer.feed(raw) + writer.finish()


def _undecided(octets: bytes) -> int:
    """Return how many octets at the end could be the beginning of CRLF.CRLF."""
    for length in range(min(len(END_OF_DATA) - 1, len(octets)), 0, -1):
        if octets.endswith(END_OF_DATA[:length]):
            return length
    return 0


def _has_only_crlf(octets: bytes) -> bool:
    pairs = octets.count(b"\r\n")
    return octets.count(b"\r") == pairs and octets.count(b"\n") == pairs


def _normalised(octets: bytes) -> bytes:
    if _has_only_crlf(octets):
        return octets
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
