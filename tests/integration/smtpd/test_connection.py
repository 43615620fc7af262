"""Clients that are slow, absent, many, large or hostile: each gets an answer, an end, and is counted."""

import socket
import ssl
import time
from dataclasses import replace

import gevent
import pytest

from appliance import metrics
from appliance.errors import PermanentFailure, QuotaExceeded, TemporaryFailure, TooLarge
from appliance.net.tls import Certificate
from smtpd.port import Deadlines
from tests.integration.smtpd.test_hostile import ready
from tests.integration.smtpd.world import PORTS, RECEPTION, SUBMISSION, SUBMISSIONS, Edge, SocketWire, edge

QUICK = Deadlines(command_s=0.4, data_s=0.4, message_s=1.2, write_s=0.5, handshake_s=0.4)
ENVELOPE = b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n"


def greeted(server: Edge) -> SocketWire:
    wire = server.connect()
    assert wire.read_reply().startswith(b"220 mx.example.test ESMTP")
    wire.ask("EHLO client.example")
    return wire


def in_data(server: Edge) -> SocketWire:
    """Begin a message, as whoever this port takes one from."""
    wire = ready(server.connect(), server.listener.port.name)
    wire.write(ENVELOPE)
    assert [wire.read_reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
    return wire


def ended(wire: SocketWire) -> bool:
    return wire.read_line() == b""


def disconnects(how: str, port: str = "reception") -> float:
    return metrics.sample("appliance_smtp_disconnects_total", port=port, how=how)


def eventually(condition: object) -> None:
    """Wait for what the server does after it has answered."""
    assert callable(condition)
    for _ in range(200):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("never became true")


def test_a_message_arrives_with_its_trace(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = in_data(server)
        wire.write(b"Subject: x\r\n\r\n..body\r\n.\r\n")
        assert wire.read_reply() == b"250 2.0.0 OK, taken as id1\r\n"
        [(envelope, raw)] = server.services.accepted
    head, _, rest = raw.partition(b"Subject: ")
    assert rest == b"x\r\n\r\n.body\r\n"
    assert head.startswith(
        b"Received: from client.example ([127.0.0.1])\r\n\tby mx.example.test with ESMTP\r\n\tid "
    )
    assert b"\r\n\tfor <bob@example.test>;\r\n\t" in head
    assert (envelope.reverse_path, envelope.forward_paths) == ("alice@example.test", ("bob@example.test",))
    assert (envelope.helo, envelope.client_ip, envelope.account_id) == ("client.example", "127.0.0.1", None)


def test_submission_over_implicit_tls(certificate: Certificate) -> None:
    with edge(SUBMISSIONS, certificate) as server:
        wire = greeted(server)
        reply = wire.ask("AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl")
        assert reply.startswith(b"235")
        assert wire.ask("MAIL FROM:<bob@example.test>").startswith(b"553 5.7.1")
        assert wire.ask("MAIL FROM:<alice@example.test>").startswith(b"250")
        assert wire.ask("RCPT TO:<someone@example.net>").startswith(b"250")
        assert wire.ask("RCPT TO:<nobody@example.test>").startswith(b"550 5.1.1")
        assert wire.ask("DATA").startswith(b"354")
        assert wire.ask("Subject: x\r\n\r\nhi\r\n.").startswith(b"250")
        [(envelope, _)] = server.services.accepted
    assert (envelope.protocol, envelope.account_id) == ("ESMTPSA", 7)
    assert envelope.tls.startswith("TLSv1.3 ")


def test_starttls_gives_a_protected_message(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = greeted(server)
        assert wire.ask("STARTTLS").startswith(b"220")
        wire.start_tls()
        assert b"STARTTLS" not in wire.ask("EHLO client.example")
        wire.write(ENVELOPE)
        [wire.read_reply() for _ in range(3)]
        assert wire.ask("x\r\n.").startswith(b"250")
        [(envelope, raw)] = server.services.accepted
    assert envelope.protocol == "ESMTPS"
    assert b"(TLSv1.3 " in raw


def test_plaintext_behind_starttls_is_never_obeyed(certificate: Certificate) -> None:
    with edge(SUBMISSION, certificate) as server:
        wire = greeted(server)
        wire.write(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@example.com>\r\n")
        assert wire.read_reply().startswith(b"220")
        wire.start_tls()  # both commands came in the same read and are gone
        assert wire.ask("NOOP").startswith(b"250")
        assert wire.ask("MAIL FROM:<a@client.example>").startswith(b"503 5.5.1 Say EHLO first")


def test_plaintext_instead_of_a_handshake(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        before = metrics.sample("appliance_smtp_tls_handshakes_total", port="reception", outcome="failed")
        wire = greeted(server)
        assert wire.ask("STARTTLS").startswith(b"220")
        wire.write(b"MAIL FROM:<evil@example.com>\r\n" * 3)
        answer = wire.read_line()
        assert b"250" not in answer
        eventually(
            lambda: (
                metrics.sample("appliance_smtp_tls_handshakes_total", port="reception", outcome="failed")
                == before + 1
            )
        )


def test_a_handshake_that_never_comes(certificate: Certificate) -> None:
    with edge(SUBMISSIONS, certificate, deadlines=QUICK) as server:
        sock = socket.create_connection(("127.0.0.1", server.number), timeout=5)
        began = time.monotonic()
        for octet in b"\x16\x03\x01\x00\xff":  # dripping does not help
            sock.sendall(bytes([octet]))
            gevent.sleep(0.15)
        assert sock.recv(100) == b""
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_silence_gets_421(profile: str, certificate: Certificate) -> None:
    with edge(PORTS[profile], certificate, deadlines=QUICK) as server:
        before = disconnects("timeout", profile)
        wire = greeted(server)
        assert wire.read_reply() == b"421 4.4.2 Timeout, closing the connection\r\n"
        assert ended(wire)
        eventually(lambda: disconnects("timeout", profile) == before + 1)


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_a_command_octet_by_octet_has_one_deadline(profile: str, certificate: Certificate) -> None:
    with edge(PORTS[profile], certificate, deadlines=QUICK) as server:
        wire = greeted(server)
        began = time.monotonic()
        for _ in range(5):
            wire.write(b"N")
            gevent.sleep(0.15)
        assert wire.read_reply().startswith(b"421 4.4.2")
        assert time.monotonic() - began < 2


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_silence_in_data(profile: str, certificate: Certificate) -> None:
    with edge(PORTS[profile], certificate, deadlines=QUICK) as server:
        wire = in_data(server)
        wire.write(b"Subject: half\r\n")
        assert wire.read_reply().startswith(b"421 4.4.2")
        assert ended(wire)
        assert server.services.accepted == []
        eventually(lambda: server.budget.bytes_used == 0)


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_a_message_that_never_ends(profile: str, certificate: Certificate) -> None:
    with edge(PORTS[profile], certificate, deadlines=QUICK) as server:
        wire = in_data(server)
        began = time.monotonic()
        wire.sock.settimeout(0.01)
        reply = b""
        while not reply and time.monotonic() - began < 5:
            wire.write(b"still here\r\n")
            gevent.sleep(0.1)
            try:
                reply = wire.read_line()
            except TimeoutError:
                continue
        assert reply.startswith(b"421 4.4.2")
        assert 1.0 < time.monotonic() - began < 3


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_a_message_that_drips(profile: str, certificate: Certificate) -> None:
    slow = replace(QUICK, data_s=5, message_s=60, rate_bytes_per_s_min=1000, rate_grace_s=0.3)
    with edge(PORTS[profile], certificate, deadlines=slow) as server:
        before = disconnects("too_slow", profile)
        wire = in_data(server)
        for _ in range(6):
            wire.write(b"x")
            gevent.sleep(0.1)
        assert wire.read_reply() == b"421 4.4.2 Message comes too slowly, closing the connection\r\n"
        eventually(lambda: disconnects("too_slow", profile) == before + 1)


def test_a_client_that_reads_nothing(certificate: Certificate) -> None:
    port = replace(RECEPTION, session=replace(RECEPTION.session, idle_commands_max=10**9))
    with edge(port, certificate, deadlines=replace(QUICK, command_s=30)) as server:
        before = disconnects("unread")
        sock = socket.create_connection(("127.0.0.1", server.number))
        sock.settimeout(0.2)
        with pytest.raises((TimeoutError, OSError)):
            while True:
                sock.sendall(b"NOOP\r\n" * 10_000)
        eventually(lambda: disconnects("unread") == before + 1)
        sock.close()


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_a_client_that_vanishes_in_data(profile: str, certificate: Certificate) -> None:
    with edge(PORTS[profile], certificate) as server:
        before = disconnects("lost", profile)
        wire = in_data(server)
        wire.write(b"Subject: half\r\n")
        wire.close()
        eventually(lambda: disconnects("lost", profile) == before + 1)
        assert server.services.accepted == []
        assert server.budget.bytes_used == 0
        assert server.listener.connection_count == 0


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_the_reply_to_smuggling_can_be_read_while_more_is_coming(
    profile: str, certificate: Certificate
) -> None:
    with edge(PORTS[profile], certificate) as server:
        wire = in_data(server)
        wire.write(b"body\n.\n" + b"x" * 500_000)
        assert wire.read_reply().startswith(b"521 5.6.0")
        assert ended(wire)
        assert server.services.accepted == []


def test_too_many_connections_from_one_address(certificate: Certificate) -> None:
    with edge(replace(RECEPTION, connections_per_address_max=2), certificate) as server:
        first, second, third = server.connect(), server.connect(), server.connect()
        assert first.read_reply().startswith(b"220")
        assert second.read_reply().startswith(b"220")
        assert third.read_reply() == b"421 4.7.0 Too many connections from your address\r\n"
        assert ended(third)
        first.ask("QUIT")
        eventually(lambda: server.listener.connection_count == 1)
        assert server.connect().read_reply().startswith(b"220")


def test_too_many_connections_in_all(certificate: Certificate) -> None:
    with edge(replace(RECEPTION, connections_max=1), certificate) as server:
        first, second = server.connect(), server.connect()
        assert first.read_reply().startswith(b"220")
        assert second.read_reply().startswith(b"421 4.7.0 Too many connections, ")


def test_too_many_messages_on_one_connection(certificate: Certificate) -> None:
    with edge(replace(RECEPTION, messages_max=1), certificate) as server:
        wire = in_data(server)
        assert wire.ask("x\r\n.").startswith(b"250")
        assert wire.ask("MAIL FROM:<a@client.example>").startswith(b"421 4.7.0")
        assert ended(wire)


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (QuotaExceeded("x"), b"452 4.2.2 "),
        (TooLarge("x"), b"552 5.3.4 "),
        (TemporaryFailure("x"), b"451 4.3.0 "),
        (PermanentFailure("x"), b"554 5.3.0 "),
        (ValueError("secret detail"), b"451 4.3.0 "),
        (OSError("secret detail"), b"451 4.3.0 "),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_accept_raises_is_a_reply(certificate: Certificate, fault: Exception, reply: bytes) -> None:
    with edge(RECEPTION, certificate) as server:
        server.services.fault = fault
        wire = in_data(server)
        answer = wire.ask("x\r\n.")
        assert answer.startswith(reply)
        assert b"secret" not in answer
        server.services.fault = None
        wire.write(ENVELOPE)
        [wire.read_reply() for _ in range(3)]
        assert wire.ask("x\r\n.").startswith(b"250")


def test_a_fault_in_the_login(certificate: Certificate) -> None:
    with edge(SUBMISSIONS, certificate) as server:
        wire = greeted(server)
        assert wire.ask("AUTH PLAIN AGJyb2tlbgB4").startswith(b"454 4.7.0 ")


def test_a_recipient_that_cannot_be_checked_now(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = greeted(server)
        wire.ask("MAIL FROM:<>")
        assert wire.ask("RCPT TO:<away@example.test>").startswith(b"451 4.3.0")


def test_a_full_mailbox_is_said_before_the_message(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = greeted(server)
        wire.ask("MAIL FROM:<a@client.example>")
        assert wire.ask("RCPT TO:<full@example.test>").startswith(b"452 4.2.2 ")
        assert wire.ask("RCPT TO:<small@example.test>").startswith(b"250")
        assert wire.ask("RCPT TO:<alice@example.test>").startswith(b"250")
        wire.ask("RSET")
        wire.ask("MAIL FROM:<a@client.example> SIZE=1001")
        assert wire.ask("RCPT TO:<small@example.test>").startswith(b"452 4.2.2 ")


@pytest.mark.parametrize("sender", ["busy", "broken"])
def test_a_sender_that_cannot_be_checked_now(sender: str, certificate: Certificate) -> None:
    with edge(SUBMISSIONS, certificate) as server:
        wire = greeted(server)
        wire.ask("AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl")
        assert wire.ask(f"MAIL FROM:<{sender}@example.test>").startswith(b"451 4.3.0")
        assert wire.ask("MAIL FROM:<alice@example.test>").startswith(b"250")


def test_a_looping_message(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = in_data(server)
        wire.write(b"Received: from a by b\r\n" * 51 + b"\r\nx\r\n.\r\n")
        assert wire.read_reply().startswith(b"554 5.4.6")
        assert server.services.accepted == []


def test_more_mail_than_there_is_room_for(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate, budget_bytes=100_000) as server:
        wire = greeted(server)
        assert wire.ask("MAIL FROM:<a@client.example> SIZE=100001").startswith(b"452 4.3.1")
        wire = in_data(server)
        wire.write(b"x" * 78 + b"\r\n")
        wire.write((b"x" * 78 + b"\r\n") * 2_000 + b".\r\n")
        assert wire.read_reply().startswith(b"452 4.3.1")
        assert server.budget.bytes_used == 0
        wire.write(ENVELOPE)
        [wire.read_reply() for _ in range(3)]
        assert wire.ask("x\r\n.").startswith(b"250")


def test_a_large_message_goes_through_a_file(certificate: Certificate) -> None:
    body = (b"x" * 76 + b"\r\n") * 64_000
    with edge(RECEPTION, certificate) as server:
        wire = in_data(server)
        wire.write(b"Subject: large\r\n\r\n" + body + b".\r\n")
        assert wire.read_reply().startswith(b"250")
        [(_, raw)] = server.services.accepted
        assert raw.endswith(body)
        assert server.budget.bytes_used == 0


def test_stopping_is_polite(certificate: Certificate) -> None:
    """The idle client hears 421 at once, the busy one gets its 250 first, nobody new gets in."""
    with edge(RECEPTION, certificate) as server:
        server.services.accept_takes_s = 0.5
        idle, busy = greeted(server), in_data(server)
        busy.write(b"x\r\n.\r\n")
        gevent.sleep(0.1)
        began = time.monotonic()
        server.listener.stop_accepting()
        assert idle.read_reply() == b"421 4.3.2 Service is restarting, try again\r\n"
        assert time.monotonic() - began < 0.3
        assert busy.read_reply().startswith(b"250")
        assert busy.read_reply().startswith(b"421 4.3.2")
        for wire in (idle, busy):
            wire.close()
        server.listener.finish(5)
        assert time.monotonic() - began < 3
        with pytest.raises(OSError):
            server.connect()


def test_stopping_under_tls(certificate: Certificate) -> None:
    with edge(SUBMISSIONS, certificate) as server:
        wire = greeted(server)
        server.listener.stop_accepting()
        assert wire.read_reply().startswith(b"421 4.3.2")


def test_stopping_ends_those_who_do_not_listen(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        wire = in_data(server)
        server.listener.stop_accepting()
        began = time.monotonic()
        server.listener.finish(0.3)
        assert time.monotonic() - began < 2
        assert ended(wire)


def test_ipv6(certificate: Certificate) -> None:
    try:
        context = edge(RECEPTION, certificate, host="[::1]")
        server = context.__enter__()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    wire = SocketWire(server.number, host="::1")
    wire.read_reply()
    wire.ask("EHLO client.example")
    wire.write(ENVELOPE)
    [wire.read_reply() for _ in range(3)]
    assert wire.ask("x\r\n.").startswith(b"250")
    assert b"([IPv6:::1])" in server.services.accepted[0][1]
    context.__exit__(None, None, None)


def test_no_certificate_no_tls(certificate: Certificate) -> None:
    class Nothing:
        def context(self) -> ssl.SSLContext:
            raise OSError("no certificate")

    with edge(RECEPTION, Nothing()) as server:
        wire = greeted(server)
        assert wire.ask("STARTTLS").startswith(b"454 4.7.0")
        assert wire.ask("NOOP").startswith(b"250")
