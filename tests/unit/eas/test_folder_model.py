"""Phones that make, rename, move and delete folders while others do, over a network that loses answers.

Random phones, each in whatever version it likes at the moment, change the folder tree of one account and
synchronise it; so does somebody in a browser; deleted folders are forgotten. Requests and answers get lost,
and a phone that lost one either repeats it or asks for the tree instead. At the end every phone must hold
exactly the account's folders; along the way it is never told of a folder it has as a new one, a repeated
request changes nothing and gets the same bytes, and a Ping's "the hierarchy changed" is always followed by a
change.

Source: design invariants 2, 3 and 6, for folders.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from appliance import db
from appliance.eas import forgotten_folders, versions
from appliance.errors import ApplianceError
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.store import blobs, folders, messages, modseq, pruning
from appliance.wbxml.codec import decode
from appliance.wbxml.codepages import AirSync, Ping
from appliance.wbxml.codepages import FolderHierarchy as Tag
from appliance.wbxml.element import Element
from tests.unit.eas.world import Server, request

PHONES = 2
TYPES = (1, 12, 12, 13, 14, 17)
NAMES = ("a", "A", "b", "c", "d", "long " * 40)

type Entry = tuple[str, str, str]  # parent, name, type


@dataclass
class PhoneUnderTest:
    """A phone's folder list, as its owner sees it, and the request it had no answer to."""

    server: Server
    account: Account
    device_id: str
    version: str = "16.1"
    key: str = "0"
    tree: dict[str, Entry] = field(default_factory=dict)
    unanswered: tuple[Element, bytes] | None = None
    has_deleted: bool = False  # since the last FolderSync
    is_in_step: bool = False  # no key was handed out that it does not have

    def ask(self, document: Element) -> bytes:
        response = self.server.ask(
            self.account,
            request(document.tag.name, document, device_id=self.device_id, version=self.version),
        )
        assert response.status == 200
        return response.body

    def send(self, document: Element, *, is_lost: bool) -> Element | None:
        """Send a command; None when its answer does not arrive."""
        body = self.ask(document)
        if is_lost:
            self.unanswered = (document, body)
            self.is_in_step = False
            return None
        self.unanswered = None
        return decode(body)

    def repeat(self) -> Element | None:
        """Send the request again whose answer was lost: if it handed out a key, the answer is the same."""
        assert self.unanswered is not None
        document, before = self.unanswered
        body = self.ask(document)
        key = document.text_of(Tag.SyncKey)
        # An answer that handed out no new key said that there is nothing new; there may be by now.
        if key != "0" and decode(before).text_of(Tag.SyncKey) not in (None, key):
            assert body == before, "a repeated request got another answer"
        self.unanswered = None
        self.take(document, decode(body))
        return decode(body)

    def take(self, document: Element, answer: Element) -> None:
        """Do what a phone does with an answer."""
        if answer.int_of(Tag.Status) != 1:
            return
        self.key = answer.text_of(Tag.SyncKey, "")
        self.is_in_step = True
        if document.tag is Tag.FolderSync:
            self._synced(answer.require(Tag.Changes), is_first=document.text_of(Tag.SyncKey) == "0")
        elif document.tag is Tag.FolderCreate:
            folder = answer.text_of(Tag.ServerId, "")
            assert folder not in self.tree, "a folder was created that the phone has"
            self.tree[folder] = entry_of(document)
        elif document.tag is Tag.FolderUpdate:
            folder = document.text_of(Tag.ServerId, "")
            parent, name, _ = entry_of(document)
            if folder in self.tree:
                self.tree[folder] = (parent, name, self.tree[folder][2])
        else:
            self._drop(document.text_of(Tag.ServerId, ""))
            self.has_deleted = True

    def _synced(self, changes: Element, *, is_first: bool) -> None:
        if is_first:
            self.tree.clear()
        assert changes.int_of(Tag.Count) == len(changes.children) - 1
        for change in changes:
            folder = change.text_of(Tag.ServerId, "")
            if change.tag is Tag.Delete:
                self.tree.pop(folder, None)  # it may have gone with one above it
            elif change.tag is not Tag.Count:
                # What others moved may have been dropped with a folder: then an Add is never wrong.
                is_sure = change.tag is Tag.Update or not self.has_deleted
                is_new = folder not in self.tree
                assert not is_sure or is_new == (change.tag is Tag.Add), f"{change.tag} of {folder}"
                self.tree[folder] = entry_of(change)
        self.has_deleted = False
        for parent, _, _ in self.tree.values():
            assert parent == "0" or parent in self.tree, "a folder without its parent"

    def _drop(self, folder: str) -> None:
        """Forget a folder and those below it, as phones do."""
        self.tree.pop(folder, None)
        for below in [each for each, (parent, _, _) in self.tree.items() if parent == folder]:
            self._drop(below)


def entry_of(element: Element) -> Entry:
    return (
        element.text_of(Tag.ParentId, ""),
        element.text_of(Tag.DisplayName, ""),
        element.text_of(Tag.Type, ""),
    )


class ManyHands(RuleBasedStateMachine):
    """The account's folders, its phones, and everything that may happen to them."""

    phone_numbers = st.integers(0, PHONES - 1)
    picks = st.integers(0, 9)
    names = st.sampled_from(NAMES)
    losses = st.booleans()

    @initialize()
    def start(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="appliance-model-"))
        db.open("sqlite", self.directory)
        self.server = Server(self.directory)
        self.account = self.server.account("anna")
        self.inbox = self.server.folder(self.account, FolderType.INBOX)
        self.trash = self.server.folder(self.account, FolderType.DELETED)
        self.special = {folder.id for folder in self.live()}
        self.phones = [PhoneUnderTest(self.server, self.account, f"d{n}") for n in range(PHONES)]
        for name in ("a", "b", "c"):
            folders.create(self.account.id, self.pick(0), name, 12)  # each in the one before
        for phone in self.phones:
            self.done(phone, Tag.FolderSync(Tag.SyncKey("0")), is_lost=False)

    # --- somebody in a browser --------------------------------------------------------------------

    @rule(pick=picks, name=names, type_=st.sampled_from(TYPES))
    def someone_creates(self, pick: int, name: str, type_: int) -> None:
        self.tried(folders.create, self.account.id, self.pick(pick), name, type_)

    @rule(pick=picks, to=picks, name=names)
    def someone_changes(self, pick: int, to: int, name: str) -> None:
        self.tried(folders.update, self.account.id, self.pick(pick), self.pick(to), name)

    @rule(pick=picks)
    def someone_deletes(self, pick: int) -> None:
        self.tried(messages.delete_folder, self.account.id, self.pick(pick))

    @rule(pick=picks)
    def mail_arrives(self, pick: int) -> None:
        folder = self.pick(pick)
        if folder:
            self.server.file(self.account, folder, "mail")

    @rule()
    def the_house_is_kept(self) -> None:
        """What every phone has heard of may be forgotten at any moment, not only after months."""
        with db.connection():
            latest = modseq.latest(self.account.id)
        assert sum(pruning.prune(self.account.id, latest)) >= 0
        forgotten_folders.prune(self.account.id, latest)

    @rule()
    def server_restarts(self) -> None:
        db.close()
        db.open("sqlite", self.directory)
        blobs.configure(self.directory)

    # --- the phones -------------------------------------------------------------------------------

    @rule(number=phone_numbers, version=st.sampled_from(versions.OFFERED))
    def phone_speaks_another_version(self, number: int, version: str) -> None:
        self.phones[number].version = version

    @rule(number=phone_numbers, is_lost=losses)
    def phone_syncs(self, number: int, is_lost: bool) -> None:
        phone = self.phones[number]
        self.done(phone, Tag.FolderSync(Tag.SyncKey(phone.key)), is_lost)

    @rule(number=phone_numbers)
    def phone_starts_over(self, number: int) -> None:
        phone = self.phones[number]
        phone.unanswered = None
        self.done(phone, Tag.FolderSync(Tag.SyncKey("0")), is_lost=False)

    @rule(number=phone_numbers)
    def phone_repeats(self, number: int) -> None:
        phone = self.phones[number]
        if phone.unanswered is not None:
            phone.repeat()

    @rule(number=phone_numbers, pick=picks, name=names, type_=st.sampled_from(TYPES), is_lost=losses)
    def phone_creates(self, number: int, pick: int, name: str, type_: int, is_lost: bool) -> None:
        phone = self.phones[number]
        parent = self.shown(phone, pick)
        document = Tag.FolderCreate(
            Tag.SyncKey(phone.key), Tag.ParentId(parent), Tag.DisplayName(name), Tag.Type(type_)
        )
        self.done(phone, document, is_lost)

    @rule(number=phone_numbers, pick=picks, to=picks, name=names, is_lost=losses)
    def phone_changes(self, number: int, pick: int, to: int, name: str, is_lost: bool) -> None:
        phone = self.phones[number]
        if not self.made(phone):
            return
        document = Tag.FolderUpdate(
            Tag.SyncKey(phone.key),
            Tag.ServerId(self.made(phone)[pick % len(self.made(phone))]),
            Tag.ParentId(self.shown(phone, to)),
            Tag.DisplayName(name),
        )
        self.done(phone, document, is_lost)

    @rule(number=phone_numbers, pick=picks, is_lost=losses)
    def phone_deletes(self, number: int, pick: int, is_lost: bool) -> None:
        phone = self.phones[number]
        if not self.made(phone):
            return
        folder = self.made(phone)[pick % len(self.made(phone))]
        self.done(phone, Tag.FolderDelete(Tag.SyncKey(phone.key), Tag.ServerId(folder)), is_lost)

    @rule(number=phone_numbers)
    def a_ping_tells_the_truth(self, number: int) -> None:
        phone = self.phones[number]
        if not phone.is_in_step:
            return
        device, version = phone.device_id, phone.version
        self.server.command(
            self.account,
            "Sync",
            AirSync.Sync(
                AirSync.Collections(
                    AirSync.Collection(AirSync.SyncKey("0"), AirSync.CollectionId(str(self.inbox)))
                )
            ),
            device_id=device,
            version=version,
        )
        self.server.file(self.account, self.inbox, "so that no Ping waits")
        watched = Ping.Folders(Ping.Folder(Ping.Id(str(self.inbox)), Ping.Class("Email")))
        answer = self.server.command(
            self.account,
            "Ping",
            Ping.Ping(Ping.HeartbeatInterval(60), watched),
            device_id=device,
            version=version,
        )
        assert answer is not None
        document = Tag.FolderSync(Tag.SyncKey(phone.key))
        told = decode(phone.ask(document))
        assert (answer.int_of(Ping.Status) == 7) == (told.require(Tag.Changes).int_of(Tag.Count) != 0)
        phone.take(document, told)

    @invariant()
    def names_are_used_once(self) -> None:
        if not hasattr(self, "account"):
            return
        places = [(folder.parent_id, folder.name.casefold()) for folder in self.live()]
        assert len(places) == len(set(places))

    def teardown(self) -> None:
        if not hasattr(self, "phones"):
            return
        try:
            for phone in self.phones:
                if phone.unanswered is not None:
                    phone.repeat()
                for _ in range(3):  # what was lost, what is new, nothing
                    document = Tag.FolderSync(Tag.SyncKey(phone.key))
                    answer = decode(phone.ask(document))
                    phone.take(document, answer)
                assert answer.require(Tag.Changes).int_of(Tag.Count) == 0
                assert phone.tree == self.truth()
        finally:
            db.close()
            shutil.rmtree(self.directory)

    # --- means --------------------------------------------------------------------------------------

    def done(self, phone: PhoneUnderTest, document: Element, is_lost: bool) -> None:
        answer = phone.send(document, is_lost=is_lost)
        if answer is not None:
            phone.take(document, answer)

    def live(self) -> list[folders.Folder]:
        with db.connection():
            return folders.list_folders(self.account.id)

    def truth(self) -> dict[str, Entry]:
        return {
            str(folder.id): (str(folder.parent_id), folder.name, str(folder.type)) for folder in self.live()
        }

    def pick(self, pick: int) -> int:
        """Return the id of a folder that is there, the newest first; 0 for the top."""
        ids = [folder.id for folder in self.live() if folder.id not in self.special]
        return [*sorted(ids, reverse=True), 0, self.trash][pick % (len(ids) + 2)]

    def shown(self, phone: PhoneUnderTest, pick: int) -> str:
        """Return the id of a folder the phone shows, the newest first; 0 for the top."""
        ids = [*self.made(phone), "0", str(self.trash)]
        return ids[pick % len(ids)]

    def made(self, phone: PhoneUnderTest) -> list[str]:
        """Return the ids of the folders a phone may change, the newest first."""
        ids = [folder for folder in phone.tree if int(folder) not in self.special]
        return sorted(ids, key=int, reverse=True)

    def tried(self, act: object, *arguments: object) -> None:
        try:
            act(*arguments)  # type: ignore[operator]
        except ApplianceError:
            return


TestManyHands = ManyHands.TestCase
TestManyHands.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
