"""BodyPart: what a message adds to its conversation."""

import pytest

from appliance.eas.content import airsyncbase
from appliance.mime.new_text import new_html, new_plain
from appliance.wbxml.codepages import AirSync, AirSyncBase, ItemOperations
from tests.covers import covers
from tests.unit.eas.world import Phone, body_preference

QUOTED = (
    b"Subject: Re: x\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n"
    b"<p>new words</p><blockquote type=cite>old words</blockquote>\r\n"
)


def part_preference(type_=2, size=None, *, all_or_none=False, preview=None):
    return AirSyncBase.BodyPartPreference(
        AirSyncBase.Type(type_),
        AirSyncBase.TruncationSize(size) if size is not None else None,
        AirSyncBase.AllOrNone(1) if all_or_none else None,
        AirSyncBase.Preview(preview) if preview is not None else None,
    )


def seen(phone, inbox, *preferences, raw=QUOTED):
    phone.server.file_raw(phone.account, inbox, raw)
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    return phone.sync(inbox, options=AirSync.Options(list(preferences))).data(AirSync.Add)


@covers("MS-ASAIRS_R120", "MS-ASCON_R234", "MS-ASCON_R247")
def test_part_is_what_the_message_says_itself(phone, inbox):
    data = seen(phone, inbox, part_preference())
    part = data.require(AirSyncBase.BodyPart)
    assert [child.tag.name for child in part] == ["Status", "Type", "EstimatedDataSize", "Data"]
    assert part.text_of(AirSyncBase.Data) == "<p>new words</p>"
    assert part.text_of(AirSyncBase.EstimatedDataSize) == "16"
    assert data.find(AirSyncBase.Body) is None


@covers("MS-ASCON_R243", "MS-ASCON_R248", "MS-ASAIRS_R253", "MS-ASAIRS_R255")
def test_part_and_body_come_together_when_both_are_asked_for(phone, inbox):
    data = seen(phone, inbox, body_preference(2), part_preference(preview=5))
    assert "old words" in data.require(AirSyncBase.Body).text_of(AirSyncBase.Data)
    assert data.require(AirSyncBase.BodyPart).text_of(AirSyncBase.Preview) == "new w"


@covers("MS-ASCON_R237", "MS-ASCON_R245")
def test_no_part_without_asking_or_before_14_1(phone, inbox):
    assert seen(phone, inbox, body_preference(2)).find(AirSyncBase.BodyPart) is None
    old = Phone(phone.server, phone.account, "device2", "14.0")
    data = seen(old, inbox, part_preference())
    assert data.find(AirSyncBase.BodyPart) is None
    assert data.find(AirSyncBase.Body) is not None


@covers("MS-ASAIRS_R1023", "MS-ASAIRS_R1024", "MS-ASAIRS_R1000924")
@pytest.mark.parametrize("version", ["14.1", "16.0", "16.1"])
def test_all_or_none_is_known_since_there_are_parts(phone, inbox, version):
    other = Phone(phone.server, phone.account, "device2", version)
    cut, none = (
        seen(other, inbox, part_preference(size=8, all_or_none=all_or_none)).require(AirSyncBase.BodyPart)
        for all_or_none in (False, True)
    )
    assert (cut.text_of(AirSyncBase.Data), none.find(AirSyncBase.Data)) == ("<p>new w", None)


@covers("MS-ASAIRS_R282", "MS-ASAIRS_R188", "MS-ASAIRS_R63")
def test_part_is_cut_or_left_out(phone, inbox):
    part = seen(phone, inbox, part_preference(size=8)).require(AirSyncBase.BodyPart)
    assert part.text_of(AirSyncBase.Truncated) == "1"
    assert part.text_of(AirSyncBase.Data) == "<p>new w"
    part = seen(phone, inbox, part_preference(size=8, all_or_none=True)).require(AirSyncBase.BodyPart)
    assert part.find(AirSyncBase.Data) is None


@covers("MS-ASCMD_R5412")
def test_other_forms_are_refused(phone, inbox):
    phone.prime(inbox)
    assert phone.sync(inbox, options=AirSync.Options(part_preference(1))).status == 164


@covers("MS-ASCON_R236")
def test_fetch_brings_parts_too(phone, inbox):
    item = phone.server.file_raw(phone.account, inbox, QUOTED)

    def fetch(type_):
        operation = ItemOperations.Fetch(
            ItemOperations.Store("Mailbox"),
            AirSync.CollectionId(str(inbox)),
            AirSync.ServerId(str(item)),
            ItemOperations.Options(part_preference(type_)),
        )
        answer = phone.asked("ItemOperations", ItemOperations.ItemOperations(operation))
        return answer.require(ItemOperations.Response).require(ItemOperations.Fetch)

    part = fetch(2).require(ItemOperations.Properties).require(AirSyncBase.BodyPart)
    assert part.text_of(AirSyncBase.Data) == "<p>new words</p>"
    assert fetch(1).int_of(ItemOperations.Status) == 164


def test_what_is_too_large_to_compare_has_its_status(phone, inbox, monkeypatch):
    monkeypatch.setattr(airsyncbase, "BODY_PART_CHARS_MAX", 10)
    part = seen(phone, inbox, part_preference()).require(AirSyncBase.BodyPart)
    assert part.text_of(AirSyncBase.Status) == "176"
    assert part.find(AirSyncBase.Data) is None


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>a</p>", "<p>a</p>"),
        ('a<div class="gmail_quote">On x wrote:<blockquote>b</blockquote></div>', "a"),
        ('a<hr><div id="divRplyFwdMsg">From: b</div>b', "a<hr>"),
        ("a<blockquote>q</blockquote>between", "a<blockquote>q</blockquote>between"),
        ("a<blockquote>q</blockquote>b<blockquote>r</blockquote>", "a<blockquote>q</blockquote>b"),
        ("a<blockquote>never closed", "a<blockquote>never closed"),
    ],
)
def test_quotation_at_the_end_is_found(html, expected):
    assert new_html(html) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\n", "a\r\n"),
        ("a\r\n\r\nOn Monday, Jo wrote:\r\n> b\r\n> c\r\n", "a\r\n"),
        ("a\r\n> b\r\nanswer\r\n", "a\r\n> b\r\nanswer\r\n"),
        ("a\r\n-----Original Message-----\r\nFrom: b\r\n", "a\r\n"),
    ],
)
def test_plain_quotation_at_the_end_is_found(text, expected):
    assert new_plain(text) == expected
