"""End of data: one sequence ends a message, the others refuse it, and dots survive the journey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.smtp.data import DataReader, DataState, DataWriter, Flaw, stuff

ROOMY = 1_000_000

# What follows "a line" inside a message, and then more text. Every one of these was, or could be, the end
# of a message for some server; for us each is either the end, ordinary text, or a refusal.
END, TEXT, REFUSED = DataState.ENDED, DataState.READING, DataState.BARE_LINE_BREAK
SEQUENCES = [
    (b"\r\n.\r\n", END),
    (b"\n.\n", REFUSED),
    (b"\n.\r\n", REFUSED),
    (b"\r\n.\n", REFUSED),
    (b"\r.\r", REFUSED),
    (b"\r.\r\n", REFUSED),
    (b"\r\n.\r", REFUSED),
    (b"\r.\n", REFUSED),
    (b"\n.\r", REFUSED),
    (b"\r\n.\r\r\n", REFUSED),
    (b"\r\r\n.\r\n", REFUSED),
    (b"\r\n\n.\r\n", REFUSED),
    (b"\r\n\r.\r\n", REFUSED),
    (b"\n\r\n.\r\n", REFUSED),
    (b"\r\n.\n\r\n", REFUSED),
    (b"\n\n.\n\n", REFUSED),
    (b"\r\r.\r\r", REFUSED),
    (b"\n\r.\n\r", REFUSED),
    (b"\r\n.\n\r", REFUSED),
    (b"\r\n\n.\n\r\n", REFUSED),
    (b"\n", REFUSED),
    (b"\r", REFUSED),
    (b"\n\n", REFUSED),
    (b"\r\r", REFUSED),
    (b"\n\r", REFUSED),
    (b"\r\0\n.\r\0\n", REFUSED),
    (b"\r\n.\0\r\n", TEXT),
    (b"\r\n\0.\r\n", TEXT),
    (b"\0\r\n\0.\0\r\n", TEXT),
    (b"\r\n..\r\n", TEXT),
    (b"\r\n...\r\n", TEXT),
    (b"\r\n. \r\n", TEXT),
    (b"\r\n .\r\n", TEXT),
    (b"\r\n.\t\r\n", TEXT),
    (b"\r\n\t.\r\n", TEXT),
    (b"\r\n.x\r\n", TEXT),
    (b".\r\n", TEXT),
    (b"\r\n=2E\r\n", TEXT),
    (b"\r\n.=0D=0A", TEXT),
    (b"\r\n\xef\xbc\x8e\r\n", TEXT),  # a full-width dot
    (b"\r\n\xc2\x85.\xc2\x85", TEXT),  # NEL as a line break
    (b"\xe2\x80\xa8.\xe2\x80\xa8", TEXT),  # LINE SEPARATOR
    (b"\x0b.\x0b", TEXT),
    (b"\x0c.\x0c", TEXT),
    (b"\x1a\r\n", TEXT),
    (b"\x8d\x8a.\x8d\x8a", TEXT),  # CRLF with the eighth bit set
]


@pytest.mark.parametrize(("sequence", "expected"), SEQUENCES, ids=[repr(octets) for octets, _ in SEQUENCES])
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "octet by octet"])
def test_only_crlf_dot_crlf_ends_data(sequence: bytes, expected: DataState, whole: bool) -> None:
    octets = b"a line" + sequence + b"MAIL FROM:<evil@example.com> "
    reader = DataReader(ROOMY, ROOMY, ROOMY)
    for piece in [octets] if whole else [octets[n : n + 1] for n in range(len(octets))]:
        if reader.state is DataState.READING:
            reader.feed(piece)
    assert reader.state is expected


def test_a_single_dot_line_is_an_empty_message() -> None:
    reader = DataReader(ROOMY, ROOMY, ROOMY)
    assert reader.feed(b".\r\nQUIT\r\n") == b""
    assert (reader.state, reader.size_bytes, reader.rest) == (DataState.ENDED, 0, b"QUIT\r\n")


def test_leading_dots_are_removed() -> None:
    reader = DataReader(ROOMY, ROOMY, ROOMY)
    assert reader.feed(b"..a\r\n.b\r\n...\r\n.\r\n") == b".a\r\nb\r\n..\r\n"


def flaw_of(octets: bytes, step: int, size: int = 100, discard: int = 10_000, line: int = 50) -> object:
    reader = DataReader(size, discard, line)
    for start in range(0, len(octets), step):
        if reader.state is DataState.READING:
            reader.feed(octets[start : start + step])
    return reader.flaw if reader.state is DataState.ENDED else reader.state


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_flaws_do_not_depend_on_the_cut(step: int) -> None:
    row = b"x" * 48 + b"\r\n"
    assert flaw_of(row * 2 + b".\r\n", step) is None
    assert flaw_of(row * 2 + b"x\r\n.\r\n", step) is Flaw.TOO_LARGE
    assert flaw_of(b"x" * 50 + b"\r\n.\r\n", step) is None
    assert flaw_of(b"x" * 51 + b"\r\n.\r\n", step) is Flaw.LINE_TOO_LONG
    assert flaw_of(b"ok\r\n" + b"x" * 51 + b"\r\nok\r\n.\r\n", step) is Flaw.LINE_TOO_LONG
    assert flaw_of(b"a\0b\r\n.\r\n", step) is Flaw.NUL
    assert flaw_of(b"x" * 51 + b"\0\r\n.\r\n", step) is Flaw.NUL
    assert flaw_of(b"\0" + row * 3 + b".\r\n", step) is Flaw.TOO_LARGE
    assert flaw_of(row * 300, step) is DataState.OVERRUN
    assert flaw_of(row * 300 + b".\r\n", step) is DataState.OVERRUN


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("octets", "expected"),
    [(b"x" * 60 + b"\n", DataState.OVERRUN), (b"x" * 50 + b"\n", DataState.BARE_LINE_BREAK)],
    ids=["too much first", "bare first"],
)
def test_which_of_two_reasons_to_stop_does_not_depend_on_the_cut(
    octets: bytes, expected: DataState, step: int
) -> None:
    reader = DataReader(10, 50, 100)
    for at in range(0, len(octets), step):
        if reader.state is DataState.READING:
            reader.feed(octets[at : at + step])
    assert reader.state is expected


def test_a_refused_message_is_not_handed_over() -> None:
    reader = DataReader(100, 10_000, 10_000)
    assert reader.feed(b"x" * 200) == b""
    assert reader.feed(b"y\r\n.\r\n") == b""


messages = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"a", b"text", b"\r\n.\r\n", b"\x01", b"\xff"]),
    max_size=30,
).map(b"".join)


@given(messages, st.lists(st.integers(1, 7), max_size=40))
def test_stuff_and_read_back(raw: bytes, cuts: list[int]) -> None:
    normal = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if normal and not normal.endswith(b"\r\n"):
        normal += b"\r\n"
    assert read_in_pieces(stuff(raw) + b"NOOP\r\n", cuts) == (normal, b"NOOP\r\n")


@given(messages, st.lists(st.integers(1, 7), max_size=40))
def test_the_writer_does_not_care_about_cuts(raw: bytes, cuts: list[int]) -> None:
    writer = DataWriter()
    assert b"".join(map(writer.feed, pieces_of(raw, cuts))) + writer.finish() == stuff(raw)


@given(messages)
def test_nothing_smuggled_goes_out(raw: bytes) -> None:
    wire = stuff(raw)
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
    assert (b"\r\n" + wire).find(b"\r\n.\r\n") == len(wire) - 3


def pieces_of(octets: bytes, cuts: list[int]) -> list[bytes]:
    pieces = []
    for length in cuts:
        pieces.append(octets[:length])
        octets = octets[length:]
    return [piece for piece in [*pieces, octets] if piece]


def read_in_pieces(octets: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    reader, content, rest = DataReader(ROOMY, ROOMY, ROOMY), b"", b""
    for piece in pieces_of(octets, cuts):
        if reader.state is DataState.READING:
            content += reader.feed(piece)
            rest = reader.rest
        else:
            rest += piece
    assert reader.state is DataState.ENDED
    assert reader.size_bytes == len(content)
    return content, rest
