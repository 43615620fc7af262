"""winmail.dat on a phone: its files are listed, fetched and stay what they are."""

import pytest

from appliance import db
from appliance.db.tables import Content
from appliance.wbxml.codepages import AirSync, AirSyncBase, ItemOperations
from tests.unit.eas.world import body_preference
from tests.unit.mime import made_tnef as make

PDF = b"%PDF-1.4 ..."
PACKED = make.tnef(make.file("offer.pdf", PDF, mime="application/pdf"), html="<p>Dear Anna</p>")


@pytest.fixture
def told(phone, inbox):
    phone.server.file_raw(phone.account, inbox, make.mail(PACKED))
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    return phone.sync(inbox, options=AirSync.Options(body_preference(2)))


def test_its_files_and_text_are_those_of_the_mail(told):
    data = told.data(AirSync.Add)
    (attachment,) = data.require(AirSyncBase.Attachments).children
    assert attachment.text_of(AirSyncBase.DisplayName) == "offer.pdf"
    assert attachment.int_of(AirSyncBase.EstimatedDataSize) == len(PDF)
    assert "Dear Anna" in data.require(AirSyncBase.Body).text_of(AirSyncBase.Data, "")


def fetched(phone, reference):
    fetch = ItemOperations.Fetch(ItemOperations.Store("Mailbox"), AirSyncBase.FileReference(reference))
    answer = phone.asked("ItemOperations", ItemOperations.ItemOperations(fetch))
    return answer.require(ItemOperations.Response).require(ItemOperations.Fetch)


@db.transaction
def forget_structures():
    """Make every message look as if another version had scanned it."""
    Content.update(structure='{"v":0}').execute()


def test_a_file_is_fetched_by_its_reference_also_when_the_mail_is_scanned_anew(phone, told):
    attachments = told.data(AirSync.Add).require(AirSyncBase.Attachments)
    reference = attachments.children[0].text_of(AirSyncBase.FileReference, "")
    before = fetched(phone, reference)
    properties = before.require(ItemOperations.Properties)
    assert properties.text_of(AirSyncBase.ContentType) == "application/pdf"
    assert properties.require(ItemOperations.Data).text == "JVBERi0xLjQgLi4u"
    forget_structures()
    assert fetched(phone, reference) == before
    assert fetched(phone, reference[:-1] + "x").int_of(ItemOperations.Status) == 15
