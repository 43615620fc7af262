"""SmartReply and SmartForward: what the server adds, what it leaves alone, what it marks."""

import pytest

from appliance import db
from appliance.ical.invitation import read_invitation
from appliance.items.folder import FolderType
from appliance.mime.body import leaf_text
from appliance.mime.message_class import message_class
from appliance.mime.scan import scan
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, AirSyncBase, ComposeMail, Email2
from tests.covers import covers

ORIGINAL = (
    b"From: Bert <bert@example.test>\r\nTo: anna@example.test\r\nSubject: plan\r\n"
    b"Message-ID: <plan@example.test>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain\r\n\r\nthe original words\r\n"
    b"--b\r\nContent-Type: text/csv; name=plan.csv\r\nContent-Disposition: attachment\r\n\r\n"
    b"a,b,c\r\n--b--\r\n"
)
NEW = b"From: anna@example.test\r\nTo: bert@example.test\r\nSubject: Re: plan\r\n\r\nmy answer\r\n"


@pytest.fixture
def bert(phone):
    return phone.server.account("bert")


@pytest.fixture
def original(phone, inbox):
    item = phone.server.file_raw(phone.account, inbox, ORIGINAL)
    phone.prime(inbox)
    return item


def document(root, source, client_id="c1", mime=NEW, extra=()):
    return root(
        ComposeMail.ClientId(client_id),
        ComposeMail.Source(source),
        ComposeMail.SaveInSentItems(),
        list(extra),
        ComposeMail.Mime(mime),
    )


def reply(phone, *source, **rest):
    return phone.command("SmartReply", document(ComposeMail.SmartReply, source, **rest))


def forward(phone, *source, **rest):
    return phone.command("SmartForward", document(ComposeMail.SmartForward, source, **rest))


def item_id(item):
    return ComposeMail.ItemId(str(item))


def received(phone, account):
    listed = phone.server.listed(account, phone.server.folder(account, FolderType.INBOX))
    assert len(listed) == 1
    with db.connection():
        return messages.raw(listed[0])


def status(answer):
    return answer.int_of(ComposeMail.Status)


def stored(phone, item):
    with db.connection():
        return messages.get(phone.account.id, item)


@covers("MS-ASCMD_R580", "MS-ASCMD_R605", "MS-ASCMD_R5776", "MS-ASCMD_R569")
def test_a_reply_quotes_the_original(phone, bert, original, inbox):
    assert reply(phone, ComposeMail.FolderId(str(inbox)), item_id(original)) is None
    raw = received(phone, bert)
    assert raw.index(b"my answer") < raw.index(b"the original words")
    assert b"plan.csv" not in raw
    assert b"In-Reply-To: <plan@example.test>" in raw


@covers("MS-ASCMD_R4407", "MS-ASCMD_R532", "MS-ASCMD_R568")
def test_a_forward_takes_the_attachments_along(phone, bert, original):
    assert forward(phone, item_id(original)) is None
    raw = received(phone, bert)
    assert b"the original words" in raw
    assert b"plan.csv" in raw
    assert b"a,b,c" in raw


@covers("MS-ASCMD_R3775")
@pytest.mark.parametrize(
    "element", [ComposeMail.ReplaceMime(), ComposeMail.ReplaceMime(1)], ids=["empty", "1"]
)
@pytest.mark.parametrize("act", [reply, forward])
def test_with_replace_mime_nothing_is_added(phone, bert, original, act, element):
    assert act(phone, item_id(original), extra=[element]) is None
    raw = received(phone, bert)
    assert b"my answer" in raw
    assert b"the original words" not in raw
    assert b"plan.csv" not in raw


def test_signed_mail_is_left_alone(phone, bert, original):
    signed = (
        b"From: anna@example.test\r\nTo: bert@example.test\r\nSubject: s\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/signed; boundary=s; protocol="application/pkcs7-signature"\r\n\r\n'
        b"--s\r\nContent-Type: text/plain\r\n\r\nsealed\r\n"
        b"--s\r\nContent-Type: application/pkcs7-signature\r\n\r\nMIIB\r\n--s--\r\n"
    )
    assert reply(phone, item_id(original), mime=signed) is None
    assert b"the original words" not in received(phone, bert)


def test_a_long_id_names_the_original_too(phone, bert, original):
    assert reply(phone, ComposeMail.LongId(str(original))) is None
    assert b"the original words" in received(phone, bert)


def test_an_instance_id_means_nothing_for_mail(phone, bert, original):
    instance = ComposeMail.InstanceId("2026-04-14T07:00:00.000Z")
    assert reply(phone, item_id(original), instance) is None


def test_an_original_that_was_moved_meanwhile(phone, bert, original):
    messages.move(phone.account.id, original, phone.folder(FolderType.DELETED))
    assert reply(phone, item_id(original)) is None
    assert b"the original words" in received(phone, bert)


# --- the mark -------------------------------------------------------------------------------------


@covers("MS-ASEMAIL_R510")
@pytest.mark.parametrize(("act", "verb"), [(reply, 1), (forward, 3)])
def test_the_original_is_marked_and_phones_hear_of_it(phone, bert, original, inbox, act, verb):
    assert act(phone, item_id(original)) is None
    assert stored(phone, original).last_verb == verb
    told = phone.sync(inbox)
    assert told.ids(AirSync.Change) == [original]
    assert told.data(AirSync.Change).int_of(Email2.LastVerbExecuted) == verb


@pytest.mark.parametrize(
    ("recipients", "verb"),
    [
        ("To: bert@example.test", 1),
        ("To: bert@example.test\r\nCc: anna@example.test, boss@example.net", 1),
        ("To: bert@example.test, Carl <CARL@example.net>", 2),
        ("To: bert@example.test\r\nCc: dora@example.net", 2),
    ],
)
def test_a_reply_to_all_is_marked_as_one(phone, bert, inbox, recipients, verb):
    to = b"To: anna@example.test, carl@example.net\r\nCc: dora@example.net\r\nSubject: plan\r\n\r\nwords\r\n"
    item = phone.server.file_raw(phone.account, inbox, b"From: bert@example.test\r\n" + to)
    new = f"From: anna@example.test\r\n{recipients}\r\nSubject: Re: plan\r\n\r\nmy answer\r\n"
    assert reply(phone, item_id(item), mime=new.encode()) is None
    assert stored(phone, item).last_verb == verb


def test_a_mark_that_fails_is_no_reason_to_send_again(phone, bert, original, monkeypatch):
    set_last_verb = messages.set_last_verb

    def vanished(account_id, item, *rest):
        messages.delete(account_id, item)
        set_last_verb(account_id, item, *rest)

    monkeypatch.setattr(messages, "set_last_verb", vanished)
    assert reply(phone, item_id(original)) is None
    assert b"my answer" in received(phone, bert)


# --- repeats and refusals -------------------------------------------------------------------------


@pytest.mark.parametrize("act", [reply, forward])
def test_a_repeat_is_not_sent_again(phone, bert, original, act):
    assert act(phone, item_id(original)) is None
    assert status(act(phone, item_id(original))) == 118
    received(phone, bert)


def test_a_repeat_counts_even_when_the_original_is_gone(phone, bert, original):
    assert reply(phone, item_id(original)) is None
    messages.delete(phone.account.id, original)
    assert status(reply(phone, item_id(original))) == 118


@covers("MS-ASCMD_R5777", "MS-ASCMD_R4408", "MS-ASCMD_R4930")
@pytest.mark.parametrize("act", [reply, forward])
@pytest.mark.parametrize("source", [ComposeMail.ItemId("999999"), ComposeMail.LongId("999999")], ids=str)
def test_an_original_that_is_gone(phone, bert, act, source):
    assert status(act(phone, source)) == 150
    assert phone.server.listed(phone.account, phone.folder(FolderType.SENT)) == []


@covers("MS-ASCMD_R541", "MS-ASCMD_R578", "MS-ASCMD_R4819", "MS-ASCMD_R4821")
@pytest.mark.parametrize("act", [reply, forward])
@pytest.mark.parametrize(
    ("expected", "source"),
    [
        (105, ()),
        (105, (ComposeMail.FolderId("1"),)),
        (105, (ComposeMail.InstanceId("2026-04-14T07:00:00.000Z"),)),
        (105, (ComposeMail.ItemId("1"), ComposeMail.LongId("1"))),
        (105, (ComposeMail.FolderId("1"), ComposeMail.LongId("1"))),
        (105, (ComposeMail.LongId("1"), ComposeMail.InstanceId("2026-04-14T07:00:00.000Z"))),
        (106, (ComposeMail.ItemId("x"),)),
        (106, (ComposeMail.LongId("RgAAAA"),)),
        (104, (ComposeMail.ItemId("1"), ComposeMail.InstanceId("next Tuesday"))),
    ],
)
def test_a_source_that_is_none(phone, bert, act, expected, source):
    assert status(act(phone, *source)) == expected
    assert phone.server.listed(phone.account, phone.folder(FolderType.SENT)) == []


def meeting(phone, inbox, *, rule=""):
    raw = (
        "From: bert@example.test\r\nTo: anna@example.test\r\nSubject: plan\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nthe plan\r\n"
        "--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n"
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:plan@example.test\r\n"
        f"DTSTART:20260310T080000Z\r\nDTEND:20260310T090000Z\r\nSUMMARY:plan\r\n{rule}"
        "END:VEVENT\r\nEND:VCALENDAR\r\n--b--\r\n"
    )
    return phone.server.file_raw(phone.account, inbox, raw.encode())


WEEKLY = "RRULE:FREQ=WEEKLY\r\n"


@covers("MS-ASCMD_R4919")
def test_a_single_meeting_has_no_occurrence_to_forward(phone, bert, inbox):
    instance = ComposeMail.InstanceId("2026-03-10T08:00:00.000Z")
    single, series = meeting(phone, inbox), meeting(phone, inbox, rule=WEEKLY)
    assert status(forward(phone, item_id(single), instance)) == 146
    assert forward(phone, item_id(series), instance) is None


@pytest.mark.parametrize(
    ("children", "expected"),
    [
        ((AirSyncBase.Body(AirSyncBase.Type(1), AirSyncBase.Data("x")), ComposeMail.Mime(NEW)), 178),
        ((ComposeMail.Forwardees(), ComposeMail.SaveInSentItems()), 178),
        ((ComposeMail.Forwardees(ComposeMail.Forwardee(ComposeMail.ForwardeeEmail("x@example.net"))),), 179),
    ],
)
def test_mail_is_not_forwarded_like_an_event(phone, original, children, expected):
    asked = ComposeMail.SmartForward(
        ComposeMail.ClientId("c"), ComposeMail.Source(item_id(original)), list(children)
    )
    assert status(phone.command("SmartForward", asked)) == expected


def test_faults_of_the_message(phone, original):
    assert status(reply(phone, item_id(original), mime=b"Subject: x\r\n\r\nto nobody")) == 119
    assert status(reply(phone, item_id(original), mime=b"")) == 107
    assert stored(phone, original).last_verb == 0


@pytest.mark.parametrize("name", ["SmartReply", "SmartForward"])
@pytest.mark.parametrize("asked", [AirSync.Sync(), ComposeMail.SendMail()])
def test_malformed(phone, name, asked):
    assert status(phone.command(name, asked)) == 103


def test_a_source_is_needed(phone, bert):
    asked = ComposeMail.SmartReply(ComposeMail.ClientId("c"), ComposeMail.Mime(NEW))
    assert status(phone.command("SmartReply", asked)) == 103


# --- invitations ----------------------------------------------------------------------------------


def calendar(*lines):
    return (
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:one@partner.example\r\n"
        "DTSTART;TZID=Europe/Berlin:20260310T090000\r\nDURATION:PT1H\r\nSUMMARY:Tea\r\n"
        "ORGANIZER:mailto:jo@partner.example\r\nATTENDEE:mailto:anna@example.test\r\n"
        + "".join(f"{line}\r\n" for line in lines)
        + "END:VEVENT\r\nEND:VCALENDAR\r\n"
    )


def invited(phone, inbox, *lines):
    """Put an invitation into the Inbox and return its id."""
    raw = (
        "From: jo@partner.example\r\nTo: anna@example.test\r\nSubject: Tea\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nthe original words\r\n"
        f"--b\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n{calendar(*lines)}\r\n--b--\r\n"
    )
    item = phone.server.file_raw(phone.account, inbox, raw.encode())
    phone.prime(inbox)
    return item


def invitation_in(raw):
    """Return what the calendar in a message invites to."""
    structure = scan(raw)
    assert message_class(raw, structure) == "IPM.Schedule.Meeting.Request"
    return read_invitation(leaf_text(raw, structure.part(structure.calendar_part)))


def instance(text="2026-03-31T07:00:00.000Z"):
    return ComposeMail.InstanceId(text)


def people(*addresses):
    return ComposeMail.Forwardees(
        [
            ComposeMail.Forwardee(ComposeMail.ForwardeeName("Bert"), ComposeMail.ForwardeeEmail(address))
            for address in addresses
        ]
    )


def forward_to(phone, item, *children, client_id="c1", source=()):
    asked = ComposeMail.SmartForward(
        ComposeMail.ClientId(client_id), ComposeMail.Source(item_id(item), list(source)), list(children)
    )
    return phone.command("SmartForward", asked)


@covers("MS-ASCMD_R5834")
@pytest.mark.parametrize("version", ["14.0", "14.1", "16.0", "16.1"])
def test_a_forwarded_invitation_invites_to_the_whole_series(phone, bert, inbox, version):
    phone.version = version
    item = invited(phone, inbox, "RRULE:FREQ=WEEKLY")
    assert forward(phone, item_id(item)) is None
    raw = received(phone, bert)
    assert b"my answer" in raw and b"the original words" in raw
    found = invitation_in(raw)
    assert (found.uid, found.is_series) == ("one@partner.example", True)
    assert found.organizer.address == "jo@partner.example"


@covers("MS-ASCMD_R538")
def test_an_occurrence_is_forwarded_alone(phone, bert, inbox):
    item = invited(phone, inbox, "RRULE:FREQ=WEEKLY")
    assert forward(phone, item_id(item), instance()) is None
    found = invitation_in(received(phone, bert))
    assert f"{found.start:%m-%d %H:%M}" == "03-31 07:00"
    assert found.recurrence_id == found.start and not found.is_series


@covers("MS-ASCMD_R5420")
def test_a_reply_to_a_series_invites_nobody(phone, bert, inbox):
    item = invited(phone, inbox, "RRULE:FREQ=WEEKLY")
    assert reply(phone, item_id(item), instance()) is None
    raw = received(phone, bert)
    assert b"the original words" in raw
    assert b"text/calendar" not in raw


@covers("MS-ASCMD_R541", "MS-ASCMD_R578", "MS-ASCMD_R4930")
@pytest.mark.parametrize("act", [reply, forward])
@pytest.mark.parametrize(
    ("lines", "text", "expected"),
    [
        (["RRULE:FREQ=WEEKLY"], "20260331T070000Z", 104),
        (["RRULE:FREQ=WEEKLY"], "2026-04-01T07:00:00.000Z", 150),
    ],
)
def test_occurrences_there_are_not(phone, bert, inbox, act, lines, text, expected):
    assert status(act(phone, item_id(invited(phone, inbox, *lines)), instance(text))) == expected
    assert phone.server.listed(bert, phone.server.folder(bert, FolderType.INBOX)) == []


@pytest.mark.parametrize("version", ["16.0", "16.1"])
def test_an_invitation_is_forwarded_by_the_server(phone, bert, inbox, version):
    phone.version = version
    item = invited(phone, inbox, "RRULE:FREQ=WEEKLY")
    words = AirSyncBase.Body(AirSyncBase.Type(1), AirSyncBase.Data("Go for me, please"))
    assert forward_to(phone, item, people("bert@example.test"), words, source=[instance()]) is None
    raw = received(phone, bert)
    assert b"Go for me, please" in raw
    assert not invitation_in(raw).is_series
    (sent,) = phone.server.listed(phone.account, phone.folder(FolderType.SENT))
    assert (sent.subject, sent.to) == ("FW: Tea", '"Bert" <bert@example.test>')
    assert stored(phone, item).last_verb == 3
    assert status(forward_to(phone, item, people("bert@example.test"), words)) == 118


@covers("MS-ASCMD_R7467", "MS-ASCMD_R7468")
@pytest.mark.parametrize(
    "beside", [ComposeMail.Mime(NEW), ComposeMail.SaveInSentItems(), ComposeMail.ReplaceMime()]
)
@pytest.mark.parametrize("what", ["people", "words"])
def test_people_and_words_go_without_a_message(phone, bert, inbox, beside, what):
    words = AirSyncBase.Body(AirSyncBase.Type(1), AirSyncBase.Data("x"))
    named = people("bert@example.test") if what == "people" else words
    assert status(forward_to(phone, invited(phone, inbox), named, beside)) == 178


@covers("MS-ASCMD_R7470")
@pytest.mark.parametrize(
    "children",
    [
        [AirSyncBase.Body(AirSyncBase.Type(1), AirSyncBase.Data("to nobody"))],
        [ComposeMail.Forwardees()],
        [ComposeMail.Forwardees(ComposeMail.Forwardee(ComposeMail.ForwardeeName("x")))],
        [people("not an address")],
        [people("bert@example.test"), AirSyncBase.Body(AirSyncBase.Type(3), AirSyncBase.Data("x"))],
        [people("bert@example.test"), AirSyncBase.Body(AirSyncBase.Type("x"), AirSyncBase.Data("x"))],
    ],
)
def test_people_who_cannot_be_written_to(phone, bert, inbox, children):
    assert status(forward_to(phone, invited(phone, inbox), *children)) == 179
    assert phone.server.listed(phone.account, phone.folder(FolderType.SENT)) == []


def test_only_invitations_are_forwarded_by_the_server(phone, bert, original):
    assert status(forward_to(phone, original, people("bert@example.test"))) == 179


@pytest.mark.parametrize("version", ["14.0", "14.1"])
def test_early_versions_send_the_message_themselves(phone, bert, inbox, version):
    phone.version = version
    assert status(forward_to(phone, invited(phone, inbox), people("bert@example.test"))) == 107
