"""GetAttachment, up to 12.1: raw bytes with their type, errors as HTTP."""

import base64

import pytest

from appliance.items.folder import FolderType
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, AirSyncBase
from tests.covers import covers
from tests.unit.eas.world import Phone, request

DATA = bytes(range(256)) * 20


def raw_with(content_type, data=b"AAEC", encoding="base64"):
    return (
        b"From: x@example.net\r\nTo: anna@example.test\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nbody\r\n"
        b"--b\r\nContent-Type: " + content_type + b"\r\nContent-Disposition: attachment; filename=a\r\n"
        b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + data + b"\r\n--b--\r\n"
    )


def reference(phone, folder, version="12.1"):
    """Return the name the Inbox' newest message gives its attachment in a Sync."""
    spoken = Phone(phone.server, phone.account, "reader", version)
    spoken.sync(folder)
    data = spoken.sync(folder).data(AirSync.Add)
    attachment = data.require(AirSyncBase.Attachments).require(AirSyncBase.Attachment)
    return attachment.text_of(AirSyncBase.FileReference, "")


def get(phone, name, **headers):
    params = {"AttachmentName": name} if name is not None else {}
    asked = request("GetAttachment", None, params=params, **({"version": "12.1"} | headers))
    return phone.server.ask(phone.account, asked)


@covers("MS-ASCMD_R157", "MS-ASCMD_R160")
def test_the_bytes_and_their_type(phone, inbox):
    phone.server.file_raw(phone.account, inbox, raw_with(b"image/png", base64.encodebytes(DATA)))
    response = get(phone, reference(phone, inbox))
    assert (response.status, response.body, response.content_type) == (200, DATA, "image/png")
    assert ("Content-Disposition", "attachment") in response.headers


def test_an_attachment_of_nothing(phone, inbox):
    phone.server.file_raw(phone.account, inbox, raw_with(b"text/plain", b""))
    response = get(phone, reference(phone, inbox))
    assert (response.status, response.body) == (200, b"")


@pytest.mark.parametrize("written", [b"nonsense", b"text/plain\x01", b"a/b/c", b"/"])
def test_a_type_that_is_none(phone, inbox, written):
    phone.server.file_raw(phone.account, inbox, raw_with(written))
    response = get(phone, reference(phone, inbox))
    assert response.status == 200
    assert response.content_type.isprintable()
    assert response.content_type.count("/") == 1


def test_a_reference_from_a_newer_version_is_good(phone, inbox):
    phone.server.file_raw(phone.account, inbox, raw_with(b"image/png"))
    assert get(phone, reference(phone, inbox, "16.1")).body == b"\x00\x01\x02"


@covers("MS-ASCMD_R166")
def test_an_attachment_that_was_deleted(phone, inbox):
    item = phone.server.file_raw(phone.account, inbox, raw_with(b"image/png"))
    name = reference(phone, inbox)
    messages.delete(phone.account.id, item)
    assert (get(phone, name).status, get(phone, name).body) == (500, b"")


@pytest.mark.parametrize("name", ["nonsense", "1:2", "0:", ":", "9" * 300, "1:../../etc/passwd", "\x00"])
def test_names_of_nothing(phone, name):
    assert get(phone, name).status == 500


@pytest.mark.parametrize("name", [None, ""])
def test_no_name(phone, name):
    assert get(phone, name).status == 400


def test_a_part_that_is_no_attachment(phone, inbox):
    item = phone.server.file_raw(phone.account, inbox, raw_with(b"image/png"))
    assert get(phone, f"{item}:1").status == 500


def test_a_stranger_s_attachment(phone):
    bert = Phone(phone.server, phone.server.account("bert"))
    theirs = bert.folder(FolderType.INBOX)
    bert.server.file_raw(bert.account, theirs, raw_with(b"image/png"))
    name = reference(bert, theirs)
    assert get(bert, name).status == 200
    assert get(phone, name).status == 500


@pytest.mark.parametrize("version", ["14.0", "14.1", "16.0", "16.1"])
def test_gone_with_14_0(phone, version):
    assert get(phone, "1:2", version=version).status == 501
