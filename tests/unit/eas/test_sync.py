"""The conversation of Sync: keys, pages, filters, budgets, faults; for mail, in both versions."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance import db
from appliance.devices import sync_states
from appliance.eas import collection as collection_module
from appliance.eas.content import email
from appliance.errors import Conflict, NotFound
from appliance.items.folder import FolderType
from appliance.store import messages
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email
from tests.covers import covers
from tests.unit.eas.world import Phone, Told, collections_of, request

FILTER_3_DAYS = AirSync.Options(AirSync.FilterType(2))


def sync(phone, *collections, tail=()):
    return AirSync.Sync(AirSync.Collections(list(collections)), list(tail))


@covers("MS-ASCMD_R648", "MS-ASCMD_R4602", "MS-ASCMD_R5053", "MS-ASCMD_R654", "MS-ASCMD_R749")
@covers("MS-ASCMD_R4599", "MS-ASCMD_R5015", "MS-ASCMD_R5041", "MS-ASCMD_R5060", "MS-ASCMD_R5787")
@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_smoke_on_either_database(either_phone, version):
    phone = replace(either_phone, version=version)
    server, account = phone.server, phone.account
    inbox = phone.folder(FolderType.INBOX)
    items = [server.file(account, inbox, f"message {n}", timedelta(hours=n)) for n in range(5)]
    assert phone.sync(inbox).ids(AirSync.Add) == []
    first = phone.sync(inbox, AirSync.WindowSize(3))
    assert (first.ids(AirSync.Add), first.has_more) == (items[:3], True)
    second = phone.sync(inbox, AirSync.WindowSize(3))
    assert (second.ids(AirSync.Add), second.has_more) == (items[3:], False)
    assert phone.sync(inbox).is_empty
    messages.set_read(account.id, items[0], True)
    assert phone.sync(inbox).ids(AirSync.Change) == [items[0]]
    messages.move(account.id, items[1], phone.folder(FolderType.DELETED))
    assert phone.sync(inbox).ids(AirSync.Delete) == [items[1]]


@covers("MS-ASCMD_R5555", "MS-ASCMD_R3129", "MS-ASCMD_R5839", "MS-ASCMD_R4606", "MS-ASCMD_R5032")
@covers("MS-ASCMD_R5051", "MS-ASCMD_R4423")
@pytest.mark.parametrize("children", [(), (AirSync.GetChanges(0),)], ids=["absent", "0"])
def test_key_0_gives_a_key_and_no_items(phone, inbox, children):
    phone.server.file(phone.account, inbox, "waiting")
    told = phone.sync(inbox, *children)
    assert (told.status, told.ids(AirSync.Add)) == (1, [])
    assert told.key not in ("", "0")
    assert [child.tag.name for child in told.collection] == ["SyncKey", "CollectionId", "Status"]


@covers("MS-ASCMD_R3128", "MS-ASCMD_R5838", "MS-ASCMD_R5778")
@pytest.mark.parametrize("element", [AirSync.GetChanges(), AirSync.GetChanges(1)], ids=str)
def test_key_0_does_not_ask_for_changes(phone, inbox, element):
    assert phone.sync(inbox, element).status == 4


def test_key_0_brings_no_commands(phone, inbox):
    assert phone.sync(inbox, commands=[AirSync.Delete(AirSync.ServerId("1"))]).status == 4


@covers("MS-ASCMD_R3125", "MS-ASCMD_R5556", "MS-ASCMD_R3119", "MS-ASCMD_R3126")
def test_get_changes(phone, inbox):
    phone.prime(inbox)
    item = phone.server.file(phone.account, inbox, "new")
    assert phone.sync(inbox, AirSync.GetChanges(0)).is_empty
    assert phone.sync(inbox, AirSync.GetChanges(1)).ids(AirSync.Add) == [item]


@covers("MS-ASCMD_R942", "MS-ASCMD_R3835")
def test_an_answer_says_no_more_than_it_must(phone, inbox):
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "new")
    told = phone.sync(inbox)
    assert [child.tag.name for child in told.collection] == ["SyncKey", "CollectionId", "Status", "Commands"]
    assert [child.tag.name for child in told.of(AirSync.Add)[0]] == ["ServerId", "ApplicationData"]


@covers("MS-ASCMD_R2058")
def test_commands_may_be_empty(phone, inbox):
    phone.prime(inbox)
    item = phone.server.file(phone.account, inbox, "new")
    assert phone.sync(inbox, AirSync.Commands()).ids(AirSync.Add) == [item]


@covers("MS-ASCMD_R656", "MS-ASCMD_R667", "MS-ASCMD_R679")
def test_no_change_is_answered_with_nothing(phone, inbox):
    phone.prime(inbox)
    key = phone.keys[inbox]
    assert phone.sync(inbox).is_empty
    assert phone.keys[inbox] == key


def test_a_lost_answer_is_given_again_byte_for_byte(phone, inbox):
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "one")
    asked = request("Sync", sync(phone, phone.collection(inbox)))
    first = phone.server.ask(phone.account, asked)
    phone.server.file(phone.account, inbox, "two")
    assert phone.server.ask(phone.account, asked).body == first.body


def test_another_request_under_the_old_key_starts_from_there(phone, inbox):
    phone.prime(inbox)
    old = phone.keys[inbox]
    one = phone.server.file(phone.account, inbox, "one")
    phone.sync(inbox)
    lost = phone.keys[inbox]
    two = phone.server.file(phone.account, inbox, "two")
    again = phone.sync(inbox, AirSync.WindowSize(50), key=old)
    assert again.ids(AirSync.Add) == [one, two]
    assert again.key not in (old, lost)
    assert phone.sync(inbox).is_empty
    assert phone.sync(inbox, key=lost).status == 3


@covers("MS-ASCMD_R4425", "MS-ASCMD_R4417")
@pytest.mark.parametrize("key", ["1", "ffffffff.1", "nonsense"])
def test_unknown_keys(phone, inbox, key):
    phone.prime(inbox)
    told = phone.sync(inbox, key=key)
    assert (told.status, told.key) == (3, "0")


def test_the_key_of_another_folder_or_device_is_unknown(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    other = Phone(phone.server, phone.account, "device2")
    phone.prime(inbox, sent)
    other.prime(inbox)
    assert phone.sync(inbox, key=phone.keys[sent]).status == 3
    assert phone.sync(inbox, key=other.keys[inbox]).status == 3


def test_a_bad_key_does_not_concern_the_other_collections(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.prime(inbox, sent)
    item = phone.server.file(phone.account, sent, "sent")
    answer = phone.sync_all(phone.collection(inbox, key="x"), phone.collection(sent))
    assert [c.text_of(AirSync.Status) for c in collections_of(answer)] == ["3", "1"]
    assert str(item) in str(answer.to_text(values=True))


@covers("MS-ASCMD_R4415")
@pytest.mark.parametrize("folder_id", ["999999", "abc", "-1", "0", "01", " 1", "1e3", "٣"])
def test_an_unknown_folder_asks_for_the_hierarchy(phone, folder_id):
    answer = phone.sync_all(phone.collection(folder_id, key="0"))
    assert Told(answer).status == 12
    assert collections_of(answer) == []


def test_one_folder_has_one_name(phone, inbox):
    phone.prime(inbox)
    assert Told(phone.sync_all(phone.collection(f"0{inbox}", key="0"))).status == 12


# --- pages and budgets ----------------------------------------------------------------------------


@covers("MS-ASCMD_R4765", "MS-ASCMD_R4771", "MS-ASCMD_R3456", "MS-ASCMD_R4767", "MS-ASCMD_R3459")
def test_the_default_window_is_100(phone, inbox):
    for n in range(101):
        phone.server.file(phone.account, inbox, str(n))
    phone.sync(inbox)
    first = phone.sync(inbox)
    assert (len(first.of(AirSync.Add)), first.has_more) == (100, True)
    last = phone.sync(inbox)
    assert (len(last.of(AirSync.Add)), last.has_more) == (1, False)


@covers("MS-ASCMD_R3451")
def test_an_exact_window_has_no_more(phone, inbox):
    for n in range(3):
        phone.server.file(phone.account, inbox, str(n))
    phone.sync(inbox)
    told = phone.sync(inbox, AirSync.WindowSize(3))
    assert (len(told.of(AirSync.Add)), told.has_more) == (3, False)


@covers("MS-ASCMD_R3460")
def test_more_than_512_are_never_sent_at_once(phone, inbox):
    for n in range(513):
        phone.server.file(phone.account, inbox, str(n))
    phone.sync(inbox)
    for window in ((), (AirSync.WindowSize(512),), (AirSync.WindowSize(0),), (AirSync.WindowSize(9_999),)):
        key = phone.keys[inbox]
        told = phone.sync(inbox, *window, key=key)
        assert (len(told.of(AirSync.Add)), told.has_more) == (512 if window else 100, True)
        phone.keys[inbox] = key


@covers("MS-ASCMD_R4776", "MS-ASCMD_R4779")
def test_the_global_window_caps_all_collections_together(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.prime(inbox, sent)
    for folder in (inbox, inbox, inbox, sent):
        phone.server.file(phone.account, folder, "x")
    answer = phone.sync_all(phone.collection(inbox), phone.collection(sent), tail=[AirSync.WindowSize(2)])
    assert len(collections_of(answer)) == 1
    assert len(Told(answer).of(AirSync.Add)) == 2
    assert Told(answer).has_more
    answer = phone.sync_all(phone.collection(inbox), phone.collection(sent), tail=[AirSync.WindowSize(2)])
    assert [
        len(Told(AirSync.Sync(AirSync.Collections(c))).of(AirSync.Add)) for c in collections_of(answer)
    ] == [
        1,
        1,
    ]


@covers("MS-ASCMD_R4764")
def test_an_answer_has_a_ceiling_over_all_collections(phone, inbox):
    sent = phone.folder(FolderType.SENT)
    phone.server.eas = replace(phone.server.eas, response_bytes_max=65_536)
    body = b"Subject: big\r\n\r\n" + b"x" * 70_000
    phone.sync_all(phone.collection(inbox), phone.collection(sent))
    for folder in (inbox, inbox, sent):
        phone.server.file_raw(phone.account, folder, body)
    sizes = []
    for _ in range(3):
        wide = (phone.collection(folder, AirSync.WindowSize(512)) for folder in (inbox, sent))
        answer = phone.sync_all(*wide)
        sizes.append(len(encode(answer)))
        assert len(collections_of(answer)) == 1
    assert max(sizes) < 80_000
    assert phone.sync(inbox).is_empty
    assert phone.sync(sent).is_empty


def test_fetched_bodies_count_too(phone, inbox):
    phone.server.eas = replace(phone.server.eas, response_bytes_max=65_536)
    item = phone.server.file_raw(phone.account, inbox, b"Subject: big\r\n\r\n" + b"x" * 70_000)
    phone.prime(inbox)
    fetches = [AirSync.Fetch(AirSync.ServerId(str(item)))] * 20
    told = phone.sync(inbox, commands=fetches)
    assert [r.int_of(AirSync.Status) for r in told.responses] == [1] + [5] * 19
    assert len(encode(told.document)) < 80_000


@covers("MS-ASCMD_R2987", "MS-ASCMD_R3967", "MS-ASCMD_R3076")
def test_a_filter_lets_items_in_and_out(phone, inbox):
    new = phone.server.file(phone.account, inbox, "new", timedelta(hours=1))
    old = phone.server.file(phone.account, inbox, "old", timedelta(days=10))
    phone.prime(inbox, options=FILTER_3_DAYS)
    assert phone.sync(inbox, options=AirSync.Options(AirSync.FilterType(0))).ids(AirSync.Add) == [old]
    assert phone.sync(inbox).is_empty
    assert phone.sync(inbox, options=FILTER_3_DAYS).ids(AirSync.SoftDelete) == [old]
    phone.server.clock.step(timedelta(days=5))
    assert phone.sync(inbox).ids(AirSync.SoftDelete) == [new]


def test_options_are_sticky_and_replaced_as_a_whole(phone, inbox):
    phone.server.file(phone.account, inbox, "old", timedelta(days=10))
    plain = AirSync.Options(
        AirSync.FilterType(2),
        AirSyncBase.BodyPreference(AirSyncBase.Type(2), AirSyncBase.TruncationSize(5)),
    )
    phone.prime(inbox, options=plain)
    phone.server.file(phone.account, inbox, "a new one")
    told = phone.sync(inbox)
    assert told.data(AirSync.Add).require(AirSyncBase.Body).text_of(AirSyncBase.Type) == "2"
    # A block without FilterType means no filter, and without preferences no HTML.
    told = phone.sync(inbox, options=AirSync.Options(AirSync.Conflict(0)))
    assert len(told.of(AirSync.Add)) == 1
    assert told.data(AirSync.Add).require(AirSyncBase.Body).text_of(AirSyncBase.Type) == "1"


def test_options_without_news_are_kept(phone, inbox):
    phone.prime(inbox)
    html = AirSync.Options(AirSyncBase.BodyPreference(AirSyncBase.Type(2)))
    assert phone.sync(inbox, options=html).is_empty
    phone.server.file(phone.account, inbox, "one")
    assert phone.sync(inbox).data(AirSync.Add).require(AirSyncBase.Body).text_of(AirSyncBase.Type) == "2"


@covers("MS-ASCMD_R3080", "MS-ASCMD_R3043", "MS-ASCMD_R3079", "MS-ASCMD_R3035", "MS-ASCMD_R3036")
@covers("MS-ASCMD_R3037", "MS-ASCMD_R3038", "MS-ASCMD_R3039", "MS-ASCMD_R3040", "MS-ASCMD_R3041")
@covers("MS-ASCMD_R3042", "MS-ASCMD_R3044", "MS-ASCMD_R3045", "MS-ASCMD_R3046", "MS-ASCMD_R3047")
@covers("MS-ASCMD_R3048", "MS-ASCMD_R3049", "MS-ASCMD_R3050", "MS-ASCMD_R3051", "MS-ASCMD_R3052")
@covers("MS-ASCMD_R3053", "MS-ASCMD_R3054", "MS-ASCMD_R3055", "MS-ASCMD_R3056", "MS-ASCMD_R3057")
@covers("MS-ASCMD_R3058", "MS-ASCMD_R3059", "MS-ASCMD_R3060", "MS-ASCMD_R3061")
@pytest.mark.parametrize(
    ("folder_type", "known"),
    [
        (FolderType.INBOX, {0, 1, 2, 3, 4, 5}),
        (FolderType.CALENDAR, {0, 4, 5, 6, 7}),
        (FolderType.TASKS, {0, 8}),
        (FolderType.CONTACTS, set(range(9))),
        (FolderType.NOTES, set(range(9))),
    ],
)
def test_each_class_has_its_filters(phone, folder_type, known):
    folder = phone.folder(folder_type)
    phone.prime(folder)
    for filter_type in range(9):
        status = phone.sync(folder, options=AirSync.Options(AirSync.FilterType(filter_type))).status
        assert status == (1 if filter_type in known else 4), filter_type


@pytest.mark.parametrize(("folder_type", "status"), [(FolderType.NOTES, 4), (FolderType.CONTACTS, 1)])
def test_notes_have_nothing_to_be_left_out(phone, folder_type, status):
    assert phone.sync(phone.folder(folder_type), AirSync.Supported()).status == status


# --- limits and faults ----------------------------------------------------------------------------


@covers("MS-ASCMD_R4746", "MS-ASCMD_R3160", "MS-ASCMD_R4459", "MS-ASCMD_R5780", "MS-ASCMD_R3225")
@covers("MS-ASCMD_R4460", "MS-ASCMD_R5781", "MS-ASCMD_R4461", "MS-ASCMD_R5782")
@pytest.mark.parametrize(
    ("element", "limit"),
    [
        (AirSync.Wait(60), 59),
        (AirSync.Wait(0), 1),
        (AirSync.HeartbeatInterval(3_541), 3_540),
        (AirSync.HeartbeatInterval(30), 60),
    ],
    ids=str,
)
def test_the_limit_is_named(phone, inbox, element, limit):
    phone.prime(inbox)
    answer = phone.sync_all(phone.collection(inbox), tail=[element])
    assert (answer.int_of(AirSync.Status), answer.int_of(AirSync.Limit)) == (14, limit)


def test_too_many_collections(phone, inbox):
    phone.server.eas = replace(phone.server.eas, collections_per_sync_max=1)
    answer = phone.sync_all(phone.collection(inbox), phone.collection(inbox + 1))
    assert (answer.int_of(AirSync.Status), answer.int_of(AirSync.Limit)) == (15, 1)


def test_a_parallel_request_of_the_same_device_is_told_to_retry(phone, inbox, monkeypatch):
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "one")
    collect = collection_module.collect

    def interrupted(*args, **rest):
        page = collect(*args, **rest)
        monkeypatch.setattr(collection_module, "collect", collect)
        state["rival"] = True
        return page

    state: dict[str, bool] = {}
    monkeypatch.setattr(collection_module, "collect", interrupted)
    store = sync_states.store

    def rivalled(row, now, **rest):
        if state.pop("rival", False):
            with db.connection():
                current = sync_states.load(row.device, row.folder)
            store(current, now)  # somebody else was faster
        return store(row, now, **rest)

    monkeypatch.setattr(sync_states, "store", rivalled)
    assert phone.sync(inbox).status == 16
    monkeypatch.undo()
    assert len(phone.sync(inbox, key=phone.keys[inbox]).of(AirSync.Add)) == 1


def test_two_firsts_of_a_collection_do_not_both_win(phone, inbox):
    state = sync_states.State(
        device=1, folder=inbox, generation="a", current=1, previous=None, cursor="[0,0,null,null,0]"
    )
    phone.prime(inbox)
    with db.connection():
        device = sync_states.load(1, inbox)
    assert device is not None
    with pytest.raises(Conflict):
        sync_states.store(state, phone.server.clock.now())


def test_a_crash_between_applying_and_answering_applies_once(phone, inbox, monkeypatch):
    item = phone.server.file(phone.account, inbox, "one")
    trash = phone.folder(FolderType.DELETED)
    phone.prime(inbox)
    asked = sync(phone, phone.collection(inbox, commands=[AirSync.Delete(AirSync.ServerId(str(item)))]))
    monkeypatch.setattr(collection_module, "collect", crash)
    assert phone.command("Sync", asked).int_of(AirSync.Status) == 111
    monkeypatch.undo()
    told = Told(phone.noted(phone.command("Sync", asked)))
    assert (told.status, told.responses) == (1, [])
    assert len(phone.server.listed(phone.account, trash)) == 1
    assert phone.sync(inbox).is_empty


def crash(*args, **rest):
    raise RuntimeError("the process dies here")


def test_a_poisoned_item_becomes_a_placeholder_and_the_folder_goes_on(phone, inbox, monkeypatch):
    good = phone.server.file(phone.account, inbox, "good", timedelta(hours=1))
    bad = phone.server.file(phone.account, inbox, "bad")
    phone.sync(inbox)
    render = collection_module.email.application_data

    def poisoned(source, *rest):
        if source.message.id == bad:
            raise ValueError("cannot be rendered")
        return render(source, *rest)

    monkeypatch.setattr(collection_module.email, "application_data", poisoned)
    told = phone.sync(inbox)
    assert told.ids(AirSync.Add) == [bad, good]
    assert told.data(AirSync.Add, 0).text_of(Email.Subject) == "(message could not be shown)"
    assert told.data(AirSync.Add, 1).text_of(Email.Subject) == "good"
    assert phone.sync(inbox).is_empty


def test_our_own_trouble_is_no_reason_for_a_placeholder(phone, inbox, monkeypatch):
    phone.server.file(phone.account, inbox, "good")
    phone.sync(inbox)

    def too_many_files(message):
        raise OSError(24, "Too many open files")

    html = AirSync.Options(AirSyncBase.BodyPreference(AirSyncBase.Type(2)))
    monkeypatch.setattr(messages, "raw", too_many_files)
    assert phone.sync(inbox, options=html).status == 111
    monkeypatch.undo()
    told = phone.sync(inbox, options=html)
    assert told.data(AirSync.Add).text_of(Email.Subject) == "good"


def test_a_message_whose_bytes_are_lost_becomes_a_placeholder(phone, inbox, monkeypatch):
    phone.server.file(phone.account, inbox, "lost")
    phone.sync(inbox)

    def bad_sector(message):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(messages, "raw", bad_sector)
    html = AirSync.Options(AirSyncBase.BodyPreference(AirSyncBase.Type(2)))
    told = phone.sync(inbox, options=html)
    assert told.data(AirSync.Add).text_of(Email.Subject) == "(message could not be shown)"


def test_a_large_html_body_is_prepared_off_the_hub(phone, inbox, monkeypatch):
    calls = []
    run = collection_module.offload.run
    monkeypatch.setattr(
        collection_module.offload, "run", lambda fn, *args, **rest: calls.append(fn) or run(fn, *args, **rest)
    )
    raw = b"Subject: big\r\nContent-Type: text/html\r\n\r\n<p>" + b"word " * 100_000 + b"</p>"
    phone.server.file_raw(phone.account, inbox, raw)
    calls.clear()
    phone.prime(inbox, options=AirSync.Options(AirSyncBase.BodyPreference(AirSyncBase.Type(2))))
    assert email.application_data in calls


def test_a_folder_that_vanishes_while_it_is_synchronised(phone, inbox, monkeypatch):
    phone.prime(inbox)

    def gone(*args, **rest):
        raise NotFound("no such folder")

    monkeypatch.setattr(collection_module.changes, "latest", gone)
    assert phone.sync(inbox).status == 12
