"""Hostile messages and clients on the ports that take them: chunks, bombs, half-closed lines, full disks."""

import errno
import tempfile
import time
from dataclasses import replace
from typing import Any

import pytest

from appliance.items.envelope import RecipientWishes
from appliance.net.tls import Certificate
from appliance.smtp.data import DataState
from smtpd import spool
from tests.fixtures.signer import Signer
from tests.fixtures.strangers import everybody
from tests.integration.smtpd.test_hostile import LOGIN, RELAY_ATTEMPTS, ready
from tests.integration.smtpd.world import PORTS, RECEPTION, SUBMISSION, SUBMISSIONS, SocketWire, edge
from tests.unit.smtp.test_data import SEQUENCES

TRANSACTION = b"MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\n"
NAMES_OF_CLIENTS = ["a\tb", "[192.0.2.1]", "x" * 200, "-", "under_score.example", "a,b;c"]


def begun(wire: SocketWire, profile: str = "reception") -> SocketWire:
    """Go as far as an accepted recipient."""
    ready(wire, profile).write(TRANSACTION)
    assert [wire.read_reply()[:3] for _ in range(2)] == [b"250", b"250"]
    return wire


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_no_sequence_ends_a_chunk(profile: str, certificate: Certificate) -> None:
    with edge(replace(PORTS[profile], connections_per_address_max=1000), certificate) as server:
        wire = ready(server.connect(), profile)
        for sequence, expected in SEQUENCES:
            server.services.accepted.clear()
            content = b"body" + sequence + b"MAIL FROM:<evil@client.example>\r\n"
            wire.write(TRANSACTION + f"BDAT {len(content)} LAST\r\n".encode() + content)
            assert [wire.read_reply()[:3] for _ in range(2)] == [b"250", b"250"]
            reply = wire.read_reply()
            is_refused = expected is DataState.BARE_LINE_BREAK or b"\0" in sequence
            assert reply.startswith(b"554 5.6.0" if is_refused else b"250 2.0.0"), sequence
            assert [raw.endswith(content) for _, raw in server.services.accepted] == [True] * (not is_refused)
            assert wire.ask("NOOP").startswith(b"250"), "the session is in step"
        wire.close()


@pytest.mark.parametrize("port", [RECEPTION, SUBMISSION], ids=lambda port: port.name)
def test_nothing_said_in_the_clear_is_obeyed_behind_starttls(port: Any, certificate: Certificate) -> None:
    behind = (
        b"EHLO evil.example\r\n" + TRANSACTION + b"BDAT 6 LAST\r\nevil\r\n",
        LOGIN.encode() + b"\r\n" + TRANSACTION,
        b"\x16\x03\x01",
    )
    with edge(port, certificate) as server:
        for octets in behind[:2]:
            wire = server.connect()
            wire.read_reply()
            wire.ask("EHLO client.example")
            wire.write(b"STARTTLS\r\n" + octets)
            assert wire.read_reply().startswith(b"220")
            wire.start_tls()
            assert wire.ask("RCPT TO:<bob@example.test>").startswith(b"503"), "a stranger again"
            wire.close()
        assert server.services.accepted == []


@pytest.mark.parametrize("recipient", RELAY_ATTEMPTS)
def test_nobody_relays_over_ipv6_either(recipient: str, certificate: Certificate) -> None:
    with edge(RECEPTION, certificate, host="[::1]") as server:
        wire = ready(SocketWire(server.number, host="::1"), "reception")
        assert wire.ask("MAIL FROM:<evil@example.org>").startswith(b"250")
        assert wire.ask(f"RCPT TO:<{recipient}>").startswith((b"550 ", b"501 "))
        wire.write(b"BDAT 6 LAST\r\nevil\r\n")
        assert wire.read_reply().startswith(b"554")
        assert server.services.accepted == []
        wire.close()


@pytest.mark.parametrize("port", [SUBMISSION, SUBMISSIONS], ids=lambda port: port.name)
def test_the_ports_for_users_take_nothing_from_strangers(port: Any, certificate: Certificate) -> None:
    with edge(port, certificate) as server:
        wire = server.connect()
        wire.read_reply()
        wire.ask("EHLO client.example")
        assert wire.ask("MAIL FROM:<alice@example.test>").startswith(b"530")
        wire.write(b"BDAT 6 LAST\r\nevil\r\n")
        assert wire.read_reply().startswith(b"503")
        wire.close()
        assert server.services.accepted == []


@pytest.mark.parametrize("helo", NAMES_OF_CLIENTS)
def test_a_name_of_the_client_makes_no_field(helo: str, certificate: Certificate) -> None:
    with edge(RECEPTION, certificate, screening=everybody({})) as server:
        wire = server.connect()
        wire.read_reply()
        if not wire.ask(f"EHLO {helo}").startswith(b"250"):
            return wire.close()
        wire.write(TRANSACTION + b"DATA\r\n")
        assert [wire.read_reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        wire.write(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert wire.read_reply().startswith(b"250")
        wire.close()
        header = server.services.accepted[0][1].partition(b"\r\n\r\n")[0]
        names = [line.partition(b":")[0] for line in header.split(b"\r\n") if not line.startswith(b"\t")]
        assert names == [b"Authentication-Results", b"X-Junk-Signs", b"Received", b"Subject"]
        return None


def bombs() -> dict[str, bytes]:
    """Return messages that cost a naive reader minutes or memory."""
    head = b"From: a@example.net\r\nMIME-Version: 1.0\r\n"
    nested = b""
    for n in range(3_000):
        nested += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
    parts = b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n' + b"--x\r\n\r\n.\r\n" * 60_000
    return {
        "nested": head + nested,
        "parts": head + parts,
        "blanks": head + b"Subject: x\r\n\r\n" + b" " * 900_000 + b"x\r\n",
        "fields": head + b"X: y\r\n" * 60_000 + b"\r\nx\r\n",
        "folded": head + b"Subject: a\r\n" + b" b\r\n" * 60_000 + b"\r\nx\r\n",
        "addresses": b"From: " + b'"a" <a@example.net>, ' * 20_000 + b"\r\n\r\nx\r\n",
        "signatures": b"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s1; h=from; bh=AA==; b=AA==\r\n"
        * 3_000
        + head
        + b"\r\nx\r\n",
        "comments": b"Authentication-Results: " + b"(" * 100_000 + b"\r\n" + head + b"\r\nx\r\n",
        "rfc822": head + b"Content-Type: message/rfc822\r\n\r\n" * 3_000,
    }


@pytest.mark.parametrize("name", sorted(bombs()))
def test_a_bomb_is_a_message_like_any_other(name: str, certificate: Certificate) -> None:
    raw = Signer("example.net").sign(bombs()[name])
    with edge(RECEPTION, certificate, screening=everybody({})) as server:
        wire = begun(server.connect())
        wire.sock.settimeout(60)
        began = time.process_time()
        wire.write(f"BDAT {len(raw)} LAST\r\n".encode() + raw)
        assert wire.read_reply().startswith(b"250")
        assert time.process_time() - began < 20, "a hundred times what it takes"
        assert server.services.accepted[0][1].endswith(raw)
        wire.close()


@pytest.mark.parametrize("profile", sorted(PORTS))
@pytest.mark.parametrize(
    "octets", [b"BDAT 100\r\nonly this", b"DATA\r\nonly this", b"DATA\r\nx\r\n.", b"BDAT 3\r\nx\r\n", b"DAT"]
)
def test_a_line_closed_on_one_side_ends_the_message(
    octets: bytes, profile: str, certificate: Certificate
) -> None:
    with edge(PORTS[profile], certificate) as server:
        wire = begun(server.connect(), profile)
        wire.write(octets)
        wire.half_close()
        while wire.read_line():
            pass
        wire.close()
        assert server.services.accepted == []
        assert server.budget.bytes_used == 0


@pytest.mark.parametrize("profile", sorted(PORTS))
def test_what_was_said_before_the_line_was_closed_is_answered(profile: str, certificate: Certificate) -> None:
    with edge(PORTS[profile], certificate) as server:
        wire = begun(server.connect(), profile)
        wire.write(b"BDAT 12 LAST\r\nSubject: x\r\nQUIT\r\n")
        wire.half_close()
        assert wire.read_reply().startswith(b"250")
        assert wire.read_reply().startswith(b"221")
        wire.close()
        assert len(server.services.accepted) == 1


@pytest.mark.parametrize("profile", sorted(PORTS))
@pytest.mark.parametrize("command", ["DATA", "BDAT"])
def test_a_full_disk_is_for_later_and_is_over_when_it_is_over(
    command: str, profile: str, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object, **_options: object) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    raw = b"x" * 70 + b"\r\n"
    raw *= spool.MEMORY_BYTES_MAX // len(raw) + 10
    wire_form = b"DATA\r\n" + raw + b".\r\n" if command == "DATA" else b"BDAT %d LAST\r\n" % len(raw) + raw
    with edge(PORTS[profile], certificate) as server:
        wire = begun(server.connect(), profile)
        with monkeypatch.context() as patched:
            patched.setattr(tempfile, "TemporaryFile", full)
            wire.write(wire_form)
            if command == "DATA":
                assert wire.read_reply().startswith(b"354")
            assert wire.read_reply().startswith(b"452 4.3.1")
        assert server.services.accepted == []
        assert server.budget.bytes_used == 0
        wire.write(TRANSACTION + wire_form)
        codes = [b"250", b"250", *([b"354"] if command == "DATA" else []), b"250"]
        assert [wire.read_reply()[:3] for _ in codes] == codes
        assert server.services.accepted[0][1].endswith(raw)
        wire.close()


def test_wishes_of_a_mail_program_reach_the_envelope(certificate: Certificate) -> None:
    session = replace(SUBMISSIONS.session, dsn=True, requiretls=True)
    with edge(replace(SUBMISSIONS, session=session), certificate) as server:
        wire = server.connect()
        wire.read_reply()
        assert b"250-REQUIRETLS\r\n" in wire.ask("EHLO client.example")
        assert wire.ask(LOGIN).startswith(b"235")
        assert wire.ask("MAIL FROM:<alice@example.test> RET=HDRS ENVID=7 REQUIRETLS").startswith(b"250")
        path = "carl@example.org"
        assert wire.ask(f"RCPT TO:<{path}> NOTIFY=SUCCESS ORCPT=rfc822;c@example.org").startswith(b"250")
        wire.write(b"BDAT 3 LAST\r\nx\r\n")
        assert wire.read_reply().startswith(b"250")
        wire.close()
    wishes = server.services.accepted[0][0].wishes
    assert (wishes.ret, wishes.envid, wishes.requires_tls) == ("HDRS", "7", True)
    assert wishes.of(path) == RecipientWishes("SUCCESS", "rfc822;c@example.org")
