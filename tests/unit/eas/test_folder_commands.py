"""FolderCreate, FolderUpdate, FolderDelete: done once, told to everybody else, never echoed."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.devices import sync_states
from appliance.eas import hierarchy
from appliance.eas.commands import folder_create
from appliance.errors import Conflict
from appliance.items.folder import FolderType
from appliance.settings import Limits
from appliance.store import folders, limits, messages
from appliance.wbxml.codepages import AirSync, Ping
from appliance.wbxml.codepages import FolderHierarchy as Tag
from tests.covers import covers
from tests.unit.eas.world import Phone, body_preference


@pytest.fixture
def phone(phone):
    phone.folder_sync()
    return phone


@pytest.fixture
def other(phone):
    """A second phone of the same account, in step."""
    found = Phone(phone.server, phone.account, "device2")
    found.folder_sync()
    return found


@pytest.fixture
def few_folders():
    """Configures how many folders an account may have."""
    yield lambda number: limits.configure(Limits(folders_max=number))
    limits.configure(Limits())


def creation(key, name="Work", *, parent="0", type_=12, extra=()):
    return Tag.FolderCreate(
        list(extra),
        Tag.SyncKey(key) if key is not None else None,
        Tag.ParentId(str(parent)) if parent is not None else None,
        Tag.DisplayName(name) if name is not None else None,
        Tag.Type(type_) if type_ is not None else None,
    )


def change(key, folder, name="Work", *, parent="0", extra=()):
    return Tag.FolderUpdate(
        list(extra),
        Tag.SyncKey(key) if key is not None else None,
        Tag.ServerId(str(folder)) if folder is not None else None,
        Tag.ParentId(str(parent)) if parent is not None else None,
        Tag.DisplayName(name) if name is not None else None,
    )


def deletion(key, folder, extra=()):
    return Tag.FolderDelete(
        list(extra),
        Tag.SyncKey(key) if key is not None else None,
        Tag.ServerId(str(folder)) if folder is not None else None,
    )


def ask(phone, document):
    return phone.asked(document.tag.name, document)


def done(phone, document):
    """Send a command that succeeds and take over the key; returns the answer."""
    answer = ask(phone, document)
    assert answer.int_of(Tag.Status) == 1, answer
    phone.hierarchy_key = answer.text_of(Tag.SyncKey, "")
    return answer


def create(phone, name="Work", **rest):
    return int(done(phone, creation(phone.hierarchy_key, name, **rest)).text_of(Tag.ServerId, ""))


def update(phone, folder, name, **rest):
    done(phone, change(phone.hierarchy_key, folder, name, **rest))


def delete(phone, folder):
    done(phone, deletion(phone.hierarchy_key, folder))


def told(phone):
    """Return what a FolderSync tells: kind and name (or id) of each change, in order."""
    changes = phone.folder_sync().require(Tag.Changes)
    return [
        (entry.tag.name, entry.text_of(Tag.DisplayName) or int(entry.text_of(Tag.ServerId, "")))
        for entry in changes
        if entry.tag is not Tag.Count
    ]


def status_only(answer, status):
    return [(child.tag.name, child.text) for child in answer] == [("Status", str(status))]


def live(phone):
    with db.connection():
        return {folder.id: folder for folder in folders.list_folders(phone.account.id)}


def trash(phone):
    return phone.folder(FolderType.DELETED)


# --- create -----------------------------------------------------------------------------------------


@covers("MS-ASCMD_R79", "MS-ASCMD_R4011", "MS-ASCMD_R3903", "MS-ASCMD_R4569")
@pytest.mark.parametrize("type_", sorted(folder_create.TYPES))
def test_a_folder_of_every_type_a_device_may_create(phone, other, type_):
    made = create(phone, type_=type_)
    assert (live(phone)[made].type, live(phone)[made].name) == (type_, "Work")
    assert told(phone) == []
    assert told(other) == [("Add", "Work")]


@covers("MS-ASCMD_R4035", "MS-ASCMD_R4570", "MS-ASCMD_R3904", "MS-ASCMD_R81")
@pytest.mark.parametrize("type_", [*range(2, 12), 0, 18, 19, 20, 255, -1, "mail", None])
def test_types_nobody_may_create(phone, type_):
    before = live(phone)
    assert status_only(ask(phone, creation(phone.hierarchy_key, type_=type_)), 10)
    assert live(phone) == before


@covers("MS-ASCMD_R5769", "MS-ASCMD_R100", "MS-ASCMD_R101", "MS-ASCMD_R141", "MS-ASCMD_R143")
@covers("MS-ASCMD_R4016", "MS-ASCMD_R4103", "MS-ASCMD_R4104")
def test_the_recipient_cache_is_the_server_s(phone):
    made, before = create(phone), live(phone)
    for document in (
        creation(phone.hierarchy_key, "below", parent="RI"),
        change(phone.hierarchy_key, "RI", "renamed"),
        change(phone.hierarchy_key, made, parent="RI"),
        deletion(phone.hierarchy_key, "RI"),
    ):
        assert status_only(ask(phone, document), 3)
    assert len(live(phone)) == len(before)


def test_a_folder_in_a_folder_in_a_folder(phone, other):
    parent = "0"
    for depth in range(20):
        parent = create(phone, f"level {depth}", parent=parent)
    assert told(phone) == []
    assert told(other) == [("Add", f"level {depth}") for depth in range(20)]


def test_folders_nest_only_so_deep(phone):
    parent = "0"
    for depth in range(folders.DEPTH_MAX):
        parent = create(phone, f"level {depth}", parent=parent)
    assert status_only(ask(phone, creation(phone.hierarchy_key, "too deep", parent=parent)), 10)


@covers("MS-ASCMD_R4013", "MS-ASCMD_R5416")
def test_a_name_is_used_once_under_a_parent(phone):
    made = create(phone)
    assert status_only(ask(phone, creation(phone.hierarchy_key)), 2)
    assert status_only(ask(phone, creation(phone.hierarchy_key, "WORK")), 2)
    assert status_only(ask(phone, creation(phone.hierarchy_key, "inbox")), 2)
    create(phone, parent=made)


@covers("MS-ASCMD_R4018", "MS-ASCMD_R4019")
@pytest.mark.parametrize("parent", ["999999", "nonsense", "-1", "00"])
def test_a_parent_nobody_has(phone, parent):
    assert status_only(ask(phone, creation(phone.hierarchy_key, parent=parent)), 5)


def test_a_stranger_as_parent(phone):
    bert = phone.server.account("bert")
    theirs = phone.server.folder(bert, FolderType.INBOX)
    assert status_only(ask(phone, creation(phone.hierarchy_key, parent=theirs)), 5)


def test_a_deleted_folder_as_parent(phone):
    made = create(phone, type_=13)
    delete(phone, made)
    assert status_only(ask(phone, creation(phone.hierarchy_key, parent=made)), 5)


@pytest.mark.parametrize("name", ["x" * 256, "äöü €", "a/b", "INBOX.x", "."])
def test_good_names(phone, name):
    made = create(phone, name)
    assert live(phone)[made].name == name


@pytest.mark.parametrize("name", ["", " ", "x" * 257, "a\nb", "\t", None])
def test_names_nobody_may_use(phone, name):
    assert status_only(ask(phone, creation(phone.hierarchy_key, name)), 10)


def test_an_account_has_only_so_many_folders(phone, few_folders):
    few_folders(len(live(phone)) + 1)
    create(phone)
    assert status_only(ask(phone, creation(phone.hierarchy_key, "one more")), 151)


# --- keys -----------------------------------------------------------------------------------------


@covers("MS-ASCMD_R4032", "MS-ASCMD_R4060", "MS-ASCMD_R4120", "MS-ASCMD_R4573")
@pytest.mark.parametrize("key", ["0", "1", "ffffffff.1", "x" * 100])
def test_a_key_of_nobody(phone, key):
    made = create(phone)
    for document in (creation(key, "new"), change(key, made, "new"), deletion(key, made)):
        assert status_only(ask(phone, document), 9)
    assert live(phone)[made].name == "Work"


@covers("MS-ASCMD_R4568")
@pytest.mark.parametrize("key", [None, ""])
def test_no_key(phone, key):
    made = create(phone)
    for document in (creation(key, "new"), change(key, made, "new"), deletion(key, made)):
        assert status_only(ask(phone, document), 10)


def test_a_device_that_never_asked_for_the_folders(phone):
    stranger = Phone(phone.server, phone.account, "device9")
    assert status_only(ask(stranger, creation("0")), 9)
    assert status_only(ask(stranger, creation(phone.hierarchy_key)), 9)


@covers("MS-ASCMD_R3102", "MS-ASCMD_R4063", "MS-ASCMD_R4123")
def test_malformed_requests(phone):
    made, key = create(phone), phone.hierarchy_key
    for document in (
        creation(key, "new", extra=[Tag.Status(1)]),
        creation(key, "new", parent=None),
        change(key, made, extra=[Tag.Status(1)]),
        change(key, None),
        change(key, made, parent=None),
        change(key, made, None),
        deletion(key, None),
        deletion(key, made, extra=[Tag.Status(1)]),
    ):
        assert status_only(ask(phone, document), 10), document
    for name in ("FolderCreate", "FolderUpdate", "FolderDelete"):
        assert status_only(phone.asked(name, AirSync.Sync()), 10)
    assert live(phone)[made].name == "Work"


def test_a_lost_answer_is_given_again(phone, other):
    key = phone.hierarchy_key
    first = ask(phone, creation(key))
    assert ask(phone, creation(key)) == first
    phone.hierarchy_key = first.text_of(Tag.SyncKey, "")
    made = int(first.text_of(Tag.ServerId, ""))
    assert [folder.name for folder in live(phone).values()].count("Work") == 1
    for make in (lambda key: change(key, made, "Renamed"), lambda key: deletion(key, made)):
        document = make(phone.hierarchy_key)
        again = ask(phone, document)
        assert again.int_of(Tag.Status) == 1
        assert ask(phone, document) == again
        phone.hierarchy_key = again.text_of(Tag.SyncKey, "")
    assert told(other) == [("Add", "Renamed")]


def test_a_created_folder_whose_answer_was_lost_for_ever(phone):
    key = phone.hierarchy_key
    ask(phone, creation(key, "lost"))
    assert told(phone) == [("Add", "lost")]
    assert told(phone) == []


def test_a_lost_creation_followed_by_another(phone):
    key = phone.hierarchy_key
    ask(phone, creation(key, "lost"))
    create(phone, "kept")
    assert told(phone) == [("Add", "lost")]
    assert told(phone) == []


def test_a_lost_rename_is_told_after_all(phone):
    made = create(phone)
    ask(phone, change(phone.hierarchy_key, made, "lost"))
    assert told(phone) == [("Update", "lost")]


def test_a_lost_deletion_is_told_after_all(phone):
    top = create(phone, type_=13)
    below = create(phone, "below", type_=13, parent=top)
    ask(phone, deletion(phone.hierarchy_key, top))
    assert sorted(told(phone)) == [("Delete", top), ("Delete", below)]


def test_a_lost_folder_sync_followed_by_a_command(phone):
    folders.create(phone.account.id, 0, "theirs", 12)
    ask(phone, Tag.FolderSync(Tag.SyncKey(phone.hierarchy_key)))
    create(phone, "mine")
    assert told(phone) == [("Add", "theirs")]


def test_nothing_is_done_when_another_request_was_faster(phone, monkeypatch):
    before = live(phone)

    def fail(*_args, **_rest):
        raise Conflict("somebody was faster")

    monkeypatch.setattr(sync_states, "store", fail)
    assert status_only(ask(phone, creation(phone.hierarchy_key)), 6)
    assert live(phone) == before


# --- what others hear, and what the device itself hears ---------------------------------------------


def test_what_others_changed_meanwhile_is_not_lost(phone):
    folders.create(phone.account.id, 0, "theirs", 12)
    create(phone, "mine")
    folders.create(phone.account.id, 0, "theirs too", 12)
    assert told(phone) == [("Add", "theirs"), ("Add", "theirs too")]


def test_an_own_folder_others_change_is_an_update(phone):
    made = create(phone)
    folders.update(phone.account.id, made, 0, "better")
    assert told(phone) == [("Update", "better")]


def test_an_own_folder_others_delete(phone):
    made = create(phone)
    messages.delete_folder(phone.account.id, made)
    assert told(phone) == [("Delete", made)]


def test_changes_by_others_in_the_order_of_the_schema(phone, other):
    kept, doomed = create(phone, "kept"), create(phone, "doomed", type_=13)
    told(other)
    folders.create(phone.account.id, kept, "new", 12)
    delete(phone, doomed)
    update(phone, kept, "renamed")
    assert told(other) == [("Update", "renamed"), ("Delete", doomed), ("Add", "new")]


def test_a_ping_wakes_the_others_only(phone, other):
    for device in (phone, other):
        device.prime(device.folder(FolderType.INBOX))
    watch = Ping.Ping(
        Ping.HeartbeatInterval(600), Ping.Folders(Ping.Folder(Ping.Id(str(phone.folder(FolderType.INBOX)))))
    )
    mine, theirs = phone.hold("Ping", watch), other.hold("Ping", watch)
    mine.until_waiting()
    theirs.until_waiting()
    create(phone)
    assert theirs.answer().int_of(Ping.Status) == 7
    assert mine.is_waiting
    phone.server.file(phone.account, phone.folder(FolderType.INBOX), "wake up")
    assert mine.answer().int_of(Ping.Status) == 2


def test_sync_says_12_only_for_a_folder_that_is_gone(phone, other):
    made = create(phone, type_=13)
    mail = create(phone, "mail")
    told(other)
    for folder in (made, mail):
        assert other.sync(folder).status == 1
    delete(phone, mail)
    assert other.sync(mail).status == 1
    delete(phone, made)
    assert other.sync(made).status == 12
    assert told(other) == [("Update", "mail"), ("Delete", made)]


# --- update ---------------------------------------------------------------------------------------


@covers("MS-ASCMD_R140", "MS-ASCMD_R4100", "MS-ASCMD_R5784")
def test_a_new_name(phone, other):
    made = create(phone)
    told(other)
    update(phone, made, "Home")
    assert told(phone) == []
    assert told(other) == [("Update", "Home")]


@covers("MS-ASCMD_R139")
def test_a_new_place(phone, other):
    made, target = create(phone), create(phone, "target")
    update(phone, made, "Work", parent=target)
    assert live(phone)[made].parent_id == target
    update(phone, made, "Elsewhere", parent=0)
    assert (live(phone)[made].parent_id, live(phone)[made].name) == (0, "Elsewhere")


def test_a_new_spelling_of_its_own_name(phone):
    made = create(phone)
    update(phone, made, "WORK")
    assert live(phone)[made].name == "WORK"


def test_no_change_is_told_to_nobody(phone, other):
    made = create(phone)
    told(other)
    update(phone, made, "Work")
    assert told(other) == []


@covers("MS-ASCMD_R4101", "MS-ASCMD_R4102", "MS-ASCMD_R5786", "MS-ASCMD_R4096")
@pytest.mark.parametrize("type_", [FolderType.INBOX, FolderType.CALENDAR, FolderType.DELETED])
def test_special_folders_keep_their_name(phone, type_):
    special = phone.folder(type_)
    name = live(phone)[special].name
    for wanted in ("other", name):
        assert status_only(ask(phone, change(phone.hierarchy_key, special, wanted)), 2)
    assert live(phone)[special].name == name


@covers("MS-ASCMD_R5438")
def test_a_name_that_is_taken(phone):
    create(phone, "taken")
    made = create(phone)
    assert status_only(ask(phone, change(phone.hierarchy_key, made, "taken")), 2)


@covers("MS-ASCMD_R4105", "MS-ASCMD_R4106")
@pytest.mark.parametrize("folder", ["999999", "nonsense", "0"])
def test_update_of_nothing(phone, folder):
    assert status_only(ask(phone, change(phone.hierarchy_key, folder)), 4)


@covers("MS-ASCMD_R4108", "MS-ASCMD_R4109")
def test_update_to_nowhere(phone):
    made = create(phone)
    assert status_only(ask(phone, change(phone.hierarchy_key, made, parent="999999")), 5)


def test_a_folder_cannot_be_moved_below_itself(phone):
    top = create(phone)
    below = create(phone, "below", parent=top)
    for parent in (top, below):
        assert status_only(ask(phone, change(phone.hierarchy_key, top, parent=parent)), 10)


# --- delete ---------------------------------------------------------------------------------------


@covers("MS-ASCMD_R97", "MS-ASCMD_R4045", "MS-ASCMD_R5783", "MS-ASCMD_R99")
def test_a_deleted_mail_folder_can_be_taken_back(phone, other):
    top = create(phone)
    below = create(phone, "below", parent=top)
    phone.server.file(phone.account, below, "precious")
    told(other)
    delete(phone, top)
    assert live(phone)[top].parent_id == trash(phone)
    assert [message.subject for message in phone.server.listed(phone.account, below)] == ["precious"]
    assert told(other) == [("Update", "Work")]
    # This phone has dropped both and is told of them anew.
    assert told(phone) == [("Add", "Work"), ("Add", "below")]
    assert told(phone) == []


@covers("MS-ASCMD_R98")
def test_a_second_deletion_is_for_good(phone, other):
    top = create(phone)
    below = create(phone, "below", parent=top)
    item = phone.server.file(phone.account, below, "rubbish")
    delete(phone, top)
    told(phone)
    told(other)
    delete(phone, top)
    assert not {top, below} & live(phone).keys()
    with db.connection(), pytest.raises(Exception, match="no such"):
        messages.get(phone.account.id, item)
    assert sorted(told(other)) == [("Delete", top), ("Delete", below)]
    assert told(phone) == [("Delete", below)]  # of the one it named it knows


def test_two_folders_of_one_name_in_deleted_items(phone):
    ids = []
    for _ in range(3):
        ids.append(create(phone))
        delete(phone, ids[-1])
    assert [live(phone)[folder].name for folder in ids] == ["Work", "Work (2)", "Work (3)"]


def test_a_long_name_twice_in_deleted_items(phone):
    for _ in range(2):
        made = create(phone, "x" * 256)
        delete(phone, made)
    assert len(live(phone)[made].name) <= 256


def test_a_dropped_folder_that_is_deleted_before_the_phone_hears_of_it(phone):
    made = create(phone)
    delete(phone, made)
    messages.delete_folder(phone.account.id, made)
    assert told(phone) == [("Delete", made)]  # nothing is lost by saying so
    assert told(phone) == []


@pytest.mark.parametrize("type_", [12, 13])
def test_what_others_moved_out_of_a_deleted_folder(phone, type_):
    """The phone still saw it below the folder it deleted, and has dropped both."""
    top = create(phone, type_=type_)
    rescued = create(phone, "rescued", parent=top)
    told(phone)
    folders.update(phone.account.id, rescued, 0, "rescued")
    delete(phone, top)
    assert ("Add", "rescued") in told(phone)
    assert told(phone) == []


def test_the_deleting_phone_may_synchronise_the_folder_again(phone):
    made = create(phone)
    phone.server.file(phone.account, made, "precious")
    phone.prime(made)
    delete(phone, made)
    told(phone)
    phone.keys[made] = "0"
    phone.sync(made)
    assert len(phone.sync(made).of(AirSync.Add)) == 1


@pytest.mark.parametrize("type_", [13, 14, 15, 16, 17])
def test_other_folders_are_gone_at_once(phone, other, type_):
    made = create(phone, type_=type_)
    told(other)
    delete(phone, made)
    assert made not in live(phone)
    assert told(phone) == []
    assert told(other) == [("Delete", made)]


@covers("MS-ASCMD_R4046", "MS-ASCMD_R4047", "MS-ASCMD_R5785", "MS-ASCMD_R4040")
@pytest.mark.parametrize("type_", range(2, 11))
def test_special_folders_cannot_be_deleted(phone, type_):
    special = phone.folder(FolderType(type_))
    item = phone.server.file(phone.account, special, "kept") if type_ == FolderType.INBOX else None
    assert status_only(ask(phone, deletion(phone.hierarchy_key, special)), 3)
    assert special in live(phone)
    assert item is None or phone.server.listed(phone.account, special)


@covers("MS-ASCMD_R4048", "MS-ASCMD_R4049")
def test_delete_of_nothing(phone):
    made = create(phone, type_=13)
    delete(phone, made)
    bert = phone.server.account("bert")
    for folder in (made, "999999", "nonsense", "0", phone.server.folder(bert, FolderType.INBOX)):
        assert status_only(ask(phone, deletion(phone.hierarchy_key, folder)), 4)


def test_a_wrong_key_empties_nothing(phone):
    made = create(phone)
    delete(phone, made)
    phone.server.file(phone.account, made, "kept")
    assert status_only(ask(phone, deletion("ffffffff.1", made)), 9)
    assert len(phone.server.listed(phone.account, made)) == 1


def test_an_empty_sync_does_not_name_a_deleted_folder_for_ever(phone):
    made = create(phone)
    delete(phone, made)
    told(phone)
    phone.prime(made)
    assert phone.sync_all(phone.collection(made, options=AirSync.Options(body_preference(1)))) is None
    assert phone.command("Sync") is None
    delete(phone, made)
    assert phone.asked("Sync").int_of(AirSync.Status) == 13


# --- the cursor -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known",
    [
        hierarchy.Known(7),
        hierarchy.Known(7, made=frozenset({3, 1})),
        hierarchy.Known(0, frozenset({1}), frozenset({2}), frozenset({3}), frozenset({4})),
    ],
)
def test_what_is_known_survives_the_database(known):
    assert hierarchy.Known.from_json(known.to_json()) == known


def test_a_row_of_an_earlier_release_is_a_number():
    assert hierarchy.Known(12).to_json() == "12"


def test_time_alone_changes_nothing(phone):
    create(phone)
    phone.server.clock.step(timedelta(days=400))
    assert told(phone) == []


def test_on_either_database(either_phone):
    either_phone.folder_sync()
    made = create(either_phone)
    update(either_phone, made, "Home")
    key = either_phone.hierarchy_key
    first = ask(either_phone, deletion(key, made))
    assert ask(either_phone, deletion(key, made)) == first
    either_phone.hierarchy_key = first.text_of(Tag.SyncKey, "")
    assert told(either_phone) == [("Add", "Home")]
    delete(either_phone, made)
    assert made not in live(either_phone)
