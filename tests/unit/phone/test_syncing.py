"""The Sync conversation against a scripted answerer: priming, pages, losses, starting over."""

from collections import deque
from dataclasses import dataclass, field

import pytest

from appliance.phone import syncing
from appliance.phone.changes import Delete, read
from appliance.phone.errors import LostResponse, ProtocolError, StatusError
from appliance.phone.mailbox import Folder, Mailbox
from appliance.phone.syncing import Syncing
from appliance.phone.transport import Lose
from appliance.wbxml.codepages import AirSync, Email
from appliance.wbxml.element import Element


def answer(key: str, *added: str, status: int = 1, more: bool = False, folder_id: str = "5") -> Element:
    adds = [
        AirSync.Add(AirSync.ServerId(server_id), AirSync.ApplicationData(Email.Read(False)))
        for server_id in added
    ]
    return AirSync.Sync(
        AirSync.Collections(
            AirSync.Collection(
                AirSync.SyncKey(key),
                AirSync.CollectionId(folder_id),
                AirSync.Status(status),
                AirSync.MoreAvailable() if more else None,
                AirSync.Commands(adds) if adds else None,
            )
        )
    )


def refusal(status: int, *more: Element) -> Element:
    return AirSync.Sync(AirSync.Status(status), list(more))


LOST = object()
EMPTY = object()


@dataclass
class Script:
    """Answers in order and remembers the requests; LOST loses an answer, EMPTY is a zero-length one."""

    answers: deque[object]
    requests: list[Element | None] = field(default_factory=list)
    folder_syncs: int = 0

    def __call__(
        self, document: Element | None, *, timeout_s: float | None = None, lose: Lose | None = None
    ) -> Element | None:
        self.requests.append(document)
        found = self.answers.popleft()
        if found is LOST:
            raise LostResponse("lost")
        return found if isinstance(found, Element) else None

    def folder_sync(self) -> int:
        self.folder_syncs += 1
        return 0

    def key(self, index: int) -> str | None:
        return self.collection(index).text_of(AirSync.SyncKey)

    def collection(self, index: int) -> Element:
        document = self.requests[index]
        assert document is not None
        return document.require(AirSync.Collections).require(AirSync.Collection)


def started(*answers: object, key: str = "0", old: bool = False) -> tuple[Syncing, Script, Mailbox]:
    script = Script(deque(answers))
    mailbox = Mailbox(folders={"5": Folder("5", "0", "Inbox", "2")})
    mailbox.collection("5").sync_key = key
    return Syncing(mailbox, script, script.folder_sync, class_in_collection=old), script, mailbox


def test_the_first_sync_primes_then_reads_every_page() -> None:
    sync, script, mailbox = started(answer("1"), answer("2", "a", "b", more=True), answer("3", "c"))
    delta = sync.folder("5")
    assert (delta.added, delta.pages) == (["a", "b", "c"], 2)
    assert [script.key(index) for index in range(3)] == ["0", "1", "2"]
    assert mailbox.collection("5").sync_key == "3"


def test_priming_sends_the_key_and_nothing_else() -> None:
    sync, script, _ = started(answer("1"), EMPTY)
    sync.folder("5", [read("a")])
    assert [child.tag.name for child in script.collection(0)] == ["SyncKey", "CollectionId"]
    assert script.collection(1).find(AirSync.Commands) is not None


def test_the_order_of_elements_is_the_strict_one() -> None:
    sync, script, _ = started(answer("2"), key="1")
    sync.folder("5", [read("a")], get_changes=True, deletes_as_moves=True)
    assert [child.tag.name for child in script.collection(0)] == [
        "SyncKey",
        "CollectionId",
        "DeletesAsMoves",
        "GetChanges",
        "WindowSize",
        "Options",
        "Commands",
    ]


def test_up_to_12_1_the_class_comes_first() -> None:
    sync, script, _ = started(answer("2"), key="1", old=True)
    sync.folder("5")
    first = script.collection(0).children[0]
    assert (first.tag, first.text) == (AirSync.Class, "Email")


def test_an_empty_answer_keeps_the_key() -> None:
    sync, _, mailbox = started(EMPTY, key="7")
    delta = sync.folder("5")
    assert (delta.count, mailbox.collection("5").sync_key, mailbox.anomalies) == (0, "7", [])


def test_an_empty_answer_to_commands_is_strange() -> None:
    sync, _, mailbox = started(EMPTY, key="7")
    sync.folder("5", [read("a")])
    assert len(mailbox.anomalies) == 1


def test_a_lost_request_is_repeated_exactly_and_new_work_follows() -> None:
    sync, script, _ = started(LOST, answer("8"), answer("9"), key="7")
    with pytest.raises(LostResponse):
        sync.folder("5", [read("a")])
    sync.folder("5", [Delete("b")])
    assert script.requests[0] == script.requests[1]
    assert script.key(2) == "8"
    assert script.collection(2).require(AirSync.Commands).children[0].tag is AirSync.Delete


def test_an_unknown_key_starts_over_and_repeats_the_work() -> None:
    sync, script, mailbox = started(answer("7", status=3), answer("1"), answer("2", "a"), key="7")
    mailbox.collection("5").items["old"] = {}
    delta = sync.folder("5", [Delete("b")])
    assert (delta.resets, list(mailbox.collection("5").items)) == (1, ["a"])
    assert [script.key(index) for index in range(3)] == ["7", "0", "1"]
    assert script.collection(2).find(AirSync.Commands) is not None


def test_starting_over_has_an_end() -> None:
    sync, _, _ = started(*[answer("7", status=3)] * 9, key="7")
    with pytest.raises(StatusError, match="start again"):
        sync.folder("5")


def test_a_changed_hierarchy_is_read_first() -> None:
    sync, script, _ = started(refusal(12), answer("8"), key="7")
    sync.folder("5")
    assert script.folder_syncs == 1
    assert script.requests[0] == script.requests[1]


def test_a_folder_that_stays_away_is_an_error() -> None:
    sync, _, mailbox = started(refusal(12), refusal(12), key="7")
    with pytest.raises(StatusError) as caught:
        sync.folder("5")
    assert caught.value.status == 12
    assert mailbox.collection("5").unanswered is None, "a refused request is not repeated for ever"


def test_retry_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syncing, "RETRY_PAUSE_S", 0)
    sync, script, _ = started(refusal(16), refusal(16), answer("8"), key="7")
    sync.folder("5")
    assert len(script.requests) == 3


@pytest.mark.parametrize("status", [4, 5, 8, 9])
def test_other_refusals_of_a_collection_are_errors(status: int) -> None:
    sync, _, _ = started(answer("7", status=status), key="7")
    with pytest.raises(StatusError) as caught:
        sync.folder("5")
    assert caught.value.status == status


@pytest.mark.parametrize(
    "document",
    [AirSync.Sync(AirSync.Collections()), AirSync.Sync(), answer("8", folder_id="6")],
    ids=["no collection", "nothing", "another folder"],
)
def test_answers_that_break_the_rules_are_errors(document: Element) -> None:
    sync, _, _ = started(document, key="7")
    with pytest.raises(ProtocolError):
        sync.folder("5")


def test_pages_can_be_taken_one_by_one() -> None:
    sync, _, mailbox = started(answer("1"), answer("2", "a", more=True), answer("3", "b"))
    assert sync.folder("5", pages_max=1).added == ["a"]
    assert sync.folder("5", pages_max=1).added == ["b"]
    assert mailbox.collection("5").sync_key == "3"


def test_a_held_sync_names_its_folders_and_time() -> None:
    sync, script, mailbox = started(answer("8", "new"), key="7")
    mailbox.folders["6"] = Folder("6", "0", "Calendar", "8")
    mailbox.collection("6").sync_key = "3"
    delta = sync.wait(["5", "6"], heartbeat_s=120)
    document = script.requests[0]
    assert document is not None
    assert document.int_of(AirSync.HeartbeatInterval) == 120
    assert len(document.require(AirSync.Collections).children) == 2
    assert (delta.added, mailbox.collection("6").sync_key) == (["new"], "3")


def test_a_wait_out_of_range_tells_the_limit() -> None:
    sync, _, _ = started(refusal(14, AirSync.Limit(59)), key="7")
    with pytest.raises(StatusError, match="limit 59"):
        sync.wait(["5"], wait_minutes=100)


def test_the_empty_sync_repeats_and_its_answer_is_applied() -> None:
    sync, script, mailbox = started(answer("8", "new"), EMPTY, key="7")
    assert sync.repeat().added == ["new"]
    assert sync.repeat().count == 0
    assert script.requests == [None, None]
    assert mailbox.collection("5").sync_key == "8"
