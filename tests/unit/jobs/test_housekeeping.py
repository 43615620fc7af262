"""What the jobs remove, what they must leave alone, and what phones that were away for long are told."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.db.tables import (
    ALL_TABLES,
    Blob,
    Content,
    Device,
    LoginFailure,
    ModseqMark,
    OutOfOfficeReply,
    SentClientId,
    SyncState,
    Tombstone,
)
from appliance.db.tables import Folder as FolderRow
from appliance.delivery import oof
from appliance.devices import aging
from appliance.items.folder import FolderType
from appliance.jobs import housekeeping
from appliance.store import blobs, folders, messages, pruning
from appliance.wbxml.codepages import AirSync, FolderHierarchy, GetItemEstimate, Ping
from tests.unit.eas.world import Phone, Server

DAY = timedelta(days=1)


@pytest.fixture
def phone(either_phone: Phone) -> Phone:
    return either_phone


@pytest.fixture
def inbox(phone: Phone) -> int:
    return phone.folder(FolderType.INBOX)


def keep_house(server: Server, *names: str, days: int = 0, every: int = 0) -> None:
    """Let days pass and do what some jobs do, or all of them, at once or `every` so many days."""
    jobs = [housekeeping.named(name) for name in names] or housekeeping.JOBS
    for _ in range(days // every if every else 1):
        server.clock.step(DAY * (every or days))
        for job in jobs:
            for _ in job.steps(server.clock.now()):
                pass


def count(table) -> int:
    with db.connection():
        return int(table.select().count())


def ping(*folder_ids: int):
    watched = [Ping.Folder(Ping.Id(str(each)), Ping.Class("Email")) for each in folder_ids]
    return Ping.Ping(Ping.HeartbeatInterval(600), Ping.Folders(watched))


def estimate(phone: Phone, folder_id: int) -> str:
    document = GetItemEstimate.GetItemEstimate(
        GetItemEstimate.Collections(
            GetItemEstimate.Collection(
                AirSync.SyncKey(phone.keys[folder_id]), GetItemEstimate.CollectionId(str(folder_id))
            )
        )
    )
    answer = phone.asked("GetItemEstimate", document)
    return answer.require(GetItemEstimate.Response).text_of(GetItemEstimate.Status, "")


# --- tombstones -----------------------------------------------------------------------------------


def test_young_tombstones_stay_and_old_ones_go(phone, inbox):
    server = phone.server
    keep_house(server, "tombstones")
    item = server.file(phone.account, inbox, "one")
    messages.delete(phone.account.id, item)
    keep_house(server, "tombstones", days=63, every=7)
    assert count(Tombstone) == 1, "no mark that was taken after it is old enough"
    keep_house(server, "tombstones", days=14, every=7)
    assert count(Tombstone) == 0
    with db.connection():
        row = FolderRow.select(FolderRow.pruned_modseq, FolderRow.items_modseq).where(FolderRow.id == inbox)
        pruned, latest = row.tuples().get()
    assert pruned == latest


def test_marks_do_not_pile_up(phone):
    keep_house(phone.server, "tombstones", days=200, every=4)
    assert count(ModseqMark) <= pruning.KEPT / pruning.MARK_EVERY + 2


def test_a_phone_that_keeps_asking_notices_nothing(phone, inbox):
    """A deletion a phone has heard of is pruned without any resync."""
    server = phone.server
    phone.folder_sync()
    phone.prime(inbox)
    for number in range(30):
        item = server.file(phone.account, inbox, str(number))
        assert phone.sync(inbox).ids(AirSync.Add) == [item]
        messages.delete(phone.account.id, item)
        assert phone.sync(inbox).ids(AirSync.Delete) == [item]
        keep_house(server, "tombstones", days=5, every=5)
    assert count(Tombstone) < 20


def test_a_phone_that_stopped_asking_for_a_folder_starts_it_over(phone, inbox):
    """Never silent loss: it would keep the deleted message for ever."""
    server = phone.server
    phone.folder_sync()
    sent = phone.folder(FolderType.SENT)
    kept, gone = (server.file(phone.account, sent, name) for name in ("kept", "gone"))
    phone.prime(inbox, sent)
    messages.delete(phone.account.id, gone)
    for _ in range(12):
        phone.sync(inbox)  # it is in use, but this folder is not
        keep_house(server, "tombstones", days=7, every=7)
    assert count(Tombstone) == 0
    assert estimate(phone, sent) == "4"
    assert phone.asked("Ping", ping(sent)).text_of(Ping.Status) == "2"
    assert phone.sync(sent).status == 3
    phone.keys[sent] = "0"
    phone.sync(sent)
    assert phone.sync(sent).ids(AirSync.Add) == [kept]
    assert phone.sync(inbox).status == 1


def test_what_the_late_phone_had_changed_is_not_lost(phone, inbox):
    server = phone.server
    sent = phone.folder(FolderType.SENT)
    kept, gone = (server.file(phone.account, sent, name) for name in ("kept", "gone"))
    phone.folder_sync()
    phone.prime(sent)
    messages.delete(phone.account.id, gone)
    for _ in range(12):
        phone.folder_sync()
        keep_house(server, "tombstones", days=7, every=7)
    delete = AirSync.Delete(AirSync.ServerId(str(kept)))
    assert phone.sync(sent, AirSync.DeletesAsMoves(0), commands=[delete]).status == 3
    assert server.listed(phone.account, sent) == []


def test_a_folder_is_forgotten_once_every_phone_has_heard(phone):
    server, account = phone.server, phone.account
    late = Phone(server, account, "late")
    made = folders.create(account.id, 0, "Projects", 12)
    for each in (phone, late):
        each.folder_sync()
    messages.delete_folder(account.id, made.id)
    phone.folder_sync()
    before = count(FolderRow)
    for _ in range(11):
        late.command("FolderSync", FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("nonsense")))
        phone.folder_sync()
        keep_house(server, "tombstones", days=7, every=7)
    assert count(FolderRow) == before, "one phone has still to be told"
    changes = late.folder_sync().require(FolderHierarchy.Changes)
    assert [each.text_of(FolderHierarchy.ServerId) for each in changes.find_all(FolderHierarchy.Delete)] == [
        str(made.id)
    ]
    late.folder_sync()
    keep_house(server, "tombstones")
    assert count(FolderRow) == before, "should its answer be lost, it would have to be told again"
    folders.create(account.id, 0, "Another", 12)
    for each in (phone, late):
        each.folder_sync()
    keep_house(server, "tombstones")
    assert count(FolderRow) == before
    assert late.folder_sync().text_of(FolderHierarchy.Status) == "1"


# --- devices --------------------------------------------------------------------------------------


def test_a_phone_that_was_away_for_long_starts_over(phone, inbox):
    server = phone.server
    phone.folder_sync()
    phone.prime(inbox)
    phone.hold("Ping", ping(inbox))
    keep_house(server, days=64)
    assert count(SyncState) == 0
    assert count(Device) == 1, "what was decided on it stays"
    assert phone.asked("Ping").text_of(Ping.Status) == "7", "it would wait for ever"
    assert phone.sync(inbox).status == 3
    assert phone.folder_sync().text_of(FolderHierarchy.Status) == "9"
    phone.hierarchy_key = "0"
    assert phone.folder_sync().text_of(FolderHierarchy.Status) == "1"
    phone.prime(inbox)
    held = phone.hold("Ping")
    held.until_waiting()
    assert held.is_waiting
    server.file(phone.account, inbox, "news")
    assert held.answer().text_of(Ping.Status) == "2"


def test_client_ids_are_kept_for_a_week_at_least(phone):
    server = phone.server
    phone.folder_sync()
    with db.connection():
        device = Device.select().get().id

    @db.transaction
    def remember() -> None:
        for number in range(aging.ROWS_AT_ONCE + 10):
            SentClientId.create(device=device, client_id=str(number), created_at=server.clock.now())

    remember()
    keep_house(server, "sent", days=7)
    assert count(SentClientId) == aging.ROWS_AT_ONCE + 10
    keep_house(server, "sent", days=24)
    assert count(SentClientId) == 0


# --- the others -----------------------------------------------------------------------------------


def test_sign_ins_and_replies_expire(phone):
    server = phone.server

    @db.transaction
    def remember() -> None:
        LoginFailure.create(scope="network:x", updated_at=server.clock.now())
        OutOfOfficeReply.create(
            account=phone.account.id, sender="x@example.net", replied_at=server.clock.now()
        )

    remember()
    keep_house(server)
    assert (count(LoginFailure), count(OutOfOfficeReply)) == (1, 1)
    keep_house(server, days=2)
    assert (count(LoginFailure), count(OutOfOfficeReply)) == (0, 1)
    keep_house(server, days=oof.SILENT_FOR.days)
    assert count(OutOfOfficeReply) == 0


def test_blobs_nobody_refers_to_go_and_the_others_stay(phone, inbox):
    server = phone.server
    server.file(phone.account, inbox, "kept")
    stray = blobs.put(b"nobody's")

    @db.transaction
    def lose() -> None:
        blobs.link(stray)
        Content.create(digest=stray.digest, structure="", text="", is_text_complete=True)

    lose()
    assert (count(Blob), count(Content)) == (2, 2)
    keep_house(server)
    assert (count(Blob), count(Content)) == (1, 1)


def test_every_table_that_names_a_blob_keeps_it():
    naming = {
        table
        for table in ALL_TABLES
        for field in table._meta.sorted_fields
        if getattr(field, "rel_model", None) is Blob
    }
    assert naming == set(blobs.REFERRERS)
