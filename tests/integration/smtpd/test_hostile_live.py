"""Hostile input through the real role on all three ports: screened, prepared, filed and sent on as mail is.

What needs no more than the dialog itself is in `test_connection`, `test_hostile` and `test_hostile_mail`.
"""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from appliance.items.folder import FolderType
from appliance.mime.edit import LINE_BYTES_MAX
from appliance.smtp.data import DataState
from tests.clients.appliance_process import DOMAIN
from tests.fakes.dns import SERVFAIL, SILENCE, FakeDns, Zones
from tests.fakes.mx import CLOSE, DRIP, FakeMx
from tests.fixtures.signer import Signer
from tests.integration.smtpd.role import eventually, letters, office
from tests.integration.smtpd.test_hostile import RELAY_ATTEMPTS
from tests.integration.smtpd.test_hostile_mail import NAMES_OF_CLIENTS, bombs
from tests.integration.smtpd.three_ports import (
    LOGIN,
    MIA,
    NAMES,
    SENDERS,
    ThreePorts,
    config,
    encrypt,
    envelope,
    sent,
    three_ports,
)
from tests.unit.smtp.test_data import SEQUENCES

SIGNER = Signer("example.net")
TEAM, TROUBLE = f"team@{DOMAIN}", f"trouble@{DOMAIN}"
"""Anybody may write to these: Ben and somebody outside, and everybody whose servers are no good."""

TRICKS = {
    "127.0.0.2": {"GREETING": DRIP},
    "127.0.0.3": {"MAIL": "hello, is anybody there"},
    "127.0.0.4": {"DATA": CLOSE},
}
TROUBLED = ("silent.example", "broken.example", "astray.example", *(f"n{ip[-1]}.example" for ip in TRICKS))
ZONES: Zones = {
    SIGNER.name: {"TXT": [SIGNER.record]},
    "silent.example": SILENCE,
    "broken.example": SERVFAIL,
    "circle.example": {"TXT": ["v=spf1 include:circle.example -all"]},
    "astray.example": {"MX": ["10 mx.astray.example."]},
    "mx.astray.example": {"A": ["127.0.0.9"]},  # nobody listens there
    "fine.example": {"MX": ["10 mx.fine.example."]},
    "mx.fine.example": {"A": ["127.0.0.1"]},
    **{f"n{ip[-1]}.example": {"MX": [f"10 mx{ip[-1]}.example."]} for ip in TRICKS},
    **{f"mx{ip[-1]}.example": {"A": [ip]} for ip in TRICKS},
}
HEADER_TOO_LONG = {"addresses", "comments", "fields", "folded"}
"""Bombs that no mail program's user has written: submission refuses them, a stranger's are filed."""

OURS = {b"Return-Path", b"Authentication-Results", b"X-Junk-Signs", b"Received", b"From", b"Subject"}
OF_SUBMISSION = {b"Date", b"Message-ID", b"MIME-Version", b"Content-Type"}


@pytest.fixture(scope="module")
def outside() -> Iterator[FakeMx]:
    """The server that is fine; its neighbours on the same port are not."""
    with FakeMx() as fine, ExitStack() as stack:
        for ip, script in TRICKS.items():
            stack.enter_context(FakeMx(script, host=ip, port=fine.port))
        yield fine


@pytest.fixture(scope="module")
def running(outside: FakeMx) -> Iterator[ThreePorts]:
    relay = f"port = {outside.port}\nconnect_timeout_s = 1\ncommand_timeout_s = 1\ndata_timeout_s = 1"
    with FakeDns(ZONES) as dns, office(config(dns, relay=relay)) as place, three_ports(place) as ports:
        for group, members in {
            TEAM: (f"ben@{DOMAIN}", "fay@fine.example"),
            TROUBLE: ("fay@fine.example", *(f"fay@{domain}" for domain in TROUBLED)),
        }.items():
            named = [word for member in members for word in ("--member", member)]
            place.cli("group", "add", group, "--senders", "anyone", *named)
        yield ports


@pytest.mark.parametrize("port", NAMES)
def test_what_looks_like_an_end_is_text_here_and_at_the_next_server(
    running: ThreePorts, outside: FakeMx, port: str
) -> None:
    texts = [sequence for sequence, what in SEQUENCES if what is DataState.READING and b"\0" not in sequence]
    assert len(texts) > 10
    outside.messages.clear()
    before, wire = len(running.filed()), running.ready(port)
    for sequence in texts:
        head = f"From: {SENDERS[port]}\r\nSubject: x\r\nContent-Type: text/plain; charset=utf-8\r\n".encode()
        content = b"body" + sequence + b"MAIL FROM:<evil@client.example>\r\n"
        wire.write(envelope(port, TEAM) + b"DATA\r\n")
        assert [wire.read_reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
        stuffed = re.sub(rb"^\.", b"..", head + b"\r\n" + content, flags=re.M)
        wire.write(stuffed + b".\r\n")
        assert wire.read_reply().startswith(b"250"), sequence
        assert running.filed()[-1].endswith(content), sequence
    wire.close()
    assert len(running.filed()) - before == len(texts)
    eventually(lambda: len(outside.messages) == len(texts))
    assert all(b"MAIL FROM:<evil@client.example>" in found.body for found in outside.messages)
    assert all(not re.search(rb"\r(?!\n)|(?<!\r)\n", found.body) for found in outside.messages)


@pytest.mark.parametrize("port", NAMES)
def test_nothing_said_in_the_clear_counts_under_tls(running: ThreePorts, port: str) -> None:
    wire = running.greeted(port)
    if port == "submissions":
        assert wire.ask("STARTTLS").startswith(b"503 ")
        return wire.close()
    before = len(running.filed())
    said = (LOGIN + "\r\n").encode() if port == "submission" else b""
    wire.write(b"STARTTLS\r\n" + said + envelope(port) + b"BDAT 6 LAST\r\nevil\r\n")
    assert wire.read_reply().startswith(b"220")
    wire.start_tls()
    assert wire.ask("BDAT 0 LAST").startswith(b"503"), "a stranger again"
    wire.close()
    assert len(running.filed()) == before
    return None


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("port", NAMES)
def test_nobody_relays(running: ThreePorts, port: str, family: int) -> None:
    wire = running.greeted(port, family=family)
    if port == "submission":
        encrypt(wire)
    refusal = (b"550 ", b"501 ") if port == "reception" else b"503 "
    for recipient in RELAY_ATTEMPTS:
        opened = wire.ask(f"MAIL FROM:<{SENDERS[port]}>")
        assert opened.startswith(b"250" if port == "reception" else b"530"), opened
        assert wire.ask(f"RCPT TO:<{recipient}>").startswith(refusal), recipient
        wire.write(b"BDAT 6 LAST\r\nevil\r\n")
        assert wire.read_reply().startswith((b"554", b"503")), recipient
        wire.ask("RSET")
    wire.close()


@pytest.mark.parametrize("port", NAMES)
def test_no_field_is_made_by_what_a_client_says(running: ThreePorts, port: str) -> None:
    wire, taken = running.ready(port), 0
    for name in NAMES_OF_CLIENTS:
        if wire.ask(f"EHLO {name}").startswith(b"250"):
            taken += 1
            raw = f"From: {SENDERS[port]}\r\nSubject: x\r\n\r\nx\r\n".encode()
            assert sent(wire, port, raw).startswith(b"250")
            header = running.filed()[-1].partition(b"\r\n\r\n")[0]
            fields = re.split(rb"\r\n(?![ \t])", header)
            names = {field.partition(b":")[0] for field in fields}
            assert names <= OURS | (OF_SUBMISSION if port != "reception" else set())
            assert len(fields) == len(names), "none comes twice"
    assert taken
    for parameter in ("ENVID=x+0D+0AX-Evil:+20yes", "RET=HDRS+0D+0A"):
        assert wire.ask(f"MAIL FROM:<{SENDERS[port]}> {parameter}").startswith((b"501", b"555")), parameter
    wire.close()


@pytest.mark.parametrize("line_break", ["\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("port", NAMES)
def test_no_line_break_in_a_command_is_another_line(running: ThreePorts, port: str, line_break: str) -> None:
    wire = running.ready(port)
    reply = wire.ask(f"MAIL FROM:<{SENDERS[port]}>{line_break}RCPT TO:<ben@{DOMAIN}>")
    assert reply.startswith(b"521 5.")
    assert wire.read_line() == b""
    wire.close()


@pytest.mark.parametrize("name", sorted(bombs()))
@pytest.mark.parametrize("port", NAMES)
def test_a_bomb_is_a_message_like_any_other(running: ThreePorts, port: str, name: str) -> None:
    raw, before = SIGNER.sign(bombs()[name]), len(running.filed())
    wire = running.ready(port)
    reply = sent(wire, port, raw)
    if port != "reception" and name in HEADER_TOO_LONG:
        assert reply.startswith(b"554 5.6.0"), reply
        assert len(running.filed()) == before
    else:
        assert reply.startswith(b"250"), reply
        filed = running.filed()
        assert len(filed) == before + 1
        if port == "reception":
            assert filed[-1].endswith(raw)
        else:
            assert max(map(len, filed[-1].split(b"\r\n"))) <= LINE_BYTES_MAX
    assert sent(wire, port, f"From: {SENDERS[port]}\r\n\r\nstill here\r\n".encode()).startswith(b"250")
    wire.close()


@pytest.mark.parametrize("domain", ["silent.example", "broken.example", "circle.example"])
def test_a_senders_dns_that_hangs_or_lies_keeps_no_mail_out(running: ThreePorts, domain: str) -> None:
    raw = f"From: eve@{domain}\r\nSubject: from {domain}\r\n\r\nx\r\n".encode()
    wire = running.ready("reception")
    wire.write(
        f"MAIL FROM:<eve@{domain}>\r\nRCPT TO:<ben@{DOMAIN}>\r\nBDAT {len(raw)} LAST\r\n".encode() + raw
    )
    assert [wire.read_reply()[:3] for _ in range(3)] == [b"250"] * 3
    wire.close()
    assert running.filed()[-1].endswith(raw)


@pytest.mark.parametrize("port", NAMES)
def test_dns_and_servers_that_hang_or_lie_hold_up_nobody_else(
    running: ThreePorts, outside: FakeMx, port: str
) -> None:
    """All of it is put off, none of it lost or reported; who is fine has it at once."""
    outside.messages.clear()
    wire = running.ready(port)
    raw = f"From: {SENDERS[port]}\r\nSubject: trouble\r\n\r\nx\r\n".encode()
    assert sent(wire, port, raw, TROUBLE).startswith(b"250")
    wire.close()
    eventually(lambda: len(outside.messages) == 1)

    def put_off() -> list[str]:
        entries = json.loads(running.place.cli("queue", "list", "--json").stdout)
        return sorted(entry["to"] for entry in entries if entry["attempts"])

    rounds = NAMES.index(port) + 1
    eventually(lambda: len(put_off()) == rounds * len(TROUBLED), every_s=0.3)
    assert set(put_off()) == {f"fay@{domain}" for domain in TROUBLED}
    assert letters(running.place, MIA, FolderType.INBOX) == []
