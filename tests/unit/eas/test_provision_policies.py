"""Policies on the wire: every element in order, who must apply what, when a key is stale."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.devices import devices, policies
from appliance.devices.policy_values import EARLY_COUNT, SETTINGS, validated
from appliance.eas import policy
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.wbxml.codepages import Provision as Tag
from tests.covers import covers
from tests.unit.eas.test_provision import (
    acknowledgement,
    device_of,
    folder_sync,
    offer,
    policy_of,
    provisioned,
)
from tests.unit.eas.world import request


def save(phone, name="office", values=None, **switches):
    return policies.save(name, values or {}, phone.server.clock.now(), **switches)


@pytest.fixture
def office(phone):
    save(phone, values={"DevicePasswordEnabled": 1, "MinDevicePasswordLength": "6"})
    policies.make_default("office")
    return phone


def told(phone, version="16.1"):
    introduction = {} if version in ("14.1", "16.0", "16.1") else {"introduction": None}
    answer = phone.asked("Provision", offer(**introduction), version=version)
    document = policy_of(answer).require(Tag.Data).require(Tag.EASProvisionDoc)
    return [(child.tag.name, child.text) for child in document]


@covers("MS-ASPROV_R235", "MS-ASPROV_R232")
def test_every_element_is_told_in_the_order_of_the_schema(office):
    document = told(office)
    assert [name for name, _ in document] == [setting.name for setting in SETTINGS]
    assert dict(document)["DevicePasswordEnabled"] == "1"
    assert dict(document)["MinDevicePasswordLength"] == "6"
    assert dict(document)["MaxDevicePasswordFailedAttempts"] == "", "a value makes phones erase themselves"
    assert SETTINGS[EARLY_COUNT - 1].name == "DevicePasswordHistory"
    assert "DocumentBrowseEnabled" not in dict(document)


@covers("MS-ASPROV_R1044", "MS-ASPROV_R1045")
def test_what_is_withdrawn_is_told_as_empty_or_default(office):
    save(office, values={"MinDevicePasswordLength": "", "DevicePasswordEnabled": ""})
    document = dict(told(office))
    assert (document["MinDevicePasswordLength"], document["DevicePasswordEnabled"]) == ("", "0")


def test_lists_travel_as_entries(office):
    save(office, values={"UnapprovedInROMApplicationList": "a.exe, b.exe"})
    answer = office.asked("Provision", offer())
    document = policy_of(answer).require(Tag.Data).require(Tag.EASProvisionDoc)
    entries = document.require(Tag.UnapprovedInROMApplicationList)
    assert [(entry.tag.name, entry.text) for entry in entries] == [
        ("ApplicationName", "a.exe"),
        ("ApplicationName", "b.exe"),
    ]


def test_a_policy_is_asked_for_as_soon_as_it_is_enforced(office):
    assert folder_sync(office, None) == 142
    key = provisioned(office)
    assert folder_sync(office, key) == 1


@covers("MS-ASPROV_R537")
@pytest.mark.parametrize("change", [{"DevicePasswordEnabled": ""}, {"AllowCamera": 0}])
def test_a_change_makes_every_key_stale(office, change):
    key = provisioned(office)
    save(office, values=change)
    assert folder_sync(office, key) == 144
    assert folder_sync(office, provisioned(office)) == 1


def test_a_change_between_the_phases_is_fetched_next(office):
    temporary = policy_of(office.asked("Provision", offer())).int_of(Tag.PolicyKey)
    save(office, values={"AllowCamera": 0})
    key = policy_of(office.asked("Provision", acknowledgement(temporary))).int_of(Tag.PolicyKey)
    assert folder_sync(office, key) == 144


def test_saving_the_same_again_leaves_the_keys_alone(office):
    key = provisioned(office)
    save(office, values={"DevicePasswordEnabled": 1}, allows_partial=False)
    assert folder_sync(office, key) == 1


def test_versions_before_14_are_told_by_http(office):
    asked = request("FolderSync", None, version="12.1", device_id="old", policy_key=None)
    assert office.server.ask(office.account, asked).status == 449
    document = {"introduction": None}
    answer = office.asked("Provision", offer(**document), version="12.1", device_id="old")
    temporary = policy_of(answer).int_of(Tag.PolicyKey)
    done = office.asked("Provision", acknowledgement(temporary), version="12.1", device_id="old")
    key = policy_of(done).int_of(Tag.PolicyKey)
    save(office, values={"AllowCamera": 0})
    asked = request("FolderSync", None, version="12.1", device_id="old", policy_key=key)
    assert office.server.ask(office.account, asked).status == 449


def test_none_asks_for_nothing_and_gives_a_key_all_the_same(office):
    policies.assign(office.account.id, "none")
    assert folder_sync(office, None) == 1
    assert provisioned(office) > 0
    assert dict(told(office))["DevicePasswordEnabled"] == "0"
    policies.assign(office.account.id, None)
    assert folder_sync(office, None) == 144


def test_an_optional_policy_is_offered_but_not_required(office):
    save(office, is_enforced=False)
    assert folder_sync(office, None) == 1
    assert dict(told(office))["DevicePasswordEnabled"] == "1"


def test_another_account_is_not_affected(office):
    policies.make_default("none")
    policies.assign(office.account.id, "office")
    assert folder_sync(office, None) == 142
    other = type(office)(office.server, office.server.account("bert"))
    assert folder_sync(other, None) == 1


def test_a_key_is_refreshed_after_the_interval(office):
    save(office, refresh_hours=24)
    key = provisioned(office)
    office.server.clock.step(timedelta(hours=23))
    assert folder_sync(office, key) == 1
    office.server.clock.step(timedelta(hours=1))
    assert folder_sync(office, key) == 143
    assert folder_sync(office, provisioned(office)) == 1


@covers("MS-ASPROV_R686", "MS-ASPROV_R461", "MS-ASPROV_R687")
@covers("MS-ASPROV_R681", "MS-ASPROV_R684", "MS-ASPROV_R1046", "MS-ASPROV_R697", "MS-ASCMD_R4917")
@pytest.mark.parametrize(("did", "status"), [(2, 139), (3, 139), (4, 145)])
def test_a_strict_policy_keeps_out_who_cannot_apply_it(office, did, status):
    save(office, allows_partial=False)
    temporary = policy_of(office.asked("Provision", offer())).int_of(Tag.PolicyKey)
    answer = office.asked("Provision", acknowledgement(temporary, did))
    assert [(child.tag.name, child.text) for child in answer] == [("Status", str(status))]
    assert folder_sync(office, temporary) == 142


@pytest.mark.parametrize("did", [1, 2, 3, 4])
def test_otherwise_whatever_it_applied_is_good_enough(office, did):
    temporary = policy_of(office.asked("Provision", offer())).int_of(Tag.PolicyKey)
    key = policy_of(office.asked("Provision", acknowledgement(temporary, did))).int_of(Tag.PolicyKey)
    assert folder_sync(office, key) == 1
    with db.connection():
        assert devices.about(device_of(office).id)["policy_status"] == did


@pytest.mark.parametrize("did", [0, 5])
def test_an_acknowledgement_says_what_was_done(office, did):
    temporary = policy_of(office.asked("Provision", offer())).int_of(Tag.PolicyKey)
    assert office.asked("Provision", acknowledgement(temporary, did)).int_of(Tag.Status) == 2
    assert device_of(office).policy_key == 0


def test_a_policy_can_be_removed_when_nobody_has_it(office):
    with pytest.raises(Conflict):
        policies.delete("office")
    policies.make_default("none")
    policies.delete("office")
    with pytest.raises(NotFound):
        policies.assign(office.account.id, "office")


@pytest.mark.parametrize(
    "values",
    [
        {"NoSuchThing": 1},
        {"DocumentBrowseEnabled": 1},
        {"AllowCamera": 2},
        {"AllowCamera": "yes"},
        {"AllowCamera": "²"},
        {"MinDevicePasswordLength": 17},
        {"MaxDevicePasswordFailedAttempts": 3},
        {"MaxCalendarAgeFilter": 1},
        {"MaxAttachmentSize": 2**32},
        {"MinDevicePasswordComplexCharacters": 5},
        {"ApprovedApplicationList": "x" * 300},
        {"AlphanumericDevicePasswordRequired": 1},
    ],
    ids=str,
)
def test_what_the_protocol_does_not_allow_is_refused(values):
    with pytest.raises(InvalidInput):
        validated(values)


def test_every_value_at_both_ends_is_valid_on_the_wire(phone):
    for setting in SETTINGS:
        for value in {setting.low, setting.high} if not setting.entry and not setting.choices else ():
            extra = {"DevicePasswordEnabled": 1} if setting.name.startswith("Alpha") else {}
            save(phone, values={setting.name: value} | extra)
            policies.make_default("office")
            assert dict(told(phone))[setting.name] == str(value)  # `told` checks the schema
            save(phone, values=dict.fromkeys({setting.name, *extra}, ""))


def test_the_default_document_needs_no_policy():
    assert [child.tag.name for child in policy.document()] == [setting.name for setting in SETTINGS]
