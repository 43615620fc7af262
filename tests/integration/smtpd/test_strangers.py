"""Strangers on the reception port, over real sockets: what they hear, and what is handed on."""

import pytest

from appliance.net.tls import Certificate
from appliance.settings import Filter, Reception
from smtpd import replies
from tests.clients.dialog import HOSTNAME
from tests.fakes.filter import FakeRspamd
from tests.fixtures.signer import Signer
from tests.fixtures.strangers import Zones, everybody
from tests.integration.smtpd.world import RECEPTION, Edge, SocketWire, edge

SIGNER = Signer("example.net")
ZONES: Zones = {
    "example.net": {"TXT": ["v=spf1 -all"]},
    "_dmarc.example.net": {"TXT": ["v=DMARC1; p=reject"]},
    SIGNER.name: {"TXT": [SIGNER.record]},
}
LETTER = b"From: ada@example.net\r\nTo: alice@example.test\r\nSubject: plans\r\n\r\n.Hello.\r\n"


def greeted(server: Edge) -> SocketWire:
    wire = server.connect()
    assert wire.read_reply().startswith(b"220")
    assert wire.ask("EHLO mx.example.net").startswith(b"250")
    return wire


def sent(wire: SocketWire, raw: bytes, sender: str = "ada@example.net") -> bytes:
    assert wire.ask(f"MAIL FROM:<{sender}>").startswith(b"250")
    assert wire.ask("RCPT TO:<alice@example.test>").startswith(b"250")
    assert wire.ask("DATA").startswith(b"354")
    wire.write(raw.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    return wire.read_reply()


def test_a_forgery_is_refused_at_the_end_of_data_and_the_session_goes_on(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate, screening=everybody(ZONES)) as server:
        wire = greeted(server)
        assert sent(wire, LETTER).startswith(b"550 5.7.26 ")
        assert server.services.accepted == []
        assert sent(wire, SIGNER.sign(LETTER)).startswith(b"250")
        wire.close()
        ((envelope, raw),) = server.services.accepted
    assert not envelope.is_junk
    assert raw.startswith(f"Authentication-Results: {HOSTNAME};\r\n\tspf=fail ".encode())
    assert b"\tdkim=pass header.d=example.net header.s=s1;\r\n\tdmarc=pass " in raw
    before, _, received = raw.partition(b"Received: ")
    assert before.endswith(b"X-Junk-Signs: 2.5 (no_reverse_name, no_message_id, no_date)\r\n")
    assert received.endswith(SIGNER.sign(LETTER))


def test_what_is_junk_is_taken_as_junk(certificate: Certificate) -> None:
    screening = everybody(ZONES, filter_=Filter(dmarc="report", junk_score=2.0))
    with edge(RECEPTION, certificate, screening=screening) as server:
        wire = greeted(server)
        assert sent(wire, LETTER).startswith(b"250")
        assert server.services.accepted[0][0].is_junk
        wire.close()


def test_our_own_users_are_no_strangers(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = greeted(server)
        assert sent(wire, LETTER).startswith(b"250")
        assert server.services.accepted[0][1].startswith(b"Received: ")
        wire.close()


def test_too_much_in_a_minute_is_for_later(certificate: Certificate) -> None:
    screening = everybody({}, reception=Reception(messages_per_minute_max=2))
    with edge(RECEPTION, certificate, screening=screening) as server:
        wire = greeted(server)
        for _ in range(2):
            assert wire.ask("MAIL FROM:<a@example.net>").startswith(b"250")
            assert wire.ask("RSET").startswith(b"250")
        assert wire.ask("MAIL FROM:<a@example.net>").startswith(b"451 4.7.0 ")
        assert wire.ask("NOOP").startswith(b"250")
        wire.close()


def test_a_harvester_is_sent_away_over_all_its_connections(certificate: Certificate) -> None:
    screening = everybody({}, reception=Reception(unknown_recipients_per_hour_max=3))
    with edge(RECEPTION, certificate, screening=screening) as server:
        for asked in range(2):
            wire = greeted(server)
            assert wire.ask("MAIL FROM:<a@example.net>").startswith(b"250")
            for n in range(2 - asked):
                assert wire.ask(f"RCPT TO:<guess{asked}{n}@example.test>").startswith(b"550 5.1.1")
            if asked:
                assert wire.ask("RCPT TO:<alice@example.test>").startswith(b"421 4.7.0 ")
                assert wire.read_line() == b""
            wire.close()


def test_connections_of_a_network_have_a_rate(certificate: Certificate) -> None:
    screening = everybody({}, reception=Reception(connections_per_minute_max=2))
    with edge(RECEPTION, certificate, screening=screening) as server:
        wires = [server.connect() for _ in range(3)]
        greetings = [wire.read_line() for wire in wires]
        assert [line[:3] for line in greetings] == [b"220", b"220", b"421"]
        for wire in wires:
            wire.close()


@pytest.mark.parametrize("sender", ["alice@example.test", "stranger@example.net"])
def test_a_mail_program_on_the_wrong_port_hears_which_is_right(sender: str, certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = greeted(server)
        assert wire.ask(f"MAIL FROM:<{sender}>").startswith(b"250")
        reply = wire.ask("RCPT TO:<bob@example.org>")
        assert reply.startswith(b"550 5.7.1 ")
        assert (reply == replies.WRONG_PORT.to_bytes()) is (sender == "alice@example.test")
        wire.close()


def test_a_stranger_has_to_come_back_where_that_is_wanted(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate, screening=everybody({}, reception=Reception(greylist=True))) as server:
        wire = greeted(server)
        assert wire.ask("MAIL FROM:<ada@example.net>").startswith(b"250")
        assert wire.ask("RCPT TO:<alice@example.test>").startswith(b"451 4.7.1 ")
        assert wire.ask("RCPT TO:<nobody@example.test>").startswith(b"550 5.1.1 ")
        assert wire.ask("RSET").startswith(b"250")
        assert sent(wire, LETTER).startswith(b"250")
        wire.close()


def test_strangers_come_back_because_we_want_it_not_the_filter(certificate: Certificate) -> None:
    with FakeRspamd({"action": "greylist", "score": 5.0}) as fake:
        screening = everybody({}, filter_=Filter(rspamd=fake.url))
        with edge(RECEPTION, certificate, screening=screening) as server:
            wire = greeted(server)
            assert sent(wire, LETTER).startswith(b"250")
            wire.close()
        assert [body for _, _, body in fake.requests] == [LETTER]
