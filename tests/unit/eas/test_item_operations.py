"""ItemOperations: items, attachments and their ranges, parts beside the document, emptying folders."""

import base64
import struct

import pytest

from appliance import db
from appliance.eas.commands import item_operations
from appliance.items.folder import FolderType
from appliance.store import folders
from appliance.wbxml.codec import decode
from appliance.wbxml.codepages import AirSync, AirSyncBase, DocumentLibrary, Email, Search
from appliance.wbxml.codepages import ItemOperations as Tag
from tests.covers import covers
from tests.unit.eas import schema
from tests.unit.eas.world import body_preference, request

PDF = bytes(range(256)) * 40
MAIL = (
    b"From: x@example.net\r\nTo: anna@example.test\r\nSubject: papers\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n"
    b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=a.pdf\r\n\r\n" + base64.encodebytes(PDF) + b"\r\n"
    b"--b\r\nContent-Type: text/plain; name=empty.txt\r\nContent-Disposition: attachment\r\n\r\n\r\n--b--\r\n"
)


@pytest.fixture
def item(phone, inbox):
    return phone.server.file_raw(phone.account, inbox, MAIL)


def operations(phone, *children, **headers):
    return phone.asked("ItemOperations", Tag.ItemOperations(list(children)), **headers)


def fetch(*children, store="Mailbox"):
    return Tag.Fetch(Tag.Store(store), list(children))


def by_id(folder, item, *options):
    return fetch(
        AirSync.CollectionId(str(folder)),
        AirSync.ServerId(str(item)),
        Tag.Options(list(options)) if options else None,
    )


def attachment(reference, asked_range=None):
    return fetch(
        AirSyncBase.FileReference(reference),
        Tag.Options(Tag.Range(asked_range)) if asked_range is not None else None,
    )


def fetched(answer, number=0):
    return answer.require(Tag.Response).find_all(Tag.Fetch)[number]


def statuses(answer):
    return [f.int_of(Tag.Status) for f in answer.require(Tag.Response).find_all(Tag.Fetch)]


def names(element):
    return [child.tag.name for child in element]


# --- items ----------------------------------------------------------------------------------------


@covers("MS-ASEMAIL_R61")
@covers("MS-ASCMD_R4153")
@pytest.mark.parametrize("version", ["14.1", "16.1"])
def test_an_item_by_its_id(phone, inbox, item, version):
    answer = operations(phone, by_id(inbox, item, body_preference(1)), version=version)
    assert answer.int_of(Tag.Status) == 1
    found = fetched(answer)
    assert names(found) == ["Status", "CollectionId", "ServerId", "Class", "Properties"]
    properties = found.require(Tag.Properties)
    assert properties.text_of(Email.Subject) == "papers"
    assert properties.require(AirSyncBase.Body).text_of(AirSyncBase.Data) == "see below"


def test_an_item_by_its_long_id(phone, item):
    found = fetched(operations(phone, fetch(Search.LongId(str(item)))))
    assert names(found) == ["Status", "LongId", "Class", "Properties"]


@covers("MS-ASCMD_R3363", "MS-ASCMD_R3366", "MS-ASCMD_R3367", "MS-ASCMD_R3368", "MS-ASCMD_R3360")
def test_the_whole_message_byte_for_byte(phone, inbox, item):
    answer = operations(phone, by_id(inbox, item, AirSync.MIMESupport(2), body_preference(4)))
    body = fetched(answer).require(Tag.Properties).require(AirSyncBase.Body)
    assert body.int_of(AirSyncBase.Type) == 4
    assert body.int_of(AirSyncBase.EstimatedDataSize) == len(MAIL)
    assert body.require(AirSyncBase.Data).data == MAIL


def test_what_is_not_there(phone, inbox, item):
    sent = phone.folder(FolderType.SENT)
    answer = operations(
        phone,
        by_id(sent, item),
        by_id(inbox, 999_999),
        by_id(999_999, item),
        by_id("x", "y"),
        fetch(Search.LongId("RgAAAA")),
        fetch(),
    )
    assert statuses(answer) == [6] * 6
    assert answer.int_of(Tag.Status) == 1


@covers("MS-ASCMD_R196")
def test_nothing_is_done_in_the_recipient_cache(phone, item):
    empty = Tag.EmptyFolderContents(AirSync.CollectionId("RI"))
    answer = operations(phone, by_id("RI", item), empty).require(Tag.Response)
    assert [child.int_of(Tag.Status) for child in answer] == [6, 6]


@covers("MS-ASEMAIL_R63")
def test_only_the_properties_that_were_named_come(phone, inbox, item):
    schema = Tag.Schema(Email.Subject(), AirSyncBase.Attachments())
    properties = fetched(operations(phone, by_id(inbox, item, schema))).require(Tag.Properties)
    assert names(properties) == ["Subject", "Attachments"]


@covers("MS-ASCMD_R3547", "MS-ASCMD_R4154", "MS-ASCMD_R765")
def test_contradictory_requests(phone, inbox, item):
    two = AirSyncBase.FileReference(f"{item}:2")
    answer = operations(
        phone,
        by_id(inbox, item, body_preference(9)),
        by_id(inbox, item, AirSync.MIMESupport("x")),
        fetch(two, two),
    )
    assert statuses(answer) == [2, 2, 2]


@covers("MS-ASCMD_R4161")
def test_document_libraries_are_never_looked_up(phone):
    links = [r"\\server\share\file.doc", "http://127.0.0.1/", "file:///etc/passwd"]
    answer = operations(
        phone, *(fetch(DocumentLibrary.LinkId(link), store="DocumentLibrary") for link in links)
    )
    assert statuses(answer) == [9, 9, 9]
    assert [names(fetched(answer, n)) for n in range(3)] == [["Status"]] * 3


def test_the_store_in_any_case(phone, item):
    assert statuses(operations(phone, fetch(Search.LongId(str(item)), store="MAILBOX"))) == [1]
    assert statuses(operations(phone, Tag.Fetch(Search.LongId(str(item))))) == [9]


# --- attachments ----------------------------------------------------------------------------------


@covers("MS-ASCMD_R3716", "MS-ASCMD_R234", "MS-ASCMD_R5503", "MS-ASCMD_R2301")
def test_an_attachment(phone, item):
    found = fetched(operations(phone, attachment(f"{item}:2")))
    assert names(found) == ["Status", "FileReference", "Properties"]
    properties = found.require(Tag.Properties)
    assert sorted(names(properties)) == ["ContentType", "Data"]
    assert properties.text_of(AirSyncBase.ContentType) == "application/pdf"
    assert base64.b64decode(properties.text_of(Tag.Data)) == PDF


@covers("MS-ASCMD_R5422", "MS-ASCMD_R5423")
@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [("0-9", 0, 9), ("5-5", 5, 5), ("10000-99999", 10_000, 10_239), ("0-10239", 0, 10_239)],
)
def test_a_range(phone, item, asked, first, last):
    properties = fetched(operations(phone, attachment(f"{item}:2", asked))).require(Tag.Properties)
    assert properties.text_of(Tag.Range) == f"{first}-{last}"
    assert properties.int_of(Tag.Total) == len(PDF)
    assert base64.b64decode(properties.text_of(Tag.Data)) == PDF[first : last + 1]


@covers("MS-ASCMD_R4160")
@pytest.mark.parametrize(
    "asked", ["", "-", "5", "5-", "-5", "9-5", "10240-10241", "a-b", "-1-5", "0-" + "9" * 5_000, "²-³"]
)
def test_bad_ranges(phone, item, asked):
    assert statuses(operations(phone, attachment(f"{item}:2", asked))) == [8]


@covers("MS-ASCMD_R4166", "MS-ASAIRS_R214")
@pytest.mark.parametrize(
    "reference",
    ["", "x", "{item}", "{item}:", "{item}:1", "{item}:99", "{item}:../x", "999999:2", ":2", "-1:2"],
)
def test_bad_references(phone, item, reference):
    assert statuses(operations(phone, attachment(reference.format(item=item)))) == [15]


def test_an_empty_attachment(phone, item):
    answer = operations(phone, attachment(f"{item}:3"), attachment(f"{item}:3", "0-0"))
    assert statuses(answer) == [1, 8]


@covers("MS-ASCMD_R5501")
def test_every_attachment_that_is_described_can_be_fetched(phone, inbox, item):
    described = fetched(operations(phone, by_id(inbox, item))).require(Tag.Properties)
    listed = described.require(AirSyncBase.Attachments).find_all(AirSyncBase.Attachment)
    assert len(listed) == 2
    for each in listed:
        found = fetched(operations(phone, attachment(each.text_of(AirSyncBase.FileReference))))
        data = base64.b64decode(found.require(Tag.Properties).text_of(Tag.Data))
        assert len(data) == each.int_of(AirSyncBase.EstimatedDataSize)


# --- parts beside the document --------------------------------------------------------------------


def split(body):
    """Return the document and the parts of a multipart answer."""
    (count,) = struct.unpack_from("<i", body)
    places = [struct.unpack_from("<ii", body, 4 + 8 * n) for n in range(count)]
    assert places[0][0] == 4 + 8 * count
    assert sum(length for _, length in places) + places[0][0] == len(body)
    pieces = [body[offset : offset + length] for offset, length in places]
    document = decode(pieces[0])
    schema.check(document)
    return document, pieces[1:]


@covers("MS-ASCMD_R2302", "MS-ASAIRS_R176", "MS-ASCMD_R236", "MS-ASCMD_R5505", "MS-ASCMD_R5509")
@covers("MS-ASCMD_R5510", "MS-ASCMD_R5512", "MS-ASCMD_R5517", "MS-ASCMD_R5518")
@covers("MS-ASCMD_R5506", "MS-ASCMD_R5511", "MS-ASCMD_R5513")
def test_data_travels_beside_the_document(phone, inbox, item):
    asked = Tag.ItemOperations(
        attachment(f"{item}:2"),
        by_id(inbox, item, body_preference(1)),
        attachment("none"),
        attachment(f"{item}:2", "0-3"),
    )
    response = phone.server.ask(phone.account, request("ItemOperations", asked, accept_multipart=True))
    assert response.content_type == "application/vnd.ms-sync.multipart"
    document, parts = split(response.body)
    assert parts == [PDF, b"see below", PDF[:4]]
    assert statuses(document) == [1, 1, 15, 1]
    first = fetched(document, 0).require(Tag.Properties)
    assert (first.int_of(Tag.Part), first.find(Tag.Data)) == (1, None)
    body = fetched(document, 1).require(Tag.Properties).require(AirSyncBase.Body)
    assert (body.int_of(Tag.Part), body.find(AirSyncBase.Data)) == (2, None)
    assert fetched(document, 3).require(Tag.Properties).int_of(Tag.Part) == 3


def test_nothing_binary_is_one_part(phone):
    asked = Tag.ItemOperations(attachment("none"))
    response = phone.server.ask(phone.account, request("ItemOperations", asked, accept_multipart=True))
    document, parts = split(response.body)
    assert (statuses(document), parts) == ([15], [])


@covers("MS-ASCMD_R4163")
@pytest.mark.parametrize("multipart", [False, True])
def test_an_answer_has_a_ceiling(phone, inbox, item, monkeypatch, multipart):
    monkeypatch.setattr(item_operations, "ANSWER_BYTES_MAX", 15_000)
    asked = Tag.ItemOperations([attachment(f"{item}:2")] * 3)
    response = phone.server.ask(phone.account, request("ItemOperations", asked, accept_multipart=multipart))
    document = split(response.body)[0] if multipart else decode(response.body)
    assert statuses(document) == [1, 1, 11]


# --- emptying, limits -----------------------------------------------------------------------------


@covers("MS-ASCMD_R2243", "MS-ASCMD_R2244", "MS-ASCMD_R199", "MS-ASCMD_R2167")
@pytest.mark.parametrize("with_folders", [False, True])
def test_emptying_a_folder(phone, with_folders):
    trash = phone.folder(FolderType.DELETED)
    inner = folders.create(phone.account.id, trash, "inner", 12)
    gone = phone.server.file(phone.account, trash, "one")
    phone.server.file(phone.account, inner.id, "two")
    phone.prime(trash)
    options = Tag.Options(Tag.DeleteSubFolders()) if with_folders else None
    answer = operations(phone, Tag.EmptyFolderContents(AirSync.CollectionId(str(trash)), options))
    emptied = answer.require(Tag.Response).require(Tag.EmptyFolderContents)
    assert (emptied.int_of(Tag.Status), emptied.text_of(AirSync.CollectionId)) == (1, str(trash))
    assert phone.server.listed(phone.account, trash) == []
    assert phone.sync(trash).ids(AirSync.Delete) == [gone]
    with db.connection():
        assert (folders.by_name(phone.account.id, "inner", trash) is None) is with_folders


def test_emptying_what_is_not_there(phone):
    answer = operations(phone, Tag.EmptyFolderContents(AirSync.CollectionId("999999")))
    assert answer.require(Tag.Response).require(Tag.EmptyFolderContents).int_of(Tag.Status) == 6


@pytest.mark.parametrize(
    "document", [Tag.ItemOperations(), AirSync.Sync(), Tag.ItemOperations(Tag.Status(1))]
)
def test_malformed(phone, document):
    assert phone.asked("ItemOperations", document).int_of(Tag.Status) == 2


@covers("MS-ASCMD_R5671")
def test_at_most_100_operations(phone, item):
    assert len(statuses(operations(phone, *[fetch(Search.LongId("x"))] * 100))) == 100
    assert operations(phone, *[fetch(Search.LongId("x"))] * 101).int_of(Tag.Status) == 11
