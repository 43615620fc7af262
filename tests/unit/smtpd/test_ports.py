"""The ports a configuration asks for."""

from dataclasses import replace

from appliance.settings import Config, Reception, Submission
from appliance.smtp.session_config import SessionKind
from smtpd.ports import RECEPTION, SUBMISSION, SUBMISSIONS, addresses, ports

HOST = "mail.example.com"
CONFIG = replace(
    Config(),
    reception=Reception(
        listen=("127.0.0.1:25",),
        size_bytes_max=100_000,
        recipients_max=101,
        connections_max=3,
        connections_per_address_max=2,
        command_timeout_s=11,
        data_timeout_s=12,
        errors_max=5,
        messages_per_connection_max=7,
    ),
    submission=Submission(
        listen=("127.0.0.1:587", "[::1]:587"),
        listen_tls=("127.0.0.1:465",),
        size_bytes_max=200_000,
        recipients_max=102,
        connections_max=30,
        connections_per_address_max=20,
        command_timeout_s=21,
        data_timeout_s=22,
        errors_max=6,
    ),
)


def test_where_to_listen() -> None:
    assert addresses(CONFIG) == {
        RECEPTION: ("127.0.0.1:25",),
        SUBMISSION: ("127.0.0.1:587", "[::1]:587"),
        SUBMISSIONS: ("127.0.0.1:465",),
    }
    assert set(ports(CONFIG, HOST)) == set(addresses(CONFIG)), "a socket without a port"


def test_reception_takes_mail_from_everybody_and_offers_no_login() -> None:
    port = ports(CONFIG, HOST)[RECEPTION]
    session = port.session
    assert (port.name, session.hostname, session.kind) == ("reception", HOST, SessionKind.RECEPTION)
    assert (session.auth_mechanisms, session.requires_auth) == ((), False)
    assert (session.tls_available, port.is_implicit_tls) == (True, False)
    assert (session.dsn, session.requiretls) == (True, False), "reports are made as strangers ask, too"
    assert (session.size_bytes_max, session.recipients_max, session.errors_max) == (100_000, 101, 5)
    assert (port.connections_max, port.connections_per_address_max, port.messages_max) == (3, 2, 7)
    assert (port.deadlines.command_s, port.deadlines.data_s) == (11, 12)


def test_submission_asks_for_a_login_under_tls() -> None:
    found = ports(CONFIG, HOST)
    for name, is_implicit in ((SUBMISSION, False), (SUBMISSIONS, True)):
        port, session = found[name], found[name].session
        assert (port.name, session.hostname, session.kind) == (name, HOST, SessionKind.SUBMISSION)
        assert session.auth_mechanisms == ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2")
        assert session.requires_auth
        assert session.requires_tls_for_auth
        assert (session.dsn, session.requiretls) == (True, True), "the queue and the relay keep both"
        assert (session.tls_available, port.is_implicit_tls) == (True, is_implicit)
        assert (session.size_bytes_max, session.recipients_max, session.errors_max) == (200_000, 102, 6)
        assert (port.connections_max, port.connections_per_address_max) == (30, 20)
        assert (port.deadlines.command_s, port.deadlines.data_s) == (21, 22)


def test_a_message_too_large_is_read_for_a_while_before_the_cut() -> None:
    for port in ports(CONFIG, HOST).values():
        assert port.session.discard_bytes_max == 3 * port.session.size_bytes_max
