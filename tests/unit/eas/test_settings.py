"""Settings: the device's introduction, the user's addresses, the order of answers. Oof has its own tests."""

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Device
from appliance.wbxml.codepages import AirSync, RightsManagement
from appliance.wbxml.codepages import Settings as Tag
from tests.covers import covers

USER = Tag.UserInformation(Tag.Get())
OOF = Tag.Oof(Tag.Get(Tag.BodyType("Text")))


def ask(phone, *properties, **headers):
    return phone.asked("Settings", Tag.Settings(list(properties)), **headers)


def introduction(*children):
    return Tag.DeviceInformation(Tag.Set(list(children)))


@covers("MS-ASCMD_R4392", "MS-ASCMD_R733", "MS-ASCMD_R3679", "MS-ASCMD_R4387", "MS-ASCMD_R5898")
@covers("MS-ASCMD_R5901", "MS-ASCMD_R5905")
@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_user_information(phone, version):
    accounts.add_alias(phone.account.id, "info@example.test")
    answer = ask(phone, USER, version=version)
    assert answer.int_of(Tag.Status) == 1
    known = answer.require(Tag.UserInformation).require(Tag.Get).require(Tag.Accounts).require(Tag.Account)
    assert [child.tag.name for child in known] == ["EmailAddresses"]
    addresses = known.require(Tag.EmailAddresses)
    assert [e.text for e in addresses.find_all(Tag.SMTPAddress)] == ["anna@example.test", "info@example.test"]
    assert addresses.text_of(Tag.PrimarySmtpAddress) == "anna@example.test"


def test_device_information(phone):
    answer = ask(
        phone, introduction(Tag.Model("iPad"), Tag.PhoneNumber("+49 30 1"), Tag.EnableOutboundSMS(0))
    )
    assert answer.require(Tag.DeviceInformation).int_of(Tag.Status) == 1
    with db.connection():
        row = Device.select().get()
    assert (row.model, row.phone_number) == ("iPad", "+49 30 1")


@covers("MS-ASCMD_R5582", "MS-ASCMD_R5583")
@pytest.mark.parametrize(
    ("children", "status"),
    [
        ((Tag.Model("iPad"), Tag.EnableOutboundSMS(2)), 5),
        ((Tag.Model("iPad"), Tag.EnableOutboundSMS("yes")), 5),
        ((Tag.Model("iPad"), Tag.Model("iPhone")), 6),
    ],
)
def test_an_introduction_that_makes_no_sense(phone, children, status):
    answer = ask(phone, introduction(*children))
    assert answer.require(Tag.DeviceInformation).int_of(Tag.Status) == status
    with db.connection():
        assert Device.select().get().model == ""


def test_what_a_device_says_of_itself_is_cut(phone):
    ask(phone, introduction(Tag.FriendlyName("x" * 100_000)))
    with db.connection():
        assert len(Device.select().get().friendly_name) == 1_024


@covers("MS-ASCMD_R481", "MS-ASCMD_R469", "MS-ASCMD_R5713", "MS-ASCMD_R480")
def test_several_properties_are_answered_in_their_order(phone):
    answer = ask(phone, OOF, introduction(Tag.Model("x")), USER)
    assert [child.tag.name for child in answer] == ["Status", "Oof", "DeviceInformation", "UserInformation"]


@covers("MS-ASCMD_R3863")
@covers("MS-ASCMD_R4398", "MS-ASCMD_R4400")
@pytest.mark.parametrize(
    ("content", "status"),
    [
        ([Tag.Set(Tag.Password("secret"))], 7),
        ([Tag.Set(Tag.Password("x" * 256))], 7),
        ([Tag.Set(Tag.Password("x" * 257))], 5),
        ([Tag.Set()], 2),
        ([], 2),
    ],
)
def test_a_recovery_password_is_not_kept(phone, content, status):
    answer = ask(phone, Tag.DevicePassword(content))
    assert answer.int_of(Tag.Status) == 1
    assert [(child.tag.name, child.text) for child in answer.require(Tag.DevicePassword)] == [
        ("Status", str(status))
    ]


def test_what_is_not_there(phone):
    answer = ask(phone, Tag.RightsManagementInformation(Tag.Get())).require(Tag.RightsManagementInformation)
    templates = answer.require(Tag.Get).require(RightsManagement.RightsManagementTemplates)
    assert (answer.int_of(Tag.Status), templates.children) == (1, [])


@covers("MS-ASCMD_R5845")
@pytest.mark.parametrize("element", [Tag.DeviceInformation(), Tag.UserInformation()], ids=str)
def test_a_property_that_asks_nothing(phone, element):
    assert ask(phone, element).require(element.tag).int_of(Tag.Status) == 2


@covers("MS-ASCMD_R483")
@pytest.mark.parametrize(
    "document",
    [
        Tag.Settings(),
        AirSync.Sync(),
        Tag.Settings(USER, USER),
        Tag.Settings(USER, Tag.Status(1)),
        Tag.Settings([USER] * 6),
    ],
    ids=["bare", "root", "twice", "unknown", "six"],
)
def test_malformed(phone, document):
    answer = phone.asked("Settings", document)
    assert [(child.tag.name, child.text) for child in answer] == [("Status", "2")]
