"""Input nobody sends by accident, over real connections: each gets its answer and costs little."""

import socket
import ssl
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import metrics
from appliance.net.tls import Certificate
from appliance.smtp.data import DataState
from tests.clients.dialog import HOSTNAME
from tests.fixtures.certificate import write_pair
from tests.integration.smtpd.world import PORTS, RECEPTION, SocketWire, edge
from tests.unit.smtp.test_data import SEQUENCES

LOGIN = "AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl"
RELAY_ATTEMPTS = [
    "someone@example.net",
    "someone%example.net@example.test",
    "someone%example.net@[127.0.0.1]",
    '"someone@example.net"@example.test',
    '"someone@example.net"',
    "@example.test:someone@example.net",
    "@example.test,@mx.example.test:someone@example.net",
    "example.net!someone@example.test",
    "example.net!someone",
    "someone@example.net@example.test",
    "someone@example.test@example.net",
    "someone@[127.0.0.1]",
    "someone@[IPv6:::1]",
    "someone@example.net.",
    "someone@localhost",
    "someone%00@example.net",
]


def ready(wire: SocketWire, profile: str) -> SocketWire:
    """Greet, encrypt, log in: whatever this port asks for before it takes a message."""
    wire.read_reply()
    wire.ask("EHLO client.example")
    if profile == "submission":
        wire.ask("STARTTLS")
        wire.start_tls()
        wire.ask("EHLO client.example")
    if profile != "reception":
        assert wire.ask(LOGIN).startswith(b"235")
    return wire


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_smuggling_sequences_on_every_port(profile: str, certificate: Certificate) -> None:
    with edge(replace(PORTS[profile], connections_per_address_max=1000), certificate) as server:
        for sequence, expected in SEQUENCES:
            wire = ready(server.connect(), profile)
            server.services.accepted.clear()
            wire.write(b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
            assert [wire.read_reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            wire.write(b"Subject: x\r\n\r\nbody" + sequence + b"MAIL FROM:<evil@client.example>\r\n.\r\n")
            reply = wire.read_reply()
            if expected is DataState.BARE_LINE_BREAK:
                assert reply.startswith(b"521 5.6.0"), sequence
                assert server.services.accepted == []
            else:
                assert len(server.services.accepted) == (0 if b"\0" in sequence else 1), sequence
                carries = b"evil" in b"".join(raw for _, raw in server.services.accepted)
                assert carries == (expected is DataState.READING and b"\0" not in sequence), sequence
            wire.close()


@pytest.mark.parametrize("recipient", RELAY_ATTEMPTS)
@pytest.mark.parametrize("sender", ["alice@example.test", "evil@example.org", ""])
def test_nobody_relays_without_a_login(recipient: str, sender: str, certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = ready(server.connect(), "reception")
        assert wire.ask(f"MAIL FROM:<{sender}>").startswith(b"250")
        assert wire.ask(f"RCPT TO:<{recipient}>").startswith((b"550 ", b"501 "))
        assert wire.ask("DATA").startswith(b"554")


def test_a_ten_megabyte_line(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = ready(server.connect(), "reception")
        piece = b"x" * 65_536
        tracemalloc.start()
        for _ in range(160):
            wire.write(piece)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        wire.write(b"\r\n")
        assert wire.read_reply().startswith(b"500 5.5.2")
        assert wire.ask("NOOP").startswith(b"250")
        assert peak < 2_000_000


def test_a_ten_megabyte_line_in_a_message(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = ready(server.connect(), "reception")
        wire.write(b"MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n")
        assert [wire.read_reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        for _ in range(160):
            wire.write(b"x" * 65_536)
        wire.write(b"\r\n.\r\n")
        assert wire.read_reply().startswith(b"554 5.6.0")
        assert server.budget.bytes_used == 0


def test_a_hundred_thousand_recipients(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = ready(server.connect(), "reception")
        wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_194_304)
        wire.ask("MAIL FROM:<>")
        sent = 0
        with suppress(OSError):
            while sent < 100_000:
                wire.sock.sendall(b"RCPT TO:<bob@example.test>\r\n" * 100)
                sent += 100
        replies = []
        while line := wire.read_line():
            replies.append(line[:9])
        assert replies.count(b"250 2.1.5") == 1000
        assert replies.count(b"452 4.5.3") == 1000
        assert replies[-1] == b"421 4.5.3"


@pytest.mark.parametrize("profile", sorted(PORTS))
@pytest.mark.parametrize("octets", [b"\0" * 1000, bytes(range(256)) * 40, b"\xff\xfe\r\n" * 50, b"\n" * 10])
def test_noise_ends_in_an_answer_or_the_end(profile: str, octets: bytes, certificate: Certificate) -> None:
    with edge(PORTS[profile], certificate) as server:
        sock = socket.create_connection(("127.0.0.1", server.number), timeout=5)
        with suppress(OSError):
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionError):
            while data := sock.recv(65_536):
                received += data
        if profile != "submissions":
            assert received.startswith(b"220 ")
        assert b"Traceback" not in received
        again = server.connect()
        assert again.read_reply().startswith(b"220")


def test_refusals_are_counted(certificate: Certificate) -> None:
    def count(reason: str) -> float:
        return metrics.sample("appliance_smtp_refusals_total", port="reception", reason=reason)

    before = count("bare_line_break"), count("rcpt")
    with edge(RECEPTION, certificate) as server:
        wire = ready(server.connect(), "reception")
        wire.ask("MAIL FROM:<>")
        wire.ask("RCPT TO:<nobody@example.test>")
        wire.write(b"NOOP\n")
        assert wire.read_reply().startswith(b"521")
    assert (count("bare_line_break"), count("rcpt")) == (before[0] + 1, before[1] + 1)


def test_a_renewed_certificate_is_used_without_a_restart(tmp_path: Path) -> None:
    chain, key = write_pair(tmp_path, HOSTNAME)
    current = Certificate(chain, key)
    with edge(PORTS["submissions"], current) as server:
        first = served(server.number)
        assert served(server.number) == first
        write_pair(tmp_path, HOSTNAME)
        current.reload()
        second = served(server.number)
        assert second != first
        key.write_text("half a key")
        current.reload()
        assert served(server.number) == second


def served(number: int) -> bytes:
    """Return the certificate a port shows."""
    wire = SocketWire(number, tls=True)
    assert isinstance(wire.sock, ssl.SSLSocket)
    shown = wire.sock.getpeercert(binary_form=True)
    wire.close()
    assert shown
    return shown
