"""TLS reports: counted for who asks, made as RFC 8460 says, sent once."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import SMTP

import pytest

from appliance import db
from appliance.clock import Clock
from appliance.domains import tls_sessions
from appliance.mailauth import tls_report
from appliance.net.fetch import Fetcher, FetchError
from appliance.queue import entries
from appliance.store import blobs
from smtpd.security import PolicyFacts
from smtpd.tls_reporting import TlsReporting
from tests.fixtures.database import Place
from tests.unit.smtpd.memory import MemoryResolver

DAY = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STS = PolicyFacts("example.net", "sts", ("version: STSv1", "mode: enforce"), ("mx.example.net",))


class Hand(Clock):
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = DAY

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.moment.timestamp()


class Posts(Fetcher):
    """Keeps what is posted."""

    def __init__(self) -> None:
        self.all: list[tuple[str, int | None, str, bytes]] = []
        self.refuses = False

    def post(self, host: str, port: int | None, path: str, body: bytes, content_type: str) -> None:
        if self.refuses:
            raise FetchError("http", "no")
        assert content_type == "application/tlsrpt+gzip"
        self.all.append((host, port, path, body))


class Office:
    """A process that counts, and domains that ask."""

    def __init__(self, rua: str = "mailto:tls@reports.example.net") -> None:
        self.clock, self.posts = Hand(), Posts()
        zones = {"_smtp._tls.example.net": {"TXT": [f"v=TLSRPTv1; rua={rua}"]}}
        self.reporting = TlsReporting(
            MemoryResolver(zones), self.posts, self.clock, lambda: "mail.example.test"
        )

    def count(self) -> None:
        for _ in range(3):
            self.reporting.succeeded(STS)
        self.reporting.failed(STS, "certificate-expired", "mx.example.net", "192.0.2.1")
        self.reporting.succeeded(PolicyFacts("silent.example", "no-policy-found"))
        self.reporting.flush()

    def tomorrow(self) -> list[int]:
        self.clock.moment = DAY + timedelta(days=1)
        return list(self.reporting.job().steps(self.clock.moment))


@pytest.fixture
def place(database: Place) -> Place:
    blobs.configure(database.data_dir)
    return database


def queued() -> list[tuple[str, str, bytes]]:
    with db.connection():
        return [(e.reverse_path, e.forward_path, blobs.read(e.digest)) for e in entries.list_entries()]


def test_counts_add_up_and_nobody_else_is_counted(place: Place) -> None:
    office = Office()
    for _ in range(2):
        office.count()
    with db.connection():
        counted = tls_sessions.counted("2026-03-02", "example.net")
        assert tls_sessions.counted("2026-03-02", "silent.example") == {}
    assert sorted(counted.values()) == [2, 6]


def test_a_report_by_mail(place: Place) -> None:
    office = Office()
    office.count()
    assert list(office.reporting.job().steps(DAY)) == [0], "the day is not over"
    assert office.tomorrow() == [2, 0]
    ((reverse_path, to, raw),) = queued()
    assert (reverse_path, to) == ("", "tls@reports.example.net")
    mail = message_from_bytes(raw, policy=SMTP)
    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "tlsrpt"
    assert mail["TLS-Report-Domain"] == "example.net"
    assert mail["TLS-Report-Submitter"] == "mail.example.test"
    assert mail["TLS-Required"] == "No"
    words, data = mail.iter_parts()
    assert words.get_content_type() == "text/plain"
    assert data.get_content_type() == "application/tlsrpt+gzip"
    filename = data.get_filename()
    assert filename is not None
    assert filename.startswith("mail.example.test!example.net!1772409600!1772495999!")
    (report,) = tls_report.read(gzip.decompress(data.get_payload(decode=True)))
    assert (report.domain, report.organisation) == ("example.net", "mail.example.test")
    assert (report.begins_at, report.passed, report.failed) == (datetime(2026, 3, 2, tzinfo=UTC), 3, 1)
    (failure,) = report.failures
    assert (failure.policy_type, failure.result) == ("sts", "certificate-expired")
    assert (failure.receiving_host, failure.sessions) == ("mx.example.net", 1)
    assert office.tomorrow() == [0], "sent twice"


def test_the_policy_stands_in_the_report(place: Place) -> None:
    office = Office("https://reports.example.net:8443/tls?x=1")
    office.count()
    assert office.tomorrow() == [2, 0]
    ((host, port, path, body),) = office.posts.all
    assert (host, port, path) == ("reports.example.net", 8443, "/tls?x=1")
    (policy,) = json.loads(gzip.decompress(body))["policies"]
    assert policy["policy"] == {
        "policy-type": "sts",
        "policy-string": ["version: STSv1", "mode: enforce"],
        "policy-domain": "example.net",
        "mx-host": ["mx.example.net"],
    }
    assert queued() == []


def test_what_is_refused_is_tried_again_for_days_and_then_forgotten(place: Place) -> None:
    office = Office("https://reports.example.net/")
    office.count()
    office.posts.refuses = True
    assert office.tomorrow() == [0, 0]
    office.posts.refuses = False
    assert office.tomorrow() == [2, 0]
    office.clock.moment = DAY
    office.count()
    office.posts.refuses = True
    office.clock.moment = DAY + timedelta(days=9)
    assert list(office.reporting.job().steps(office.clock.moment)) == [0, 2]


@pytest.mark.parametrize("rua", ["", "ftp://x.example/", "mailto:not an address", "https:///nowhere"])
def test_where_nothing_can_be_sent(place: Place, rua: str) -> None:
    office = Office(rua)
    office.count()
    assert office.tomorrow()[0] == 0
    assert (queued(), office.posts.all) == ([], [])
