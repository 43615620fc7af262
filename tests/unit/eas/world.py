"""A server without sockets: the real store, the real commands, requests as bytes.

`Server` answers ActiveSync requests through `dispatch` exactly as the web edge would; `wire` connects a
simulated phone to it, and may lose requests and answers.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import db
from appliance.accounts import accounts, passwords
from appliance.delivery import arrival
from appliance.eas import dispatch
from appliance.eas.context import World
from appliance.eas.request import Request
from appliance.eas.response import Held, Response
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.settings import Eas, Passwords, Web
from appliance.store import blobs, folders, messages
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.element import Element

DOMAIN = "example.test"
HOSTNAME = "mail.example.test"
CHEAP = Passwords(passes=1, memory_kib=8, lanes=1)


class SteppingClock:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()

    def step(self, by: timedelta) -> None:
        self.moment += by


@dataclass
class Server:
    """The whole of ActiveSync behind one function, over an open database."""

    data_dir: Path
    clock: SteppingClock = field(default_factory=SteppingClock)
    eas: Eas = field(default_factory=Eas)
    web: Web = field(default_factory=Web)

    def __post_init__(self) -> None:
        blobs.configure(self.data_dir)
        passwords.configure(CHEAP)
        accounts.add_domain(DOMAIN)

    def account(self, name: str) -> Account:
        """Make an account and return it."""
        return accounts.create(f"{name}@{DOMAIN}", "a long enough password")

    def folder(self, account: Account, type_: FolderType) -> int:
        """Return the id of a special folder."""
        with db.connection():
            return folders.special(account.id, type_).id

    def file(self, account: Account, folder_id: int, subject: str, age: timedelta = timedelta()) -> int:
        """Put a message into a folder and return its id."""
        raw = f"From: x@example.net\r\nTo: {account.address}\r\nSubject: {subject}\r\n\r\n{subject}\r\n"
        received_at = self.clock.now() - age
        return messages.file(account.id, folder_id, arrival.prepare(raw.encode()), received_at=received_at)

    def ask(self, account: Account, request: Request) -> Response:
        """Answer one request, waiting if it is held."""
        world = World(self.clock, self.eas, self.web, lambda: HOSTNAME)
        with db.connection():
            answer = dispatch.handle(request, account, world)
        return answer.resume() if isinstance(answer, Held) else answer

    def command(
        self, account: Account, name: str, document: Element | bytes | None = None, **headers: object
    ) -> Element | None:
        """Send a command and return the document of the answer, None when it is empty."""
        response = self.ask(account, request(name, document, **headers))
        assert response.status == 200, response
        return decode(response.body) if response.body else None


def request(name: str, document: Element | bytes | None = None, **headers: object) -> Request:
    """Return a request as the web edge would make it; `document` may be raw bytes."""
    body = document if isinstance(document, bytes) else encode(document) if document is not None else b""
    values: dict[str, object] = {
        "method": "POST",
        "command": name,
        "device_id": "device1",
        "device_type": "iPhone",
        "version": "16.1",
        "policy_key": None,
        "user": "",
        "params": {},
        "locale": None,
        "save_in_sent": False,
        "accept_multipart": False,
        "content_type": "application/vnd.ms-sync.wbxml",
        "user_agent": "Apple-iPhone15C4/2301.355",
        "accept_gzip": False,
        "body": body,
    }
    return Request(**(values | headers))  # type: ignore[arg-type]  # keywords are checked by Request
