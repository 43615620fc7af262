"""Replies: what we write stays a reply, what we read is believed only as far as it is one."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.smtp.grammar import SmtpSyntaxError
from appliance.smtp.reply import Reply, ReplyParser


def test_wire_forms() -> None:
    assert Reply(250, "2.0.0", "OK").to_bytes() == b"250 2.0.0 OK\r\n"
    assert Reply(250, None, "mx", "SIZE 1", "X").to_bytes() == b"250-mx\r\n250-SIZE 1\r\n250 X\r\n"
    assert Reply(550, "5.1.1", "one", "two").to_bytes() == b"550-5.1.1 one\r\n550 5.1.1 two\r\n"
    assert Reply(334, None, "").to_bytes() == b"334 \r\n"


def test_text_cannot_leave_its_line() -> None:
    wire = Reply(550, "5.1.1", "no\r\n250 2.0.0 yes", "é\0").to_bytes()
    assert wire == b"550-5.1.1 no  250 2.0.0 yes\r\n550 5.1.1 ?\r\n"


@pytest.mark.parametrize("control", ["\x85", "\x9b", "\u2028", "\u2029", "\0"])
def test_a_reply_is_one_line_in_a_log(control: str) -> None:
    parser = ReplyParser()
    parser.feed(f"550 5.1.1{control}a{control}b\r\n".encode())
    reply = parser.next_reply()
    assert reply is not None
    assert (reply.enhanced, str(reply)) == ("5.1.1", "550 5.1.1 a b")
    assert str(Reply(550, None, f"a{control}b")) == "550 a b"


def test_digits_of_other_scripts_make_no_enhanced_code() -> None:
    parser = ReplyParser()
    parser.feed("550 5.\u0663.1 no\r\n".encode())
    reply = parser.next_reply()
    assert reply is not None
    assert reply.enhanced is None
    assert reply.to_bytes() == b"550 5.?.1 no\r\n"


def test_long_text_continues_on_further_lines() -> None:
    lines = Reply(550, "5.7.1", "word " * 300, "x" * 1200).to_bytes().split(b"\r\n")
    assert all(len(line) + 2 <= 512 for line in lines)
    assert b"".join(line[10:] for line in lines).replace(b" ", b"") == b"word" * 300 + b"x" * 1200


def test_kinds() -> None:
    assert Reply(250, None).is_positive and Reply(354, None).is_positive
    assert Reply(450, None).is_transient and not Reply(450, None).is_permanent
    assert Reply(550, None).is_permanent and not Reply(550, None).is_positive


@pytest.mark.parametrize(("code", "enhanced"), [(199, None), (600, None), (250, "5.0.0"), (550, "5.0")])
def test_impossible_replies(code: int, enhanced: str | None) -> None:
    with pytest.raises(ValueError, match="code"):
        Reply(code, enhanced)


def parse_all(*pieces: bytes) -> list[Reply]:
    parser, replies = ReplyParser(), []
    for piece in pieces:
        parser.feed(piece)
        while (reply := parser.next_reply()) is not None:
            replies.append(reply)
    return replies


def test_reads_what_servers_write() -> None:
    assert parse_all(b"250 2.1.0 fine\r\n") == [Reply(250, "2.1.0", "fine")]
    assert parse_all(b"250\r\n", b"250 \n") == [Reply(250, None), Reply(250, None)]
    assert parse_all(b"250-a\r\n250-b c\r\n250 d\r\n") == [Reply(250, None, "a", "b c", "d")]
    assert parse_all(b"550-5.1.1 a\r\n550 5.1.1 b\r\n") == [Reply(550, "5.1.1", "a", "b")]
    assert parse_all(b"550 4.1.1 other class\r\n") == [Reply(550, None, "4.1.1 other class")]
    assert parse_all(b"220 \xff\x07x\r\n") == [Reply(220, None, "\ufffd x")]
    assert parse_all(b"250-a\r\n", b"25", b"0 b\r", b"\n354 go\r\n") == [
        Reply(250, None, "a", "b"),
        Reply(354, None, "go"),
    ]


@pytest.mark.parametrize(
    "octets",
    [
        b"hello\r\n",
        b"\r\n",
        b"25 x\r\n",
        b"2500 x\r\n",
        b"250x\r\n",
        b"150 x\r\n",
        b"650 x\r\n",
        b"250-a\r\n251 b\r\n",
        b"250-a\r\nb\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
        b"2" * 3000,
        b"250 " + b"x" * 3000 + b"\r\n",
        b"250-x\r\n" * 101,
    ],
)
def test_refuses_what_is_no_reply(octets: bytes) -> None:
    with pytest.raises(SmtpSyntaxError):
        parse_all(octets)


@given(st.binary(max_size=200))
def test_garbage_is_a_syntax_error(octets: bytes) -> None:
    with suppress(SmtpSyntaxError):
        parse_all(octets)


@given(
    st.lists(st.text(max_size=700), min_size=1, max_size=4),
    st.sampled_from([(250, None), (250, "2.0.0"), (421, "4.3.2"), (550, "5.7.1")]),
    st.data(),
)
def test_what_is_written_is_read_back(
    lines: list[str], codes: tuple[int, str | None], data: st.DataObject
) -> None:
    wire = Reply(codes[0], codes[1], *lines).to_bytes()
    cut = data.draw(st.integers(0, len(wire)))
    [reply] = parse_all(wire[:cut], wire[cut:])
    assert reply.code == codes[0]
    if codes[1] is not None:
        assert reply.enhanced == codes[1]
    assert all(len(line) + 2 <= 512 for line in wire.split(b"\r\n"))
