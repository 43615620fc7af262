"""Each protocol version by its own rules: what is offered, what an error looks like, what may be said."""

from dataclasses import replace
from datetime import timedelta

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Device
from appliance.devices import devices
from appliance.eas import early_compose, versions, vocabulary
from appliance.eas.commands import COMMANDS, folder_sync
from appliance.eas.response import Held, Response
from appliance.eas.status import http_before_14
from appliance.errors import QuotaExceeded, TemporaryFailure
from appliance.items.folder import FolderType
from appliance.items.message import Flag
from appliance.settings import Eas
from appliance.store import messages
from appliance.wbxml.codec import decode, encode_fragment
from appliance.wbxml.codepages import (
    PAGES,
    AirSync,
    AirSyncBase,
    ComposeMail,
    Email,
    Email2,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    Move,
    Ping,
    Provision,
    Search,
    Settings,
)
from appliance.wbxml.codepages import Find as FindTag
from appliance.wbxml.element import Element
from tests.covers import covers
from tests.unit.eas.world import Phone, body_preference, request

ALL = versions.OFFERED
FROM_14 = ALL[1:]
FOLDER_SYNC = FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0"))
MAIL = (
    b"From: anna@example.test\r\nTo: bert@example.test\r\nSubject: hello\r\nMessage-ID: <1@example.test>\r\n"
    b"\r\nhi bert\r\n"
)
RFC822 = "message/rfc822"


def ask(phone, name="FolderSync", document=FOLDER_SYNC, **headers) -> Response:
    return phone.server.ask(phone.account, request(name, document, **headers))


def header(response, name):
    return dict(response.headers).get(name)


def offer(phone, *offered):
    phone.server.eas = replace(phone.server.eas, versions=offered)


@pytest.fixture
def bert(phone):
    return phone.server.account("bert")


def inbox_of(phone, account):
    return phone.server.listed(account, phone.server.folder(account, FolderType.INBOX))


def sent_of(phone):
    return phone.server.listed(phone.account, phone.folder(FolderType.SENT))


# --- what is offered ----------------------------------------------------------------------------------


def test_all_versions_are_offered_unless_told_otherwise():
    assert Eas().versions == ALL == ("12.1", "14.0", "14.1", "16.0", "16.1")


def test_the_order_of_a_configuration_does_not_matter():
    assert versions.in_order(("16.1", "12.1", "16.1")) == ("12.1", "16.1")


def test_the_commands_are_those_of_the_versions():
    assert set(versions.commands(ALL)) == {*COMMANDS, "GetAttachment", "GetHierarchy"}
    assert "GetAttachment" not in versions.commands(FROM_14)
    assert "Find" not in versions.commands(("12.1", "14.1", "16.0"))


@pytest.mark.parametrize("version", ALL)
def test_an_offered_version_is_answered(phone, version):
    assert ask(phone, version=version).status == 200


@pytest.mark.parametrize("version", ["1.0", "2.0", "2.5", "12.0", "17.0", "99.9"])
def test_unknown_versions_are_refused_with_the_ones_that_are_not(phone, version):
    response = ask(phone, version=version)
    assert (response.status, response.body) == (505, b"")
    assert header(response, "MS-ASProtocolVersions") == ",".join(ALL)
    with db.connection():
        assert not Device.select().exists()


def test_no_version_at_all(phone):
    assert ask(phone, version="").status == 400


def test_versions_the_configuration_leaves_out(phone):
    offer(phone, "16.1")
    assert ask(phone, version="12.1").status == 505
    for version in ("14.0", "14.1", "16.0"):
        response = ask(phone, version=version)
        assert decode(response.body) == FolderHierarchy.FolderSync(FolderHierarchy.Status(138))
        assert header(response, "MS-ASProtocolVersions") == "16.1"
        assert header(response, "MS-ASProtocolCommands") == ",".join(versions.commands(("16.1",)))
    assert ask(phone, version="16.1").status == 200


@pytest.mark.parametrize("version", FROM_14)
@pytest.mark.parametrize("name", ["GetAttachment", "GetHierarchy", "CreateCollection"])
def test_commands_that_have_gone(phone, version, name):
    assert ask(phone, name, None, version=version).status == 501


@pytest.mark.parametrize("name", ["CreateCollection", "DeleteCollection", "MoveCollection"])
def test_commands_that_never_were(phone, name):
    assert ask(phone, name, None, version="12.1").status == 501


@pytest.mark.parametrize("version", ALL)
def test_every_command_in_every_version(phone, version):
    """Nothing is asked; what matters is that the version's way of refusing is kept."""
    for name in (*COMMANDS, "Teleport"):
        answer = phone.server.begin(phone.account, request(name, None, version=version))
        assert not isinstance(answer, Held), name
        if name == "Teleport":
            assert answer.status == 501
        elif name == "Find" and version == "12.1":
            assert answer.status == 400
        elif name == "Find" and version != "16.1":
            assert decode(answer.body) == FindTag.Find(FindTag.Status(138))
        elif version == "12.1":
            assert answer.status in (200, 400, 501), name
            assert not answer.body or statuses(decode(answer.body)) < {*range(101)}, name
        else:
            assert (answer.status, bool(answer.body)) == (200, True), name


def statuses(document):
    found = {int(document.text)} if document.tag.name == "Status" else set()
    return found.union(*(statuses(child) for child in document))


# --- X-MS-RP ------------------------------------------------------------------------------------------


@covers("MS-ASHTTP_R1202")
@pytest.mark.parametrize("version", ALL)
def test_a_device_that_starts_hears_what_is_offered(phone, version):
    response = ask(phone, version=version)
    assert header(response, "X-MS-RP") == header(response, "MS-ASProtocolVersions") == ",".join(ALL)
    assert "Sync" in header(response, "MS-ASProtocolCommands").split(",")


def test_a_device_hears_once_that_the_offer_changed(phone):
    offer(phone, "14.1", "16.1")
    phone.folder_sync()
    document = FolderHierarchy.FolderSync(FolderHierarchy.SyncKey(phone.hierarchy_key))
    assert header(ask(phone, document=document), "X-MS-RP") is None
    offer(phone, *ALL)
    changed = ask(phone, document=document)
    assert header(changed, "X-MS-RP") == ",".join(ALL)
    assert changed.status == 200
    assert decode(changed.body).int_of(FolderHierarchy.Status) == 1
    for _ in range(2):
        assert header(ask(phone, document=document), "X-MS-RP") is None


def test_an_empty_answer_tells_it_too(phone, inbox):
    phone.prime(inbox)
    offer(phone, "16.0", "16.1")
    document = AirSync.Sync(AirSync.Collections(phone.collection(inbox)))
    response = ask(phone, "Sync", document)
    assert (response.body, header(response, "X-MS-RP")) == (b"", "16.0,16.1")


def test_a_held_answer_tells_it_too(phone, inbox):
    phone.prime(inbox)
    watch = Ping.Ping(Ping.HeartbeatInterval(60), Ping.Folders(Ping.Folder(Ping.Id(str(inbox)))))
    offer(phone, "16.1")
    phone.server.file(phone.account, inbox, "news")
    held = phone.server.begin(phone.account, request("Ping", watch))
    assert isinstance(held, Held)
    assert header(held.resume(), "X-MS-RP") == "16.1"
    assert header(ask(phone), "X-MS-RP") == "16.1"  # key 0
    assert header(ask(phone, "Settings", settings(Settings.UserInformation)), "X-MS-RP") is None


def test_the_order_in_the_file_is_no_change(phone):
    phone.folder_sync()
    offer(phone, *reversed(ALL))
    assert header(ask(phone, "Settings", settings(Settings.UserInformation)), "X-MS-RP") is None


def test_a_device_from_before_this_was_kept_is_not_bothered(phone):
    phone.folder_sync()

    @db.transaction
    def forget():
        Device.update(offered_versions="").execute()

    forget()
    for _ in range(2):
        assert header(ask(phone, "Settings", settings(Settings.UserInformation)), "X-MS-RP") is None
    with db.connection():
        assert devices.list_devices(phone.account.id)[0].offered_versions == ",".join(ALL)


def test_two_requests_at_once_tell_it_once(phone):
    phone.folder_sync()
    with db.connection():
        (device,) = devices.list_devices(phone.account.id)
    assert [devices.remember_offer(device.id, "16.1") for _ in range(2)] == [True, False]


# --- errors before 14.0 -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "http"),
    [
        *((status, 400) for status in range(101, 110)),
        (110, 500),
        (111, 503),
        (112, 403),
        (113, 507),
        (114, 503),
        (118, 200),
        (119, 400),
        (120, 500),
        (122, 413),
        (124, 401),
        *((status, 403) for status in (123, *range(125, 137))),
        (137, 501),
        (138, 400),
        (139, 403),
        *((status, 449) for status in range(140, 145)),
        (147, 400),
        (150, 500),
        (177, 403),
        *((status, None) for status in (1, 2, 4, 12, 16, 100)),
    ],
)
def test_statuses_as_http(status, http):
    assert http_before_14(status, "Sync", has_policy_key=True) == http


def test_statuses_that_depend_on_the_command():
    assert http_before_14(106, "SendMail", has_policy_key=True) == 500
    assert http_before_14(132, "Provision", has_policy_key=True) == 500
    assert http_before_14(140, "Sync", has_policy_key=False) == 403


@pytest.mark.parametrize(("version", "http"), [("12.1", 400), *((v, 200) for v in FROM_14)])
def test_broken_wbxml(phone, version, http):
    response = ask(phone, document=b"\x03\x01\x6a\x00\x45", version=version)
    assert response.status == http
    assert bool(response.body) == (http == 200)


@covers("MS-ASCMD_R7547", "MS-ASCMD_R4817")
def test_a_document_of_another_schema(phone):
    assert ask(phone, "MoveItems", Move.MoveItems(), version="12.1").status == 400
    later = ask(phone, "MoveItems", Move.MoveItems(), version="14.0")
    assert decode(later.body).text_of(Move.Status) == "103"


@pytest.mark.parametrize(
    ("error", "http"), [(TemporaryFailure("x"), 503), (QuotaExceeded("x"), 507), (RuntimeError("x"), 503)]
)
def test_failures(phone, monkeypatch, error, http):
    def fail(*_):
        raise error

    monkeypatch.setattr(folder_sync.folders, "list_folders", fail)
    response = ask(phone, version="12.1")
    assert (response.status, response.body) == (http, b"")
    assert (header(response, "Retry-After") is not None) == (http == 503)


@covers("MS-ASCMD_R7555")
@pytest.mark.parametrize("version", ["12.1", "14.0"])
def test_a_blocked_device(phone, version):
    ask(phone)

    @db.transaction
    def block():
        Device.update(is_allowed=False).execute()

    block()
    response = ask(phone, version=version)
    if version == "12.1":
        assert (response.status, response.body) == (403, b"")
    else:
        assert decode(response.body).text_of(FolderHierarchy.Status) == "129"


@covers("MS-ASCMD_R4828", "MS-ASCMD_R4830")
@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize(("missing", "status"), [("device_id", 108), ("device_type", 109)])
def test_a_device_that_does_not_say_which_it_is(phone, version, missing, status):
    for name in ("FolderSync", "Ping", "Provision", "SendMail"):
        response = ask(phone, name, version=version, **{missing: ""})
        if version == "12.1":
            assert (response.status, response.body) == (400, b"")
        else:
            assert statuses(decode(response.body)) == {status}
    with db.connection():
        assert not Device.select().exists()


def test_too_many_devices(phone):
    phone.server.devices_max = 1
    ask(phone, device_id="a")
    assert ask(phone, device_id="b", version="12.1").status == 403


def test_provisioning_is_449(phone):
    phone.server.eas = replace(phone.server.eas, policy_required=True)
    old, new = (Phone(phone.server, phone.account, f"d{v}", v) for v in ("12.1", "14.0"))
    asked = ask(phone, device_id=old.device_id, version="12.1")
    assert (asked.status, asked.body) == (449, b"")
    assert decode(ask(phone, device_id=new.device_id, version="14.0").body).text_of(
        FolderHierarchy.Status
    ) == str(142)
    kind = Provision.PolicyType("MS-EAS-Provisioning-WBXML")
    offered = old.asked("Provision", Provision.Provision(Provision.Policies(Provision.Policy(kind))))
    key = offered.require(Provision.Policies).require(Provision.Policy).int_of(Provision.PolicyKey)
    taken = old.asked(
        "Provision",
        Provision.Provision(
            Provision.Policies(Provision.Policy(kind, Provision.PolicyKey(key), Provision.Status(1)))
        ),
    )
    key = taken.require(Provision.Policies).require(Provision.Policy).int_of(Provision.PolicyKey)
    assert ask(phone, device_id=old.device_id, version="12.1", policy_key=key).status == 200
    assert ask(phone, device_id=old.device_id, version="12.1", policy_key=1).status == 449


def test_a_command_s_own_statuses_stay_in_the_answer(phone):
    wrong = FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("ffffffff.1"))
    response = ask(phone, document=wrong, version="12.1")
    assert (response.status, decode(response.body).int_of(FolderHierarchy.Status)) == (200, 9)


# --- what may be said ---------------------------------------------------------------------------------


def tags_of(element: Element):
    yield element.tag
    for child in element:
        yield from tags_of(child)


def test_the_vocabulary_is_that_of_the_code_pages():
    assert not vocabulary.is_known(Email2.ConversationId, "12.1")
    assert vocabulary.is_known(Email2.ConversationId, "14.0")
    assert not vocabulary.is_known(Email2.IsDraft, "14.1")
    assert vocabulary.is_known(Email.GlobalObjId, "14.1")
    assert not vocabulary.is_known(Email.GlobalObjId, "16.0")
    assert not vocabulary.is_known(AirSync.Version, "16.1")


def test_foreign_elements_are_left_out_wherever_they_are():
    inside = AirSyncBase.Body(AirSyncBase.Type(1), AirSyncBase.Preview("x"))
    data = AirSync.ApplicationData(Email.Subject("s"), Email.Categories(), inside, Email2.IsDraft(1))
    before = data.to_text(values=True)
    found = vocabulary.of_version(data, "12.1")
    assert found == AirSync.ApplicationData(Email.Subject("s"), AirSyncBase.Body(AirSyncBase.Type(1)))
    assert vocabulary.of_version(data, "16.1") is data
    assert data.to_text(values=True) == before
    only = AirSync.ApplicationData(Email2.IsDraft(1))
    assert vocabulary.of_version(only, "14.1") == AirSync.ApplicationData()


def test_what_is_encoded_is_kept():
    fragment = encode_fragment([Email.Subject("s")], 0)
    document = AirSync.Sync(AirSync.Collections(fragment), AirSync.HeartbeatInterval(1))
    assert vocabulary.of_version(document, "12.1") == AirSync.Sync(AirSync.Collections(fragment))


def test_every_tag_is_known_or_not_in_every_version():
    for tags in PAGES.values():
        for tag in tags.values():
            for version in ALL:
                kept = vocabulary.of_version(AirSync.Sync(tag("x")), version).children
                assert bool(kept) == vocabulary.is_known(tag, version)


def settings(*properties):
    return Settings.Settings([tag(Settings.Get()) for tag in properties])


def rich_message(phone, inbox):
    """A message with everything the Email class has a word for."""
    raw = (
        b"From: x@example.net\r\nSender: y@example.net\r\nTo: anna@example.test\r\nBcc: z@example.net\r\n"
        b"Subject: all of it\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>long " + b"text " * 200 + b"</p>\r\n"
        b"--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\n"
        b"abc\r\n--b--\r\n"
    )
    item = phone.server.file_raw(phone.account, inbox, raw)
    messages.set_categories(phone.account.id, item, ("Blue",))
    messages.set_flag(phone.account.id, item, Flag(2))
    messages.set_last_verb(phone.account.id, item, 1, phone.server.clock.now())
    return item


@pytest.mark.parametrize("version", ALL)
def test_no_answer_says_what_its_version_does_not_know(phone, inbox, version):
    item = rich_message(phone, inbox)
    accounts.create("bert@example.test", "a long enough password")
    spoken = Phone(phone.server, phone.account, "spoken", version)
    said: set = set()

    def note(answer):
        if answer is not None:
            said.update(tags_of(decode(answer.body) if isinstance(answer, Response) else answer))

    preferences = AirSync.Options(body_preference(1, 10, preview=50), body_preference(2, 20, preview=50))
    note(spoken.folder_sync())
    for _ in range(2):
        note(spoken.sync(inbox, options=preferences).document)
    messages.set_read(phone.account.id, item, True)
    note(spoken.sync(inbox).document)
    messages.set_categories(phone.account.id, item, ("Red",))
    note(spoken.sync(inbox).document)
    fetched = AirSync.Fetch(AirSync.ServerId(str(item)))
    note(spoken.sync(inbox, commands=[fetched], options=preferences).document)
    note(spoken.asked("GetItemEstimate", estimate(inbox, spoken.keys[inbox])))
    for tag in (Settings.UserInformation, Settings.Oof):
        asked = (
            settings(tag)
            if tag is not Settings.Oof
            else Settings.Settings(Settings.Oof(Settings.Get(Settings.BodyType("Text"))))
        )
        note(spoken.asked("Settings", asked))
    note(
        spoken.asked(
            "ItemOperations",
            ItemOperations.ItemOperations(
                ItemOperations.Fetch(
                    ItemOperations.Store("Mailbox"),
                    AirSync.CollectionId(str(inbox)),
                    AirSync.ServerId(str(item)),
                    ItemOperations.Options(body_preference(1, 10, preview=50)),
                )
            ),
        )
    )
    query = Search.Query(Search.And(AirSync.Class("Email"), Search.FreeText("text")))
    note(spoken.asked("Search", Search.Search(Search.Store(Search.Name("Mailbox"), query))))
    people = Search.Search(
        Search.Store(
            Search.Name("GAL"), Search.Query("bert"), Search.Options(Search.Range("0-9"), Search.Picture())
        )
    )
    note(spoken.asked("Search", people))
    if version == "12.1":
        note(ask(phone, "GetHierarchy", None, version=version, device_id="spoken"))
    foreign = {tag for tag in said if not vocabulary.is_known(tag, version)}
    assert not foreign
    assert {Email.Subject, Email.Read, AirSyncBase.FileReference, Search.LongId} <= said
    assert (Email2.ConversationId in said) == (version != "12.1")
    assert (Email2.Bcc in said) == (version in ("16.0", "16.1"))
    assert (Email.Category in said) == (version != "12.1")
    assert (Settings.Accounts in said) == versions.at_least(version, "14.1")


def test_a_change_a_version_has_no_words_for_is_none(phone, inbox):
    item = phone.server.file(phone.account, inbox, "one")
    early = Phone(phone.server, phone.account, "early", "12.1")
    late = Phone(phone.server, phone.account, "late", "14.0")
    for spoken in (early, late):
        spoken.prime(inbox)
    messages.set_categories(phone.account.id, item, ("Red",))
    answer = early.asked("GetItemEstimate", estimate(inbox, early.keys[inbox]))
    collection = answer.require(GetItemEstimate.Response).require(GetItemEstimate.Collection)
    assert collection.int_of(GetItemEstimate.Estimate) == 0
    assert early.sync(inbox).is_empty
    assert late.sync(inbox).ids(AirSync.Change) == [item]
    messages.set_categories(phone.account.id, item, ("Blue",))
    messages.set_read(phone.account.id, item, True)
    assert early.sync(inbox).data(AirSync.Change) == AirSync.ApplicationData(Email.Read(1))


def test_an_answer_is_not_repeated_in_another_version(phone, inbox):
    """A phone that was updated between a lost answer and its repetition speaks another version."""
    rich_message(phone, inbox)
    early = Phone(phone.server, phone.account, version="12.1")
    late = Phone(phone.server, phone.account, version="16.1", keys=early.keys)
    early.sync(inbox)
    key = early.keys[inbox]
    assert late.sync(inbox).data(AirSync.Add).find(Email2.ConversationId) is not None
    early.keys[inbox] = key
    assert early.sync(inbox).data(AirSync.Add).find(Email2.ConversationId) is None


def test_conversations_are_moved_from_14_0_on(phone, inbox):
    asked = ItemOperations.ItemOperations(
        ItemOperations.Move(
            ItemOperations.ConversationId(b"0123456789abcdef"),
            ItemOperations.DstFldId(str(inbox)),
            ItemOperations.Options(ItemOperations.MoveAlways()),
        )
    )
    early = decode(ask(phone, "ItemOperations", asked, version="12.1").body)
    assert early == ItemOperations.ItemOperations(ItemOperations.Status(2))
    later = decode(ask(phone, "ItemOperations", asked, version="14.0").body)
    assert (
        later.require(ItemOperations.Response).require(ItemOperations.Move).int_of(ItemOperations.Status) == 6
    )


# --- Sync, GetItemEstimate, Settings, Provision -----------------------------------------------------


@pytest.mark.parametrize("version", ALL)
def test_a_collection_says_its_class_up_to_12_1(phone, inbox, version):
    spoken = Phone(phone.server, phone.account, version=version)
    phone.server.file(phone.account, inbox, "one")
    for told in (spoken.sync(inbox), spoken.sync(inbox), spoken.sync(inbox, key="ffffffff.1")):
        first = told.collection.children[0]
        if version == "12.1":
            assert (first.tag, first.text) == (AirSync.Class, "Email")
        else:
            assert told.collection.find(AirSync.Class) is None
        assert all(command.find(AirSync.Class) is None for command in told.of(AirSync.Add))


@covers("MS-ASCMD_R9945")
@pytest.mark.parametrize(
    ("folder_type", "name"),
    [
        (FolderType.CALENDAR, "Calendar"),
        (FolderType.CONTACTS, "Contacts"),
        (FolderType.TASKS, "Tasks"),
        (FolderType.DRAFTS, "Email"),
    ],
)
def test_the_class_is_that_of_the_folder(phone, folder_type, name):
    spoken = Phone(phone.server, phone.account, version="12.1")
    assert spoken.sync(phone.folder(folder_type)).collection.text_of(AirSync.Class) == name


def test_a_collection_of_12_1_as_it_comes(phone, inbox):
    """Class first, FilterType in Options."""
    phone.version = "12.1"
    phone.server.file(phone.account, inbox, "one")
    for key in ("0", None):
        told = phone.noted(
            phone.asked(
                "Sync",
                AirSync.Sync(
                    AirSync.Collections(
                        AirSync.Collection(
                            AirSync.Class("Email"),
                            AirSync.SyncKey(key or phone.keys[inbox]),
                            AirSync.CollectionId(str(inbox)),
                            AirSync.Options(AirSync.FilterType(3)) if key is None else None,
                        )
                    )
                ),
            )
        )
    assert told is not None
    assert Email.Subject in set(tags_of(told))


def test_how_long_a_sync_waits(phone, inbox):
    phone.prime(inbox)

    def wait(version, tag, value):
        document = AirSync.Sync(AirSync.Collections(phone.collection(inbox)), tag(value))
        return phone.server.begin(phone.account, request("Sync", document, version=version))

    assert isinstance(wait("12.1", AirSync.Wait, 1), Held)
    assert isinstance(wait("14.0", AirSync.HeartbeatInterval, 60), Held)
    refused = wait("12.1", AirSync.HeartbeatInterval, 60)
    assert isinstance(refused, Response)
    assert decode(refused.body).text_of(AirSync.Status) == "4"


@pytest.mark.parametrize("version", ALL)
def test_no_news_is_an_empty_answer(phone, inbox, version):
    spoken = Phone(phone.server, phone.account, version=version)
    spoken.prime(inbox)
    assert spoken.sync(inbox).is_empty
    assert spoken.command("Sync") is None


def estimate(folder, key, *options):
    return GetItemEstimate.GetItemEstimate(
        GetItemEstimate.Collections(
            GetItemEstimate.Collection(
                AirSync.SyncKey(key), GetItemEstimate.CollectionId(str(folder)), list(options)
            )
        )
    )


@covers("MS-ASCMD_R2967")
def test_the_estimate_of_12_1(phone, inbox):
    phone.version = "12.1"
    phone.server.file(phone.account, inbox, "new")
    phone.server.file(phone.account, inbox, "old", timedelta(days=20))
    phone.sync(inbox)

    def ask_for(*window):
        answer = phone.asked(
            "GetItemEstimate",
            GetItemEstimate.GetItemEstimate(
                GetItemEstimate.Collections(
                    GetItemEstimate.Collection(
                        GetItemEstimate.Class("Email"),
                        GetItemEstimate.CollectionId(str(inbox)),
                        list(window),
                        AirSync.SyncKey(phone.keys[inbox]),
                    )
                )
            ),
        )
        collection = answer.require(GetItemEstimate.Response).require(GetItemEstimate.Collection)
        assert collection.children[0] == GetItemEstimate.Class("Email")
        return collection.int_of(GetItemEstimate.Estimate)

    assert ask_for(AirSync.FilterType(2)) == 1
    assert ask_for(AirSync.FilterType(0)) == 2
    assert ask_for() == 2


def test_later_estimates_have_no_class(phone, inbox):
    phone.version = "14.0"
    phone.sync(inbox)
    answer = phone.asked("GetItemEstimate", estimate(inbox, phone.keys[inbox]))
    collection = answer.require(GetItemEstimate.Response).require(GetItemEstimate.Collection)
    assert collection.find(GetItemEstimate.Class) is None


@pytest.mark.parametrize("version", ALL)
def test_the_user_s_addresses(phone, version):
    phone.version = version
    answer = phone.asked("Settings", settings(Settings.UserInformation))
    got = answer.require(Settings.UserInformation).require(Settings.Get)
    if versions.at_least(version, "14.1"):
        got = got.require(Settings.Accounts).require(Settings.Account)
        assert got.require(Settings.EmailAddresses).find(Settings.PrimarySmtpAddress) is not None
    addresses = got.require(Settings.EmailAddresses)
    assert addresses.text_of(Settings.SMTPAddress) == phone.account.address


@pytest.mark.parametrize(("version", "status"), [("12.1", "2"), ("14.0", "2"), ("14.1", "1"), ("16.1", "1")])
def test_rights_management_came_with_14_1(phone, version, status):
    phone.version = version
    answer = phone.asked("Settings", settings(Settings.RightsManagementInformation))
    assert answer.text_of(Settings.Status) == status


@pytest.mark.parametrize("version", ALL)
def test_the_introduction_belongs_into_provision_from_14_1(phone, version):
    phone.version = version
    kind = Provision.PolicyType("MS-EAS-Provisioning-WBXML")
    policies = Provision.Policies(Provision.Policy(kind))
    introduction = Settings.DeviceInformation(Settings.Set(Settings.Model("M")))
    bare = phone.asked("Provision", Provision.Provision(policies))
    full = phone.asked("Provision", Provision.Provision(introduction, policies))
    is_asked_for = versions.at_least(version, "14.1")
    assert bare.text_of(Provision.Status) == ("165" if is_asked_for else "1")
    assert (full.find(Settings.DeviceInformation) is not None) == is_asked_for


# --- mail ---------------------------------------------------------------------------------------------


def send_early(phone, name="SendMail", body=MAIL, *, save=True, content_type=RFC822, **params):
    return ask(
        phone,
        name,
        body,
        version="12.1",
        content_type=content_type,
        save_in_sent=save,
        params=params,
    )


def composed(name="SendMail", client_id="c1"):
    return getattr(ComposeMail, name)(ComposeMail.ClientId(client_id), ComposeMail.Mime(MAIL))


def test_a_bare_message_up_to_12_1(phone, bert):
    response = send_early(phone)
    assert (response.status, response.body) == (200, b"")
    assert [message.subject for message in inbox_of(phone, bert)] == ["hello"]
    assert [message.is_read for message in sent_of(phone)] == [True]


def test_a_copy_only_if_asked_for(phone, bert):
    assert send_early(phone, save=False).status == 200
    assert (len(inbox_of(phone, bert)), sent_of(phone)) == (1, [])


def test_a_repeat_is_not_sent_again(phone, bert):
    for _ in range(3):
        assert (send_early(phone).status, send_early(phone).body) == (200, b"")
    assert len(inbox_of(phone, bert)) == len(sent_of(phone)) == 1
    assert send_early(phone, body=MAIL.replace(b"hi bert", b"hi again")).status == 200
    assert len(inbox_of(phone, bert)) == 2


def test_a_repeat_is_known_for_a_bounded_time(phone, bert):
    send_early(phone)
    phone.server.clock.step(timedelta(seconds=early_compose.WINDOW_S))
    send_early(phone)
    assert len(inbox_of(phone, bert)) == 1
    phone.server.clock.step(timedelta(seconds=2 * early_compose.WINDOW_S))
    send_early(phone)
    assert len(inbox_of(phone, bert)) == 2


def test_the_same_bytes_from_another_phone_are_another_message(phone, bert):
    send_early(phone)
    ask(phone, "SendMail", MAIL, version="12.1", content_type=RFC822, device_id="other")
    assert len(inbox_of(phone, bert)) == 2


@pytest.mark.parametrize("content_type", ["application/vnd.ms-sync.wbxml", "application/vnd.ms-sync"])
@pytest.mark.parametrize("name", ["SendMail", "SmartReply", "SmartForward"])
def test_wbxml_mail_is_400_up_to_12_1(phone, bert, name, content_type):
    response = ask(phone, name, composed(name), version="12.1", content_type=content_type)
    assert (response.status, response.body, inbox_of(phone, bert)) == (400, b"", [])


@pytest.mark.parametrize("version", FROM_14)
@pytest.mark.parametrize("name", ["SendMail", "SmartReply", "SmartForward"])
def test_a_bare_message_is_101_from_14_0(phone, bert, version, name):
    response = ask(phone, name, MAIL, version=version, content_type=RFC822)
    assert decode(response.body).text_of(ComposeMail.Status) == "101"
    assert inbox_of(phone, bert) == []


@pytest.mark.parametrize(
    ("body", "http"),
    [(b"", 400), (b"\x00", 400), (b"From: anna@example.test\r\nSubject: to nobody\r\n\r\nx\r\n", 400)],
)
def test_mail_that_cannot_be_sent(phone, body, http):
    assert send_early(phone, body=body).status == http


def test_a_full_mailbox(phone, bert):
    accounts.set_quota(phone.account.id, 1)
    assert send_early(phone).status == 507
    assert inbox_of(phone, bert) == []


@pytest.mark.parametrize(("name", "verb"), [("SmartReply", 1), ("SmartForward", 3)])
@pytest.mark.parametrize("by_long_id", [False, True])
def test_smart_mail_names_its_original_in_the_query(phone, inbox, bert, name, verb, by_long_id):
    item = phone.server.file(phone.account, inbox, "the original")
    params = {"LongId": str(item)} if by_long_id else {"CollectionId": str(inbox), "ItemId": str(item)}
    for _ in range(2):
        assert (send_early(phone, name, **params).status, len(inbox_of(phone, bert))) == (200, 1)
    with db.connection():
        raw = messages.raw(inbox_of(phone, bert)[0])
        assert messages.get(phone.account.id, item).last_verb == verb
    assert b"the original" in raw


def test_smart_mail_about_nothing(phone, bert):
    assert send_early(phone, "SmartReply").status == 400
    assert send_early(phone, "SmartReply", ItemId="999999").status == 500
    assert inbox_of(phone, bert) == []
