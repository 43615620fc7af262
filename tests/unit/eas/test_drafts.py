"""Drafts written on a phone: made, changed, sent; nothing twice, nothing lost, nothing for old versions."""

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.delivery import submission
from appliance.devices import sync_states
from appliance.eas import drafts
from appliance.items.folder import FolderType
from appliance.mime.scan import scan
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email, Email2
from tests.covers import covers
from tests.unit.eas.world import Phone, body_preference

HTML = AirSync.Options(body_preference(2))
PLAIN = AirSync.Options(body_preference(1))


@pytest.fixture
def folder(phone):
    return phone.folder(FolderType.DRAFTS)


@pytest.fixture
def phone(server):
    phone = Phone(server, server.account("anna"))
    phone.prime(phone.folder(FolderType.DRAFTS))
    return phone


def add(client_id, *data, send=False):
    return AirSync.Add(
        AirSync.ClientId(client_id), Email2.Send() if send else None, AirSync.ApplicationData(*data)
    )


def change(item, *data, send=False):
    return AirSync.Change(
        AirSync.ServerId(str(item)),
        Email2.Send() if send else None,
        AirSync.ApplicationData(*data) if data else None,
    )


def body(type_, data):
    return AirSyncBase.Body(AirSyncBase.Type(type_), AirSyncBase.Data(data))


def upload(client_id, data, name, *, kind="application/pdf", method=1, cid=None):
    return AirSyncBase.Add(
        AirSyncBase.ClientId(client_id),
        AirSyncBase.Content(data),
        AirSyncBase.ContentType(kind),
        AirSyncBase.ContentId(cid) if cid else None,
        AirSyncBase.DisplayName(name),
        AirSyncBase.IsInline() if cid else None,
        AirSyncBase.Method(method),
    )


def files(*entries):
    return AirSyncBase.Attachments(list(entries))


def answered(told, number=0):
    response = told.responses[number]
    return response.int_of(AirSync.Status), response.text_of(AirSync.ServerId)


def write(phone, folder, *data, client_id="c1"):
    status, item = answered(phone.sync(folder, commands=[add(client_id, *data)]))
    assert status == 1
    return int(item)


def raw_of(phone, item):
    with db.connection():
        return messages.raw(messages.get(phone.account.id, item))


def shown(phone, folder, item, options=PLAIN):
    fetch = AirSync.Fetch(AirSync.ServerId(str(item)))
    return phone.sync(folder, commands=[fetch], options=options).responses[0].require(AirSync.ApplicationData)


def references(data):
    return {
        a.text_of(AirSyncBase.DisplayName): a.text_of(AirSyncBase.FileReference)
        for a in data.require(AirSyncBase.Attachments)
    }


@covers("MS-ASEMAIL_R11850", "MS-ASEMAIL_R11910", "MS-ASCMD_R748", "MS-ASCMD_R957")
def test_new_draft_is_answered_with_what_the_server_made_of_it(phone, folder):
    told = phone.sync(
        folder,
        commands=[
            add(
                "c1",
                Email.To('"Ben Ö" <ben@example.net>, half'),
                Email2.Bcc("secret@example.net"),
                Email.Subject("Grüße"),
                Email.ReplyTo("reply@example.net"),
                Email.Importance(2),
                body(2, "<p>Hé</p>"),
            )
        ],
    )
    data = told.responses[0].require(AirSync.ApplicationData)
    assert len(data.require(Email2.ConversationId).data) == 16
    assert len(data.require(Email2.ConversationIndex).data) >= 5
    assert data.text_of(Email2.IsDraft) == "1"
    assert data.text_of(Email.DateReceived) == "2026-03-02T12:00:00.000Z"
    assert told.of(AirSync.Add) == []  # its own draft does not come back
    other = Phone(phone.server, phone.account, "device2")
    other.keys[folder] = "0"
    other.sync(folder)
    seen = other.sync(folder, options=HTML).data(AirSync.Add)
    assert seen.text_of(Email.To) == '"Ben Ö" <ben@example.net>, "half"'
    assert seen.text_of(Email2.Bcc) == "secret@example.net"
    assert seen.text_of(Email.ReplyTo) == "reply@example.net"
    assert seen.text_of(Email.Subject) == "Grüße"
    assert seen.text_of(Email.Importance) == "2"
    assert seen.text_of(Email2.IsDraft) == "1"
    assert seen.text_of(Email.Read) == "1"
    assert "<p>Hé</p>" in seen.require(AirSyncBase.Body).text_of(AirSyncBase.Data)


@pytest.mark.parametrize("version", ["12.1", "14.1"])
def test_old_versions_cannot_write_drafts(phone, folder, version):
    item = write(phone, folder, Email.Subject("one"))
    old = Phone(phone.server, phone.account, "device2", version)
    old.prime(folder)
    told = old.sync(folder, commands=[add("c9", Email.Subject("two"))])
    assert answered(told)[0] == 6
    old.sync(folder, commands=[change(item, Email.Subject("two"), Email.Read(0))])
    with db.connection():
        message = messages.get(phone.account.id, item)
    assert (message.subject, message.is_read) == ("one", False)


def test_only_the_drafts_folder_takes_mail(phone):
    inbox = phone.folder(FolderType.INBOX)
    phone.prime(inbox)
    assert answered(phone.sync(inbox, commands=[add("c1", Email.Subject("x"))]))[0] == 6
    sent = phone.sync(inbox, commands=[add("c2", Email.To("a@example.net"), send=True)])
    assert answered(sent)[0] == 6


@covers("MS-ASCMD_R878")
def test_change_leaves_what_it_does_not_name(phone, folder):
    item = write(phone, folder, Email.To("ben@example.net"), Email.Subject("one"), body(1, "first\r\ntext"))
    told = phone.sync(folder, commands=[change(item, Email.Subject("two"))])
    assert answered(told) == (1, str(item))
    data = shown(phone, folder, item)
    assert data.text_of(Email.Subject) == "two"
    assert data.text_of(Email.To) == "ben@example.net"
    assert data.require(AirSyncBase.Body).text_of(AirSyncBase.Data) == "first\r\ntext"
    phone.sync(folder, commands=[change(item, Email.To(""), body(1, ""))])
    data = shown(phone, folder, item)
    assert data.text_of(Email.To) == ""
    assert data.require(AirSyncBase.Body).text_of(AirSyncBase.Data) is None
    assert phone.sync(folder).is_empty  # nothing of it is an echo


def test_other_device_converges(phone, folder):
    item = write(phone, folder, Email.Subject("one"))
    other = Phone(phone.server, phone.account, "device2")
    other.prime(folder)
    phone.sync(folder, commands=[change(item, Email.Subject("two"))])
    told = other.sync(folder)
    assert told.ids(AirSync.Change) == [item]
    assert told.data(AirSync.Change).text_of(Email.Subject) == "two"


def test_conflict_is_won_by_the_server_unless_the_device_says_otherwise(phone, folder):
    item = write(phone, folder, Email.Subject("one"))
    other = Phone(phone.server, phone.account, "device2")
    other.prime(folder)
    phone.sync(folder, commands=[change(item, Email.Subject("two"))])
    told = other.sync(folder, commands=[change(item, Email.Subject("three"))])
    assert answered(told)[0] == 7
    assert told.data(AirSync.Change).text_of(Email.Subject) == "two"
    phone.sync(folder, commands=[change(item, Email.Subject("four"))])
    wins = AirSync.Options(AirSync.Conflict(0))
    assert answered(other.sync(folder, commands=[change(item, Email.Subject("five"))], options=wins))[0] == 1
    with db.connection():
        assert messages.get(phone.account.id, item).subject == "five"


def test_attachments_come_and_go_by_their_references(phone, folder):
    told = phone.sync(
        folder,
        commands=[
            add(
                "c1",
                body(2, '<p>see <img src="cid:pic@1"></p>'),
                files(
                    upload("a1", b"%PDF-1", "plan.pdf"),
                    upload("a2", b"\x89PNG", "pic.png", kind="image/png", cid="pic@1"),
                    upload("a3", b"Subject: in\r\n\r\nx\r\n", "in.eml", method=5),
                ),
            )
        ],
    )
    item = int(answered(told)[1])
    given = {
        a.text_of(AirSyncBase.ClientId): a.text_of(AirSyncBase.FileReference)
        for a in told.responses[0].require(AirSync.ApplicationData).require(AirSyncBase.Attachments)
    }
    data = shown(phone, folder, item, HTML)
    assert references(data) == {"plan.pdf": given["a1"], "pic.png": given["a2"], "in.eml": given["a3"]}
    by_name = {a.text_of(AirSyncBase.DisplayName): a for a in data.require(AirSyncBase.Attachments)}
    assert by_name["pic.png"].text_of(AirSyncBase.IsInline) == "1"
    assert by_name["pic.png"].text_of(AirSyncBase.ContentId) == "pic@1"
    assert by_name["in.eml"].text_of(AirSyncBase.Method) == "5"

    gone = AirSyncBase.Delete(AirSyncBase.FileReference(given["a1"]))
    told = phone.sync(folder, commands=[change(item, files(upload("a4", b"new", "new.bin"), gone))])
    assert answered(told) == (1, str(item))
    named = told.responses[0].require(AirSync.ApplicationData).require(AirSyncBase.Attachments).children[0]
    data = shown(phone, folder, item, HTML)
    assert set(references(data)) == {"pic.png", "in.eml", "new.bin"}
    assert references(data)["new.bin"] == named.text_of(AirSyncBase.FileReference)
    assert "cid:pic@1" in data.require(AirSyncBase.Body).text_of(AirSyncBase.Data)


def test_files_that_are_called_otherwise_are_announced_again(phone, folder):
    told = phone.sync(
        folder, commands=[add("c1", files(upload("a1", b"1", "one.bin"), upload("a2", b"2", "two.bin")))]
    )
    item = int(answered(told)[1])
    first = references(shown(phone, folder, item))["one.bin"]
    gone = AirSyncBase.Delete(AirSyncBase.FileReference(first))
    told = phone.sync(folder, commands=[change(item, files(gone))])
    assert references(told.data(AirSync.Change)) == {"two.bin": first}  # moved up: the phone must know


def test_whole_message_as_body_keeps_the_draft_one_message(phone, folder):
    mime = (
        b"Subject: from mime\r\nTo: m@example.net\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: multipart/alternative; boundary="b"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n'
        b"plain\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>rich</p>\r\n--b--\r\n"
    )
    item = write(phone, folder, body(4, mime.decode()))
    before = raw_of(phone, item)
    assert before.endswith(mime.partition(b"\r\n\r\n")[2])
    with db.connection():
        first = messages.get(phone.account.id, item)
    phone.sync(folder, commands=[change(item, body(4, "Subject: again\r\n\r\nnew\r\n"))])
    with db.connection():
        second = messages.get(phone.account.id, item)
    assert (second.subject, second.to) == ("again", "m@example.net")
    assert second.message_id == first.message_id
    assert second.conversation_id == first.conversation_id


@covers("MS-ASEMAIL_R1278")
def test_sending_a_draft_makes_one_copy_and_takes_the_draft_away(phone, folder):
    server = phone.server
    ben = server.account("ben")
    item = write(phone, folder, Email.To(ben.address), Email.Subject("plan"), body(1, "text"))
    told = phone.sync(folder, commands=[change(item, Email.Subject("final"), send=True)])
    assert answered(told) == (1, str(item))
    assert told.ids(AirSync.Delete) == [item]
    sent = server.listed(phone.account, phone.folder(FolderType.SENT))
    assert [(m.subject, m.is_draft) for m in sent] == [("final", False)]
    received = server.listed(ben, server.folder(ben, FolderType.INBOX))
    assert [m.subject for m in received] == ["final"]
    assert server.listed(phone.account, folder) == []


def test_new_draft_is_sent_at_once(phone, folder):
    ben = phone.server.account("ben")
    data = (
        Email.To("ben@example.test"),
        Email2.Bcc("ben@example.test"),
        Email.Subject("now"),
        body(2, "<b>x"),
    )
    told = phone.sync(folder, commands=[add("c1", *data, send=True)])
    assert answered(told) == (1, None)
    assert told.of(AirSync.Add) == []
    (received,) = phone.server.listed(ben, phone.server.folder(ben, FolderType.INBOX))
    assert received.bcc == ""
    (sent,) = phone.server.listed(phone.account, phone.folder(FolderType.SENT))
    assert sent.bcc == "ben@example.test"


@pytest.mark.parametrize("recipients", ["", "half", "a@b@c", "ben@example.test, not finished"])
def test_draft_that_nobody_can_get_stays(phone, folder, recipients):
    item = write(phone, folder, Email.Subject("x"))
    told = phone.sync(folder, commands=[change(item, Email.To(recipients), send=True)])
    assert answered(told) == (183, str(item))
    assert answered(phone.sync(folder, commands=[add("c2", Email.To(recipients), send=True)]))[0] == 183
    assert [m.id for m in phone.server.listed(phone.account, folder)] == [item]
    assert phone.server.listed(phone.account, phone.folder(FolderType.SENT)) == []


def test_repeated_request_does_nothing_twice(phone, folder):
    phone.server.account("ben")
    key = phone.keys[folder]
    commands = [
        add("c1", Email.Subject("kept")),
        add("c2", Email.To("ben@example.test"), Email.Subject("sent"), send=True),
    ]
    first = phone.sync(folder, commands=commands)
    phone.keys[folder] = key
    again = phone.sync(folder, commands=commands)
    assert again.document == first.document
    phone.keys[folder] = key
    again = phone.sync(folder, AirSync.WindowSize(7), commands=commands)  # the same changes, asked otherwise
    assert answered(again) == answered(first)
    assert len(phone.server.listed(phone.account, folder)) == 1
    assert len(phone.server.listed(phone.account, phone.folder(FolderType.SENT))) == 1


@pytest.mark.parametrize("is_new", [True, False])
def test_crash_between_sending_and_answering_sends_once(phone, folder, monkeypatch, is_new):
    phone.server.account("ben")
    to = Email.To("ben@example.test")
    if is_new:
        command = add("c1", to, Email.Subject("s"), send=True)
    else:
        command = change(write(phone, folder, to, client_id="c0"), Email.Subject("s"), send=True)
    key = phone.keys[folder]
    store = sync_states.store

    def crash(*_args, **_rest):
        raise RuntimeError("power failure")

    monkeypatch.setattr(sync_states, "store", crash)
    phone.sync(folder, commands=[command])
    monkeypatch.setattr(sync_states, "store", store)
    assert len(phone.server.listed(phone.account, phone.folder(FolderType.SENT))) == 1
    assert phone.server.listed(phone.account, folder) == []
    phone.keys[folder] = key
    told = phone.sync(folder, commands=[command])
    assert answered(told)[0] == 1
    assert len(phone.server.listed(phone.account, phone.folder(FolderType.SENT))) == 1


def test_two_devices_send_the_same_draft_once(phone, folder):
    phone.server.account("ben")
    item = write(phone, folder, Email.To("ben@example.test"))
    other = Phone(phone.server, phone.account, "device2")
    other.prime(folder)
    assert answered(phone.sync(folder, commands=[change(item, send=True)]))[0] == 1
    assert answered(other.sync(folder, commands=[change(item, send=True)]))[0] == 8
    assert len(phone.server.listed(phone.account, phone.folder(FolderType.SENT))) == 1


def test_draft_changed_while_it_is_prepared_is_asked_for_again(phone, folder, monkeypatch):
    item = write(phone, folder, Email.Subject("one"), Email.To("ben@example.test"))
    phone.server.account("ben")
    made, writes = drafts.Desk._made, []

    def meanwhile(desk, before, edit):
        result = made(desk, before, edit)
        writes.append(b"To: ben@example.test\r\nSubject: other %d\r\n\r\n" % len(writes))
        other = submission.arrival.prepare(writes[-1])
        messages.replace(phone.account.id, item, other, is_draft=True)
        return result

    monkeypatch.setattr(drafts.Desk, "_made", meanwhile)
    assert phone.sync(folder, commands=[change(item, Email.Subject("two"))]).status == 16
    phone.sync(folder)
    assert phone.sync(folder, commands=[change(item, send=True)]).status == 16
    assert phone.server.listed(phone.account, phone.folder(FolderType.SENT)) == []


def test_several_commands_on_one_draft_follow_each_other(phone, folder):
    phone.server.account("ben")
    item = write(phone, folder, Email.Subject("one"))
    told = phone.sync(
        folder,
        commands=[
            change(item, Email.To("ben@example.test")),
            change(item, body(1, "text")),
            change(item, Email.Subject("two"), send=True),
        ],
    )
    assert [answered(told, n)[0] for n in range(3)] == [1, 1, 1]
    (sent,) = phone.server.listed(phone.account, phone.folder(FolderType.SENT))
    assert (sent.subject, sent.preview) == ("two", "text")


def test_too_large_is_refused_with_its_status(phone, folder, monkeypatch):
    monkeypatch.setattr(drafts, "MESSAGE_BYTES_MAX", 10_000)
    told = phone.sync(folder, commands=[add("c1", files(upload("a1", b"x" * 20_000, "big.bin")))])
    assert answered(told)[0] == 122
    assert phone.server.listed(phone.account, folder) == []


@pytest.mark.parametrize(
    "data",
    [
        [Email.Importance(3)],
        [body(3, "e1xydGY=")],
        [Email2.Sender("x@example.net")],
        [files(upload("a", b"1", "1"), upload("a", b"2", "2"))],
        [files(upload("a", b"1", "1", method=6))],
        [body(4, "Subject: a\rX: b\r\n\r\n")],
    ],
)
def test_what_cannot_be_a_draft_is_refused_alone(phone, folder, data):
    told = phone.sync(folder, commands=[add("c1", *data), add("c2", Email.Subject("good"))])
    assert [answered(told, n)[0] for n in range(2)] == [6, 1]


def test_mail_that_is_no_draft_cannot_be_sent_again(phone):
    inbox = phone.folder(FolderType.INBOX)
    item = phone.server.file(phone.account, inbox, "one")
    phone.prime(inbox)
    assert answered(phone.sync(inbox, commands=[change(item, send=True)]))[0] == 6
    assert phone.server.listed(phone.account, inbox)[0].subject == "one"


def test_flag_and_categories_come_with_a_draft(phone, folder):
    flag = Email.Flag(Email.Status(2), Email.FlagType("x"))
    item = write(phone, folder, flag, Email.Categories(Email.Category("Blue")), Email.Read(0))
    with db.connection():
        message = messages.get(phone.account.id, item)
    assert (message.flag.status, message.categories, message.is_read) == (2, ("Blue",), False)
    assert phone.sync(folder).is_empty


def test_quota_ends_at_the_draft(phone, folder):
    accounts.set_quota(phone.account.id, 1)
    assert answered(phone.sync(folder, commands=[add("c1", Email.Subject("x"))]))[0] == 9


def test_draft_bytes_hold_together(phone, folder):
    item = write(phone, folder, body(2, "<p>x</p>"), files(upload("a1", b"1", "ü.bin")))
    raw = raw_of(phone, item)
    structure = scan(raw)
    assert structure.defects == ()
    assert [part.filename for part in structure.attachment_parts()] == ["ü.bin"]
