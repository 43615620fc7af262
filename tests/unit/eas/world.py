"""A server without sockets: the real store, the real commands, requests as bytes.

`Server` answers ActiveSync requests through `dispatch` exactly as the web edge would, and checks every
answer against the rules of `tests.grammar`, and against Microsoft's schemas where these are at hand.
`Phone` speaks for one device, one line per request; `Held` is a request that waits.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import bus, db
from appliance.accounts import accounts, passwords
from appliance.delivery import arrival
from appliance.devices.health import Health
from appliance.devices.rate import Rate
from appliance.eas import dispatch
from appliance.eas.context import World
from appliance.eas.request import Request
from appliance.eas.response import Held as HeldAnswer
from appliance.eas.response import Response
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Message
from appliance.settings import Eas, Passwords, Web
from appliance.store import blobs, folders, messages
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import AirSync, AirSyncBase, FolderHierarchy
from appliance.wbxml.element import Element, Tag
from tests.grammar.check import check
from tests.unit.eas import schema

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
    devices_max: int = 1_000
    rate: Rate | None = None
    health: Health = field(default_factory=Health)

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
        return self.file_raw(account, folder_id, raw.encode(), age)

    def file_raw(self, account: Account, folder_id: int, raw: bytes, age: timedelta = timedelta()) -> int:
        """Put a message of these bytes into a folder and return its id."""
        received_at = self.clock.now() - age
        return messages.file(account.id, folder_id, arrival.prepare(raw), received_at=received_at)

    def listed(self, account: Account, folder_id: int) -> list[Message]:
        """Return what lies in a folder, newest first."""
        with db.connection():
            return messages.list_page(account.id, folder_id, limit=1_000)

    def ask(self, account: Account, request: Request) -> Response:
        """Answer one request, waiting if it is held."""
        answer = self.begin(account, request)
        return answer.resume() if isinstance(answer, HeldAnswer) else answer

    def begin(self, account: Account, request: Request) -> Response | HeldAnswer:
        """Answer one request, or return what is to be waited for."""
        world = World(
            self.clock, self.eas, self.web, lambda: HOSTNAME, self.devices_max, self.rate, self.health
        )
        with db.connection():
            return dispatch.handle(request, account, world)

    def hold(self, account: Account, request: Request) -> "Held":
        """Send a request that waits; it waits beside the test."""
        answer = self.begin(account, request)
        assert isinstance(answer, HeldAnswer), answer
        return Held(answer.resume)

    def command(
        self, account: Account, name: str, document: Element | bytes | None = None, **headers: object
    ) -> Element | None:
        """Send a command and return the document of the answer, None when it is empty.

        The answer is checked against the rules and the schema of the command.
        """
        asked = request(name, document, **headers)
        return checked(self.ask(account, asked), asked.version)


class Held:
    """A request that waits on a thread of its own."""

    def __init__(self, resume: Callable[[], Response]) -> None:
        self._resume = resume
        self._response: Response | None = None
        self._waits = bus.current().watching()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._response = self._resume()

    def until_waiting(self) -> None:
        """Return when the request waits for a hint; fails when it does not within five seconds."""
        for _ in range(500):
            if bus.current().watching() > self._waits or not self._thread.is_alive():
                time.sleep(0.02)
                return
            time.sleep(0.01)
        raise AssertionError("the request does not wait")

    @property
    def is_waiting(self) -> bool:
        """Whether there is no answer yet."""
        return self._thread.is_alive()

    def answer(self, timeout_s: float = 5) -> Element | None:
        """Return the document of the answer, None when it is empty; fails when it does not come."""
        self._thread.join(timeout_s)
        assert self._response is not None, "no answer"
        return checked(self._response)


@dataclass
class Phone:
    """One device of an account, and the keys it was given."""

    server: Server
    account: Account
    device_id: str = "device1"
    version: str = "16.1"
    keys: dict[int, str] = field(default_factory=dict)
    hierarchy_key: str = "0"

    def command(
        self, name: str, document: Element | bytes | None = None, **headers: object
    ) -> Element | None:
        """Send a command and return the document of the answer, None when it is empty."""
        return self.server.command(self.account, name, document, **(self._who() | headers))

    def asked(self, name: str, document: Element | bytes | None = None, **headers: object) -> Element:
        """Send a command that is answered with a document, and return it."""
        answer = self.command(name, document, **headers)
        assert answer is not None, f"{name} was answered with nothing"
        return answer

    def hold(self, name: str, document: Element | bytes | None = None) -> Held:
        """Send a command that waits."""
        return self.server.hold(self.account, request(name, document, **self._who()))

    def folder_sync(self) -> Element:
        """Synchronise the folder tree."""
        answer = self.asked(
            "FolderSync", FolderHierarchy.FolderSync(FolderHierarchy.SyncKey(self.hierarchy_key))
        )
        self.hierarchy_key = answer.text_of(FolderHierarchy.SyncKey, "0")
        return answer

    def folder(self, type_: FolderType) -> int:
        """Return the id of a special folder."""
        return self.server.folder(self.account, type_)

    def collection(
        self,
        folder_id: int | str,
        *children: Element,
        key: str | None = None,
        commands: Sequence[Element] = (),
        options: Element | Sequence[Element] | None = None,
    ) -> Element:
        """Return the Collection of a request. children: what stands between CollectionId and Options."""
        key = key if key is not None else self.keys.get(int(folder_id), "0")
        return AirSync.Collection(
            AirSync.SyncKey(key),
            AirSync.CollectionId(str(folder_id)),
            list(children),
            options,
            AirSync.Commands(list(commands)) if commands else None,
        )

    def sync_all(self, *collections: Element, tail: Iterable[Element] = ()) -> Element | None:
        """Send a Sync of these collections; remembers the keys of the answer."""
        answer = self.command("Sync", AirSync.Sync(AirSync.Collections(list(collections)), list(tail)))
        return self.noted(answer)

    def noted(self, answer: Element | None) -> Element | None:
        """Remember the keys of a Sync answer."""
        for collection in collections_of(answer):
            self.keys[int(collection.text_of(AirSync.CollectionId, ""))] = collection.text_of(
                AirSync.SyncKey, ""
            )
        return answer

    def sync(self, folder_id: int, *children: Element, **rest: object) -> "Told":
        """Send a Sync of one collection and return what it is told."""
        answer = self.sync_all(self.collection(folder_id, *children, **rest))  # type: ignore[arg-type]
        return Told(answer)

    def prime(self, *folder_ids: int, options: Element | None = None) -> None:
        """Start collections and take all there is."""
        for folder_id in folder_ids:
            self.keys[folder_id] = "0"
            self.sync(folder_id, options=options)
            while self.sync(folder_id, AirSync.WindowSize(512)).has_more:
                pass

    def _who(self) -> dict[str, object]:
        return {"device_id": self.device_id, "version": self.version}


class Told:
    """The answer to a Sync of one collection; all of it is empty when the answer was."""

    def __init__(self, answer: Element | None) -> None:
        found = collections_of(answer)
        self.document = answer
        self.status = int(answer.text_of(AirSync.Status, "1")) if answer is not None else 1
        self.collection = found[0] if found else AirSync.Collection()
        if found:
            self.status = self.collection.int_of(AirSync.Status, 0)
        self.is_empty = answer is None
        self.has_more = self.collection.find(AirSync.MoreAvailable) is not None

    @property
    def key(self) -> str:
        """The SyncKey."""
        return self.collection.text_of(AirSync.SyncKey, "")

    def of(self, tag: Tag) -> list[Element]:
        """Return the commands of one kind."""
        block = self.collection.find(AirSync.Commands)
        return [] if block is None else block.find_all(tag)

    def ids(self, tag: Tag) -> list[int]:
        """Return the ServerIds of the commands of one kind."""
        return [int(command.text_of(AirSync.ServerId, "")) for command in self.of(tag)]

    @property
    def responses(self) -> list[Element]:
        """What the device's own commands are answered."""
        block = self.collection.find(AirSync.Responses)
        return [] if block is None else block.children

    def data(self, tag: Tag, number: int = 0) -> Element:
        """Return the ApplicationData of a command."""
        return self.of(tag)[number].require(AirSync.ApplicationData)


def collections_of(answer: Element | None) -> list[Element]:
    """Return the collections of a Sync answer."""
    block = answer.find(AirSync.Collections) if answer is not None else None
    return [] if block is None else block.find_all(AirSync.Collection)


def checked(response: Response, version: str | None = None) -> Element | None:
    """Return the document of an answer after a look at its form, None when it is empty."""
    assert response.status == 200, response
    if not response.body:
        return None
    document = decode(response.body)
    check(response.body, version)
    schema.check(document)
    return document


def body_preference(
    body_type: int, size: int | None = None, *, all_or_none: bool = False, preview: int | None = None
) -> Element:
    """Return a BodyPreference."""
    return AirSyncBase.BodyPreference(
        AirSyncBase.Type(body_type),
        AirSyncBase.TruncationSize(size) if size is not None else None,
        AirSyncBase.AllOrNone(1) if all_or_none else None,
        AirSyncBase.Preview(preview) if preview is not None else None,
    )


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
