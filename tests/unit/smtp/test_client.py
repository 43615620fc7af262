"""The sending side: what it says to which server, and what it makes of any answer."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.smtp.client import (
    AuthAnswer,
    ClientEvent,
    ClientMessage,
    ClientPhase,
    ClientSession,
    Failed,
    Finished,
    Goodbye,
    Greeted,
    Ready,
    SendMessage,
    TlsAnswer,
)
from appliance.smtp.events import NEED_DATA
from appliance.smtp.grammar import Address, parse_address
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import Credentials
from appliance.smtp.server import ServerSession
from appliance.smtp.state import Phase
from tests.unit.smtp.policy import PROFILES, World

FULL = b"250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
PLAIN = b"250-mx\r\n250 HELP\r\n"


def events_of(client: ClientSession) -> list[ClientEvent]:
    events = []
    while (event := client.next_event()) is not NEED_DATA:
        events.append(event)
    return events


def say(client: ClientSession, octets: bytes) -> list[ClientEvent]:
    client.receive_data(octets)
    return events_of(client)


def ready(ehlo: bytes) -> ClientSession:
    client = ClientSession("client.example")
    assert say(client, b"220 mx\r\n") == [Greeted(Reply(220, None, "mx"))]
    client.hello()
    assert client.data_to_send() == b"EHLO client.example\r\n"
    [event] = say(client, ehlo)
    assert isinstance(event, Ready)
    return client


def message(*recipients: str, size: int = 10, is_8bit: bool = False) -> ClientMessage:
    paths = tuple(parse_address(text) for text in recipients)
    return ClientMessage(parse_address("a@client.example"), paths, size, is_8bit)


def outcome(events: Iterable[ClientEvent]) -> list[tuple[str, int]]:
    [finished] = [event for event in events if isinstance(event, Finished)]
    return [(str(path), reply.code) for path, reply in finished.outcomes]


def test_pipelined_transaction_in_one_write() -> None:
    client = ready(FULL)
    client.begin(message("x@e.test", "y@e.test", "z@e.test", is_8bit=True))
    assert client.data_to_send() == (
        b"MAIL FROM:<a@client.example> SIZE=10 BODY=8BITMIME\r\n"
        b"RCPT TO:<x@e.test>\r\nRCPT TO:<y@e.test>\r\nRCPT TO:<z@e.test>\r\nDATA\r\n"
    )
    events = say(client, b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n451 later\r\n354 go\r\n")
    assert events == [SendMessage()]
    assert client.message_data(b"Hi\n.\n") + client.message_end() == b"Hi\r\n..\r\n.\r\n"
    assert outcome(say(client, b"250 2.0.0 queued\r\n")) == [
        ("x@e.test", 250),
        ("y@e.test", 550),
        ("z@e.test", 451),
    ]
    client.quit()
    assert client.data_to_send() == b"QUIT\r\n"
    assert say(client, b"221 bye\r\n") == [Goodbye()]
    assert client.phase is ClientPhase.CLOSED


def test_one_command_at_a_time_without_pipelining() -> None:
    client = ready(PLAIN)
    client.begin(message("x@e.test", "y@e.test"))
    assert client.data_to_send() == b"MAIL FROM:<a@client.example>\r\n"
    say(client, b"250 ok\r\n")
    assert client.data_to_send() == b"RCPT TO:<x@e.test>\r\n"
    say(client, b"550 no\r\n")
    assert client.data_to_send() == b"RCPT TO:<y@e.test>\r\n"
    say(client, b"250 ok\r\n")
    assert client.data_to_send() == b"DATA\r\n"
    assert say(client, b"354 go\r\n") == [SendMessage()]
    client.message_end()
    assert outcome(say(client, b"554 5.6.0 spam\r\n")) == [("x@e.test", 550), ("y@e.test", 554)]


def test_refused_sender_is_everybodys_outcome_and_nothing_more_is_said() -> None:
    client = ready(PLAIN)
    client.begin(message("x@e.test", "y@e.test"))
    client.data_to_send()
    assert outcome(say(client, b"550 5.7.1 go away\r\n")) == [("x@e.test", 550), ("y@e.test", 550)]
    assert client.data_to_send() == b""
    client.begin(message("x@e.test"))
    assert client.data_to_send() == b"RSET\r\n"
    say(client, b"250 ok\r\n")
    assert client.data_to_send() == b"MAIL FROM:<a@client.example>\r\n"


def test_refused_sender_with_pipelining() -> None:
    client = ready(FULL)
    client.begin(message("x@e.test", "y@e.test"))
    events = say(client, b"451 4.7.1 greylisted\r\n503 no\r\n503 no\r\n503 no\r\n")
    assert outcome(events) == [("x@e.test", 451), ("y@e.test", 451)]


def test_all_recipients_refused_without_pipelining_sends_no_data() -> None:
    client = ready(PLAIN)
    client.begin(message("x@e.test"))
    assert outcome(say(client, b"250 ok\r\n550 no\r\n")) == [("x@e.test", 550)]
    assert b"DATA" not in client.data_to_send()


def test_data_accepted_for_nobody_is_ended_at_once() -> None:
    client = ready(FULL)
    client.begin(message("x@e.test"))
    client.data_to_send()
    assert say(client, b"250 ok\r\n550 no\r\n354 go\r\n") == []
    assert client.data_to_send() == b".\r\n"
    assert outcome(say(client, b"554 no valid recipients\r\n")) == [("x@e.test", 550)]


def test_refused_data_is_the_outcome_of_the_accepted() -> None:
    client = ready(FULL)
    client.begin(message("x@e.test", "y@e.test"))
    events = say(client, b"250 ok\r\n250 ok\r\n550 no\r\n451 4.3.0 disk\r\n")
    assert outcome(events) == [("x@e.test", 451), ("y@e.test", 550)]


def test_a_second_message_needs_no_rset() -> None:
    client = ready(FULL)
    for _ in range(2):
        client.begin(message("x@e.test"))
        assert client.data_to_send().startswith(b"MAIL FROM")
        say(client, b"250 ok\r\n250 ok\r\n354 go\r\n")
        client.message_end()
        assert outcome(say(client, b"250 ok\r\n")) == [("x@e.test", 250)]


def test_a_message_over_the_servers_size_is_refused_here() -> None:
    client = ready(FULL)
    client.begin(message("x@e.test", size=1001))
    assert outcome(events_of(client)) == [("x@e.test", 552)]
    assert client.data_to_send() == b""
    assert client.phase is ClientPhase.READY


@pytest.mark.parametrize("limit", [b"0", b"", b"lots", b"\xb2"])
def test_a_size_that_says_nothing(limit: bytes) -> None:
    client = ready(b"250-mx\r\n250 SIZE " + limit + b"\r\n")
    client.begin(message("x@e.test", size=10**9))
    assert client.data_to_send() == b"MAIL FROM:<a@client.example> SIZE=1000000000\r\n"


def test_smtputf8_where_it_is_needed() -> None:
    client = ready(FULL)
    client.begin(message("jürgen@e.test"))
    assert client.data_to_send().startswith(b"MAIL FROM:<a@client.example> SIZE=10 SMTPUTF8\r\n")
    other = ready(PLAIN)
    other.begin(message("jürgen@e.test"))
    assert outcome(events_of(other)) == [("jürgen@e.test", 550)]


def test_8bit_without_8bitmime() -> None:
    client = ready(PLAIN)
    client.begin(message("x@e.test", is_8bit=True))
    assert client.data_to_send() == b"MAIL FROM:<a@client.example>\r\n"


def test_the_null_path() -> None:
    client = ready(PLAIN)
    client.begin(ClientMessage(None, (parse_address("x@e.test"),), 10))
    assert client.data_to_send() == b"MAIL FROM:<>\r\n"


def test_helo_when_ehlo_is_refused() -> None:
    client = ClientSession("client.example")
    say(client, b"220 mx\r\n")
    client.hello()
    client.data_to_send()
    assert say(client, b"502 what?\r\n") == []
    assert client.data_to_send() == b"HELO client.example\r\n"
    assert say(client, b"250 mx PIPELINING\r\n") == [Ready({})]


@pytest.mark.parametrize("banner", [b"554 no\r\n", b"421 busy\r\n", b"250 huh\r\n", b"SSH-2.0-x\r\n"])
def test_no_welcome(banner: bytes) -> None:
    client = ClientSession("client.example")
    [event] = say(client, banner)
    assert isinstance(event, Failed)
    assert client.phase is ClientPhase.CLOSED


def test_starttls_then_everything_anew() -> None:
    client = ready(FULL)
    client.starttls()
    assert client.data_to_send() == b"STARTTLS\r\n"
    [event] = say(client, b"220 go\r\n")
    assert isinstance(event, TlsAnswer)
    assert client.phase is ClientPhase.TLS
    client.tls_established()
    assert client.extensions == {}
    client.hello()
    assert client.data_to_send() == b"EHLO client.example\r\n"


def test_replies_injected_before_the_handshake_end_the_session() -> None:
    client = ready(FULL)
    client.starttls()
    [event] = say(client, b"220 go\r\n250 evil\r\n")
    assert isinstance(event, Failed)


def test_refused_starttls_leaves_the_session_ready() -> None:
    client = ready(FULL)
    client.starttls()
    assert say(client, b"454 no\r\n") == [TlsAnswer(Reply(454, None, "no"))]
    assert client.phase is ClientPhase.READY


def test_login() -> None:
    client = ready(FULL)
    client.authenticate(Credentials("alice", "secret"))
    assert client.data_to_send() == b"AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n"
    assert say(client, b"235 ok\r\n") == [AuthAnswer(Reply(235, None, "ok"))]


@pytest.mark.parametrize("stage", range(6))
@pytest.mark.parametrize(("ending", "code"), [(b"", 421), (b"421 4.3.2 down\r\n", 421), (b"huh\r\n", 451)])
def test_an_end_at_any_moment_is_a_transient_outcome(stage: int, ending: bytes, code: int) -> None:
    client = ready(FULL)
    client.begin(message("x@e.test", "y@e.test"))
    steps = [b"250 ok\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"]
    for step in steps[:stage]:
        say(client, step)
    if client.phase is ClientPhase.MESSAGE and stage == 5:
        client.message_end()
    events = say(client, ending)
    assert outcome(events) == [("x@e.test", code), ("y@e.test", code)]
    assert isinstance(events[-1], Failed)
    assert client.phase is ClientPhase.CLOSED


def test_a_recipient_refused_before_the_end_stays_refused() -> None:
    client = ready(FULL)
    client.begin(message("x@e.test", "y@e.test"))
    assert outcome(say(client, b"250 ok\r\n550 no\r\n421 down\r\n")) == [("x@e.test", 550), ("y@e.test", 421)]


def test_a_positive_reply_in_the_wrong_place_is_no_delivery() -> None:
    client = ready(FULL)
    client.begin(message("x@e.test"))
    assert outcome(say(client, b"250 ok\r\n250 ok\r\n250 already done\r\n")) == [("x@e.test", 451)]


def test_a_reply_without_a_command() -> None:
    client = ready(FULL)
    assert say(client, b"250 hello?\r\n") == [Failed(Reply(451, "4.5.0", "Reply without a command"))]


def test_our_name_is_one_word() -> None:
    with pytest.raises(ValueError, match="one printable word"):
        ClientSession("x\r\nMAIL FROM:<a@b>")


replies = st.sampled_from(
    [
        b"250 ok\r\n",
        b"550 no\r\n",
        b"354 go\r\n",
        b"220-a\r\n",
        b"220 b\r\n",
        b"421 x\r\n",
        b"xx\r\n",
        b"\r\n",
    ]
)


@settings(deadline=None)
@given(st.sampled_from([FULL, PLAIN]), st.lists(st.one_of(replies, st.binary(max_size=6)), max_size=12))
def test_any_server_gives_every_recipient_exactly_one_outcome(ehlo: bytes, answers: list[bytes]) -> None:
    client = ready(ehlo)
    client.begin(message("x@e.test", "y@e.test"))
    events = events_of(client)
    for octets in [*answers, b""]:
        if client.phase is ClientPhase.MESSAGE and SendMessage() in events:
            client.message_end()
        events += say(client, octets)
    results = outcome(events)
    assert [path for path, _ in results] == ["x@e.test", "y@e.test"]
    assert all(code < 300 or code >= 400 for _, code in results)


texts = st.lists(st.sampled_from([b".", b"..", b"line", b"\r\n", b"\n", b"\xc3\xa9", b" "]), max_size=20).map(
    b"".join
)


@settings(deadline=None)
@given(
    raws=st.lists(texts, min_size=1, max_size=3),
    recipients=st.lists(
        st.sampled_from(["alice@example.test", "nobody@example.test", "x@e.test"]), min_size=1, max_size=3
    ),
    step=st.integers(1, 50),
)
def test_client_and_server_understand_each_other(raws: list[bytes], recipients: list[str], step: int) -> None:
    """Machine to machine: what is sent arrives, and both agree on who got it."""
    world = World(ServerSession(replace(PROFILES["reception"], errors_max=100)))
    world.pump()
    client = ClientSession("client.example")
    todo, results = list(raws), []
    paths: tuple[Address, ...] = tuple(map(parse_address, recipients))
    while client.phase is not ClientPhase.CLOSED:
        event = client.next_event()
        match event:
            case Greeted():
                client.hello()
            case SendMessage():
                raw = raws[len(results)]
                body = b"".join(client.message_data(bytes([octet])) for octet in raw)
                world.receive(body + client.message_end())
            case Ready() | Finished():
                if isinstance(event, Finished):
                    results.append([reply.is_positive for _, reply in event.outcomes])
                if todo:
                    raw = todo.pop(0)
                    client.begin(ClientMessage(None, paths, len(raw), is_8bit=not raw.isascii()))
                else:
                    client.quit()
            case Failed():
                raise AssertionError(event)
            case _:
                pass
        exchange(client, world, step)
    assert world.session.phase is Phase.CLOSED
    is_taken = [path == "alice@example.test" for path in recipients]
    assert results == [is_taken] * len(raws)
    assert world.messages == (list(map(as_received, raws)) if any(is_taken) else [])


def exchange(client: ClientSession, world: World, step: int) -> None:
    """Carry octets both ways, `step` at a time."""
    out = client.data_to_send()
    for start in range(0, len(out), step):
        world.receive(out[start : start + step])
    received, world.output = world.output[:step], world.output[step:]
    if received or world.session.phase is Phase.CLOSED:
        client.receive_data(received)


def as_received(raw: bytes) -> bytes:
    normal = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return normal if not normal or normal.endswith(b"\r\n") else normal + b"\r\n"
