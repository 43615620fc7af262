"""SendMail: sent once whatever is repeated, under the sender's own name, one copy in Sent Items."""

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Account, QueueEntry
from appliance.delivery import submission
from appliance.eas.commands import send_mail
from appliance.errors import TemporaryFailure
from appliance.items.folder import FolderType
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, ComposeMail, RightsManagement
from tests.covers import covers
from tests.unit.eas.world import Phone, request

OFFICE = b"From: anna@example.test\r\nTo: bert@example.test\r\nSubject: hello\r\n\r\nhi bert\r\n"


def document(mime=OFFICE, client_id="c1", *, save=True, extra=()):
    return ComposeMail.SendMail(
        ComposeMail.ClientId(client_id) if client_id is not None else None,
        list(extra),
        ComposeMail.SaveInSentItems() if save else None,
        ComposeMail.Mime(mime),
    )


def send(phone, *args, **rest):
    return phone.command("SendMail", document(*args, **rest))


def status(answer):
    return answer.int_of(ComposeMail.Status)


@pytest.fixture
def bert(phone):
    return phone.server.account("bert")


def inbox_of(phone, account):
    return phone.server.listed(account, phone.server.folder(account, FolderType.INBOX))


def sent_of(phone):
    return phone.server.listed(phone.account, phone.folder(FolderType.SENT))


def raw_of(message):
    with db.connection():
        return messages.raw(message)


@covers("MS-ASCMD_R463", "MS-ASCMD_R4379", "MS-ASCMD_R443", "MS-ASCMD_R5091")
def test_success_is_empty(phone, bert):
    assert send(phone) is None
    (received,) = inbox_of(phone, bert)
    assert (received.subject, received.is_read) == ("hello", False)
    (copy,) = sent_of(phone)
    assert copy.is_read


def test_mime_as_a_string(phone, bert):
    assert send(phone, OFFICE.decode()) is None
    assert len(inbox_of(phone, bert)) == 1


@pytest.mark.parametrize(
    ("element", "count"),
    [
        (ComposeMail.SaveInSentItems(), 1),
        (ComposeMail.SaveInSentItems(1), 1),
        (ComposeMail.SaveInSentItems(0), 0),
        (None, 0),
    ],
    ids=str,
)
def test_the_copy_in_sent_items(phone, bert, element, count):
    asked = ComposeMail.SendMail(ComposeMail.ClientId("c"), element, ComposeMail.Mime(OFFICE))
    assert phone.command("SendMail", asked) is None
    assert len(sent_of(phone)) == count


# --- once and only once ---------------------------------------------------------------------------


@covers("MS-ASCMD_R4848")
def test_a_client_id_is_used_once(phone, bert):
    assert send(phone) is None
    assert status(send(phone)) == 118
    assert status(send(phone, OFFICE + b"another text")) == 118
    assert (len(inbox_of(phone, bert)), len(sent_of(phone))) == (1, 1)
    assert send(phone, client_id="c2") is None
    assert len(inbox_of(phone, bert)) == 2


def test_another_device_has_its_own_client_ids(phone, bert):
    other = Phone(phone.server, phone.account, "device2")
    assert send(phone) is None
    assert send(other) is None
    assert len(inbox_of(phone, bert)) == 2


def test_a_crash_before_the_answer_does_not_send_twice(phone, bert, monkeypatch):
    submit = submission.submit

    def sent_and_died(*args, **rest):
        submit(*args, **rest)
        raise RuntimeError("the process dies here")

    monkeypatch.setattr(submission, "submit", sent_and_died)
    assert status(send(phone)) == 111
    monkeypatch.undo()
    assert status(send(phone)) == 118
    assert (len(inbox_of(phone, bert)), len(sent_of(phone))) == (1, 1)


def test_a_crash_before_the_commit_sends_nothing(phone, bert, monkeypatch):
    monkeypatch.setattr(submission, "_save_in_sent", died)
    assert status(send(phone)) == 111
    assert (inbox_of(phone, bert), sent_of(phone)) == ([], [])
    monkeypatch.undo()
    assert send(phone) is None
    assert (len(inbox_of(phone, bert)), len(sent_of(phone))) == (1, 1)


def died(*args, **rest):
    raise RuntimeError("the process dies here")


def test_a_repeat_that_overtakes_is_found_in_the_transaction(phone, bert, monkeypatch):
    monkeypatch.setattr(submission, "was_sent", lambda request: False)
    assert send(phone) is None
    monkeypatch.undo()
    was_sent = submission.was_sent
    answers = iter([False])
    monkeypatch.setattr(submission, "was_sent", lambda request: next(answers, None) or was_sent(request))
    assert status(send(phone)) == 118
    assert len(inbox_of(phone, bert)) == 1


# --- names and recipients -------------------------------------------------------------------------


def test_the_sender_is_the_user(phone, bert):
    forged = OFFICE.replace(b"anna@example.test", b"chief@example.test")
    assert send(phone, forged) is None
    (received,) = inbox_of(phone, bert)
    assert "anna@example.test" in received.sender_from
    assert b"chief@example.test" not in raw_of(received)


def test_an_alias_may_be_used(phone, bert):
    accounts.add_alias(phone.account.id, "info@example.test")
    assert send(phone, OFFICE.replace(b"anna@", b"info@")) is None
    (received,) = inbox_of(phone, bert)
    assert "info@example.test" in received.sender_from


def test_bcc_gets_the_mail_and_nobody_is_told(phone, bert):
    carl = phone.server.account("carl")
    raw = OFFICE.replace(b"Subject", b"Bcc: carl@example.test, out@example.net\r\nSubject")
    assert send(phone, raw) is None
    for account in (bert, carl):
        (received,) = inbox_of(phone, account)
        assert b"carl" not in raw_of(received)
        assert b"out@example.net" not in raw_of(received)
    (copy,) = sent_of(phone)
    assert "carl@example.test" in copy.bcc
    with db.connection():
        assert [row.forward_path for row in QueueEntry.select()] == ["out@example.net"]


def test_local_and_remote_recipients_each_once(phone, bert):
    raw = OFFICE.replace(
        b"To: bert@example.test",
        b"To: bert@example.test, BERT@example.test, a@example.net\r\nCc: a@example.net, b@example.org",
    )
    assert send(phone, raw) is None
    assert len(inbox_of(phone, bert)) == 1
    with db.connection():
        assert sorted(row.forward_path for row in QueueEntry.select()) == ["a@example.net", "b@example.org"]


def test_an_unknown_local_recipient_is_reported_not_refused(phone, bert):
    raw = OFFICE.replace(b"bert@example.test", b"bert@example.test, nobody@example.test")
    assert send(phone, raw) is None
    assert len(inbox_of(phone, bert)) == 1
    assert len(inbox_of(phone, phone.account)) == 1


# --- refusals -------------------------------------------------------------------------------------


@covers("MS-ASCMD_R4380", "MS-ASCMD_R4853", "MS-ASCMD_R5092")
@pytest.mark.parametrize(
    ("mime", "expected"),
    [
        (b"Subject: to nobody\r\n\r\nhi", 119),
        (b"To: undisclosed-recipients:;\r\n\r\nhi", 119),
        (b"", 107),
        (b"To: <not an address>\r\n\r\nhi", 107),
    ],
    ids=["nobody", "group", "empty", "address"],
)
def test_messages_that_cannot_be_sent(phone, mime, expected):
    assert status(send(phone, mime)) == expected
    assert sent_of(phone) == []


def test_a_refused_message_may_be_sent_again_under_its_id(phone, bert):
    assert status(send(phone, b"Subject: to nobody\r\n\r\nhi")) == 119
    assert send(phone) is None


@pytest.mark.parametrize("client_id", [None, "", "c" * 41])
def test_client_ids_have_1_to_40_characters(phone, client_id):
    assert status(send(phone, client_id=client_id)) == 103


@covers("MS-ASCMD_R724", "MS-ASCMD_R4956")
def test_an_account_nobody_was_offered(phone, bert):
    assert status(send(phone, extra=[ComposeMail.AccountId("other")])) == 166
    assert send(phone, extra=[ComposeMail.AccountId()]) is None


def test_rights_management_is_not_silently_left_out(phone, bert):
    asked = RightsManagement.TemplateID("c3d2a1b0-0000-4000-8000-000000000001")
    assert status(phone.command("SendMail", ComposeMail.SendMail(document().children, asked))) == 168
    none = RightsManagement.TemplateID(send_mail.NO_TEMPLATE)
    assert phone.command("SendMail", ComposeMail.SendMail(document().children, none)) is None


@pytest.mark.parametrize("asked", [AirSync.Sync(), ComposeMail.SmartReply()])
def test_malformed(phone, asked):
    assert status(phone.command("SendMail", asked)) == 103


def test_plain_mime_belongs_to_old_versions(phone):
    answer = phone.server.ask(phone.account, request("SendMail", OFFICE, content_type="message/rfc822"))
    assert answer.status == 200
    assert b"\x03101\x00" in answer.body


def test_our_own_trouble_is_temporary(phone, bert, monkeypatch):
    def full(*args, **rest):
        raise TemporaryFailure("disk full")

    monkeypatch.setattr(submission, "submit", full)
    assert status(send(phone)) == 111


def test_a_full_mailbox(phone, bert):
    @db.transaction
    def fill():
        Account.update(quota_bytes=1).where(Account.id == phone.account.id).execute()

    fill()
    assert status(send(phone)) == 113
    assert inbox_of(phone, bert) == []
