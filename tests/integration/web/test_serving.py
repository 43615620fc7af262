"""The HTTP edge with real sockets: framing, ceilings, TLS, and clients that behave badly."""

import gzip
import os
import signal
import socket
import ssl
import zlib
from collections.abc import Callable

import pytest

from appliance.domains import certificates
from tests.integration.web.conftest import LENA, ServerProcess, Wire, request

Serve = Callable[..., ServerProcess]


def test_one_process_speaks_plain_and_tls(server: ServerProcess) -> None:
    for wire in (server.connect(), server.connect_tls(), server.connect_tls(ssl.TLSVersion.TLSv1_2)):
        with wire:
            answer = wire.send(request("empty")).answer()
            assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "0")
            assert not {"Content-Type", "Content-Encoding", "Transfer-Encoding"} & set(answer.headers)


def test_a_connection_is_kept_and_answers_come_whole(server: ServerProcess) -> None:
    with server.connect_tls() as wire:
        for size in (1, 70_000, 3_000_000, 0, 5):
            answer = wire.send(request(f"size:{size}")).answer()
            assert (len(answer.body), answer.headers["Connection"]) == (size, "keep-alive")


def test_pipelined_requests_are_answered_in_order(server: ServerProcess) -> None:
    with server.connect() as wire:
        wire.send(request("hold:0.05") + request("size:3") + request("hold:0.05") + request("size:4"))
        assert [len(wire.answer().body) for _ in range(4)] == [0, 3, 0, 4]


def test_a_chunked_body_arrives(server: ServerProcess) -> None:
    chunks = b"5\r\nhello\r\n7;ext=1\r\n, world\r\n0\r\nX-Sum: 5\r\n\r\n"
    with server.connect() as wire:
        wire.send(request("length", body=chunks, headers="Transfer-Encoding: chunked\r\n"))
        assert wire.answer().body == b"12"
        assert wire.send(request("size:1")).answer().body == b"x"


def test_who_waits_for_100_continue_is_told_to_go_on(server: ServerProcess) -> None:
    with server.connect() as wire:
        wire.send(request("length", headers="Expect: 100-continue\r\nContent-Length: 5\r\n"))
        assert wire.answer().status == 100
        assert wire.send(b"hello").answer().body == b"5"
        assert wire.send(request("size:1")).answer().body == b"x"


def test_what_will_be_refused_is_not_asked_for(server: ServerProcess) -> None:
    expecting = f"Expect: 100-continue\r\nContent-Length: {10**12}\r\n"
    stranger = request("length", headers="Expect: 100-continue\r\nContent-Length: 5\r\n")
    stranger = stranger.replace(LENA.encode(), b"Basic bGVuYUBleGFtcGxlLmNvbTp3cm9uZw==")
    for head, status in ((request("length", headers=expecting), 413), (stranger, 401)):
        with server.connect() as wire:
            assert wire.send(head).answer().status == status


def test_an_expectation_nobody_knows_is_refused(server: ServerProcess) -> None:
    with server.connect() as wire:
        head = request("length", body=b"hello", headers="Expect: 200-maybe\r\nContent-Length: 5\r\n")
        assert wire.send(head).answer().status in (417, 400)


def test_a_gzip_body_arrives(server: ServerProcess) -> None:
    with server.connect() as wire:
        body = gzip.compress(b"<Sync/>" * 1000)
        answer = wire.send(request("length", body=body, headers="Content-Encoding: gzip\r\n")).answer()
        assert answer.body == b"7000"


def test_a_gzip_bomb_is_refused(server: ServerProcess) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    with server.connect() as wire:
        answer = wire.send(request("length", body=bomb, headers="Content-Encoding: gzip\r\n")).answer()
    assert answer.status == 413


def test_an_oversized_body_is_refused_before_it_is_sent(server: ServerProcess) -> None:
    with server.connect() as wire:
        answer = wire.send(request("length", headers=f"Content-Length: {10**12}\r\n")).answer()
        assert (answer.status, answer.headers["Connection"]) == (413, "close")
        assert wire.is_closed()


def test_a_client_that_sends_on_still_reads_why_it_was_refused(server: ServerProcess) -> None:
    body = bytes(2 << 20)
    with server.connect() as wire:
        wire.send(request("length", body=body, command="Settings"))
        assert wire.answer().status == 413


@pytest.mark.parametrize(
    "body", [b"zz\r\n", b"5\r\nhelloXX", b"-1\r\n\r\n"], ids=["size", "terminator", "negative"]
)
def test_broken_chunks_are_refused_and_the_connection_ends(server: ServerProcess, body: bytes) -> None:
    with server.connect() as wire:
        wire.send(request("length", body=body + bytes(50), headers="Transfer-Encoding: chunked\r\n"))
        assert wire.answer().status == 400
        assert wire.is_closed()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(150)) + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * 9000 + b"\r\n\r\n", 431),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\n"
            + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 4000) for i in range(20)),
            431,
        ),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    ],
    ids=["fields", "field", "head", "line", "nonsense", "smuggling", "two hosts"],
)
def test_a_bad_head_is_refused(server: ServerProcess, head: bytes, status: int) -> None:
    with server.connect() as wire:
        answer = wire.send(head).answer()
        assert answer.status == status
        assert b"Traceback" not in answer.body


def test_plain_http_on_the_tls_port_is_told_so(server: ServerProcess) -> None:
    with Wire(socket.create_connection(server.https)) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert wire.answer().status == 400


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(server: ServerProcess, version: ssl.TLSVersion) -> None:
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        server.connect_tls(version)


def test_broken_handshakes_harm_nobody(server: ServerProcess) -> None:
    for garbage in (b"\x16\x03\x01\x00\x05hello", b"\x16", b""):
        with socket.create_connection(server.https) as sock:
            sock.sendall(garbage)
    with server.connect_tls() as wire:
        assert wire.send(request("empty")).answer().status == 200


def test_slow_clients_are_let_go(serve: Serve) -> None:
    server = serve("--head", "1", "--keepalive", "1")
    with (
        server.connect() as silent,
        server.connect() as slow,
        Wire(socket.create_connection(server.https)) as no_handshake,
        server.connect() as idle,
    ):
        slow.send(b"POST /Microsoft-Server-ActiveSync HTTP/1.1\r\nHos")
        no_handshake.send(b"\x16\x03")
        idle.send(request("empty")).answer()
        assert all(wire.is_closed() for wire in (silent, slow, no_handshake, idle))
    assert server.ask("empty").status == 200


def test_a_renewed_certificate_is_served_without_dropping_anybody(serve: Serve) -> None:
    server = serve()
    with server.connect_tls() as waiting:
        waiting.send(request("hold", device="d9"))
        server.wait_until(lambda: server.held() == 1)
        with server.connect_tls() as wire:
            before = wire.sock.getpeercert(binary_form=True)  # type: ignore[attr-defined]  # an SSLSocket
        certificates.ensure_self_signed(server.directory, ["mail.example.com"])
        server.process.send_signal(signal.SIGHUP)

        def is_renewed() -> bool:
            with server.connect_tls() as wire:
                return bool(wire.sock.getpeercert(binary_form=True) != before)  # type: ignore[attr-defined]

        server.wait_until(is_renewed)
        server.ask("wake")
        assert waiting.answer().body == b"changes"


def test_half_a_certificate_leaves_the_old_one_in_force(serve: Serve) -> None:
    server = serve()
    (server.directory / "tls" / "cert.pem").write_text("-----BEGIN CERTIFICATE-----\nhalf")
    os.kill(server.process.pid, signal.SIGHUP)
    server.wait_until(lambda: bool(_handshake(server)) and "certificate_not_loaded" in server.log_text())
    assert _handshake(server)


def _handshake(server: ServerProcess) -> bytes:
    with server.connect_tls() as wire:
        return bytes(wire.sock.getpeercert(binary_form=True))  # type: ignore[attr-defined]


def test_no_log_line_holds_a_secret(serve: Serve) -> None:
    server = serve()
    server.ask("bug")
    server.ask("hold-bug")
    with server.connect() as wire:
        wire.send(b"GET /?password=hunter2 HTTP/1.1\r\nHost: x\r\n\r\n").answer()
    server.stop()
    logged = server.log_text()
    assert "request_failed" in logged
    assert "held_failed" in logged
    for secret in ("hunter2", "bGVuYUBleGFtcGxl", "User="):
        assert secret not in logged
