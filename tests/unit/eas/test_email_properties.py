"""The properties of mail on a phone: people, conversation, kind, voice; what changes, and what may."""

from datetime import UTC, datetime, timedelta

import pytest

from appliance.delivery import arrival, inbound
from appliance.items.envelope import Envelope
from appliance.items.folder import FolderType
from appliance.items.message import Flag
from appliance.mime.message import summarise
from appliance.mime.scan import scan
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2, Search
from tests.covers import covers
from tests.unit.eas.world import HOSTNAME, Phone, body_preference

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def seen(phone, inbox, raw, version="16.1", options=None):
    """Return the ApplicationData of a message as another phone gets it."""
    phone.server.file_raw(phone.account, inbox, raw.encode() if isinstance(raw, str) else raw)
    other = Phone(phone.server, phone.account, "device2", version)
    other.keys[inbox] = "0"
    other.sync(inbox)
    return other.sync(inbox, options=options).data(AirSync.Add)


# --- people -----------------------------------------------------------------------------------------


@covers("MS-ASEMAIL_R328", "MS-ASEMAIL_R331", "MS-ASEMAIL_R787", "MS-ASEMAIL_R400", "MS-ASEMAIL_R711")
def test_people_are_separated_as_each_field_wants(phone, inbox):
    data = seen(
        phone,
        inbox,
        "From: x@example.net\r\nTo: A <a@example.net>, b@example.net\r\n"
        "Cc: C <c@example.net>, d@example.net\r\n"
        "Reply-To: e@example.net, f@example.net\r\nSubject: x\r\n\r\n",
    )
    assert data.text_of(Email.To) == '"A" <a@example.net>, b@example.net'
    assert data.text_of(Email.Cc) == '"C" <c@example.net>, d@example.net'
    assert data.text_of(Email.DisplayTo) == "A;b@example.net"
    assert data.text_of(Email.ReplyTo) == "e@example.net;f@example.net"


@covers("MS-ASEMAIL_R722", "MS-ASEMAIL_R724", "MS-ASEMAIL_R1073", "MS-ASEMAIL_R726", "MS-ASEMAIL_R1065")
@pytest.mark.parametrize(
    ("sender", "shown"),
    [
        ("Sender: Office <office@example.net>", '"Office" <office@example.net>'),
        ("Sender: boss@example.net", None),
        ("X: y", None),
    ],
    ids=["another", "the same", "none"],
)
def test_who_sent_it_is_said_when_it_was_not_who_it_is_from(phone, inbox, sender, shown):
    data = seen(phone, inbox, f"From: Boss <boss@example.net>\r\n{sender}\r\nSubject: x\r\n\r\n")
    assert data.text_of(Email.From) == '"Boss" <boss@example.net>'
    assert data.text_of(Email2.Sender) == shown


@covers("MS-ASEMAIL_R649")
@pytest.mark.parametrize(("version", "known"), [("12.1", False), ("14.0", True), ("16.1", True)])
@pytest.mark.parametrize("is_blind", [True, False])
def test_a_blind_copy_says_so_and_no_other(phone, inbox, version, known, is_blind):
    to = "other@example.net" if is_blind else phone.account.address
    envelope = Envelope(
        reverse_path="x@example.net",
        forward_paths=(phone.account.address,),
        received_at=phone.server.clock.now(),
    )
    inbound.deliver(envelope, f"To: {to}\r\nSubject: x\r\n\r\n".encode(), hostname=HOSTNAME)
    other = Phone(phone.server, phone.account, "device2", version)
    other.keys[inbox] = "0"
    other.sync(inbox)
    found = other.sync(inbox).data(AirSync.Add).text_of(Email2.ReceivedAsBcc)
    assert found == ("1" if is_blind and known else None)


@covers("MS-ASEMAIL_R648", "MS-ASEMAIL_R723", "MS-ASEMAIL_R817", "MS-ASEMAIL_R835")
@pytest.mark.parametrize(
    "element",
    [
        Email2.ReceivedAsBcc(1),
        Email2.Sender("x@example.net"),
        Email2.UmCallerID("+493012345"),
        Email2.UmUserNotes("note"),
    ],
    ids=lambda element: element.tag.name,
)
def test_what_the_server_sets_is_not_for_devices(phone, inbox, element):
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    data = AirSync.ApplicationData(Email.Read(1), element)
    told = phone.sync(inbox, commands=[AirSync.Change(AirSync.ServerId(str(item)), data)])
    assert [r.int_of(AirSync.Status) for r in told.responses] == [6]
    assert not phone.server.listed(phone.account, inbox)[0].is_read


# --- conversation -----------------------------------------------------------------------------------


def index_of(raw):
    return arrival.prepare(raw.encode()).columns.conversation_index


@covers("MS-ASEMAIL_R351", "MS-ASEMAIL_R352", "MS-ASEMAIL_R1054")
@covers("MS-ASCON_R304", "MS-ASCON_R90", "MS-ASCON_R95", "MS-ASCON_R87", "MS-ASCON_R88")
@covers("MS-ASCON_R259", "MS-ASCON_R91", "MS-ASCON_R305", "MS-ASCON_R306", "MS-ASCON_R92", "MS-ASCON_R307")
@pytest.mark.parametrize("subject", ["Re: x", "Fwd: x"])
def test_an_index_begins_with_when_it_was_sent_and_grows_with_each_answer(subject):
    date = "Date: Mon, 02 Mar 2026 12:00:00 +0000\r\n"
    first = index_of(f"{date}Message-ID: <a@x>\r\nSubject: x\r\n\r\n")
    ticks = int.from_bytes(first + bytes(3))
    sent = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=ticks // 10)
    assert NOON - timedelta(seconds=2) < sent <= NOON
    assert len(first) == 5
    answer = index_of(f"{date}Message-ID: <b@x>\r\nReferences: <a@x>\r\nSubject: {subject}\r\n\r\n")
    again = index_of(f"{date}Message-ID: <c@x>\r\nReferences: <a@x> <b@x>\r\nSubject: {subject}\r\n\r\n")
    assert (len(answer), len(again), again[:10]) == (10, 15, answer)


@covers("MS-ASEMAIL_R1184", "MS-ASEMAIL_R1190")
def test_a_new_draft_of_16_0_hears_of_its_conversation(phone):
    drafts = phone.folder(FolderType.DRAFTS)
    old = Phone(phone.server, phone.account, "device2", "16.0")
    old.prime(drafts)
    new = AirSync.Add(AirSync.ClientId("1"), AirSync.ApplicationData(Email.Subject("x")))
    (response,) = old.sync(drafts, commands=[new]).responses
    data = response.require(AirSync.ApplicationData)
    assert len(data.require(Email2.ConversationId).data) == 16
    assert len(data.require(Email2.ConversationIndex).data) == 5


@covers("MS-ASEMAIL_R1279")
def test_mail_that_is_no_draft_does_not_say_it_is(phone, inbox):
    assert seen(phone, inbox, "Subject: x\r\n\r\n").text_of(Email2.IsDraft, "0") == "0"


# --- changes ----------------------------------------------------------------------------------------

READ, FLAG, CATEGORIES = "Read", "Flag", "Categories"


@covers("MS-ASEMAIL_R81", "MS-ASEMAIL_R100", "MS-ASEMAIL_R10600", "MS-ASEMAIL_R10608", "MS-ASEMAIL_R10612")
@covers("MS-ASEMAIL_R1017")
@pytest.mark.parametrize(
    "parts",
    [(), (FLAG,), (FLAG, CATEGORIES), (READ, CATEGORIES), (READ, FLAG), (READ,), (CATEGORIES,)],
    ids=lambda parts: "+".join(parts) or "nothing",
)
def test_a_change_brings_the_parts_that_changed_and_no_other(phone, inbox, parts):
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    set_part = {
        READ: lambda: messages.set_read(phone.account.id, item, True),
        FLAG: lambda: messages.set_flag(phone.account.id, item, Flag(2)),
        CATEGORIES: lambda: messages.set_categories(phone.account.id, item, ("red",)),
    }
    for part in parts:
        set_part[part]()
    told = phone.sync(inbox)
    assert [[child.tag.name for child in told.data(AirSync.Change)] for _ in told.of(AirSync.Change)] == (
        [list(parts)] if parts else []
    )


@covers("MS-ASEMAIL_R77")
def test_a_change_of_the_content_brings_all_of_it(phone):
    drafts = phone.folder(FolderType.DRAFTS)
    other = Phone(phone.server, phone.account, "device2")
    for each in (phone, other):
        each.prime(drafts)
    new = AirSync.Add(AirSync.ClientId("1"), AirSync.ApplicationData(Email.Subject("before")))
    item = phone.sync(drafts, commands=[new]).responses[0].text_of(AirSync.ServerId)
    other.sync(drafts)
    edit = AirSync.ApplicationData(Email.Subject("after"), Email.To("carl@example.net"))
    phone.sync(drafts, commands=[AirSync.Change(AirSync.ServerId(item), edit)])
    data = other.sync(drafts, options=AirSync.Options(body_preference(1))).data(AirSync.Change)
    assert (data.text_of(Email.Subject), data.text_of(Email.To)) == ("after", "carl@example.net")
    assert data.find(AirSyncBase.Body) is not None


@covers("MS-ASEMAIL_R68")
@pytest.mark.parametrize("element", [Email.Subject("one"), Email.Read(1), Email2.IsDraft(0)])
def test_properties_of_mail_are_no_conditions_of_a_search(phone, inbox, element):
    query = Search.Query(Search.And(AirSync.Class("Email"), Search.FreeText("one"), element))
    answer = phone.asked("Search", Search.Search(Search.Store(Search.Name("Mailbox"), query)))
    assert answer.require(Search.Response).require(Search.Store).int_of(Search.Status) == 2


# --- what kind of message ---------------------------------------------------------------------------


def class_of(raw):
    return summarise(raw, scan(raw)).message_class


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Content-Class: voice", "IPM.Note.Microsoft.Voicemail.UM"),
        ("Content-Class: Voice-CA", "IPM.Note.Microsoft.Voicemail.UM.CA"),
        ("Content-Class: missedcall", "IPM.Note.Microsoft.Missed.Voice"),
        ("Content-Class: fax", "IPM.Note.Microsoft.Fax"),
        ("Message-Context: voice-message", "IPM.Note.Microsoft.Voicemail.UM"),
        ("Message-Context: fax-message", "IPM.Note.Microsoft.Fax"),
        ("Message-Context: text-message", "IPM.Note"),
        ("Auto-Submitted: auto-replied (vacation)", "IPM.Note.Rules.OofTemplate.Microsoft"),
        ("Auto-Submitted: auto-generated", "IPM.Note"),
        ("Content-Class: urn:content-classes:message", "IPM.Note"),
        ("Content-Type: application/pkcs7-mime; smime-type=signed-receipt", "IPM.Note.Receipt.SMIME"),
        ("Content-Type: application/pkcs7-mime; smime-type=enveloped-data", "IPM.Note.SMIME"),
        ('Content-Type: multipart/voice-message; boundary="b"', "IPM.Note.Microsoft.Voicemail.UM"),
    ],
)
def test_kinds_by_their_fields(field, expected):
    assert class_of(f"Subject: x\r\n{field}\r\n\r\n--b\r\n\r\n--b--\r\n".encode()) == expected


def report(returned, action="failed"):
    return (
        'Subject: x\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="r"\r\n\r\n'
        f"--r\r\n\r\nsorry\r\n--r\r\nContent-Type: message/delivery-status\r\n\r\nAction: {action}\r\n"
        f"--r\r\nContent-Type: message/rfc822\r\n\r\n{returned}\r\n--r--\r\n"
    ).encode()


SIGNED = (
    'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary="s"\r\n\r\n'
    "--s\r\n\r\n--s--"
)
INVITED = "Content-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR"
ENVELOPED = "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (report("Subject: y\r\n\r\nz"), "REPORT.IPM.NOTE.NDR"),
        (report("Subject: y\r\n\r\nz", "delayed"), "REPORT.IPM.NOTE.DELAYED"),
        (report(ENVELOPED), "REPORT.IPM.NOTE.SMIME.NDR"),
        (report(ENVELOPED, "delivered"), "REPORT.IPM.NOTE.SMIME.DR"),
        (report(SIGNED), "REPORT.IPM.NOTE.SMIME.MULTIPARTSIGNED.NDR"),
        (report(INVITED), "REPORT.IPM.SCHEDULE.MEETING.REQUEST.NDR"),
        (report(INVITED, "delivered"), "REPORT.IPM.NOTE.DR"),
        (report(report("Subject: z\r\n\r\n").decode()), "REPORT.IPM.NOTE.NDR"),
    ],
)
def test_a_report_says_what_it_is_about(raw, expected):
    assert class_of(raw) == expected


# --- voice ------------------------------------------------------------------------------------------


def voice(fields, *recordings):
    parts = "".join(
        f'--v\r\nContent-Type: audio/wav; name="{name}"\r\n{extra}\r\nRIFF {name}\r\n'
        for name, extra in recordings
    )
    return f'Subject: call\r\nContent-Type: multipart/mixed; boundary="v"\r\n{fields}\r\n{parts}--v--\r\n'


def recordings(data):
    attached = data.find(AirSyncBase.Attachments)
    return {
        each.text_of(AirSyncBase.DisplayName): (
            each.text_of(Email2.UmAttOrder),
            each.text_of(Email2.UmAttDuration),
        )
        for each in (attached.children if attached is not None else ())
    }


CALL = "Content-Class: voice-ca\r\nX-CallingTelephoneNumber: +49 30 12345\r\nX-VoiceMessageDuration: 17\r\n"


@covers("MS-ASEMAIL_R799", "MS-ASEMAIL_R803", "MS-ASEMAIL_R805", "MS-ASEMAIL_R808", "MS-ASEMAIL_R809")
@covers("MS-ASEMAIL_R812", "MS-ASEMAIL_R933", "MS-ASEMAIL_R829")
def test_a_voice_message_says_who_called_and_how_long(phone, inbox):
    data = seen(phone, inbox, voice(CALL, ("old.wav", "Content-Duration: 5\r\n"), ("new.wav", "")))
    assert data.text_of(Email2.UmCallerID) == "+49 30 12345"
    assert recordings(data) == {"old.wav": ("2", "5"), "new.wav": ("1", "17")}


def test_the_order_of_recordings_is_the_one_that_is_said(phone, inbox):
    fields = f"{CALL}X-AttachmentOrder: a.wav;b.wav\r\n"
    data = seen(phone, inbox, voice(fields, ("a.wav", ""), ("b.wav", "")))
    assert recordings(data) == {"a.wav": ("1", "17"), "b.wav": ("2", None)}


@covers("MS-ASEMAIL_R804", "MS-ASEMAIL_R811")
@pytest.mark.parametrize(
    ("fields", "version"),
    [(CALL.replace("voice-ca", "fax"), "16.1"), (CALL.replace("voice-ca", "x"), "16.1"), (CALL, "12.1")],
    ids=["fax", "mail", "too early"],
)
def test_other_messages_say_nothing_of_calls(phone, inbox, fields, version):
    data = seen(phone, inbox, voice(fields, ("new.wav", "")), version)
    assert data.find(Email2.UmCallerID) is None
    assert recordings(data) == {"new.wav": (None, None)}


@pytest.mark.parametrize("caller", ["", "anonymous", "+" * 500, "sip:" + "x" * 500, "<b>1</b>"])
def test_a_caller_that_is_none(phone, inbox, caller):
    raw = voice(CALL.replace("+49 30 12345", caller).replace("17", "nine"), ("new.wav", ""))
    data = seen(phone, inbox, raw)
    assert data.find(Email2.UmCallerID) is None
    assert recordings(data) == {"new.wav": ("1", None)}


# --- read receipts ----------------------------------------------------------------------------------


def test_nobody_is_told_that_mail_was_read(phone, inbox):
    """Source: RFC 8098 2.1: a receipt needs the reader's consent, for which no device of ours asks."""
    asking = "From: x@example.net\r\nDisposition-Notification-To: x@example.net\r\nSubject: x\r\n\r\n"
    other = phone.server.account("ben")
    item = phone.server.file_raw(
        phone.account, inbox, asking.replace("x@example.net", other.address).encode()
    )
    phone.prime(inbox)
    for is_read in (1, 0, 1):
        data = AirSync.ApplicationData(Email.Read(is_read))
        phone.sync(inbox, commands=[AirSync.Change(AirSync.ServerId(str(item)), data)])
    assert phone.server.listed(other, phone.server.folder(other, FolderType.INBOX)) == []


# --- short messages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("with_mail", [True, False])
def test_short_messages_are_refused_without_spoiling_the_mail(phone, inbox, with_mail):
    """Source: MS-ASCMD 2.2.3.27.5 Class: a device may ask for SMS beside the mail; there are none here."""
    phone.server.file(phone.account, inbox, "mail")
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    blocks = [AirSync.Options(AirSync.Class("SMS"), body_preference(1))]
    if with_mail:
        blocks.insert(0, AirSync.Options(AirSync.Class("Email"), body_preference(1, 2)))
    text = AirSync.ApplicationData(Email.From("[MOBILE: +4930]"), Email.Subject("hi"), Email.Read(1))
    new = AirSync.Add(AirSync.Class("SMS"), AirSync.ClientId("1"), text)
    told = phone.sync(inbox, options=blocks, commands=[new])
    assert [response.int_of(AirSync.Status) for response in told.responses] == [6]
    assert told.data(AirSync.Add).text_of(Email.Subject) == "mail"
    body = told.data(AirSync.Add).require(AirSyncBase.Body).text_of(AirSyncBase.Data)
    assert body == ("ma" if with_mail else "mail\r\n")
