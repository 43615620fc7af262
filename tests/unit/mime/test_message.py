"""The columns of a message: what the golden files do not vary."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.mime.body import html_body, plain_body
from appliance.mime.conversation import conversation_id, conversation_index
from appliance.mime.message import SUBJECT_CHARS_MAX, TEXT_CHARS_MAX, Summary, summarise, thread_topic
from appliance.mime.scan import scan


def summary(raw: bytes) -> Summary:
    return summarise(raw, scan(raw))


@pytest.mark.parametrize(
    ("subject", "topic"),
    [
        ("Re: x", "x"),
        ("RE : Fwd: AW: x", "x"),
        ("Re[12]: x", "x"),
        ("re(2): x", "x"),
        ("回复：x", "x"),
        ("Antw: WG: x", "x"),
        ("Reason: x", "Reason: x"),
        ("Re", "Re"),
        ("Re:", ""),
        ("x Re: y", "x Re: y"),
        ("", ""),
    ],
)
def test_thread_topics(subject: str, topic: str) -> None:
    assert thread_topic(subject) == topic


@pytest.mark.parametrize(
    ("field", "importance"),
    [
        ("Importance: high", 2),
        ("Importance: Low", 0),
        ("X-Priority: 1 (Highest)", 2),
        ("X-Priority: 5", 0),
        ("X-Priority: 3", 1),
        ("Priority: urgent", 2),
        ("Priority: non-urgent", 0),
        ("X-MSMail-Priority: High", 2),
        ("Importance: normal\r\nX-Priority: 1", 1),
        ("X-Nothing: 1", 1),
    ],
)
def test_importance(field: str, importance: int) -> None:
    assert summary(f"{field}\r\n\r\n".encode()).importance == importance


@pytest.mark.parametrize(
    ("method", "partstat", "expected"),
    [
        ("REQUEST", "", "IPM.Schedule.Meeting.Request"),
        ("CANCEL", "", "IPM.Schedule.Meeting.Canceled"),
        ("REPLY", "ACCEPTED", "IPM.Schedule.Meeting.Resp.Pos"),
        ("REPLY", "DECLINED", "IPM.Schedule.Meeting.Resp.Neg"),
        ("REPLY", "TENTATIVE", "IPM.Schedule.Meeting.Resp.Tent"),
        ("REPLY", "NEEDS-ACTION", "IPM.Note"),
        ("REPLY", "", "IPM.Note"),
        ("PUBLISH", "", "IPM.Note"),
    ],
)
def test_meeting_classes(method: str, partstat: str, expected: str) -> None:
    attendee = f"ATTENDEE;PARTSTAT={partstat}:mailto:a@b.test\r\n" if partstat else ""
    calendar = f"BEGIN:VCALENDAR\r\n{attendee}END:VCALENDAR\r\n"
    raw = f"Content-Type: text/calendar; method={method}\r\n\r\n{calendar}".encode()
    assert summary(raw).message_class == expected
    inside = f"Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR\r\nMETHOD:{method}\r\n{attendee}".encode()
    assert summary(inside).message_class == expected


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (["failed"], "REPORT.IPM.NOTE.NDR"),
        (["delivered"], "REPORT.IPM.NOTE.DR"),
        (["relayed", "delayed"], "REPORT.IPM.NOTE.DELAYED"),
        (["nonsense"], "IPM.Note"),
        ([], "IPM.Note"),
    ],
)
def test_delivery_reports(actions: list[str], expected: str) -> None:
    status = "\r\n\r\n".join(f"Action: {action}" for action in actions)
    raw = (
        "Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n"
        f"--r\r\nContent-Type: message/delivery-status\r\n\r\n{status}\r\n--r--\r\n"
    )
    assert summary(raw.encode()).message_class == expected


@pytest.mark.parametrize(
    ("content_type", "smime", "message_class"),
    [
        ("application/pkcs7-mime; smime-type=signed-data", "signed", "IPM.Note.SMIME"),
        ("application/x-pkcs7-mime", "encrypted", "IPM.Note.SMIME"),
        ("application/octet-stream; name=smime.p7m", "encrypted", "IPM.Note.SMIME"),
        ("application/pkcs7-mime; smime-type=certs-only", None, "IPM.Note"),
        ("application/octet-stream; name=other.bin", None, "IPM.Note"),
    ],
)
def test_smime_kinds(content_type: str, smime: str | None, message_class: str) -> None:
    raw = f"Content-Type: {content_type}\r\n\r\nMIIB".encode()
    assert scan(raw).smime == smime
    assert summary(raw).message_class == message_class


def test_sender_and_reply_to_are_shown_only_when_they_differ() -> None:
    same = summary(b"From: A <a@b.test>\nSender: <A@b.test>\nReply-To: a@b.test\n\n")
    assert (same.sender, same.reply_to) == ("", "")
    other = summary(b"From: a@b.test\nSender: s@b.test\nReply-To: A <a@b.test>, R <r@b.test>\n\n")
    assert other.sender == "s@b.test"
    assert other.reply_to == '"A" <a@b.test>;"R" <r@b.test>'


def test_receipt_requests_and_list_fields() -> None:
    assert summary(b"Disposition-Notification-To: a@b.test\n\n").is_read_receipt_requested
    assert not summary(b"Subject: x\n\n").is_read_receipt_requested
    assert summary(b"List-Id: A list <a.b.test>\n\n").list_id == "a.b.test"
    assert summary(b"Auto-Submitted: No\n\n").auto_submitted == "no"
    assert summary(b"\n").auto_submitted is None


def test_pictures_inside_the_text_are_no_attachments() -> None:
    raw = (
        b"Content-Type: multipart/related; boundary=b\n\n--b\nContent-Type: text/html\n\n<img src=cid:x>\n"
        b"--b\nContent-Type: image/png\nContent-ID: <x>\n\n\n--b--\n"
    )
    structure = scan(raw)
    assert structure.attachments == ("2",)
    assert structure.is_inline("2")
    assert not summarise(raw, structure).has_attachments


def test_an_empty_plain_part_does_not_hide_the_html() -> None:
    raw = (
        b"Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n"
        b"--b\nContent-Type: text/html\n\n<p>content\n--b--\n"
    )
    assert plain_body(raw, scan(raw)) == "content"


def test_text_is_capped_and_says_so() -> None:
    small, large = summary(b"\nhello"), summary(b"\n" + b"word " * 20_000)
    assert small.is_text_complete
    assert not large.is_text_complete
    assert len(large.text) == TEXT_CHARS_MAX
    html = b"Content-Type: text/html\n\n" + b"<b></b>" * 100_000 + b"end"
    assert not summary(html).is_text_complete


def test_a_message_without_text_has_no_html_body() -> None:
    raw = b"Content-Type: image/png\n\n"
    assert html_body(raw, scan(raw)) is None
    assert plain_body(raw, scan(raw)) == ""


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_column_holds_a_control_character(header: bytes, body: bytes) -> None:
    raw = b"Subject: " + header + b"\r\nTo: " + header + b"\r\nList-Id: " + header + b"\r\n\r\n" + body
    columns = summary(raw)
    for column in fields(columns):
        value = getattr(columns, column.name)
        if isinstance(value, str):
            value.encode("utf-8")
            allowed = "\t\r\n" if column.name == "text" else ""
            assert not any(c < " " and c not in allowed for c in value), column.name
            assert not set(value) & {"\ufffe", "\uffff"}
    assert len(columns.subject) <= SUBJECT_CHARS_MAX


def test_a_thread_shares_its_conversation_id() -> None:
    root = conversation_id("<1@x>", [], None, "topic")
    assert conversation_id("<2@x>", [], "<1@x>", "other") == root
    assert conversation_id("<3@x>", ["<1@x>", "<2@x>"], "<2@x>", "") == root
    assert conversation_id("<9@x>", [], None, "topic") != root
    assert conversation_id(None, [], None, "Re: Topic ") == conversation_id(None, [], None, "topic")
    assert len(root) == 16


def test_conversation_index_grows_by_level() -> None:
    moment = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
    header = conversation_index(moment)
    assert len(header) == 5
    ticks = int((moment - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
    assert header == ticks.to_bytes(8, "big")[:5]
    assert conversation_index(moment + timedelta(days=1)) > header
    reply = conversation_index(moment, ["<1@x>"])
    deeper = conversation_index(moment, ["<1@x>", "<2@x>"])
    assert reply.startswith(header)
    assert deeper.startswith(reply)
    assert (len(reply), len(deeper)) == (10, 15)
    assert conversation_index(moment, [], "<1@x>") == reply
    assert conversation_index(moment + timedelta(days=9), ["<1@x>"], started_at=moment) == reply
    assert len(conversation_index(moment, ["<1@x>"] * 500)) == 5 + 50 * 5
    assert conversation_index(datetime(1500, 1, 1, tzinfo=UTC)) == bytes(5)
