"""Provision in two phases, and the gate in front of the other commands."""

from dataclasses import replace

import pytest

from appliance import db
from appliance.db.tables import Device
from appliance.devices import devices
from appliance.eas import policy
from appliance.wbxml.codepages import AirSync, FolderHierarchy, Ping, Settings
from appliance.wbxml.codepages import Provision as Tag
from tests.covers import covers

INTRODUCTION = Settings.DeviceInformation(
    Settings.Set(
        Settings.Model("iPhone15C4"), Settings.OS("iOS 26.0"), Settings.IMEI(), Settings.FriendlyName("A")
    )
)


def offer(*, introduction=INTRODUCTION, kind=policy.TYPE):
    return Tag.Provision(
        introduction, Tag.Policies(Tag.Policy(Tag.PolicyType(kind) if kind is not None else None))
    )


def acknowledgement(key, status=1):
    return Tag.Provision(
        Tag.Policies(Tag.Policy(Tag.PolicyType(policy.TYPE), Tag.PolicyKey(key), Tag.Status(status)))
    )


def policy_of(answer):
    return answer.require(Tag.Policies).require(Tag.Policy)


def device_of(phone):
    with db.connection():
        return devices.list_devices(phone.account.id)[0]


def provisioned(phone):
    temporary = policy_of(phone.asked("Provision", offer())).int_of(Tag.PolicyKey)
    return policy_of(phone.asked("Provision", acknowledgement(temporary))).int_of(Tag.PolicyKey)


@covers("MS-ASPROV_R678", "MS-ASPROV_R441", "MS-ASPROV_R688", "MS-ASPROV_R466")
@covers("MS-ASPROV_R703", "MS-ASPROV_R495", "MS-ASPROV_R486")
@covers("MS-ASPROV_R417", "MS-ASPROV_R310", "MS-ASPROV_R209", "MS-ASPROV_R394", "MS-ASPROV_R378")
@covers("MS-ASPROV_R650", "MS-ASCMD_R4990", "MS-ASCMD_R4992", "MS-ASCMD_R5026")
@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_phase_1_hands_out_a_policy_and_a_temporary_key(phone, version):
    answer = phone.asked("Provision", offer(), version=version)
    assert answer.int_of(Tag.Status) == 1
    assert answer.require(Settings.DeviceInformation).int_of(Settings.Status) == 1
    given = policy_of(answer)
    assert [child.tag.name for child in given] == ["PolicyType", "Status", "PolicyKey", "Data"]
    assert given.int_of(Tag.PolicyKey) > 0
    assert given.require(Tag.Data).find(Tag.EASProvisionDoc) is not None
    assert device_of(phone).policy_key == 0


@covers("MS-ASPROV_R419", "MS-ASPROV_R605", "MS-ASPROV_R601", "MS-ASPROV_R662", "MS-ASCMD_R5028")
def test_phase_2_trades_the_key(phone):
    temporary = policy_of(phone.asked("Provision", offer())).int_of(Tag.PolicyKey)
    given = policy_of(phone.asked("Provision", acknowledgement(temporary)))
    assert [child.tag.name for child in given] == ["PolicyType", "Status", "PolicyKey"]
    permanent = given.int_of(Tag.PolicyKey)
    assert permanent not in (0, temporary)
    assert (device_of(phone).policy_key, device_of(phone).policy_key_pending) == (permanent, 0)


@covers("MS-ASPROV_R692", "MS-ASPROV_R708", "MS-ASPROV_R695")
@covers("MS-ASPROV_R382", "MS-ASPROV_R507", "MS-ASPROV_R475", "MS-ASPROV_R761", "MS-ASPROV_R657")
def test_a_wrong_or_spent_key_is_not_acknowledged(phone):
    assert policy_of(phone.asked("Provision", acknowledgement(7))).int_of(Tag.Status) == 5
    temporary = policy_of(phone.asked("Provision", offer())).int_of(Tag.PolicyKey)
    assert policy_of(phone.asked("Provision", acknowledgement(temporary + 1))).int_of(Tag.Status) == 5
    assert policy_of(phone.asked("Provision", acknowledgement(0))).int_of(Tag.Status) == 5
    permanent = policy_of(phone.asked("Provision", acknowledgement(temporary))).int_of(Tag.PolicyKey)
    outdated = policy_of(phone.asked("Provision", offer())).int_of(Tag.PolicyKey)
    phone.asked("Provision", offer())
    assert policy_of(phone.asked("Provision", acknowledgement(outdated))).int_of(Tag.Status) == 5
    assert device_of(phone).policy_key == permanent


def test_a_lost_answer_of_phase_2_is_given_again(phone):
    temporary = policy_of(phone.asked("Provision", offer())).int_of(Tag.PolicyKey)
    first = policy_of(phone.asked("Provision", acknowledgement(temporary)))
    again = policy_of(phone.asked("Provision", acknowledgement(temporary)))
    assert again.int_of(Tag.Status) == 1
    assert again.int_of(Tag.PolicyKey) == first.int_of(Tag.PolicyKey) == device_of(phone).policy_key


def test_the_introduction_is_kept(phone):
    phone.asked("Provision", offer())
    with db.connection():
        row = Device.select().get()
    assert (row.model, row.os, row.imei, row.friendly_name) == ("iPhone15C4", "iOS 26.0", "", "A")


@covers("MS-ASCMD_R4954")
@pytest.mark.parametrize(("version", "expected"), [("14.1", 165), ("16.1", 165)])
def test_the_device_introduces_itself(phone, version, expected):
    answer = phone.asked("Provision", offer(introduction=None), version=version)
    assert [(child.tag.name, child.text) for child in answer] == [("Status", str(expected))]


def test_older_versions_need_no_introduction(phone, monkeypatch):
    monkeypatch.setattr("appliance.eas.versions.OFFERED", ("14.0", "14.1", "16.1"))
    answer = phone.asked("Provision", offer(introduction=None), version="14.0")
    assert policy_of(answer).int_of(Tag.Status) == 1
    assert answer.find(Settings.DeviceInformation) is None


@covers("MS-ASPROV_R471", "MS-ASPROV_R502", "MS-ASPROV_R888")
@covers("MS-ASPROV_R380")
def test_another_kind_of_policy(phone):
    given = policy_of(phone.asked("Provision", offer(kind="MS-WAP-Provisioning-XML")))
    assert (given.text_of(Tag.PolicyType), given.int_of(Tag.Status)) == ("MS-WAP-Provisioning-XML", 3)
    assert given.find(Tag.Data) is None


@covers("MS-ASPROV_R679", "MS-ASPROV_R450", "MS-ASPROV_R497")
@covers("MS-ASCMD_R4989", "MS-ASPROV_R395")
@pytest.mark.parametrize(
    "document",
    [None, Tag.Provision(), offer(kind=None), offer(kind=""), Tag.Provision(Tag.Policies())],
    ids=["empty", "bare", "no type", "empty type", "no policy"],
)
def test_malformed(phone, document):
    assert phone.asked("Provision", document).int_of(Tag.Status) == 2


def test_another_document(phone):
    assert phone.asked("Provision", AirSync.Sync()).int_of(Tag.Status) == 103


def test_keys_are_never_0(monkeypatch):
    monkeypatch.setattr("secrets.randbelow", lambda limit: 0)
    assert policy.new_key() == 1
    monkeypatch.setattr("secrets.randbelow", lambda limit: limit - 1)
    assert policy.new_key() == 2**32 - 1


# --- the gate -------------------------------------------------------------------------------------


def folder_sync(phone, key):
    asked = FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0"))
    return phone.asked("FolderSync", asked, policy_key=key).int_of(FolderHierarchy.Status)


def test_by_default_no_key_is_asked_for(phone):
    assert folder_sync(phone, None) == 1
    assert folder_sync(phone, 99) == 1


@covers("MS-ASPROV_R509", "MS-ASCMD_R4912")
def test_the_gate(phone, inbox):
    phone.server.eas = replace(phone.server.eas, policy_required=True)
    assert folder_sync(phone, None) == 142
    assert folder_sync(phone, 0) == 142
    key = provisioned(phone)
    assert folder_sync(phone, key) == 1
    assert folder_sync(phone, None) == 144
    assert folder_sync(phone, key + 1) == 144
    asked = AirSync.Sync(AirSync.Collections(phone.collection(inbox)))
    assert phone.asked("Sync", asked, policy_key=1).int_of(AirSync.Status) == 144
    assert phone.asked("Ping").int_of(Ping.Status) == 3, "Ping carries no key"


def test_a_temporary_key_opens_nothing_but_phase_2(phone):
    phone.server.eas = replace(phone.server.eas, policy_required=True)
    temporary = policy_of(phone.asked("Provision", offer())).int_of(Tag.PolicyKey)
    assert folder_sync(phone, temporary) == 142


def test_asking_again_does_not_close_the_gate(phone):
    phone.server.eas = replace(phone.server.eas, policy_required=True)
    key = provisioned(phone)
    phone.asked("Provision", offer())
    assert folder_sync(phone, key) == 1
