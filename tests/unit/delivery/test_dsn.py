"""The words and fields of a failure report. Source: RFC 3464, RFC 6522."""

from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr

import pytest

from appliance.delivery import dsn
from appliance.delivery.dsn import Action, Original, ReportedRecipient
from tests.unit.store.mailbox import HOSTNAME, NOW

ORIGINAL = b"From: anna@example.test\r\nSubject: Plan\r\nMessage-ID: <1@example.test>\r\n\r\nSecret body\r\n"


def build(*failed: ReportedRecipient, original: bytes = ORIGINAL) -> Message:
    raw = dsn.build(Original(original), to="anna@example.test", recipients=failed, hostname=HOSTNAME, now=NOW)
    return message_from_bytes(raw)


def fields_of(report: Message) -> list[Message]:
    """Return the per-message fields and those of each recipient."""
    status = report.get_payload(1)
    assert isinstance(status, Message)
    groups = status.get_payload()
    assert isinstance(groups, list)
    return groups  # type: ignore[return-value]  # of Message in a delivery-status


CARL = ReportedRecipient("carl@example.org", "5.1.1", "550 No such user", "mx.example.org")
DORA = ReportedRecipient("dora@example.org", "5.2.2", "Full.")


def test_shape() -> None:
    report = build(CARL, DORA)
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    assert [part.get_content_type() for part in report.get_payload()] == [  # type: ignore[union-attr]
        "text/plain",
        "message/delivery-status",
        "text/rfc822-headers",
    ]
    assert parseaddr(report["From"]) == ("Mail Delivery System", f"mailer-daemon@{HOSTNAME}")
    assert report["To"] == "anna@example.test"
    assert report["Auto-Submitted"] == "auto-replied"


def test_fields() -> None:
    about, carl, dora = fields_of(build(CARL, DORA))
    assert about["Reporting-MTA"] == f"dns; {HOSTNAME}"
    assert dict(carl.items()) == {
        "Final-Recipient": "rfc822; carl@example.org",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.example.org",
        "Diagnostic-Code": "smtp; 550 No such user",
    }
    assert "Remote-MTA" not in dora


def test_the_header_comes_back_and_the_body_does_not() -> None:
    raw = dsn.build(Original(ORIGINAL), to="anna@example.test", recipients=[CARL], hostname=HOSTNAME, now=NOW)
    assert b"Message-ID: <1@example.test>" in raw
    assert b"Secret body" not in raw


@pytest.mark.parametrize(
    "diagnostic",
    ["550 line one\r\nBcc: eve@example.net", "a\nb", "x" * 5_000, "\0 control", "ünïcode", "\x85\u2028"],
)
def test_what_a_server_says_cannot_add_fields(diagnostic: str) -> None:
    _, failed = fields_of(build(ReportedRecipient("carl@example.org", "5.0.0", diagnostic)))
    assert set(failed.keys()) == {"Final-Recipient", "Action", "Status", "Diagnostic-Code"}
    assert len(str(failed["Diagnostic-Code"])) < 2_000


def test_without_words_of_a_server_there_is_no_field_for_them() -> None:
    _, failed = fields_of(build(ReportedRecipient("carl@example.org", "5.0.0", "")))
    assert "Diagnostic-Code" not in failed


def report_of(action: Action, original: Original, recipient: ReportedRecipient = CARL) -> Message:
    raw = dsn.build(
        original, to="anna@example.test", recipients=[recipient], hostname=HOSTNAME, now=NOW, action=action
    )
    return message_from_bytes(raw)


@pytest.mark.parametrize(
    ("action", "ret", "comes_back"),
    [
        (Action.FAILED, "FULL", "message/rfc822"),
        (Action.FAILED, "HDRS", "text/rfc822-headers"),
        (Action.FAILED, "", "text/rfc822-headers"),
        (Action.DELAYED, "FULL", "text/rfc822-headers"),
        (Action.RELAYED, "FULL", "text/rfc822-headers"),
    ],
)
def test_how_much_comes_back(action: Action, ret: str, comes_back: str) -> None:
    report = report_of(action, Original(ORIGINAL, ret=ret))
    assert report.get_payload(2).get_content_type() == comes_back  # type: ignore[union-attr]
    assert fields_of(report)[1]["Action"] == str(action)


def test_a_large_original_does_not_come_back_whole() -> None:
    report = report_of(Action.FAILED, Original(ORIGINAL + b"x" * dsn.WHOLE_BYTES_MAX, ret="FULL"))
    assert report.get_payload(2).get_content_type() == "text/rfc822-headers"  # type: ignore[union-attr]


def test_what_the_sender_called_it_comes_back() -> None:
    recipient = replace(CARL, orcpt="rfc822;carl+2Bnews@example.org", will_retry_until=NOW)
    report = report_of(Action.DELAYED, Original(ORIGINAL, NOW, envid="QQ+3D314"), recipient)
    about, carl = fields_of(report)
    assert about["Original-Envelope-Id"] == "QQ=314"
    assert about["Arrival-Date"] == carl["Will-Retry-Until"] == "Mon, 02 Mar 2026 12:00:00 +0000"
    assert carl["Original-Recipient"] == "rfc822; carl+news@example.org"


def test_an_address_that_is_not_ascii() -> None:
    _, jan = fields_of(
        report_of(Action.FAILED, Original(ORIGINAL), replace(CARL, address="jürgen@example.org"))
    )
    assert jan["Final-Recipient"] == "utf-8; j\\x{FC}rgen@example.org"


@pytest.mark.parametrize(
    ("xtext", "text"), [("a+2Bb", "a+b"), ("a+2", "a+2"), ("+zz", "+zz"), ("a+0Ab", "a+0Ab"), ("", "")]
)
def test_xtext(xtext: str, text: str) -> None:
    assert dsn.decode_xtext(xtext) == text


def test_an_original_without_a_header() -> None:
    assert build(CARL, original=b"").get_content_type() == "multipart/report"
