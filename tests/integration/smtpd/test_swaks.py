"""A client we did not write: swaks, when it is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from appliance.net.tls import Certificate
from tests.clients.dialog import PASSWORD
from tests.integration.smtpd.world import RECEPTION, SUBMISSION, SUBMISSIONS, edge

SWAKS = shutil.which("swaks")
pytestmark = pytest.mark.skipif(SWAKS is None, reason="swaks is not installed")


def swaks(number: int, *options: str) -> subprocess.CompletedProcess[str]:
    assert SWAKS is not None
    command = [SWAKS, "--server", "127.0.0.1", "--port", str(number), "--timeout", "10", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def needs_tls() -> None:
    assert SWAKS is not None
    support = subprocess.run([SWAKS, "--support"], capture_output=True, text=True, timeout=30, check=False)
    if "TLS/SSL" in support.stdout.partition("Unsupported")[2]:
        pytest.skip("this swaks has no TLS")


def test_reception(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        done = swaks(server.number, "--from", "a@client.example", "--to", "alice@example.test")
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(server.services.accepted) == 1


def test_unknown_user(certificate: Certificate) -> None:
    with edge(RECEPTION, certificate) as server:
        done = swaks(server.number, "--from", "a@client.example", "--to", "nobody@example.test")
        assert done.returncode == 24  # all recipients refused
        assert "550 5.1.1" in done.stdout


def test_pipelined_with_a_large_body(certificate: Certificate, tmp_path: Path) -> None:
    letter = tmp_path / "letter.eml"
    letter.write_text("Subject: large\n\n" + "line\n.\n..\n" * 300_000)
    with edge(RECEPTION, certificate) as server:
        done = swaks(
            server.number,
            *("--from", "a@client.example", "--to", "alice@example.test", "--pipeline"),
            *("--data", f"@{letter}", "--suppress-data"),
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr
        [(_, raw)] = server.services.accepted
    assert raw.count(b"line\r\n.\r\n..\r\n") == 300_000


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("port", [SUBMISSION, SUBMISSIONS], ids=lambda port: port.name)
def test_submission(mechanism: str, port: object, certificate: Certificate) -> None:
    needs_tls()
    chosen = SUBMISSION if port is SUBMISSION else SUBMISSIONS
    with edge(chosen, certificate) as server:
        done = swaks(
            server.number,
            "--tls" if chosen is SUBMISSION else "--tls-on-connect",
            *("--auth", mechanism, "--auth-user", "alice@example.test", "--auth-password", PASSWORD),
            *("--from", "alice@example.test", "--to", "someone@example.net"),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        [(envelope, _)] = server.services.accepted
    assert (envelope.protocol, envelope.account_id) == ("ESMTPSA", 7)
