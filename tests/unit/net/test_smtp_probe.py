"""A visit to a mail server: what it says of servers that work, and of each way they can fail."""

import socket
import ssl
from pathlib import Path

import pytest

from appliance.items.next_hop import HopTls, NextHop
from appliance.net import smtp_probe
from appliance.net.smtp_probe import probe
from tests.fakes.mx import CLOSE, EXTENSIONS, SILENCE, FakeMx, Script
from tests.fixtures.certificate import write_pair

WITH_AUTH = (*EXTENSIONS, "AUTH PLAIN")


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context for "localhost", and a client's that believes it."""
    chain, key = write_pair(tmp_path, "localhost")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    return server, ssl.create_default_context(cafile=str(chain))


def visit(hop: NextHop, trust: ssl.SSLContext | None = None) -> list[tuple[str, bool]]:
    return [(step.name, step.is_good) for step in probe(hop, "mail.example.test", trust=trust)]


def test_a_server_that_asks_for_nothing() -> None:
    with FakeMx() as mx:
        assert visit(NextHop("127.0.0.1", mx.port)) == [("connect", True), ("hello", True)]
        assert mx.messages == []


def test_tls_and_login(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trust = tls
    hop = NextHop("localhost", 0, HopTls.STARTTLS, "office", "secret")
    with FakeMx({"AUTH": "235 2.7.0 welcome"}, tls=server, extensions=WITH_AUTH) as mx:
        steps = visit(NextHop(hop.host, mx.port, hop.tls, hop.username, hop.secret), trust)
        assert steps == [("connect", True), ("hello", True), ("tls", True), ("login", True)]
        assert any(command.startswith("AUTH PLAIN ") for command in mx.commands)


def test_a_wrong_password(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trust = tls
    script: Script = {"AUTH": "535 5.7.8 go away"}
    with FakeMx(script, tls=server, extensions=WITH_AUTH) as mx:
        hop = NextHop("localhost", mx.port, HopTls.STARTTLS, "office", "s3cret")
        *_, last = probe(hop, "mail.example.test", trust=trust)
    assert (last.name, last.is_good) == ("login", False)
    assert "535" in last.words and "go away" in last.words and "s3cret" not in last.words


def test_a_certificate_nobody_believes_gets_no_password(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, trust = tls
    with FakeMx(tls=server, extensions=WITH_AUTH) as mx:
        for host, believed in (("localhost", None), ("127.0.0.1", trust)):
            hop = NextHop(host, mx.port, HopTls.STARTTLS, "office", "secret")
            assert visit(hop, believed) == [("connect", True), ("hello", True), ("tls", False)]
        assert not any(command.startswith("AUTH") for command in mx.commands)


def test_a_server_without_tls_gets_no_password() -> None:
    with FakeMx(extensions=WITH_AUTH) as mx:
        hop = NextHop("127.0.0.1", mx.port, HopTls.STARTTLS, "office", "secret")
        assert visit(hop)[-1] == ("tls", False)
        assert not any(command.startswith("AUTH") for command in mx.commands)


@pytest.mark.parametrize("script", [{"GREETING": "554 5.7.1 not you"}, {"GREETING": CLOSE}, {"EHLO": CLOSE}])
def test_servers_that_do_not_want_us(script: Script) -> None:
    with FakeMx(script) as mx:
        assert not visit(NextHop("127.0.0.1", mx.port))[-1][1]


def test_nobody_there_and_nobody_talking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_probe, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as free:
        number = free.getsockname()[1]
    assert visit(NextHop("127.0.0.1", number)) == [("connect", False)]
    with FakeMx({"GREETING": SILENCE}) as mx:
        assert visit(NextHop("127.0.0.1", mx.port)) == [("connect", False)]
