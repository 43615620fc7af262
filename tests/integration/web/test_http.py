"""ActiveSync as HTTP, byte by byte: what every answer has, and that nothing comes unasked."""

import re
import socket

import pytest

from tests.covers import covers
from tests.integration.web.conftest import LENA, PATIENCE_S, ServerProcess, Wire, request

OPTIONS = (
    "OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1\r\nHost: mail.example.com\r\n"
    f"Authorization: {LENA}\r\nContent-Length: 0\r\n\r\n"
).encode()
SILENCE_S = 0.3


def raw(wire: Wire, data: bytes) -> tuple[str, list[str], bytes]:
    """Send a request and return the status line, the header lines and the body, cut by the bytes alone."""
    sock = wire.sock
    sock.sendall(data)
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(65_536)
    head, _, body = received.partition(b"\r\n\r\n")
    status, *headers = head.decode("utf-8").split("\r\n")
    (length,) = [int(line.split(":")[1]) for line in headers if line.lower().startswith("content-length:")]
    while len(body) < length:
        body += sock.recv(65_536)
    assert len(body) == length, "bytes behind the answer"
    return status, headers, body


@pytest.fixture(params=["http", "https"])
def wire(request: pytest.FixtureRequest, server: ServerProcess) -> Wire:
    return server.connect() if request.param == "http" else server.connect_tls()


@covers("MS-ASHTTP_R1", "MS-ASHTTP_R401", "MS-ASHTTP_R518", "MS-ASHTTP_R281", "MS-ASHTTP_R167")
@covers("MS-ASHTTP_R170", "MS-ASHTTP_R172", "MS-ASHTTP_R175", "MS-ASHTTP_R228", "MS-ASHTTP_R212")
@covers("MS-ASHTTP_R199", "MS-ASHTTP_R216", "MS-ASHTTP_R521")
@covers("MS-ASHTTP_R201", "MS-ASHTTP_R218", "MS-ASHTTP_R522")
def test_a_post_is_answered_with_status_headers_and_body(wire: Wire) -> None:
    with wire:
        status, headers, body = raw(wire, request("size:56"))
        assert status == "HTTP/1.1 200 OK"
        assert body == b"x" * 56
        assert [line for line in headers if re.fullmatch(r"Content-Length: \d+", line)] == [
            "Content-Length: 56"
        ]
        types = [line for line in headers if line.startswith("Content-Type:")]
        assert types == ["Content-Type: application/vnd.ms-sync.wbxml"]
        assert all(re.fullmatch(r"[A-Za-z-]+: [ -~]+", line) for line in headers)
        status, headers, body = raw(wire, request("empty"))
        assert (status, body) == ("HTTP/1.1 200 OK", b"")
        assert "Content-Length: 0" in headers
        assert not [line for line in headers if line.startswith("Content-Type:")], "nothing has no type"


@covers("MS-ASHTTP_R319", "MS-ASHTTP_R450", "MS-ASHTTP_R238", "MS-ASHTTP_R239", "MS-ASHTTP_R240")
@covers("MS-ASHTTP_R241", "MS-ASHTTP_R244", "MS-ASHTTP_R247", "MS-ASHTTP_R1107")
def test_options_are_answered_with_headers_behind_the_status(wire: Wire) -> None:
    with wire:
        status, headers, body = raw(wire, OPTIONS)
    assert (status, body) == ("HTTP/1.1 200 OK", b"")
    named = dict(line.split(": ", 1) for line in headers)
    assert named["MS-ASProtocolVersions"] == "14.1,16.1"
    assert named["MS-ASProtocolCommands"] == "Sync,Ping"


@covers("MS-ASHTTP_R476")
@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("x", command="Teleport"), 501),
        (request("bug"), 503),
        (request("x").replace(b"MS-ASProtocolVersion: 16.1\r\n", b""), 400),
        (OPTIONS.replace(LENA.encode(), b"Basic eDp5"), 401),
    ],
)
def test_what_went_wrong_is_an_http_status(wire: Wire, data: bytes, status: int) -> None:
    with wire:
        line, headers, _ = raw(wire, data)
    assert re.fullmatch(rf"HTTP/1.1 {status} [A-Z ]+", line)
    assert [one for one in headers if one.startswith("Content-Length: ")]


@covers("MS-ASHTTP_R261")
def test_nothing_comes_unasked(wire: Wire) -> None:
    with wire:
        for question in (b"", request("size:3"), OPTIONS):
            if question:
                raw(wire, question)
            wire.sock.settimeout(SILENCE_S)
            with pytest.raises(socket.timeout):
                wire.sock.recv(1)
            wire.sock.settimeout(PATIENCE_S)
