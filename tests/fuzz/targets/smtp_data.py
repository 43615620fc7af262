"""The message inside DATA: one byte says how to cut, the rest is what follows 354.

The reader is compared with a plain reading of the whole stream: only CRLF.CRLF ends a message, any other CR
or LF stops the session, and where the input was cut changes nothing. The writer gives what the reader takes.
"""

from appliance.smtp.data import END_OF_DATA, DataReader, DataState, DataWriter, Flaw, stuff
from tests.fuzz.checks import has_only_crlf, pieces
from tests.fuzz.coverage import note

COVERS = ("appliance/smtp/data.py",)
TOKENS = (
    b"\r\n",
    b".",
    b"\r\n.\r\n",
    b"\n.\n",
    b"\r.\r",
    b"\r\n..",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\0",
    b"x" * 40,
    b"\r\n.\r",
)
SIZE_MAX, DISCARD_MAX, LINE_MAX = 300, 900, 60
BYTES_MAX = 3_000


def seeds() -> list[bytes]:
    message = b"Subject: a\r\n\r\nb\r\n..c\r\n.\r\nQUIT\r\n"
    return [bytes((plan,)) + message for plan in (0, 1, 2, 3)] + [
        b"\x05" + b"x" * 1_000,
        b"\x01.\r\n",
        b"\x07a\n.\nb",
    ]


def target(data: bytes) -> None:
    plan, stream = (data[0] if data else 0), data[1:]
    whole, cut = _read([stream]), _read(pieces(stream, plan))
    note(whole[0], whole[1], len(whole[2]) > 0)
    assert whole[0] == cut[0], f"cut differently: {whole[0]} and {cut[0]}"
    if whole[0] is DataState.ENDED:
        assert whole[1] == cut[1], f"cut differently: {whole[1]} and {cut[1]}"
        assert whole[3] == cut[3], "the next commands differ"
    if whole[1] is None and whole[0] in (DataState.READING, DataState.ENDED):
        assert whole[2] == cut[2], "the message differs"
    _agrees_with_plain_reading(stream, *whole)
    _written(stream, plan)


def _read(parts: list[bytes]) -> tuple[DataState, Flaw | None, bytes, bytes]:
    """Return state, flaw, content and what is left for the next command."""
    reader = DataReader(SIZE_MAX, DISCARD_MAX, LINE_MAX)
    content = b""
    for index, part in enumerate(parts):
        content += reader.feed(part)
        assert len(content) <= SIZE_MAX
        has_only_crlf(content, "the message")
        if reader.state is not DataState.READING:
            return reader.state, reader.flaw, content, reader.rest + b"".join(parts[index + 1 :])
    return reader.state, reader.flaw, content, b""


def _agrees_with_plain_reading(
    stream: bytes, state: DataState, flaw: Flaw | None, content: bytes, rest: bytes
) -> None:
    octets = b"\r\n" + stream
    end = octets.find(END_OF_DATA)
    message = octets[: end + 2] if end >= 0 else octets
    settled = message.removesuffix(b"\r") if end < 0 else message
    is_bare = settled.count(b"\r\n") != settled.count(b"\r") or settled.count(b"\r\n") != settled.count(b"\n")
    if is_bare:
        assert state in (DataState.BARE_LINE_BREAK, DataState.OVERRUN)
        return
    if end < 0:
        assert state in (DataState.READING, DataState.OVERRUN)
        return
    lines = message[2:].split(b"\r\n")
    plain = b"\r\n".join(line.removeprefix(b".") for line in lines)
    if len(plain) > DISCARD_MAX:
        assert state is DataState.OVERRUN
        return
    assert state is DataState.ENDED
    assert rest == octets[end + len(END_OF_DATA) :]
    if len(plain) > SIZE_MAX:
        assert flaw is Flaw.TOO_LARGE
    elif b"\0" in plain:
        assert flaw is Flaw.NUL
    elif max(map(len, plain.split(b"\r\n"))) > LINE_MAX:
        assert flaw is Flaw.LINE_TOO_LONG
    else:
        assert (flaw, content) == (None, plain)


def _written(stream: bytes, plan: int) -> None:
    """Whatever is sent arrives as itself with CRLF line ends, and ends exactly once."""
    writer = DataWriter()
    sent = b"".join(writer.feed(piece) for piece in pieces(stream, plan)) + writer.finish()
    assert sent == stuff(stream), "the writer depends on the cuts"
    reader = DataReader(10**6, 10**6, 10**6)
    content = reader.feed(sent)
    assert reader.state is DataState.ENDED
    assert reader.rest == b""
    expected = stream.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if expected and not expected.endswith(b"\r\n"):
        expected += b"\r\n"
    if reader.flaw is None:
        assert content == expected
