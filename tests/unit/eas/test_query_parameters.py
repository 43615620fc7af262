"""Commands as their request line says them: by name or by code, with parameters and flags."""

import base64

import pytest

from appliance import db
from appliance.eas.request import COMMAND_CODES, parse
from appliance.items.folder import FolderType
from appliance.store import folders, messages
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import AirSyncBase, FolderHierarchy, ItemOperations, Move, Ping
from tests.covers import covers
from tests.unit.eas.test_request import base64_query
from tests.unit.eas.test_versions import MAIL, bert, inbox_of, sent_of

__all__ = ["bert"]

CODES = {name: code for code, name in COMMAND_CODES.items()}
COLLECTION_ID, ITEM_ID, LONG_ID, OPTIONS = 1, 3, 4, 7
SAVE_IN_SENT, ACCEPT_MULTIPART = b"\x01", b"\x02"
ATTACHED = (
    b'Subject: the original\r\nContent-Type: multipart/mixed; boundary="m"\r\n\r\n--m\r\n\r\nwords\r\n'
    b"--m\r\nContent-Type: application/pdf; name=a.pdf\r\n\r\nPDF\r\n--m--\r\n"
)


def by_code(phone, name, document=b"", version="16.1", **parameters):
    """Send a command by its code, in a query of bytes; parameters: value by tag."""
    rest = b"".join(bytes((int(tag), len(value))) + value for tag, value in parameters.items())
    number = int(version.replace(".", ""))
    return asked(phone, base64_query(number, CODES[name], b"device1", b"", b"iPhone", rest), document)


def by_name(phone, name, document=b"", version="16.1", headers=None, **parameters):
    """Send a command by its name, with parameters in the query."""
    query = "&".join(f"{key}={value}" for key, value in {"Cmd": name, **parameters}.items())
    sent = {"MS-ASProtocolVersion": version} | (headers or {})
    return asked(phone, f"{query}&User=anna&DeviceId=device1&DeviceType=iPhone", document, sent)


def asked(phone, query, document, headers=None):
    body = document if isinstance(document, bytes) else encode(document)
    kind = "message/rfc822" if isinstance(document, bytes) and document else "application/vnd.ms-sync.wbxml"
    request = parse("POST", query, {"Content-Type": kind} | (headers or {}), body)
    return phone.server.ask(phone.account, request)


def hierarchy_key(phone):
    answer = decode(
        by_code(phone, "FolderSync", FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0"))).body
    )
    return FolderHierarchy.SyncKey(answer.text_of(FolderHierarchy.SyncKey, ""))


def tree(phone):
    with db.connection():
        return {f.id: (f.name, f.parent_id) for f in folders.list_folders(phone.account.id)}


# --- what the codes stand for -----------------------------------------------------------------------


@covers("MS-ASHTTP_R491", "MS-ASHTTP_R428")
def test_folder_sync_brings_folders_and_no_items(phone, inbox):
    phone.server.file(phone.account, inbox, "secret subject")
    answer = by_code(phone, "FolderSync", FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("0")))
    changes = decode(answer.body).require(FolderHierarchy.Changes)
    assert str(inbox) in [a.text_of(FolderHierarchy.ServerId) for a in changes.find_all(FolderHierarchy.Add)]
    assert b"secret subject" not in answer.body


@covers("MS-ASHTTP_R493", "MS-ASHTTP_R68", "MS-ASHTTP_R431", "MS-ASHTTP_R496")
def test_folders_are_made_moved_renamed_and_deleted(phone):
    tag = FolderHierarchy
    key = hierarchy_key(phone)

    def done(name, *children):
        nonlocal key
        answer = decode(by_code(phone, name, getattr(tag, name)(key, *children)).body)
        assert answer.int_of(tag.Status) == 1
        key = tag.SyncKey(answer.text_of(tag.SyncKey, ""))
        return answer

    made = [
        done("FolderCreate", tag.ParentId("0"), tag.DisplayName(name), tag.Type(12)).text_of(tag.ServerId, "")
        for name in ("one", "two")
    ]
    assert tree(phone)[int(made[0])] == ("one", 0)
    done("FolderUpdate", tag.ServerId(made[0]), tag.ParentId(made[1]), tag.DisplayName("renamed"))
    assert tree(phone)[int(made[0])] == ("renamed", int(made[1]))
    done("FolderDelete", tag.ServerId(made[0]))
    assert tree(phone)[int(made[0])][1] == phone.folder(FolderType.DELETED), "gone, and not yet lost"


@covers("MS-ASHTTP_R499")
def test_items_are_moved(phone, inbox):
    item, trash = phone.server.file(phone.account, inbox, "one"), phone.folder(FolderType.DELETED)
    move = Move.Move(Move.SrcMsgId(str(item)), Move.SrcFldId(str(inbox)), Move.DstFldId(str(trash)))
    by_code(phone, "MoveItems", Move.MoveItems(move))
    assert [len(phone.server.listed(phone.account, folder)) for folder in (inbox, trash)] == [0, 1]


@covers("MS-ASHTTP_R504")
def test_folders_are_watched(phone, inbox):
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "one")
    folder = Ping.Folder(Ping.Id(str(inbox)), Ping.Class("Email"))
    answer = by_code(phone, "Ping", Ping.Ping(Ping.HeartbeatInterval(60), Ping.Folders(folder)))
    assert decode(answer.body).int_of(Ping.Status) == 2


@covers("MS-ASHTTP_R490", "MS-ASHTTP_R115", "MS-ASHTTP_R487", "MS-ASHTTP_R230")
def test_an_attachment_by_its_name(phone, inbox):
    item = phone.server.file_raw(phone.account, inbox, ATTACHED)
    answer = by_name(phone, "GetAttachment", version="12.1", AttachmentName=f"{item}:2")
    assert (answer.status, answer.content_type, answer.body) == (200, "application/pdf", b"PDF")


# --- mail of 12.1 -----------------------------------------------------------------------------------


@covers("MS-ASHTTP_R484", "MS-ASHTTP_R533", "MS-ASHTTP_R486", "MS-ASHTTP_R92", "MS-ASHTTP_R93")
@pytest.mark.parametrize(("options", "copies"), [(SAVE_IN_SENT, 1), (b"\x00", 0), (None, 0)])
def test_sending_by_code(phone, bert, options, copies):
    flags = {} if options is None else {str(OPTIONS): options}
    assert by_code(phone, "SendMail", MAIL, "12.1", **flags).status == 200
    assert (len(inbox_of(phone, bert)), len(sent_of(phone))) == (1, copies)


@covers("MS-ASHTTP_R531", "MS-ASHTTP_R121", "MS-ASHTTP_R437", "MS-ASHTTP_R122")
@pytest.mark.parametrize(("saved", "copies"), [("T", 1), ("F", 0), (None, 0)])
def test_sending_by_name(phone, bert, saved, copies):
    flags = {} if saved is None else {"SaveInSent": saved}
    assert by_name(phone, "SendMail", MAIL, "12.1", **flags).status == 200
    assert (len(inbox_of(phone, bert)), len(sent_of(phone))) == (1, copies)


SMART = pytest.mark.parametrize(("name", "verb"), [("SmartReply", 1), ("SmartForward", 3)])


def verb_and_text(phone, bert, item):
    with db.connection():
        text = messages.raw(inbox_of(phone, bert)[0])
        return messages.get(phone.account.id, item).last_verb, text


@covers("MS-ASHTTP_R488", "MS-ASHTTP_R489", "MS-ASHTTP_R88", "MS-ASHTTP_R532", "MS-ASHTTP_R524")
@covers("MS-ASHTTP_R525")
@SMART
@pytest.mark.parametrize(("options", "copies"), [(SAVE_IN_SENT, 1), (b"\x00", 0)])
def test_answers_by_code_bring_the_original_along(phone, inbox, bert, name, verb, options, copies):
    item = phone.server.file_raw(phone.account, inbox, ATTACHED)
    place = {str(COLLECTION_ID): str(inbox).encode(), str(ITEM_ID): str(item).encode()}
    assert by_code(phone, name, MAIL, "12.1", **place, **{str(OPTIONS): options}).status == 200
    done, text = verb_and_text(phone, bert, item)
    assert (done, b"words" in text, len(sent_of(phone))) == (verb, True, copies)


@covers("MS-ASHTTP_R116", "MS-ASHTTP_R526", "MS-ASHTTP_R517", "MS-ASHTTP_R435", "MS-ASHTTP_R117")
@covers("MS-ASHTTP_R527", "MS-ASHTTP_R511", "MS-ASHTTP_R436", "MS-ASHTTP_R118", "MS-ASHTTP_R528")
@covers("MS-ASHTTP_R512", "MS-ASHTTP_R120", "MS-ASHTTP_R530")
@SMART
@pytest.mark.parametrize("is_long", [True, False], ids=["LongId", "ItemId"])
def test_answers_by_name_say_which_message_and_whether_a_copy_is_kept(
    phone, inbox, bert, name, verb, is_long
):
    item = phone.server.file_raw(phone.account, inbox, ATTACHED)
    place = {"LongId": item} if is_long else {"CollectionId": inbox, "ItemId": item}
    assert by_name(phone, name, MAIL, "12.1", **place, SaveInSent="T").status == 200
    done, text = verb_and_text(phone, bert, item)
    assert (done, b"words" in text, len(sent_of(phone))) == (verb, True, 1)


# --- parts beside the document ----------------------------------------------------------------------


def fetch_of(phone, inbox):
    item = phone.server.file_raw(phone.account, inbox, ATTACHED)
    reference = AirSyncBase.FileReference(f"{item}:2")
    return ItemOperations.ItemOperations(ItemOperations.Fetch(ItemOperations.Store("Mailbox"), reference))


@covers("MS-ASHTTP_R534", "MS-ASHTTP_R94", "MS-ASHTTP_R95", "MS-ASHTTP_R154", "MS-ASAIRS_R244")
@pytest.mark.parametrize("is_header", [True, False])
def test_parts_are_asked_for(phone, inbox, is_header):
    fetch = fetch_of(phone, inbox)
    if is_header:
        answer = by_name(phone, "ItemOperations", fetch, headers={"MS-ASAcceptMultiPart": "T"})
    else:
        answer = by_code(phone, "ItemOperations", fetch, **{str(OPTIONS): ACCEPT_MULTIPART})
    assert answer.content_type == "application/vnd.ms-sync.multipart"
    assert answer.body.endswith(b"PDF")


@covers("MS-ASHTTP_R155", "MS-ASHTTP_R440", "MS-ASAIRS_R405")
@pytest.mark.parametrize("headers", [{}, {"MS-ASAcceptMultiPart": "F"}], ids=["absent", "F"])
def test_otherwise_data_is_in_the_document(phone, inbox, headers):
    answer = by_name(phone, "ItemOperations", fetch_of(phone, inbox), headers=headers)
    fetch = decode(answer.body).require(ItemOperations.Response).require(ItemOperations.Fetch)
    properties = fetch.require(ItemOperations.Properties)
    assert properties.text_of(ItemOperations.Data) == base64.b64encode(b"PDF").decode()
    assert properties.find(ItemOperations.Part) is None
