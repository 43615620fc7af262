"""The three ports as the configuration has them: who calls, what is offered, where it stops."""

from collections.abc import Mapping

from appliance.settings import Config
from appliance.smtp.session_config import SessionConfig, SessionKind
from smtpd.port import Deadlines, Port

RECEPTION, SUBMISSION, SUBMISSIONS = "smtp", "submission", "submissions"  # names of inherited sockets
MECHANISMS = ("PLAIN", "LOGIN")


def ports(config: Config, hostname: str) -> Mapping[str, Port]:
    """Return the ports by the name of their sockets. `hostname` greets and stands in Received."""
    return {
        RECEPTION: _reception(config, hostname),
        SUBMISSION: _submission(config, hostname, "submission", is_implicit_tls=False),
        SUBMISSIONS: _submission(config, hostname, "submissions", is_implicit_tls=True),
    }


def _reception(config: Config, hostname: str) -> Port:
    limits = config.reception
    return Port(
        name="reception",
        session=SessionConfig(
            hostname,
            SessionKind.RECEPTION,
            size_bytes_max=limits.size_bytes_max,
            discard_bytes_max=3 * limits.size_bytes_max,
            recipients_max=limits.recipients_max,
            tls_available=True,
            errors_max=limits.errors_max,
        ),
        deadlines=Deadlines(command_s=limits.command_timeout_s, data_s=limits.data_timeout_s),
        connections_max=limits.connections_max,
        connections_per_address_max=limits.connections_per_address_max,
        messages_max=limits.messages_per_connection_max,
    )


def _submission(config: Config, hostname: str, name: str, *, is_implicit_tls: bool) -> Port:
    limits = config.submission
    return Port(
        name=name,
        session=SessionConfig(
            hostname,
            SessionKind.SUBMISSION,
            size_bytes_max=limits.size_bytes_max,
            discard_bytes_max=3 * limits.size_bytes_max,
            recipients_max=limits.recipients_max,
            tls_available=True,
            auth_mechanisms=MECHANISMS,
            requires_auth=True,
            errors_max=limits.errors_max,
        ),
        is_implicit_tls=is_implicit_tls,
        deadlines=Deadlines(command_s=limits.command_timeout_s, data_s=limits.data_timeout_s),
        connections_max=limits.connections_max,
        connections_per_address_max=limits.connections_per_address_max,
    )
