"""Empty and partial requests: the same request once more, never a step too far."""

from appliance.eas.sync_cache import REQUEST_BYTES_MAX
from appliance.items.folder import FolderType
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email
from tests.covers import covers
from tests.unit.eas.world import Phone, Told, collections_of


def partial(*collections, tail=()):
    block = AirSync.Collections(list(collections)) if collections else None
    return AirSync.Sync(block, list(tail), AirSync.Partial())


@covers("MS-ASCMD_R4456")
def test_nothing_to_repeat(phone, inbox):
    assert phone.asked("Sync").int_of(AirSync.Status) == 13
    assert phone.asked("Sync", partial(tail=[AirSync.Wait(5)])).int_of(AirSync.Status) == 13


@covers("MS-ASCMD_R667", "MS-ASCMD_R673")
def test_an_empty_request_repeats_the_last(phone, inbox):
    phone.prime(inbox)
    assert phone.sync(inbox, AirSync.WindowSize(1)).is_empty
    assert phone.command("Sync") is None
    for n in range(2):
        phone.server.file(phone.account, inbox, str(n))
    told = Told(phone.noted(phone.command("Sync")))
    assert (len(told.of(AirSync.Add)), told.has_more) == (1, True)


def test_the_lost_answer_to_an_empty_request_is_given_again(phone, inbox):
    phone.prime(inbox)
    phone.sync(inbox)
    item = phone.server.file(phone.account, inbox, "one")
    lost = phone.command("Sync")
    again = phone.command("Sync")
    assert lost == again
    assert Told(again).ids(AirSync.Add) == [item]
    phone.noted(again)
    assert phone.sync(inbox).is_empty


def test_a_request_with_changes_is_not_repeated(phone, inbox):
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    phone.sync(inbox)
    read = AirSync.Change(AirSync.ServerId(str(item)), AirSync.ApplicationData(Email.Read(1)))
    phone.sync(inbox, commands=[read])
    told = Told(phone.command("Sync"))
    assert told.responses == []
    assert told.of(AirSync.Add) == []


def test_key_0_is_never_repeated(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.sync_all(phone.collection(inbox), phone.collection(sent))
    assert phone.asked("Sync").int_of(AirSync.Status) == 13


def test_a_partial_request_keeps_what_it_does_not_name(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.prime(inbox, sent)
    preference = AirSyncBase.BodyPreference(AirSyncBase.Type(2))
    phone.sync_all(phone.collection(inbox), phone.collection(sent, options=AirSync.Options(preference)))
    item = phone.server.file(phone.account, sent, "sent")
    answer = phone.command("Sync", partial(phone.collection(inbox, AirSync.WindowSize(5))))
    assert len(collections_of(answer)) == 1
    told = Told(answer)
    assert told.ids(AirSync.Add) == [item]
    assert told.data(AirSync.Add).require(AirSyncBase.Body).text_of(AirSyncBase.Type) == "2"


def test_a_partial_request_carries_new_keys_into_the_next_one(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.prime(inbox, sent)
    phone.sync_all(phone.collection(inbox), phone.collection(sent))
    phone.server.file(phone.account, inbox, "one")
    phone.noted(phone.command("Sync"))
    assert phone.command("Sync", partial(phone.collection(inbox))) is None
    assert phone.command("Sync") is None
    item = phone.server.file(phone.account, inbox, "two")
    assert Told(phone.command("Sync")).ids(AirSync.Add) == [item]


def test_a_held_partial_request_leaves_the_other_collections_alone(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.prime(inbox, sent)
    phone.sync_all(phone.collection(inbox), phone.collection(sent))
    held = phone.hold("Sync", partial(tail=[AirSync.HeartbeatInterval(600)]))
    held.until_waiting()
    item = phone.server.file(phone.account, sent, "sent")
    told = Told(phone.noted(held.answer()))
    assert told.ids(AirSync.Add) == [item]
    assert phone.sync(inbox).is_empty, "the other collection has kept its key"


def test_each_device_has_its_own(phone, inbox):
    phone.prime(inbox)
    phone.sync(inbox)
    other = Phone(phone.server, phone.account, "device2")
    assert other.asked("Sync").int_of(AirSync.Status) == 13


def test_a_huge_request_is_not_kept(phone, inbox):
    phone.prime(inbox)
    filler = AirSync.Supported([Email.Subject("x" * 1_000) for _ in range(REQUEST_BYTES_MAX // 1_000 + 1)])
    assert phone.sync(inbox, filler).is_empty
    assert phone.asked("Sync").int_of(AirSync.Status) == 13
