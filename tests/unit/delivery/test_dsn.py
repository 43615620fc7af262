"""The words and fields of a failure report. Source: RFC 3464, RFC 6522."""

from email import message_from_bytes
from email.message import Message
from email.utils import parseaddr

import pytest

from appliance.delivery import dsn
from appliance.delivery.dsn import FailedRecipient
from tests.unit.store.mailbox import HOSTNAME, NOW

ORIGINAL = b"From: anna@example.test\r\nSubject: Plan\r\nMessage-ID: <1@example.test>\r\n\r\nSecret body\r\n"


def build(*failed: FailedRecipient, original: bytes = ORIGINAL) -> Message:
    raw = dsn.build(original, to="anna@example.test", failed=failed, hostname=HOSTNAME, now=NOW)
    return message_from_bytes(raw)


def fields_of(report: Message) -> list[Message]:
    """Return the per-message fields and those of each recipient."""
    status = report.get_payload(1)
    assert isinstance(status, Message)
    groups = status.get_payload()
    assert isinstance(groups, list)
    return groups  # type: ignore[return-value]  # of Message in a delivery-status


CARL = FailedRecipient("carl@example.org", "5.1.1", "550 No such user", "mx.example.org")
DORA = FailedRecipient("dora@example.org", "5.2.2", "Full.")


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
    raw = dsn.build(ORIGINAL, to="anna@example.test", failed=[CARL], hostname=HOSTNAME, now=NOW)
    assert b"Message-ID: <1@example.test>" in raw
    assert b"Secret body" not in raw


@pytest.mark.parametrize(
    "diagnostic",
    ["550 line one\r\nBcc: eve@example.net", "a\nb", "x" * 5_000, "\0 control", "ünïcode", "", "\x85\u2028"],
)
def test_what_a_server_says_cannot_add_fields(diagnostic: str) -> None:
    _, failed = fields_of(build(FailedRecipient("carl@example.org", "5.0.0", diagnostic)))
    assert set(failed.keys()) == {"Final-Recipient", "Action", "Status", "Diagnostic-Code"}
    assert len(str(failed["Diagnostic-Code"])) < 2_000


def test_an_original_without_a_header() -> None:
    assert build(CARL, original=b"").get_content_type() == "multipart/report"
