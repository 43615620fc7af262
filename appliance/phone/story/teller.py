"""What the steps of the story share: the phones, the messages they are about, the Ping that waits."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

from appliance.phone.changes import BodyPreference, Options
from appliance.phone.client import Phone
from appliance.phone.errors import PhoneError, ProtocolError
from appliance.phone.mailbox import INBOX, Folder
from appliance.phone.operations import PING_HEARTBEAT, PingAnswer
from appliance.phone.story.letters import Postman

HEARTBEAT_S = 600
LAST_WEEK = 3
MAIL = Options(filter_type=LAST_WEEK, body=(BodyPreference(1, 500),))
"""What an iPhone asks of a mail folder by default: a week of mail, the first 500 bytes."""


@dataclass
class HeldPing:
    """A Ping that waits in a thread of its own."""

    phone: Phone
    folder_id: str
    timeout_s: float
    answer: PingAnswer | None = None
    error: PhoneError | None = None
    finished_at: float = 0.0
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._wait, name="held-ping", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            answer = self.phone.ping(HEARTBEAT_S, [self.folder_id], timeout_s=self.timeout_s)
            if answer.status == PING_HEARTBEAT:
                heartbeat_s = answer.heartbeat_s
                answer = self.phone.ping(heartbeat_s, [self.folder_id], timeout_s=self.timeout_s)
            self.answer = answer
        except PhoneError as error:
            self.error = error
        self.finished_at = time.monotonic()

    def is_over(self, timeout_s: float) -> bool:
        """Wait at most timeout_s; tell whether the Ping has ended."""
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


@dataclass
class Story:
    """The phone, its helpers, and what the steps have found out so far."""

    phone: Phone
    peer: Phone | None = None
    postman: Postman | None = None
    wait_for_outside: bool = False
    timeout_s: float = 30.0
    announce: Callable[[str], None] = lambda _: None
    token: str = field(default_factory=lambda: uuid4().hex[:12])
    raw: bytes = b""
    message_id: str = ""
    """ServerId of the message the story is about."""
    attachment: str = ""
    reply: bytes = b""
    reply_client_id: str = ""
    invitation_id: str = ""
    """ServerId of the invitation to a meeting."""
    held: HeldPing | None = None
    is_sent: bool = False
    accepted_at: float = 0.0
    """`time.monotonic()` of the SMTP server's 250; 0 when the message went another way."""

    @property
    def correspondent(self) -> str:
        """Who writes and gets the answer: the peer, or the account itself."""
        return self.peer.address if self.peer else self.phone.address

    def folder(self, type_: str) -> str:
        """Return the id of a default folder. Raises ProtocolError when the account has none."""
        folder = self.phone.mailbox.of_type(type_)
        if folder is None:
            raise ProtocolError(f"the account has no folder of type {type_}")
        return folder.id

    @property
    def inbox(self) -> str:
        return self.folder(INBOX)


def with_token(reader: Phone, folder_id: str, token: str, prefix: str) -> list[str]:
    """Synchronise a folder and return the ServerIds of the story's messages in it."""
    reader.sync(folder_id, options=MAIL)
    items = reader.mailbox.collection(folder_id).items
    return [
        server_id
        for server_id, item in items.items()
        if token in str(item.get("Subject", "")) and str(item.get("Subject", "")).startswith(prefix)
    ]


def folder_of(reader: Phone, type_: str) -> Folder:
    """Return a default folder of a phone; raises ProtocolError when it has none."""
    folder = reader.mailbox.of_type(type_)
    if folder is None:
        raise ProtocolError(f"{reader.address} has no folder of type {type_}")
    return folder
