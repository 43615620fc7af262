"""SMTP replies: what we send and what we are sent.

Owns the `Reply` value with its wire form and `ReplyParser`, which reads a remote server's answers with
ceilings and without trusting them. Leaves the choice of a reply to its users. RFC 5321 4.2 (replies),
RFC 2034 and RFC 3463 (enhanced codes).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.smtp.grammar import SmtpSyntaxError

REPLY_LINE_OCTETS_MAX = 512  # RFC 5321 4.5.3.1.5 Reply Line, with code and CRLF
REPLY_LINES_MAX = 100
RECEIVED_LINE_OCTETS_MAX = 2048  # four times the limit: some servers put whole URLs and policies in a line

_BLANK_CONTROLS = dict.fromkeys((*range(32), *range(127, 160), 0x2028, 0x2029), " ")
_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_ENHANCED_PREFIX = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?:[ \t]+|$)")
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True, init=False)
class Reply:
    """A code, an enhanced code (None where RFC 2034 uses none) and one or more lines of text.

    `Reply(550, "5.1.1", "No such user")`. The wire form cannot carry a line break or a control character
    out of the text, whatever the text was made from.
    """

    code: int
    enhanced: str | None
    lines: tuple[str, ...]

    def __init__(self, code: int, enhanced: str | None, *lines: str) -> None:
        if not 200 <= code <= 599:
            raise ValueError(f"reply code {code} is not 2xx to 5xx")
        if enhanced is not None and (not _ENHANCED.fullmatch(enhanced) or int(enhanced[0]) != code // 100):
            raise ValueError(f"enhanced code {enhanced} does not fit {code}")
        object.__setattr__(self, "code", code)
        object.__setattr__(self, "enhanced", enhanced)
        object.__setattr__(self, "lines", lines or ("",))

    def __str__(self) -> str:
        """Return the reply as one line of text, for logs and DSNs."""
        parts = (str(self.code), self.enhanced or "", " / ".join(line for line in self.lines if line))
        return " ".join(part for part in parts if part).translate(_BLANK_CONTROLS)

    @property
    def is_positive(self) -> bool:
        """Say whether the command succeeded (2yz) or may go on (3yz)."""
        return self.code < 400

    @property
    def is_transient(self) -> bool:
        """Say whether the same command may succeed later (4yz)."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """Say whether the same command will fail again (5yz)."""
        return self.code >= 500

    def to_bytes(self) -> bytes:
        """Return the wire form: ASCII, at most 512 octets a line, long text continued on further lines."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        room = REPLY_LINE_OCTETS_MAX - len("250-\r\n") - len(prefix)
        pieces = [piece for line in self.lines for piece in _pieces(line, room)][:REPLY_LINES_MAX]
        last = len(pieces) - 1
        return b"".join(
            f"{self.code}{' ' if n == last else '-'}{prefix}{piece}".rstrip(" " if prefix else "").encode()
            + b"\r\n"
            for n, piece in enumerate(pieces)
        )


class ReplyParser:
    """Reads replies from a byte stream. Feed bytes, then pull until `next_reply()` gives None.

    Tolerant where nothing is lost by it (bare LF, missing text, any bytes in the text) and strict where a
    guess could mistake one reply for another (codes that change within a reply, text without a code).
    """

    def __init__(self, line_octets_max: int = RECEIVED_LINE_OCTETS_MAX, lines_max: int = REPLY_LINES_MAX):
        self._line_octets_max = line_octets_max
        self._lines_max = lines_max
        self._buffer = bytearray()
        self._lines: list[tuple[int, str]] = []

    @property
    def has_leftover(self) -> bool:
        """Say whether bytes were received that belong to no complete reply."""
        return bool(self._buffer or self._lines)

    def feed(self, data: bytes) -> None:
        """Take received bytes."""
        self._buffer += data

    def clear(self) -> None:
        """Forget everything received and not yet pulled."""
        self._buffer.clear()
        self._lines.clear()

    def next_reply(self) -> Reply | None:
        """Return the next complete reply, or None. Raises SmtpSyntaxError on what is no SMTP reply."""
        for line in self._complete_lines():
            match = _LINE.fullmatch(line)
            if match is None:
                raise SmtpSyntaxError("the server's answer is not an SMTP reply")
            code = int(match.group(1))
            if self._lines and self._lines[0][0] != code:
                raise SmtpSyntaxError("the server's reply changes its code between lines")
            self._lines.append((code, (match.group(3) or b"").decode("utf-8", "replace")))
            if match.group(2) != b"-":
                return self._finish()
            if len(self._lines) >= self._lines_max:
                raise SmtpSyntaxError(f"the server's reply has more than {self._lines_max} lines")
        return None

    def _complete_lines(self) -> Iterator[bytes]:
        while (stop := self._buffer.find(b"\n", 0, self._line_octets_max)) >= 0:
            line = bytes(self._buffer[:stop])
            del self._buffer[: stop + 1]
            yield line.removesuffix(b"\r")
        if len(self._buffer) >= self._line_octets_max:
            raise SmtpSyntaxError(f"the server's reply line is longer than {self._line_octets_max} octets")

    def _finish(self) -> Reply:
        code, enhanced, texts = self._lines[0][0], None, []
        for _, received in self._lines:
            text = received.translate(_BLANK_CONTROLS)
            match = _ENHANCED_PREFIX.match(text)
            if match is not None and int(text[0]) == code // 100:
                enhanced = match.group(1)
                text = text[match.end() :]
            texts.append(text)
        self._lines.clear()
        return Reply(code, enhanced, *texts)


def _pieces(line: str, room: int) -> Iterator[str]:
    """Yield the text as ASCII without controls, cut so that no piece exceeds `room` octets."""
    text = line.translate(_BLANK_CONTROLS).encode("ascii", "replace").decode("ascii")
    while len(text) > room:
        cut = text.rfind(" ", 1, room + 1)
        cut = room if cut < 0 else cut
        yield text[:cut]
        text = text[cut:].lstrip(" ")
    yield text
