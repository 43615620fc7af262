"""The session beyond its dialogs: any cut of the input is the same conversation, nothing costs memory."""

import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.smtp.events import (
    NEED_DATA,
    Auth,
    Connected,
    ConnectionLost,
    DataChunk,
    DataRefused,
    Event,
    Mail,
    ProtocolViolation,
    Rcpt,
    StartTls,
)
from appliance.smtp.reply import Reply
from appliance.smtp.server import ServerSession
from appliance.smtp.state import LEGAL_PHASES, MOVES, Move, Phase
from tests.unit.smtp.policy import PROFILES, World

FRAGMENTS = [
    b"EHLO client.example\r\n",
    b"HELO x\r\n",
    b"MAIL FROM:<a@client.example>\r\n",
    b"MAIL FROM:<> SIZE=10 BODY=8BITMIME SMTPUTF8\r\n",
    b"RCPT TO:<alice@example.test>\r\n",
    b"RCPT TO:<nobody@example.test>\r\n",
    b"DATA\r\n",
    b"Subject: x\r\n\r\n..dots\r\n.\r\n",
    b".\r\n",
    b"RSET\r\n",
    b"NOOP\r\n",
    b"QUIT\r\n",
    b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl\r\n",
    b"AUTH LOGIN\r\n",
    b"YWxpY2VAZXhhbXBsZS50ZXN0\r\n",
    b"*\r\n",
    b"STARTTLS\r\n",
    b"x" * 600 + b"\r\n",
    b"AUTH " + b"x" * 12_400 + b"\r\n",
    b"\0\r\n",
    b"\xff\r\n",
    b"a\nb\r\n",
    b"BDAT 9\r\nBDAT 7\r\n\r",
    b"BDAT 5 LAST\r\nabc\r\n",
    b"BDAT 0 LAST\r\n",
    b"BDAT 1990\r\n",
    b"BDAT 1999999999\r\n",
    b"BDAT x\r\n",
    b"\r",
    b"\n",
]
conversations = st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=8)), max_size=15).map(
    b"".join
)
profiles = st.sampled_from(sorted(PROFILES))


def converse(profile: str, pieces: list[bytes]) -> tuple[list[Event], bytes, list[bytes]]:
    """Play the input and the end of it; chunks of a message are joined, those of refused ones dropped."""
    config = replace(PROFILES[profile], size_bytes_max=2_000, text_line_bytes_max=1_000, errors_max=6)
    world = World(ServerSession(config, tls_active=profile == "submissions"))
    world.pump()
    for piece in pieces:
        world.receive(piece)
    world.receive(b"")
    events = [event for event in world.events if not isinstance(event, DataChunk)]
    return events, world.output, world.messages


@settings(deadline=None)
@given(profiles, conversations, st.lists(st.integers(1, 40), max_size=30))
def test_any_cut_is_the_same_conversation(profile: str, octets: bytes, cuts: list[int]) -> None:
    pieces, rest = [], octets
    for length in cuts:
        pieces.append(rest[:length])
        rest = rest[length:]
    pieces = [piece for piece in [*pieces, rest] if piece]
    has_tls = b"STARTTLS" in octets.upper() and profile != "submissions"
    if not has_tls:  # which octets lie behind STARTTLS in the same read is a matter of the cut
        assert converse(profile, pieces) == converse(profile, [octets])


def test_octet_by_octet() -> None:
    octets = b"".join(FRAGMENTS[:16])
    single = [octets[n : n + 1] for n in range(len(octets))]
    assert converse("submissions", single) == converse("submissions", [octets])


@settings(deadline=None)
@given(profiles, st.binary(max_size=2_000))
def test_garbage_raises_nothing(profile: str, octets: bytes) -> None:
    events, output, _ = converse(profile, [octets])
    assert output.startswith(b"220 ")
    assert isinstance(events[0], Connected)


@settings(deadline=None)
@given(profiles, conversations)
def test_every_reply_line_is_well_formed(profile: str, octets: bytes) -> None:
    _, output, _ = converse(profile, [octets])
    lines = output.split(b"\r\n")
    assert lines.pop() == b""
    for line in lines:
        assert len(line) <= 510
        assert line[:3].isdigit()
        assert line[3:4] in (b" ", b"-")


def ready_session(profile: str = "reception", **settings: int) -> World:
    world = World(ServerSession(replace(PROFILES[profile], **settings), tls_active=True))
    world.receive(b"EHLO client.example\r\n")
    world.output = b""
    return world


def test_a_ten_megabyte_line_costs_no_memory() -> None:
    world, piece = ready_session(), b"x" * 65_536
    tracemalloc.start()
    for _ in range(160):
        world.receive(piece)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400_000
    world.receive(b"\r\nNOOP\r\n")
    assert world.output == b"500 5.5.2 Line too long\r\n250 2.0.0 OK\r\n"


def test_a_hundred_thousand_recipients_end_early() -> None:
    world = ready_session(recipients_max=1_000)
    world.receive(b"MAIL FROM:<a@client.example>\r\n")
    world.receive(b"RCPT TO:<alice@example.test>\r\n" * 100_000)
    assert world.output.count(b"250 2.1.5") == 1_000
    assert world.output.count(b"452 4.5.3") == 1_000
    assert world.output.count(b"421 4.5.3") == 1
    assert world.session.phase is Phase.CLOSED


def test_recipients_up_to_the_ceiling_are_delivered_when_more_were_asked() -> None:
    world = ready_session(recipients_max=2)
    world.receive(b"MAIL FROM:<>\r\n" + b"RCPT TO:<bob@example.test>\r\n" * 3 + b"DATA\r\nx\r\n.\r\n")
    assert world.messages == [b"x\r\n"]


def test_bytes_behind_starttls_are_never_seen() -> None:
    session = ServerSession(PROFILES["reception"])
    session.next_event()
    session.send(Connected())
    session.receive_data(b"EHLO a\r\nSTARTTLS\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<")
    session.next_event()
    event = session.next_event()
    assert isinstance(event, StartTls)
    assert session.send(event).endswith(b"220 2.0.0 Ready to start TLS\r\n")
    assert session.phase is Phase.TLS
    assert session.next_event() is NEED_DATA
    session.receive_data(b"alice@example.test>\r\nQUIT\r\n")  # still not under TLS
    session.tls_established()
    assert session.next_event() is NEED_DATA
    assert session.data_to_send() == b""
    assert (session.tls_active, session.hello_name, session.phase) == (True, None, Phase.FRESH)


def test_a_refused_starttls_goes_on_in_the_clear() -> None:
    session = ServerSession(PROFILES["reception"])
    session.next_event()
    session.send(Connected())
    session.receive_data(b"EHLO a\r\nSTARTTLS\r\nNOOP\r\n")
    session.next_event()
    session.next_event()
    session.send(Reply(454, "4.7.0", "No certificate"))
    assert session.next_event() is NEED_DATA
    assert session.data_to_send() == b"250 2.0.0 OK\r\n"


def test_authentication_is_forgotten_at_starttls() -> None:
    config = replace(PROFILES["submission"], requires_tls_for_auth=False)
    world = World(ServerSession(config))
    world.receive(b"EHLO a\r\nAUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl\r\nSTARTTLS\r\n")
    assert world.session.authenticated
    world.session.tls_established()
    world.output = b""
    world.receive(b"EHLO a\r\nMAIL FROM:<alice@example.test>\r\n")
    assert world.output.endswith(b"530 5.7.0 Authentication required\r\n")


def test_a_greeting_can_be_refused() -> None:
    session = ServerSession(PROFILES["reception"])
    assert isinstance(session.next_event(), Connected)
    assert session.send(Reply(421, "4.7.0", "Too many connections")) == b"421 4.7.0 Too many connections\r\n"
    assert session.phase is Phase.CLOSED
    assert session.next_event() is NEED_DATA


def test_a_reply_of_the_caller_can_end_the_session() -> None:
    world = ready_session()
    world.session.receive_data(b"MAIL FROM:<>\r\n")
    assert isinstance(world.session.next_event(), Mail)
    world.session.send(Reply(421, "4.3.2", "Going down"))
    assert world.session.phase is Phase.CLOSED


def test_abort_during_data() -> None:
    world = ready_session()
    world.receive(b"MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nhalf a message\r\n")
    assert world.session.abort(Reply(421, "4.4.2", "Timeout")) == b"421 4.4.2 Timeout\r\n"
    assert world.session.abort(Reply(421, "4.4.2", "Again")) == b""
    world.receive(b".\r\n")
    assert world.messages == []


def test_the_client_vanishes() -> None:
    world = ready_session()
    world.receive(b"NOO")
    world.receive(b"")
    assert world.events[-1] == ConnectionLost()
    assert world.output == b""


def test_a_refused_message_leaves_the_session_usable() -> None:
    world = ready_session(size_bytes_max=10)
    start = b"MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"
    world.receive(start + b"x" * 20 + b"\r\n.\r\n" + start + b"short\r\n.\r\n")
    assert [event.reason for event in world.events if isinstance(event, DataRefused)] == ["size"]
    assert world.messages == [b"short\r\n"]


def test_violations_carry_a_reason_and_nothing_of_the_client() -> None:
    world = ready_session("submission")
    world.receive(b"AUTH PLAIN c2VjcmV0\r\nsecret command\r\n")
    reasons = [event.reason for event in world.events if isinstance(event, ProtocolViolation)]
    assert reasons == ["auth_exchange", "unknown_command"]
    assert "secret" not in repr(world.events)


@pytest.mark.parametrize(
    ("hello", "tls", "auth", "utf8", "expected"),
    [
        (b"HELO", False, False, False, "SMTP"),
        (b"EHLO", False, False, False, "ESMTP"),
        (b"EHLO", True, False, False, "ESMTPS"),
        (b"EHLO", True, True, False, "ESMTPSA"),
        (b"EHLO", False, True, False, "ESMTPA"),
        (b"EHLO", True, True, True, "UTF8SMTPSA"),
    ],
)
def test_protocol_for_received(hello: bytes, tls: bool, auth: bool, utf8: bool, expected: str) -> None:
    config = replace(PROFILES["submission"], requires_tls_for_auth=False, requires_auth=False)
    world = World(ServerSession(config, tls_active=tls))
    world.receive(hello + b" a\r\n")
    if auth:
        world.receive(b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl\r\n")
        assert any(isinstance(event, Auth) for event in world.events)
    world.receive(b"MAIL FROM:<>" + (b" SMTPUTF8" if utf8 else b"") + b"\r\nRCPT TO:<bob@example.test>\r\n")
    assert isinstance(world.events[-1], Rcpt)
    assert world.session.protocol == expected


def test_the_table_reaches_every_phase_and_leaves_every_phase() -> None:
    assert {*MOVES.values(), Phase.CONNECTED} == set(Phase)
    assert all((phase, Move.CLOSE) in MOVES for phase in Phase)
    assert all(phases <= set(Phase) for phases in LEGAL_PHASES.values())


@pytest.mark.parametrize("answer", [Reply(354, None, "go"), Reply(334, None, "")])
def test_the_wrong_kind_of_acceptance_is_our_bug(answer: Reply) -> None:
    world = ready_session()
    world.session.receive_data(b"MAIL FROM:<>\r\n")
    world.session.next_event()
    with pytest.raises(AssertionError):
        world.session.send(answer)
