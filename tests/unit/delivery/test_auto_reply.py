"""Which messages are never answered by a program: a table. Source: RFC 3834 2, RFC 5230 4."""

import pytest

from appliance.delivery.auto_reply import addressed, refusal
from appliance.mime.headers import parse_headers

OWN = {"anna@example.com", "info@example.com"}
SENDER = "bob@example.net"
PLAIN = "From: Bob <bob@example.net>\r\nTo: Anna <anna@example.com>\r\nSubject: Lunch?\r\n"


def judge(header: str = "", *, sender: str = SENDER, base: str = PLAIN) -> str | None:
    return refusal(parse_headers(f"{base}{header}\r\n\r\nHi".encode()), sender, OWN)


@pytest.mark.parametrize(
    "header",
    [
        "X-Nothing: 1",
        "Auto-Submitted: no",
        "Auto-Submitted: No (a person)",
        "Precedence: first-class",
        "Precedence: urgent",
        "X-Auto-Response-Suppress: DR, NDR, RN, NRN",
        "X-Spam-Flag: NO",
        "Content-Type: multipart/mixed; boundary=x",
        "Subject: Re: Out of office",
        "In-Reply-To: <a@example.net>",
    ],
)
def test_a_person_is_answered(header: str) -> None:
    assert judge(header) is None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Auto-Submitted: auto-replied", "automatic"),
        ("auto-submitted: AUTO-GENERATED; owner-email=x", "automatic"),
        ("Auto-Submitted: auto-notified", "automatic"),
        ("Auto-Submitted: something-new", "automatic"),
        ("X-Autoreply: yes", "automatic"),
        ("X-Autorespond: Lunch", "automatic"),
        ("List-Id: <office.example.net>", "list"),
        ("List-Unsubscribe: <mailto:leave@example.net>", "list"),
        ("List-Post: NO", "list"),
        ("Mailing-List: contact x@example.net", "list"),
        ("Precedence: bulk", "bulk"),
        ("Precedence: List", "bulk"),
        ("PRECEDENCE: junk (really)", "bulk"),
        ("X-Auto-Response-Suppress: All", "suppressed"),
        ("X-Auto-Response-Suppress: DR, OOF, AutoReply", "suppressed"),
        ("Content-Type: multipart/report; report-type=delivery-status; boundary=x", "report"),
        ("Content-Type: Multipart/Report; report-type=disposition-notification", "report"),
        ("X-Spam-Flag: YES", "spam"),
    ],
)
def test_programs_lists_and_bulk_are_not(header: str, reason: str) -> None:
    assert judge(header) == reason


@pytest.mark.parametrize(
    ("sender", "reason"),
    [
        ("", "null_sender"),
        ("anna@example.com", "own"),
        ("info@example.com", "own"),
        ("anna+shop@example.com", "own"),
        *((f"{local_part}@example.net", "nobody_there") for local_part in (
            "mailer-daemon", "postmaster", "noreply", "no-reply", "no_reply", "donotreply", "do-not-reply",
            "news-noreply", "noreply-1234", "no.reply+x", "owner-office", "office-owner", "office-request",
            "office-bounces", "office-bounces+anna=example.com", "bounce", "bounces+77", "listserv",
            "majordomo", "root", "shop.noreply",
        )),
    ],
)  # fmt: skip
def test_senders_that_nobody_reads_are_not(sender: str, reason: str) -> None:
    assert judge(sender=sender) == reason


@pytest.mark.parametrize(
    "local_part", ["noreen", "reply", "bouncer", "norman-reply", "request", "owner", "rooted", "casino-reply"]
)
def test_people_with_unlucky_names_are_answered(local_part: str) -> None:
    assert judge(sender=f"{local_part}@example.net") is None


@pytest.mark.parametrize(
    ("recipients", "named"),
    [
        ("To: anna@example.com", "anna@example.com"),
        ("To: bob@example.net\r\nCc: x@example.net, Anna <ANNA@Example.COM>", "anna@example.com"),
        ("To: anna+shop@example.com", "anna@example.com"),
        ("To: Us: info@example.com, bob@example.net;", "info@example.com"),
        ("Resent-To: anna@example.com\r\nTo: x@example.net", "anna@example.com"),
        ("To: undisclosed-recipients:;", None),
        ("To: everybody@example.net", None),
        ("To: anna@example.com.example.net", None),
        ("X-To: anna@example.com", None),
    ],
)
def test_only_whoever_is_named_answers(recipients: str, named: str | None) -> None:
    headers = parse_headers(f"From: bob@example.net\r\n{recipients}\r\n\r\n".encode())
    assert addressed(headers, OWN) == named
    assert refusal(headers, SENDER, OWN) == (None if named else "not_addressed")
