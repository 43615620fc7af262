"""The phone against a scripted server: what goes over the wire and what it does about the answers."""

import base64
import json
import struct

import pytest

from appliance.phone import Phone
from appliance.phone.errors import HttpError, ProtocolError, StatusError, Wiped
from appliance.phone.mailbox import Folder
from appliance.phone.multipart import CONTENT_TYPE
from appliance.phone.operations import PingAnswer
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    ComposeMail,
    Email,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Provision,
    Settings,
)
from appliance.wbxml.element import Element
from tests.unit.phone.scripted import Said, ScriptedServer

POLICY_TYPE = "MS-EAS-Provisioning-WBXML"


def phone_for(server: ScriptedServer, version: str = "16.1") -> Phone:
    return Phone(server.url, "mia@example.com", "secret", version=version, timeout_s=5)


def policy(key: str, *, status: int = 1, data: bool = True) -> Element:
    document = Provision.Data(Provision.EASProvisionDoc(Provision.DevicePasswordEnabled(1)))
    return Provision.Provision(
        Provision.Status(1),
        Provision.Policies(
            Provision.Policy(
                Provision.PolicyType(POLICY_TYPE),
                Provision.Status(status),
                Provision.PolicyKey(key),
                document if data else None,
            )
        ),
    )


PROVISION = (policy("77"), policy("1234567", data=False))


def folders(key: str = "1") -> Element:
    return FolderHierarchy.FolderSync(
        FolderHierarchy.Status(1),
        FolderHierarchy.SyncKey(key),
        FolderHierarchy.Changes(
            FolderHierarchy.Count(1),
            FolderHierarchy.Add(
                FolderHierarchy.ServerId("5"),
                FolderHierarchy.ParentId("0"),
                FolderHierarchy.DisplayName("Inbox"),
                FolderHierarchy.Type(2),
            ),
        ),
    )


def test_autodiscover_asks_both_ways() -> None:
    url = "https://mail.example.com/Microsoft-Server-ActiveSync"
    space = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
    xml = (
        f'<Autodiscover xmlns="x"><Response xmlns="{space}"><Action><Settings><Server><Type>MobileSync</Type>'
        f"<Url>{url}</Url><Name>{url}</Name></Server></Settings></Action></Response></Autodiscover>"
    ).encode()
    with ScriptedServer(
        Said(json.dumps({"Protocol": "ActiveSync", "Url": url}).encode()), Said(xml)
    ) as server:
        assert phone_for(server).autodiscover() == (url, url)
        assert (
            "Authorization" not in server.asked[0].headers and "authorization" not in server.asked[0].headers
        )
        assert server.asked[1].headers["authorization"].startswith("Basic ")
        assert b"mia@example.com" in server.asked[1].body


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"Protocol":"EWS","Url":"x"}', b"{}"])
def test_autodiscover_refuses_other_answers(body: bytes) -> None:
    with ScriptedServer(Said(body)) as server, pytest.raises(ProtocolError):
        phone_for(server).autodiscover()


def test_autodiscover_reads_no_document_type() -> None:
    found = {"Protocol": "ActiveSync", "Url": "x"}
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    with (
        ScriptedServer(Said(json.dumps(found).encode()), Said(bomb)) as server,
        pytest.raises(ProtocolError, match="document type"),
    ):
        phone_for(server).autodiscover()


def test_options_reads_the_lists() -> None:
    headers = {"MS-ASProtocolVersions": "14.1, 16.1", "MS-ASProtocolCommands": "Sync,Ping"}
    with ScriptedServer(Said(headers=headers)) as server:
        found = phone_for(server).options()
        assert (found.versions, found.commands) == (("14.1", "16.1"), ("Sync", "Ping"))
        assert server.asked[0].method == "OPTIONS"


def test_options_without_versions_is_no_activesync_server() -> None:
    with ScriptedServer(Said()) as server, pytest.raises(ProtocolError, match="ActiveSync server"):
        phone_for(server).options()


def test_a_request_carries_what_an_iphone_sends() -> None:
    with ScriptedServer(folders()) as server:
        phone = phone_for(server)
        phone.folder_sync()
        asked = server.asked[0]
        assert asked.target.startswith("/Microsoft-Server-ActiveSync?")
        assert f"DeviceId={phone.session.identity.device_id}" in asked.target
        assert "DeviceType=iPhone" in asked.target
        wanted = {
            "ms-asprotocolversion": "16.1",
            "x-ms-policykey": "0",
            "content-type": "application/vnd.ms-sync.wbxml",
            "user-agent": "Apple-iPhone15C4/2204.72",
            "authorization": "Basic " + base64.b64encode(b"mia@example.com:secret").decode(),
        }
        assert {name: asked.headers.get(name) for name in wanted} == wanted
        # FolderSync with SyncKey 0, written out: header, page 7, FolderSync, SyncKey, "0".
        assert asked.body == bytes.fromhex("03016a00000756520330000101")


@pytest.mark.parametrize(
    "demand",
    [
        Said(status=449),
        *(FolderHierarchy.FolderSync(FolderHierarchy.Status(status)) for status in (142, 143, 144)),
    ],
    ids=["449", "142", "143", "144"],
)
def test_a_demand_for_provision_is_met_and_the_command_repeated(demand: Said | Element) -> None:
    with ScriptedServer(demand, *PROVISION, folders()) as server:
        phone = phone_for(server)
        assert phone.folder_sync() == 1
        assert server.commands == ["FolderSync", "Provision", "Provision", "FolderSync"]
        assert [request.headers["x-ms-policykey"] for request in server.asked] == ["0", "0", "77", "1234567"]


def test_a_server_that_demands_provision_for_ever_is_an_error() -> None:
    demand = FolderHierarchy.FolderSync(FolderHierarchy.Status(142))
    with ScriptedServer(demand, *PROVISION, demand) as server:
        with pytest.raises(StatusError, match="never been provisioned"):
            phone_for(server).folder_sync()
        assert server.commands.count("Provision") == 2


@pytest.mark.parametrize(
    ("version", "expected"), [("16.1", True), ("14.1", True), ("14.0", False), ("12.1", False)]
)
def test_device_information_goes_with_provision_from_14_1_on(version: str, expected: bool) -> None:
    with ScriptedServer(*PROVISION) as server:
        phone_for(server, version).provision()
        first = server.asked[0].document
        assert (first.find(Settings.DeviceInformation) is not None) is expected
        assert (
            server.asked[1]
            .document.require(Provision.Policies)
            .require(Provision.Policy)
            .text_of(Provision.PolicyKey)
            == "77"
        )


def test_a_server_without_policies_leaves_the_key_alone() -> None:
    with ScriptedServer(policy("", status=2, data=False)) as server:
        phone = phone_for(server)
        assert phone.provision() == {}
        assert phone.session.policy_key == "0"


@pytest.mark.parametrize("key", ["", "0", "4294967296", "abc", "-1"])
def test_a_policy_key_that_is_no_key_is_refused(key: str) -> None:
    with ScriptedServer(policy(key)) as server, pytest.raises(ProtocolError, match="policy key"):
        phone_for(server).provision()


@pytest.mark.parametrize("account_only", [True, False])
def test_a_wipe_is_confirmed_and_everything_forgotten(account_only: bool) -> None:
    tag = Provision.AccountOnlyRemoteWipe if account_only else Provision.RemoteWipe
    order = Provision.Provision(Provision.Status(1), tag())
    demand = FolderHierarchy.FolderSync(FolderHierarchy.Status(140))
    with ScriptedServer(demand, order, Provision.Provision(Provision.Status(1))) as server:
        phone = phone_for(server)
        phone.mailbox.folders["5"] = Folder("5", "0", "Inbox", "2")
        with pytest.raises(Wiped) as caught:
            phone.folder_sync()
        assert caught.value.account_only is account_only
        assert phone.mailbox.folders == {}
        assert server.asked[2].document.require(tag).int_of(Provision.Status) == 1


def test_an_account_wipe_before_16_1_is_a_mistake_of_the_server() -> None:
    order = Provision.Provision(Provision.Status(1), Provision.AccountOnlyRemoteWipe())
    with ScriptedServer(order) as server, pytest.raises(ProtocolError, match=r"14\.1"):
        phone_for(server, "14.1").provision()


def test_a_rejected_hierarchy_key_starts_over() -> None:
    # FolderSync with Status 9, written out: header, page 7, FolderSync, Status, "9".
    bad_key = bytes.fromhex("03016a000007564c0339000101")
    with ScriptedServer(bad_key, folders("4")) as server:
        phone = phone_for(server)
        phone.mailbox.hierarchy_key = "3"
        assert phone.folder_sync() == 1
        assert phone.mailbox.hierarchy_key == "4"


def test_folders_are_made_renamed_and_deleted() -> None:
    def done(tag: str, key: str, *more: Element) -> Element:
        return getattr(FolderHierarchy, tag)(  # type: ignore[no-any-return]
            FolderHierarchy.Status(1), FolderHierarchy.SyncKey(key), list(more)
        )

    made = done("FolderCreate", "2", FolderHierarchy.ServerId("30"))
    with ScriptedServer(made, done("FolderUpdate", "3"), done("FolderDelete", "4")) as server:
        phone = phone_for(server)
        assert phone.folder_create("Jobs") == "30"
        phone.folder_update("30", "Work")
        assert phone.mailbox.folders["30"].name == "Work"
        phone.folder_delete("30")
        assert (phone.mailbox.folders, phone.mailbox.hierarchy_key) == ({}, "4")


def test_a_full_and_an_empty_ping() -> None:
    # Status 1: header, page 13, Ping, Status, "1".
    time_over = bytes.fromhex("03016a00000d45470331000101")
    changes = Ping.Ping(Ping.Status(2), Ping.Folders(Ping.Folder("5")))
    with ScriptedServer(changes, time_over) as server:
        phone = phone_for(server)
        phone.mailbox.folders["5"] = Folder("5", "0", "Inbox", "2")
        assert phone.ping(60, ["5"]) == PingAnswer(2, ("5",))
        assert phone.ping() == PingAnswer(1)
        first = server.asked[0].document
        assert first.int_of(Ping.HeartbeatInterval) == 60
        folder = first.require(Ping.Folders).require(Ping.Folder)
        assert (folder.text_of(Ping.Id), folder.text_of(Ping.Class)) == ("5", "Email")
        assert server.asked[1].body == b""
        assert "x-ms-policykey" not in server.asked[0].headers


def test_a_ping_that_says_changed_and_names_nothing_is_refused() -> None:
    with ScriptedServer(Ping.Ping(Ping.Status(2))) as server, pytest.raises(ProtocolError):
        phone_for(server).ping(60, ["5"])


def test_mail_travels_as_wbxml_from_14_0_on() -> None:
    with ScriptedServer(b"") as server:
        used = phone_for(server).send_mail(b"Subject: x\r\n\r\nhi", client_id="c-1")
        document = server.asked[0].document
        assert (used, document.text_of(ComposeMail.ClientId)) == ("c-1", "c-1")
        assert document.require(ComposeMail.Mime).data == b"Subject: x\r\n\r\nhi"
        assert document.find(ComposeMail.SaveInSentItems) is not None


def test_mail_travels_bare_up_to_12_1() -> None:
    with ScriptedServer(b"") as server:
        phone_for(server, "12.1").smart_reply("5", "5:1", b"Subject: x\r\n\r\nhi")
        asked = server.asked[0]
        assert asked.body == b"Subject: x\r\n\r\nhi"
        assert asked.headers["content-type"] == "message/rfc822"
        assert "SaveInSent=T" in asked.target and "ItemId=5%3A1" in asked.target


def test_a_refused_message_says_why() -> None:
    with (
        ScriptedServer(ComposeMail.SendMail(ComposeMail.Status(118))) as server,
        pytest.raises(StatusError, match="sent before"),
    ):
        phone_for(server).send_mail(b"x")


def test_forward_names_its_source() -> None:
    with ScriptedServer(b"") as server:
        phone_for(server).smart_forward("5", "5:1", b"x", replace=True)
        document = server.asked[0].document
        source = document.require(ComposeMail.Source)
        assert (source.text_of(ComposeMail.FolderId), source.text_of(ComposeMail.ItemId)) == ("5", "5:1")
        assert document.find(ComposeMail.ReplaceMime) is not None


@pytest.mark.parametrize(("version", "sends"), [("14.1", False), ("16.0", True), ("16.1", True)])
def test_an_invitation_is_answered_in_the_form_of_the_version(version: str, sends: bool) -> None:
    answer = MeetingResponse.MeetingResponse(
        MeetingResponse.Result(
            MeetingResponse.RequestId("5:1"), MeetingResponse.Status(1), MeetingResponse.CalendarId("9:1")
        )
    )
    with ScriptedServer(answer) as server:
        assert phone_for(server, version).meeting_response("5", "5:1", 3) == "9:1"
        asked = server.asked[0].document.require(MeetingResponse.Request)
    assert asked.int_of(MeetingResponse.UserResponse) == 3
    assert (asked.find(MeetingResponse.SendResponse) is not None) is sends


def test_an_invitation_that_cannot_be_answered() -> None:
    answer = MeetingResponse.MeetingResponse(MeetingResponse.Result(MeetingResponse.Status(2)))
    with ScriptedServer(answer) as server, pytest.raises(StatusError, match="no invitation"):
        phone_for(server).meeting_response("5", "5:1", 1)


def test_moves_return_the_new_ids() -> None:
    answer = Move.MoveItems(Move.Response(Move.SrcMsgId("5:1"), Move.Status(3), Move.DstMsgId("6:1")))
    with ScriptedServer(answer) as server:
        assert phone_for(server).move(["5:1"], "5", "6") == {"5:1": "6:1"}


def test_a_move_with_status_1_is_a_failure() -> None:
    answer = Move.MoveItems(Move.Response(Move.SrcMsgId("5:1"), Move.Status(1)))
    with ScriptedServer(answer) as server, pytest.raises(StatusError, match="source"):
        phone_for(server).move(["5:1"], "5", "6")


def estimate(status: int, *collection: Element) -> Element:
    return GetItemEstimate.GetItemEstimate(
        GetItemEstimate.Response(
            GetItemEstimate.Status(status),
            GetItemEstimate.Collection(GetItemEstimate.CollectionId("5"), list(collection)),
        )
    )


def test_an_estimate_is_a_number_or_an_error() -> None:
    answers = (estimate(1, GetItemEstimate.Estimate(17)), estimate(4), estimate(1))
    with ScriptedServer(*answers) as server:
        phone = phone_for(server)
        assert phone.estimate("5") == 17
        with pytest.raises(StatusError, match="unknown SyncKey"):
            phone.estimate("5")
        with pytest.raises(ProtocolError):
            phone.estimate("5")


@pytest.mark.parametrize(
    ("version", "names"),
    [("14.1", ["SyncKey", "CollectionId"]), ("12.1", ["Class", "CollectionId", "FilterType", "SyncKey"])],
)
def test_the_estimate_is_asked_in_the_order_of_the_version(version: str, names: list[str]) -> None:
    with ScriptedServer(estimate(1, GetItemEstimate.Estimate(0))) as server:
        phone_for(server, version).estimate("5")
        collections = server.asked[0].document.require(GetItemEstimate.Collections)
        assert [child.tag.name for child in collections.require(GetItemEstimate.Collection)] == names


def fetched(*properties: Element, status: int = 1) -> Element:
    return ItemOperations.ItemOperations(
        ItemOperations.Status(1),
        ItemOperations.Response(
            ItemOperations.Fetch(
                ItemOperations.Status(status),
                ItemOperations.Properties(properties) if properties else None,
            )
        ),
    )


def multipart(document: Element, *parts: bytes) -> Said:
    all_parts = [encode(document), *parts]
    offset = 4 + 8 * len(all_parts)
    table = struct.pack("<i", len(all_parts))
    for part in all_parts:
        table += struct.pack("<ii", offset, len(part))
        offset += len(part)
    return Said(table + b"".join(all_parts), headers={"Content-Type": CONTENT_TYPE})


def test_an_item_comes_inline_or_as_a_part() -> None:
    inline = fetched(Email.Subject("x"), AirSyncBase.Body(AirSyncBase.Type(4), AirSyncBase.Data("raw")))
    part = fetched(Email.Subject("x"), AirSyncBase.Body(AirSyncBase.Type(4), ItemOperations.Part(1)))
    with ScriptedServer(inline, multipart(part, b"raw")) as server:
        phone = phone_for(server)
        assert phone.fetch("5", "5:1").body == b"raw"
        assert phone.fetch("5", "5:1", multipart=True).body == b"raw"
        assert "ms-asacceptmultipart" not in server.asked[0].headers
        assert server.asked[1].headers["ms-asacceptmultipart"] == "T"


def test_an_attachment_comes_inline_or_as_a_part() -> None:
    data = bytes(range(256))
    kind = AirSyncBase.ContentType("application/pdf")
    inline = fetched(kind, ItemOperations.Data(base64.b64encode(data).decode()))
    with ScriptedServer(inline, multipart(fetched(kind, ItemOperations.Part(1)), data)) as server:
        phone = phone_for(server)
        assert phone.fetch_attachment("5:1:2", multipart=False).data == data
        assert phone.fetch_attachment("5:1:2").data == data


@pytest.mark.parametrize(
    "answer",
    [
        fetched(AirSyncBase.ContentType("x"), ItemOperations.Data("not base64!")),
        multipart(fetched(ItemOperations.Part(2)), b"one"),
        multipart(fetched(ItemOperations.Part(0)), b"one"),
        fetched(),
    ],
    ids=["base64", "part too high", "part 0", "no properties"],
)
def test_broken_attachments_are_refused(answer: Element | Said) -> None:
    with ScriptedServer(answer) as server, pytest.raises(ProtocolError):
        phone_for(server).fetch_attachment("5:1:2")


def test_a_missing_attachment_is_an_error_in_words() -> None:
    with ScriptedServer(fetched(status=15)) as server, pytest.raises(StatusError, match="does not exist"):
        phone_for(server).fetch_attachment("5:1:9")


def test_user_information_has_two_forms() -> None:
    addresses = Settings.EmailAddresses(
        Settings.SMTPAddress("info@example.com"),
        Settings.SMTPAddress("mia@example.com"),
        Settings.PrimarySmtpAddress("mia@example.com"),
    )

    def information(*content: Element) -> Element:
        return Settings.Settings(
            Settings.Status(1), Settings.UserInformation(Settings.Status(1), Settings.Get(list(content)))
        )

    new = information(Settings.Accounts(Settings.Account(addresses)))
    old = information(Settings.EmailAddresses(Settings.SMTPAddress("mia@example.com")))
    with ScriptedServer(new, old) as server:
        phone = phone_for(server)
        assert phone.user_information() == ["mia@example.com", "info@example.com"]
        assert phone.user_information() == ["mia@example.com"]


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_http_errors_carry_their_status(status: int) -> None:
    with ScriptedServer(Said(status=status)) as server, pytest.raises(HttpError) as caught:
        phone_for(server).folder_sync()
    assert caught.value.status == status


@pytest.mark.parametrize(
    "answer",
    [
        Said(b"<html>", headers={"Content-Type": "text/html"}),
        Said(b"\x03\x01\x6a\x00\x00"),
        Said(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        Ping.Ping(Ping.Status(1)),
    ],
    ids=["a page", "broken WBXML", "empty without Content-Length", "another command"],
)
def test_answers_an_iphone_could_not_use_are_refused(answer: Said | Element) -> None:
    with ScriptedServer(answer) as server, pytest.raises(ProtocolError):
        phone_for(server).folder_sync()


def test_cookies_are_replayed() -> None:
    empty = Said(headers={"Set-Cookie": "route=worker1; Path=/; HttpOnly"})
    with ScriptedServer(empty, b"") as server:
        phone = phone_for(server)
        phone.mailbox.collection("5").sync_key = "1"
        phone.sync("5")
        phone.sync("5")
        assert "cookie" not in server.asked[0].headers
        assert server.asked[1].headers["cookie"] == "route=worker1"


def test_the_base64_query_says_it_all() -> None:
    with ScriptedServer(folders()) as server:
        phone = Phone(server.url, "mia@example.com", "secret", version="14.1", query_form="base64")
        phone.folder_sync()
        query = base64.b64decode(server.asked[0].target.partition("?")[2])
        assert query[:2] == bytes((141, 9))
        assert "ms-asprotocolversion" not in server.asked[0].headers


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(ValueError, match="2"):
        Phone("http://127.0.0.1:1", "mia@example.com", "secret", version="2.5")


def test_a_sync_over_the_wire() -> None:
    primed = AirSync.Sync(
        AirSync.Collections(
            AirSync.Collection(AirSync.SyncKey("1"), AirSync.CollectionId("5"), AirSync.Status(1))
        )
    )
    with ScriptedServer(primed, b"") as server:
        phone = phone_for(server)
        assert phone.sync("5").count == 0
        assert phone.mailbox.collection("5").sync_key == "1"
