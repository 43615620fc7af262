"""A message in chunks: the same message however it is cut, and octets that are never commands."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.smtp.chunks import parse_bdat
from appliance.smtp.events import ChunkStart, Event, Mail, Rcpt
from appliance.smtp.reply import Reply
from appliance.smtp.server import ServerSession
from appliance.smtp.state import Phase
from tests.unit.smtp.policy import PROFILES, World

BEGIN = b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<alice@example.test>\r\n"
lines = st.lists(st.sampled_from([b"", b".", b"..", b"QUIT", b"BDAT 3", b"x" * 70, b"\xc3\xa9"]), max_size=12)
messages = lines.map(lambda found: b"".join(line + b"\r\n" for line in found))


def session() -> World:
    world = World(ServerSession(PROFILES["reception"]))
    world.receive(BEGIN)
    world.output = b""
    return world


def in_chunks(raw: bytes, lengths: list[int]) -> bytes:
    wire, rest = b"", raw
    for length in lengths:
        piece, rest = rest[:length], rest[length:]
        wire += f"BDAT {len(piece)}\r\n".encode() + piece
    return wire + f"BDAT {len(rest)} LAST\r\n".encode() + rest


@settings(deadline=None)
@given(messages, st.lists(st.integers(0, 60), max_size=6), st.lists(st.integers(1, 50), max_size=20))
def test_the_message_arrives_octet_for_octet(raw: bytes, lengths: list[int], cuts: list[int]) -> None:
    world, wire = session(), in_chunks(raw, lengths)
    for piece in (*(wire[sum(cuts[:n]) : sum(cuts[: n + 1])] for n in range(len(cuts))), wire[sum(cuts) :]):
        if piece:
            world.receive(piece)
    assert world.messages == [raw]
    assert world.session.phase is Phase.READY
    assert world.output.count(b"250 ") == len(lengths) + 1


class Refusing(World):
    """Refuses the first chunk of a message, as with no space left."""

    def verdict(self, event: Event) -> Event | Reply:
        return Reply(452, "4.3.1", "No space") if isinstance(event, ChunkStart) else super().verdict(event)


def test_a_refusal_waits_for_the_octets_and_ends_the_message() -> None:
    world = Refusing(ServerSession(PROFILES["reception"]))
    world.receive(BEGIN)
    world.output = b""
    world.receive(b"BDAT 10\r\nRSET\r\n")
    assert world.output == b"", "the octets are not all here"
    world.receive(b"QUITBDAT 6 LAST\r\nQUIT\r\n")
    assert world.output == b"452 4.3.1 No space\r\n503 5.5.1 MAIL and RCPT first\r\n"
    assert world.messages == []
    assert world.session.phase is Phase.READY


def test_a_message_begun_in_chunks_can_be_abandoned_in_every_way() -> None:
    for command in (b"RSET\r\n", b"EHLO other.example\r\n"):
        world = session()
        world.receive(b"BDAT 5\r\nabc\r\n" + command)
        assert world.session.phase is Phase.READY
        world.receive(BEGIN[BEGIN.index(b"MAIL") :] + b"BDAT 3 LAST\r\nx\r\n")
        assert world.messages == [b"x\r\n"], "nothing of the first is left"
    world = session()
    world.receive(b"BDAT 5\r\nabc\r\n")
    world.receive(b"")
    assert world.session.phase is Phase.CLOSED
    assert world.messages == []


def test_the_client_vanishes_inside_a_chunk() -> None:
    for wire in (b"BDAT 50\r\nabc\r\n", b"RSET\r\nBDAT 50\r\nabc\r\n"):
        world = session()
        world.receive(wire)
        world.receive(b"")
        assert world.session.phase is Phase.CLOSED
        assert world.messages == []


def test_what_a_command_may_say() -> None:
    assert parse_bdat("10") == (10, False)
    assert parse_bdat("010  last") == (10, True)
    for wrong in ("", "LAST", "-1", "+1", "1 2", "1 LAST x", "1LAST", "1" * 21, "٣", " 1"):
        assert parse_bdat(wrong) is None


def test_what_senders_ask_for_is_in_the_events() -> None:
    config = replace(PROFILES["submission"], dsn=True, requiretls=True, requires_auth=False)
    world = World(ServerSession(config, tls_active=True))
    world.receive(b"EHLO client.example\r\n")
    assert b"250-DSN\r\n250-REQUIRETLS\r\n" in world.output
    world.receive(b"MAIL FROM:<a@client.example> ret=hdrs ENVID=a+2Bb REQUIRETLS\r\n")
    world.receive(b"RCPT TO:<alice@example.test> NOTIFY=delay,success ORCPT=rfc822;Alice@example.test\r\n")
    mail = next(event for event in world.events if isinstance(event, Mail))
    assert (mail.ret, mail.envid, mail.requires_tls) == ("HDRS", "a+2Bb", True)
    rcpt = next(event for event in world.events if isinstance(event, Rcpt))
    assert (rcpt.notify, rcpt.orcpt) == ("SUCCESS,DELAY", "rfc822;Alice@example.test")
    clear = World(ServerSession(config))
    clear.receive(b"EHLO client.example\r\nMAIL FROM:<a@client.example> REQUIRETLS\r\n")
    assert b"-REQUIRETLS" not in clear.output and b"250 REQUIRETLS" not in clear.output
    assert b"\r\n555 5.5.4 " in clear.output
