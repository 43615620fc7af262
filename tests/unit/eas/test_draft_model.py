"""Two phones write the same drafts over a bad network: both end up with the truth, and nothing is sent twice.

Random drafts are made, changed, sent and deleted by two 16.1 phones that lose requests and answers, while the
server restarts. At the end both phones finish and hold the same drafts, and every draft that a phone was told
is sent lies in Sent Items exactly once.

Source: design invariants 3, 4 and 6.
"""

import shutil
import tempfile
from pathlib import Path
from unittest.mock import patch

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from appliance import db
from appliance.devices import sync_states
from appliance.items.folder import FolderType
from appliance.phone.changes import Add, Change, Delete
from appliance.phone.errors import LostResponse
from appliance.phone.transport import Lose
from appliance.store import blobs
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSyncBase, Email
from appliance.wbxml.element import Element
from tests.unit.eas.test_sync_model import PhoneUnderTest
from tests.unit.eas.world import Server, request

PHONES = 2


class Writer(PhoneUnderTest):
    """A phone whose server may lose power when everything is done but the state row."""

    power_fails = False

    def send(
        self, document: Element | None, *, timeout_s: float | None = None, lose: Lose | None = None
    ) -> Element | None:
        if not self.power_fails:
            return super().send(document, timeout_s=timeout_s, lose=lose)
        self.power_fails = False
        with patch.object(sync_states, "store", side_effect=RuntimeError("power failure")):
            self.server.ask(self.account, request("Sync", encode(document), device_id=self.device_id))
        raise LostResponse("the server lost power")


class TwoWriters(RuleBasedStateMachine):
    """The account, its two phones, and what they do to its drafts."""

    numbers = st.integers(0, PHONES - 1)
    losses = st.sampled_from([None, None, Lose.REQUEST, Lose.ANSWER])
    failures = st.sampled_from([False, False, True])

    @initialize()
    def start(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="appliance-drafts-"))
        db.open("sqlite", self.directory)
        self.server = Server(self.directory)
        self.account = self.server.account("anna")
        self.folder = self.server.folder(self.account, FolderType.DRAFTS)
        self.sent = self.server.folder(self.account, FolderType.SENT)
        self.phones = [Writer(self.server, self.account, n) for n in range(PHONES)]
        self.count = 0
        self.to_send: set[str] = set()
        for number in range(PHONES):
            self.sync(number, (), None)  # primed, so that what fails are their own changes

    @rule(number=numbers, lose=losses, is_sent=st.booleans(), power_fails=failures)
    def phone_writes(self, number: int, lose: Lose | None, is_sent: bool, power_fails: bool) -> None:
        self.phones[number].power_fails = power_fails
        self.count += 1
        name = f"draft {self.count}"
        if is_sent:
            self.to_send.add(name)
        properties = (Email.To(self.account.address), Email.Subject(name), text(name))
        self.sync(number, (Add(f"c{self.count}", properties, is_sent),), lose)

    @rule(number=numbers, lose=losses, pick=st.integers(0, 20), is_sent=st.booleans())
    def phone_changes(self, number: int, lose: Lose | None, pick: int, is_sent: bool) -> None:
        for item in self.held(number, pick):
            self.count += 1
            name = f"draft {self.count}"
            if is_sent:
                self.to_send.add(name)
            properties = (Email.To(self.account.address), Email.Subject(name), text(name))
            self.sync(number, (Change(item, properties, is_sent),), lose)

    @rule(number=numbers, lose=losses, pick=st.integers(0, 20))
    def phone_deletes(self, number: int, lose: Lose | None, pick: int) -> None:
        for item in self.held(number, pick):
            self.sync(number, (Delete(item),), lose)

    @rule(number=numbers, lose=losses)
    def phone_looks(self, number: int, lose: Lose | None) -> None:
        self.sync(number, (), lose)

    @rule()
    def server_restarts(self) -> None:
        db.close()
        db.open("sqlite", self.directory)
        blobs.configure(self.directory)

    def teardown(self) -> None:
        if not hasattr(self, "phones"):
            return
        try:
            for phone in self.phones:
                phone.power_fails = False
            for _ in range(2):
                for number in range(PHONES):
                    self.sync(number, (), None, pages=None)
            truth = {str(m.id): m.subject for m in self.server.listed(self.account, self.folder)}
            for phone in self.phones:
                items = phone.mailbox.collection(str(self.folder)).items
                assert {item: values.get("Subject") for item, values in items.items()} == truth
                assert phone.mailbox.anomalies == []
            sent = [m.subject for m in self.server.listed(self.account, self.sent)]
            assert len(sent) == len(set(sent)), "a draft was sent twice"
            assert set(sent) <= self.to_send
            received = self.server.listed(self.account, self.server.folder(self.account, FolderType.INBOX))
            assert sorted(m.subject for m in received) == sorted(sent)
            assert not set(truth.values()) & set(sent), "a draft was sent and is still there"
        finally:
            db.close()
            shutil.rmtree(self.directory)

    def held(self, number: int, pick: int) -> list[str]:
        collection = self.phones[number].mailbox.collection(str(self.folder))
        items = sorted(collection.items)
        return [items[pick % len(items)]] if items and collection.unanswered is None else []

    def sync(
        self, number: int, commands: tuple[object, ...], lose: Lose | None, *, pages: int | None = 1
    ) -> None:
        phone = self.phones[number]
        if commands and phone.mailbox.collection(str(self.folder)).unanswered is not None:
            return  # a phone repeats what was lost before it says anything else
        try:
            phone.sync(self.folder, commands, pages_max=pages, lose=lose)
        except LostResponse:
            return


def text(name: str) -> object:
    return AirSyncBase.Body(AirSyncBase.Type(1), AirSyncBase.Data(name))


TestTwoWriters = TwoWriters.TestCase
TestTwoWriters.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
