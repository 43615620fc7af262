"""Mail through the SMTP role as a process: in from other servers, out from users, and what becomes of it.

The outside is a DNS server and a mail server of our own, named in the configuration file as an operator
would (`[dns]`, `[relay] port`). One role serves all tests of the module; each has its own letters.
"""

import json
import shutil
import smtplib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import dkim
import pytest

from appliance.items.folder import FolderType
from tests.clients.appliance_process import DOMAIN, HOSTNAME, RunningAppliance
from tests.fakes.dns import FakeDns, Zones
from tests.fakes.mx import FakeMx, Received, Script
from tests.fixtures.certificate import trusting_anyone
from tests.integration.smtpd.role import (
    LOG,
    PATIENCE_S,
    SmtpRole,
    eventually,
    handed_over,
    letters,
    office,
    wire_to,
)

MIA, BEN = f"mia@{DOMAIN}", f"ben@{DOMAIN}"
PASSWORDS = {MIA: "correct horse battery", BEN: "staple of the office"}
OUTSIDE: Zones = {
    "example.net": {"MX": ["10 mx.example.net."]},
    "mx.example.net": {"A": ["127.0.0.1"]},
}


def configuration(dns: FakeDns, mx: FakeMx, *, is_relaying: bool = True) -> str:
    return (
        f'[dns]\nresolver = "127.0.0.1"\nport = {dns.port}\ntimeout_s = 2\n'
        f"[relay]\nport = {mx.port}\nenabled = {str(is_relaying).lower()}\n"
    )


@dataclass
class Mailroom:
    """A running role with two users, and the server that example.net's mail goes to."""

    place: RunningAppliance
    mx: FakeMx
    reception: int
    submission: int

    def from_outside(self, recipient: str, raw: str, sender: str = "ada@example.net") -> None:
        with smtplib.SMTP("127.0.0.1", self.reception, timeout=PATIENCE_S) as server:
            server.sendmail(sender, [recipient], raw)

    def signed_in(self, address: str) -> smtplib.SMTP:
        """Return a mail program's session: STARTTLS, then AUTH."""
        server = smtplib.SMTP("127.0.0.1", self.submission, timeout=PATIENCE_S)
        server.starttls(context=trusting_anyone())
        server.login(address, PASSWORDS[address])
        return server

    def send(self, recipients: list[str], subject: str, *, header: str = "") -> None:
        """Send a letter as Mia."""
        text = f"From: {MIA}\r\nTo: {recipients[0]}\r\nSubject: {subject}\r\n{header}\r\n{subject}!\r\n"
        with self.signed_in(MIA) as server:
            server.sendmail(MIA, recipients, text)

    def script(self, script: Script) -> None:
        self.mx.script = dict(script)

    def relayed(self, subject: str) -> list[Received]:
        return [found for found in self.mx.messages if f"Subject: {subject}\r\n".encode() in found.body]

    def found(self, address: str, subject: str, folder: FolderType = FolderType.INBOX) -> list[bytes]:
        return [
            raw
            for raw in letters(self.place, address, folder)
            if message_from_bytes(raw)["Subject"] == subject
        ]

    def reports(self, about: str) -> list[bytes]:
        """Return the failure reports to Mia that name an address or a subject."""
        return [raw for raw in self.found(MIA, "Message could not be delivered") if about.encode() in raw]

    def queue(self) -> list[dict[str, Any]]:
        return list(json.loads(self.place.cli("queue", "list", "--json").stdout))


@pytest.fixture(scope="module")
def mailroom(request: pytest.FixtureRequest) -> Iterator[Mailroom]:
    failed_before = request.session.testsfailed
    with (
        FakeDns(OUTSIDE) as dns,
        FakeMx() as mx,
        office(configuration(dns, mx)) as place,
        handed_over() as sockets,
    ):
        place.set_up(MIA, PASSWORDS[MIA])
        place.add_user(BEN, PASSWORDS[BEN])
        numbers = {name: sock.getsockname()[1] for name, sock in sockets.items()}
        with SmtpRole(place, sockets=sockets) as role:
            yield Mailroom(place, mx, numbers["smtp"], numbers["submission"])
            assert role.stop() == 0
        place.keep = request.session.testsfailed > failed_before


@pytest.fixture(autouse=True)
def willing(request: pytest.FixtureRequest) -> None:
    """The outside accepts everything unless a test says otherwise."""
    if "mailroom" in request.fixturenames:
        request.getfixturevalue("mailroom").script({})


def parts_of(report: Message) -> dict[str, str]:
    """Return the parts of a report by their type."""
    return {part.get_content_type(): part.as_string() for part in report.walk() if part is not report}


def test_a_message_from_outside_is_filed(mailroom: Mailroom) -> None:
    mailroom.from_outside(BEN, "From: ada@example.net\r\nSubject: hello\r\n\r\n.dot\r\n")
    (raw,) = mailroom.found(BEN, "hello")
    assert raw.startswith(b"Return-Path: <ada@example.net>\r\nReceived: from ")
    assert f"by {HOSTNAME} with ESMTP".encode() in raw
    assert raw.endswith(b"\r\n\r\n.dot\r\n")


@pytest.mark.parametrize("recipient", ["postmaster", "Postmaster", f"postmaster@{DOMAIN}"])
def test_postmaster_is_always_there(mailroom: Mailroom, recipient: str) -> None:
    subject = f"to {recipient}"
    mailroom.from_outside(recipient, f"Subject: {subject}\r\n\r\nyour server\r\n")
    assert len(mailroom.found(MIA, subject)) == 1, "the first administrator reads it"


@pytest.mark.parametrize(
    ("recipient", "reply"),
    [(f"nobody@{DOMAIN}", b"550 5.1.1"), ("ada@example.net", b"550 5.7.1"), ("x@[192.0.2.1]", b"550 5.7.1")],
)
def test_outside_mail_for_others_is_refused(mailroom: Mailroom, recipient: str, reply: bytes) -> None:
    wire = wire_to(f"127.0.0.1:{mailroom.reception}")
    wire.read_reply()
    wire.ask("EHLO client.example")
    wire.ask("MAIL FROM:<a@client.example>")
    assert wire.ask(f"RCPT TO:<{recipient}>").startswith(reply)
    wire.close()


def test_another_server_hears_what_it_asked_for(mailroom: Mailroom) -> None:
    with smtplib.SMTP("127.0.0.1", mailroom.reception, timeout=PATIENCE_S) as server:
        server.ehlo()
        assert server.has_extn("dsn")
        mail, rcpt = ["RET=HDRS", "ENVID=news-1"], ["NOTIFY=SUCCESS", f"ORCPT=rfc822;old-{BEN}"]
        server.sendmail("ada@example.net", [BEN], "Subject: news\r\n\r\nnews!\r\n", mail, rcpt)
    assert len(mailroom.found(BEN, "news")) == 1
    eventually(lambda: mailroom.relayed("Message was delivered"))
    (report,) = mailroom.relayed("Message was delivered")
    assert (report.recipients, report.mail.partition(" ")[0]) == (["<ada@example.net>"], "<>")
    for line in (
        f"Original-Recipient: rfc822; old-{BEN}",
        "Original-Envelope-Id: news-1",
        "Action: delivered",
    ):
        assert line.encode() in report.body


def test_a_full_mailbox_is_refused_before_the_message(mailroom: Mailroom) -> None:
    mailroom.place.add_user(f"full@{DOMAIN}", "small but mine own")
    mailroom.place.cli("user", "quota", f"full@{DOMAIN}", "10")
    with smtplib.SMTP("127.0.0.1", mailroom.reception, timeout=PATIENCE_S) as server:
        server.ehlo()
        server.mail("ada@example.net", ["SIZE=11"])
        assert server.rcpt(f"full@{DOMAIN}") == (452, b"4.2.2 Mailbox full")
        assert server.rcpt(BEN)[0] == 250


def test_a_submission_is_filed_relayed_and_kept_once(mailroom: Mailroom) -> None:
    mailroom.send([BEN, "ada@example.net"], "to both", header="Bcc: secret@example.net\r\n")
    assert len(mailroom.found(BEN, "to both")) == 1
    (kept,) = mailroom.found(MIA, "to both", FolderType.SENT)
    eventually(lambda: mailroom.relayed("to both"))
    (relayed,) = mailroom.relayed("to both")
    assert relayed.recipients == ["<ada@example.net>"]
    assert relayed.mail.startswith(f"<{MIA}>")
    assert relayed.body.endswith(kept)
    assert b"secret@" not in relayed.body, "Bcc went out"
    eventually(lambda: mailroom.queue() == [], every_s=0.3)
    assert f"EHLO {HOSTNAME}" in mailroom.mx.commands


def test_what_leaves_is_signed_for_its_domain(mailroom: Mailroom) -> None:
    mailroom.send(["ada@example.net"], "signed")
    eventually(lambda: mailroom.relayed("signed"))
    (relayed,) = mailroom.relayed("signed")
    records = {
        key["name"]: key["record"]
        for key in json.loads(mailroom.place.cli("dkim", "list", DOMAIN, "--json").stdout)
    }
    verifier = dkim.DKIM(relayed.body)
    for number in range(2):
        assert verifier.verify(
            number, dnsfunc=lambda name, timeout: records[name.decode().rstrip(".")].encode()
        )
        assert verifier.domain == DOMAIN.encode()


@pytest.mark.skipif(shutil.which("opendkim") is None, reason="opendkim is not installed")
def test_another_implementation_finds_the_signature_good(mailroom: Mailroom, tmp_path: Path) -> None:
    mailroom.send(["ada@example.net"], "for opendkim")
    eventually(lambda: mailroom.relayed("for opendkim"))
    (relayed,) = mailroom.relayed("for opendkim")
    keys = json.loads(mailroom.place.cli("dkim", "list", DOMAIN, "--json").stdout)
    (tmp_path / "zone").write_text("".join(f"{key['name']} {key['record']}\n" for key in keys))
    (tmp_path / "conf").write_text(f"Mode v\nTestDNSData {tmp_path}/zone\n")

    def verdict(raw: bytes) -> str:
        (tmp_path / "letter").write_bytes(raw)
        command = ["opendkim", "-x", str(tmp_path / "conf"), "-v", "-v", "-t", str(tmp_path / "letter")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    assert "verification (s=r" in verdict(relayed.body)
    assert "succeeded" in verdict(relayed.body)
    assert "succeeded" not in verdict(relayed.body.replace(b"for opendkim!", b"for another!"))


def test_a_submission_needs_the_right_password_and_the_right_sender(mailroom: Mailroom) -> None:
    with smtplib.SMTP("127.0.0.1", mailroom.submission, timeout=PATIENCE_S) as server:
        assert server.ehlo()[0] == 250
        assert not server.has_extn("auth"), "AUTH is offered in the clear"
        assert server.docmd("MAIL", f"FROM:<{MIA}>")[0] == 530
        server.starttls(context=trusting_anyone())
        with pytest.raises(smtplib.SMTPAuthenticationError):
            server.login(MIA, "guess")
    with mailroom.signed_in(MIA) as server, pytest.raises(smtplib.SMTPSenderRefused) as refusal:
        server.sendmail(BEN, ["ada@example.net"], "Subject: not mine\r\n\r\nx\r\n")
    assert refusal.value.smtp_code == 553
    assert not mailroom.relayed("not mine")


def test_put_off_and_then_delivered(mailroom: Mailroom) -> None:
    mailroom.script({"RCPT": ["451 4.7.1 greylisted, come again", "250 2.1.5 OK"]})
    mailroom.send(["ada@example.net"], "patience")

    def deferred() -> list[dict[str, Any]]:
        return [entry for entry in mailroom.queue() if entry["attempts"] == 1]

    eventually(deferred, every_s=0.3)
    (entry,) = deferred()
    assert entry["to"] == "ada@example.net"
    assert "greylisted" in entry["last_reply"]
    assert not mailroom.relayed("patience")
    mailroom.place.cli("queue", "retry", str(entry["id"]))
    eventually(lambda: mailroom.relayed("patience"))
    eventually(lambda: mailroom.queue() == [], every_s=0.3)
    assert len(mailroom.relayed("patience")) == 1
    assert not mailroom.reports("patience")


def test_refused_for_good_is_reported_to_the_sender(mailroom: Mailroom) -> None:
    mailroom.script({"RCPT": "550 5.1.1 no such person"})
    mailroom.send(["gone@example.net"], "into the void")
    eventually(lambda: mailroom.reports("gone@example.net"), every_s=0.2)
    (raw,) = mailroom.reports("gone@example.net")
    assert b"\r\nSubject: into the void\r\n" in raw, "the header of the message is not attached"
    parts = parts_of(message_from_bytes(raw))
    status = parts["message/delivery-status"]
    assert "Final-Recipient: rfc822; gone@example.net" in status
    assert "Status: 5.1.1" in status
    assert "no such person" in status
    assert mailroom.queue() == []
    assert any("outcome=failed" in line for line in mailroom.place.log_lines(LOG))


def test_a_domain_that_does_not_exist_is_reported_at_once(mailroom: Mailroom) -> None:
    mailroom.send(["ada@nowhere.test"], "no such domain")
    eventually(lambda: mailroom.reports("ada@nowhere.test"), every_s=0.2)
    (raw,) = mailroom.reports("ada@nowhere.test")
    assert b"5.1.2" in raw


def test_the_queue_alone_listens_to_nobody_and_delivers() -> None:
    """One role takes mail and relays nothing; another, without listeners, delivers what lies there."""
    with (
        FakeDns(OUTSIDE) as dns,
        FakeMx() as mx,
        office(configuration(dns, mx, is_relaying=False)) as place,
        handed_over() as sockets,
    ):
        place.set_up(MIA, PASSWORDS[MIA])
        with SmtpRole(place, sockets=sockets) as taking:
            numbers = {name: sock.getsockname()[1] for name, sock in sockets.items()}
            room = Mailroom(place, mx, numbers["smtp"], numbers["submission"])
            room.send(["ada@example.net"], "later")
            assert [entry["attempts"] for entry in room.queue()] == [0]
            assert taking.stop() == 0
        place.config.write_text(
            configuration(dns, mx) + '[reception]\nlisten = ["127.0.0.1:0"]\n'
            '[submission]\nlisten = ["127.0.0.1:0"]\nlisten_tls = ["127.0.0.1:0"]\n'
        )
        before = len(place.log_lines(LOG))
        with SmtpRole(place, "--queue-only", sockets=sockets) as role:
            waiting = wire_to(sockets["smtp"])
            eventually(lambda: room.relayed("later"))
            eventually(lambda: room.queue() == [], every_s=0.3)
            assert not [line for line in place.log_lines(LOG)[before:] if "listening" in line]
            waiting.sock.settimeout(0.3)
            with pytest.raises(TimeoutError):
                waiting.read_reply()
            assert role.stop() == 0
