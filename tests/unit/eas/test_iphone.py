"""What iPhones were seen to send that no other test has in this form, and that it is answered well.

The requests are made here after what was seen; captured ones that lie beside the repository are sent, too.
"""

from pathlib import Path

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Device
from appliance.items.folder import FolderType
from appliance.wbxml.codec import decode
from appliance.wbxml.codepages import (
    GAL,
    AirSync,
    AirSyncBase,
    Calendar,
    Find,
    FolderHierarchy,
    Ping,
    Provision,
    Search,
    Settings,
)
from appliance.wbxml.element import Element
from tests.unit.eas.world import Phone, Told, body_preference, collections_of

CAPTURES = Path(__file__).parents[4] / "shared" / "eas" / "ios-captures"
CLASSES = {
    FolderType.INBOX: "Email",
    FolderType.CALENDAR: "Calendar",
    FolderType.CONTACTS: "Contacts",
    FolderType.TASKS: "Tasks",
    FolderType.NOTES: "Notes",
}


def new_event() -> Element:
    """Return the Add of an event as iOS 17 writes it: empty elements for "none", an odd ClientUid."""
    return AirSync.Add(
        AirSync.ClientId("58281"),
        AirSync.ApplicationData(
            Calendar.AllDayEvent(0),
            Calendar.BusyStatus(2),
            Calendar.EndTime("20260822T120000Z"),
            AirSyncBase.Location(),
            Calendar.Reminder(),
            Calendar.Sensitivity(0),
            Calendar.Subject("Dentist"),
            Calendar.StartTime("20260822T100000Z"),
            Calendar.ClientUid("0123456789ABCDEF0123456789ABCDEF0.32"),
            Calendar.MeetingStatus(0),
            Calendar.Attendees(),
            Calendar.Recurrence(),
        ),
    )


def event_request() -> Element:
    collection = AirSync.Collection(
        AirSync.SyncKey("k"),
        AirSync.CollectionId("c"),
        AirSync.GetChanges(),
        AirSync.WindowSize(25),
        AirSync.Options(body_preference(1, 32_768)),
        AirSync.Commands(new_event()),
    )
    return AirSync.Sync(AirSync.Collections(collection))


def addressed(asked: Element, folder_id: int, key: str) -> Element:
    """Return a Sync of one collection for this server: with its key and its id."""
    (collection,) = collections_of(asked)
    ours = {AirSync.SyncKey: key, AirSync.CollectionId: str(folder_id)}
    children = [child.tag(ours[child.tag]) if child.tag in ours else child for child in collection]
    return AirSync.Sync(AirSync.Collections(AirSync.Collection(children)))


def events() -> list[Element]:
    captured = sorted(CAPTURES.glob("*calendar_add*.wbxml")) if CAPTURES.exists() else []
    return [event_request(), *(decode(path.read_bytes()) for path in captured)]


@pytest.mark.parametrize("version", ["14.0", "16.1"])
@pytest.mark.parametrize("number", range(len(events())))
def test_a_new_event_is_refused_alone(phone: Phone, number: int, version: str) -> None:
    """No calendar is kept: the phone is told so of the event, and the collection goes on."""
    phone.version = version
    calendar = phone.folder(FolderType.CALENDAR)
    phone.prime(calendar)
    asked = addressed(events()[number], calendar, phone.keys[calendar])
    told = Told(phone.noted(phone.command("Sync", asked)))
    client_id = collections_of(asked)[0].require(AirSync.Commands).children[0].text_of(AirSync.ClientId)
    assert told.status == 1
    assert [(r.tag.name, r.text_of(AirSync.ClientId), r.int_of(AirSync.Status)) for r in told.responses] == [
        ("Add", client_id, 6)
    ]
    assert Told(phone.command("Sync", asked)).key == told.key, "the same answer when it was lost"
    assert phone.sync(calendar).is_empty


def test_every_class_is_watched_in_one_ping(phone: Phone) -> None:
    """All five are synchronised first; the subscription holds although only mail ever changes."""
    watched = {phone.folder(type_): name for type_, name in CLASSES.items()}
    phone.folder_sync()
    phone.prime(*watched)
    document = Ping.Ping(
        Ping.HeartbeatInterval(540),
        Ping.Folders([Ping.Folder(Ping.Id(str(id_)), Ping.Class(name)) for id_, name in watched.items()]),
    )
    waiting = phone.hold("Ping", document)
    waiting.until_waiting()
    inbox = phone.folder(FolderType.INBOX)
    phone.server.file(phone.account, inbox, "new")
    answer = waiting.answer()
    assert answer == Ping.Ping(Ping.Status(2), Ping.Folders(Ping.Folder(str(inbox))))


def test_the_first_provision_of_14_0_names_a_type_only(phone: Phone) -> None:
    phone.version = "14.0"
    asked = Provision.Provision(
        Provision.Policies(Provision.Policy(Provision.PolicyType("MS-EAS-Provisioning-WBXML")))
    )
    policy = phone.asked("Provision", asked).require(Provision.Policies).require(Provision.Policy)
    assert (policy.int_of(Provision.Status), policy.int_of(Provision.PolicyKey, 0) > 0) == (1, True)
    answer = phone.folder_sync()
    assert answer.int_of(FolderHierarchy.Status) == 1


def test_the_account_page_asks_and_tells_in_one_request(phone: Phone) -> None:
    asked = Settings.Settings(
        Settings.UserInformation(Settings.Get()),
        Settings.DeviceInformation(
            Settings.Set(
                Settings.Model("iPhone15C4"),
                Settings.FriendlyName("Lena's iPhone"),
                Settings.OS("iOS 26.0"),
                Settings.OSLanguage("de-DE"),
                Settings.PhoneNumber(),
                Settings.UserAgent("Apple-iPhone15C4/2301.355"),
                Settings.MobileOperator("Carrier"),
            )
        ),
    )
    answer = phone.asked("Settings", asked)
    assert [child.tag.name for child in answer] == ["Status", "UserInformation", "DeviceInformation"]
    assert {child.int_of(Settings.Status) for child in answer.children[1:]} == {1}
    with db.connection():
        row = Device.select().get()
    assert (row.os, row.friendly_name, row.phone_number) == ("iOS 26.0", "Lena's iPhone", "")


def test_an_ipad_looks_for_a_sender(phone: Phone, inbox: int) -> None:
    raw = b'From: "Ada Berg" <ada@example.net>\r\nSubject: plans\r\n\r\nwords\r\n'
    item = phone.server.file_raw(phone.account, inbox, raw)
    phone.server.file(phone.account, inbox, "Ada Berg is mentioned")
    asked = Find.Find(
        Find.SearchId("7C9E6679-7425-40DE-944B-E07FC1F90AE7"),
        Find.ExecuteSearch(
            Find.MailBoxSearchCriterion(
                Find.Query(AirSync.Class("Email"), Find.FreeText('from:"Ada Berg"')),
                Find.Options(Find.Range("0-99"), Find.DeepTraversal()),
            )
        ),
    )
    response = phone.asked("Find", asked).require(Find.Response)
    assert [one.text_of(AirSync.ServerId) for one in response.find_all(Find.Result)] == [str(item)]


def test_people_are_looked_up_with_an_empty_picture(phone: Phone) -> None:
    accounts.set_display_name(phone.server.account("ada").id, "Ada & Ben <Office>")
    asked = Search.Search(
        Search.Store(
            Search.Name("GAL"), Search.Query("ada"), Search.Options(Search.Range("0-49"), Search.Picture())
        )
    )
    store = phone.asked("Search", asked).require(Search.Response).require(Search.Store)
    properties = store.require(Search.Result).require(Search.Properties)
    assert properties.text_of(GAL.DisplayName) == "Ada & Ben <Office>"
    assert properties.require(GAL.Picture).int_of(GAL.Status) == 173
