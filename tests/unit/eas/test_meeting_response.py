"""MeetingResponse: who hears what of an answer, how often, and what becomes of the invitation."""

from datetime import timedelta

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import MeetingAnswer
from appliance.delivery import submission
from appliance.errors import TemporaryFailure
from appliance.ical.invitation import read_invitation
from appliance.items.folder import FolderType
from appliance.mime.body import leaf_text
from appliance.mime.headers import parse_headers
from appliance.mime.scan import scan
from appliance.store import messages
from appliance.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    ComposeMail,
    Email,
    Email2,
    MeetingResponse,
    Move,
    Search,
)
from appliance.wbxml.element import Element
from tests.covers import covers
from tests.unit.eas.world import Phone

UID = "meeting-1@partner.example"
ACCEPT, TENTATIVE, DECLINE = 1, 2, 3
INSTANCE = "2026-03-17T08:00:00.000Z"
ALL_VERSIONS = ("12.1", "14.0", "14.1", "16.0", "16.1")


def event(*lines, method="REQUEST", organizer="bert@example.test", invited="anna@example.test"):
    return "".join(
        f"{line}\r\n"
        for line in (
            "BEGIN:VCALENDAR",
            f"METHOD:{method}",
            "BEGIN:VEVENT",
            f"UID:{UID}",
            "DTSTAMP:20260301T072958Z",
            "DTSTART;TZID=Europe/Berlin:20260310T090000",
            "DTEND;TZID=Europe/Berlin:20260310T100000",
            "SUMMARY:Jour fixe\\, weekly",
            f"ORGANIZER;CN=Bert:mailto:{organizer}",
            f"ATTENDEE;CN=Anna;RSVP=TRUE:mailto:{invited}",
            *lines,
            "END:VEVENT",
            "END:VCALENDAR",
        )
    )


def mail(calendar, method="REQUEST"):
    return (
        "From: Bert <bert@example.test>\r\nTo: anna@example.test\r\nSubject: Jour fixe\r\n"
        "Message-ID: <invitation@example.test>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/alternative; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\ncome\r\n"
        f"--b\r\nContent-Type: text/calendar; method={method}\r\n\r\n{calendar}\r\n--b--\r\n"
    ).encode()


def invite(phone, *lines, method="REQUEST", **who):
    """Put an invitation into the Inbox, which the phone has then, and return its id."""
    inbox = phone.folder(FolderType.INBOX)
    item = phone.server.file_raw(phone.account, inbox, mail(event(*lines, method=method, **who), method))
    phone.prime(inbox)
    return item


def request(item, response=ACCEPT, *rest, folder=None):
    return MeetingResponse.Request(
        MeetingResponse.UserResponse(response),
        MeetingResponse.CollectionId(str(folder)) if folder is not None else None,
        MeetingResponse.RequestId(str(item)),
        list(rest),
    )


def send(*children):
    return MeetingResponse.SendResponse(list(children))


def words(text, kind=1):
    return AirSyncBase.Body(AirSyncBase.Type(kind), AirSyncBase.Data(text))


def proposal(start="20260310T130000Z", end="20260310T140000Z"):
    return [
        tag(text)
        for tag, text in (
            (MeetingResponse.ProposedStartTime, start),
            (MeetingResponse.ProposedEndTime, end),
        )
        if text is not None
    ]


def results(phone, *requests) -> list[Element]:
    return phone.asked(
        "MeetingResponse", MeetingResponse.MeetingResponse(list(requests))
    ).find_all(MeetingResponse.Result)  # fmt: skip


def respond(phone, item, response=ACCEPT, *rest, folder=None) -> int | None:
    """Answer one invitation and return the Status."""
    (result,) = results(phone, request(item, response, *rest, folder=folder))
    return result.int_of(MeetingResponse.Status)


def lying(phone, account, type_):
    return phone.server.listed(account, phone.server.folder(account, type_))


def answers(phone, account):
    """Return the calendars that reached somebody's Inbox, oldest first, as text with unfolded lines."""
    found = []
    with db.connection():
        for message in reversed(lying(phone, account, FolderType.INBOX)):
            raw = messages.raw(message)
            structure = scan(raw)
            text = leaf_text(raw, structure.part(structure.calendar_part))
            found.append(text.replace("\r\n ", ""))
    return found


@pytest.fixture
def bert(phone):
    return phone.server.account("bert")


# --- what becomes of the invitation ---------------------------------------------------------------


@covers("MS-ASHTTP_R432", "MS-ASCMD_R5723", "MS-ASCMD_R5724", "MS-ASCMD_R5725", "MS-ASCMD_R4180")
@covers("MS-ASCMD_R5374", "MS-ASCMD_R3807", "MS-ASCMD_R837", "MS-ASCMD_R5072")
@pytest.mark.parametrize("version", ALL_VERSIONS)
@pytest.mark.parametrize("response", [ACCEPT, TENTATIVE, DECLINE])
def test_an_answered_invitation_lies_in_deleted_items(phone, bert, inbox, version, response):
    phone.version = version
    item = invite(phone)
    (result,) = results(phone, request(item, response, folder=inbox))
    assert [(child.tag.name, child.text) for child in result] == [("RequestId", str(item)), ("Status", "1")]
    assert lying(phone, phone.account, FolderType.INBOX) == []
    assert len(lying(phone, phone.account, FolderType.DELETED)) == 1
    assert lying(phone, bert, FolderType.INBOX) == []  # nobody asked the server to tell him


def test_every_device_hears_of_the_move_the_one_that_answered_too(phone, bert, inbox):
    item = invite(phone)
    other = Phone(phone.server, phone.account, "device2")
    deleted = phone.folder(FolderType.DELETED)
    for each in (phone, other):
        each.prime(inbox, deleted)
    respond(phone, item, folder=inbox)
    for each in (phone, other):
        assert each.sync(inbox).ids(AirSync.Delete) == [item]
        assert each.sync(deleted).data(AirSync.Add).text_of(Email.Subject) == "Jour fixe"


def test_a_phone_may_move_the_invitation_itself_as_well(phone, bert, inbox):
    item = invite(phone)
    deleted = phone.folder(FolderType.DELETED)
    respond(phone, item, folder=inbox)
    move = Move.Move(Move.SrcMsgId(str(item)), Move.SrcFldId(str(inbox)), Move.DstFldId(str(deleted)))
    moved = phone.asked("MoveItems", Move.MoveItems(move)).require(Move.Response)
    assert moved.int_of(Move.Status) == 3
    told = phone.sync(inbox, commands=[AirSync.Delete(AirSync.ServerId(str(item)))])
    assert told.status == 1 and told.responses == []
    assert len(lying(phone, phone.account, FolderType.DELETED)) == 1


def test_an_invitation_is_answered_where_it_lies(phone, bert):
    item = invite(phone)
    moved = messages.move(phone.account.id, item, phone.folder(FolderType.DELETED))
    assert respond(phone, moved, ACCEPT, send(), folder=phone.folder(FolderType.DELETED)) == 1
    assert len(lying(phone, phone.account, FolderType.DELETED)) == 1
    assert len(answers(phone, bert)) == 1


def test_a_long_id_names_an_invitation_and_is_not_repeated(phone, bert):
    item = invite(phone)
    asked = MeetingResponse.Request(MeetingResponse.UserResponse(1), Search.LongId(str(item)))
    (result,) = results(phone, asked)
    assert [(child.tag.name, child.text) for child in result] == [("Status", "1")]
    assert lying(phone, phone.account, FolderType.INBOX) == []


@covers("MS-ASEMAIL_R510")
def test_the_invitation_is_marked_as_replied_to_when_the_server_replied(phone, bert):
    deleted = phone.folder(FolderType.DELETED)
    phone.prime(deleted)
    respond(phone, invite(phone), ACCEPT, send())
    data = phone.sync(deleted).data(AirSync.Add)
    assert data.int_of(Email2.LastVerbExecuted) == 1
    assert data.text_of(Email2.LastVerbExecutionTime) == "2026-03-02T12:00:00.000Z"


# --- what the organizer hears ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "participation", "message_class", "subject"),
    [
        (ACCEPT, "ACCEPTED", "Pos", "Accepted"),
        (TENTATIVE, "TENTATIVE", "Tent", "Tentative"),
        (DECLINE, "DECLINED", "Neg", "Declined"),
    ],
)
@pytest.mark.parametrize("version", ["16.0", "16.1"])
def test_the_organizer_gets_a_reply(phone, bert, version, response, participation, message_class, subject):
    phone.version = version
    assert respond(phone, invite(phone, "SEQUENCE:3"), response, send()) == 1
    (calendar,) = answers(phone, bert)
    lines = calendar.splitlines()
    assert "METHOD:REPLY" in lines
    assert f"UID:{UID}" in lines
    assert "SEQUENCE:3" in lines
    assert "DTSTAMP:20260302T120000Z" in lines
    assert "ORGANIZER;CN=Bert:mailto:bert@example.test" in lines
    assert f"ATTENDEE;PARTSTAT={participation};CN=Anna:mailto:anna@example.test" in lines
    (message,) = lying(phone, bert, FolderType.INBOX)
    assert message.message_class == f"IPM.Schedule.Meeting.Resp.{message_class}"
    assert message.subject == f"{subject}: Jour fixe, weekly"
    with db.connection():
        headers = parse_headers(messages.raw(message))
    assert headers.raw("In-Reply-To").strip() == "<invitation@example.test>"
    (sent,) = lying(phone, phone.account, FolderType.SENT)
    assert sent.subject == message.subject


def test_a_comment_is_in_the_mail_and_in_the_calendar(phone, bert):
    respond(phone, invite(phone), DECLINE, send(words("Komme nicht, leider;\nbis bald")))
    (calendar,) = answers(phone, bert)
    assert "COMMENT:Komme nicht\\, leider\\;\\nbis bald" in calendar.splitlines()
    (message,) = lying(phone, bert, FolderType.INBOX)
    assert message.preview.startswith("Komme nicht, leider;")


def test_a_comment_may_be_html(phone, bert):
    respond(phone, invite(phone), ACCEPT, send(words("<p>See <b>you</b></p>", 2)))
    assert "COMMENT:See you" in answers(phone, bert)[0].splitlines()
    (message,) = lying(phone, bert, FolderType.INBOX)
    with db.connection():
        assert b"<p>See <b>you</b></p>" in messages.raw(message)


def test_an_alias_answers_under_the_name_that_was_invited(phone, bert):
    accounts.add_alias(phone.account.id, "office@example.test")
    respond(phone, invite(phone, invited="Office+x@example.test"), ACCEPT, send())
    (calendar,) = answers(phone, bert)
    assert "ATTENDEE;PARTSTAT=ACCEPTED;CN=Anna:mailto:Office+x@example.test" in calendar.splitlines()


def test_who_was_invited_as_one_of_a_group_answers_by_himself(phone, bert):
    respond(phone, invite(phone, invited="everybody@example.test"), ACCEPT, send())
    assert "mailto:anna@example.test" in answers(phone, bert)[0]


def test_an_answer_to_one_occurrence_names_it(phone, bert):
    respond(phone, invite(phone, "RECURRENCE-ID;TZID=Europe/Berlin:20260317T090000"), ACCEPT, send())
    lines = answers(phone, bert)[0].splitlines()
    assert "RECURRENCE-ID;TZID=Europe/Berlin:20260317T090000" in lines


def test_an_organizer_elsewhere_is_written_to_durably(phone):
    item = invite(phone, organizer="jo@partner.example")
    assert respond(phone, item, ACCEPT, send()) == 1
    with db.connection():
        (row,) = db.proxy.execute_sql("SELECT forward_path, reverse_path FROM queue_entry").fetchall()
    assert row == ("jo@partner.example", "anna@example.test")


# --- another time ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "message_class"), [(TENTATIVE, "Resp.Tent"), (DECLINE, "Resp.Neg"), (ACCEPT, "Resp.Pos")]
)
def test_a_proposal_is_a_counter(phone, bert, response, message_class):
    assert respond(phone, invite(phone), response, send(words("later?"), *proposal())) == 1
    (calendar,) = answers(phone, bert)
    found = read_invitation(calendar)
    assert found.method == "COUNTER"
    assert f"{found.start:%H:%M}-{found.end:%H:%M}" == "13:00-14:00"
    (message,) = lying(phone, bert, FolderType.INBOX)
    assert message.message_class == f"IPM.Schedule.Meeting.{message_class}"
    assert message.subject == "New time proposed: Jour fixe, weekly"


def test_the_organizers_phone_sees_what_is_proposed(phone, bert):
    respond(phone, invite(phone), TENTATIVE, send(*proposal()))
    organizer = Phone(phone.server, bert, "device7")
    inbox = organizer.folder(FolderType.INBOX)
    organizer.sync(inbox)
    meeting = organizer.sync(inbox).data(AirSync.Add).require(Email.MeetingRequest)
    assert meeting.text_of(Email.StartTime) == "2026-03-10T08:00:00.000Z"
    assert meeting.text_of(MeetingResponse.ProposedStartTime) == "20260310T130000Z"
    assert meeting.text_of(MeetingResponse.ProposedEndTime) == "20260310T140000Z"


@pytest.mark.parametrize(
    ("children", "status"),
    [
        (proposal(end=None), 2),
        (proposal(start=None), 2),
        (proposal(end="20260310T130000Z"), 2),
        (proposal(start="2026-03-10T13:00:00.000Z"), 104),
        (proposal(start="20261310T130000Z"), 104),
    ],
)
def test_a_proposal_that_is_none(phone, bert, children, status):
    assert respond(phone, invite(phone), TENTATIVE, send(*children)) == status
    assert lying(phone, bert, FolderType.INBOX) == []
    assert len(lying(phone, phone.account, FolderType.INBOX)) == 1


def test_an_organizer_who_takes_no_proposals_gets_none(phone, bert):
    item = invite(phone, "X-MICROSOFT-DISALLOW-COUNTER:TRUE")
    assert respond(phone, item, TENTATIVE, send(*proposal())) == 2
    assert lying(phone, bert, FolderType.INBOX) == []
    assert respond(phone, item, TENTATIVE, send()) == 1


# --- once -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("extra", [[], [words("yes")], proposal()], ids=["bare", "words", "proposal"])
def test_a_repeat_is_a_success_and_tells_nobody_again(phone, bert, inbox, extra):
    item = invite(phone)
    for _attempt in range(3):
        phone.server.clock.step(timedelta(minutes=1))
        assert respond(phone, item, ACCEPT, send(*extra), folder=inbox) == 1
    assert len(answers(phone, bert)) == 1
    assert len(lying(phone, phone.account, FolderType.SENT)) == 1


def test_a_second_phone_or_a_second_copy_tells_nobody_again(phone, bert, inbox):
    first, second = invite(phone), invite(phone)
    other = Phone(phone.server, phone.account, "device2")
    assert respond(phone, first, ACCEPT, send()) == 1
    assert respond(other, first, ACCEPT, send()) == 1
    assert respond(other, second, ACCEPT, send()) == 1
    assert len(answers(phone, bert)) == 1
    assert lying(phone, phone.account, FolderType.INBOX) == []  # the second copy was put away, too


def test_another_answer_is_told(phone, bert):
    item = invite(phone)
    for response in (ACCEPT, DECLINE, ACCEPT):
        assert respond(phone, item, response, send()) == 1
    said = [read.splitlines()[8].partition(";CN")[0] for read in answers(phone, bert)]
    assert said == [f"ATTENDEE;PARTSTAT={word}" for word in ("ACCEPTED", "DECLINED", "ACCEPTED")]


def test_the_same_answer_to_a_new_version_of_the_meeting_is_told(phone, bert):
    respond(phone, invite(phone), ACCEPT, send())
    respond(phone, invite(phone, "SEQUENCE:1"), ACCEPT, send())
    assert [("SEQUENCE:1" in text) for text in answers(phone, bert)] == [False, True]


def test_an_answer_that_was_not_mailed_may_still_be(phone, bert):
    item = invite(phone)
    assert respond(phone, item, ACCEPT) == 1
    assert answers(phone, bert) == []
    assert respond(phone, item, ACCEPT, send()) == 1
    assert respond(phone, item, ACCEPT) == 1
    assert respond(phone, item, ACCEPT, send()) == 1
    assert len(answers(phone, bert)) == 1


def test_nothing_is_done_when_the_mail_cannot_be(phone, bert, monkeypatch):
    item = invite(phone)

    def fails(*_args, **_rest):
        raise TemporaryFailure("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(submission.placing, "place", fails)
        answer = phone.asked("MeetingResponse", MeetingResponse.MeetingResponse(request(item, 1, send())))
        assert answer.require(MeetingResponse.Result).int_of(MeetingResponse.Status) == 111
    assert len(lying(phone, phone.account, FolderType.INBOX)) == 1
    with db.connection():
        assert MeetingAnswer.select().count() == 0
    assert respond(phone, item, 1, send()) == 1
    assert len(answers(phone, bert)) == 1


def test_on_either_database(either_phone):
    bert = either_phone.server.account("bert")
    item = invite(either_phone)
    for _attempt in range(2):
        assert respond(either_phone, item, ACCEPT, send(words("yes"))) == 1
    assert respond(either_phone, item, DECLINE) == 1
    assert len(answers(either_phone, bert)) == 1
    with db.connection():
        (row,) = MeetingAnswer.select().dicts()
    assert (row["participation"], row["is_sent"], row["instance"]) == ("DECLINED", False, "")


# --- what is refused ------------------------------------------------------------------------------


@covers("MS-ASCMD_R4182", "MS-ASCMD_R4183")
def test_what_is_no_invitation(phone, bert, inbox):
    plain = phone.server.file(phone.account, inbox, "just a letter")
    reply = invite(phone, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:jo@x.example", method="REPLY")
    cancelled = invite(phone, method="CANCEL")
    no_start = phone.server.file_raw(
        phone.account, inbox, mail("BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n")
    )
    for item in (plain, reply, cancelled, no_start):
        assert respond(phone, item, ACCEPT, send()) == 2
    assert len(lying(phone, phone.account, FolderType.INBOX)) == 4


def test_the_organizer_does_not_answer_himself(phone, bert):
    accounts.add_alias(phone.account.id, "office@example.test")
    for organizer in ("Anna@example.test", "office@example.test"):
        assert respond(phone, invite(phone, organizer=organizer), ACCEPT, send()) == 2


@pytest.mark.parametrize("item", ["999999", "x", "0", ""])
def test_an_invitation_that_is_not_there(phone, item):
    assert respond(phone, item) == 2


def test_the_folder_must_be_the_one_it_lies_in(phone, bert, inbox):
    item = invite(phone)
    assert respond(phone, item, folder=phone.folder(FolderType.SENT)) == 2
    assert respond(phone, item, folder="nonsense") == 2
    assert respond(phone, item, folder=inbox) == 1


@pytest.mark.parametrize("response", [0, 4, "x", ""])
def test_an_answer_that_is_none(phone, bert, response):
    assert respond(phone, invite(phone), response) == 2


def test_two_ids_or_none(phone, bert):
    item = invite(phone)
    both = MeetingResponse.Request(
        MeetingResponse.UserResponse(1), MeetingResponse.RequestId(str(item)), Search.LongId(str(item))
    )
    none = MeetingResponse.Request(MeetingResponse.UserResponse(1))
    assert [each.int_of(MeetingResponse.Status) for each in results(phone, both, none)] == [2, 2]


@covers("MS-ASCMD_R3195", "MS-ASCMD_R3196", "MS-ASCMD_R4185", "MS-ASCMD_R4186", "MS-ASDTYPE_R95")
@pytest.mark.parametrize("version", ["14.1", "16.0", "16.1"])
@pytest.mark.parametrize(
    ("instance", "lines", "status"),
    [
        (INSTANCE, ["RRULE:FREQ=WEEKLY"], 2),  # for calendar items, not for mail
        (INSTANCE, [], 146),
        ("20260317T080000Z", ["RRULE:FREQ=WEEKLY"], 104),
        ("2026-02-30T08:00:00.000Z", ["RRULE:FREQ=WEEKLY"], 104),
        ("x", [], 104),
        ("", ["RRULE:FREQ=WEEKLY"], 2),
    ],
)
def test_mail_knows_no_occurrences(phone, bert, version, instance, lines, status):
    phone.version = version
    item = invite(phone, *lines)
    (result,) = results(phone, request(item, 1, MeetingResponse.InstanceId(instance)))
    assert result.int_of(MeetingResponse.Status) == status
    assert len(lying(phone, phone.account, FolderType.INBOX)) == 1


@pytest.mark.parametrize("version", ["12.1", "14.0"])
def test_early_versions_know_no_occurrences_at_all(phone, bert, version):
    phone.version = version
    assert respond(phone, invite(phone), 1, MeetingResponse.InstanceId(INSTANCE)) == 2


@pytest.mark.parametrize(("version", "extra"), [("14.1", []), ("16.0", proposal())])
def test_what_a_version_does_not_know_is_refused(phone, bert, version, extra):
    phone.version = version
    assert respond(phone, invite(phone), 1, send(*extra)) == 2
    assert lying(phone, bert, FolderType.INBOX) == []


def test_an_invitation_without_an_organizer_can_only_be_put_away(phone):
    item = invite(phone, organizer="")
    assert respond(phone, item, ACCEPT, send()) == 2
    assert respond(phone, item, ACCEPT) == 1


def test_a_full_mailbox_says_so_and_nothing_is_sent(phone, bert):
    item = invite(phone)
    with db.connection():
        used = accounts.get(phone.account.id).used_bytes
    accounts.set_quota(phone.account.id, used + 10)
    assert respond(phone, item, ACCEPT, send()) == 113
    assert lying(phone, bert, FolderType.INBOX) == []


@covers("MS-ASCMD_R5650")
def test_a_hundred_at_once_are_enough(phone):
    assert len(results(phone, *[request(1000 + n) for n in range(100)])) == 100
    many = MeetingResponse.MeetingResponse([request(1000 + n) for n in range(101)])
    answer = phone.asked("MeetingResponse", many).require(MeetingResponse.Result)
    assert answer.int_of(MeetingResponse.Status) == 103


def test_each_request_is_judged_on_its_own(phone, bert):
    first, second = invite(phone), invite(phone, "RECURRENCE-ID:20260317T080000Z")
    found = results(phone, request(first, 1, send()), request(999, 1), request(second, 3, send()))
    assert [each.int_of(MeetingResponse.Status) for each in found] == [1, 2, 1]
    assert len(answers(phone, bert)) == 2


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (None, 101),
        (ComposeMail.SendMail(), 103),
        (MeetingResponse.MeetingResponse(), 103),
        (MeetingResponse.Request(), 103),
    ],
)
def test_malformed(phone, asked, status):
    answer = phone.asked("MeetingResponse", asked)
    assert answer.require(MeetingResponse.Result).int_of(MeetingResponse.Status) == status
