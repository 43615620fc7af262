"""Phones, other writers and a bad network: whatever happens, every phone ends up with the truth.

Random phones synchronise two folders of one account over a network that loses requests and answers,
while mail arrives, is read, flagged, moved and deleted elsewhere, filters and protocol versions change,
days pass, the house is kept (tombstones go after days here, not months) and the server restarts. At the
end every phone is allowed to finish, and must hold exactly what its filter lets in, in its current state;
along the way it must never be told of something twice, and a repeated request must get the same bytes.

Source: design invariants 3 and 6.
"""

import shutil
import tempfile
from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, precondition, rule

from appliance import db
from appliance.devices import aging
from appliance.eas.sync_delta import cutoff_for
from appliance.items.folder import FolderType
from appliance.items.message import Flag
from appliance.jobs import housekeeping
from appliance.phone.changes import BodyPreference, Delete, Options, flag, read
from appliance.phone.errors import LostResponse
from appliance.phone.mailbox import Mailbox
from appliance.phone.syncing import Syncing
from appliance.phone.transport import Lose
from appliance.store import blobs, folders, messages, pruning
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.codepages import Move as MoveTag
from appliance.wbxml.element import Element
from tests.unit.eas.world import Server, request

PHONES = 3
HOUSEKEEPING = [housekeeping.named(name) for name in ("tombstones", "devices")]
BODY = (BodyPreference(type=1, truncation_size=100),)


class PhoneUnderTest:
    """A phone, its network, and what it was answered under each request."""

    def __init__(self, server: Server, account: object, number: int) -> None:
        self.server = server
        self.account = account
        self.device_id = f"device{number}"
        self.mailbox = Mailbox()
        self.syncing = Syncing(self.mailbox, self.send, lambda: 0)
        self.filter_type = 0
        self.version = "16.1"
        self.lost: dict[bytes, bytes] = {}
        self.let_go: set[str] = set()

    def send(
        self, document: Element | None, *, timeout_s: float | None = None, lose: Lose | None = None
    ) -> Element | None:
        body = encode(document) if document is not None else b""
        if lose is Lose.REQUEST:
            raise LostResponse("request lost")
        response = self.server.ask(
            self.account, request("Sync", body, device_id=self.device_id, version=self.version)
        )
        before = self.lost.pop(body, None)
        if before is not None and not is_priming(document) and not starts_over(response.body):
            assert response.body == before, "a repeated request got another answer"
        if lose is Lose.ANSWER:
            if response.body:
                self.lost[body] = response.body
            raise LostResponse("answer lost")
        self.lost.clear()
        return decode(response.body) if response.body else None

    def unexplained(self) -> list[str]:
        """Return the anomalies, but for Deletes of what the phone and another let go at the same time."""
        explained = [f"Delete of {item}, which the phone does not hold" for item in self.let_go]
        return [found for found in self.mailbox.anomalies if not found.endswith(tuple(explained))]

    def sync(self, folder_id: int, commands: tuple[object, ...] = (), **options: object) -> None:
        wanted = Options(filter_type=self.filter_type, body=BODY)
        self.syncing.folder(str(folder_id), commands, options=wanted, **options)  # type: ignore[arg-type]


class ManyPhones(RuleBasedStateMachine):
    """The account, its phones, and everything that may happen to them."""

    items = Bundle("items")

    @initialize()
    def start(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="appliance-model-"))
        db.open("sqlite", self.directory)
        self.kept = [(pruning, "KEPT", pruning.KEPT), (pruning, "MARK_EVERY", pruning.MARK_EVERY)]
        self.kept.append((aging, "AWAY_AFTER", aging.AWAY_AFTER))
        for (module, name, _), days in zip(self.kept, (3, 1, 12), strict=True):
            setattr(module, name, timedelta(days=days))
        self.server = Server(self.directory)
        self.account = self.server.account("anna")
        self.inbox = self.server.folder(self.account, FolderType.INBOX)
        self.trash = self.server.folder(self.account, FolderType.DELETED)
        self.phones = [PhoneUnderTest(self.server, self.account, n) for n in range(PHONES)]
        self.count = 0

    # --- the rest of the world ----------------------------------------------------------------

    @rule(days=st.integers(0, 40), hours=st.integers(0, 23), old=st.booleans())
    def mail_arrives(self, days: int, hours: int, old: bool) -> None:
        self.count += 1
        age = timedelta(days=days, hours=hours) if old else timedelta()
        self.server.file(self.account, self.inbox, f"message {self.count}", age)

    @rule(pick=st.integers(0, 50), is_read=st.booleans())
    def someone_reads(self, pick: int, is_read: bool) -> None:
        for message in self.pick(self.inbox, pick):
            messages.set_read(self.account.id, message, is_read)

    @rule(pick=st.integers(0, 50), is_flagged=st.booleans())
    def someone_flags(self, pick: int, is_flagged: bool) -> None:
        for message in self.pick(self.inbox, pick):
            messages.set_flag(self.account.id, message, Flag(2) if is_flagged else None)

    @rule(pick=st.integers(0, 50))
    def someone_deletes(self, pick: int) -> None:
        for message in self.pick(self.inbox, pick):
            messages.discard(self.account.id, message)

    @rule(pick=st.integers(0, 50))
    def someone_undeletes(self, pick: int) -> None:
        for message in self.pick(self.trash, pick):
            messages.move(self.account.id, message, self.inbox)

    @rule(days=st.integers(1, 4))
    def days_pass(self, days: int) -> None:
        self.server.clock.step(timedelta(days=days))

    @rule(days=st.integers(0, 8))
    def the_house_is_kept(self, days: int) -> None:
        self.server.clock.step(timedelta(days=days))
        for job in HOUSEKEEPING:
            for _ in job.steps(self.server.clock.now()):
                pass

    @rule()
    def server_restarts(self) -> None:
        db.close()
        db.open("sqlite", self.directory)
        blobs.configure(self.directory)

    # --- the phones ---------------------------------------------------------------------------

    phone_numbers = st.integers(0, PHONES - 1)
    losses = st.sampled_from([None, None, Lose.REQUEST, Lose.ANSWER])

    @rule(number=phone_numbers, lose=losses, window=st.sampled_from([1, 2, 5, 100]), in_trash=st.booleans())
    def phone_syncs_once(self, number: int, lose: Lose | None, window: int, in_trash: bool) -> None:
        self.try_sync(number, self.trash if in_trash else self.inbox, window=window, pages=1, lose=lose)

    @rule(number=phone_numbers, filter_type=st.sampled_from([0, 1, 2, 3, 4, 5]))
    def phone_changes_filter(self, number: int, filter_type: int) -> None:
        self.phones[number].filter_type = filter_type

    @rule(number=phone_numbers, version=st.sampled_from(["12.1", "14.1", "16.0", "16.1"]))
    def phone_changes_version(self, number: int, version: str) -> None:
        self.phones[number].version = version

    @rule(number=phone_numbers, pick=st.integers(0, 50), is_read=st.booleans(), lose=losses)
    def phone_reads(self, number: int, pick: int, is_read: bool, lose: Lose | None) -> None:
        self.phone_changes(number, pick, lambda item: read(item, is_read), lose)

    @rule(number=phone_numbers, pick=st.integers(0, 50), is_flagged=st.booleans(), lose=losses)
    def phone_flags(self, number: int, pick: int, is_flagged: bool, lose: Lose | None) -> None:
        self.phone_changes(number, pick, lambda item: flag(item, is_flagged), lose)

    @rule(number=phone_numbers, pick=st.integers(0, 50), lose=losses)
    def phone_deletes(self, number: int, pick: int, lose: Lose | None) -> None:
        self.phone_changes(number, pick, Delete, lose)

    @rule(number=phone_numbers)
    def phone_starts_over(self, number: int) -> None:
        collection = self.phones[number].mailbox.collection(str(self.inbox))
        collection.sync_key, collection.unanswered = "0", None
        collection.items.clear()

    @precondition(lambda self: self.count > 0)
    @rule(number=phone_numbers, pick=st.integers(0, 50), repeat=st.booleans())
    def phone_moves(self, number: int, pick: int, repeat: bool) -> None:
        phone = self.phones[number]
        held = sorted(phone.mailbox.collection(str(self.inbox)).items)
        if not held or phone.mailbox.collection(str(self.inbox)).unanswered is not None:
            return
        item = held[pick % len(held)]
        document = MoveTag.MoveItems(
            MoveTag.Move(
                MoveTag.SrcMsgId(item), MoveTag.SrcFldId(str(self.inbox)), MoveTag.DstFldId(str(self.trash))
            )
        )
        answers = [
            self.server.command(self.account, "MoveItems", document, device_id=phone.device_id)
            for _ in range(2 if repeat else 1)
        ]
        assert all(answer == answers[0] for answer in answers), "a repeated move was answered differently"
        assert answers[0] is not None
        response = answers[0].require(MoveTag.Response)
        if response.int_of(MoveTag.Status) == 3:
            del phone.mailbox.collection(str(self.inbox)).items[item]
            phone.let_go.add(item)

    def teardown(self) -> None:
        if not hasattr(self, "phones"):
            return
        try:
            for number, phone in enumerate(self.phones):
                for folder_id in (self.inbox, self.trash):
                    self.try_sync(number, folder_id, window=3, pages=None, lose=None)  # what was lost
                    self.try_sync(number, folder_id, window=3, pages=None, lose=None)
                    self.check(phone, folder_id)
                assert phone.unexplained() == []
        finally:
            for module, name, value in self.kept:
                setattr(module, name, value)
            db.close()
            shutil.rmtree(self.directory)

    # --- means --------------------------------------------------------------------------------

    def pick(self, folder_id: int, pick: int) -> list[int]:
        with db.connection():
            held = [message.id for message in messages.list_page(self.account.id, folder_id, limit=1000)]
        return [held[pick % len(held)]] if held else []

    def try_sync(
        self, number: int, folder_id: int, *, window: int, pages: int | None, lose: Lose | None
    ) -> None:
        phone = self.phones[number]
        try:
            phone.sync(folder_id, window_size=window, pages_max=pages, lose=lose)
        except LostResponse:
            return

    def phone_changes(self, number: int, pick: int, command: object, lose: Lose | None) -> None:
        phone = self.phones[number]
        collection = phone.mailbox.collection(str(self.inbox))
        if not collection.items or collection.unanswered is not None:
            return
        item = sorted(collection.items)[pick % len(collection.items)]
        if command is Delete:
            phone.let_go.add(item)
        try:
            phone.sync(self.inbox, (command(item),), pages_max=1, lose=lose)  # type: ignore[operator]
        except LostResponse:
            return

    def check(self, phone: PhoneUnderTest, folder_id: int) -> None:
        cutoff = cutoff_for(phone.filter_type, self.server.clock.now())
        with db.connection():
            truth = {
                str(message.id): (message.subject, "1" if message.is_read else "0", message.flag is not None)
                for message in messages.list_page(self.account.id, folder_id, limit=1000)
                if cutoff is None or message.received_at >= cutoff
            }
            folder = folders.get(self.account.id, folder_id)
            everything = messages.list_page(self.account.id, folder_id, limit=1000)
        held = {
            item: (values.get("Subject"), values.get("Read"), bool(values.get("Flag")))
            for item, values in phone.mailbox.collection(str(folder_id)).items.items()
        }
        assert held == truth
        assert folder.total == len(everything)
        assert folder.unread == sum(not message.is_read for message in everything)


def starts_over(body: bytes) -> bool:
    """Tell whether a Sync is answered with Status 3: what the phone held was forgotten."""
    collections = decode(body).find(AirSync.Collections) if body else None
    return collections is not None and collections.require(AirSync.Collection).int_of(AirSync.Status) == 3


def is_priming(document: Element | None) -> bool:
    """Tell whether a Sync of one collection presents key 0, which starts a new generation every time."""
    assert document is not None
    collection = document.require(AirSync.Collections).require(AirSync.Collection)
    return collection.text_of(AirSync.SyncKey) == "0"


TestManyPhones = ManyPhones.TestCase
TestManyPhones.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # a failing story is short enough as it is
)
