"""Replies of other servers: one byte says how to cut, the rest is what the server sends.

Refused with SmtpSyntaxError, or replies that can be sent on and logged as one line; the same ones however
the bytes were cut; a buffer no longer than a line.
"""

from appliance.smtp.grammar import SmtpSyntaxError
from appliance.smtp.reply import RECEIVED_LINE_OCTETS_MAX, REPLY_LINES_MAX, Reply, ReplyParser
from tests.fuzz.checks import is_one_line, pieces
from tests.fuzz.coverage import note

COVERS = ("appliance/smtp/reply.py",)
TOKENS = (
    b"250 ok\r\n", b"250-", b"550 5.1.1 no\r\n", b"421\r\n", b"\n", b"\r", b"5.1.1 ", b"2.1.5", b"x" * 600,
    b"\xff", b"\0", b"\xc2\x85", b"\xe2\x80\xa8", "\u0663".encode(),
)  # fmt: skip
BYTES_MAX = 8_192


def seeds() -> list[bytes]:
    replies = (
        b"220 mx.test\r\n250-mx.test\r\n250-SIZE 10\r\n250 OK\r\n550-5.1.1 No\r\n550 5.1.1 user\r\n421\r\n"
    )
    return [bytes((plan,)) + replies for plan in range(3)] + [b"\x02" + b"250-a\r\n" * 120]


def target(data: bytes) -> None:
    plan, stream = (data[0] if data else 0), data[1:]
    whole, cut = _replies([stream]), _replies(pieces(stream, plan))
    assert whole == cut, "cut differently, other replies"
    for reply in whole:
        if isinstance(reply, Reply):
            _is_usable(reply)


def _replies(parts: list[bytes]) -> list[Reply | str]:
    """Return the replies, and the error they end with."""
    parser = ReplyParser()
    found: list[Reply | str] = []
    for part in parts:
        parser.feed(part)
        try:
            while (reply := parser.next_reply()) is not None:
                found.append(reply)
        except SmtpSyntaxError as error:
            note(error.message)
            return [*found, error.message]
        assert len(parser._buffer) < RECEIVED_LINE_OCTETS_MAX, "the buffer grows"
        assert len(parser._lines) <= REPLY_LINES_MAX
    return found


def _is_usable(reply: Reply) -> None:
    is_one_line(str(reply), "the reply in a log")
    sent = reply.to_bytes()
    assert sent.isascii()
    assert max(map(len, sent.split(b"\r\n"))) <= 510
    again = ReplyParser()
    again.feed(sent)
    read = again.next_reply()
    assert read is not None
    assert (read.code, again.has_leftover) == (reply.code, False)
    if len(read.lines) == len(reply.lines):  # else a cut may have put words in front that look like a code
        assert read.enhanced == reply.enhanced, "the enhanced code changes on the way"
    note(reply.code // 100, reply.enhanced is None, len(reply.lines) > 1)
