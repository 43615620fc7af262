"""The three ports as the configuration has them: who calls, what is offered, where it stops."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from appliance.settings import Config, Reception, Submission
from appliance.smtp.session_config import SessionConfig, SessionKind
from smtpd.port import Deadlines, Port

RECEPTION, SUBMISSION, SUBMISSIONS = "smtp", "submission", "submissions"  # names of inherited sockets
MECHANISMS = ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2")


def addresses(config: Config) -> Mapping[str, Sequence[str]]:
    """Return where to listen, by the name of the sockets."""
    return {
        RECEPTION: config.reception.listen,
        SUBMISSION: config.submission.listen,
        SUBMISSIONS: config.submission.listen_tls,
    }


def ports(config: Config, hostname: str) -> Mapping[str, Port]:
    """Return the ports by the name of their sockets. `hostname` greets and stands in Received."""
    from_servers = _session(config.reception, SessionKind.RECEPTION, hostname)
    from_users = replace(
        _session(config.submission, SessionKind.SUBMISSION, hostname),
        auth_mechanisms=MECHANISMS,
        requires_auth=True,
        requiretls=True,
    )
    submission = _port("submission", from_users, config.submission)
    return {
        RECEPTION: replace(
            _port("reception", from_servers, config.reception),
            messages_max=config.reception.messages_per_connection_max,
            connections_per_network_max=config.reception.connections_per_network_max,
        ),
        SUBMISSION: submission,
        SUBMISSIONS: replace(submission, name="submissions", is_implicit_tls=True),
    }


def _session(limits: Reception | Submission, kind: SessionKind, hostname: str) -> SessionConfig:
    return SessionConfig(
        hostname,
        kind,
        size_bytes_max=limits.size_bytes_max,
        discard_bytes_max=3 * limits.size_bytes_max,
        recipients_max=limits.recipients_max,
        tls_available=True,
        dsn=True,
        errors_max=limits.errors_max,
    )


def _port(name: str, session: SessionConfig, limits: Reception | Submission) -> Port:
    return Port(
        name=name,
        session=session,
        deadlines=Deadlines(command_s=limits.command_timeout_s, data_s=limits.data_timeout_s),
        connections_max=limits.connections_max,
        connections_per_address_max=limits.connections_per_address_max,
    )
