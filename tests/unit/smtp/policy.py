"""The world of the dialogs around a pure session: who exists, who may send, where messages go."""

from dataclasses import dataclass, field, replace

from appliance.smtp.events import (
    NEED_DATA,
    Auth,
    DataChunk,
    DataEnd,
    Event,
    Mail,
    Rcpt,
    Reset,
)
from appliance.smtp.reply import Reply
from appliance.smtp.sasl import BearerToken
from appliance.smtp.server import ServerSession
from appliance.smtp.session_config import SessionConfig, SessionKind
from appliance.smtp.state import Phase
from tests.clients.dialog import DOMAIN, HOSTNAME, PASSWORD, TOKEN, USERS, Dialog

PROFILES = {
    "reception": SessionConfig(HOSTNAME, tls_available=True),
    "submission": SessionConfig(
        HOSTNAME,
        SessionKind.SUBMISSION,
        tls_available=True,
        auth_mechanisms=("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"),
        requires_auth=True,
    ),
}
PROFILES["submissions"] = PROFILES["submission"]


def session_for(dialog: Dialog) -> ServerSession:
    """Return a session with the dialog's profile and settings."""
    config = replace(PROFILES[dialog.profile], **dialog.settings)
    return ServerSession(config, tls_active=dialog.profile == "submissions")


def is_good(proof: BearerToken) -> bool:
    """Say whether this is the one token there is."""
    return proof.token == TOKEN and proof.username in ("", *USERS)


@dataclass
class World:
    """Answers decisions and remembers what happened."""

    session: ServerSession
    events: list[Event] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    output: bytes = b""
    _octets: bytes = b""

    def receive(self, data: bytes) -> None:
        """Feed the session and answer all that comes of it."""
        self.session.receive_data(data)
        self.pump()

    def pump(self) -> None:
        while (event := self.session.next_event()) is not NEED_DATA:
            self.events.append(event)
            if isinstance(event, DataChunk):
                self._octets += event.data
            if isinstance(event, DataEnd):
                self.messages.append(self._octets)
            if isinstance(event, (DataEnd, Mail, Reset)):
                self._octets = b""
            self.output += self.session.send(self.verdict(event))
        self.output += self.session.data_to_send()

    def verdict(self, event: Event) -> Event | Reply:
        """Return the reply that refuses, or the event itself."""
        if isinstance(event, Auth):
            credentials = event.credentials
            if isinstance(credentials, BearerToken):
                return event if is_good(credentials) else Reply(535, "5.7.8", "Wrong user name or password")
            if credentials.username not in USERS or credentials.password != PASSWORD:
                return Reply(535, "5.7.8", "Wrong user name or password")
        if isinstance(event, Rcpt):
            path = event.forward_path
            if path.domain.lower() not in (DOMAIN, "") and not self.session.authenticated:
                return Reply(550, "5.7.1", "We do not relay")
            if path.domain.lower() == DOMAIN and str(path).lower() not in (*USERS, f"postmaster@{DOMAIN}"):
                return Reply(550, "5.1.1", "No such user")
        return event


class SessionWire:
    """A dialog's wire straight into a session; nothing can be late, so a missing reply fails at once."""

    def __init__(self, session: ServerSession) -> None:
        self.world = World(session)
        self.world.pump()

    def write(self, data: bytes) -> None:
        self.world.receive(data)

    def read_line(self) -> bytes:
        line, separator, self.world.output = self.world.output.partition(b"\n")
        if not line:
            assert self.world.session.phase is Phase.CLOSED, "the session has no more replies"
        return line + separator

    def start_tls(self) -> None:
        self.world.session.tls_established()
        self.world.pump()

    def half_close(self) -> None:
        self.world.receive(b"")
