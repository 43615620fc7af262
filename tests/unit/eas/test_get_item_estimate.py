"""GetItemEstimate: counts what Sync delivers, changes no key."""

from datetime import timedelta

import pytest

from appliance.items.folder import FolderType
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.codepages import GetItemEstimate as Tag
from tests.covers import covers


def collection(folder_id, key, *options):
    return Tag.Collection(AirSync.SyncKey(key), Tag.CollectionId(str(folder_id)), list(options))


def ask(phone, *collections):
    answer = phone.asked("GetItemEstimate", Tag.GetItemEstimate(Tag.Collections(list(collections))))
    return [
        (r.int_of(Tag.Status), r.require(Tag.Collection).int_of(Tag.Estimate))
        for r in answer.find_all(Tag.Response)
    ]


def estimate(phone, folder_id, *options, key=None):
    return ask(phone, collection(folder_id, key or phone.keys.get(folder_id, "0"), *options))[0]


def options(filter_type):
    return AirSync.Options(AirSync.FilterType(filter_type))


@covers("MS-ASCMD_R4134", "MS-ASCMD_R5056", "MS-ASCMD_R2999", "MS-ASCMD_R4591", "MS-ASCMD_R171")
def test_it_counts_what_sync_delivers(phone, inbox):
    for n in range(5):
        phone.server.file(phone.account, inbox, str(n), timedelta(hours=n))
    phone.sync(inbox)
    assert estimate(phone, inbox) == (1, 5)
    phone.sync(inbox, AirSync.WindowSize(2))
    assert estimate(phone, inbox) == (1, 3)
    phone.server.file(phone.account, inbox, "new")
    assert estimate(phone, inbox) == (1, 4)
    assert len(phone.sync(inbox).of(AirSync.Add)) == 4
    assert estimate(phone, inbox) == (1, 0)


@covers("MS-ASCMD_R2967", "MS-ASCMD_R3000")
def test_with_a_filter(phone, inbox):
    phone.server.file(phone.account, inbox, "new")
    phone.server.file(phone.account, inbox, "old", timedelta(days=10))
    phone.sync(inbox)
    assert estimate(phone, inbox, options(1)) == (1, 1)
    assert estimate(phone, inbox, options(0)) == (1, 2)


def test_without_options_the_last_ones_hold(phone, inbox):
    phone.server.file(phone.account, inbox, "old", timedelta(days=10))
    phone.prime(inbox, options=options(1))
    assert estimate(phone, inbox) == (1, 0)


def test_after_a_lost_answer_it_counts_from_the_old_key(phone, inbox):
    phone.prime(inbox)
    old = phone.keys[inbox]
    phone.server.file(phone.account, inbox, "one")
    phone.sync(inbox)
    assert estimate(phone, inbox, key=old) == (1, 1)


@covers("MS-ASCMD_R4135", "MS-ASCMD_R4136", "MS-ASCMD_R4130")
def test_a_fault_concerns_one_collection(phone, inbox):
    phone.prime(inbox)
    answers = ask(phone, collection(999_999, "1"), collection(inbox, phone.keys[inbox]), collection("x", "1"))
    assert answers == [(2, None), (1, 0), (2, None)]


@covers("MS-ASCMD_R4139", "MS-ASCMD_R4140")
def test_a_collection_that_was_not_primed(phone, inbox):
    assert estimate(phone, inbox) == (3, None)
    assert estimate(phone, inbox, key="a.1") == (3, None)


@covers("MS-ASCMD_R4594", "MS-ASCMD_R4142")
def test_a_bad_key(phone, inbox):
    phone.prime(inbox)
    assert estimate(phone, inbox, key="ffffffff.1") == (4, None)


@covers("MS-ASCMD_R3007", "MS-ASCMD_R2973", "MS-ASCMD_R3000", "MS-ASCMD_R3001", "MS-ASCMD_R3002")
@covers("MS-ASCMD_R3003", "MS-ASCMD_R3004", "MS-ASCMD_R3005", "MS-ASCMD_R3006", "MS-ASCMD_R3008")
@covers("MS-ASCMD_R3009", "MS-ASCMD_R3010", "MS-ASCMD_R3011", "MS-ASCMD_R3012", "MS-ASCMD_R3013")
@covers("MS-ASCMD_R3014", "MS-ASCMD_R3015", "MS-ASCMD_R3016", "MS-ASCMD_R3017", "MS-ASCMD_R3018")
@covers("MS-ASCMD_R3019", "MS-ASCMD_R3020", "MS-ASCMD_R3021", "MS-ASCMD_R3022", "MS-ASCMD_R3023")
@covers("MS-ASCMD_R3024", "MS-ASCMD_R3025")
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
        expected = (1, 0) if filter_type in known else (110, None)
        assert estimate(phone, folder, options(filter_type)) == expected, filter_type


@covers("MS-ASCMD_R2984", "MS-ASCMD_R4129")
@pytest.mark.parametrize(
    "asked",
    [
        Tag.GetItemEstimate(),
        Tag.GetItemEstimate(Tag.Collections()),
        Tag.GetItemEstimate(Tag.Collections(collection("5", "1", options(9)))),
        Tag.GetItemEstimate(Tag.Collections(Tag.Collection(AirSync.SyncKey("1")))),
        Tag.GetItemEstimate(Tag.Collections(collection("5" * 65, "1"))),
        AirSync.Sync(),
    ],
)
def test_malformed(phone, asked):
    answer = phone.asked("GetItemEstimate", asked)
    assert [(child.tag.name, child.text) for child in answer] == [("Status", "103")]


def of_class(name):
    return AirSync.Options(AirSync.Class(name), AirSync.FilterType(0))


@covers("MS-ASCMD_R907", "MS-ASCMD_R908")
def test_only_mail_and_text_messages_are_counted_together(phone, inbox):
    phone.prime(inbox)
    assert estimate(phone, inbox, of_class("Email"), of_class("SMS")) == (1, 0)
    for others in (("Email", "Calendar"), ("Email", "Email")):
        asked = collection(inbox, phone.keys[inbox], *map(of_class, others))
        answer = phone.asked("GetItemEstimate", Tag.GetItemEstimate(Tag.Collections(asked)))
        assert [(child.tag.name, child.text) for child in answer] == [("Status", "4")]


def test_max_items_is_not_for_mail(phone, inbox):
    phone.prime(inbox)
    assert estimate(phone, inbox, AirSync.Options(AirSync.MaxItems(9))) == (2, None)


@covers("MS-ASCMD_R2969", "MS-ASCMD_R2970")
def test_options_without_a_filter_let_everything_in(phone, inbox):
    phone.server.file(phone.account, inbox, "old", timedelta(days=900))
    phone.prime(inbox, options=options(1))
    assert estimate(phone, inbox, AirSync.Options()) == (1, 1)
    phone.server.file(phone.account, inbox, "new")
    assert estimate(phone, inbox, options(1)) == (1, 1)


@covers("MS-ASCMD_R5647")
def test_too_many_collections(phone):
    asked = Tag.GetItemEstimate(Tag.Collections([collection(n, "1") for n in range(1, 1002)]))
    assert phone.asked("GetItemEstimate", asked).int_of(Tag.Status) == 103


def test_other_folders_of_the_account(phone):
    tasks = phone.folder(FolderType.TASKS)
    phone.prime(tasks)
    assert estimate(phone, tasks) == (1, 0)
