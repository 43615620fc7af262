"""The ceilings and offers of one listening port, as a value handed to `ServerSession`.

Owns the numbers and the reasons for them. The edge builds it from the configuration file; nothing here
reads one.
"""

from dataclasses import dataclass
from enum import Enum

COMMAND_LINE_OCTETS_MAX = 512  # RFC 5321 4.5.3.1.4 Command Line, with CRLF
AUTH_LINE_OCTETS_MAX = 12_288  # RFC 4954 4 The AUTH Command, for the command and each response
# What the extensions we announce add to MAIL:
SIZE_PARAMETER_OCTETS = 26  # RFC 1870 3 Framework for the Size Declaration Extension
BODY_PARAMETER_OCTETS = 17  # RFC 6152 2 Framework for the 8-bit MIME Transport Extension
SMTPUTF8_PARAMETER_OCTETS = 10  # RFC 6531 3.1 Definition, for MAIL
RET_AND_ENVID_PARAMETER_OCTETS = 120  # RFC 3461 4.3, 4.4: an ENVID has 100 octets
NOTIFY_AND_ORCPT_PARAMETER_OCTETS = 540  # RFC 3461 4.1, 4.2: an ORCPT has 500 octets
REQUIRETLS_PARAMETER_OCTETS = 11  # RFC 8689 2
AUTH_PARAMETER_OCTETS = 500  # RFC 4954 5 The AUTH Parameter to the MAIL FROM command


class SessionKind(Enum):
    """Who is expected to call: any mail server, or our own users."""

    RECEPTION = "reception"
    SUBMISSION = "submission"


@dataclass(frozen=True)
class SessionConfig:
    """What one port offers and where it stops. Sizes are octets; counts are per session unless said."""

    hostname: str
    kind: SessionKind = SessionKind.RECEPTION
    size_bytes_max: int = 36_700_160  # announced in SIZE (RFC 1870): 25 MB of attachments in base64
    discard_bytes_max: int = 110_100_480  # a message this far over the limit is not even read to its end
    text_line_bytes_max: int = 1_048_576  # RFC 5321 4.5.3.1.6 says 998; much HTML mail is one long line
    recipients_max: int = 1_000  # per message; RFC 5321 4.5.3.1.8 asks for at least 100
    command_line_max: int = COMMAND_LINE_OCTETS_MAX
    auth_line_max: int = AUTH_LINE_OCTETS_MAX
    tls_available: bool = False
    auth_mechanisms: tuple[str, ...] = ()  # names in `sasl.MECHANISMS`, best first; empty: no AUTH
    requires_auth: bool = False  # MAIL only after AUTH
    requires_tls_for_auth: bool = True
    smtputf8: bool = True
    dsn: bool = False  # where reports are made as the sender asks (RFC 3461)
    requiretls: bool = False  # where the promise is kept to the end (RFC 8689); announced under TLS only
    chunking: bool = True
    chunks_max: int = 20_000  # of one message; a client that sends fewer octets a chunk means no good
    errors_max: int = 20  # bad commands before 421
    idle_commands_max: int = 200  # NOOP, RSET, VRFY, HELP, EHLO between two messages before each is an error
    auth_failures_max: int = 3
    refusals_max: int = 200  # recipients refused for good before 421 (address harvesting)

    @property
    def mail_line_max(self) -> int:
        """Return the ceiling for a MAIL command: the base and what each announced extension adds."""
        extra = SIZE_PARAMETER_OCTETS + BODY_PARAMETER_OCTETS
        extra += SMTPUTF8_PARAMETER_OCTETS if self.smtputf8 else 0
        extra += RET_AND_ENVID_PARAMETER_OCTETS if self.dsn else 0
        extra += REQUIRETLS_PARAMETER_OCTETS if self.requiretls else 0
        extra += AUTH_PARAMETER_OCTETS if self.auth_mechanisms else 0
        return self.command_line_max + extra

    @property
    def rcpt_line_max(self) -> int:
        """Return the ceiling for a RCPT command."""
        return self.command_line_max + (NOTIFY_AND_ORCPT_PARAMETER_OCTETS if self.dsn else 0)
