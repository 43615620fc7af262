"""Remote wipe on the wire: who is told what, in which version, and when it is over."""

import pytest

from appliance import bus, db
from appliance.devices import access, devices, policies, traces, wiping
from appliance.devices.access import Access
from appliance.devices.wipe import FULL_DELAY, Scope, State
from appliance.eas import policy
from appliance.errors import Conflict
from appliance.items.folder import FolderType
from appliance.wbxml.codepages import AirSync, FolderHierarchy, Ping
from appliance.wbxml.codepages import Provision as Tag
from tests.covers import covers
from tests.unit.eas.test_provision import device_of, folder_sync, offer, policy_of, provisioned
from tests.unit.eas.world import Phone, request


def want(phone, scope=Scope.ACCOUNT):
    wiping.request(device_of(phone), scope, phone.server.clock.now(), by="test")
    if scope is Scope.FULL:
        phone.server.clock.step(FULL_DELAY)


def state_of(phone):
    return State(device_of(phone).wipe_state)


def done(tag, status=1):
    return Tag.Provision(tag(Tag.Status(status)))


def names(answer):
    return [(child.tag.name, child.text) for child in answer]


@pytest.fixture
def known(phone):
    """A phone the server has met."""
    phone.folder_sync()
    return phone


@covers("MS-ASPROV_R66613", "MS-ASPROV_R66615")
@covers("MS-ASPROV_R653", "MS-ASPROV_R758", "MS-ASPROV_R654", "MS-ASPROV_R1047", "MS-ASPROV_R66609")
@pytest.mark.parametrize(
    ("scope", "tag"), [(Scope.ACCOUNT, Tag.AccountOnlyRemoteWipe), (Scope.FULL, Tag.RemoteWipe)]
)
@pytest.mark.parametrize("asked", [None, offer()], ids=["empty", "phase 1"])
def test_a_wipe_from_request_to_return(known, scope, tag, asked):
    want(known, scope)
    assert folder_sync(known, None) == 140
    assert state_of(known) is State.REQUESTED, "it can still be taken back"
    assert names(known.asked("Provision", asked)) == [("Status", "1"), (tag.name, "")]
    assert state_of(known) is State.SENT
    assert folder_sync(known, None) == 140
    assert names(known.asked("Provision", done(tag))) == [("Status", "1")]
    assert state_of(known) is State.DONE
    assert names(known.asked("Provision", done(tag))) == [("Status", "1")], "the answer was lost"
    assert folder_sync(known, None) == 1, "a phone that is set up again is not wiped again"
    assert state_of(known) is State.NONE
    policy_of(known.asked("Provision", offer()))


def test_what_it_had_is_gone_after_a_wipe(known, inbox):
    key = provisioned(known)
    known.prime(inbox)
    want(known)
    known.asked("Provision", None)
    known.asked("Provision", done(Tag.AccountOnlyRemoteWipe))
    assert device_of(known).policy_key == 0 != key
    assert known.sync(inbox).status == 3


@covers("MS-ASPROV_R66610", "MS-ASPROV_R66611", "MS-ASPROV_R702", "MS-ASPROV_R1048")
def test_a_failure_is_told_again(known):
    want(known)
    known.asked("Provision", None)
    answer = known.asked("Provision", done(Tag.AccountOnlyRemoteWipe, 2))
    assert names(answer) == [("Status", "2"), ("AccountOnlyRemoteWipe", "")]
    assert folder_sync(known, None) == 140
    assert names(known.asked("Provision", done(Tag.AccountOnlyRemoteWipe))) == [("Status", "1")]
    assert state_of(known) is State.DONE


def test_the_status_may_come_before_the_directive(known):
    want(known)
    known.asked("Provision", None)
    quirk = Tag.Provision(Tag.Status(1), Tag.AccountOnlyRemoteWipe())
    assert names(known.asked("Provision", quirk)) == [("Status", "1")]
    assert state_of(known) is State.DONE


def test_an_acknowledgement_of_what_was_not_said_counts_for_nothing(known):
    assert names(known.asked("Provision", done(Tag.RemoteWipe))) == [("Status", "2")]
    want(known)
    answer = known.asked("Provision", done(Tag.AccountOnlyRemoteWipe))
    assert names(answer) == [("Status", "2"), ("AccountOnlyRemoteWipe", "")], "it is only being told now"
    answer = known.asked("Provision", done(Tag.RemoteWipe))
    assert names(answer) == [("Status", "2"), ("AccountOnlyRemoteWipe", "")]
    assert state_of(known) is State.SENT


@pytest.mark.parametrize("version", ["14.0", "14.1", "16.0", "12.1"])
@pytest.mark.parametrize("name", ["Provision", "FolderSync", "Ping"])
def test_an_older_version_never_hears_of_an_account_only_wipe(known, version, name):
    want(known)
    answer = known.server.ask(known.account, request(name, None, version=version, policy_key=1))
    if version == "12.1":
        assert (answer.status, answer.body) == (403, b"")
    else:
        assert answer.status == 200
        assert names(known.asked(name, None, version=version)) == [("Status", "129")]
    found = device_of(known)
    assert (found.access, found.is_allowed, found.access_reason) == ("block", False, policy.WIPE_TOO_OLD)
    assert state_of(known) is State.REQUESTED
    assert names(known.asked("Provision", None)) == [("Status", "1"), ("AccountOnlyRemoteWipe", "")]


def test_versions_before_14_are_told_of_a_full_one_by_http(known):
    want(known, Scope.FULL)
    for key, http in ((1, 449), (None, 403)):
        asked = request("FolderSync", None, version="12.1", policy_key=key)
        assert known.server.ask(known.account, asked).status == http
    answer = known.asked("Provision", None, version="12.1")
    assert names(answer) == [("Status", "1"), ("RemoteWipe", "")]


def test_the_same_device_id_under_another_account_is_another_device(known):
    other = Phone(known.server, known.server.account("bert"))
    other.folder_sync()
    want(known, Scope.FULL)
    assert folder_sync(other, None) == 1
    assert names(other.asked("Provision", None)) == [("Status", "2")]
    assert state_of(known) is State.REQUESTED


def test_it_can_be_taken_back_until_it_is_sent(known):
    now = known.server.clock.now()
    want(known)
    wiping.cancel(device_of(known), now, by="test")
    assert folder_sync(known, None) == 1
    want(known)
    known.asked("Provision", None)
    with pytest.raises(Conflict):
        wiping.cancel(device_of(known), now, by="test")
    with pytest.raises(Conflict):
        devices.forget(device_of(known).id)


def test_a_full_one_leaves_ten_minutes_to_take_it_back(known, inbox):
    clock = known.server.clock
    key = provisioned(known)
    known.prime(inbox)
    wiping.request(device_of(known), Scope.FULL, clock.now(), by="test")
    (notice,) = known.server.listed(known.account, inbox)
    assert notice.subject == "Remote wipe of a device"
    clock.step(FULL_DELAY / 2)
    assert folder_sync(known, key) == 1, "until then it works on"
    assert names(known.asked("Provision", done(Tag.RemoteWipe))) == [("Status", "2")], "it was told nothing"
    policy_of(known.asked("Provision", offer()))
    with pytest.raises(Conflict, match="not due"):
        wiping.send(device_of(known).id, clock.now())
    with pytest.raises(Conflict):
        devices.forget(device_of(known).id)
    assert state_of(known) is State.REQUESTED
    wiping.cancel(device_of(known), clock.now(), by="test")
    clock.step(FULL_DELAY)
    assert folder_sync(known, key) == 1
    want(known, Scope.FULL)
    assert folder_sync(known, key) == 140


def test_a_request_is_not_held_beyond_the_moment(known, inbox):
    known.prime(inbox)
    wiping.request(device_of(known), Scope.FULL, known.server.clock.now(), by="test")
    known.prime(inbox)
    folders = Ping.Folders(Ping.Folder(Ping.Id(str(inbox)), Ping.Class("Email")))
    held = known.hold("Ping", Ping.Ping(Ping.HeartbeatInterval(3000), folders))
    held.until_waiting()
    known.server.clock.step(FULL_DELAY)
    bus.publish(bus.account_topic(known.account.id), bus.ANYTHING)
    assert held.answer().text_of(Ping.Status) == "1"
    assert folder_sync(known, None) == 140


def test_every_command_is_stopped(known, inbox):
    want(known)
    sync = AirSync.Sync(AirSync.Collections(known.collection(inbox)))
    assert known.asked("Sync", sync).int_of(AirSync.Status) == 140
    assert known.asked("Ping", None).int_of(Ping.Status) == 140


def test_a_held_request_ends_so_that_the_phone_comes_and_hears(known, inbox):
    known.prime(inbox)
    document = Ping.Ping(Ping.HeartbeatInterval(600), Ping.Folders(Ping.Folder(Ping.Id(inbox))))
    held = known.hold("Ping", document)
    held.until_waiting()
    want(known)
    answer = held.answer()
    assert answer is not None and answer.int_of(Ping.Status) == 1


def test_the_user_is_told(known):
    want(known)
    known.asked("Provision", None)
    known.asked("Provision", done(Tag.AccountOnlyRemoteWipe))
    known.asked("Provision", done(Tag.AccountOnlyRemoteWipe))
    listed = known.server.listed(known.account, known.folder(FolderType.INBOX))
    assert [message.subject for message in listed] == ["Remote wipe of a device"] * 2


# --- who may come in ------------------------------------------------------------------------------


def blocked(phone, name="FolderSync"):
    answer = phone.asked(name, FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0")))
    return answer.int_of(FolderHierarchy.Status) == 129


def test_a_quarantined_device_introduces_itself_and_gets_no_mail(phone, inbox):
    access.set_default(Access.QUARANTINE)
    phone.folder_sync()
    assert provisioned(phone) > 0
    sync = AirSync.Sync(AirSync.Collections(phone.collection(inbox)))
    assert phone.asked("Sync", sync).int_of(AirSync.Status) == 129
    early = request("Sync", None, version="12.1")
    assert phone.server.ask(phone.account, early).status == 403
    listed = phone.server.listed(phone.account, inbox)
    assert [message.subject for message in listed] == ["A new device waits to be let in"]
    access.decide(device_of(phone), Access.ALLOW)
    assert phone.asked("Sync", sync).find(AirSync.Collections) is not None


def test_a_rule_decides_at_first_contact_and_an_operator_for_good(phone):
    access.add_rule(Access.BLOCK, "type", "IPH*")
    assert blocked(phone)
    access.decide(device_of(phone), Access.ALLOW)
    assert not blocked(phone)
    access.set_default(Access.BLOCK)
    assert not blocked(phone)
    other = Phone(phone.server, phone.account, device_id="device2")
    assert blocked(other)


def test_what_a_device_tells_of_itself_is_judged(phone):
    number = access.add_rule(Access.BLOCK, "os", "iOS 26*")
    assert not blocked(phone)
    provisioned_answer = phone.asked("Provision", offer())
    assert policy_of(provisioned_answer).int_of(Tag.Status) == 1
    assert blocked(phone)
    assert device_of(phone).access_reason == f"rule {number}"
    access.remove_rule(number)
    assert not blocked(phone)


def test_the_first_rule_that_fits_decides():
    rules = [
        access.Rule(1, Access.ALLOW, "user_agent", "*iphone*"),
        access.Rule(2, Access.QUARANTINE, "model", "?Phone"),
        access.Rule(3, Access.BLOCK, "type", "*"),
    ]

    def judged(**told):
        full = dict.fromkeys(access.FIELDS, "") | told
        return access.verdict(rules, Access.ALLOW, full)

    assert judged(user_agent="Apple-iPhone15C4/2301") == (Access.ALLOW, "rule 1")
    assert judged(model="xPhone") == (Access.QUARANTINE, "rule 2")
    assert judged() == (Access.BLOCK, "rule 3")
    assert access.verdict([], Access.QUARANTINE, dict.fromkeys(access.FIELDS, "")) == (
        Access.QUARANTINE,
        "default",
    )


def test_a_device_is_judged_once(phone, monkeypatch):
    phone.folder_sync()
    monkeypatch.setattr(access, "judge", lambda *_: pytest.fail("judged again"))
    phone.folder_sync()
    with db.connection():
        assert devices.list_devices(phone.account.id)[0].is_judged


def test_on_either_database(either_phone):
    phone = either_phone
    access.set_default(Access.QUARANTINE)
    access.add_rule(Access.ALLOW, "type", "iphone")
    policies.save("office", {"AllowCamera": 0}, phone.server.clock.now(), refresh_hours=1)
    policies.make_default("office")
    assert folder_sync(phone, None) == 142
    key = provisioned(phone)
    assert folder_sync(phone, key) == 1
    policies.assign(phone.account.id, "none")
    assert folder_sync(phone, None) == 1
    want(phone)
    phone.asked("Provision", None)
    phone.asked("Provision", done(Tag.AccountOnlyRemoteWipe))
    assert folder_sync(phone, None) == 1
    found = device_of(phone)
    with db.connection():
        assert traces.load(found.id).steps["Provision"].outcome == "ok"
    devices.forget(found.id)
    policies.make_default("none")
    policies.delete("office")
