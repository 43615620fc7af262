"""Groups, forwarding and catch-all over real sockets; and that none of them makes an open relay of us."""

import base64
import json
import smtplib
from collections.abc import Iterator
from email import message_from_bytes
from unittest.mock import ANY

import pytest

from appliance import db, sealing
from appliance.clock import SYSTEM_CLOCK
from appliance.delivery import return_paths
from tests.clients.appliance_process import DOMAIN
from tests.fakes.dns import FakeDns
from tests.fakes.mx import FakeMx
from tests.fixtures.certificate import trusting_anyone
from tests.integration.smtpd.role import (
    LOG,
    PATIENCE_S,
    SmtpRole,
    eventually,
    handed_over,
    office,
    wire_to,
)
from tests.integration.smtpd.test_role_mail import BEN, MIA, OUTSIDE, PASSWORDS, Mailroom, configuration

VICTIM = "victim@example.net"


@pytest.fixture(scope="module")
def mailroom() -> Iterator[Mailroom]:
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


def test_what_an_operator_sets_is_in_force_at_once(mailroom: Mailroom) -> None:
    cli, all_of_us = mailroom.place.cli, f"office@{DOMAIN}"
    assert mailroom_says(mailroom, all_of_us) == 550
    cli("group", "add", all_of_us, "--senders", "anyone", "--member", MIA, "--member", "ada@example.net")
    mailroom.from_outside(all_of_us, "From: bob@example.net\r\nSubject: to all\r\n\r\nx\r\n")
    (raw,) = mailroom.found(MIA, "to all")
    assert f"\r\nList-Id: <office.{DOMAIN}>\r\n".encode() in raw
    eventually(lambda: mailroom.relayed("to all"))
    (relayed,) = mailroom.relayed("to all")
    assert relayed.mail.startswith(f"<office-bounces@{DOMAIN}>")


def test_forwarded_mail_leaves_under_our_name_and_its_report_goes_back(mailroom: Mailroom) -> None:
    mailroom.place.cli("forward", "set", BEN, "ben@example.net", "--no-keep")
    try:
        mailroom.from_outside(BEN, "Subject: sent on\r\n\r\nx\r\n", "Bob+x@example.net")
    finally:
        mailroom.place.cli("forward", "remove", BEN)
    eventually(lambda: mailroom.relayed("sent on"))
    (relayed,) = mailroom.relayed("sent on")
    assert relayed.mail.startswith("<SRS0=") and f"=example.net=Bob+x@{DOMAIN}>" in relayed.mail
    assert b"Delivered-To: " + BEN.encode() in relayed.body
    assert mailroom.found(BEN, "sent on") == []
    mailroom.from_outside(relayed.mail.partition(">")[0][1:], "Subject: undeliverable\r\n\r\nx\r\n", "")
    eventually(lambda: mailroom.relayed("undeliverable"))
    (report,) = mailroom.relayed("undeliverable")
    assert (report.recipients, report.mail.partition(" ")[0]) == (["<Bob+x@example.net>"], "<>")


def mailroom_says(mailroom: Mailroom, recipient: str, sender: str = "eve@example.org") -> int:
    """Return the code of the reply to RCPT from a stranger."""
    wire = wire_to(f"127.0.0.1:{mailroom.reception}")
    try:
        wire.read_reply()
        wire.ask("EHLO client.example")
        assert wire.ask(f"MAIL FROM:<{sender}>").startswith(b"250")
        return int(wire.ask(f"RCPT TO:<{recipient}>")[:3])
    finally:
        wire.close()


def wrapped(mailroom: Mailroom) -> str:
    db.open("sqlite", mailroom.place.data)
    try:
        sealing.configure(mailroom.place.data)
        return return_paths.rewritten(VICTIM, DOMAIN, SYSTEM_CLOCK.now())
    finally:
        db.close()


@pytest.mark.parametrize(
    "recipient",
    [
        VICTIM,
        f"victim%example.net@{DOMAIN}",
        f'"victim@example.net"@{DOMAIN}',
        f'"victim%example.net"@{DOMAIN}',
        f"@{DOMAIN}:victim@example.net",
        f"@{DOMAIN},@example.net:victim@example.net",
        f"example.net!victim@{DOMAIN}",
        f"victim@example.net@{DOMAIN}",
        "victim@[127.0.0.1]",
        "victim@[192.0.2.1]",
        "victim@example.net.",
        f"victim@sub.{DOMAIN}",
        f"nobody+victim=example.net@{DOMAIN}",
        f"office-bounces+victim=example.net@{DOMAIN}",
        f"SRS0=AAAAAAAA=AA=example.net=victim@{DOMAIN}",
        f"SRS1=AAAAAAAA=example.net==AA=AA=x=victim@{DOMAIN}",
        f"srs0+AAAA=AA=example.net=victim@{DOMAIN}",
        "victim@localhost",
    ],
)
@pytest.mark.parametrize("sender", ["eve@example.org", MIA, f"office-bounces@{DOMAIN}", ""])
def test_no_spelling_makes_us_relay(mailroom: Mailroom, recipient: str, sender: str) -> None:
    assert mailroom_says(mailroom, recipient, sender) in (501, 550, 553)


@pytest.mark.parametrize("sender", ["eve@example.org", MIA])
def test_a_right_return_address_is_for_reports_only(mailroom: Mailroom, sender: str) -> None:
    assert mailroom_says(mailroom, wrapped(mailroom), sender) == 550
    assert mailroom_says(mailroom, wrapped(mailroom), "") == 250


def test_a_catch_all_takes_relay_attempts_in_and_sends_nothing_out(mailroom: Mailroom) -> None:
    mailroom.place.cli("domain", "catch-all", DOMAIN, BEN)
    try:
        for local_part in ("victim%example.net", "example.net!victim", '"victim@example.net"'):
            assert mailroom_says(mailroom, f"{local_part}@{DOMAIN}") == 250
        assert mailroom_says(mailroom, VICTIM) == 550
        assert mailroom_says(mailroom, f"SRS0=AAAAAAAA=AA=example.net=victim@{DOMAIN}", "") == 550
        mailroom.from_outside(f"victim%example.net@{DOMAIN}", "Subject: caught\r\n\r\nx\r\n")
        assert len(mailroom.found(BEN, "caught")) == 1
        assert not mailroom.relayed("caught")
    finally:
        mailroom.place.cli("domain", "catch-all", DOMAIN, "--off")


def test_a_smarthost_and_a_route_take_what_dns_would_not(mailroom: Mailroom) -> None:
    """example.net has a server in DNS; no other domain exists. Each route counts from the next attempt on."""
    cli = mailroom.place.cli
    with FakeMx() as smarthost, FakeMx() as partner:
        cli("route", "set", "*", f"127.0.0.1:{smarthost.port}")
        cli("route", "set", "partner.example", f"127.0.0.1:{partner.port}")
        try:
            mailroom.send(
                ["ada@nowhere.example", "bob@partner.example", "carl@example.net", BEN], "by other ways"
            )
            eventually(lambda: len(smarthost.messages) == 2 and len(partner.messages) == 1)
        finally:
            cli("route", "remove", "*")
            cli("route", "remove", "partner.example")
        taken = sorted(recipient for found in smarthost.messages for recipient in found.recipients)
        assert taken == ["<ada@nowhere.example>", "<carl@example.net>"]
        assert partner.messages[0].recipients == ["<bob@partner.example>"]
        assert not mailroom.relayed("by other ways"), "the server that DNS names was asked"
        assert len(mailroom.found(BEN, "by other ways")) == 1, "ours never leaves"
    mailroom.send(["carl@example.net"], "as DNS says again")
    eventually(lambda: mailroom.relayed("as DNS says again"))


def bearer(address: str, token: str) -> str:
    return base64.b64encode(f"n,a={address},\x01auth=Bearer {token}\x01\x01".encode()).decode()


def test_a_program_signs_in_with_a_token(mailroom: Mailroom) -> None:
    token = mailroom.place.cli("token", "issue", MIA, "--label", "printer").stdout.strip()
    with smtplib.SMTP("127.0.0.1", mailroom.submission, timeout=PATIENCE_S) as server:
        server.starttls(context=trusting_anyone())
        assert "OAUTHBEARER" in (server.ehlo()[1] or b"").decode()
        code, reason = server.docmd("AUTH", f"OAUTHBEARER {bearer(MIA, 'at_wrong')}")
        assert (code, json.loads(base64.b64decode(reason))["status"]) == (334, "invalid_token")
        assert server.docmd("AQ==")[0] == 535
        assert server.docmd("AUTH", f"OAUTHBEARER {bearer(MIA, token)}")[0] == 235
        server.sendmail(MIA, [BEN], f"From: {MIA}\r\nSubject: from the printer\r\n\r\nx\r\n")
    (raw,) = mailroom.found(BEN, "from the printer")
    received = message_from_bytes(raw)["Received"]
    assert received.startswith("by ") and "127.0.0.1" not in received, "where our users are is told"
    assert token not in "".join(mailroom.place.log_lines(LOG))
    mailroom.place.cli("token", "revoke", MIA, "--all")
    with smtplib.SMTP("127.0.0.1", mailroom.submission, timeout=PATIENCE_S) as server:
        server.starttls(context=trusting_anyone())
        server.ehlo()
        assert server.docmd("AUTH", f"OAUTHBEARER {bearer(MIA, token)}")[0] == 334
        assert server.docmd("AQ==")[0] == 535


def test_a_session_ends_with_the_account(mailroom: Mailroom) -> None:
    with mailroom.signed_in(BEN) as server:
        assert server.mail(BEN)[0] == 250
        mailroom.place.cli("user", "disable", BEN)
        try:
            server.rcpt(MIA)
            assert server.data(b"Subject: too late\r\n\r\nx\r\n") == (550, ANY)
            assert server.mail(BEN)[0] == 550
        finally:
            mailroom.place.cli("user", "enable", BEN)
        server.rset()
        assert server.mail(BEN)[0] == 250
    assert mailroom.found(MIA, "too late") == []


def test_a_group_for_ourselves_refuses_strangers_and_forgers(mailroom: Mailroom) -> None:
    mailroom.place.cli("group", "add", f"staff@{DOMAIN}", "--member", BEN, "--member", "ada@example.net")
    for sender in ("eve@example.org", MIA, "ada@example.net"):
        assert mailroom_says(mailroom, f"staff@{DOMAIN}", sender) == 550
    mailroom.send([f"staff@{DOMAIN}"], "to the staff")
    assert len(mailroom.found(BEN, "to the staff")) == 1
    eventually(lambda: mailroom.relayed("to the staff"))
